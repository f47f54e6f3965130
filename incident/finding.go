// Package incident holds what correlation arrives at: findings with their evidence, incidents stitched from findings, and the changes that
// are announced to the world; and the pure functions that stitch, score and move incidents through their life. It has no clock and no I/O.
package incident

import "github.com/tocsin-siem/tocsin/event"

// Severity is OCSF severity_id.
type Severity uint8

// The severities.
const (
	Informational Severity = iota + 1
	Low
	Medium
	High
	Critical
	Fatal
)

var severityNames = [...]string{"unknown", "informational", "low", "medium", "high", "critical", "fatal"}

// String is the severity as rules, columns and output write it.
func (s Severity) String() string { return severityNames[min(int(s), len(severityNames)-1)] }

// SeverityOf is the severity with that name; 0 if there is none.
func SeverityOf(name string) Severity {
	for i, n := range severityNames {
		if i > 0 && n == name {
			return Severity(i)
		}
	}
	return 0
}

// State is where a finding is in its life (docs/rules.md, N4).
type State uint8

// The states of a finding.
const (
	Provisional State = iota + 1 // Seen; an event within lateness can still change it.
	Final                        // Nothing within lateness can change it any more.
	Withdrawn                    // A later scan no longer has it.
)

var stateNames = [...]string{"", "provisional", "final", "withdrawn"}

// String is the state as output writes it.
func (s State) String() string { return stateNames[min(int(s), len(stateNames)-1)] }

// Finding is a rule that matched, with its evidence. Its ID is computed from rule, version, key and completing event, so the same match
// found again is the same finding.
type Finding struct {
	ID           event.ID
	Revision     int32 // Grows with every announcement under the same ID, from 1.
	State        State
	Reason       string   // Why it was withdrawn, or what an analyst should know, such as "history: 3h of 72h".
	SupersededBy event.ID // The finding that took the evidence over, if withdrawn for that.

	Rule       RuleRef
	Shadow     bool // The rule runs in shadow: kept and shown, joins no live incident, nobody is told.
	Key        string
	Vars       []Var
	Time       int64 // Event time of the completing hit, microseconds.
	First      int64 // Event time of the earliest evidence.
	Seen       int64 // Receive time of the completing event: our clock.
	Score      int   // 0 to 100.
	Severity   Severity
	Evidence   []Evidence
	Collected  []Collected
	Repeats    int32      // Further matches that the throttle counted into this one.
	LastRepeat int64      // Event time of the last of them.
	Truncated  int32      // Evidence left out because of a bound.
	Upstream   []Upstream `json:",omitempty"` // Findings of other rules it follows from; their evidence is its own.
	Digest     *Digest    `json:",omitempty"` // Set for a finding that stands for many; see Flood.
	Suppressed event.ID   `json:",omitzero"`  // The suppression that keeps it out of incidents; zero if none does.
	Announced  int64      `json:",omitzero"`  // Within an incident: our clock when it was announced first, microseconds; 0 elsewhere, and where that is forgotten.
	Notes      []string   // Remarks such as "order not certain within 5s" or "history: 3h of 72h".
}

// RuleRef names the rule behind a finding, with what readers of a finding need of it.
type RuleRef struct {
	ID       string
	Version  int32
	Title    string
	Tags     []string
	Owner    string // Team the rule suggests, if it does.
	Response string // Response hint of the rule.
	Flood    Flood  `json:",omitzero"` // The rule's own breaker, if it has one.
}

// Var is a variable the match bound.
type Var struct {
	Name  string
	Value string // Canonical entity id or plain value.
}

// Evidence is one event of a match, at the step it satisfied.
type Evidence struct {
	Step  string
	Event *event.Ref
}

// Upstream is a finding that another finding follows from.
type Upstream struct {
	Step    string // The step that listened; with / between, the path of steps through rules in between.
	Finding event.ID
	Rule    string
	Version int32
}

// Collected is the list a count gathered under a name.
type Collected struct {
	Name   string
	Values []string
}
