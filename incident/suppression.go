package incident

import "github.com/tocsin-siem/tocsin/event"

// Suppression keeps findings out of incidents for a while: each finding it matches is stored and marked with its ID, and joins no incident. It
// touches nothing that is there when it comes: a finding that was announced before stays where it is. Times are microseconds.
type Suppression struct {
	ID          event.ID // That of the action that made it.
	Title       string
	Expression  string // Over a finding; see docs/triage.md.
	Owner       string // Who answers for it.
	Reason      string
	From        int64 // Event time; 0: at once.
	Until       int64 // Event time, exclusive; at most a year after its beginning.
	Maintenance bool  `json:",omitzero"` // A maintenance window: work that was announced.
	By          string
	At          int64  // Our clock: when it was made.
	Revoked     int64  `json:",omitzero"`  // Our clock; 0 while it holds.
	RevokedBy   string `json:",omitempty"` // Who revoked it.
	Hits        int64  // Findings it keeps out.
	Broken      string `json:",omitempty"` // Why the expression no longer compiles: such a suppression matches nothing.
}
