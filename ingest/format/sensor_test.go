package format_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// formatNamed finds a format or ends the test.
func formatNamed(t testing.TB, name string) *format.Format {
	t.Helper()
	f, ok := format.ByName(name)
	if !ok {
		t.Fatalf("no format %s", name)
	}
	return f
}

// described is what a record becomes, as goldens show it, and the flags of its events together.
func described(t testing.TB, f *format.Format, rec *event.Record) (string, event.Quality) {
	t.Helper()
	var s format.Scratch
	events, err := decode(t, f, &s, rec)
	var b strings.Builder
	var flags event.Quality
	for i := range events {
		flags |= events[i].Envelope.Quality
		events[i].Envelope.Quality, events[i].Envelope.ID = 0, event.ID{}
	}
	describe(&b, events, err)
	return b.String(), flags
}

func TestEveryZeekLogOfTheSensorsWithAHeaderBecomesEvents(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(conformanceDir(t), "zeek_ot", "*", "*.log"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no Zeek logs: %v", err)
	}
	f := formatNamed(t, "zeek")
	classes := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "#") {
				rows++
			}
		}
		var s format.Scratch
		events, err := decode(t, f, &s, &event.Record{Value: text})
		if !bytes.Contains(text, []byte("\n#fields")) {
			if err == nil {
				t.Errorf("%s: %d events from columns without names", file, len(events))
			}
			continue
		}
		if err != nil || len(events) != rows {
			t.Errorf("%s: %d events of %d rows, %v", file, len(events), rows, err)
		}
		for i := range events {
			checkValid(t, &events[i])
			classes[events[i].ClassKey()]++
		}
	}
	for _, want := range []string{"ot_command.write", "ot_command.stop", "ot_command.read", "network_activity.traffic", "inventory_info.log"} {
		if classes[want] == 0 {
			t.Errorf("no %s among %v", want, classes)
		}
	}
}

func TestVDA5050FixturesBecomeEventsOfTheirRobot(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(conformanceDir(t), "vda5050", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no VDA 5050 fixtures: %v", err)
	}
	kinds := map[string]string{
		"state": "robot_state.state_report", "order": "robot_control.dispatch_order", "instantactions": "robot_control.instant_action",
		"visualization": "robot_state.state_report", "connection": "robot_state.connection_state",
	}
	f := formatNamed(t, "vda5050")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var s format.Scratch
		events, err := decode(t, f, &s, &event.Record{Value: text})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		kind := strings.Split(filepath.Base(file), "_")[3]
		if got := events[0].ClassKey(); got != kinds[kind] {
			t.Errorf("%s: %s, want %s", file, got, kinds[kind])
		}
		for i := range events {
			checkValid(t, &events[i])
			if got := events[i].PrimaryEntity(event.EntityRobot, event.RoleSubject); !strings.HasPrefix(got, "robot:manufacture") {
				t.Errorf("%s: robot %q", file, got)
			}
		}
	}
}

// TestNullOfAnOptionalFieldMeansAsMuchAsItsAbsence removes the nulls of each fixture and sample, at any depth.
func TestNullOfAnOptionalFieldMeansAsMuchAsItsAbsence(t *testing.T) {
	f := formatNamed(t, "vda5050")
	compare := func(name string, text []byte) {
		var doc map[string]any
		if json.Unmarshal(text, &doc) != nil {
			return
		}
		kind := ""
		for _, key := range []string{"agvPosition", "velocity"} {
			if v, ok := doc[key]; ok && v == nil && len(doc) < 8 {
				kind = "visualization" // Told by keys that are null: the topic must say so once they are gone.
			}
		}
		without, err := json.Marshal(withoutNulls(doc))
		if err != nil {
			t.Fatal(err)
		}
		rec := func(text []byte) *event.Record {
			r := &event.Record{Value: text}
			if kind != "" {
				r.Key = fmt.Appendf(nil, "uagv/v2/%v/%v/%s", doc["manufacturer"], doc["serialNumber"], kind)
			}
			return r
		}
		want, _ := described(t, f, rec(text))
		got, _ := described(t, f, rec(without))
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-with nulls +without):\n%s", name, d)
		}
	}
	for _, file := range samples(t, f) {
		records, err := readSample(f, file)
		if err != nil {
			t.Fatal(err)
		}
		for i := range records {
			if len(records[i].Key) == 0 && len(records[i].Headers) == 0 {
				compare(file, records[i].Value)
			}
		}
	}
	files, _ := filepath.Glob(filepath.Join(conformanceDir(t), "vda5050", "*.json"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		compare(file, text)
	}
}

func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, member := range v {
			if member == nil {
				delete(v, k)
				continue
			}
			v[k] = withoutNulls(member)
		}
		return v
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return v
}

// TestEveryWordOfTheSchemasIsMapped reads the enumerations of the published VDA 5050 schemas and sends each word.
func TestEveryWordOfTheSchemasIsMapped(t *testing.T) {
	dir := filepath.Join(conformanceDir(t), "..", "specs", "vda5050")
	f := formatNamed(t, "vda5050")
	const head = `{"headerId":1,"timestamp":"2026-11-20T02:00:00Z","version":"2.0.0","manufacturer":"m","serialNumber":"s",`
	messages := map[string]string{
		"operatingMode":       `"operatingMode":"%s","safetyState":{"eStop":"NONE"}}`,
		"eStop":               `"operatingMode":"MANUAL","safetyState":{"eStop":"%s"}}`,
		"activeEmergencyStop": `"operatingMode":"MANUAL","safetyState":{"activeEmergencyStop":"%s"}}`,
		"errorLevel":          `"operatingMode":"MANUAL","safetyState":{"eStop":"NONE"},"errors":[{"errorType":"t","errorLevel":"%s"}]}`,
		"connectionState":     `"connectionState":"%s"}`,
	}
	sent := 0
	for _, version := range []string{"2.0.0", "2.1.0", "main"} {
		for _, file := range []string{"state.schema", "connection.schema"} {
			text, err := os.ReadFile(filepath.Join(dir, version, file))
			if err != nil {
				t.Skipf("no schemas: %v", err)
			}
			var schema any
			if err := json.Unmarshal(text, &schema); err != nil {
				t.Fatalf("%s %s: %v", version, file, err)
			}
			for name, words := range enumerations(schema, map[string][]string{}) {
				for _, word := range words {
					if messages[name] == "" {
						continue
					}
					sent++
					rec := &event.Record{Value: fmt.Appendf(nil, head+messages[name], word)}
					if got, flags := described(t, f, rec); flags != 0 {
						t.Errorf("%s %s %s gives %v:\n%s", version, name, word, flags.Names(), got)
					}
				}
			}
		}
	}
	if sent < 20 {
		t.Errorf("only %d words found in the schemas", sent)
	}
}

// enumerations collects the words a schema allows, by property.
func enumerations(schema any, found map[string][]string) map[string][]string {
	object, _ := schema.(map[string]any)
	for _, key := range []string{"properties", "definitions", "$defs"} {
		members, _ := object[key].(map[string]any)
		for name, member := range members {
			if m, ok := member.(map[string]any); ok {
				words, _ := m["enum"].([]any)
				for _, w := range words {
					found[name] = append(found[name], fmt.Sprint(w))
				}
			}
			enumerations(member, found)
		}
	}
	if items, ok := object["items"]; ok {
		enumerations(items, found)
	}
	return found
}

func TestATopicNamesTheRobotWhateverTheBridge(t *testing.T) {
	f := formatNamed(t, "vda5050")
	bare := []byte(`{"headerId":1,"timestamp":"2026-11-20T02:00:00Z","version":"2.0.0","connectionState":"ONLINE"}`)
	topic := []byte("plant/uagv/v2/acme/AMR-0007/connection")
	for name, rec := range map[string]*event.Record{
		"key":            {Value: bare, Key: topic},
		"header":         {Value: bare, Headers: []event.Header{{Key: "mqtt_topic", Value: topic}}},
		"other header":   {Value: bare, Headers: []event.Header{{Key: "qos", Value: []byte("1")}, {Key: "MQTT.Topic", Value: topic}}},
		"dots":           {Value: bare, Key: []byte("uagv.v2.acme.AMR-0007.connection")},
		"wrapped object": {Value: fmt.Appendf(nil, `{"topic":%q,"retain":true,"payload":%s}`, topic, bare)},
		"wrapped text":   {Value: fmt.Appendf(nil, `{"topic":%q,"payload":%q}`, topic, bare)},
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
	for _, other := range []string{"", "state", "uagv/v2/acme/AMR-0007/chat", "uagv/2/acme/AMR-0007/state", "uagv/v2/+/+/state", "uagv/v2//x/state"} {
		var s format.Scratch
		if _, err := decode(t, f, &s, &event.Record{Value: bare, Key: []byte(other)}); err == nil {
			t.Errorf("the topic %q names a robot", other)
		}
	}
}
