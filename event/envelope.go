package event

import "time"

// Envelope is what Tocsin knows about an event beside what the event says: where it came from and how well it was understood.
type Envelope struct {
	// ID is set by a format where the source gives records an id of their own (NewID of the format and that id), else from the position.
	ID         ID
	Position   Position // Where the record stands in its source.
	Index      uint16   // Which event of the record this is, from 0.
	Format     string   // Format that decoded it, such as okta.
	Site       string
	Received   int64 // Microseconds since the Unix epoch, our clock.
	Raw        []byte
	TimeSource TimeSource
	Quality    Quality
}

// TimeSource says where an event's time came from.
type TimeSource uint8

// The sources of an event's time, best first.
const (
	TimeUnknown  TimeSource = iota
	TimeParsed              // Stated in the record with its zone.
	TimeHeader              // Taken from the transport's header, such as syslog.
	TimeZoneless            // Stated without a zone; the source's configured zone was assumed.
	TimeYearless            // Stated without a year; the year nearest the receive time was assumed.
	TimeReceived            // Not stated: the receive time, or in replay the previous event's time.
)

var timeSourceNames = [...]string{"unknown", "parsed", "header", "inferred-zone", "inferred-year", "receive"}

// String is the name used in columns and output.
func (t TimeSource) String() string { return timeSourceNames[min(int(t), len(timeSourceNames)-1)] }

// Quality is a set of flags on how well a record was understood.
type Quality uint16

// The quality flags.
const (
	Truncated    Quality = 1 << iota // Part of the record is missing.
	LossyDecode                      // Bytes were not valid text and were replaced.
	Recovered                        // The record broke its format's rules and was read by guesswork.
	UnmappedEnum                     // A code of the source has no OCSF value.
	Unmodelled                       // Passed through without a struct for its class.
	Future                           // Stamped ahead of the clock (N1); does not move the frontier.
	SchemaOdd                        // Violates the source's own published schema.
	Redacted                         // A secret was removed before storage.
	Upgraded                         // An older OCSF version was brought to 1.8.0.
)

var qualityNames = [...]string{"truncated", "lossy-decode", "recovered", "unmapped-enum", "unmodelled", "future", "schema-odd", "redacted", "upgraded"}

// Names lists the flags that are set, in fixed order.
func (q Quality) Names() []string {
	var names []string
	for i, n := range qualityNames {
		if q&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

// Position is a place in a source: for Kafka topic, partition and offset of the record; for files the source's name, 0 and the byte
// offset of the record's first byte since the source was first opened (rotation does not reset it).
type Position struct {
	Source    string // Configured name of the source; N1 keeps one frontier per source.
	Partition int32
	Offset    int64
}

// End says that everything of one partition before Offset is in the log. Cookie is the source's own note for finding the place again
// (a file's identity); nobody else reads it.
type End struct {
	Source    string
	Partition int32
	Offset    int64
	Cookie    string
	// Of the moment, not kept in the log: that nothing more was there when it was read up to here, and in which generation of its group the reader
	// had the partition, where readers share it.
	Drained    bool
	Generation int32
}

// Record is bytes as they came, with their position. Key and Value belong to the batch and are valid until its handler returns.
type Record struct {
	Value    []byte
	Wire     []byte // The bytes as they came, where Value was made from them (Avro, Protobuf); nil where Value is what came.
	Key      []byte
	Headers  []Header
	Context  []byte // Header lines in force for this record (Zeek and CSV column names); nil for formats without.
	Position Position
	Basis    ID // What the ids of its events are made from where the position says nothing lasting (HTTP, standard input); else zero.
	Format   string
	Site     string
	Received int64          // Microseconds since the Unix epoch.
	Carried  int64          // When the transport took the record on, by its own clock (Kafka's timestamp), in microseconds since the Unix epoch; 0: it does not say.
	Partial  bool           // Cut at the size bound, or segments of it never came.
	Unread   *Unread        // Why the source could not read the record; nil: it could. Value then is what bytes there are.
	Location *time.Location // Zone of stamps without one; nil means UTC.
}

// Unread says why a source could not read a record: it becomes a reject.
type Unread struct {
	Code   string // As of Reject.
	Reason string
}

// Header is one transport header of a record, such as an MQTT topic carried over Kafka.
type Header struct {
	Key   string
	Value []byte
}

// Reject is a record that could not become an event, kept whole with the reason.
type Reject struct {
	Position Position
	Format   string
	Received int64  // Microseconds since the Unix epoch.
	Code     string // Stable code, such as json_syntax; the formats' documentation lists them.
	Reason   string // One sentence: what is wrong and where.
	Raw      []byte // As it came.
	Key      []byte
	Headers  []Header
	Context  []byte // As of Record.
	Basis    ID     // As of Record.
	Partial  bool   // As of Record.
}
