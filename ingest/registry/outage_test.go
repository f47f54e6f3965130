package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/registry"
)

// answers is a transport that gives the next of its answers each time, the last one for ever.
type answers struct {
	list  []string // "503", "refused", or a body for 200; "404 body" for a body with 404.
	asked int
}

func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	next := a.list[min(a.asked, len(a.list)-1)]
	a.asked++
	status := http.StatusOK
	switch {
	case next == "refused":
		return nil, errors.New("connection refused")
	case next == "503":
		status = http.StatusServiceUnavailable
	case strings.HasPrefix(next, "404 "):
		status, next = http.StatusNotFound, next[4:]
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(next)), Request: req, Header: http.Header{}}, nil
}

const (
	longSchema = `{"schema":"\"long\""}`
	notFound   = `404 {"error_code":40403,"message":"Schema not found"}`
)

// bubbled is a transcoder whose registry is a.
func bubbled(t *testing.T, a *answers) (*registry.Client, *registry.Transcoder, *bytes.Buffer) {
	var log bytes.Buffer
	cfg := registry.DefaultConfig()
	cfg.URL = "http://registry:8081"
	c, err := registry.New(cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	c.SetTransport(a)
	return c, transcoder(t, c, "avro"), &log
}

func TestAnOutageIsWaitedForAndToldOnceAtEachEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{list: []string{"refused", "503", "refused", "404 <html>no such page</html>", `404 {"error_code":404,"message":"HTTP 404 Not Found"}`, "<html>hello</html>", `{}`, longSchema}}
		_, tr, log := bubbled(t, a)
		began := time.Now()
		rec, err := run(t, tr, framed(1, 4))
		if err != nil || string(rec.Value) != "2" {
			t.Errorf("got %q, %v", rec.Value, err)
		}
		if waited := time.Since(began); waited < time.Second || waited > 2*time.Minute {
			t.Errorf("waited %v over 7 failures", waited)
		}
		if n := strings.Count(log.String(), "does not answer"); n != 1 {
			t.Errorf("the beginning is told %d times:\n%s", n, log)
		}
		if n := strings.Count(log.String(), "answers again"); n != 1 {
			t.Errorf("the end is told %d times:\n%s", n, log)
		}
	})
}

func TestAnOutageEndsWithTheContextAndNothingIsRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, tr, _ := bubbled(t, &answers{list: []string{"503"}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		done, second := make(chan error, 1), make(chan error, 1)
		records := func() []event.Record { return []event.Record{{Value: framed(1, 4)}} }
		go func() { done <- tr.Prepare(ctx, records()) }()
		synctest.Wait()
		short, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		go func() { second <- tr.Prepare(short, records()) }() // Another partition, whose claim ends while it waits for its turn.
		if err := <-second; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the waiting one got %v", err)
		}
		if err := c.Err(); err == nil || !strings.Contains(err.Error(), "503") {
			t.Errorf("health says %v", err)
		}
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if err := c.Err(); err != nil {
			t.Errorf("health still says %v", err)
		}
	})
}

func TestAnUnknownSchemaIsAskedForAgainAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{list: []string{notFound, longSchema}}
		_, tr, _ := bubbled(t, a)
		for range 3 {
			_, err := run(t, tr, framed(1, 4))
			wantReject(t, err, "registry_schema_unknown")
		}
		if a.asked != 1 {
			t.Errorf("asked %d times within the minute", a.asked)
		}
		time.Sleep(time.Minute + time.Second)
		rec, err := run(t, tr, framed(1, 4))
		if err != nil || string(rec.Value) != "2" {
			t.Errorf("got %q, %v", rec.Value, err)
		}
		time.Sleep(1000 * time.Hour)
		if _, err := run(t, tr, framed(1, 4)); err != nil || a.asked != 2 {
			t.Errorf("%v, asked %d times", err, a.asked)
		}
	})
}

func TestAnAnswerTooLongIsRefusedAndNotReadToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, tr, _ := bubbled(t, &answers{list: []string{`{"schema":"` + strings.Repeat("x", 5<<20)}})
		_, err := run(t, tr, framed(1, 4))
		wantReject(t, err, "registry_schema_refused", "longer than")
	})
}

func TestACircleOfReferencesEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, tr, _ := bubbled(t, &answers{list: []string{`{"schema":"\"long\"","references":[{"name":"a","subject":"a","version":1}]}`}})
		rec, err := run(t, tr, framed(1, 4))
		if err != nil || string(rec.Value) != "2" {
			t.Errorf("got %q, %v", rec.Value, err)
		}
		var list []string
		for i := range 300 { // A chain that never ends.
			list = append(list, fmt.Sprintf(`{"schema":"\"long\"","references":[{"name":"a","subject":"a","version":%d}]}`, i))
		}
		_, tr, _ = bubbled(t, &answers{list: list})
		_, err = run(t, tr, framed(1, 4))
		wantReject(t, err, "registry_schema_refused", "more than 256")
	})
}
