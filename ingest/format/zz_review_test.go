package format_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

func TestZZReview(t *testing.T) {
	name := os.Getenv("ZZ")
	if name == "" {
		t.Skip()
	}
	f, _ := format.ByName(name)
	text, _ := os.ReadFile(os.Getenv("ZZFILE"))
	var s format.Scratch
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		rec := &event.Record{Value: []byte(line), Format: name, Received: received.UnixMicro()}
		events, err := decode(t, f, &s, rec)
		var b strings.Builder
		describe(&b, events, err)
		out := b.String()
		if os.Getenv("ZZSHORT") != "" {
			keep := ""
			for _, l := range strings.Split(out, "\n") {
				for _, p := range strings.Split(os.Getenv("ZZSHORT"), ",") {
					if strings.HasPrefix(l, p) {
						keep += " | " + l
						break
					}
				}
			}
			out = keep
		}
		if i := strings.Index(line, "sshd[1234]: "); i > 0 {
			line = line[i+12:]
		}
		if i := strings.Index(line, "eventType\""); i > 0 {
			line = line[i+12:]
		}
		if i := strings.Index(line, "operationName"); i > 0 {
			line = line[i+16:]
		}
		if i := strings.Index(line, "event_type"); i > 0 {
			line = line[i+12:]
		}
		if i := strings.Index(line, "+01:00"); i > 0 {
			line = line[i+17:]
		}
		if i := strings.Index(line, "eventType"); i > 0 {
			line = line[i+12:]
		}
		if len(line) > 60 && os.Getenv("ZZLONG") == "" {
			line = line[:60]
		}
		if len(line) > 110 {
			line = line[:110]
		}
		fmt.Printf("#%d %s\n%s\n", i, line, out)
		for i := range events {
			checkValid(t, &events[i])
		}
	}
}
