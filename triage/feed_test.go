package triage_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// recorded is a reader in memory.
type recorded struct {
	mu      sync.Mutex
	changes []incident.Change
	broken  bool
	during  func() // called before each read
}

func (r *recorded) Changes(_ context.Context, after triage.Sequence, limit int) ([]incident.Change, error) {
	if r.during != nil {
		r.during()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken {
		return nil, errors.New("away")
	}
	var out []incident.Change
	for i := range r.changes {
		if after.Less(triage.SequenceOf(&r.changes[i])) && len(out) < limit {
			out = append(out, r.changes[i])
		}
	}
	return out, nil
}

// add records n more changes, two to a batch, and gives them.
func (r *recorded) add(n int) []incident.Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	from := len(r.changes)
	for i := from; i < from+n; i++ {
		c := revision(i, 1, incident.ChangeOpened)
		c.Batch, c.Index = event.BatchID{Epoch: uint64(1 + i/100), Number: uint64(i/2 + 1)}, i%2
		r.changes = append(r.changes, c)
	}
	return r.changes[from:]
}

func server(t *testing.T, f *triage.Feed) string {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/stream", func(w http.ResponseWriter, r *http.Request) { f.ServeStream(w, r, nil) })
	mux.HandleFunc("GET /api/v1/changes.ndjson", func(w http.ResponseWriter, r *http.Request) { f.ServeChanges(w, r, nil) })
	s := httptest.NewServer(mux)
	t.Cleanup(func() { f.Close(); s.Close() })
	return s.URL
}

// sse is one parsed server-sent event.
type sse struct{ id, event, data string }

// open connects to a stream; next gives one event after the other.
func open(t *testing.T, url, lastID string) (next func() (sse, error), leave func()) {
	t.Helper()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/stream", nil)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%v, %v", err, resp)
	}
	in := bufio.NewReader(resp.Body)
	return func() (sse, error) {
		var e sse
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return e, err
			}
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch {
			case name == "id":
				e.id = value
			case name == "event":
				e.event = value
			case name == "data":
				e.data = value
			case name == "" && e.data != "":
				return e, nil
			}
		}
	}, func() { resp.Body.Close() }
}

func TestAStreamThatReconnectsMissesNothingAndGetsNothingTwice(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 6))
	store := &recorded{}
	f := triage.NewFeed("urn:tocsin:test", "", store)
	url := server(t, f)
	store.add(3)
	last, seen := (triage.Sequence{}).String(), 0
	for range 20 {
		next, leave := open(t, url, last)
		want := len(store.changes)
		for range r.IntN(4) {
			more := store.add(1 + r.IntN(5))
			f.Publish(more)
			want += len(more)
		}
		if r.IntN(3) == 0 {
			want = seen + r.IntN(want-seen+1) // leave in the middle
		}
		for ; seen < want; seen++ {
			e, err := next()
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if at := triage.SequenceOf(&store.changes[seen]).String(); e.id != at || e.event != "incident.opened" {
				t.Fatalf("seed %d: got %s %s, want %s", seed, e.id, e.event, at)
			}
			if !json.Valid([]byte(e.data)) {
				t.Fatalf("seed %d: data is no JSON: %s", seed, e.data)
			}
			last = e.id
		}
		leave()
	}
}

func TestWhatIsPublishedWhileAStreamCatchesUpComesOnce(t *testing.T) {
	store := &recorded{}
	f := triage.NewFeed("urn:tocsin:test", "", store)
	url := server(t, f)
	store.add(2)
	once := sync.OnceFunc(func() { f.Publish(store.add(3)) })
	store.during = once
	next, leave := open(t, url, triage.Sequence{}.String())
	defer leave()
	for i := range 6 {
		e, err := next()
		if err != nil {
			t.Fatal(err)
		}
		if i == 4 {
			f.Publish(store.add(1)) // so that there is a sixth to wait for
		}
		if at := triage.SequenceOf(&store.changes[i]).String(); e.id != at {
			t.Fatalf("event %d is %s, want %s", i, e.id, at)
		}
	}
}

func TestAClientThatDoesNotReadIsToldToResync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &recorded{}
		f := triage.NewFeed("urn:tocsin:test", "", store)
		w := &pipe{gate: make(chan struct{}), header: http.Header{}}
		done := make(chan struct{})
		go func() {
			defer close(done)
			f.ServeStream(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/stream", nil), nil)
		}()
		w.gate <- struct{}{} // its head is read, and then nothing more
		synctest.Wait()
		f.Publish(store.add(300))
		close(w.gate)
		<-done
		text := w.text.String()
		if !strings.HasSuffix(text, "event: resync\ndata: {}\n\n") || strings.Count(text, "id: ") > 260 {
			t.Errorf("%d events, ending %q", strings.Count(text, "id: "), text[max(0, len(text)-60):])
		}
	})
}

// pipe is a writer whose every write waits for the gate.
type pipe struct {
	gate   chan struct{}
	header http.Header
	text   strings.Builder
}

func (p *pipe) Header() http.Header { return p.header }
func (p *pipe) WriteHeader(int)     {}
func (p *pipe) Flush()              {}
func (p *pipe) Write(b []byte) (int, error) {
	<-p.gate
	return p.text.Write(b)
}

func TestASilentStreamIsKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := triage.NewFeed("urn:tocsin:test", "", &recorded{})
		w := &pipe{gate: make(chan struct{}), header: http.Header{}}
		close(w.gate)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		f.ServeStream(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/stream", nil), nil)
		if n := strings.Count(w.text.String(), ": still here\n\n"); n != 6 {
			t.Errorf("%d heartbeats in 100 s, want 6", n)
		}
	})
}

func TestStreamsAreBoundedAndEndWhenTheFeedCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := triage.NewFeed("urn:tocsin:test", "", &recorded{})
		var all sync.WaitGroup
		for range 256 {
			all.Go(func() {
				w := &pipe{gate: make(chan struct{}), header: http.Header{}}
				close(w.gate)
				f.ServeStream(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/stream", nil), nil)
			})
		}
		synctest.Wait()
		w := httptest.NewRecorder()
		f.ServeStream(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/stream", nil), nil)
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("the 257th stream got %d", w.Code)
		}
		f.Close()
		all.Wait()
	})
}

func TestChangesComeAsNDJSONPageByPage(t *testing.T) {
	store := &recorded{}
	store.add(1203)
	for i := range store.changes {
		if i%3 > 0 {
			store.changes[i].Incident.Severity = incident.Low
		}
	}
	url := server(t, triage.NewFeed("urn:tocsin:test", "https://c.example", store))
	read := func(query string) (out []string, status int) {
		resp, err := http.Get(url + "/api/v1/changes.ndjson" + query)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		for line := range strings.Lines(string(b)) {
			var e struct{ Sequence string }
			_ = json.Unmarshal([]byte(line), &e)
			out = append(out, e.Sequence)
		}
		return out, resp.StatusCode
	}
	since, total := "", 0
	for {
		page, status := read("?min_severity=high&limit=100&since=" + since)
		if status != 200 {
			t.Fatal(status)
		}
		if len(page) == 0 {
			break
		}
		total += len(page)
		since = page[len(page)-1]
	}
	if total != 401 {
		t.Errorf("read %d changes, want 401", total)
	}
	for _, bad := range []string{"?since=1", "?limit=0", "?limit=x", "?min_severity=worst", "?since=" + strings.Repeat("9", 34)} {
		if _, status := read(bad); status != 400 {
			t.Errorf("%s: %d", bad, status)
		}
	}
	store.broken = true
	if _, status := read(""); status != 503 {
		t.Errorf("a store that is away: %d", status)
	}
}

func TestSequencesReadBackAndSortAsText(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 8))
	var before triage.Sequence
	for range 1000 {
		s := triage.Sequence{Batch: event.BatchID{Epoch: r.Uint64N(1e4), Number: r.Uint64N(1e6)}, Index: r.IntN(1000)}
		back, err := triage.ParseSequence(s.String())
		if err != nil || back != s {
			t.Fatalf("seed %d: %v read back as %v, %v", seed, s, back, err)
		}
		if s.Less(before) != (s.String() < before.String()) {
			t.Fatalf("seed %d: %s and %s sort otherwise as texts", seed, s, before)
		}
		before = s
	}
	for _, bad := range []string{"", "1-2-3", fmt.Sprint(before, " "), strings.Replace(before.String(), "-", "+", 1)} {
		if _, err := triage.ParseSequence(bad); err == nil {
			t.Errorf("%q was read as a sequence", bad)
		}
	}
}

func FuzzParseSequenceReadsOnlyWhatStringWrites(f *testing.F) {
	f.Add((triage.Sequence{Batch: event.BatchID{Epoch: 3, Number: 99}, Index: 7}).String())
	f.Add("0000000001-0000000000000002-00000x")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := triage.ParseSequence(text); err == nil && s.String() != text {
			t.Errorf("%q was read as %s", text, s)
		}
	})
}
