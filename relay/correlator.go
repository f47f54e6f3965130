package relay

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// readWait is how long one read waits for records: how late at most a change of rules or of leadership is noticed.
const readWait = 250 * time.Millisecond

const farewell = 5 * time.Second

// Claim is a partition that the group gave to this process for one generation.
type Claim struct {
	Partition  int32
	Generation int32
	Commit     func(offset int64) // Housekeeping, so that the group's lag is seen: where to go on is in the checkpoint.
}

// CorrelatorSettings is what a correlate member is made of.
type CorrelatorSettings struct {
	Logs        Logs
	Accepted    Accepted // Of HitsTopic; nil: it was never made anew.
	Producer    Producer
	Checkpoints Checkpoints
	Rules       func() *rules.Set                       // In force now. Asked between reads: another set is swapped in.
	Warm        func(context.Context, *Partition) error // Fills rules that begin with the past of the store; nil: they begin without.
	RulesText   func(*rules.Set) []byte                 // What a set can be read from again, to be kept in checkpoints; nil: nothing is.
	RulesOf     func([]byte) (*rules.Set, error)        // Reads a set from it.
	Swapped     func(*rules.Set)                        // Told when a claim has taken over other rules; nil: nobody.
	Engine      correlate.Settings
	Every       time.Duration // Between checkpoints.
	Farewell    time.Duration // How long the last announcements and checkpoint of a claim may take; 0: five seconds.
	Clock       func() int64  // Our clock, microseconds.
	Slog        *slog.Logger
}

// Correlator is the work of a correlate member. Its methods may be called by any goroutine.
type Correlator struct {
	set    CorrelatorSettings
	turn   turn       // Of the partitions to save a checkpoint.
	mu     sync.Mutex // guards status
	status map[int32]PartitionStatus
}

// PartitionStatus is how a claimed partition is doing.
type PartitionStatus struct {
	Partition  int32
	Generation int32
	Next       int64            // Offset of the next frame in the topic as it is now.
	End        int64            // Offset of the frame that will be sent next, as far as is known.
	Trouble    string           // Why the partition cannot be read at present; "": it can.
	Frontier   int64            // Event time, microseconds; 0 while it waits for sources.
	Missing    []event.Position // Partitions of sources, some of them, that nobody has spoken for and event time waits for.
	Lost       int64            // Frames that were gone before they could be read.
	Damaged    int64            // Records that were no frame.
	Announced  int64            // Announcements sent, in this claim.
	Warming    int              // Rules that began anew with the last swap.
	Behind     []string         // Ingest members that match by other rules than those to be taken over, which waits for them.
	Engine     correlate.Stats
}

// NewCorrelator makes a member that owns nothing yet.
func NewCorrelator(set CorrelatorSettings) *Correlator {
	set.Farewell = cmp.Or(set.Farewell, farewell)
	return &Correlator{set: set, status: map[int32]PartitionStatus{}}
}

// Status lists the claimed partitions, by number.
func (c *Correlator) Status() []PartitionStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.status), func(a, b PartitionStatus) int { return int(a.Partition) - int(b.Partition) })
}

// Own folds a partition for as long as ctx, which ends with the claim: from the latest checkpoint on, announcing what follows, with a
// checkpoint every so often and one at the end. It returns nil at the end of the claim. A checkpoint never has what was not announced and
// acknowledged before.
func (c *Correlator) Own(ctx context.Context, claim Claim) error {
	o := &ownership{Correlator: c, claim: claim, log: c.set.Slog.With("partition", claim.Partition, "generation", claim.Generation)}
	defer o.close()
	err := o.run(ctx)
	if o.keeper != nil {
		o.keeper.part(ctx, !o.torn, o.p.Next())
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// ownership is the work on one claim.
type ownership struct {
	*Correlator
	claim  Claim
	log    *slog.Logger
	p      *Partition
	rules  *rules.Set
	keeper *keeper
	reader Reader
	held   int64 // Our clock when rules were first held back for members that are behind; 0: they are not.
	torn   bool  // Frames are folded and what follows from them is not acknowledged: the state is ahead of what was announced.
	status PartitionStatus
	read   []Stored
	out    []Message
}

func (o *ownership) close() {
	if o.reader != nil {
		o.reader.Close()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if s, ok := o.Correlator.status[o.claim.Partition]; ok && s.Generation == o.claim.Generation {
		delete(o.Correlator.status, o.claim.Partition)
	}
}

func (o *ownership) run(ctx context.Context) error {
	o.status = PartitionStatus{Partition: o.claim.Partition, Generation: o.claim.Generation}
	if err := o.restore(ctx); err != nil {
		return err
	}
	if err := o.open(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := o.follow(ctx); err != nil {
			return err
		}
		if err := o.step(ctx); err != nil {
			return err
		}
		o.tell()
	}
	return nil
}

// restore makes the partition from the latest checkpoint, with the rules that it was made by: what the log has behind it was folded, and announced,
// by these, and those in force are taken over as ever. A checkpoint that is refused only costs time, as long as the log has everything.
func (o *ownership) restore(ctx context.Context) error {
	c, err := o.set.Checkpoints.Latest(ctx, PartitionCheckpoint(o.claim.Partition))
	if err != nil {
		return fmt.Errorf("correlate partition %d: read checkpoint: %w", o.claim.Partition, err)
	}
	o.rules = o.former(c.Data)
	o.p = NewPartition(o.claim.Partition, o.rules, o.set.Engine)
	o.p.Keep(o.set.RulesText)
	if len(c.Data) > 0 {
		same, err := o.p.Restore(c.Data)
		switch {
		case err != nil:
			o.log.Error("checkpoint refused, folding the log from its beginning", "err", err)
		case !same:
			o.log.Info("rules are others than those of the checkpoint: the ones it does not know begin with what the store has")
		}
	}
	o.keeper = &keeper{
		name: PartitionCheckpoint(o.claim.Partition), to: o.set.Checkpoints, every: o.set.Every.Microseconds(), clock: o.set.Clock,
		farewell: o.set.Farewell, snapshot: o.p.Snapshot, turn: &o.turn, log: o.log,
	}
	o.keeper.kept.Store(o.p.Next())
	if err := o.accept(ctx); err != nil {
		return err
	}
	if err := o.warm(ctx); err != nil {
		return err
	}
	o.begin(ctx, c.Data)
	return nil
}

// begin makes a checkpoint where the newest does not say by which rules the log behind it is folded from now on.
func (o *ownership) begin(ctx context.Context, newest []byte) {
	if o.set.RulesText == nil {
		return
	}
	if hash, text, err := SnapshotRules(newest); err == nil && hash == o.rules.Hash && len(text) > 0 {
		return
	}
	o.keeper.save(ctx, o.p.Next())
	o.keeper.settle(o.set.Farewell)
}

// former are the rules by which a checkpoint was made; those in force if they are the same, or cannot be read any more.
func (o *ownership) former(data []byte) *rules.Set {
	force := o.set.Rules()
	if len(data) == 0 || o.set.RulesOf == nil {
		return force
	}
	hash, text, err := SnapshotRules(data)
	if err != nil || len(text) == 0 || hash == force.Hash {
		return force // What is wrong with it is for Restore to say.
	}
	set, err := o.set.RulesOf(text)
	if err == nil && set.Hash != hash {
		err = fmt.Errorf("their hash is %s now", set.Hash)
	}
	if err != nil {
		o.log.Warn("the rules of the checkpoint cannot be read any more: what they had not decided is not found again", "rules", hash, "err", err)
		return force
	}
	return set
}

// accept goes on at the beginning of the topic if it was made anew since the state was saved and somebody has accepted that.
func (o *ownership) accept(ctx context.Context) error {
	n, err := o.set.Accepted.number(ctx, HitsTopic)
	if err != nil {
		return fmt.Errorf("correlate partition %d: which new topics were accepted: %w", o.claim.Partition, err)
	}
	if was := o.p.Incarnation(); n > was.Number {
		from := was.offset(o.p.Next())
		report := o.p.Begin(n)
		o.log.Warn("the topic was made anew and is read from its beginning: frames of the old one that were not folded are lost, and rules begin with what the store has",
			"topic", HitsTopic, "incarnation", n, "folded", from, "rules", len(report.Warming))
	}
	return nil
}

// open begins to read where the state ends, or at the log's beginning if that lies above it.
func (o *ownership) open(ctx context.Context) error {
	for {
		is := o.p.Incarnation()
		r, err := o.set.Logs.Open(ctx, HitsTopic, is.Topic, o.claim.Partition, is.offset(o.p.Next()))
		if err == nil {
			o.reader = r
			o.p.Identify(cmp.Or(r.Status().Topic, is.Topic))
			return nil
		}
		gone := overtaken(err)
		if gone == nil {
			return fmt.Errorf("correlate partition %d: %w", o.claim.Partition, err)
		}
		report := o.p.Jump(is.at(gone.First))
		o.status.Lost += gone.First - gone.Offset
		o.status.Warming = len(report.Warming)
		o.log.Error("frames are gone before they were folded: every rule begins without its past, and what completed before is not found",
			"frames", gone.First-gone.Offset, "from", gone.Offset, "to", gone.First, "rules", len(report.Warming), "fix", "a longer retention of "+HitsTopic)
	}
}

// follow takes over the rules in force, once the ingest members match by them: the events of hits that are not of these rules are in the store,
// from where the new rules are warmed, but nobody would match again what a member that is behind sends later. One that stays behind for as long
// as a silent one is believed is not waited for.
func (o *ownership) follow(ctx context.Context) error {
	set := o.set.Rules()
	if set == o.rules {
		return nil
	}
	o.status.Behind = o.p.Behind(set)
	if len(o.status.Behind) > 0 {
		if o.held == 0 {
			o.held = o.set.Clock()
		}
		if o.set.Clock()-o.held < Silence {
			return nil
		}
		o.log.Error("ingest members match by other rules and are no longer waited for; what they send is lost to changed rules", "members", o.status.Behind)
	}
	o.rules, o.held, o.status.Behind = set, 0, nil
	report := o.p.Swap(set)
	o.status.Warming = len(report.Warming)
	o.log.Info("rules swapped", "kept", len(report.Kept), "warming", len(report.Warming), "stopped", len(report.Stopped))
	if err := o.warm(ctx); err != nil {
		return err
	}
	if !o.torn {
		o.keeper.save(ctx, o.p.Next())
		o.keeper.settle(o.set.Farewell) // The log behind a checkpoint is folded by the rules of the checkpoint.
	}
	if o.set.Swapped != nil {
		o.set.Swapped(set)
	}
	return nil
}

// warm fills rules that begin with the past. If that fails for another reason than the end of the claim they begin without, and say so.
func (o *ownership) warm(ctx context.Context) error {
	if o.set.Warm == nil || len(o.p.Waiting()) == 0 {
		return nil
	}
	err := o.set.Warm(ctx, o.p)
	if err != nil && ctx.Err() == nil {
		o.log.Error("rules begin without their past", "err", err)
		return nil
	}
	if err != nil {
		o.torn = true // Half of a past is worse than none, which the last checkpoint would make of it.
	}
	return err
}

// step folds what one read gives and announces what follows from it.
func (o *ownership) step(ctx context.Context) error {
	var err error
	clear(o.read)
	o.read, err = o.reader.Read(ctx, o.read[:0], readWait)
	if err != nil {
		return o.overtaken(ctx, err)
	}
	clear(o.out)
	o.out = o.out[:0]
	for i := range o.read {
		if err := o.fold(&o.read[i]); err != nil {
			return err
		}
	}
	if len(o.out) > 0 {
		if err := o.announce(ctx); err != nil {
			return err
		}
	}
	if len(o.read) > 0 {
		o.claim.Commit(o.p.Incarnation().offset(o.p.Next()))
		o.keeper.due(ctx, o.p.Next())
	}
	return nil
}

// announce sends what follows from what was folded, also if the claim ends meanwhile, so that the last checkpoint can have it.
func (o *ownership) announce(ctx context.Context) error {
	ctx, cancel := outlive(ctx, o.set.Farewell)
	defer cancel()
	if err := o.set.Producer.Produce(ctx, FindingsTopic, o.out); err != nil {
		return fmt.Errorf("correlate partition %d: announce: %w", o.claim.Partition, err)
	}
	o.status.Announced += int64(len(o.out))
	o.torn = false
	return nil
}

// overtaken goes on where the log begins now, if that is what err says.
func (o *ownership) overtaken(ctx context.Context, err error) error {
	if overtaken(err) != nil {
		o.reader.Close()
		o.reader = nil
		return o.open(ctx)
	}
	return fmt.Errorf("correlate partition %d: %w", o.claim.Partition, err)
}

func (o *ownership) fold(s *Stored) error {
	frame, err := ReadFrame(s.Value)
	at := o.p.Incarnation().at(s.Offset)
	if err != nil {
		o.p.Pass(at)
		o.status.Damaged++
		o.log.Error("record is no frame and is passed over; hits may be lost", "offset", s.Offset, "err", err)
		return nil
	}
	a, ok := o.p.Take(frame, at, o.claim.Generation)
	if !ok {
		return nil
	}
	o.torn = true
	parts, err := a.Encode()
	if err != nil {
		return fmt.Errorf("correlate partition %d: frame %d: %w", o.claim.Partition, s.Offset, err)
	}
	for _, part := range parts {
		o.out = append(o.out, Message{Value: part})
	}
	return nil
}

// tell brings the status up to date.
func (o *ownership) tell() {
	o.status.Next, o.status.Engine = o.p.Incarnation().offset(o.p.Next()), o.p.Stats()
	reading := o.reader.Status()
	o.status.End, o.status.Trouble = reading.End, reading.Trouble
	frontier, ok := o.p.Frontier()
	o.status.Frontier, o.status.Missing = frontier, nil
	if !ok {
		o.status.Missing = o.p.Missing(8)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.Correlator.status[o.claim.Partition] = o.status
}
