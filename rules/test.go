package rules

import (
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// TestStart is the event time of offset 0 in a rule's tests, unless the test says otherwise: Monday 2026-01-05 10:00 UTC, in microseconds.
const TestStart = 1767607200_000000

// Test is one test of a rule: what is given, the events in the order written, and the findings that must come of them.
type Test struct {
	Name   string
	Line   int
	Start  int64 // Event time of offset 0, microseconds.
	Given  Given
	Events []TestEvent
	Fires  []Fire // In order of At; empty: the rule stays silent.
}

// TestEvent is an event of a test, with its entities found and its id computed from test and index.
type TestEvent struct {
	At    int64 // Offset from the test's start, microseconds.
	Event *event.Event
	Line  int
}

// Fire is a finding that a test expects.
type Fire struct {
	At       int64     // Offset of the completing event, microseconds.
	Vars     []VarWant // The variables to check, by name.
	Severity incident.Severity
	Score    int // −1: not checked.
	Line     int
}

// VarWant is the value a variable must have; an entity that the test names by its key alone is completed to kind:key.
type VarWant struct{ Name, Value string }

// Matches reports whether a finding's variable is the wanted one.
func (w VarWant) Matches(v incident.Var) bool { return v.Name == w.Name && v.Value == w.Value }

// Given is what a test takes as given. It satisfies expression.Lookups.
type Given struct {
	Lists    []GivenList
	Assets   []GivenAsset
	Windows  []GivenWindow
	Bindings []GivenBinding
	Seen     []GivenSeen
	Usual    []GivenUsual
}

// GivenList is a named list.
type GivenList struct {
	Name   string
	Values []string
}

// GivenAsset is an inventory entry.
type GivenAsset struct {
	ID     string
	Fields []GivenField
}

// GivenField is one attribute of an inventory entry.
type GivenField struct {
	Name  string
	Value event.FieldValue
}

// GivenWindow is an open window for an entity; times in milliseconds since the Unix epoch, From inclusive, To exclusive.
type GivenWindow struct {
	Kind     string
	Entity   string
	From, To int64
}

// GivenBinding joins an identifier to an entity for a time: the test's events see it as enrichment would have applied it.
type GivenBinding struct {
	Kind     event.EntityKind // Of the identifier: ip or mac.
	Key      string
	Entity   string // Canonical id.
	From, To int64  // Microseconds since the Unix epoch.
}

// InList implements expression.Lookups.
func (g *Given) InList(list, value string) bool {
	for _, l := range g.Lists {
		if l.Name == list {
			return slices.Contains(l.Values, value)
		}
	}
	return false
}

// InWindow implements expression.Lookups.
func (g *Given) InWindow(kind, entity string, at int64) bool {
	for _, w := range g.Windows {
		if w.Kind == kind && w.Entity == entity && w.From <= at && at < w.To {
			return true
		}
	}
	return false
}

// AssetField implements expression.Lookups.
func (g *Given) AssetField(id, field string) event.FieldValue {
	for _, a := range g.Assets {
		if a.ID != id {
			continue
		}
		for _, f := range a.Fields {
			if f.Name == field {
				return f.Value
			}
		}
	}
	return event.FieldValue{}
}
