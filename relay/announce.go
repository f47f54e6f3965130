package relay

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

const (
	announcementMagic   = "TCAN"
	announcementVersion = 1
	announcementHead    = 1 << 10  // bytes of everything in an announcement but its lists, at most
	maxAnnouncement     = 16 << 20 // bytes; longer ones are not read
)

// MaxAnnouncement is how long a record of tocsin.findings becomes before an announcement is cut in parts, in bytes: below what brokers take
// as they come.
const MaxAnnouncement = 900 << 10

// ErrTooLong means that an action does not fit into a record.
var ErrTooLong = errors.New("too long for one record")

// announced is an announcement on its way out, its lists already in writing.
type announced struct {
	Partition  int32
	Frame      int64
	Part       int32
	Generation int32
	Received   int64
	Findings   []json.RawMessage `json:",omitempty"`
	Notes      []json.RawMessage `json:",omitempty"`
	Action     *incident.Action  `json:",omitempty"`
}

// Encode gives the records that say a, in order: one, or as many parts as keep each at or below MaxAnnouncement. The same announcement gives
// the same parts. A finding that alone is longer gives up evidence from its middle, and says how much. The error wraps ErrTooLong for an
// action that does not fit.
func (a *Announcement) Encode() ([][]byte, error) {
	part := announced{Partition: a.Partition, Frame: a.Frame, Generation: a.Generation, Received: a.Received, Action: a.Action}
	var out [][]byte
	size := 0
	flush := func() error {
		b, err := encodePart(&part)
		out = append(out, b)
		part.Part++
		part.Findings, part.Notes, size = part.Findings[:0], part.Notes[:0], 0
		return err
	}
	room := func(doc []byte) error {
		if size+len(doc) <= MaxAnnouncement-announcementHead || size == 0 {
			return nil
		}
		return flush()
	}
	for i := range a.Findings {
		doc, err := fitted(a.Findings[i])
		if err != nil {
			return nil, fmt.Errorf("announce finding %s: %w", event.FormatID(event.FindingPrefix, a.Findings[i].ID), err)
		}
		if err := room(doc); err != nil {
			return nil, err
		}
		part.Findings, size = append(part.Findings, doc), size+len(doc)+1
	}
	for i := range a.Notes {
		doc, err := json.Marshal(&a.Notes[i])
		if err != nil {
			return nil, fmt.Errorf("announce a change of %s: %w", a.Notes[i].Entity, err)
		}
		if err := room(doc); err != nil {
			return nil, err
		}
		part.Notes, size = append(part.Notes, doc), size+len(doc)+1
	}
	if err := flush(); err != nil {
		return nil, err
	}
	if a.Action != nil && len(out[0]) > MaxAnnouncement {
		return nil, fmt.Errorf("%w: the action has %d bytes and the most is %d; shorten its text", ErrTooLong, len(out[0]), MaxAnnouncement)
	}
	return out, nil
}

func encodePart(part *announced) ([]byte, error) {
	return seal(nil, announcementMagic, announcementVersion, func(b []byte) ([]byte, error) {
		doc, err := json.Marshal(part)
		return append(b, doc...), err
	})
}

// fitted writes a finding so that it fits into a record, as far as giving up evidence helps.
func fitted(f incident.Finding) (json.RawMessage, error) {
	for {
		doc, err := json.Marshal(&f)
		if err != nil || len(doc) <= MaxAnnouncement-announcementHead || len(f.Evidence) <= 2 {
			return doc, err
		}
		keep := len(f.Evidence) / 2
		first, last := f.Evidence[:(keep+1)/2], f.Evidence[len(f.Evidence)-keep/2:]
		f.Truncated += int32(len(f.Evidence) - keep)
		f.Evidence = append(append(make([]incident.Evidence, 0, keep), first...), last...)
	}
}

// DecodeAnnouncement reads a record of tocsin.findings. The error wraps ErrDamaged.
func DecodeAnnouncement(b []byte) (*Announcement, error) {
	if len(b) > maxAnnouncement {
		return nil, fmt.Errorf("announcement: %w: it has %d bytes and the most is %d", ErrDamaged, len(b), maxAnnouncement)
	}
	body, err := unseal(b, announcementMagic, announcementVersion)
	if err != nil {
		return nil, fmt.Errorf("announcement: %w", err)
	}
	a := &Announcement{}
	if err := json.Unmarshal(body, a); err != nil {
		return nil, fmt.Errorf("announcement: %w: %w", ErrDamaged, err)
	}
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("announcement: %w: %w", ErrDamaged, err)
	}
	return a, nil
}

// check refuses what no sender writes and the fold could not live with.
func (a *Announcement) check() error {
	switch {
	case a.Partition < ActionPartition:
		return fmt.Errorf("there is no partition %d", a.Partition)
	case (a.Partition == ActionPartition) != (a.Action != nil):
		return errors.New("an action stands where it does not belong, or is missing")
	case a.Action != nil && len(a.Findings)+len(a.Notes) > 0:
		return errors.New("an action comes alone")
	}
	for i := range a.Findings {
		f := &a.Findings[i]
		if f.State < incident.Provisional || f.State > incident.Withdrawn || f.Severity > incident.Fatal {
			return fmt.Errorf("finding %d has state %d and severity %d", i, f.State, f.Severity)
		}
		for _, e := range f.Evidence {
			if e.Event == nil {
				return fmt.Errorf("finding %d has evidence without an event", i)
			}
		}
	}
	for i := range a.Notes {
		if a.Notes[i].Ref == nil {
			return fmt.Errorf("note %d has no event", i)
		}
	}
	return nil
}
