package format

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// Robots speak MQTT, and a bridge carries what they say to Kafka. Which robot spoke is then often told by the MQTT topic alone, and each bridge
// puts that elsewhere: into a header, the record's key, an envelope around the message, or the name of the Kafka topic.

// maxKey bounds the keys that are looked into.
const maxKey = 4 << 10

// topicHeader reports whether a header carries the MQTT topic, as mqtt_topic, mqtt.topic or topic do.
func topicHeader(name string) bool {
	return len(name) >= len("topic") && strings.EqualFold(name[len(name)-len("topic"):], "topic")
}

// keyText is the text a record's key holds: as it is, inside the quotes or the {schema, payload} of Kafka Connect's JsonConverter, the topic of an
// object, or behind a schema registry's frame. A key that is no text gives "".
func keyText(key []byte) string {
	if len(key) == 0 || len(key) > maxKey {
		return ""
	}
	if key[0] == 0 {
		if key = unframedKey(key); len(key) == 0 {
			return ""
		}
	}
	if key[0] == '"' || key[0] == '{' {
		if v, err := jsonscan.Parse(key); err == nil {
			return namedIn(v, 2)
		}
	}
	text := textOf(key)
	if binaryText(text) || !utf8.ValidString(text) {
		return ""
	}
	return text
}

// registryFrame is a zero and the number of a schema (Confluent wire format).
const registryFrame = 5

// unframedKey is the text behind a schema registry's frame: JSON, or an Avro string that takes up all the rest, also as the other branch of a union
// with null. nil where it is plainly neither.
func unframedKey(key []byte) []byte {
	if len(key) <= registryFrame {
		return nil
	}
	rest := key[registryFrame:]
	if rest[0] == '"' || rest[0] == '{' {
		if _, err := jsonscan.Parse(rest); err == nil {
			return rest
		}
	}
	if s := avroString(rest); s != nil {
		return s
	}
	if rest[0] == 0 || rest[0] == 2 { // Index 0 or 1 of the branch.
		return avroString(rest[1:])
	}
	return nil
}

// avroString is the text of an Avro string that b is and nothing else: its length as a zigzag number, then its bytes.
func avroString(b []byte) []byte {
	n, size := binary.Varint(b)
	if size <= 0 || n <= 0 || n != int64(len(b)-size) {
		return nil
	}
	return b[size:]
}

// namedIn is what a JSON key names: itself, or the first of the members by which bridges and connectors name where a record is from.
func namedIn(v jsonscan.Value, depth int) string {
	if v.Kind() != jsonscan.Object {
		return v.Text()
	}
	if depth == 0 {
		return ""
	}
	for _, name := range [...]string{"payload", "topic", "mqtt_topic", "mqttTopic", "robot", "robot_id", "serial", "serialNumber"} {
		if s := namedIn(v.Get(name), depth-1); s != "" {
			return s
		}
	}
	return ""
}

// kafkaTopic is the topic a record was read from, where the source has a pattern: it stands in the position, NAME/TOPIC, with #n behind it
// after a topic was made anew. "" for other sources.
func kafkaTopic(source string) string {
	_, topic, _ := strings.Cut(source, "/")
	if i := strings.LastIndexByte(topic, '#'); i > 0 && strings.Trim(topic[i+1:], "0123456789") == "" {
		topic = topic[:i]
	}
	return topic
}

// carrierName is the robot that the transport names, for messages that name none: by the MQTT topic in a header, by the record's key, or by the
// Kafka topic of a source with a pattern.
func carrierName(rec *event.Record) string {
	for i := range rec.Headers {
		h := &rec.Headers[i]
		if !topicHeader(h.Key) {
			continue
		}
		topic := keyText(h.Value)
		if strings.IndexByte(topic, '/') < 0 { // The header of a connector that names a Kafka topic.
			continue
		}
		if name := robotLevel(topic, '/'); name != "" {
			return name
		}
	}
	key := keyText(rec.Key)
	if strings.IndexByte(key, '/') >= 0 {
		key = robotLevel(key, '/')
	}
	if key != "" {
		return clip(key, 128)
	}
	return robotLevel(kafkaTopic(rec.Position.Source), '.')
}

// robotLevel is the level of a topic that names the robot: the last but for those that say what kind of message it is. Where that is a word for
// many robots, nothing is named.
func robotLevel(topic string, sep byte) string {
	for topic != "" {
		cut := strings.LastIndexByte(topic, sep)
		level := topic[cut+1:]
		topic = topic[:max(0, cut)]
		switch {
		case level == "transition_event": // It follows the node's name.
			topic = topic[:max(0, strings.LastIndexByte(topic, sep))]
		case level == "" || messageLevel(level):
		case groupLevel(level):
			return ""
		default:
			return clip(level, 128)
		}
	}
	return ""
}

// messageLevel reports whether a level of a topic names a kind of message.
func messageLevel(level string) bool {
	switch strings.ToLower(level) {
	case "rosout", "rosout_agg", "parameter_events", "diagnostics", "log", "logs", "message", "messages", "event", "events", "state", "status", "data",
		"raw", "json", "telemetry", "primary", "secondary", "rtde", "dashboard":
		return true
	}
	return false
}

// groupLevel reports whether a level of a topic names many robots, or a product.
func groupLevel(level string) bool {
	switch strings.ToLower(level) {
	case "ros", "ros2", "rt", "robot", "robots", "cobot", "cobots", "amr", "amrs", "agv", "agvs", "fleet", "ur", "universal_robots", "mqtt", "kafka":
		return true
	}
	return false
}

// wrapped is a message inside a string of its record.
type wrapped struct {
	doc   []byte // The message; nil where it is the record, or an object in it.
	place []byte // The string in the record, quotes included.
}

// unwrapString scans the message in the string at a slot: JSON as text or in base64. Where the string is neither, or there is none, ok is false and
// the result is left as it is.
func unwrapString(plan *jsonscan.Plan, r *jsonscan.Result, slot int) (w wrapped, ok bool, err error) {
	if r.Kind(slot) != jsonscan.String {
		return w, false, nil
	}
	text := r.Str(slot)
	doc := bytesOf(text)
	if i := firstVisible(doc); i < 0 || doc[i] != '{' {
		if doc = base64Object(text); doc == nil {
			return w, false, nil
		}
	}
	w = wrapped{doc: doc, place: r.Raw(slot)}
	if err := plan.Scan(doc, r); err != nil {
		return wrapped{}, false, Rejectf("json_payload", "the payload is not one strict JSON document: %s", err.Error())
	}
	return w, true, nil
}

// base64Object is the JSON object that s holds in base64, of either alphabet, with padding or without; nil if it holds none.
func base64Object(s string) []byte {
	s = strings.TrimRight(s, "=")
	if len(s) < 3 || s[0] != 'e' { // Six bits of '{'.
		return nil
	}
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		encoding = base64.RawURLEncoding
	}
	doc, err := encoding.DecodeString(s)
	if err != nil || doc[0] != '{' {
		return nil
	}
	return doc
}

// redact is redactEvents for parts of a wrapped message: the record keeps the message without them, as text.
func (w *wrapped) redact(events []event.Event, rec *event.Record, parts [][]byte) {
	at := offsetIn(rec.Value, w.place)
	if w.doc == nil || at < 0 {
		redactEvents(events, rec, parts)
		return
	}
	doc := masked(w.doc, `"[redacted]"`, parts)
	if doc == nil || len(events) == 0 {
		return
	}
	raw := append([]byte(nil), rec.Value[:at]...)
	raw = jsonscan.AppendString(raw, textOf(doc))
	raw = append(raw, rec.Value[at+len(w.place):]...)
	for i := range events {
		events[i].Envelope.Raw = raw
		events[i].Envelope.Quality |= event.Redacted
	}
}
