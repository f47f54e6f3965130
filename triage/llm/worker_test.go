package llm_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/llm"
)

// shelf is a Shelf that tells when something is kept.
type shelf struct {
	mu   sync.Mutex
	docs map[string][]byte
	kept chan string
}

func (s *shelf) Keep(_ context.Context, id string, body []byte) error {
	s.mu.Lock()
	s.docs[id] = body
	s.mu.Unlock()
	s.kept <- id
	return nil
}

func (s *shelf) Kept(context.Context) (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.docs, nil
}

// clock is a clock that jumps past every debounce each time it is read, and by no more: while a test waits the worker reads it a thousand times a
// second, and the budget's day must not end.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(2 * time.Second)
	return c.at
}

func worker(t *testing.T, c triage.ModelConfig, keep llm.Shelf) *llm.Worker {
	t.Helper()
	c.Debounce = time.Second
	ticking := &clock{at: time.UnixMicro(night)}
	w, err := llm.New(c, llm.Settings{Now: ticking.now, Log: slog.New(slog.DiscardHandler), Shelf: keep})
	if err != nil {
		t.Fatal(err)
	}
	w.Hurry()
	return w
}

func run(t *testing.T, w *llm.Worker) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run ended with %v", err)
		}
	})
}

func change(in *incident.Incident) []incident.Change {
	return []incident.Change{{Kind: incident.ChangeUpdated, Incident: in}}
}

func TestAChangedIncidentGetsASummaryThatIsKept(t *testing.T) {
	s := serve(t, completion(good().String(), "stop"))
	keep := &shelf{docs: map[string][]byte{}, kept: make(chan string, 9)}
	w := worker(t, s.config(), keep)
	in := (&plant{}).incident(t)
	if got := w.Summary(in.ID, 1); got.State != triage.SummaryOff || got.Note == "" {
		t.Errorf("before anything: %+v", got)
	}
	w.Publish(change(in))
	run(t, w)
	if id := <-keep.kept; id != event.FormatID(event.IncidentPrefix, in.ID) {
		t.Errorf("kept as %s", id)
	}
	got := w.Summary(in.ID, in.Revision)
	if got.State != triage.SummaryReady || got.Overlay == nil || got.Overlay.Incident != in.ID || got.Overlay.Rules != triage.Intrusion || got.Note != "" {
		t.Errorf("%+v", got)
	}
	if later := w.Summary(in.ID, in.Revision+2); later.Note == "" {
		t.Error("an older revision's summary does not say so")
	}
	twin := *in // the same evidence in another incident asks nothing
	twin.ID = event.NewID("twin")
	w.Publish(change(&twin))
	other := *(&plant{}).incident(t)
	other.ID, other.Findings = event.NewID("other"), other.Findings[:2]
	w.Publish(change(&other))
	answered := func(id event.ID) bool {
		state := w.Summary(id, 1).State // looked at once: it goes from off to waiting meanwhile
		return state != triage.SummaryOff && state != triage.SummaryWaiting
	}
	for !answered(twin.ID) || !answered(other.ID) {
		select {
		case <-keep.kept:
		default:
			runtime.Gosched()
		}
	}
	if got := w.Summary(twin.ID, 1); got.State != triage.SummaryReady {
		t.Errorf("the twin's summary: %+v", got)
	}
	if s.questions() != 2 {
		t.Errorf("%d questions for three incidents, two of which are the same", s.questions())
	}
	if st := w.Status(); st.Spent != 2400 || st.Mode != "json_schema" || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
	again := worker(t, s.config(), keep)
	run(t, again)
	for again.Summary(in.ID, in.Revision).State != triage.SummaryReady {
		runtime.Gosched()
	}
}

func TestAFailingModelLeavesANoteAndTheBudgetEndsQuestions(t *testing.T) {
	s := serve(t, completion("I will not.", "stop"))
	c := s.config()
	c.DailyTokens = 1000
	w := worker(t, c, nil)
	a, b := (&plant{}).incident(t), *(&plant{}).incident(t)
	b.ID, b.Findings = event.NewID("other"), b.Findings[:2]
	w.Publish(change(a))
	run(t, w)
	wait := func(id event.ID) triage.Summary {
		for {
			if got := w.Summary(id, 1); got.State == triage.SummaryFallback {
				return got
			}
			runtime.Gosched()
		}
	}
	if got := wait(a.ID); got.Overlay != nil || got.Note == "" {
		t.Errorf("%+v", got)
	}
	w.Publish(change(&b))
	if got := wait(b.ID); got.Note != llm.FailBudget.Note("") {
		t.Errorf("%+v", got)
	}
	if s.questions() != 1 {
		t.Errorf("%d questions", s.questions())
	}
}

func TestThatASummaryIsReadyIsToldBeforeItIsKept(t *testing.T) {
	s := serve(t, completion(good().String(), "stop"))
	keep := &shelf{docs: map[string][]byte{}, kept: make(chan string, 9)}
	in := (&plant{}).incident(t)
	var told []incident.ModelSummary
	c := s.config()
	c.Debounce = time.Second
	ticking := &clock{at: time.UnixMicro(night)}
	w, err := llm.New(c, llm.Settings{Now: ticking.now, Log: slog.New(slog.DiscardHandler), Shelf: keep, Ready: func(_ context.Context, o *triage.Overlay) (*incident.Incident, error) {
		keep.mu.Lock()
		defer keep.mu.Unlock()
		if len(keep.docs) != 0 {
			t.Error("it was kept before it was told")
		}
		m := o.Summary()
		told = append(told, m)
		after := *in
		after.Revision, after.Summary, after.Summaries = in.Revision+1, &m, []int32{in.Revision + 1}
		return &after, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.Hurry()
	w.Publish(change(in))
	run(t, w)
	<-keep.kept
	keep.mu.Lock()
	defer keep.mu.Unlock()
	if len(told) != 1 || told[0].Of != in.Revision || told[0].Text == "" || len(told[0].Refs) == 0 {
		t.Fatalf("told %+v", told)
	}
	if got := w.Summary(in.ID, in.Revision+1); got.Note != "" {
		t.Errorf("a revision that only says that the summary is ready makes it old: %s", got.Note)
	}
	if got := w.Summary(in.ID, in.Revision+2); got.Note == "" {
		t.Error("a later revision does not")
	}
}
