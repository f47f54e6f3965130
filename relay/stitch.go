package relay

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// RoleEpoch is the epoch of what follows from records of tocsin.findings: above every epoch that a process of role all begins, so that the
// two never mix. The number is the record's place plus one; see Incarnation.
const RoleEpoch = 1 << 32

const (
	stitchingMagic   = "TCST"
	stitchingVersion = 1
	maxOutcomes      = 1024 // actions whose outcome is remembered; the oldest go first
)

// Stitching is the fold of tocsin.findings: announcements and analysts' actions to incidents. Every member that folds the same records has the
// same state. It is not safe for concurrent use, keeps no clock and does no I/O.
type Stitching struct {
	stitcher *incident.Stitcher
	origin   Incarnation
	next     int64
	taken    map[int32]place
	outcomes map[event.ID]Outcome
	order    []event.ID // of outcomes, oldest first
	counts   StitchingCounts
}

// place is how far a partition of tocsin.hits has been announced.
type place struct {
	Frame      int64
	Part       int32
	Generation int32
}

// StitchingCounts is what has been taken and passed over since the state was made or restored.
type StitchingCounts struct {
	Taken    int64 // Announcements.
	Repeated int64 // Announcements of a frame that was announced already: after a crash, a rebalance or a second try to send.
	Outdated int64 // Of those, by a member that no longer owned the partition.
	Actions  int64
	Damaged  int64 // Records that are no announcement.
}

// Outcome is what became of an action.
type Outcome struct {
	Changes []incident.Change // Only as long as the process lives; a restored outcome has none.
	Err     error             // Wraps ErrStale, ErrUnknown or ErrRefused of incident; nil if it was carried out.
}

// Stitched is what follows from one record.
type Stitched struct {
	Batch    event.BatchID
	Findings []incident.Finding
	Changes  []incident.Change
}

// NewStitching makes an empty fold around an empty stitcher, which it then owns.
func NewStitching(s *incident.Stitcher) *Stitching {
	return &Stitching{stitcher: s, taken: map[int32]place{}, outcomes: map[event.ID]Outcome{}}
}

// Next is the offset of the next record to take.
func (s *Stitching) Next() int64 { return s.next }

// Incarnation is the one of the topic that the records are of.
func (s *Stitching) Incarnation() Incarnation { return s.origin }

// Identify notes the id of the topic that is read.
func (s *Stitching) Identify(topic string) { s.origin.Topic = topic }

// Begin goes on at the beginning of an incarnation of the topic. What the one before had and was not taken is lost, as after Jump.
func (s *Stitching) Begin(number int) {
	s.origin = Incarnation{Number: number}
	s.Jump(s.origin.at(0))
}

// Stitcher is the state for reading.
func (s *Stitching) Stitcher() *incident.Stitcher { return s.stitcher }

// Counts is a copy of the counters.
func (s *Stitching) Counts() StitchingCounts { return s.counts }

// Outcome is what became of an action; ok is false if it has not been folded, or too long ago.
func (s *Stitching) Outcome(action event.ID) (o Outcome, ok bool) {
	o, ok = s.outcomes[action]
	return o, ok
}

// BatchOf is the batch that the record at an offset of tocsin.findings counts as.
func BatchOf(offset int64) event.BatchID {
	return event.BatchID{Epoch: RoleEpoch, Number: uint64(offset) + 1}
}

// Take folds a record and gives what follows from it; ok is false if nothing does. A record that is in the state already is passed over.
//
// Who announces a frame first is believed, owner or not: a partition is a pure fold, so all who fold it say the same of a frame, in the order
// of frames and each from a state that was announced before it. To refuse a frame only because its sender's generation is over would lose
// it, if the sender saved a checkpoint behind it and the owner died before it came to that frame.
func (s *Stitching) Take(a *Announcement, offset int64) (out Stitched, ok bool) {
	if offset < s.next {
		return Stitched{}, false
	}
	s.next = offset + 1
	out.Batch = BatchOf(offset)
	switch {
	case a.Action != nil:
		out.Changes = s.act(a.Action, out.Batch)
	case s.fresh(a):
		out.Findings = a.Findings
		out.Changes = s.stitcher.Apply(a.Findings, a.Notes, out.Batch, a.Received)
	}
	return out, len(out.Findings)+len(out.Changes) > 0
}

// Pass goes over a record that is no announcement.
func (s *Stitching) Pass(offset int64) {
	if offset >= s.next {
		s.next = offset + 1
		s.counts.Damaged++
	}
}

// Jump goes on at an offset beyond Next, where the records in between are lost. What they would have changed stays unknown.
func (s *Stitching) Jump(to int64) { s.next = max(s.next, to) }

// fresh reports whether nobody has announced this part of this frame before.
func (s *Stitching) fresh(a *Announcement) bool {
	last, known := s.taken[a.Partition]
	if known && cmp.Or(cmp.Compare(a.Frame, last.Frame), cmp.Compare(a.Part, last.Part)) <= 0 {
		s.counts.Repeated++
		if a.Generation < last.Generation {
			s.counts.Outdated++
		}
		return false
	}
	s.counts.Taken++
	s.taken[a.Partition] = place{a.Frame, a.Part, max(last.Generation, a.Generation)}
	return true
}

// act carries out an action that was not seen before. One that was refused stays refused when it comes again, as its analyst was told.
func (s *Stitching) act(a *incident.Action, batch event.BatchID) []incident.Change {
	if _, done := s.outcomes[a.ID]; done {
		return nil
	}
	s.counts.Actions++
	changes, err := s.stitcher.Act(*a, batch)
	s.remember(a.ID, Outcome{changes, err})
	return changes
}

func (s *Stitching) remember(id event.ID, o Outcome) {
	s.outcomes[id] = o
	s.order = append(s.order, id)
	if len(s.order) > maxOutcomes {
		delete(s.outcomes, s.order[0])
		s.order = slices.Delete(s.order, 0, 1)
	}
}

// stitchingHead is the part of a snapshot before the stitcher's.
type stitchingHead struct {
	Next     int64
	Topic    string `json:",omitempty"` // Its id.
	Number   int    `json:",omitempty"` // Of its incarnation.
	Taken    []takenPlace
	Outcomes []pastOutcome
}

type takenPlace struct {
	Partition int32
	place
}

type pastOutcome struct {
	Action event.ID
	Kind   int    `json:",omitempty"` // Of the error, from 1: index into refusals; 0 for none.
	Text   string `json:",omitempty"`
}

var refusals = []error{incident.ErrStale, incident.ErrUnknown, incident.ErrRefused}

// refusal is an error that was read back.
type refusal struct {
	text string
	kind error
}

func (r refusal) Error() string { return r.text }
func (r refusal) Unwrap() error { return r.kind }

// Snapshot appends the state to b. The same state gives the same bytes.
func (s *Stitching) Snapshot(b []byte) ([]byte, error) {
	head := stitchingHead{Next: s.next, Topic: s.origin.Topic, Number: s.origin.Number}
	for _, n := range slices.Sorted(maps.Keys(s.taken)) {
		head.Taken = append(head.Taken, takenPlace{n, s.taken[n]})
	}
	for _, id := range s.order {
		o := pastOutcome{Action: id}
		if err := s.outcomes[id].Err; err != nil {
			o.Kind = 1 + slices.IndexFunc(refusals, func(kind error) bool { return errors.Is(err, kind) })
			o.Text = err.Error()
		}
		head.Outcomes = append(head.Outcomes, o)
	}
	return seal(b, stitchingMagic, stitchingVersion, func(b []byte) ([]byte, error) {
		b, err := putSection(b, func(b []byte) ([]byte, error) {
			doc, err := json.Marshal(head)
			return append(b, doc...), err
		})
		if err != nil {
			return b, fmt.Errorf("snapshot of findings: %w", err)
		}
		return s.stitcher.Snapshot(b)
	})
}

// Restore replaces the state by what Snapshot wrote. After an error, which says what is wrong, the state must not be used.
func (s *Stitching) Restore(b []byte) error {
	body, err := unseal(b, stitchingMagic, stitchingVersion)
	if err != nil {
		return fmt.Errorf("snapshot of findings: %w", err)
	}
	doc, stitcher, err := cutSection(body)
	if err != nil {
		return fmt.Errorf("snapshot of findings: %w", err)
	}
	var head stitchingHead
	if err := json.Unmarshal(doc, &head); err != nil {
		return fmt.Errorf("snapshot of findings: %w: %w", ErrDamaged, err)
	}
	if err := s.stitcher.Restore(stitcher); err != nil {
		return err
	}
	s.next, s.origin, s.order, s.counts = head.Next, Incarnation{head.Topic, head.Number}, nil, StitchingCounts{}
	clear(s.taken)
	clear(s.outcomes)
	for _, p := range head.Taken {
		s.taken[p.Partition] = p.place
	}
	for _, o := range head.Outcomes {
		s.remember(o.Action, Outcome{Err: o.err()})
	}
	return nil
}

func (o pastOutcome) err() error {
	if o.Text == "" {
		return nil
	}
	r := refusal{text: o.Text}
	if o.Kind >= 1 && o.Kind <= len(refusals) {
		r.kind = refusals[o.Kind-1]
	}
	return r
}
