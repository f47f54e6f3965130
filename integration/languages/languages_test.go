package languages_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/integration/broker"
)

func TestRecordsOfOtherLanguagesArriveInEveryEncodingAndPoisonCostsOneReject(t *testing.T) {
	needEngine(t)
	o := &floor{b: broker.Start(t), schemas: newSchemas(t), began: time.Now().Add(-10 * time.Minute).Truncate(time.Second)}
	o.plant = newPlant(t, fmt.Sprintf("kafka:\n  brokers: [%q]\n  dead_letter: %s\n  registry: {url: %q}\n", o.b.Addr(), letters, o.schemas.url)+sources)
	for _, topic := range topics {
		o.b.CreateTopic(topic, 1, nil)
	}
	o.start()

	o.signIns()
	o.others()
	o.lettersFindNoTopic()
	o.heard("logons", "logons-avro", "logons-proto", "sensor", "fleet", "ids/plant.eve.hall1", "ids/plant.eve.hall2")
	if c := o.health()["schema registry"]; !c.Good {
		t.Errorf("the schema registry answers, and health says %+v", c)
	}
	o.registryAway()
	o.rejectsAreWhole()
	o.lettersAreWhole()
	o.unknownSchemaIsLearned()
	o.sameInAllEncodings()
	o.stop()
	o.nothingIsMissing()
}

// signIns sends the same sign-ins in three encodings, with what spoils each in the middle.
func (o *floor) signIns() {
	first, rest := signIns(0, 6, o.began), signIns(6, 12, o.began)
	o.json = o.b.Producer(topics["logons"], map[string]string{"compression.type": "gzip"}, nil)
	o.say(o.json, "logons", good(first, signIn.json, signIn.row)...)
	o.say(o.json, "logons", poison("json_utf8", []byte("{\"eventType\": \"user.session.start\", \xff")), poison("wrong_format", []byte(`{"hello":"world"}`)))
	o.say(o.json, "logons", nothing()...)
	o.say(o.json, "logons", good(rest, signIn.json, signIn.row)...)

	o.avro = o.b.Producer(topics["logons-avro"], map[string]string{"compression.type": "lz4"}, &broker.Schema{Encoding: "avro", Text: signInAvro1, ID: signInSchema})
	v1 := func(s signIn) []byte { return s.avro(false) }
	o.say(o.avro, "logons-avro", good(first, v1, signIn.row)...)
	wire := o.read(topics["logons-avro"])[0].Value // As the Java client's Avro has it.
	o.say(
		o.avro, "logons-avro",
		poison("registry_schema_unknown", framed(unknownSchema, bytes.ReplaceAll(wire[5:], []byte(first[0].uuid(inAvro)), []byte(signIn{n: learned}.uuid(inAvro)))...)),
		poison("avro_decode", cut(o.t, wire)),
		poison("avro_decode", append(slices.Clone(wire), 0)),
		poison("registry_frame", first[0].json()),
		poison("registry_frame", wire[:4]),
		poison("registry_schema_type", framed(plantSchema, wire[5:]...)),
	)
	o.say(o.avro, "logons-avro", nothing()...)
	o.say(o.avro, "logons-avro", good(rest, v1, signIn.row)...)

	o.proto = o.b.Producer(topics["logons-proto"], map[string]string{"compression.type": "zstd"}, &broker.Schema{Encoding: "protobuf", Text: descriptor(o.t, plantProto), ID: plantSchema, Message: signInMessage})
	o.say(o.proto, "logons-proto", good(first, signIn.protobuf, signIn.row)...)
	wire = o.read(topics["logons-proto"])[0].Value
	message := wire[7:] // Behind the frame, how many indexes, and the index.
	o.say(
		o.proto, "logons-proto",
		poison("registry_frame", indexed(plantSchema, []int64{7}, message...)),
		poison("registry_frame", indexed(plantSchema, []int64{2, 0, 0, 99}, message...)),
		poison("registry_frame", indexed(plantSchema, []int64{-1}, message...)),
		poison("protobuf_decode", cut(o.t, wire)),
		poison("registry_schema_unknown", indexed(unknownSchema+1, []int64{2}, message...)),
		poison("wrong_format", indexed(plantSchema, []int64{0})), // A good message, and none of the format's.
	)
	o.say(o.proto, "logons-proto", nothing()...)
	o.say(o.proto, "logons-proto", good(rest, signIn.protobuf, signIn.row)...)
}

// learned is the sign-in whose schema the registry learns late.
const learned = 900

// others sends what the other sources read.
func (o *floor) others() {
	numbers := func(from, to int) (out []int) {
		for n := from; n < to; n++ {
			out = append(out, n)
		}
		return out
	}
	conns, connRows := func(n int) []byte { return conn(n, o.began) }, func(n int) row { return connRow(n, o.began) }
	p := o.b.Producer(topics["sensor"], nil, &broker.Schema{Encoding: "protobuf", Text: descriptor(o.t, plantProto), ID: plantSchema, Message: connMessage})
	o.say(p, "sensor", good(numbers(0, 10), conns, connRows)...)
	wire := o.read(topics["sensor"])[0].Value
	o.say(
		p, "sensor",
		poison("registry_frame", indexed(plantSchema, []int64{1, 5}, wire[8:]...)),
		poison("protobuf_decode", cut(o.t, wire)),
		poison("wrong_format", indexed(plantSchema, []int64{1})), // The message around the entry.
	)
	o.say(p, "sensor", nothing()...)
	o.say(p, "sensor", good(numbers(10, 20), conns, connRows)...)
	p.Close()

	var states []line
	for n := range 8 {
		states = append(states, state(n, o.began))
	}
	nameless := state(99, o.began)
	nameless.Key, nameless.Headers, nameless.code = []byte("bridge-7"), oddHeaders, "wrong_format" // A key that names no robot.
	p = o.b.Producer(topics["fleet"], map[string]string{"compression.type": "snappy"}, nil)
	o.say(p, "fleet", states[:4]...)
	o.say(p, "fleet", poison("json_syntax", []byte(`{"headerId":1,"timestamp":`)), nameless)
	o.say(p, "fleet", nothing()...)
	o.say(p, "fleet", states[4:]...)
	p.Close()

	alerts, alertRows := func(n int) []byte { return alert(n, o.began) }, func(n int) row { return alertRow(n, o.began) }
	client := o.franz(kgo.ProducerBatchCompression(kgo.SnappyCompression()))
	for hall, from := range map[string]int{"ids/plant.eve.hall1": 0, "ids/plant.eve.hall2": 100} {
		o.sayFranz(client, hall, good(numbers(from, from+5), alerts, alertRows)...)
		o.sayFranz(client, hall, poison("json_syntax", framed(plantSchema, []byte(`{"timestamp":"2026"}`)...)), poison("json_syntax", []byte("half a line")))
		o.sayFranz(client, hall, nothing()...)
		o.sayFranz(client, hall, good(numbers(from+5, from+10), alerts, alertRows)...)
	}
}

// lettersFindNoTopic looks at the health while the dead-letter topic is missing, and then makes it.
func (o *floor) lettersFindNoTopic() {
	o.t.Helper()
	c := func() console.Check { return o.health()["dead letters"] }
	o.eventually(func() bool { return c().Name != "" && !c().Good && strings.Contains(c().Detail, "reading waits") }, func() string { return fmt.Sprintf("health says that rejects find no topic: %+v", o.health()) })
	o.t.Logf("health: %s", c().Detail)
	o.b.CreateTopic(letters, 2, map[string]string{"max.message.bytes": "20971520"})
	o.eventually(func() bool { return c().Good }, func() string { return fmt.Sprintf("rejects find their topic: %+v", o.health()) })
}

// registryAway takes the registry away while records with a new schema come: their source waits, the others go on. So it is after a restart, when
// no schema is known any more. When the registry is back, everything is read.
func (o *floor) registryAway() {
	t := o.t
	t.Helper()
	o.schemas.away.Store(true)
	before := o.readTo("logons-avro")
	next := o.b.Producer(topics["logons-avro"], nil, &broker.Schema{Encoding: "avro", Text: signInAvro2, ID: signInSchema2})
	v2 := func(s signIn) []byte { return s.avro(true) }
	o.say(next, "logons-avro", good(signIns(12, 14, o.began), v2, signIn.row)...)
	o.say(o.json, "logons", good(signIns(12, 14, o.began), signIn.json, signIn.row)...)
	o.say(o.proto, "logons-proto", good(signIns(12, 14, o.began), signIn.protobuf, signIn.row)...)
	o.waitsForRegistry("logons-avro")
	o.heard("logons", "logons-proto") // The schema of the latter is known.
	o.stop()
	o.start()
	o.say(next, "logons-avro", good(signIns(14, 16, o.began), v2, signIn.row)...)
	o.say(o.json, "logons", good(signIns(14, 16, o.began), signIn.json, signIn.row)...)
	o.say(o.proto, "logons-proto", good(signIns(14, 16, o.began), signIn.protobuf, signIn.row)...)
	o.waitsForRegistry("logons-avro", "logons-proto")
	o.heard("logons")
	if at := o.readTo("logons-avro"); at > before {
		t.Errorf("without its schema logons-avro was read from %d to %d", before, at)
	}
	o.schemas.away.Store(false)
	o.heard("logons", "logons-avro", "logons-proto")
	o.eventually(func() bool { return o.health()["schema registry"].Good }, func() string { return fmt.Sprintf("the registry is well again: %+v", o.health()) })
	for _, p := range []*broker.Producer{next, o.json, o.avro, o.proto} {
		p.Close()
	}
}

// waitsForRegistry waits until health says so, and that these sources wait.
func (o *floor) waitsForRegistry(sources ...string) {
	t := o.t
	t.Helper()
	o.eventually(func() bool {
		c := o.health()["schema registry"]
		return c.Name != "" && !c.Good && !slices.ContainsFunc(sources, func(s string) bool { return !strings.Contains(c.Detail, s+" (") })
	}, func() string {
		return fmt.Sprintf("health says that the registry is away and %v wait: %+v", sources, o.health())
	})
	status, body, err := o.get("/api/v1/health")
	if err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("/api/v1/health answers %d (%v), want 503: %s", status, err, body)
	}
	t.Logf("health: %s", o.health()["schema registry"].Detail)
}

// expected are the poison records, by source and offset.
func (o *floor) expected() map[string]sent {
	out := map[string]sent{}
	for _, s := range o.said {
		if s.code != "" {
			out[place(s.source, s.offset)] = s
		}
	}
	return out
}

func place(source string, offset int64) string { return fmt.Sprintf("%s/%d", source, offset) }

// rejectsAreWhole holds `tocsin rejects list` against the poison that was sent.
func (o *floor) rejectsAreWhole() {
	t := o.t
	t.Helper()
	want := o.expected()
	count := len(want)
	codes := map[string]int{}
	for _, r := range rows[app.RejectRow](t, o.command("rejects", "list", "--json", "--limit", "0")) {
		at := place(r.Source, r.Offset)
		s, ok := want[at]
		if !ok || r.Partition != 0 {
			t.Errorf("a reject that nothing was sent for, or a second one: %s partition %d: %s: %s: %q", at, r.Partition, r.Code, r.Reason, r.Bytes)
			continue
		}
		delete(want, at)
		codes[r.Code]++
		headers := make([]broker.Header, len(r.Headers))
		for i, h := range r.Headers {
			headers[i] = broker.Header{Name: h.Key, Value: h.Value}
		}
		if r.Code != s.code || !bytes.Equal(r.Bytes, s.Value) || !bytes.Equal(r.Key, s.Key) {
			t.Errorf("the reject at %s is %s (%s): key %q, bytes %q; want %s, %q, %q", at, r.Code, r.Reason, r.Key, r.Bytes, s.code, s.Key, s.Value)
		}
		if diff := gocmp.Diff(s.Headers, headers, sameBytes); len(s.Headers)+len(headers) > 0 && diff != "" {
			t.Errorf("the headers of the reject at %s (-sent +kept):\n%s", at, diff)
		}
	}
	for at, s := range want {
		t.Errorf("%s at %s cost no reject", s.code, at)
	}
	t.Logf("%d poison records cost %d rejects: %v", count, count-len(want), codes)
}

var sameBytes = gocmp.Comparer(func(a, b []byte) bool { return bytes.Equal(a, b) })

// lettersAreWhole holds the dead-letter topic against the poison that was sent: every byte, and what is null stays null.
func (o *floor) lettersAreWhole() {
	t := o.t
	t.Helper()
	want := o.expected()
	for _, l := range o.read(letters) {
		ours := map[string]string{}
		cut := len(l.Headers)
		for ; cut > 0 && strings.HasPrefix(l.Headers[cut-1].Key, "tocsin-"); cut-- {
			ours[l.Headers[cut-1].Key] = string(l.Headers[cut-1].Value)
		}
		at := ours["tocsin-source"] + "/" + ours["tocsin-offset"]
		s, ok := want[at]
		if !ok {
			t.Errorf("a letter that nothing was sent for, or a second one: %s: %q", at, l.Value)
			continue
		}
		delete(want, at)
		if ours["tocsin-code"] != s.code || ours["tocsin-reason"] == "" || ours["tocsin-format"] == "" || ours["tocsin-partition"] != "0" || ours["tocsin-received"] == "" {
			t.Errorf("the letter of %s at %s says %q", s.code, at, ours)
		}
		headers := make([]broker.Header, cut)
		for i, h := range l.Headers[:cut] {
			headers[i] = broker.Header{Name: h.Key, Value: h.Value}
		}
		got := broker.Record{Key: l.Key, Value: l.Value, Headers: headers, Raw: s.Raw}
		if diff := gocmp.Diff(s.Record, got, exactBytes, gocmp.Comparer(func(a, b []broker.Header) bool {
			return fmt.Sprintf("%#v", a) == fmt.Sprintf("%#v", b) || len(a)+len(b) == 0
		})); diff != "" {
			t.Errorf("the letter of %s at %s (-sent +letter):\n%s", s.code, at, diff)
		}
	}
	for at, s := range want {
		t.Errorf("%s at %s has no letter", s.code, at)
	}
}

var exactBytes = gocmp.Comparer(func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) })

// unknownSchemaIsLearned registers the schema that a record named in vain, and has it decoded again.
func (o *floor) unknownSchemaIsLearned() {
	o.schemas.SeedSchema("plant.okta.late-value", 1, unknownSchema, sr.Schema{Schema: signInAvro1})
	said := o.command("rejects", "replay", "--source", "logons-avro", "--code", "registry_schema_unknown", "--json")
	if got := rows[app.RejectOutcome](o.t, said); len(got) != 1 || got[0].Events != 1 {
		o.t.Errorf("after the schema was registered, the reject became: %s", said)
	}
}

// sameInAllEncodings asks the API for each sign-in in each encoding: but for its own id and where and when it came in they are one event.
func (o *floor) sameInAllEncodings() {
	t := o.t
	t.Helper()
	n := 0
	for _, s := range signIns(0, 16, o.began) {
		var first object
		for _, encoding := range []int{inJSON, inAvro, inProtobuf} {
			id := event.NewID("okta", s.uuid(encoding)).String()
			status, body, err := o.get("/api/v1/events/" + id)
			if err != nil || status != http.StatusOK {
				t.Fatalf("sign-in %d, encoding %d: %d, %v: %s", s.n, encoding, status, err, body)
			}
			var doc object
			must(t, json.Unmarshal(body, &doc))
			metadata := doc["metadata"].(object)
			if metadata["original_event_uid"] != s.uuid(encoding) || metadata["uid"] != id {
				t.Errorf("sign-in %d, encoding %d: metadata %v", s.n, encoding, metadata)
			}
			for _, key := range []string{"original_event_uid", "uid", "log_source", "processed_time"} {
				delete(metadata, key)
			}
			if first == nil {
				first = doc
				user, src := doc["user"].(object), doc["src_endpoint"].(object)
				if user["name"] != s.user || user["full_name"] != s.name || src["ip"] != s.address || doc["time"] != float64(s.at.UnixMilli()) || doc["type_uid"] != 300201.0 {
					t.Errorf("sign-in %d became %s", s.n, body)
				}
				continue
			}
			if diff := gocmp.Diff(first, doc); diff != "" {
				t.Errorf("sign-in %d, encoding %d (-as JSON +as this):\n%s", s.n, encoding, diff)
			}
			n++
		}
	}
	t.Logf("%d events that came as Avro or Protobuf are those that came as JSON", n)
}

// nothingIsMissing asks the store, when the service has ended, for all events: those of the records that were sent, each once and in its place,
// and that of the record whose schema was learned.
func (o *floor) nothingIsMissing() {
	t := o.t
	t.Helper()
	var want []row
	for _, s := range o.said {
		r := s.want
		switch {
		case s.code == "registry_schema_unknown" && s.source == "logons-avro":
			r = signIns(0, 1, o.began)[0].row()
		case s.code != "":
			continue
		}
		r.Source, r.Offset = s.source, s.offset
		want = append(want, r)
	}
	got := rows[row](t, o.command("sql", "--json", `SELECT source, offset, class, toUnixTimestamp64Milli(time) AS ms, user, replaceOne(toString(src_ip), '::ffff:', '') AS src,
		replaceOne(toString(dst_ip), '::ffff:', '') AS dst, status_id AS status, ifNull(bytes_in, -1) AS in, ifNull(bytes_out, -1) AS out, robot, finding AS found, site FROM events`))
	byPlace := func(a, b row) int { return cmp.Or(strings.Compare(a.Source, b.Source), int(a.Offset-b.Offset)) }
	slices.SortFunc(want, byPlace)
	slices.SortFunc(got, byPlace)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("events (-sent +stored):\n%s", diff)
	}
	t.Logf("%d records became %d events", len(want), len(got))
}
