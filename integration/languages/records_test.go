package languages_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/integration/broker"
)

// signIn is an event of Okta's System Log, to be told in three encodings.
type signIn struct {
	n       int
	at      time.Time // Whole milliseconds.
	user    string
	name    string
	address string
	reason  string // "": it succeeded.
	agent   bool   // The optional parts are there.
	proxy   *bool
}

func signIns(from, to int, began time.Time) (out []signIn) {
	reasons := []string{"", "INVALID_CREDENTIALS", "", "VERIFICATION_ERROR"}
	names := []string{"Jörg Weiß", `Ana "Field" Silva`, "李 雷"}
	for n := from; n < to; n++ {
		s := signIn{
			n: n, at: began.Add(time.Duration(n) * 1370 * time.Millisecond), user: fmt.Sprintf("guest%02d@plant.example", n), name: names[n%3],
			address: fmt.Sprintf("203.0.113.%d", 1+n), reason: reasons[n%4], agent: n%3 > 0,
		}
		if n%5 == 4 {
			s.address = fmt.Sprintf("2001:db8::%x", 0x100+n)
		}
		if n%2 == 0 {
			s.proxy = new(n%4 == 0)
		}
		out = append(out, s)
	}
	return out
}

// uuid is the event's own id. It has the encoding in it: one id would be one event, whoever tells it.
func (s signIn) uuid(encoding int) string {
	return fmt.Sprintf("3b0c9a10-77aa-11f1-8c%02d-%012d", encoding, s.n)
}

func (s signIn) published() string { return s.at.UTC().Format("2006-01-02T15:04:05.000Z") }

func (s signIn) result() string {
	if s.reason != "" {
		return "FAILURE"
	}
	return "SUCCESS"
}

const rawAgent = "Mozilla/5.0 (X11; Linux x86_64)"

func (s signIn) row() row {
	status := 1
	if s.reason != "" {
		status = 2
	}
	return row{Class: "authentication.logon", MS: s.at.UnixMilli(), User: s.user, Src: s.address, Dst: noAddress, Status: status, In: -1, Out: -1}
}

// Encodings of signIn, as uuid has them.
const (
	inJSON = iota + 1
	inAvro
	inProtobuf
)

type object = map[string]any

func document(o object) []byte {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err) // Of texts, numbers and maps.
	}
	return text
}

// json is the event as Okta writes it.
func (s signIn) json() []byte {
	o := object{
		"uuid": s.uuid(inJSON), "published": s.published(), "eventType": "user.session.start", "severity": "INFO", "displayMessage": "User login to Okta",
		"actor":           object{"id": fmt.Sprintf("00u%d", s.n), "type": "User", "alternateId": s.user, "displayName": s.name},
		"client":          object{"ipAddress": s.address, "userAgent": nil, "geographicalContext": nil},
		"outcome":         object{"result": s.result(), "reason": nil},
		"target":          nil,
		"debugContext":    object{"debugData": object{"requestUri": fmt.Sprintf("/login/%d", s.n), "risk": "{level=LOW}"}},
		"securityContext": object{"asNumber": 64500, "isProxy": s.proxy},
	}
	if s.reason != "" {
		o["outcome"] = object{"result": s.result(), "reason": s.reason}
	}
	if s.agent {
		o["client"] = object{
			"ipAddress": s.address, "userAgent": object{"rawUserAgent": rawAgent, "os": "Linux", "browser": "FIREFOX"},
			"geographicalContext": object{"city": "Lyon", "country": "France"},
		}
		o["target"] = []object{{"id": "0oa1", "type": "AppInstance", "alternateId": "Robot Console", "displayName": "Robot Console"}}
	}
	return document(o)
}

// avro is the event in Avro's JSON encoding, which names the branch of a union. With second it follows the second version of the schema.
func (s signIn) avro(second bool) []byte {
	text := func(s string) object { return object{"string": s} }
	o := object{
		"uuid": s.uuid(inAvro), "published": s.at.UnixMilli(), "eventType": "user.session.start", "severity": "INFO", "displayMessage": text("User login to Okta"),
		"actor":           object{"id": fmt.Sprintf("00u%d", s.n), "type": "User", "alternateId": s.user, "displayName": s.name},
		"client":          object{"ipAddress": text(s.address), "userAgent": nil, "geographicalContext": nil},
		"outcome":         object{"result": s.result(), "reason": nil},
		"target":          nil,
		"debugContext":    object{"debugData": object{"requestUri": fmt.Sprintf("/login/%d", s.n), "risk": "{level=LOW}"}},
		"securityContext": object{"asNumber": 64500, "isProxy": nil},
	}
	if s.proxy != nil {
		o["securityContext"] = object{"asNumber": 64500, "isProxy": object{"boolean": *s.proxy}}
	}
	if s.reason != "" {
		o["outcome"] = object{"result": s.result(), "reason": text(s.reason)}
	}
	if s.agent {
		o["client"] = object{
			"ipAddress":           text(s.address),
			"userAgent":           object{"plant.Agent": object{"rawUserAgent": rawAgent, "os": "Linux", "browser": "FIREFOX"}},
			"geographicalContext": object{"plant.Place": object{"city": "Lyon", "country": "France"}},
		}
		o["target"] = object{"array": []object{{"id": "0oa1", "type": "AppInstance", "alternateId": "Robot Console", "displayName": "Robot Console"}}}
	}
	if second {
		o["pipeline"] = text("blue")
	}
	return document(o)
}

// protobuf is the event in the text format of Protocol Buffers.
func (s signIn) protobuf() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `uuid: %q published: %q eventType: "user.session.start" severity: INFO displayMessage: "User login to Okta" `, s.uuid(inProtobuf), s.published())
	fmt.Fprintf(&b, `actor { id: "00u%d" type: "User" alternateId: %q displayName: %q } outcome { result: %q `, s.n, s.user, s.name, s.result())
	if s.reason != "" {
		fmt.Fprintf(&b, `reason: %q `, s.reason)
	}
	fmt.Fprintf(&b, `} client { ipAddress: %q `, s.address)
	if s.agent {
		fmt.Fprintf(&b, `userAgent { rawUserAgent: %q os: "Linux" browser: "FIREFOX" } geographicalContext { city: "Lyon" country: "France" }`, rawAgent)
	}
	b.WriteString(`} `)
	if s.agent {
		b.WriteString(`target { id: "0oa1" type: "AppInstance" alternateId: "Robot Console" displayName: "Robot Console" } `)
	}
	fmt.Fprintf(&b, `debugContext { debugData { key: "requestUri" value: "/login/%d" } debugData { key: "risk" value: "{level=LOW}" } } securityContext { asNumber: 64500 `, s.n)
	if s.proxy != nil {
		fmt.Fprintf(&b, `isProxy: %v `, *s.proxy)
	}
	b.WriteString(`}`)
	return []byte(b.String())
}

// row is what the store has to say of an event, as the statement of nothingIsMissing asks for it.
type row struct {
	Source             string
	Offset             int64
	Class              string
	MS                 int64 // Event time.
	User, Src, Dst     string
	Status             int
	In, Out            int64 // Bytes; -1 for not known.
	Robot, Found, Site string
}

// line is a record on its way. It becomes the event want or costs a reject with code.
type line struct {
	broker.Record
	code string
	want row
}

// good are records that become events, each with a key and headers, as they come in life.
func good[T any](all []T, value func(T) []byte, want func(T) row) (out []line) {
	for i, one := range all {
		out = append(out, line{Record: broker.Record{Key: fmt.Append(nil, "k", i), Value: value(one), Headers: []broker.Header{{Name: "traceparent", Value: []byte("00-01")}}}, want: want(one)})
	}
	return out
}

// noAddress is how the store writes none.
const noAddress = "::"

// oddHeaders are what headers may be: not text, empty, null, without a name, and twice the same.
var oddHeaders = []broker.Header{{Name: "trace", Value: []byte{0, 0xff, '\n'}}, {Name: "empty", Value: []byte{}}, {Name: "null"}, {Value: []byte("nameless")}, {Name: "trace", Value: []byte("again")}}

// poison is a record that costs a reject.
func poison(code string, value []byte) line {
	return line{Record: broker.Record{Key: append([]byte("poison "+code), 0xfe), Value: value, Headers: oddHeaders, Raw: true}, code: code}
}

// nothing are the records without content that every topic may hold.
func nothing() []line {
	return []line{
		poison("tombstone", nil),
		poison("empty", []byte{}),
		{Record: broker.Record{Raw: true}, code: "empty"}, // Neither key nor value: there is no key that could be gone.
		{Record: broker.Record{Key: []byte{}, Value: []byte{}, Raw: true}, code: "empty"},
	}
}

// conn is an entry of Zeek's conn.log.
func conn(n int, began time.Time) []byte {
	at := began.Add(time.Duration(n) * 250 * time.Millisecond)
	service := `service: "ssl"`
	if n%2 == 1 {
		service = ""
	}
	return fmt.Appendf(nil, `ts: %d.%03d uid: "C%06d" id { orig_h: "10.20.1.%d" orig_p: %d resp_h: "198.51.100.34" resp_p: 443 } proto: "tcp" %s duration: 4.25 orig_bytes: %d
		resp_bytes: 0 conn_state: "SF" orig_pkts: 40 resp_pkts: 3 history: "ShADadFf"`, at.Unix(), at.UnixMilli()%1000, n, 1+n, 40000+n, service, uint64(1)<<40+uint64(n))
}

func connRow(n int, began time.Time) row {
	return row{
		Class: "network_activity.traffic", MS: began.Add(time.Duration(n) * 250 * time.Millisecond).UnixMilli(), Src: fmt.Sprintf("10.20.1.%d", 1+n), Dst: "198.51.100.34", Status: 1,
		In: 0, Out: 1<<40 + int64(n), Site: "werk-1",
	}
}

// state is a VDA 5050 state that does not say whose it is: the MQTT topic does, which the bridge makes the key in one of its ways.
func state(n int, began time.Time) line {
	topic := fmt.Sprintf("plant/uagv/v2/acme/AMR-%04d/state", n)
	at := began.Add(time.Duration(n) * time.Second)
	value := fmt.Appendf(nil, `{"headerId":%d,"timestamp":"%s","version":"2.1.0","orderId":"o-%d","orderUpdateId":0,"lastNodeId":"n1","lastNodeSequenceId":2,"nodeStates":[],"edgeStates":[],`+
		`"driving":true,"actionStates":[],"batteryState":{"batteryCharge":%d.5,"charging":false},"operatingMode":"AUTOMATIC","errors":[],"safetyState":{"eStop":"NONE","fieldViolation":false}}`,
		1000+n, at.UTC().Format("2006-01-02T15:04:05.000Z"), n, 50+n)
	keys := []string{topic, string(document(object{"topic": topic})), `"` + topic + `"`, `{"schema":{"type":"string"},"payload":"` + topic + `"}`}
	return line{
		Record: broker.Record{Key: []byte(keys[n%len(keys)]), Value: value},
		want:   row{Class: "robot_state.state_report", MS: at.UnixMilli(), Src: noAddress, Dst: noAddress, In: -1, Out: -1, Robot: fmt.Sprintf("acme/AMR-%04d", n), Site: "werk-1"},
	}
}

// alert is a line of Suricata's EVE JSON.
func alert(n int, began time.Time) []byte {
	at := began.Add(time.Duration(n) * time.Second)
	return fmt.Appendf(nil, `{"timestamp":"%s","flow_id":%d,"event_type":"alert","src_ip":"10.40.1.%d","src_port":50000,"dest_ip":"10.20.1.10","dest_port":502,"proto":"TCP",`+
		`"alert":{"action":"allowed","gid":1,"signature_id":2250001,"rev":1,"signature":"PLANT write to a coil","category":"Potentially Bad Traffic","severity":2}}`,
		at.UTC().Format("2006-01-02T15:04:05.000000+0000"), 9000+n, 1+n)
}

func alertRow(n int, began time.Time) row {
	return row{
		Class: "detection_finding.create", MS: began.Add(time.Duration(n) * time.Second).UnixMilli(), Src: fmt.Sprintf("10.40.1.%d", 1+n), Dst: "10.20.1.10",
		In: -1, Out: -1, Found: "PLANT write to a coil", Site: "werk-1",
	}
}

// cut is a record without its last byte, which is inside a field of it.
func cut(t *testing.T, wire []byte) []byte {
	t.Helper()
	if len(wire) < 20 {
		t.Fatalf("the record is only % x", wire)
	}
	return wire[:len(wire)-1]
}
