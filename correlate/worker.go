package correlate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// Log is the durable ordered sequence of batches. Append returns once the entry and its marker are on the disk; it retries transient failures
// for as long as ctx lives. It calls settled once, before the marker, and its error ends the append: what has to be on the disk before the batch exists
// may be written beside the batch's rows. follows waits until it is known what follows from the batch; a log may call it, once, and write that with the batch
// as one: recorded says so.
type Log interface {
	Append(ctx context.Context, e *incident.Entry, settled func() error, follows func() incident.Outcome) (recorded bool, err error)
	Replay(ctx context.Context, after event.BatchID) iter.Seq2[*incident.Entry, error]
	Tail(ctx context.Context) (incident.Tail, error)
	// Claim makes an epoch this process' own: the log ends for good where Tail said, and batches of older epochs behind that never count.
	Claim(ctx context.Context, epoch uint64) error
}

// Records keeps what followed from a batch. Recording the same again changes nothing.
type Records interface {
	Record(ctx context.Context, batch event.BatchID, findings []incident.Finding, changes []incident.Change) error
}

// Checkpoints keeps the newest few checkpoints. Latest gives the newest that reads back whole, or a zero Checkpoint.
type Checkpoints interface {
	Save(ctx context.Context, c incident.Checkpoint) error
	Latest(ctx context.Context) (incident.Checkpoint, error)
}

// Stitcher is the fold behind the engine: findings and notes to changes, analysts' actions to changes.
type Stitcher interface {
	Apply(findings []incident.Finding, notes []event.Note, batch event.BatchID, now int64) []incident.Change
	Act(a incident.Action, batch event.BatchID) ([]incident.Change, error)
	Snapshot(b []byte) ([]byte, error)
	Restore(b []byte) error
}

// State is further state that belongs to a checkpoint, such as the bindings that enrichment learned. Relearn adds what a batch of the log taught.
type State interface {
	AppendState(b []byte) []byte
	ReadState(b []byte) error
	Relearn(learned []byte) error
}

// WorkerSettings is what a worker is made of.
type WorkerSettings struct {
	Engine      *Engine
	Stitcher    Stitcher
	State       State // nil: none
	Log         Log
	Records     Records
	Checkpoints Checkpoints
	Tables      func() string                                         // Version of the tables that match now.
	Rules       func() *rules.Set                                     // In force now, asked between batches: another set is swapped in. nil: the engine's own for good.
	Swapped     func(Report)                                          // Told of each swap; nil: nobody.
	RulesText   func(*rules.Set) []byte                               // What a set can be read from again, to be kept in checkpoints; nil: nothing is.
	RulesOf     func([]byte) (*rules.Set, error)                      // Reads a set from it.
	Every       int64                                                 // Microseconds of our clock between checkpoints.
	Published   func([]incident.Change)                               // Told of recorded changes, in order, beside the next Handle; nil: nobody.
	Warm        func(context.Context) error                           // Fills rules that the restored state does not know, before later hits are folded; nil: they start empty.
	Folded      func(batch *event.Batch, hits, findings, changes int) // Told of each batch before it is written.
	Slog        *slog.Logger
}

// Worker is the delivery guarantee: every accepted record is in the log once; every published change follows from the log; after any crash,
// both are true again before the first new event is read. A batch gets its marker only after what follows from its predecessor has been recorded:
// logs rely on it to tell what may be missing. Recover is called once, before Handle; Handle and Start by one goroutine; Act by any.
type Worker struct {
	set       WorkerSettings
	id        event.BatchID
	ends      map[endKey]int64        // everything before is in the log
	carried   map[event.Position]bool // but these, which wait for the rest of their message
	rules     *rules.Set              // Of the engine.
	force     *rules.Set              // In force when the process began.
	whole     bool                    // There is a checkpoint from which the log can be folded by the rules that it was made by.
	tail      incident.Tail           // of the last batch handled: marks, ends and carry
	ahead     atomic.Int32            // How many batches the state is ahead of the log: those under way, and one that could not be written.
	log       *appending              // Of the last batch started; nil: there was none.
	recording *recording              // Of the last batch written; nil: there was none.
	saved     int64                   // our clock at the last checkpoint
	saving    saving
	stages    *stages    // Of the checkpoint that is being taken; nil: none is.
	atATime   int64      // stageBytes, but in tests.
	mu        sync.Mutex // guards waiting
	waiting   []*request
}

type endKey struct {
	source    string
	partition int32
}

// request is an analyst's action on its way into the log.
type request struct {
	action  incident.Action
	changes []incident.Change
	err     error
	done    chan struct{}
}

// NewWorker makes a worker. It does nothing yet.
func NewWorker(set WorkerSettings) *Worker {
	return &Worker{set: set, rules: set.Engine.set, force: set.Engine.set, ends: map[endKey]int64{}, carried: map[event.Position]bool{}, atATime: stageBytes}
}

// Recover brings engine and stitcher to the state of the log's end: the newest good checkpoint, then the hits of the batches after it, folded
// by the rules that made them, which the checkpoint has; other rules in force are swapped in with the next batch. It never matches again. What follows from batches that were not recorded is recorded now. The result says where sources go on.
func (w *Worker) Recover(ctx context.Context) (incident.Tail, error) {
	tail, err := w.set.Log.Tail(ctx)
	if err != nil {
		return tail, fmt.Errorf("recover: %w", err)
	}
	w.id = event.BatchID{Epoch: max(tail.Epoch, tail.Batch.Epoch) + 1}
	if err := w.set.Log.Claim(ctx, w.id.Epoch); err != nil {
		return tail, fmt.Errorf("recover: %w", err)
	}
	from, err := w.restore(ctx)
	if err != nil {
		return tail, err
	}
	strange := w.strangers()
	folded := 0
	for e, err := range w.set.Log.Replay(ctx, from) {
		if err == nil && w.set.State != nil {
			err = w.set.State.Relearn(e.Batch.Learned)
		}
		if err != nil {
			return tail, fmt.Errorf("recover: %w", err)
		}
		w.set.Engine.Learn(e.Notes)
		strange = append(strange, w.overtake(e.Rules)...)
		out := w.fold(e, nil)
		folded++
		if !tail.Recorded.Less(e.Batch.ID) {
			continue
		}
		if err := w.record(ctx, e.Batch.ID, out); err != nil {
			return tail, err
		}
	}
	if err := w.acquaint(ctx, strange, folded); err != nil {
		return tail, err
	}
	for _, e := range tail.Ends {
		w.ends[endKey{e.Source, e.Partition}] = e.Offset
	}
	w.carry(tail.Carry)
	w.tail = tail
	w.begin(ctx)
	w.set.Slog.Info("recovered", "batches_folded", folded, "epoch", w.id.Epoch)
	return tail, nil
}

// restore loads the newest checkpoint that is good for this engine; a damaged one only costs time.
func (w *Worker) restore(ctx context.Context) (event.BatchID, error) {
	c, err := w.set.Checkpoints.Latest(ctx)
	if err != nil {
		return event.BatchID{}, fmt.Errorf("recover: read checkpoint: %w", err)
	}
	if len(c.Data) == 0 {
		return event.BatchID{}, nil
	}
	if err := w.readCheckpoint(ctx, c); errors.Is(err, errReplay) {
		return event.BatchID{}, fmt.Errorf("recover: %w", err)
	} else if err != nil {
		w.set.Slog.Warn("checkpoint refused, folding the whole log", "err", err)
		if err := w.readCheckpoint(ctx, incident.Checkpoint{}); err != nil {
			return event.BatchID{}, fmt.Errorf("recover: %w", err)
		}
		return event.BatchID{}, nil
	}
	return c.Batch, nil
}

// Handle implements ingest.Handler: it makes b durable, and begins to record what follows from it. That it could not is the error of the next Handle.
// b is sorted and stripped of redelivered records.
func (w *Worker) Handle(ctx context.Context, b *event.Batch) error {
	durable, _, err := w.Start(ctx, b)
	if err != nil {
		return err
	}
	return durable()
}

// Start implements ingest.Ahead: it matches and folds b, once the batch before is durable, and lets it be written. The next batch may be matched
// meanwhile, but not where other rules are in force then.
func (w *Worker) Start(ctx context.Context, b *event.Batch) (durable func() error, next bool, err error) {
	if w.log.over() {
		if err := w.log.wait(); err != nil {
			return nil, false, err
		}
		if err := w.follow(ctx); err != nil {
			return nil, false, err
		}
	}
	w.dropRedelivered(b)
	b.Sort()
	w.id.Number++
	b.ID = w.id
	w.ahead.Add(1) // Until it is written.
	hits, notes := w.set.Engine.Match(b)
	e := &incident.Entry{Batch: b, Hits: hits, Notes: notes, Rules: w.rules.Hash, Tables: w.set.Tables()}
	if err := w.log.wait(); err != nil {
		return nil, false, err
	}
	requests := w.take()
	for _, r := range requests {
		e.Actions = append(e.Actions, r.action)
	}
	w.log = w.appendBeside(ctx, e, requests)
	out := w.fold(e, requests)
	w.log.follows <- out
	w.passed(b)
	if w.set.Folded != nil {
		w.set.Folded(b, len(hits), len(out.Findings), len(out.Changes))
	}
	begins := w.begins()
	if !begins {
		w.stage(ctx, b)
	}
	return w.finisher(ctx, begins), !begins && !w.overruled(), nil
}

// finisher waits for the batch that was started last, and makes the first checkpoint after it if there is none.
func (w *Worker) finisher(ctx context.Context, begins bool) func() error {
	log := w.log
	return func() error {
		if err := log.wait(); err != nil || !begins {
			return err
		}
		w.begin(ctx)
		return nil
	}
}

// passed remembers where the log ends after b.
func (w *Worker) passed(b *event.Batch) {
	for _, end := range b.Ends { // A batch that was fetched again ends before what the log has.
		k := endKey{end.Source, end.Partition}
		w.ends[k] = max(w.ends[k], end.Offset)
	}
	w.carry(b.Carry)
	w.tail.Marks, w.tail.Carry = slices.Clone(b.Marks), slices.Clone(b.Carry)
}

func (w *Worker) carry(records []event.Record) {
	clear(w.carried)
	for i := range records {
		w.carried[records[i].Position] = true
	}
}

// dropRedelivered removes the events and rejects of records that the log has already. Records without a lasting position have none to compare;
// their ids make a repeat harmless. A message of several records has the place of its first, which a batch may have passed while it waited.
func (w *Worker) dropRedelivered(b *event.Batch) {
	known := func(p event.Position) bool {
		end, ok := w.ends[endKey{p.Source, p.Partition}]
		return ok && p.Partition >= 0 && p.Offset < end && !w.carried[p] && !b.Again[p]
	}
	kept := 0
	for i := range b.Events {
		if known(b.Events[i].Envelope.Position) {
			continue
		}
		if kept != i {
			b.Events[kept] = b.Events[i]
		}
		kept++
	}
	clear(b.Events[kept:])
	b.Events = b.Events[:kept]
	rejects := b.Rejects[:0]
	for _, r := range b.Rejects {
		if !known(r.Position) {
			rejects = append(rejects, r)
		}
	}
	b.Rejects = rejects
}

// fold gives what follows from an entry: a pure function of the state and the entry. requests, if live, are told what became of their actions.
func (w *Worker) fold(e *incident.Entry, requests []*request) incident.Outcome {
	findings := w.set.Engine.Fold(e.Hits, e.Batch.Marks)
	changes := w.set.Stitcher.Apply(findings, Changes(e.Notes), e.Batch.ID, e.Batch.Received)
	for i, a := range e.Actions {
		acted, err := w.set.Stitcher.Act(a, e.Batch.ID)
		if requests != nil {
			requests[i].changes, requests[i].err = acted, err
		}
		changes = append(changes, acted...)
	}
	for i := range changes {
		changes[i].Index = i
	}
	return incident.Outcome{Findings: findings, Changes: changes}
}

// Act puts an analyst's action into the next batch and returns once it is in the log and folded. wake is called so that a batch comes soon.
// The error wraps one of incident's if the action was refused.
func (w *Worker) Act(ctx context.Context, a incident.Action, wake func()) ([]incident.Change, error) {
	return w.Begin(a, wake)(ctx)
}

// Begin is Act in two halves: when it returns, the action stands before all that come later; what it gives waits for the rest.
func (w *Worker) Begin(a incident.Action, wake func()) (wait func(context.Context) ([]incident.Change, error)) {
	r := &request{action: a, done: make(chan struct{})}
	w.mu.Lock()
	w.waiting = append(w.waiting, r)
	w.mu.Unlock()
	wake()
	return func(ctx context.Context) ([]incident.Change, error) {
		select {
		case <-r.done:
			return r.changes, r.err
		case <-ctx.Done():
			return nil, fmt.Errorf("the action is on its way; look at the incident again: %w", ctx.Err())
		}
	}
}

// Waiting reports whether an action waits for a batch.
func (w *Worker) Waiting() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiting) > 0
}

func (w *Worker) take() []*request {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.waiting
	w.waiting = nil
	return out
}

func (w *Worker) answer(requests []*request, err error) {
	for _, r := range requests {
		r.err = cmp.Or(r.err, err)
		close(r.done)
	}
}

var errCheckpoint = errors.New("checkpoint is damaged or foreign")

// Drain runs event time past every deadline at the end of finite inputs, and records what follows. What comes later is late. It is for
// demonstrations and tests; a service that goes on never drains.
func (w *Worker) Drain(ctx context.Context, now int64) error {
	w.id.Number++
	b := &event.Batch{ID: w.id, Received: now, Marks: w.tail.Marks, Carry: w.tail.Carry}
	e := &incident.Entry{Batch: b}
	e.Rules, e.Tables = w.rules.Hash, w.set.Tables()
	w.ahead.Add(1)
	findings := w.set.Engine.Drain()
	out := incident.Outcome{Findings: findings, Changes: w.set.Stitcher.Apply(findings, nil, b.ID, now)}
	for i := range out.Changes {
		out.Changes[i].Index = i
	}
	recorded, err := w.set.Log.Append(ctx, e, w.Settled, func() incident.Outcome { return out })
	if err != nil {
		return fmt.Errorf("append batch: %w", err)
	}
	if recorded {
		w.publish(out)
	} else if err := w.record(ctx, b.ID, out); err != nil {
		return err
	}
	w.ahead.Add(-1)
	return nil
}
