package format_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

var update = flag.Bool("update", false, "write the goldens of the formats anew")

func TestSamplesDecodeToTheirGoldens(t *testing.T) {
	for _, f := range format.All() {
		t.Run(f.Name, func(t *testing.T) {
			files := samples(t, &f)
			if len(files) < 6 {
				t.Errorf("%s has %d samples, fewer than 6", f.Name, len(files))
			}
			for _, file := range files {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".in"), func(t *testing.T) { checkGolden(t, &f, file) })
			}
		})
	}
}

func checkGolden(t *testing.T, f *format.Format, file string) {
	records, err := readSample(f, file)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var s format.Scratch
	for i := range records {
		if len(records) > 1 {
			fmt.Fprintf(&b, "--- record %d\n", i)
		}
		events, err := decode(t, f, &s, &records[i])
		describe(&b, events, err)
		for i := range events {
			checkValid(t, &events[i])
		}
	}
	golden := strings.TrimSuffix(file, ".in") + ".want"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("no golden (run with -update, then read it): %v", err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("differs from %s (-want +got):\n%s", golden, d)
	}
}

// describe writes events as goldens show them: every known field in the order of the table, then leftovers, entities and flags.
func describe(b *strings.Builder, events []event.Event, err error) {
	if err != nil {
		if r, ok := errors.AsType[*format.Reject](err); ok {
			fmt.Fprintf(b, "reject %s %s\n", r.Code, r.Reason)
			return
		}
		fmt.Fprintf(b, "reject without code: %v\n", err)
		return
	}
	for i := range events {
		if len(events) > 1 {
			fmt.Fprintf(b, "-- event %d\n", i)
		}
		describeEvent(b, &events[i])
	}
}

func describeEvent(b *strings.Builder, e *event.Event) {
	fmt.Fprintf(b, "class %s\n", e.ClassKey())
	if !e.Envelope.ID.IsZero() {
		fmt.Fprintf(b, "id %s\n", e.Envelope.ID)
	}
	fmt.Fprintf(b, "time_source %s\n", e.Envelope.TimeSource)
	fields := event.Fields()
	for i := range fields {
		p := &fields[i]
		if p.Flags&(event.IsCaption|event.Derived) == 0 && p.Known(e) {
			fmt.Fprintf(b, "%s = %s\n", p.Path, fieldText(p, e))
		}
	}
	for _, f := range e.Raw {
		fmt.Fprintf(b, "raw %s = %s\n", f.Name, shown(f.Value))
	}
	for _, a := range e.Unmapped {
		fmt.Fprintf(b, "unmapped %s = %s\n", a.Key, shown(a.Value))
	}
	for _, x := range e.Entities {
		fmt.Fprintf(b, "entity %s %s %s %s\n", x.Kind, x.Role, x.Strength, shown(x.Key))
	}
	if names := e.Envelope.Quality.Names(); len(names) > 0 {
		fmt.Fprintf(b, "quality %s\n", strings.Join(names, " "))
	}
}

func fieldText(p *event.Field, e *event.Event) string {
	switch p.Kind {
	case event.KindString:
		return shown(p.Str(e))
	case event.KindInt:
		n, _ := p.Num(e)
		if caption := event.Caption(p.Object, p.Attr, int(n)); p.Flags&event.Enum != 0 && caption != "" {
			return fmt.Sprintf("%d (%s)", n, caption)
		}
		return strconv.FormatInt(n, 10)
	case event.KindTime:
		ms, _ := p.Num(e)
		return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
	case event.KindFloat:
		v, _ := p.Flt(e)
		return strconv.FormatFloat(v, 'g', -1, 64)
	case event.KindBool:
		return strconv.FormatBool(p.Tri(e) == event.True)
	default:
		return fmt.Sprintf("%q", p.Lst(e))
	}
}

// shown is s as it stands, quoted where the eye would misread it.
func shown(s string) string {
	if s != strings.TrimSpace(s) || s == "" || slices.ContainsFunc([]rune(s), func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
