package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Records keeps what followed from a record of tocsin.findings. Recording the same again changes nothing. It retries for as long as ctx lives.
type Records interface {
	Record(ctx context.Context, batch event.BatchID, findings []incident.Finding, changes []incident.Change) error
}

// TriageSettings is what a triage member is made of.
type TriageSettings struct {
	Logs        Logs
	Accepted    Accepted // Of FindingsTopic; nil: it was never made anew.
	Producer    Producer // For actions.
	Checkpoints Checkpoints
	Records     Records
	Stitcher    func() *incident.Stitcher // A new, empty one. All members must be configured alike.
	Every       time.Duration             // Between checkpoints of the leader.
	Farewell    time.Duration             // How long the last checkpoint of a leader may take; 0: five seconds.
	Clock       func() int64              // Our clock, microseconds.
	Published   func([]incident.Change)   // Told by the leader of recorded changes, in order; after a change of leaders some come again. nil: nobody.
	Slog        *slog.Logger
}

// Triage is the work of a triage member: every member folds the one partition of tocsin.findings, so that each can answer; the leader, who holds
// the group's claim on it, also records and publishes what follows. Run is called once; the other methods may be called by any goroutine.
type Triage struct {
	set     TriageSettings
	mu      sync.Mutex // guards what follows; never held over I/O
	view    *Stitching // Replaced when the member becomes leader.
	term    *term      // nil: standby.
	status  TriageStatus
	waiting map[event.ID][]chan Outcome
}

// TriageStatus is how a triage member is doing.
type TriageStatus struct {
	Leader   bool
	Next     int64  // Offset of the next record in the topic as it is now.
	End      int64  // Offset of the record that will be sent next, as far as is known.
	Trouble  string // Why the topic cannot be read at present; "": it can.
	Recorded int64  // Offset before which everything is recorded, as far as this member knows.
	Lost     int64  // Records that were gone before they could be read.
	Counts   StitchingCounts
}

// term is one leadership.
type term struct {
	ctx   context.Context
	claim Claim
	desk  chan struct{} // Holds one token; who has it may record and publish.
}

// NewTriage makes a member that does nothing yet.
func NewTriage(set TriageSettings) *Triage {
	set.Farewell = cmp.Or(set.Farewell, farewell)
	return &Triage{set: set, view: NewStitching(set.Stitcher()), waiting: map[event.ID][]chan Outcome{}}
}

// View lets f read the state. f must not keep it or do I/O.
func (t *Triage) View(f func(*Stitching)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(t.view)
}

// Suppressions lists the suppressions as far as the member has folded.
func (t *Triage) Suppressions() []incident.Suppression {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.view.Stitcher().Suppressions()
}

// Status is a copy of the member's status.
func (t *Triage) Status() TriageStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.status
	s.Leader, s.Next, s.Counts = t.term != nil, t.view.Incarnation().offset(t.view.Next()), t.view.Counts()
	return s
}

// Lead makes the member the leader until ctx ends, which it does with the claim. When it returns, nothing is recorded or published any more.
func (t *Triage) Lead(ctx context.Context, claim Claim) error {
	mine := &term{ctx: ctx, claim: claim, desk: make(chan struct{}, 1)}
	mine.desk <- struct{}{}
	t.lead(mine)
	<-ctx.Done()
	<-mine.desk
	t.resign(mine)
	return nil
}

func (t *Triage) lead(mine *term) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.term = mine
}

func (t *Triage) resign(mine *term) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.term == mine {
		t.term = nil
	}
}

func (t *Triage) leading() *term {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.term
}

// Run folds until ctx ends; the error is then nil. Any other error means that the member cannot go on: it begins again with a new Triage.
func (t *Triage) Run(ctx context.Context) error {
	r := &round{Triage: t, log: t.set.Slog}
	defer r.close()
	err := r.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// round is the loop of a member.
type round struct {
	*Triage
	log    *slog.Logger
	fold   *Stitching // What Triage.view is, but while the member catches up as a new leader.
	reader Reader
	term   *term // Leadership that has begun here; nil as standby.
	keeper *keeper
	open   bool // Something is folded and not known to be recorded: by this member as the leader, or a standby.
	read   []Stored
}

func (r *round) close() {
	r.stepDown()
	if r.reader != nil {
		r.reader.Close()
	}
}

func (r *round) run(ctx context.Context) error {
	s, reader, _, err := r.restore(ctx)
	if err != nil {
		return err
	}
	r.fold, r.reader, r.open = s, reader, true
	r.show()
	for ctx.Err() == nil {
		if now := r.leading(); now != r.term {
			if err := r.change(ctx, now); err != nil {
				return err
			}
		}
		if err := r.step(ctx, r.reader); err != nil {
			return err
		}
		r.tell()
	}
	return nil
}

// tell brings the status up to date.
func (r *round) tell() {
	reading := r.reader.Status()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.End, r.status.Trouble = reading.End, reading.Trouble
}

// change begins or ends leadership.
func (r *round) change(ctx context.Context, now *term) error {
	r.stepDown()
	if now == nil {
		return nil
	}
	r.term = now
	err := r.takeOver(ctx)
	if errors.Is(err, errTermOver) {
		return nil
	}
	return err
}

// stepDown ends a leadership. If all of it is recorded, a checkpoint spares the next leader to fold it again.
func (r *round) stepDown() {
	if r.term == nil {
		return
	}
	if r.keeper != nil {
		r.keeper.part(r.term.ctx, !r.open, r.fold.Next())
	}
	r.term, r.keeper = nil, nil
}

// takeOver goes back to the newest checkpoint and folds again while recording, up to where the member was: the leader before may have folded
// what it could not record any more.
func (r *round) takeOver(ctx context.Context) error {
	s, reader, lost, err := r.restore(ctx)
	if err != nil {
		return err
	}
	r.keeper = &keeper{
		name: FindingsCheckpoint, to: r.set.Checkpoints, every: r.set.Every.Microseconds(), clock: r.set.Clock, farewell: r.set.Farewell, log: r.log,
		snapshot: func(b []byte) ([]byte, error) { return r.fold.Snapshot(b) },
	}
	if s.Next() >= r.fold.Next() || lost { // All this member has folded is recorded, or what is not can no longer be known. Its own state goes on.
		reader.Close()
		r.open = false
		return nil
	}
	r.keeper.kept.Store(s.Next())
	r.log.Info("leading: folding again since the last checkpoint", "from", s.Next(), "to", r.fold.Next())
	target, old := r.fold.Next(), r.fold
	r.fold, r.open = s, false
	for r.fold.Next() < target && err == nil && ctx.Err() == nil {
		if err = r.step(ctx, reader); err == nil && r.open {
			err = errTermOver
		}
	}
	if err != nil || r.fold.Next() < target {
		reader.Close()
		r.fold, r.open = old, true
		return err
	}
	r.reader.Close()
	r.reader = reader
	r.show()
	return nil
}

// show lets others read what is folded here.
func (r *round) show() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.view = r.fold
}

// restore gives the state of the newest checkpoint and a reader that goes on behind it.
func (r *round) restore(ctx context.Context) (s *Stitching, reader Reader, lost bool, err error) {
	c, err := r.set.Checkpoints.Latest(ctx, FindingsCheckpoint)
	if err != nil {
		return nil, nil, false, fmt.Errorf("triage: read checkpoint: %w", err)
	}
	s = NewStitching(r.set.Stitcher())
	if len(c.Data) > 0 {
		if err := s.Restore(c.Data); err != nil {
			r.log.Error("checkpoint refused, folding the log from its beginning", "err", err)
			s = NewStitching(r.set.Stitcher())
		}
	}
	n, err := r.set.Accepted.number(ctx, FindingsTopic)
	if err != nil {
		return nil, nil, false, fmt.Errorf("triage: which new topics were accepted: %w", err)
	}
	if was := s.Incarnation(); n > was.Number {
		r.log.Warn("the topic was made anew and is read from its beginning: findings of the old one that were not folded are lost to incidents",
			"topic", FindingsTopic, "incarnation", n, "folded", was.offset(s.Next()))
		s.Begin(n)
	}
	for {
		is := s.Incarnation()
		reader, err := r.set.Logs.Open(ctx, FindingsTopic, is.Topic, 0, is.offset(s.Next()))
		if err == nil {
			s.Identify(cmp.Or(reader.Status().Topic, is.Topic))
			return s, reader, lost, nil
		}
		gone := overtaken(err)
		if gone == nil {
			return nil, nil, false, fmt.Errorf("triage: %w", err)
		}
		r.lost(s, gone)
		lost = true
	}
}

// lost goes on where the log begins.
func (r *round) lost(s *Stitching, gone *OutOfRange) {
	r.log.Error("findings are gone before they were folded: incidents lack them", "records", gone.First-gone.Offset, "from", gone.Offset, "to", gone.First,
		"fix", "a longer retention of "+FindingsTopic)
	s.Jump(s.Incarnation().at(gone.First))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Lost += gone.First - gone.Offset
}

var errTermOver = errors.New("leadership is over")

// step folds what one read gives; as leader it records and publishes what follows.
func (r *round) step(ctx context.Context, reader Reader) error {
	var err error
	clear(r.read)
	r.read, err = reader.Read(ctx, r.read[:0], readWait)
	if err != nil {
		return fmt.Errorf("triage: %w", err)
	}
	if len(r.read) == 0 {
		return nil
	}
	all, actions := r.take()
	if r.term == nil {
		r.open = true
		r.answer(actions)
		return nil
	}
	if err := r.publish(all); err != nil {
		r.open = true
		r.answer(actions) // They are in the log and will be recorded, by the next leader.
		if errors.Is(err, errTermOver) {
			return nil
		}
		return err
	}
	r.answer(actions)
	if !r.open {
		r.settled(ctx)
	}
	return nil
}

// settled says that everything folded so far is recorded.
func (r *round) settled(ctx context.Context) {
	next := r.fold.Next()
	r.mu.Lock()
	offset := r.fold.Incarnation().offset(next)
	r.status.Recorded = offset
	r.mu.Unlock()
	r.term.claim.Commit(offset)
	r.keeper.due(ctx, next)
}

// take folds what was read. What follows from all of it is put together, under the batch of the last, so that it is recorded at once.
func (r *round) take() (all Stitched, actions []event.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.read {
		s := &r.read[i]
		at := r.fold.Incarnation().at(s.Offset)
		a, err := DecodeAnnouncement(s.Value)
		if err != nil {
			r.fold.Pass(at)
			r.log.Error("record is no announcement and is passed over; findings may be lost", "offset", s.Offset, "err", err)
			continue
		}
		if a.Action != nil {
			actions = append(actions, a.Action.ID)
		}
		if out, ok := r.fold.Take(a, at); ok {
			all.Batch = out.Batch
			all.Findings = append(all.Findings, out.Findings...)
			all.Changes = append(all.Changes, out.Changes...)
		}
	}
	return all, actions
}

// publish records and then tells, unless the leadership is over.
func (r *round) publish(all Stitched) error {
	select {
	case <-r.term.desk:
	default:
		return errTermOver // Lead has taken the token for good.
	}
	defer func() { r.term.desk <- struct{}{} }()
	if r.term.ctx.Err() != nil {
		return errTermOver
	}
	if len(all.Findings)+len(all.Changes) == 0 {
		return nil
	}
	if err := r.set.Records.Record(r.term.ctx, all.Batch, all.Findings, all.Changes); err != nil {
		if r.term.ctx.Err() != nil {
			return errTermOver
		}
		return fmt.Errorf("triage: record: %w", err)
	}
	if r.term.ctx.Err() != nil {
		return errTermOver
	}
	if r.set.Published != nil && len(all.Changes) > 0 {
		r.set.Published(all.Changes)
	}
	return nil
}
