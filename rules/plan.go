package rules

import (
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
)

// Status says whether a rule runs and whether anyone is told.
type Status uint8

// The statuses of a rule.
const (
	Off Status = iota
	Shadow
	Live
)

// Plan is a rule reduced to what the engine executes. All durations are microseconds of event time. Plans are immutable.
type Plan struct {
	Rule     *Rule
	Branches []Branch // One, but for `any`.
	AtLeast  int      // How many branches must match under one key; 1 but for `any` with at_least.
	Within   int64    // Span between first and last branch of an `any` with at_least above 1.
	Vars     []Var    // All variables, in order of first appearance; Hit.Vars is indexed by it.
	Key      []int    // Indexes into Vars that every step and guard binds and every `per` of new and changed holds: the partition key, sorted by name. Hits of different keys never meet, so they may be folded apart. Empty: the key is the rule itself.
	Lateness int64
	Throttle Throttle
	Score    *expression.Fold // Integer 0 to 100; nil: from severity.
	Severity []SeverityIf     // The first whose When holds replaces the rule's severity.
	Excepted []int            // Indexes into Rule.Exceptions: those of whole matches.
	Slots    int              // Length of expression.Match.Hits: one slot for every step of every branch.
}

// Kind is the shape of a branch.
type Kind uint8

// The kinds of match. Any is not among them: it is several branches.
const (
	Event Kind = iota
	Sequence
	All
	Count
	Consecutive
)

// Branch is one pattern over the hits of a key. Within a key, Count and Consecutive group hits by all variables their step binds; the steps of
// Sequence and All agree on the variables they have in common.
type Branch struct {
	Kind           Kind
	Steps          []Step  // In order for Sequence; one for Event, Count and Consecutive.
	Guards         []Guard // unless
	Until          []Guard // cancels; Hit.Step counts Steps, then Guards, then Until.
	Within         int64   // Sequence, All: last − first ≤ Within, inclusive. Count: window (t − Within, t]. Consecutive: as Sequence.
	OrderTolerance int64
	SelectFirst    bool             // Sequence: keep the earliest start instead of the latest.
	AtLeast        int              // Count, Consecutive: how many; All: how many of the steps (0: all).
	Distinct       int              // Count: index into Hit.Fields whose distinct values are counted; −1: hits are counted.
	Measure        *Measure         // Count: what decides in place of the number of hits alone; nil: nothing.
	When           *expression.Fold // Consecutive: condition over a hit and the one before it (prev).
}

// Step is what one hit satisfies. Hit.Fields holds the values of Fields, then those of Values, in that order; indexes into it cover both.
type Step struct {
	ID       string
	Slot     int // Where the step's hits stand in expression.Match.Hits; −1 for guards and untils, whose hit is Match.Own.
	Classes  []event.ClassRef
	Listens  []*Rule           // Rules whose findings are the events of the step; it then has no Classes.
	Where    *expression.Event // nil: every event of the classes.
	Bind     []Binding
	BindAny  [][]Binding         // At least one group must bind and, in the fold, agree.
	Emit     []Binding           // Sets variables without joining.
	Fields   []*event.Field      // What hits of this step carry, named by fold-side expressions.
	Values   []*expression.Event // Computed at match time and carried too: lookups of fold-side expressions, New's value and freeze. A failed one is unknown.
	AtLeast  int                 // Satisfied by the n-th unconsumed hit; 1 if not given.
	Distinct int                 // Index into Hit.Fields; those AtLeast hits must differ in it; −1: no.
	Changed  *Changed
	New      *New
	Spike    *Spike
	Beacon   *Beacon
	Drop     *Drop
	Collect  []Collect
	Excepted []int // Indexes into Rule.Exceptions: events they hold for are invisible to the step.
}

// Binding takes a variable's value from an event: a canonical entity id, or a field; or from a finding: a variable of its rule.
type Binding struct {
	Var   int              // Index into Plan.Vars.
	Kind  event.EntityKind // Set for entities.
	Role  event.Role       // Narrows the entity; RoleNone takes the primary one.
	Field *event.Field     // Set for plain fields.
	Found string           // Set for variables of the rule listened to; Kind is that variable's.
}

// Var is a variable of a rule.
type Var struct {
	Name string
	Kind event.EntityKind // EntityNone for plain values.
}

// Collect gathers values of a field over the evidence.
type Collect struct {
	Name  string
	Field int // Index into Hit.Fields.
	Max   int
}

// GuardKind is where a guard looks.
type GuardKind uint8

// The kinds of guard. Between looks into the gap between two steps (or the whole match).
const (
	Before GuardKind = iota
	After
	Between
)

// Guard forbids: a hit of it in its stretch of time kills the match. As an until it kills open chains and blocks for QuietFor.
type Guard struct {
	Step     Step             // Classes, Where, Bind and Fields of the forbidden event.
	Before   int64            // Length of the stretch before Of (or the first step); 0: none.
	After    int64            // Length of the stretch after the completing hit; 0: none.
	Between  bool             // Looks between the steps From and To.
	Of       int              // Step the guard is about; −1: Before looks before the first, After after the last.
	From, To int              // Gap for Between, as step indexes; −1: whole match.
	When     *expression.Fold // Condition that cites steps of the match and the guard's own event; nil: none.
	QuietFor int64            // Untils only.
}

// Throttle folds a match within For of the last finding with the same Per values into that finding.
type Throttle struct {
	Per []int // Indexes into Plan.Vars; contains Key.
	For int64
}

// SeverityIf raises or lowers the severity of a match.
type SeverityIf struct {
	When     *expression.Fold
	Severity incident.Severity
}
