package format_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// framed puts a schema registry's frame before an Avro string, or before any bytes.
func framed(body []byte) []byte { return append([]byte{0, 0, 0, 0, 7}, body...) }

func avroText(s string) []byte { return append(binary.AppendVarint(nil, int64(len(s))), s...) }

func TestATopicInAnyKeyNamesTheRobot(t *testing.T) {
	f := formatNamed(t, "vda5050")
	bare := []byte(`{"headerId":1,"timestamp":"2026-11-20T02:00:00Z","version":"2.0.0","connectionState":"ONLINE"}`)
	topic := "plant/uagv/v2/acme/AMR-0007/connection"
	encoded := base64.StdEncoding.EncodeToString(bare)
	for name, rec := range map[string]*event.Record{
		"JSON string":           {Value: bare, Key: fmt.Appendf(nil, "%q", topic)},
		"escaped JSON string":   {Value: bare, Key: []byte(`"plant\/uagv\/v2\/acme\/AMR-0007\/connection"`)},
		"schema and payload":    {Value: bare, Key: fmt.Appendf(nil, `{"schema":{"type":"string","optional":false},"payload":%q}`, topic)},
		"topic in an object":    {Value: bare, Key: fmt.Appendf(nil, `{"topic":%q,"id":4}`, topic)},
		"topic in a payload":    {Value: bare, Key: fmt.Appendf(nil, `{"schema":{"type":"struct"},"payload":{"topic":%q,"id":4}}`, topic)},
		"Avro string":           {Value: bare, Key: framed(avroText(topic))},
		"Avro string or null":   {Value: bare, Key: framed(append([]byte{2}, avroText(topic)...))},
		"framed JSON":           {Value: bare, Key: framed(fmt.Appendf(nil, "%q", topic))},
		"header as JSON string": {Value: bare, Headers: []event.Header{{Key: "mqtt.topic", Value: fmt.Appendf(nil, "%q", topic)}}},
		"Kafka topic": {
			Value: bare, Key: []byte("4711"), Position: event.Position{Source: "fleet/uagv.v2.acme.AMR-0007.connection"},
		},
		"Kafka topic made anew": {Value: bare, Position: event.Position{Source: "fleet/uagv.v2.acme.AMR-0007.connection#2"}},
		"key before Kafka topic": {
			Value: bare, Key: []byte(topic), Position: event.Position{Source: "fleet/uagv.v2.other.AMR-0008.connection"},
		},
		"base64":             {Value: fmt.Appendf(nil, `{"clientid":"b","qos":1,"topic":%q,"payload":%q}`, topic, encoded)},
		"base64, no padding": {Value: fmt.Appendf(nil, `{"topic":%q,"payload":%q}`, topic, strings.TrimRight(encoded, "="))},
		"base64 of the Web":  {Value: fmt.Appendf(nil, `{"topic":%q,"payload":%q}`, topic, base64.URLEncoding.EncodeToString(bare))},
	} {
		var s format.Scratch
		events, err := decode(t, f, &s, rec)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := events[0].Robot.UID; got != "acme/AMR-0007" {
			t.Errorf("%s: robot %q", name, got)
		}
	}
	for name, rec := range map[string]*event.Record{
		"Avro of two fields":   {Value: bare, Key: framed(append(avroText(topic), 8))},
		"Avro cut short":       {Value: bare, Key: framed(avroText(topic)[:20])},
		"frame alone":          {Value: bare, Key: framed(nil)},
		"object without names": {Value: bare, Key: []byte(`{"id":4}`)},
		"broken object":        {Value: bare, Key: []byte(`{"topic":"uagv/v2/acme/AMR-0007/connection"`)},
		"too deep":             {Value: bare, Key: fmt.Appendf(nil, `{"payload":{"payload":{"topic":%q}}}`, topic)},
		"endless":              {Value: bare, Key: []byte(strings.Repeat("x/", 4096) + topic)},
		"source without topic": {Value: bare, Position: event.Position{Source: "uagv.v2.acme.AMR-0007.connection"}},
		"payload not base64":   {Value: fmt.Appendf(nil, `{"topic":%q,"payload":"e!yJ"}`, topic)},
		"base64 of a list":     {Value: fmt.Appendf(nil, `{"topic":%q,"payload":"WzFd"}`, topic)},
		"base64 of no JSON":    {Value: fmt.Appendf(nil, `{"topic":%q,"payload":%q}`, topic, base64.StdEncoding.EncodeToString([]byte("{nothing")))},
	} {
		var s format.Scratch
		if events, err := decode(t, f, &s, rec); err == nil {
			t.Errorf("%s: robot %q", name, events[0].Robot.UID)
		}
	}
}

// TestTheTransportNamesARobotThatDoesNotNameItself: ROS and controllers of Universal Robots say nothing of the machine.
func TestTheTransportNamesARobotThatDoesNotNameItself(t *testing.T) {
	const rosout = `{"stamp":{"sec":1795141510,"nanosec":0},"level":20,"name":"planner","msg":"goal reached"}`
	const popup = `{"robotMessageType":2,"timestamp":"2026-11-20T02:00:00Z","title":"Door","text":"open"}`
	const line = `[INFO] [1795141510.000000000] [planner]: goal reached`
	wrap := func(topic, doc string) string {
		return fmt.Sprintf(`{"topic":%q,"payload":%q}`, topic, base64.StdEncoding.EncodeToString([]byte(doc)))
	}
	for _, c := range []struct {
		name, format, value, key, header, source, want string
	}{
		{"plain key", "ros2", rosout, "amr-07", "", "", "amr-07"},
		{"JSON key", "ros2", rosout, `"amr-07"`, "", "", "amr-07"},
		{"framed key of a line", "ros2", line, string(framed(avroText("amr-07"))), "", "", "amr-07"},
		{"binary key", "ros2", rosout, "\x00\x00\x00\x2a", "", "", ""},
		{"MQTT topic as key", "ros2", rosout, "hall3/amr-07/rosout", "", "", "amr-07"},
		{"MQTT topic of a node", "ros2", rosout, "hall3/amr-07/planner/transition_event", "", "", "amr-07"},
		{"MQTT topic in a header", "ros2", rosout, "5", "amr-07/rosout", "", "amr-07"},
		{"Kafka topic in a header", "ros2", rosout, "amr-07", "robots-raw", "", "amr-07"},
		{"MQTT topic beside", "ros2", wrap("hall3/amr-07/rosout", rosout), "", "", "", "amr-07"},
		{"MQTT topic of all robots", "ros2", wrap("hall3/robots/rosout", rosout), "", "", "", ""},
		{"topic of ROS", "ros2", wrap("/rosout", rosout), "", "", "", ""},
		{"Kafka topic of a robot", "ros2", rosout, "", "", "robots/hall3.amr-07.rosout", "amr-07"},
		{"Kafka topic without levels", "ros2", line, "", "", "robots/amr-07#1", "amr-07"},
		{"Kafka topic of all robots", "ros2", rosout, "", "", "robots/hall3.ros.rosout", ""},
		{"key before Kafka topic", "ros2", rosout, "amr-07", "", "robots/hall3.amr-08.rosout", "amr-07"},
		{"no pattern", "ros2", rosout, "", "", "robots", ""},

		{"key", "universal_robots", popup, `{"schema":null,"payload":"ur10e-03"}`, "", "", "ur10e-03"},
		{"Kafka topic", "universal_robots", popup, "", "", "cells/cell4.ur10e-03.primary", "ur10e-03"},
		{"topic beside", "universal_robots", wrap("cell4/ur10e-03/primary", popup), "", "", "", "ur10e-03"},
		{"robot beside", "universal_robots", `{"robot":"ur10e-03","topic":"cell4/x/primary","payload":` + popup + `}`, "", "", "", "ur10e-03"},
		{"robot inside", "universal_robots", wrap("cell4/x/primary", popup[:len(popup)-1]+`,"robot":"ur10e-03"}`), "y", "", "", "ur10e-03"},
		{"line", "universal_robots", "2026-11-20 02:00:00: : C153A1: protective stop", "cell4/ur10e-03/log", "", "", "ur10e-03"},
	} {
		t.Run(c.format+" "+c.name, func(t *testing.T) {
			rec := &event.Record{Value: []byte(c.value), Key: []byte(c.key), Position: event.Position{Source: c.source}}
			if c.header != "" {
				rec.Headers = []event.Header{{Key: "mqtt_topic", Value: []byte(c.header)}}
			}
			var s format.Scratch
			events, err := decode(t, formatNamed(t, c.format), &s, rec)
			if err != nil {
				t.Fatal(err)
			}
			if got := events[0].Robot.Name; got != c.want {
				t.Errorf("robot %q, want %q", got, c.want)
			}
		})
	}
}

func TestCredentialsInAWrappedMessageAreNotKept(t *testing.T) {
	const order = `{"headerId":1,"timestamp":"2026-11-20T02:00:00Z","version":"2.0.0","manufacturer":"acme","serialNumber":"7","instantActions":[` +
		`{"actionId":"a","actionType":"login","actionParameters":[{"key":"password","value":"p4ss-w0rd"}]}]}`
	const parameter = `{"stamp":{"sec":1795141510,"nanosec":0},"node":"/n","changed_parameters":[{"name":"db.password","value":{"type":4,"string_value":"p4ss-w0rd"}}]}`
	for _, c := range []struct{ format, doc string }{{"vda5050", order}, {"ros2", parameter}} {
		for _, payload := range []string{c.doc, base64.StdEncoding.EncodeToString([]byte(c.doc))} {
			rec := &event.Record{Value: fmt.Appendf(nil, `{"topic":"t","payload":%q,"qos":1}`, payload)}
			var s format.Scratch
			events, err := decode(t, formatNamed(t, c.format), &s, rec)
			if err != nil {
				t.Fatal(err)
			}
			for i := range events {
				var kept struct {
					Topic, Payload string
					QoS            int
				}
				if err := json.Unmarshal(events[i].Envelope.Raw, &kept); err != nil {
					t.Fatalf("%s: event %d keeps %q: %v", c.format, i, events[i].Envelope.Raw, err)
				}
				want := strings.Replace(c.doc, `"p4ss-w0rd"`, `"[redacted]"`, 1)
				if kept.Payload != want && !strings.Contains(kept.Payload, "[redacted]") || strings.Contains(kept.Payload, "p4ss") || kept.Topic != "t" || kept.QoS != 1 {
					t.Errorf("%s: event %d keeps %s", c.format, i, events[i].Envelope.Raw)
				}
				if events[i].Envelope.Quality&event.Redacted == 0 {
					t.Errorf("%s: event %d is not marked as redacted", c.format, i)
				}
			}
		}
	}
}

// FuzzCarriers feeds any key, header and source to the formats that read them: whatever they say, the message is decoded.
func FuzzCarriers(f *testing.F) {
	messages := map[string][]byte{
		"vda5050":          []byte(`{"headerId":1,"timestamp":"2026-11-20T02:00:00Z","version":"2.0.0","manufacturer":"acme","serialNumber":"7","connectionState":"ONLINE"}`),
		"ros2":             []byte(`{"stamp":{"sec":1795141510,"nanosec":0},"level":20,"name":"planner","msg":"goal reached"}`),
		"universal_robots": []byte(`{"robotMessageType":2,"timestamp":"2026-11-20T02:00:00Z","title":"Door","text":"open"}`),
	}
	f.Add([]byte(`{"schema":null,"payload":{"topic":"a/v2/b/c/state"}}`), []byte("x/y/rosout"), "name/cell.ur.primary#1")
	f.Add(framed(avroText("a/b")), []byte{}, "name/")
	f.Add(framed([]byte{2, 2}), []byte("/"), "/#")
	f.Fuzz(func(t *testing.T, key, header []byte, source string) {
		for name, value := range messages {
			rec := &event.Record{Value: value, Key: key, Headers: []event.Header{{Key: "topic", Value: header}}, Position: event.Position{Source: source}}
			var s format.Scratch
			events, err := decode(t, formatNamed(t, name), &s, rec)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for i := range events {
				checkValid(t, &events[i])
			}
		}
	})
}
