package incident

import (
	"strconv"

	"github.com/tocsin-siem/tocsin/event"
)

// Delivery is one change owed to one endpoint. What is owed is derived from changes, routes and settlements; a delivery exists once its
// first attempt has been recorded.
type Delivery struct {
	ID       event.ID // Hash of incident, revision and endpoint: the idempotency key receivers see.
	Endpoint string
	Change   Change
	Attempts int
	Next     int64 // Our clock, microseconds: not before.
	State    DeliveryState
	Error    string // The last failure.

	Spent    int    // Attempts made before it was replayed last: they count no more.
	Replayed int64  // Our clock, microseconds: when somebody asked for it to be sent again; 0 if nobody has.
	By       string // Who did.
	At       int64  // Our clock, microseconds: when this was recorded; set by the store.
	Reply           // What the last attempt came to.
}

// Reply is what an attempt was answered.
type Reply struct {
	Status int    // Of HTTP or SMTP; 0 if there was none.
	Answer string // At most 4 KiB of what the receiver said. It is hostile text.
	Took   int64  // Microseconds.
}

// DeliveryState is how far a delivery has come.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDone      DeliveryState = "delivered"
	DeliveryDead      DeliveryState = "dead"      // Given up; kept for replay.
	DeliveryCoalesced DeliveryState = "coalesced" // A newer snapshot replaced it before it was sent.
	DeliveryDigested  DeliveryState = "digested"  // Told as one of many in a digest.
)

// DeliveryID is the id of the delivery of a revision to an endpoint.
func DeliveryID(incident event.ID, revision int32, endpoint string) event.ID {
	return event.NewID("delivery", string(incident[:]), strconv.Itoa(int(revision)), endpoint)
}

// Answers are the three questions answered from the evidence alone, by fixed rules.
type Answers struct {
	Assessment    string  // malfunction, intrusion, misuse, authorised_change or undetermined.
	For           []Claim // Evidence for the assessment.
	Against       []Claim // Evidence against it.
	Affected      []Claim // Which robots, and how.
	ChangedBefore []Claim // What changed in the hour before the first finding, newest first.
	Text          string  // The three answers in a few plain sentences.
}

// Claim is a sentence with the events that prove it.
type Claim struct {
	Text   string
	At     int64 // Event time, microseconds; 0 if the claim has none.
	Weight int   // What it adds to the balance; 0 for claims outside it.
	Refs   []event.ID
}

// Moment is one row of an incident's timeline.
type Moment struct {
	At       int64  // Event time, microseconds.
	Seen     int64  // Our clock, microseconds.
	Lane     string // robot, identity, network_access, endpoint, ot_network, changes, analyst.
	Text     string
	Finding  event.ID // The finding it is evidence of, if any.
	Step     string
	Event    event.ID
	Class    string   // Class and activity of the event, such as robot_state.mode_change; "" if it is none.
	Entities []string // Canonical ids.
	Count    int      // How many like events it stands for; 1 mostly.
	Until    int64    // Event time of the last of them; 0 if it stands for one.
}
