package relay

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

const (
	partitionMagic   = "TCPT"
	partitionVersion = 2
)

// Partition is the engine of one partition of tocsin.hits: a pure fold of its frames in their order. It is not safe for concurrent use, keeps
// no clock and does no I/O.
type Partition struct {
	number  int32
	set     *rules.Set
	text    func(*rules.Set) []byte
	engine  *correlate.Engine
	heard   hearing
	origin  Incarnation
	next    int64
	skipped int64
}

// NewPartition makes the engine of a partition, without state.
func NewPartition(number int32, set *rules.Set, s correlate.Settings) *Partition {
	return &Partition{number: number, set: set, engine: correlate.New(set, s)}
}

// Keep has snapshots say what the rules can be read from again; see SnapshotRules.
func (p *Partition) Keep(text func(*rules.Set) []byte) { p.text = text }

// Next is the offset of the next frame to take: everything before it is in the state.
func (p *Partition) Next() int64 { return p.next }

// Incarnation is the one of the topic that the frames are of.
func (p *Partition) Incarnation() Incarnation { return p.origin }

// Identify notes the id of the topic that is read.
func (p *Partition) Identify(topic string) { p.origin.Topic = topic }

// Begin goes on at the beginning of an incarnation of the topic. What the one before had and was not taken is lost, as after Jump.
func (p *Partition) Begin(number int) correlate.Report {
	p.origin = Incarnation{Number: number}
	return p.Jump(p.origin.at(0))
}

// Take folds a frame and gives what follows from it; ok is false if nothing does. A frame that is in the state already is passed over. Frames
// that a sender repeats change nothing: their hits are known and their marks say nothing new. generation is that of the correlate group in
// which the caller owns the partition; it only goes into the announcement, which is valid until the next call.
func (p *Partition) Take(f *Frame, offset int64, generation int32) (a Announcement, ok bool) {
	if offset < p.next {
		return Announcement{}, false
	}
	p.next = offset + 1
	p.heard.hear(f)
	if f.Rules != "" && f.Rules != p.set.Hash {
		p.engine.Reserve() // Hits of other versions are coming: from here on the next ones answer for what these do not announce.
	}
	a = Announcement{Partition: p.number, Frame: offset, Generation: generation, Received: f.Received}
	a.Notes = correlate.Changes(p.engine.Notice(f.Observed))
	a.Findings = p.engine.Fold(f.Hits, p.heard.marks())
	return a, len(a.Findings)+len(a.Notes) > 0
}

// Pass goes over a record that is no frame.
func (p *Partition) Pass(offset int64) {
	if offset >= p.next {
		p.next = offset + 1
		p.skipped++
	}
}

// Swap goes on with other rules; see correlate.Engine.Swap. A rule whose hits come by another way than before, because it listens to others now or no
// longer does, begins without state: what it had is in another partition.
func (p *Partition) Swap(set *rules.Set) correlate.Report {
	moved := func(r *rules.Rule) bool {
		was := p.set.Rule(r.ID)
		return was != nil && was.Component != r.Component
	}
	if slices.ContainsFunc(set.Rules, moved) {
		stay := slices.DeleteFunc(slices.Clone(p.set.Rules), func(r *rules.Rule) bool { x := set.Rule(r.ID); return x != nil && moved(x) })
		p.engine.Swap(&rules.Set{Rules: stay})
	}
	p.set = set
	return p.engine.Swap(set)
}

// Behind names the ingest members that match by other rules than those of a set.
func (p *Partition) Behind(set *rules.Set) []string { return p.heard.behind(set.Hash) }

// Number is that of the partition.
func (p *Partition) Number() int32 { return p.number }

// Waiting lists the rules whose hits of the past Warm wants; see correlate.Engine.Waiting.
func (p *Partition) Waiting() []*rules.Rule { return p.engine.Waiting() }

// Warm fills the rules that wait; hits of other partitions must not be among the hits.
func (p *Partition) Warm(hits []event.Hit, marks []event.Mark) { p.engine.Warm(hits, marks) }

// Jump goes on at an offset beyond Next, where the frames in between are lost. A guard that did not see them would find what was not there, so
// every rule starts anew and is silent about what completes before the frontier of now; what was announced stands.
func (p *Partition) Jump(to int64) correlate.Report {
	p.engine.Swap(&rules.Set{})
	p.next = to
	return p.engine.Swap(p.set)
}

// Frontier is how far event time has come, in microseconds; ok is false while a partition of the roster has no mark.
func (p *Partition) Frontier() (f int64, ok bool) { return event.Frontier(p.heard.marks()) }

// Missing names partitions of sources that hold event time back because nobody has spoken for them, at most limit.
func (p *Partition) Missing(limit int) []event.Position { return p.heard.missing(limit) }

// Recall tells what modifiers with memory remember of an entity in this partition; see correlate.Engine.Recall.
func (p *Partition) Recall(entity, rule string) []correlate.Memory {
	return p.engine.Recall(entity, rule)
}

// Stats copies the counters of the engine.
func (p *Partition) Stats() correlate.Stats { return p.engine.Stats() }

// partitionHead is the part of a snapshot before the engine's.
type partitionHead struct {
	Partition int32
	Next      int64
	Topic     string `json:",omitempty"` // Its id.
	Number    int    `json:",omitempty"` // Of its incarnation.
	Rules     string // Content hash of the rule set: the engine tells by rule what it can keep.
	Marks     []heardMark
	Roster    []heardSource
	Sent      []heardMember
	Text      []byte `json:",omitempty"` // What the rules can be read from again.
}

// Snapshot appends the state to b. The same state gives the same bytes.
func (p *Partition) Snapshot(b []byte) ([]byte, error) {
	head := partitionHead{p.number, p.next, p.origin.Topic, p.origin.Number, p.set.Hash, p.heard.Marks, p.heard.Roster, p.heard.Sent, nil}
	if p.text != nil {
		head.Text = p.text(p.set)
	}
	return seal(b, partitionMagic, partitionVersion, func(b []byte) ([]byte, error) {
		b, err := putSection(b, func(b []byte) ([]byte, error) {
			doc, err := json.Marshal(head)
			return append(b, doc...), err
		})
		if err != nil {
			return b, fmt.Errorf("snapshot of partition %d: %w", p.number, err)
		}
		return p.engine.Pack().AppendTo(b), nil
	})
}

// Restore replaces the state by what Snapshot wrote. Rules that the snapshot does not know, or knows in another form, start anew and wait as
// after Swap; same is false if the rule set was another one. After an error, which says what is wrong, the partition is without state.
func (p *Partition) Restore(b []byte) (same bool, err error) {
	p.heard, p.origin, p.next = hearing{}, Incarnation{}, 0
	defer func() {
		if err != nil {
			p.heard, p.origin, p.next = hearing{}, Incarnation{}, 0
			err = fmt.Errorf("snapshot of partition %d: %w", p.number, err)
		}
	}()
	if err := p.engine.Restore(nil); err != nil {
		return false, err
	}
	head, engine, err := openPartition(b)
	if err != nil {
		return false, err
	}
	if head.Partition != p.number {
		return false, fmt.Errorf("%w: it is that of partition %d", ErrDamaged, head.Partition)
	}
	if err := p.engine.Restore(engine); err != nil {
		return false, err
	}
	p.next, p.origin, p.heard = head.Next, Incarnation{head.Topic, head.Number}, hearing{Marks: head.Marks, Roster: head.Roster, Sent: head.Sent}
	return head.Rules == p.set.Hash, nil
}

func openPartition(b []byte) (head partitionHead, engine []byte, err error) {
	body, err := unseal(b, partitionMagic, partitionVersion)
	if err != nil {
		return head, nil, err
	}
	doc, engine, err := cutSection(body)
	if err != nil {
		return head, nil, err
	}
	if err := json.Unmarshal(doc, &head); err != nil {
		return head, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return head, engine, nil
}

// SnapshotRules are the rules that a snapshot of a partition was made by: their hash, and what they can be read from again, empty where the snapshot
// does not say. What the log has behind a snapshot was folded by them, whatever the files say by now.
func SnapshotRules(b []byte) (hash string, text []byte, err error) {
	head, _, err := openPartition(b)
	return head.Rules, head.Text, err
}
