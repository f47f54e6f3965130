package app_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/store"
)

// freeAddress is an address on loopback that nobody listens on, and that the kernel gives to nobody who asks for any: it lies below the ports it
// gives out.
func freeAddress(t *testing.T) string {
	t.Helper()
	var err error
	for range 100 {
		var l net.Listener
		if l, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", 15000+rand.IntN(17000))); err == nil {
			must(t, l.Close())
			return l.Addr().String()
		}
	}
	t.Fatal(err)
	return ""
}

// A log on a server may have its writer anywhere.
func TestTheLogOfAServerIsNotTakenOverByTheWay(t *testing.T) {
	cfg := app.DefaultConfig()
	cfg.Console.Listen = freeAddress(t)
	cfg.ClickHouse.Addr = []string{freeAddress(t)}
	var talk bytes.Buffer
	_, err := app.ReplayRejects(t.Context(), cfg, app.RejectReplay{}, app.RejectsSettings{Talk: &talk}, nil)
	if err == nil || !strings.Contains(err.Error(), "--offline") {
		t.Errorf("got %v, want a refusal that names --offline", err)
	}
}

func TestAnotherProgramOnTheConsolesAddressIsNamed(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "teapot\x1b[2J", http.StatusTeapot) })}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	cfg := app.DefaultConfig()
	cfg.Console.Listen, cfg.Engine.Dir = l.Addr().String(), filepath.Join(t.TempDir(), "engine")
	err = app.Rejects(t.Context(), cfg, store.RejectFilter{}, app.RejectsSettings{}, nil)
	if err == nil || !strings.Contains(err.Error(), "418") || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("got %v, want what answered, safe for a terminal", err)
	}
}

func TestARejectIsShownWholeAndSafely(t *testing.T) {
	tried := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	row := app.RejectRow{
		ID: "rj_x", Source: "idp", Partition: 3, Offset: 77, Format: "okta", Received: tried.Add(-time.Hour), Code: "json_syntax", Reason: "no \x1b[2J end",
		Bytes: []byte{'{', 0xff}, Key: []byte("k\u202e"), Headers: []app.RejectRowHeader{{Key: "h", Value: []byte{0xfe}}}, Tried: &tried,
	}
	var out bytes.Buffer
	must(t, app.WriteReject(&out, row))
	for _, want := range []string{"partition 3, offset 77", `no \u001b[2J end`, "0xfe", `k\u202e`, "7b ff", "it is a reject still", "2026-11-21T08:00:00Z"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, &out)
		}
	}
	row.Events, row.Reason = 2, strings.Repeat("ä", 300)
	line := app.RejectLine(row)
	if !strings.Contains(line, "json_syntax (replayed)") || len([]rune(line)) > 200 {
		t.Errorf("the line is %q", line)
	}
	if n := strings.Count(line, "\t"); n != 6 {
		t.Errorf("%d tabs, want 6", n)
	}
}
