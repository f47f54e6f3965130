package correlate

import (
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// traceKind is what happened to a hit, chain or match during a fold.
type traceKind uint8

// The kinds of trace.
const (
	traceReached   traceKind = iota + 1 // A chain reached a step.
	traceCounted                        // A window counts so many.
	traceComplete                       // A match is complete.
	traceExpired                        // A chain left its span.
	traceLeft                           // A hit left the window of a count.
	traceKilled                         // A guard or until killed.
	traceRefused                        // A guard before the match refused it.
	traceBlocked                        // An until keeps the rule quiet.
	traceGated                          // A modifier with memory did not let it pass.
	traceThrottled                      // Counted into an earlier finding.
	traceLate                           // Later than W.
	traceEvicted                        // No room.
	traceHeard                          // A finding of another rule became a hit.
	traceExcepted                       // An exception keeps the match from making a finding.
)

// trace is one thing an observer is told. What it points to must not be changed or kept beyond the call.
type trace struct {
	Kind   traceKind
	Rule   *rules.Rule
	Branch int
	Cell   *cell // The hit it is about; of a guard for Killed and Refused.
	Other  *cell
	Link   *link
	Match  *match
	At     int64
	Count  int
	Of     event.ID // The finding that a throttled match was counted into.
	Why    string   // What people are told beside the kind; "" for nothing.
}
