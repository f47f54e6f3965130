package event

// Hit says that an event satisfied a step of a rule. Hits are what the fold works on and what the log keeps: findings follow from hits alone.
// A hit is immutable once made.
type Hit struct {
	Rule    string       // Rule id.
	Version int32        // Rule version.
	Branch  uint8        // Branch of the plan; 0 for all kinds but any.
	Step    uint8        // Index into the branch's steps; guards and untils follow the steps in order.
	Key     string       // Values of the plan's key variables, joined by the unit separator; "" where the key is the rule itself.
	Vars    []string     // Values by the plan's variable order; "" is unbound.
	Fields  []FieldValue // Values of the fields that fold-side expressions name, by the step's field order.
	Ref     *Ref         // The event, shared by all of its hits.
}

// FieldValue is one value a hit carries. Known is false for unknown, whatever the rest says.
type FieldValue struct {
	Kind  Kind
	Known bool
	Str   string
	Num   int64 // Int and time (milliseconds); Bool as 0 or 1.
	Flt   float64
	Lst   []string
}

// Ref is the small self-contained part of an event that is kept as evidence.
type Ref struct {
	Event        ID
	Time         int64  // Event time, microseconds.
	Received     int64  // Our clock, microseconds.
	Sequence     string // Tie key among equal times: the source's position; never the order of arrival.
	ClassUID     uint32
	Activity     uint16
	ActivityName string
	Severity     uint8
	Status       uint8
	Future       bool
	Domain       string // identity, network_access, endpoint, device_management, network, ot, robot, change.
	Source       string
	Format       string
	Site         string `json:",omitempty"` // Plant the source belongs to.
	Summary      string // One line of our own words with the event's values.
	Entities     []EntityRef
}

// Note is one thing that changed: what an incident's "what changed just before" is made of.
type Note struct {
	Entity string // Canonical id of what changed.
	What   string // firmware, mode, program, map, safety_checksum, role, policy, vlan, posture, ticket, account.
	Prev   string // Value before; "" if not known.
	Value  string // Value after.
	Actor  string // Canonical id of who did it, if the event says.
	Ref    *Ref
	Stated bool // An observation: the event says what the value is, and whether that is a change is for the register to decide.
}
