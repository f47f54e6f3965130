package store_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

// spoiler passes requests on to an engine, and changes them while it is told to, so that the engine itself refuses them.
type spoiler struct {
	*httptest.Server
	mu    sync.Mutex
	spoil func(r *http.Request)
}

func newSpoiler(t *testing.T, to string) *spoiler {
	t.Helper()
	s := &spoiler{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: to})
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.spoil != nil {
			s.spoil(r.Out)
		}
	}}
	s.Server = httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s
}

func (s *spoiler) set(spoil func(r *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoil = spoil
}

func readOnly(r *http.Request) {
	q := r.URL.Query()
	q.Set("readonly", "1")
	r.URL.RawQuery = q.Encode()
}

func wrongPassword(r *http.Request) {
	q := r.URL.Query()
	if q.Has("password") {
		q.Set("password", "wrong")
		r.URL.RawQuery = q.Encode()
	}
	if user, _, ok := r.BasicAuth(); ok {
		r.SetBasicAuth(user, "wrong")
	}
	if r.Header.Get("X-ClickHouse-Key") != "" {
		r.Header.Set("X-ClickHouse-Key", "wrong")
	}
}

func TestAServerThatRefusesForAWhileIsWaitedForAndLosesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(r *http.Request)
		code  int32
	}{"read-only": {readOnly, 164}, "password": {wrongPassword, 516}} {
		t.Run(name, func(t *testing.T) {
			cfg := freshConfig(t)
			s := newSpoiler(t, cfg.Addr[0])
			cfg.Addr = []string{s.Listener.Addr().String()}
			db := open(t, cfg)
			first, second := entry(1, 1, 0, 20), entry(1, 2, 20, 20)
			must(t, appendTo(t.Context(), db, first))
			s.set(tc.spoil)
			done := make(chan error, 1)
			go func() { done <- appendTo(t.Context(), db, second) }()
			var fault error
			for fault = db.Health(); fault == nil; fault = db.Health() {
				select {
				case err := <-done:
					t.Fatalf("the append ended while the server refused: %v", err)
				default:
				}
			}
			if e, ok := errors.AsType[*clickhouse.Exception](fault); !ok || e.Code != tc.code || !strings.Contains(fault.Error(), "append batch 1/2 fails since") {
				t.Errorf("health says %v, want code %d of the append", fault, tc.code)
			}
			s.set(nil)
			must(t, <-done)
			if err := db.Health(); err != nil {
				t.Errorf("health afterwards: %v", err)
			}
			want := []*incident.Entry{forReplay(first), forReplay(second)}
			if diff := cmp.Diff(want, replay(t, db, event.BatchID{}), zones); diff != "" {
				t.Errorf("replay (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWrongPasswordAtTheStartIsAnErrorAtOnce(t *testing.T) {
	cfg := freshConfig(t)
	cfg.Password = "wrong"
	_, err := store.Open(t.Context(), cfg, store.Settings{})
	if e, ok := errors.AsType[*clickhouse.Exception](err); !ok || e.Code != 516 {
		t.Errorf("got %v, want authentication to have failed", err)
	}
	cfg = freshConfig(t)
	s := newSpoiler(t, cfg.Addr[0])
	cfg.Addr = []string{s.Listener.Addr().String()}
	db := open(t, cfg)
	s.set(wrongPassword)
	if err := appendTo(t.Context(), db, entry(1, 1, 0, 5)); err == nil {
		t.Error("the first append is not refused")
	}
}
