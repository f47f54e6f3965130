package console

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Bounds of what an address may ask of a timeline.
const (
	maxValues = 20
	maxValue  = 300
)

// wider are the minutes by which a timeline may be widened.
var wider = []int{5, 15, 60}

// trailView is the state of a timeline, all of it in the address: what else happened around, whose rows are in and out, and by which clock.
type trailView struct {
	Around   int      // Minutes before and after; 0: the incident alone.
	At       event.ID // Around this event only; zero: around the whole incident.
	In, Out  []string // Values: user:x, robot:x …, class:x, lane:x, rule:x, finding:fi_…
	Received bool     // Placed and ordered by when we received it instead of when it happened.
}

// trailViewOf reads an address. What it cannot mean is refused, so that a link never shows something else than it says.
func trailViewOf(q url.Values) (trailView, error) {
	var v trailView
	if s := q.Get("around"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || !slices.Contains(wider, n) {
			return v, fmt.Errorf("%w: around is one of %s minutes, not %q", errBadRequest, choices(wider), clip(20, s))
		}
		v.Around = n
	}
	if s := q.Get("at"); s != "" {
		id, err := event.ParseID(event.EventPrefix, s)
		if err != nil {
			return v, fmt.Errorf("%w: at: %w", errBadRequest, err)
		}
		v.At = id
	}
	switch s := q.Get("clock"); s {
	case "", "event":
	case "received":
		v.Received = true
	default:
		return v, fmt.Errorf("%w: clock is event or received, not %q", errBadRequest, clip(20, s))
	}
	for _, side := range []struct {
		name string
		list *[]string
	}{{"in", &v.In}, {"out", &v.Out}} {
		for _, s := range q[side.name] {
			s = typed(s)
			switch {
			case s == "" || slices.Contains(*side.list, s):
				continue
			case len(*side.list) == maxValues:
				return v, fmt.Errorf("%w: more than %d values of %s", errBadRequest, maxValues, side.name)
			case len(s) > maxValue:
				return v, fmt.Errorf("%w: a value of %s has more than %d bytes", errBadRequest, side.name, maxValue)
			}
			*side.list = append(*side.list, s)
		}
	}
	return v, nil
}

// Query is the state as addresses carry it, always the same for the same state; "" for the plain timeline.
func (v trailView) Query() string {
	q := url.Values{}
	if v.Around != 0 {
		q.Set("around", strconv.Itoa(v.Around))
		if !v.At.IsZero() {
			q.Set("at", v.At.String())
		}
	}
	if v.Received {
		q.Set("clock", "received")
	}
	q["in"], q["out"] = v.In, v.Out
	return q.Encode()
}

// widened is the view with other minutes around; at zero around the whole incident.
func (v trailView) widened(minutes int, at event.ID) trailView {
	v.Around, v.At = minutes, at
	return v
}

// otherClock is the view by the other clock.
func (v trailView) otherClock() trailView {
	v.Received = !v.Received
	return v
}

// with is the view in which only rows with the value are in, or none of them.
func (v trailView) with(value string, in bool) trailView {
	v = v.without(value)
	if in {
		v.In = append(v.In, value)
	} else {
		v.Out = append(v.Out, value)
	}
	return v
}

// without is the view that does not ask for the value.
func (v trailView) without(value string) trailView {
	drop := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == value })
	}
	v.In, v.Out = drop(v.In), drop(v.Out)
	return v
}

// shows reports whether a moment is in: of every kind of value that is asked for it has one, and none that is out.
func (v trailView) shows(values []string) bool {
	for _, out := range v.Out {
		if among(values, out) {
			return false
		}
	}
	met := map[string]bool{}
	for _, in := range v.In {
		kind, _, _ := strings.Cut(in, ":")
		met[kind] = met[kind] || among(values, in)
	}
	for _, ok := range met {
		if !ok {
			return false
		}
	}
	return true
}

// among reports whether a value is among values; a class stands for its activities.
func among(values []string, want string) bool {
	return slices.ContainsFunc(values, func(s string) bool {
		return s == want || strings.HasPrefix(want, "class:") && strings.HasPrefix(s, want+".")
	})
}

// valuesOf are what a moment can be filtered by.
func valuesOf(m *incident.Moment, rules map[event.ID]string) []string {
	out := make([]string, 0, len(m.Entities)+4)
	out = append(append(out, "lane:"+m.Lane), m.Entities...)
	if m.Class != "" {
		out = append(out, "class:"+m.Class)
	}
	if !m.Finding.IsZero() {
		out = append(out, "finding:"+event.FormatID(event.FindingPrefix, m.Finding))
		if r := rules[m.Finding]; r != "" {
			out = append(out, "rule:"+r)
		}
	}
	return out
}
