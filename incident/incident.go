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

	Ingested   int64 `json:",omitzero"` // Our clock: when the earliest evidence was received.
	Arrived    int64 `json:",omitzero"` // Our clock: when the event that completed the first of its findings was received.
	Alerted    int64 `json:",omitzero"` // Our clock: when the first of its findings was announced.
	Viewed     int64 `json:",omitzero"` // Our clock: when somebody first looked at it; 0 before.
	Decided    int64 `json:",omitzero"` // When it was decided what is to be done; 0 before.
	Contained  int64 `json:",omitzero"` // When it was reported as contained; 0 before.
	Understood int64 `json:",omitzero"` // Our clock: the first moment a person had answered all three questions; 0 before.
	Snoozed    int64 `json:",omitzero"` // Our clock: nobody wants to see it until then; 0 is not snoozed.

	Said     Said     `json:",omitzero"`  // What people answered to the three questions.
	Tickets  []Ticket `json:",omitempty"` // Where it is worked on elsewhere, in the order in which they were named.
	Pins     []Pin    `json:",omitempty"` // Events that people pinned to the summary, by time; at most MaxPins.
	Reopened int32    `json:",omitzero"`  // How often it was reopened.
	Detached int32    `json:",omitzero"`  // How many findings people took out of it.

	LastView int32 `json:",omitzero"` // The revision that only says that somebody looked; see Stale.
	LastAck  int32 `json:",omitzero"` // The revision that only says that somebody acknowledged.

	Summary   *ModelSummary `json:",omitempty"` // The last that a model made, where one is asked; nil: none.
	Summaries []int32       `json:",omitempty"` // The last revisions that only say that one is ready; see Stale.

	Findings []Finding    // By (time, id); withdrawn ones are left out.
	Links    []Link       // Why the findings are together, by (A, B).
	Entities []Member     // Every entity of the evidence, by kind and id.
	Domains  []string     // Domains of the evidence, in the order of the lanes.
	Robots   []string     // Canonical ids of the robots affected.
	Sites    []string     `json:",omitempty"` // Plants of its entities and of the sources of its evidence, sorted.
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
	ChangeSummaryReady ChangeKind = "summary_ready" // A model's summary is there; nothing else differs.
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
