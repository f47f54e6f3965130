package incident

import (
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// Bounds of suppressions. Ended ones are kept to be shown, and go first.
const (
	MaxSuppressions     = 1000
	MaxSuppressionSpan  = 366 * 24 * hour // Microseconds.
	maxExpression       = 4000
	maxHidden           = 100_000 // Findings remembered as suppressed; the oldest are decided on anew.
	brokenWithoutReason = "this process has no compiler for expressions"
)

// hushed is the suppressions and what they keep out.
type hushed struct {
	list   []suppressed // In the order in which they were made.
	hidden map[event.ID]hidden
	shown  []Suppression // What Suppressions gave; nil when something has changed since.
}

type suppressed struct {
	Suppression
	match func(*Finding) bool // nil: Broken.
}

// hidden is a finding that is kept out.
type hidden struct {
	By   event.ID
	Time int64
	Gone bool `json:",omitzero"` // It was withdrawn.
}

type hiddenState struct {
	ID event.ID
	hidden
}

// Suppressions lists the suppressions, those that have ended as well, in the order in which they were made. The slice is never changed
// afterwards, and the same one comes again while nothing has changed.
func (s *Stitcher) Suppressions() []Suppression {
	if s.hushed.shown == nil {
		s.hushed.shown = make([]Suppression, len(s.hushed.list))
		for i := range s.hushed.list {
			s.hushed.shown[i] = s.hushed.list[i].Suppression
		}
	}
	return s.hushed.shown
}

// hide reports whether a finding is kept out of incidents, and marks it. That is decided when the finding is announced for the first time, and
// stays so: a suppression that comes later changes nothing for it, nor does the end of the one that keeps it out.
func (s *Stitcher) hide(f *Finding) bool {
	h, known := s.hushed.hidden[f.ID]
	if known {
		f.Suppressed = h.By
		if gone := f.State == Withdrawn; gone != h.Gone {
			h.Gone = gone
			s.hushed.hidden[f.ID] = h
			s.hushed.count(h.By, gone)
		}
		return true
	}
	if f.State == Withdrawn || len(s.hushed.list) == 0 || s.findings[f.ID] != nil || s.inDigest(f) {
		return false
	}
	for i := range s.hushed.list {
		x := &s.hushed.list[i]
		if x.match == nil || x.Revoked != 0 || f.Time < x.From || f.Time >= x.Until || !x.match(f) {
			continue
		}
		f.Suppressed = x.ID
		s.hushed.hidden[f.ID] = hidden{By: x.ID, Time: f.Time}
		s.hushed.count(x.ID, false)
		if len(s.hushed.hidden) > maxHidden {
			s.hushed.forgetOldest()
		}
		return true
	}
	return false
}

// inDigest reports whether a finding is in a digest already.
func (s *Stitcher) inDigest(f *Finding) bool {
	b, ok := s.breaker(f)
	if !ok {
		return false
	}
	p := s.floods.rule(f.Rule.ID).find(f.Time / b.Per)
	if p == nil {
		return false
	}
	_, in := slices.BinarySearchFunc(p.Folded, f.ID, event.ID.Compare)
	return in
}

// count adds a finding to what a suppression keeps out, or takes it off.
func (h *hushed) count(id event.ID, off bool) {
	for i := range h.list {
		if x := &h.list[i]; x.ID == id {
			h.shown = nil
			if x.Hits++; off {
				x.Hits -= 2
			}
		}
	}
}

func (h *hushed) forget(before int64) {
	for id, x := range h.hidden {
		if x.Time < before {
			delete(h.hidden, id)
		}
	}
}

// forgetOldest drops a tenth of what is remembered, so that it is rarely called.
func (h *hushed) forgetOldest() {
	times := make([]int64, 0, len(h.hidden))
	for _, x := range h.hidden {
		times = append(times, x.Time)
	}
	slices.Sort(times)
	h.forget(times[len(times)/10] + 1)
}

// suppress begins a suppression.
func (s *Stitcher) suppress(a Action) error {
	if a.Suppression == nil {
		return fmt.Errorf("%w: there is no suppression in it", ErrRefused)
	}
	x := *a.Suppression
	x.ID, x.By, x.At, x.Hits, x.Revoked, x.RevokedBy, x.Broken = a.ID, a.By, a.At, 0, 0, "", ""
	if err := checkSuppression(&x); err != nil {
		return err
	}
	if s.cfg.Compile == nil {
		return fmt.Errorf("%w: %s", ErrRefused, brokenWithoutReason)
	}
	match, err := s.cfg.Compile(x.Expression)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if len(s.hushed.list) >= MaxSuppressions && !s.hushed.dropEnded(max(s.newest, a.At)) {
		return fmt.Errorf("%w: there are %d suppressions already; revoke some", ErrRefused, MaxSuppressions)
	}
	s.hushed.list, s.hushed.shown = append(s.hushed.list, suppressed{x, match}), nil
	return nil
}

func checkSuppression(x *Suppression) error {
	for _, t := range []struct {
		what, text string
		most       int
	}{{"the title", x.Title, maxName}, {"the owner", x.Owner, maxName}, {"the reason", x.Reason, MaxText}, {"the expression", x.Expression, maxExpression}} {
		if t.text == "" {
			return fmt.Errorf("%w: %s is empty", ErrRefused, t.what)
		}
		if err := fits(t.what, t.text, t.most); err != nil {
			return err
		}
	}
	from := x.From
	if from == 0 {
		from = x.At
	}
	switch {
	case x.Until == 0:
		return fmt.Errorf("%w: it has no end; say until when it holds", ErrRefused)
	case x.From < 0 || x.Until <= from || x.Until-from > MaxSuppressionSpan:
		return fmt.Errorf("%w: its end must lie after its beginning, which is now where none is given, and at most a year later", ErrRefused)
	}
	return nil
}

// dropEnded makes room by forgetting the oldest suppression that has ended; ok is false if none has.
func (h *hushed) dropEnded(now int64) (ok bool) {
	i := slices.IndexFunc(h.list, func(x suppressed) bool { return x.Revoked != 0 || x.Until <= now })
	if i >= 0 {
		h.list, h.shown = slices.Delete(h.list, i, i+1), nil
	}
	return i >= 0
}

// unsuppress ends a suppression. What it kept out stays out.
func (s *Stitcher) unsuppress(a Action) error {
	if a.Suppression == nil {
		return fmt.Errorf("%w: name the suppression", ErrRefused)
	}
	for i := range s.hushed.list {
		x := &s.hushed.list[i]
		if x.ID != a.Suppression.ID {
			continue
		}
		if x.Revoked != 0 {
			return fmt.Errorf("%w: it was revoked already", ErrRefused)
		}
		x.Revoked, x.RevokedBy, s.hushed.shown = a.At, a.By, nil
		return nil
	}
	return fmt.Errorf("%w: no such suppression: %s", ErrUnknown, event.FormatID(event.SuppressionPrefix, a.Suppression.ID))
}

// state is what a snapshot keeps, in fixed order.
func (h *hushed) state() (list []Suppression, out []hiddenState) {
	for i := range h.list {
		x := h.list[i].Suppression
		x.Broken = "" // That is for the program to say that reads it.
		list = append(list, x)
	}
	for id, x := range h.hidden {
		out = append(out, hiddenState{id, x})
	}
	slices.SortFunc(out, func(a, b hiddenState) int { return a.ID.Compare(b.ID) })
	return list, out
}

func (h *hushed) restore(list []Suppression, kept []hiddenState, compile func(string) (func(*Finding) bool, error)) {
	for _, x := range list {
		y := suppressed{Suppression: x}
		if compile == nil {
			y.Broken = brokenWithoutReason
		} else if match, err := compile(x.Expression); err != nil {
			y.Broken = err.Error()
		} else {
			y.match = match
		}
		h.list = append(h.list, y)
	}
	for _, x := range kept {
		h.hidden[x.ID] = x.hidden
	}
}
