package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// Matcher says what a batch means: the hits of the rules, and what was observed of watched entities. *correlate.Engine is one. It is pure: of
// what came before it knows nothing.
type Matcher interface {
	Hits(b *event.Batch) []event.Hit
	Observations(b *event.Batch) []event.Note
}

// Rows keeps the events and rejects of a batch, under ids that make a repeat harmless. It only reads the batch.
type Rows interface {
	AppendRows(ctx context.Context, b *event.Batch) error
}

// Ownership says which partitions of sources are this member's at the moment. It may be asked by several goroutines.
type Ownership interface {
	// Generation is that of the group in which the partition is ours; ok is false if it is not.
	Generation(source string, partition int32) (generation int32, ok bool)
	// Partitions are all sources, ordered by name, with how many partitions they have, whosever they are.
	Partitions() []Partitions
}

// SenderSettings are what a sender is made of.
type SenderSettings struct {
	Member     string // Names this process in frames.
	Epoch      uint64 // Of the ids of its batches; above 1<<32, and another at each start.
	Topic      string // For hits; "": HitsTopic.
	Partitions int32  // Of Topic; at least 1.
	Bindings   string // For what enrichment learned; "": nowhere.
	FrameBytes int    // Where frames are cut; 0: FrameBytes.
	MarksEvery int64  // Microseconds between marks that moved, for a partition without hits; 0: 200 ms.
	MarksAnew  int64  // Microseconds after which marks that did not move are said again; 0: one minute.

	Matcher   Matcher
	Rows      Rows
	Rules     func() *rules.Set // In force now; nil: the matcher's own for good, and none of them listens to another.
	Swap      func(*rules.Set)  // Makes the matcher go by other rules.
	Ownership Ownership
	Producer  Producer
	Sent      func(Sending) // Told of each batch once it is acknowledged; nil: nobody.
	Slog      *slog.Logger
}

// Sending is what one batch came to.
type Sending struct {
	Events    int
	Dropped   int // Events and rejects of partitions that are no longer ours; their new owner reads them again.
	Hits      int
	Observed  int
	Messages  int
	Bytes     int
	Oversized int // Hits and observations too large to be sent.
}

// Sender is the handler of an ingest member: it matches a batch, stores its rows, and puts hits, observations and marks where correlate members
// read them. Handle returns when all of it is durable, so that offsets are committed after; what a crash in between makes it send twice,
// correlate members tell from new by event, rule and step. Handle and Tick may be called by different goroutines.
type Sender struct {
	set     SenderSettings
	encoder FrameEncoder

	mu      sync.Mutex
	rules   *rules.Set
	number  uint64
	lanes   []lane // By partition.
	marks   []SentMark
	debts   []SentMark // Marks of partitions that were lost before every lane was told.
	roster  []Partitions
	version uint64 // Of marks and roster.
	failed  bool   // The last batch was not sent whole: its marks are not true.
}

// lane is what is on its way to one partition.
type lane struct {
	hits     []event.Hit
	observed []event.Note
	version  uint64 // Of the marks it was last told.
	at       int64  // When.
}

// NewSender makes a sender.
func NewSender(set SenderSettings) *Sender {
	set.MarksEvery, set.MarksAnew = cmp.Or(set.MarksEvery, 200_000), cmp.Or(set.MarksAnew, 60_000_000)
	set.Topic, set.Partitions = cmp.Or(set.Topic, HitsTopic), max(1, set.Partitions)
	return &Sender{set: set, encoder: FrameEncoder{Limit: set.FrameBytes}, lanes: make([]lane, set.Partitions)}
}

// Handle implements ingest.Handler. It sorts b and removes what is not ours from it. After an error nothing more may be handled by this sender.
func (s *Sender) Handle(ctx context.Context, b *event.Batch) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.failed = err != nil }()
	s.follow()
	done := Sending{Dropped: s.drop(b), Events: len(b.Events)}
	b.Sort()
	s.number++
	b.ID = event.BatchID{Epoch: s.set.Epoch, Number: s.number}
	stored := make(chan error, 1)
	go func() { stored <- s.store(ctx, b) }()
	done.Hits, done.Observed = s.spread(s.set.Matcher.Hits(b), s.set.Matcher.Observations(b))
	s.turn(b.Marks, b.Ends)
	messages, oversized := s.messages(b.Received)
	err = s.teach(ctx, b.Learned)
	if err = errors.Join(<-stored, err); err != nil { // A finding may lead to its events at once.
		return err
	}
	if err := s.send(ctx, messages, b.Received); err != nil {
		return err
	}
	if oversized > 0 {
		s.set.Slog.Error("hits were too large to be sent and are lost to the rules; their events are stored", "hits", oversized, "batch", s.number)
	}
	if s.set.Sent != nil {
		done.Messages, done.Oversized = len(messages), oversized
		for i := range messages {
			done.Bytes += len(messages[i].Value)
		}
		s.set.Sent(done)
	}
	return nil
}

// Tick sends marks that were held back when no batch follows, and says marks again that have not moved for long. It is to be called a few times
// a second, with our clock in microseconds, and costs nothing where nothing is owed.
func (s *Sender) Tick(ctx context.Context, now int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follow()
	return s.tell(ctx, now)
}

// Flush sends all marks that were held back. It is to be called after the last batch, before its offsets are committed for good: whoever reads the
// partitions then goes on behind the records that these marks are of, and could not tell how far event time had come.
func (s *Sender) Flush(ctx context.Context, now int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.lanes {
		if l := &s.lanes[i]; l.version != s.version {
			l.at = 0
		}
	}
	return s.tell(ctx, now)
}

// tell sends the marks that are due.
func (s *Sender) tell(ctx context.Context, now int64) error {
	if s.failed {
		return nil
	}
	s.spread(nil, nil)
	s.mine()
	messages, _ := s.messages(now)
	return s.send(ctx, messages, now)
}

// drop removes events, rejects and marks of partitions that this member has lost since they were fetched.
func (s *Sender) drop(b *event.Batch) (dropped int) {
	var last event.Position
	ours := true
	foreign := func(p event.Position) bool {
		if p.Partition != last.Partition || p.Source != last.Source {
			last = p
			_, ours = s.generation(p.Source, p.Partition)
		}
		return !ours
	}
	kept := 0
	for i := range b.Events {
		if foreign(b.Events[i].Envelope.Position) {
			dropped++
			continue
		}
		if kept != i {
			b.Events[kept] = b.Events[i]
		}
		kept++
	}
	clear(b.Events[kept:])
	b.Events = b.Events[:kept]
	before := len(b.Rejects)
	b.Rejects = slices.DeleteFunc(b.Rejects, func(r event.Reject) bool { return foreign(r.Position) })
	return dropped + before - len(b.Rejects)
}

// generation is that in which a partition is ours. Records without a lasting place are always.
func (s *Sender) generation(source string, partition int32) (int32, bool) {
	if partition < 0 {
		return 0, true
	}
	return s.set.Ownership.Generation(source, partition)
}

func (s *Sender) store(ctx context.Context, b *event.Batch) error {
	if len(b.Events)+len(b.Rejects) == 0 {
		return nil
	}
	if err := s.set.Rows.AppendRows(ctx, b); err != nil {
		return fmt.Errorf("store batch %d: %w", b.ID.Number, err)
	}
	return nil
}

// follow takes over the rules in force, and tells every lane of them.
func (s *Sender) follow() {
	if s.set.Rules == nil {
		return
	}
	if next := s.set.Rules(); next != s.rules {
		s.rules = next
		s.set.Swap(next)
		if s.version > 0 {
			s.version++
		}
	}
}

func (s *Sender) rulesHash() string {
	if s.rules == nil {
		return ""
	}
	return s.rules.Hash
}

// partition is where a hit is folded.
func (s *Sender) partition(h *event.Hit) int32 {
	if s.rules != nil {
		if r := s.rules.Rule(h.Rule); r != nil && r.Component != "" {
			return ComponentPartition(r.Component, s.set.Partitions)
		}
	}
	return HitPartition(h, s.set.Partitions)
}

// spread puts hits and observations into their lanes, in their order.
func (s *Sender) spread(hits []event.Hit, observed []event.Note) (int, int) {
	for i := range s.lanes {
		l := &s.lanes[i]
		clear(l.hits)
		clear(l.observed)
		l.hits, l.observed = l.hits[:0], l.observed[:0]
	}
	for i := range hits {
		l := &s.lanes[s.partition(&hits[i])]
		l.hits = append(l.hits, hits[i])
	}
	for i := range observed {
		l := &s.lanes[NotePartition(&observed[i], s.set.Partitions)]
		l.observed = append(l.observed, observed[i])
	}
	return len(hits), len(observed)
}

// turn takes the marks of a batch, as far as they are ours. They are news if they, their generations or the roster differ from the last. The mark
// of a partition that was lost and regained since it was read is left out: what was dropped in between is read again, and the mark would claim it.
func (s *Sender) turn(marks []event.Mark, ends []event.End) {
	s.mine()
	now := make([]SentMark, 0, len(marks))
	for _, m := range marks {
		generation, ok := s.generation(m.Source, m.Partition)
		stale := slices.ContainsFunc(ends, func(e event.End) bool {
			return e.Source == m.Source && e.Partition == m.Partition && e.Generation != 0 && e.Generation != generation
		})
		if ok && !stale {
			now = append(now, SentMark{m, generation})
		}
	}
	roster := s.set.Ownership.Partitions()
	if s.version == 0 || !slices.Equal(now, s.marks) || !slices.Equal(roster, s.roster) {
		s.marks, s.roster = now, slices.Clone(roster)
		s.version++
	}
}

// mine forgets the marks of partitions that were lost, or lost and regained, since the batch: they are no longer this member's to tell. What lanes
// have not been told yet is told once more, in the generation in which it was true, for the new owner begins behind the records it is of. Whether
// such a partition is idle is for the new owner to say.
func (s *Sender) mine() {
	behind := slices.ContainsFunc(s.lanes, func(l lane) bool { return l.version != s.version })
	if !behind {
		s.debts = s.debts[:0]
	}
	s.marks = slices.DeleteFunc(s.marks, func(m SentMark) bool {
		generation, ok := s.generation(m.Source, m.Partition)
		lost := !ok || generation != m.Generation
		if lost && behind {
			m.Idle = false
			s.debts = append(s.debts, m)
		}
		return lost
	})
}

// messages encodes a frame for every lane that has hits or observations, or is owed marks and was not told any for a while.
func (s *Sender) messages(now int64) (out []Message, oversized int) {
	marks := slices.Concat(s.marks, s.debts)
	for i := range s.lanes {
		l := &s.lanes[i]
		if len(l.hits)+len(l.observed) == 0 && !s.owes(l, now) {
			continue
		}
		f := Frame{Member: s.set.Member, Received: now, Rules: s.rulesHash(), Hits: l.hits, Observed: l.observed, Marks: marks, Roster: s.roster}
		pieces, large := s.encoder.Append(nil, &f)
		oversized += large
		for _, p := range pieces {
			out = append(out, Message{Partition: int32(i), Value: p})
		}
	}
	return out, oversized
}

// owes reports whether a lane is to be told the marks now.
func (s *Sender) owes(l *lane, now int64) bool {
	since := now - l.at
	wait := s.set.MarksEvery
	if l.version == s.version {
		wait = s.set.MarksAnew
	}
	return len(s.marks)+len(s.debts) > 0 && (since >= wait || since < 0 || l.at == 0)
}

// send returns when all is acknowledged, and remembers what the lanes were told.
func (s *Sender) send(ctx context.Context, messages []Message, now int64) error {
	if len(messages) == 0 {
		return nil
	}
	if err := s.set.Producer.Produce(ctx, s.set.Topic, messages); err != nil {
		return fmt.Errorf("send to %s: %w", s.set.Topic, err)
	}
	for _, m := range messages {
		l := &s.lanes[m.Partition]
		l.version, l.at = s.version, now
	}
	return nil
}

// teach tells the other ingest members what enrichment learned.
func (s *Sender) teach(ctx context.Context, learned []byte) error {
	if len(learned) == 0 || s.set.Bindings == "" {
		return nil
	}
	m := []Message{{Value: AppendLesson(nil, &Lesson{Member: s.set.Member, Learned: learned})}}
	if err := s.set.Producer.Produce(ctx, s.set.Bindings, m); err != nil {
		return fmt.Errorf("send to %s: %w", s.set.Bindings, err)
	}
	return nil
}
