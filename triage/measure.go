package triage

import (
	"cmp"
	"slices"

	"github.com/tocsin-siem/tocsin/incident"
)

// Measured is what the measures of a SOC need of one incident. Moments are microseconds of our clock, but First; 0 is not yet, or not known.
type Measured struct {
	Status     incident.Status
	Verdict    incident.Verdict
	Severity   incident.Severity
	Team       string
	Rules      []string
	Zones      []string
	Sites      []string
	Findings   int
	First      int64 // Event time of the earliest evidence: the source's clock.
	Arrived    int64 // When the event that completed the first finding was received.
	Alerted    int64 // When the first finding was announced.
	Opened     int64
	Notified   int64 // When the first delivery arrived.
	Owed       bool  // Some endpoint has been told, or is to be.
	Viewed     int64
	Acked      int64
	Understood int64 // When all three answers had been given.
	Contained  int64
	Closed     int64
	Touched    bool  // A person did something with it.
	Reopened   int32 // How often.
	Detached   int32 // Findings that people took out of it.
	Revised    int32 // Answers changed after all three had been given.
	Hours      []WorkHour
}

// WorkHour is an hour in which somebody acted on an incident.
type WorkHour struct {
	By   string
	Hour int64 // When it began, unix seconds.
}

// Notify is the duration until endpoints are told.
const Notify = "notify"

// MeasuredOf is what is measured of an incident. zones are those of its entities; the slices are kept.
func MeasuredOf(in *incident.Incident, rules, zones []string) Measured {
	return Measured{
		Status: in.Status, Verdict: in.Verdict, Severity: in.Severity, Team: in.Owner, Rules: rules, Zones: zones, Sites: in.Sites, Findings: len(in.Findings),
		First: in.First, Arrived: in.Arrived, Alerted: in.Alerted, Opened: in.Opened, Viewed: in.Viewed, Acked: in.Acked, Understood: in.Understood, Contained: in.Contained,
		Closed: in.ClosedAt, Touched: in.Touched, Reopened: in.Reopened, Detached: in.Detached, Revised: in.Said.Revisions,
	}
}

// byPeople reports whether the incident is one that people work on: neither merged away, nor closed by us because its findings were withdrawn.
func (m *Measured) byPeople() bool {
	return m.Status != incident.Merged && (m.Status != incident.Closed || m.Touched)
}

// Spread is how long something took, over incidents. Those that have not come to it yet count as still running (they are censored), so that a
// quantile is not that of the quick ones alone: quantiles are those of the Kaplan-Meier estimate.
type Spread struct {
	Name     string  `json:"name"`
	Title    string  `json:"title"`
	N        int     `json:"n"`        // Incidents that came to it.
	Censored int     `json:"censored"` // Incidents that have not, and may.
	Skewed   int     `json:"skewed"`   // Incidents left out because their clocks disagree: it would have taken less than no time.
	Median   Seconds `json:"median"`
	P75      Seconds `json:"p75"`
	P90      Seconds `json:"p90"`
}

// Seconds is a duration; negative: not known, since too few have come so far.
type Seconds float64

// Known reports whether there is a value.
func (s Seconds) Known() bool { return s >= 0 }

// durations are what is measured: from where to where, and until when an incident that has not come there was watched. ok is false where
// the question does not arise.
var durations = []struct {
	name, title string
	of          func(m *Measured, now int64) (took int64, done, ok bool)
}{
	{"detect", "First event to first finding (MTTD)", func(m *Measured, _ int64) (int64, bool, bool) { return span(m.First, m.Alerted, 0) }},
	{"pipeline", "Record received to incident open", func(m *Measured, _ int64) (int64, bool, bool) { return span(m.Arrived, m.Opened, 0) }},
	{Notify, "Open to the first delivery that arrived", func(m *Measured, now int64) (int64, bool, bool) {
		took, done, ok := span(m.Opened, m.Notified, cmp.Or(m.Closed, now))
		return took, done, ok && m.Owed
	}},
	{"acknowledge", "Open to acknowledged (MTTA)", func(m *Measured, now int64) (int64, bool, bool) {
		took, done, ok := span(m.Opened, cmp.Or(m.Acked, m.Closed), now)
		return took, done, ok && m.byPeople()
	}},
	{"understand", "First look to understood (MTTU, analyst)", func(m *Measured, now int64) (int64, bool, bool) {
		took, done, ok := span(m.Viewed, m.Understood, cmp.Or(m.Closed, now))
		return took, done, ok && m.byPeople()
	}},
	{"understand_wall", "Open to understood (MTTU, wall clock)", func(m *Measured, now int64) (int64, bool, bool) {
		took, done, ok := span(m.Opened, m.Understood, cmp.Or(m.Closed, now))
		return took, done, ok && m.byPeople()
	}},
	{"contain", "Open to contained", func(m *Measured, now int64) (int64, bool, bool) {
		took, done, ok := span(m.Opened, m.Contained, now)
		return took, done, ok && m.byPeople() && (done || m.Closed == 0) // Not each needs it: one closed without did not.
	}},
	{"resolve", "Open to closed (MTTR)", func(m *Measured, now int64) (int64, bool, bool) {
		took, done, ok := span(m.Opened, m.Closed, now)
		return took, done, ok && m.byPeople()
	}},
}

// span is the time from one moment to another, or to when it was watched last.
func span(from, to, watched int64) (took int64, done, ok bool) {
	switch {
	case from == 0 || to == 0 && watched == 0:
		return 0, false, false
	case to == 0:
		return watched - from, false, true
	}
	return to - from, true, true
}

// Spreads measures every duration over the incidents, in fixed order.
func Spreads(list []Measured, now int64) []Spread {
	out := make([]Spread, 0, len(durations))
	samples := make([]sample, 0, len(list))
	for _, d := range durations {
		s := Spread{Name: d.name, Title: d.title}
		samples = samples[:0]
		for i := range list {
			took, done, ok := d.of(&list[i], now)
			switch {
			case !ok:
			case took < 0:
				s.Skewed++
			default:
				samples = append(samples, sample{took, done})
				if done {
					s.N++
				} else {
					s.Censored++
				}
			}
		}
		quantiles(samples, []float64{0.5, 0.75, 0.9}, []*Seconds{&s.Median, &s.P75, &s.P90})
		out = append(out, s)
	}
	return out
}

type sample struct {
	took int64
	done bool
}

// quantiles are those of the Kaplan-Meier estimate; -1 where it does not reach one. The samples are sorted.
func quantiles(samples []sample, at []float64, to []*Seconds) {
	for _, q := range to {
		*q = -1
	}
	slices.SortFunc(samples, func(a, b sample) int {
		done := func(x sample) int { // What ended at the moment at which another was last seen, ended before.
			if x.done {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.took, b.took), cmp.Compare(done(a), done(b)))
	})
	left, next := 1.0, 0
	for i, x := range samples {
		if !x.done {
			continue
		}
		atRisk := float64(len(samples) - i)
		left *= 1 - 1/atRisk
		for next < len(at) && 1-left >= at[next]-1e-9 {
			*to[next] = Seconds(float64(x.took) / 1e6)
			next++
		}
	}
}
