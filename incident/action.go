package incident

import "github.com/tocsin-siem/tocsin/event"

// Action is what somebody did, an entry of the log. For actions on an incident, Expected must be its revision, or the action is refused; see
// Stale for the exceptions.
type Action struct {
	ID       event.ID // Idempotency: an action seen again does nothing.
	Kind     ActionKind
	Incident event.ID
	Expected int32
	By       string
	At       int64 // Our clock, microseconds.
	Origin   string
	Verdict  Verdict    // Close, dispose.
	Text     string     // Reason or note.
	Into     event.ID   // Merge: the incident that survives.
	Findings []event.ID // Split, detach.
	Assignee string     // Assign.

	Status      Status        `json:",omitzero"`  // Dispose: Open, Acknowledged or Closed; 0 leaves it.
	When        int64         `json:",omitzero"`  // Contain, decide, dispose: when it happened, if not At, microseconds. It is kept within Opened and At.
	Contained   bool          `json:",omitzero"`  // Dispose: it has been contained, too.
	Until       int64         `json:",omitzero"`  // Snooze: our clock, microseconds.
	Said        *Said         `json:",omitempty"` // Answer: what is set of it is taken over.
	Ticket      *Ticket       `json:",omitempty"` // Ticket, dispose.
	Pin         *Pin          `json:",omitempty"` // Pin: the event, its time and what it says; unpin reads its Event only.
	Summary     *ModelSummary `json:",omitempty"` // Summarise.
	Undoes      event.ID      `json:",omitzero"`  // Undo: the action to undo; zero for the last one on the incident.
	Suppression *Suppression  `json:",omitempty"` // Suppress; unsuppress reads its ID only.
}

// ActionKind is what can be done.
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
	ActionView        ActionKind = "view"       // Somebody looked at it; only the first time counts.
	ActionAnswer      ActionKind = "answer"     // One or more of the three answers.
	ActionSnooze      ActionKind = "snooze"     // Out of the queue for a while; an escalation ends it.
	ActionUnsnooze    ActionKind = "unsnooze"   // Back into the queue.
	ActionContain     ActionKind = "contain"    // It was reported as contained.
	ActionDecide      ActionKind = "decide"     // It was decided what is to be done.
	ActionTicket      ActionKind = "ticket"     // Where it is worked on elsewhere.
	ActionPin         ActionKind = "pin"        // An event stands in the summary from now on.
	ActionUnpin       ActionKind = "unpin"      // It does so no longer.
	ActionUndo        ActionKind = "undo"       // Back to before an action, as long as nothing else has happened since.
	ActionDispose     ActionKind = "dispose"    // Status, verdict, ticket and comment in one, as another system reports them.
	ActionSummarise   ActionKind = "summarise"  // A model's summary is ready; no person does this.
	ActionSuppress    ActionKind = "suppress"   // A suppression or maintenance window; concerns no incident.
	ActionUnsuppress  ActionKind = "unsuppress" // Its end.
)

// ActionKinds lists every kind of action.
func ActionKinds() []ActionKind {
	return []ActionKind{
		ActionAcknowledge, ActionAssign, ActionNote, ActionMerge, ActionSplit, ActionDetach, ActionClose, ActionReopen, ActionView, ActionAnswer, ActionSnooze, ActionUnsnooze,
		ActionContain, ActionDecide, ActionTicket, ActionPin, ActionUnpin, ActionUndo, ActionDispose, ActionSummarise, ActionSuppress, ActionUnsuppress,
	}
}

// Said is what people answered to the three questions: malfunction or intrusion, which robots, what changed just before. All of its text is
// hostile to whoever shows it.
type Said struct {
	Assessment     string   `json:",omitempty"` // One of Assessments; "" not answered.
	AssessmentNote string   `json:",omitempty"`
	Scope          []string `json:",omitempty"` // Canonical ids of the robots confirmed to be affected, sorted.
	ScopeSet       bool     `json:",omitzero"`  // The scope is confirmed, if only that no robot is in it.
	Trigger        string   `json:",omitempty"` // What changed just before, or UnknownTrigger; "" not answered.
	TriggerEvent   event.ID `json:",omitzero"`  // The event that shows it, if one does.
	By             string   `json:",omitempty"` // Who answered last.
	At             int64    `json:",omitzero"`  // Our clock, microseconds.
	Revisions      int32    `json:",omitzero"`  // How often answers were changed after all three had been given.
}

// UnknownTrigger is the answer that nobody knows what changed.
const UnknownTrigger = "unknown"

// Assessments lists the answers to the first question.
func Assessments() []string {
	return []string{"intrusion", "misuse", "malfunction", "authorised_change", "undetermined"}
}

// Complete reports whether all three questions are answered.
func (s *Said) Complete() bool { return s.Assessment != "" && s.ScopeSet && s.Trigger != "" }

// Ticket is where an incident is worked on in another system. System and ID together name it.
type Ticket struct {
	System string
	ID     string
	URL    string `json:",omitempty"` // http or https.
}
