package ocsf_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event/ocsf"
)

func valid(t testing.TB, name string) []byte {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("testdata", "valid", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// codes drops the messages, which are for people.
func codes(problems []ocsf.Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.Severity.String()+" "+p.Code+" "+p.Path)
	}
	return out
}

func TestValidEventsHaveNoProblems(t *testing.T) {
	paths, err := filepath.Glob("testdata/valid/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	var v ocsf.Validator
	for _, path := range paths {
		doc, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if problems := v.Validate(doc); problems != nil {
			t.Errorf("%s: %v", path, problems)
		}
	}
}

func TestEachKindOfFaultIsReportedWithItsPathAndCode(t *testing.T) {
	for _, test := range []struct {
		name, event, old, new string
		want                  []string
	}{
		{"required member missing", "authentication", `"severity_id": 1,`, ``, []string{"error attribute_required_missing severity_id"}},
		{"null counts as missing", "authentication", `"time": 1795230123456`, `"time": null`, []string{"error attribute_required_missing time"}},
		{"null in an enumeration", "authentication", `"risk_level_id": 3`, `"risk_level_id": null`, []string{"error attribute_enum_value_unknown risk_level_id"}},
		{"nested required member missing", "ot_command", `"direction_id": 3,`, ``, []string{"error attribute_required_missing connection_info.direction_id"}},
		{"unknown attribute", "authentication", `"is_mfa"`, `"is_mfaa"`, []string{"error attribute_unknown is_mfaa"}},
		{"unknown nested attribute", "robot_state", `"fleet"`, `"fleeet"`, []string{"error attribute_unknown robot.fleeet"}},
		{"unknown attribute with an escaped name", "authentication", `"is_mfa"`, `"is_mf\u0062"`, []string{"error attribute_unknown is_mfb"}},
		{"known attribute with an escaped name", "authentication", `"is_mfa"`, `"is_mf\u0061"`, nil},
		{"attribute of a profile the event does not name", "authentication", `"host",`, ``, []string{"error attribute_profile_missing device"}},
		{"unknown profile", "authentication", `"host",`, `"host", "hosts",`, []string{"error profile_unknown metadata.profiles[1]"}},
		{"required attribute of a named profile", "authentication", `"host",`, `"host", "cloud",`, []string{"error attribute_required_missing cloud"}},
		{"string for an integer", "authentication", `"port": 50122`, `"port": "50122"`, []string{"error attribute_wrong_type src_endpoint.port"}},
		{"fraction for an integer", "authentication", `"time": 1795230123456`, `"time": 1795230123.456`, []string{"error attribute_wrong_type time"}},
		{"exponent for an integer", "authentication", `"time": 1795230123456`, `"time": 1e3`, []string{"error attribute_wrong_type time"}},
		{"integer beyond 64 bits", "network_activity", `9007199254740993`, `9223372036854775808`, []string{"error attribute_wrong_type traffic.bytes"}},
		{"least integer of 64 bits", "network_activity", `9007199254740993`, `-9223372036854775808`, nil},
		{"integer for a float", "robot_state", `"battery_pct": 87.5`, `"battery_pct": 87`, []string{"error attribute_wrong_type robot.battery_pct"}},
		{"float with an exponent", "robot_state", `"battery_pct": 87.5`, `"battery_pct": 8e1`, nil},
		{"string for a float", "robot_state", `"battery_pct": 87.5`, `"battery_pct": "87.5"`, []string{"error attribute_wrong_type robot.battery_pct"}},
		{"number for a boolean", "authentication", `"is_mfa": true`, `"is_mfa": 1`, []string{"error attribute_wrong_type is_mfa"}},
		{"boolean for a string", "authentication", `"locked out"`, `true`, []string{"error attribute_wrong_type status_detail"}},
		{"array for an object", "authentication", `"service": {`, `"session": [], "service": {`, []string{"error attribute_wrong_type session"}},
		{"object for an array", "robot_state", `"refs": [
   "ord-1187",
   "node-4"
  ]`, `"refs": {"a": 1}`, []string{"error attribute_wrong_type fault.refs"}},
		{"null in an array", "robot_state", `"node-4"`, `null`, []string{"error attribute_wrong_type fault.refs[1]"}},
		{"port out of range", "authentication", `50122`, `70000`, []string{"error attribute_value_exceeds_range src_endpoint.port"}},
		{"address that is none", "authentication", `"ip": "203.0.113.24"`, `"ip": "203.0.113.240.1"`, []string{"warning attribute_value_regex_not_matched src_endpoint.ip"}},
		{"address too long", "authentication", `"ip": "203.0.113.24"`, `"ip": "2001:0db8:85a3:0000:0000:8a2e:0370:7334%enp0s31f6"`, []string{"error attribute_value_exceeds_max_len src_endpoint.ip"}},
		{"hardware address that is none", "authentication", `02:42:ac:11:00:07`, `0242.ac11.0007`, []string{"warning attribute_value_regex_not_matched device.mac"}},
		{"mail address that is none", "authentication", `m.keller@works.example`, `m.keller`, []string{"warning attribute_value_regex_not_matched user.email_addr"}},
		{"value outside an enumeration", "robot_state", `"safety_state_id": 1,`, `"safety_state_id": 42,`, []string{"error attribute_enum_value_unknown robot.safety_state_id"}},
		{"activity outside the class", "robot_state", `"activity_id": 1,`, `"activity_id": 13,`, []string{"error attribute_enum_value_unknown activity_id", "error type_uid_incorrect type_uid"}},
		{"value outside a string enumeration", "authentication", `"user_agent"`, `"http_method": "FETCH", "user_agent"`, []string{"error attribute_enum_value_unknown http_request.http_method"}},
		{"category of another class", "authentication", `"category_uid": 3`, `"category_uid": 4`, []string{"error attribute_enum_value_unknown category_uid"}},
		{"caption that is not the id's", "robot_state", `"operating_mode": "Manual"`, `"operating_mode": "MANUAL"`, []string{"warning attribute_enum_sibling_incorrect robot.operating_mode"}},
		{"escaped caption that is the id's", "robot_state", `"operating_mode": "Manual"`, `"operating_mode": "\u004danual"`, nil},
		{"other without a caption", "robot_control", `"auth_protocol": "mTLS",`, ``, []string{"error attribute_enum_sibling_missing auth_protocol"}},
		{"other called other", "robot_control", `"auth_protocol": "mTLS"`, `"auth_protocol": "Other"`, []string{"warning attribute_enum_sibling_suspicious_other auth_protocol"}},
		{"caption of another type", "authentication", `Authentication: Logon`, `Authentication: Logoff`, []string{"warning attribute_enum_sibling_incorrect type_name"}},
		{"captions of an array", "authentication", `"path": "/login"`, `"path": "/login", "category_ids": [1, 3, 99], "categories": ["Adult/Mature Content", "x", "own"]`, []string{"error attribute_enum_array_sibling_incorrect http_request.url.categories[1]"}},
		{"captions of an array too short", "authentication", `"path": "/login"`, `"path": "/login", "category_ids": [1, 3], "categories": ["Adult/Mature Content"]`, []string{"error attribute_enum_array_sibling_missing http_request.url.categories[1]"}},
		{"unknown value in an array", "authentication", `"path": "/login"`, `"path": "/login", "category_ids": [1, 4711]`, []string{"error attribute_enum_value_unknown http_request.url.category_ids[1]"}},
		{"type number", "authentication", `300201`, `300202`, []string{"error type_uid_incorrect type_uid"}},
		{"type number beyond 32 bits", "robot_state", `9990800201`, `9990800202`, []string{"error type_uid_incorrect type_uid"}},
		{"version", "authentication", `"1.8.0"`, `"1.7.0"`, []string{"error version_incorrect metadata.version"}},
		{"extension not named", "robot_state", `"name": "tocsin"`, `"name": "other"`, []string{"error extension_missing metadata.extensions"}},
		{"extension of another version", "robot_state", `"version": "0.1.0"`, `"version": "0.2.0"`, []string{"error extension_missing metadata.extensions"}},
		{"class unknown", "authentication", `"class_uid": 3002`, `"class_uid": 3999`, []string{"error class_uid_unknown class_uid"}},
		{"class number negative", "authentication", `"class_uid": 3002`, `"class_uid": -1`, []string{"error class_uid_unknown class_uid"}},
		{"class number a string", "authentication", `"class_uid": 3002`, `"class_uid": "3002"`, []string{"error attribute_wrong_type class_uid"}},
		{"class missing", "authentication", `"class_uid": 3002,`, ``, []string{"error attribute_required_missing class_uid"}},
		{"at least one", "dhcp_activity", `"src_endpoint"`, `"relay"`, []string{"error constraint_failed "}},
		{"at least one in an object", "robot_state", `"user": {
   "name": "m.keller"
  }`, `"user": {"type_id": 1}`, []string{"error constraint_failed actor.user"}},
		{"empty object", "robot_state", `"user": {
   "name": "m.keller"
  }`, `"user": {}`, []string{"error object_empty actor.user"}},
		{"empty open object", "base_event", `{
  "line": "x"
 }`, `{}`, []string{"warning object_empty unmapped"}},
		{"deprecated attribute", "authentication", `"hostname": "lt`, `"imei": "1", "hostname": "lt`, []string{"warning attribute_deprecated device.imei"}},
		{"observable of nothing", "authentication", `"name": "src_endpoint.ip"`, `"name": "src_endpoint.ipp"`, []string{"error observable_name_invalid_reference observables[0].name"}},
		{"observable through a scalar", "authentication", `"name": "src_endpoint.ip"`, `"name": "src_endpoint.ip.v4"`, []string{"error observable_name_invalid_reference observables[0].name"}},
		{"observable of another type", "robot_state", `"type_id": 2,
   "type": "IP Address"`, `"type_id": 3,
   "type": "MAC Address"`, []string{"warning observable_type_incorrect observables[1].type_id"}},
		{"observable without its value", "authentication", `,
   "value": "00u8f2"`, ``, []string{"warning observable_value_incorrect observables[2].value"}},
		{"observable without a type", "authentication", `"type_id": 21,`, ``, []string{"error attribute_required_missing observables[1].type_id"}},
		{"duplicate name", "authentication", `"is_mfa": true`, `"is_mfa": true, "is_mfa": false`, []string{"error json_invalid "}},
		{"bad UTF-8", "authentication", `locked out`, "lock\xffd", []string{"error json_invalid "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			doc := string(valid(t, test.event))
			if n := strings.Count(doc, test.old); n != 1 {
				t.Fatalf("%q is %d times in the sample", test.old, n)
			}
			var v ocsf.Validator
			got := v.Validate([]byte(strings.Replace(doc, test.old, test.new, 1)))
			if diff := cmp.Diff(test.want, codes(got)); diff != "" {
				t.Errorf("problems (-want +got):\n%s%v", diff, got)
			}
		})
	}
}

func TestWhatIsNoEventIsRefusedWithoutPanic(t *testing.T) {
	for _, doc := range []string{"", " ", "null", "[]", "1", `"x"`, "{", "{}x", "{} {}", `{"class_uid":3002`, "\x00"} {
		var v ocsf.Validator
		if got := v.Validate([]byte(doc)); !ocsf.HasErrors(got) {
			t.Errorf("%q: no error", doc)
		}
	}
}

func TestDeepAndLongInputIsBounded(t *testing.T) {
	deep := strings.Repeat(`{"pid":1,"parent_process":`, 200) + `{"pid":1}` + strings.Repeat(`}`, 200)
	doc := strings.Replace(string(valid(t, "robot_state")), `"user": {`, `"process": `+deep+`, "user": {`, 1)
	var v ocsf.Validator
	got := codes(v.Validate([]byte(doc)))
	if len(got) != 1 || !strings.HasPrefix(got[0], "error event_too_deep actor.process.parent_process.") {
		t.Errorf("deep: %.300q", got)
	}
	var many strings.Builder
	for i := range 500 {
		many.WriteString(`"x` + strings.Repeat("y", i) + `": 1,`)
	}
	doc = strings.Replace(string(valid(t, "base_event")), `"time":`, many.String()+`"time":`, 1)
	got = codes(v.Validate([]byte(doc)))
	if len(got) != 101 || got[100] != "error too_many_problems " {
		t.Errorf("many: %d problems, last %q", len(got), got[len(got)-1])
	}
}

func TestAValidatorKeepsNothingBetweenEvents(t *testing.T) {
	var v ocsf.Validator
	bad := bytes.Replace(valid(t, "authentication"), []byte(`"time"`), []byte(`"tyme"`), 1)
	first := codes(v.Validate(bad))
	if problems := v.Validate(valid(t, "robot_state")); problems != nil {
		t.Errorf("after a bad event: %v", problems)
	}
	if diff := cmp.Diff(first, codes(v.Validate(bad))); diff != "" {
		t.Errorf("second time (-first +second):\n%s", diff)
	}
}

func TestTheOrderOfMembersAndBlanksDoNotMatter(t *testing.T) {
	doc := string(valid(t, "authentication"))
	moved := strings.Replace(doc, "\"class_uid\": 3002,\n", "", 1)
	end := strings.LastIndex(moved, "}")
	moved = strings.ReplaceAll(moved[:end], "\n ", "\r\n\t\t") + ",\n\"class_uid\"\t:\r3002 }\n\n"
	var v ocsf.Validator
	if problems := v.Validate([]byte(moved)); problems != nil {
		t.Error(problems)
	}
}

func FuzzValidate(f *testing.F) {
	paths, _ := filepath.Glob("testdata/valid/*.json")
	for _, path := range paths {
		doc, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
	}
	f.Add([]byte(`{"class_uid":0,"metadata":{"profiles":[1,"host",{}],"extensions":[1,{"a":[]}]},"observables":[1,{"name":1},{"name":"a.b","value":{}}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var v ocsf.Validator
		before := bytes.Clone(doc)
		first := codes(v.Validate(doc))
		if !bytes.Equal(before, doc) {
			t.Error("the document was changed")
		}
		if diff := cmp.Diff(first, codes(v.Validate(doc))); diff != "" {
			t.Errorf("two runs differ: %s", diff)
		}
	})
}

// BenchmarkValidate reads the compact form of a 1.7 KB sign-in.
func BenchmarkValidate(b *testing.B) {
	doc := compact(b, valid(b, "authentication"))
	var v ocsf.Validator
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if problems := v.Validate(doc); problems != nil {
			b.Fatal(problems)
		}
	}
}

func compact(t testing.TB, doc []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	inString := false
	for i, c := range doc {
		if c == '"' && doc[i-1] != '\\' {
			inString = !inString
		}
		if inString || c != ' ' && c != '\n' {
			out.WriteByte(c)
		}
	}
	return out.Bytes()
}
