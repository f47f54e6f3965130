package incident

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// MaxPins bounds the events that people pin to the summary of an incident; MaxPinText is what is told of one, in characters.
const (
	MaxPins    = 20
	MaxPinText = 300
)

// Pin is an event that somebody wants to be read with the summary. Its text is hostile to whoever shows it.
type Pin struct {
	Event event.ID
	Time  int64  // Of the event, microseconds.
	Text  string // What the event says, as it read when it was pinned: it may be gone from the store later.
	By    string
	At    int64 // Our clock, microseconds.
}

// pin puts an event into the summary.
func (s *Stitcher) pin(in *Incident, a Action) ([]Change, error) {
	if a.Pin == nil || a.Pin.Event.IsZero() {
		return nil, fmt.Errorf("%w: name the event to pin", ErrRefused)
	}
	if pinned(in, a.Pin.Event) >= 0 {
		return nil, fmt.Errorf("%w: the event is pinned already", ErrRefused)
	}
	if len(in.Pins) >= MaxPins {
		return nil, fmt.Errorf("%w: it has %d pinned events already; take one out first", ErrRefused, MaxPins)
	}
	if err := fits("what the event says", a.Pin.Text, MaxPinText); err != nil {
		return nil, err
	}
	p := Pin{Event: a.Pin.Event, Time: a.Pin.Time, Text: a.Pin.Text, By: a.By, At: a.At}
	return []Change{s.revise(in, ChangeUpdated, a.At, []string{"pins"}, func(x *Incident) {
		x.Pins = inTime(append(slices.Clone(in.Pins), p))
		remark(x, a)
	})}, nil
}

// unpin takes an event out of the summary.
func (s *Stitcher) unpin(in *Incident, a Action) ([]Change, error) {
	if a.Pin == nil || pinned(in, a.Pin.Event) < 0 {
		return nil, fmt.Errorf("%w: the event is not pinned", ErrRefused)
	}
	return []Change{s.revise(in, ChangeUpdated, a.At, []string{"pins"}, func(x *Incident) {
		i := pinned(in, a.Pin.Event)
		x.Pins = slices.Delete(slices.Clone(in.Pins), i, i+1)
		remark(x, a)
	})}, nil
}

// pinned is where an event stands among the pins; −1 if it does not.
func pinned(in *Incident, id event.ID) int {
	return slices.IndexFunc(in.Pins, func(p Pin) bool { return p.Event == id })
}

// inTime sorts pins by the time of their events.
func inTime(list []Pin) []Pin {
	slices.SortFunc(list, func(a, b Pin) int { return cmp.Or(cmp.Compare(a.Time, b.Time), a.Event.Compare(b.Event)) })
	return list
}

// joinPins are the pins of two incidents that become one; of too many the latest pinned go.
func joinPins(into, from *Incident) []Pin {
	if len(from.Pins) == 0 {
		return into.Pins
	}
	out := slices.Clone(into.Pins)
	for _, p := range from.Pins {
		if pinned(into, p.Event) < 0 {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Pin) int { return cmp.Or(cmp.Compare(a.At, b.At), a.Event.Compare(b.Event)) })
	return inTime(out[:min(len(out), MaxPins)])
}
