package incident

import "github.com/tocsin-siem/tocsin/event"

// Status is where an incident is in its life.
type Status uint8

// The statuses of an incident.
const (
	Open Status = iota + 1
	Acknowledged
	Closed
	Merged // Folded into another incident, named by MergedInto.
)

var statusNames = [...]string{"", "open", "acknowledged", "closed", "merged"}

// String is the status as output writes it.
func (s Status) String() string { return statusNames[min(int(s), len(statusNames)-1)] }

// Verdict is what an analyst decided an incident was.
type Verdict string

// The verdicts.
const (
	Intrusion          Verdict = "intrusion"
	Misuse             Verdict = "misuse"
	PolicyViolation    Verdict = "policy_violation"
	AuthorisedActivity Verdict = "authorised_activity"
	Malfunction        Verdict = "malfunction"
	RuleFalsePositive  Verdict = "rule_false_positive"
	Duplicate          Verdict = "duplicate"
	TestActivity       Verdict = "test"
	Undetermined       Verdict = "undetermined"
)

// Verdicts lists every verdict, in the order of a picker.
func Verdicts() []Verdict {
	return []Verdict{Intrusion, Misuse, PolicyViolation, AuthorisedActivity, Malfunction, RuleFalsePositive, Duplicate, TestActivity, Undetermined}
}

// Incident is findings stitched by the entities they share. It is a value: a revision never changes once announced.
type Incident struct {
	ID         event.ID
	Revision   int32
	Status     Status
	Verdict    Verdict // Set when closed.
	Title      string
	Severity   Severity
	Score      int    // 0 to 100.
	Owner      string // Team: it, ot, robot-operations, facilities, safety.
	OwnerWhy   string // Why that team.
	Assignee   string
	MergedInto event.ID
	Touched    bool // An analyst acted on it: withdrawals no longer split it.

	First    int64 // Event time of the earliest evidence, microseconds.
	Last     int64 // Event time of the latest.
	Opened   int64 // Our clock, microseconds.
	Updated  int64 // Our clock, microseconds.
	Acked    int64 // Our clock; 0 before.
	ClosedAt int64 // Our clock; 0 before.

	Findings []Finding    // By (time, id); withdrawn ones are left out.
	Links    []Link       // Why the findings are together, by (A, B).
	Entities []Member     // Every entity of the evidence, by kind and id.
	Domains  []string     // Domains of the evidence, in the order of the lanes.
	Robots   []string     // Canonical ids of the robots affected.
	Changed  []event.Note // What changed in the hour before the first finding and since, by time; at most MaxNotes.
	Remarks  []Remark     // Analysts' notes, by time.
}

// MaxNotes bounds Incident.Changed.
const MaxNotes = 200

// Member is an entity of an incident.
type Member struct {
	ID       string
	Kind     event.EntityKind
	Strength event.Strength
	Roles    []event.Role
	Findings int  // In how many findings.
	Hub      bool // Too common to join by.
}

// Link says why two findings belong together.
type Link struct {
	A, B   event.ID
	Weight float64 // At or above 1 it joins.
	Shared []Shared
	Manual string // Who joined them by hand; "" for a computed link.
}

// Shared is one entity that two findings have in common, and what it counted.
type Shared struct {
	ID     string
	Kind   event.EntityKind
	Weight float64
	Hub    bool
}

// Remark is an analyst's note. Its text is hostile to whoever shows it.
type Remark struct {
	At   int64 // Our clock, microseconds.
	By   string
	Text string
}

// ChangeKind is what happened to an incident.
type ChangeKind string

// The kinds of change.
const (
	ChangeOpened       ChangeKind = "opened"
	ChangeUpdated      ChangeKind = "updated"
	ChangeAcknowledged ChangeKind = "acknowledged"
	ChangeEscalated    ChangeKind = "escalated"
	ChangeMerged       ChangeKind = "merged"
	ChangeSplit        ChangeKind = "split"
	ChangeClosed       ChangeKind = "closed"
	ChangeReopened     ChangeKind = "reopened"
)

// Change is one revision of an incident: what is stored, shown and delivered. Incident is the state after it.
type Change struct {
	Batch    event.BatchID // The log entry it follows from.
	Index    int           // Order within the batch.
	Kind     ChangeKind
	Fields   []string // What differs from the revision before, sorted.
	Actor    string   // rule:<id>, user:<name> or system.
	Origin   string   // Endpoint that caused it, so that it is not told its own news.
	Incident *Incident
}

// Action is an analyst's act, an entry of the log. Expected must be the incident's revision, or the action is refused.
type Action struct {
	ID       event.ID // Idempotency: an action seen again does nothing.
	Kind     ActionKind
	Incident event.ID
	Expected int32
	By       string
	At       int64 // Our clock, microseconds.
	Origin   string
	Verdict  Verdict    // Close.
	Text     string     // Reason or note.
	Into     event.ID   // Merge: the incident that survives.
	Findings []event.ID // Split, detach.
	Assignee string     // Assign.
}

// ActionKind is what an analyst can do.
type ActionKind string

// The actions.
const (
	ActionAcknowledge ActionKind = "acknowledge"
	ActionAssign      ActionKind = "assign"
	ActionNote        ActionKind = "note"
	ActionMerge       ActionKind = "merge"
	ActionSplit       ActionKind = "split"
	ActionDetach      ActionKind = "detach"
	ActionClose       ActionKind = "close"
	ActionReopen      ActionKind = "reopen"
)
