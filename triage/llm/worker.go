package llm

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// Shelf keeps overlays beyond the life of the process. They are no part of the log.
type Shelf interface {
	// Keep stores the overlay of an incident in place of the one before.
	Keep(ctx context.Context, id string, body []byte) error
	// Kept lists what is stored, by id.
	Kept(ctx context.Context) (map[string][]byte, error)
}

// Settings is what the code around a worker gives it.
type Settings struct {
	Now     func() time.Time
	Log     *slog.Logger
	Metrics *Metrics // nil counts nothing
	Shelf   Shelf    // nil: overlays live as long as the process

	// Ready records that an overlay is ready, and gives the incident as it is then; nil where that says nothing new. It is called before the overlay is
	// kept, so that what is kept has been told, and tries until it can or ctx ends. nil: nobody is told.
	Ready func(ctx context.Context, o *triage.Overlay) (*incident.Incident, error)
}

const (
	maxSummaries = 5000 // incidents whose summary is held
	maxCached    = 512  // answers held by what was asked
)

// Worker keeps model summaries of incidents up to date: it is told of changes, asks when an incident has settled, and holds what came out. All
// methods are safe for concurrent use.
type Worker struct {
	cfg   triage.ModelConfig
	s     Settings
	model *Model
	wake  chan struct{}
	doze  time.Duration // the longest wait between two looks

	mu        sync.Mutex
	news      map[event.ID]*incident.Incident // published and not yet planned
	plan      *plan
	summaries map[event.ID]*held
	cache     map[string]*flight
	order     []string // keys of cache, the oldest first
	lastError string
}

// held is the summary of an incident.
type held struct {
	summary  triage.Summary
	revision int32
	used     time.Time
}

// flight is one question, asked once however many want its answer.
type flight struct {
	done chan struct{}
	out  Outcome
}

// New makes a worker. Nothing is asked before Run.
func New(cfg triage.ModelConfig, s Settings) (*Worker, error) {
	m, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	return &Worker{
		cfg: cfg, s: s, model: m, wake: make(chan struct{}, 1), doze: time.Hour, plan: newPlan(cfg.Debounce, cfg.PerHour, cfg.DailyTokens, incident.SeverityOf(cfg.MinSeverity)),
		summaries: map[event.ID]*held{}, cache: map[string]*flight{}, news: map[event.ID]*incident.Incident{},
	}, nil
}

// Publish tells the worker of changes. It never blocks, and does no more than take note, since the pipeline calls it; past a bound of incidents it
// forgets, and the next change of such an incident brings it back.
func (w *Worker) Publish(changes []incident.Change) {
	w.mu.Lock()
	for i := range changes {
		in := changes[i].Incident
		if _, met := w.news[in.ID]; met || len(w.news) < maxWaiting {
			w.news[in.ID] = in
		}
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take plans what was published.
func (w *Worker) take(now time.Time) {
	w.mu.Lock()
	news := w.news
	w.news = map[event.ID]*incident.Incident{}
	w.mu.Unlock()
	for _, in := range news {
		w.mu.Lock()
		if w.plan.note(in, now) {
			h := w.hold(in.ID, now)
			if h.summary.State != triage.SummaryReady {
				h.summary.State, h.summary.Note = triage.SummaryWaiting, "A model's summary will follow; this is the deterministic one."
			}
		}
		w.mu.Unlock()
	}
}

// Run asks until ctx ends, one question at a time, and gives ctx's error.
func (w *Worker) Run(ctx context.Context) error {
	w.recall(ctx)
	for {
		now := w.s.Now()
		w.take(now)
		w.mu.Lock()
		in, pause := w.plan.next(now)
		broke := in != nil && w.plan.left(now) == 0
		w.mu.Unlock()
		if in == nil {
			if err := w.rest(ctx, pause); err != nil {
				return err
			}
			continue
		}
		if broke {
			w.settle(in, Outcome{Failure: FailBudget, Detail: "the day's tokens are used up"})
			continue
		}
		if err := w.one(ctx, in); err != nil {
			return err
		}
	}
}

func (w *Worker) rest(ctx context.Context, pause time.Duration) error {
	t := time.NewTimer(min(pause, w.doze))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.wake:
	case <-t.C:
	}
	return nil
}

// one asks about an incident, unless the same was asked before.
func (w *Worker) one(ctx context.Context, in *incident.Incident) error {
	key := w.model.Key(w.model.Pack(in))
	w.mu.Lock()
	f := w.cache[key]
	mine := f == nil
	if mine {
		f = &flight{done: make(chan struct{})}
		w.cache[key] = f
	}
	w.mu.Unlock()
	if !mine {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.done:
		}
		out := f.out
		if out.Overlay != nil { // the same evidence: another revision, or another incident
			o := *out.Overlay
			o.Incident, o.Revision = in.ID, in.Revision
			out.Overlay = &o
		}
		out.Usage = Usage{}
		w.s.Metrics.answered("cached", out)
		w.settle(in, out)
		return w.tell(ctx, in.ID)
	}
	out, err := w.model.Ask(ctx, in)
	f.out = out
	close(f.done)
	w.landed(key, out, err)
	if err != nil {
		return err
	}
	w.count(out)
	w.settle(in, out)
	if err := w.tell(ctx, in.ID); err != nil {
		return err
	}
	w.keep(ctx, in.ID)
	return nil
}

// tell records that the summary of an incident is ready. Its error is ctx's.
func (w *Worker) tell(ctx context.Context, id event.ID) error {
	w.mu.Lock()
	var o *triage.Overlay
	if h := w.summaries[id]; h != nil {
		o = h.summary.Overlay
	}
	w.mu.Unlock()
	if w.s.Ready == nil || o == nil {
		return nil
	}
	after, err := w.s.Ready(ctx, o)
	if err != nil || after == nil || after.Stale(o.Revision, false) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := w.summaries[id]; h != nil && h.summary.Overlay == o {
		told := *o
		told.Told = after.Revision
		h.summary.Overlay = &told
	}
	return nil
}

// landed keeps an answer that may serve again, and forgets failures, which may not happen again.
func (w *Worker) landed(key string, out Outcome, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || out.Failure != "" && out.Failure != FailUnproven && out.Failure != FailRefusal {
		delete(w.cache, key)
		return
	}
	w.order = append(w.order, key)
	if len(w.order) > maxCached {
		delete(w.cache, w.order[0])
		w.order = w.order[1:]
	}
}

// count books tokens and failures.
func (w *Worker) count(out Outcome) {
	now := w.s.Now()
	w.mu.Lock()
	w.plan.spend(out.Usage.Input+out.Usage.Output, now)
	opened := w.plan.ended(out.Failure, out.Wait, now)
	w.lastError = out.Detail
	left := w.plan.left(now)
	w.mu.Unlock()
	outcome := string(out.Failure)
	if outcome == "" {
		outcome = "shown"
	}
	w.s.Metrics.answered(outcome, out)
	w.s.Metrics.budget(left)
	switch {
	case opened:
		w.s.Log.Warn("the model failed several times in a row and rests", "failures", breakAfter, "err", out.Detail)
	case out.Failure != "":
		w.s.Log.Info("no model summary", "reason", string(out.Failure), "detail", out.Detail)
	}
}

// settle makes an outcome the summary of an incident.
func (w *Worker) settle(in *incident.Incident, out Outcome) {
	now := w.s.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hold(in.ID, now)
	h.revision = in.Revision
	if out.Overlay == nil {
		h.summary = triage.Summary{State: triage.SummaryFallback, Note: out.Failure.Note(out.Detail)}
		return
	}
	o := *out.Overlay
	o.At = now.UnixMicro()
	h.summary = triage.Summary{State: triage.SummaryReady, Overlay: &o}
}

// hold is the place of an incident's summary; w.mu is held.
func (w *Worker) hold(id event.ID, now time.Time) *held {
	h := w.summaries[id]
	if h == nil {
		if len(w.summaries) >= maxSummaries {
			var oldest event.ID
			var at time.Time
			for id, x := range w.summaries {
				if at.IsZero() || x.used.Before(at) {
					oldest, at = id, x.used
				}
			}
			delete(w.summaries, oldest)
		}
		h = &held{}
		w.summaries[id] = h
	}
	h.used = now
	return h
}

// Summary is what is to be shown of an incident's model summary, as of the given revision.
func (w *Worker) Summary(id event.ID, revision int32) triage.Summary {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.summaries[id]
	if h == nil {
		return triage.Summary{State: triage.SummaryOff, Note: "No model was asked about this incident; this is the deterministic summary."}
	}
	s := h.summary
	if s.Overlay != nil && max(s.Overlay.Revision, s.Overlay.Told) < revision {
		s.Note = fmt.Sprintf("The model's words are about revision %d of %d.", s.Overlay.Revision, revision)
	}
	return s
}

// keep puts an incident's overlay on the shelf. What cannot be kept is asked for again after a restart.
func (w *Worker) keep(ctx context.Context, id event.ID) {
	w.mu.Lock()
	h := w.summaries[id]
	w.mu.Unlock()
	if w.s.Shelf == nil || h == nil || h.summary.Overlay == nil {
		return
	}
	body, err := json.Marshal(h.summary.Overlay)
	if err == nil {
		err = w.s.Shelf.Keep(ctx, event.FormatID(event.IncidentPrefix, id), body)
	}
	if err != nil && ctx.Err() == nil {
		w.s.Log.Warn("a model summary could not be kept", "incident", event.FormatID(event.IncidentPrefix, id), "err", err)
	}
}

// recall takes what is on the shelf.
func (w *Worker) recall(ctx context.Context) {
	if w.s.Shelf == nil {
		return
	}
	kept, err := w.s.Shelf.Kept(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.s.Log.Warn("kept model summaries could not be read", "err", err)
		}
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, body := range kept {
		o := new(triage.Overlay)
		if json.Unmarshal(body, o) != nil || o.Incident.IsZero() || o.Model != w.cfg.Model {
			continue
		}
		if h := w.hold(o.Incident, time.UnixMicro(o.At)); h.summary.Overlay == nil {
			h.summary, h.revision = triage.Summary{State: triage.SummaryReady, Overlay: o}, o.Revision
		}
	}
}

// Status is how the model does, for the health page.
type Status struct {
	Model    string
	Mode     string // How the server is asked to keep to the schema.
	Waiting  int    // Incidents that wait to be asked about.
	Spent    int    // Tokens of this UTC day.
	Daily    int    // The most of a day.
	Failures int    // In a row.
	Resting  bool   // The circuit breaker is open.
	Error    string // Of the last question; "" if it went well.
}

// Status tells how the model does.
func (w *Worker) Status() Status {
	now := w.s.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plan.left(now)
	return Status{
		Model: w.cfg.Model, Mode: mode(w.model.client.rung.Load()).String(), Waiting: len(w.plan.waiting), Spent: w.plan.spent, Daily: w.plan.daily,
		Failures: w.plan.failures, Resting: now.Before(w.plan.rest), Error: w.lastError,
	}
}
