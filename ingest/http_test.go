package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
)

func TestAPostIsAnsweredOnlyOnceItIsDurable(t *testing.T) {
	s := ingest.NewHTTP("hook", lines, "", nil, clock)
	server := httptest.NewServer(s)
	defer server.Close()
	answered := make(chan int, 1)
	go func() {
		resp, err := http.Post(server.URL, "text/plain", strings.NewReader("a\nb\na\n"))
		if err != nil {
			answered <- 0
			return
		}
		_ = resp.Body.Close()
		answered <- resp.StatusCode
	}()
	var records []event.Record
	for len(records) < 3 {
		more, err := s.Fetch(context.Background(), nil, 2, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, more...)
		if len(records) < 3 {
			if err := s.Commit(context.Background(), s.Ends()); err != nil {
				t.Fatal(err)
			}
			select {
			case status := <-answered:
				t.Fatalf("answered %d after %d of 3 records", status, len(records))
			default:
			}
		}
	}
	if records[0].Basis == records[2].Basis {
		t.Error("two equal lines of one body have the same basis")
	}
	if err := s.Commit(context.Background(), s.Ends()); err != nil {
		t.Fatal(err)
	}
	if status := <-answered; status != http.StatusOK {
		t.Errorf("status %d", status)
	}
}

func TestARetriedBodyGivesTheSameBasisAgain(t *testing.T) {
	post := func() []event.Record {
		s := ingest.NewHTTP("hook", lines, "", nil, clock)
		var wg sync.WaitGroup
		wg.Go(func() {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("a\na\n"))
			r.Header.Set("Idempotency-Key", "k1")
			s.ServeHTTP(httptest.NewRecorder(), r)
		})
		records, err := s.Fetch(context.Background(), nil, 10, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
		wg.Wait()
		return records
	}
	first, second := post(), post()
	if len(first) != 2 || first[0].Basis != second[0].Basis || first[1].Basis != second[1].Basis || first[0].Basis == first[1].Basis {
		t.Errorf("bases differ: %v, %v", first, second)
	}
}

func TestBadRequestsSayWhatIsWrong(t *testing.T) {
	s := ingest.NewHTTP("hook", lines, "", nil, clock)
	f := func(r *http.Request, status int, says string) {
		t.Helper()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != status || !strings.Contains(w.Body.String(), says) {
			t.Errorf("got %d %s, want %d with %q", w.Code, w.Body, status, says)
		}
	}
	f(httptest.NewRequest(http.MethodGet, "/", nil), http.StatusMethodNotAllowed, "POST")
	f(httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(make([]byte, ingest.MaxBody+1))), http.StatusRequestEntityTooLarge, "large")
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("not gzip"))
	r.Header.Set("Content-Encoding", "gzip")
	f(r, http.StatusBadRequest, "not gzip")
	r = httptest.NewRequest(http.MethodPost, "/", strings.NewReader("x"))
	r.Header.Set("Content-Encoding", "br")
	f(r, http.StatusBadRequest, "use gzip")
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, ingest.MaxBody+1))
	_ = z.Close()
	r = httptest.NewRequest(http.MethodPost, "/", &bomb)
	r.Header.Set("Content-Encoding", "gzip")
	f(r, http.StatusRequestEntityTooLarge, "send it in parts")
	f(httptest.NewRequest(http.MethodPost, "/", strings.NewReader("\n\n")), http.StatusOK, `"records":0`)
}
