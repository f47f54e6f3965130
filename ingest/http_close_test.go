package ingest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/ingest/format"
)

// Whatever ends a request before its records are durable, the answer is not 200.
func TestAPostThatIsNotDurableIsNeverAnswered200(t *testing.T) {
	f, _ := format.ByName("okta")
	source := func() *HTTP { return NewHTTP("push", f, "", time.UTC, func() int64 { return 1 }) }
	post := func(ctx context.Context, s *HTTP) int {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/ingest/push", strings.NewReader("{\"a\":1}\n")))
		return w.Code
	}
	closed := source()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if code := post(t.Context(), closed); code != http.StatusServiceUnavailable {
		t.Errorf("after Close a post gets %d, want 503 at once", code)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if code := post(gone, source()); code != http.StatusServiceUnavailable {
		t.Errorf("a request that was given up while it waited gets %d, want 503", code)
	}

	fetched := source()
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() { code <- post(ctx, fetched) }()
	records, err := fetched.Fetch(t.Context(), nil, 10, time.Minute)
	if err != nil || len(records) != 1 {
		t.Fatalf("fetched %d records, %v", len(records), err)
	}
	cancel()
	if got := <-code; got != http.StatusServiceUnavailable {
		t.Errorf("a request that was given up before its records were durable gets %d, want 503", got)
	}

	again := source()
	go func() { code <- post(t.Context(), again) }()
	second, err := again.Fetch(t.Context(), nil, 10, time.Minute)
	if err != nil || len(second) != 1 || second[0].Basis != records[0].Basis || second[0].Position != records[0].Position {
		t.Errorf("the same body again has id and place %v %v, had %v %v (%v)", second[0].Basis, second[0].Position, records[0].Basis, records[0].Position, err)
	}
	if err := again.Commit(t.Context(), again.Ends()); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != http.StatusOK {
		t.Errorf("durable records get %d, want 200", got)
	}
}
