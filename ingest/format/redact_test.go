package format_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

const tsv = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t"

// secrets are records with a credential in them, in all the places where the formats of sensors and robots may carry one.
var secrets = []struct {
	name, format, context, record, secret string
}{
	{
		"suricata mqtt", "suricata", "",
		`{"timestamp":"2026-11-20T02:13:58Z","flow_id":1,"event_type":"mqtt","src_ip":"10.0.0.1","dest_ip":"10.0.0.2","mqtt":{"connect":{"client_id":"p4ss","username":"u","password":"p4ss-w0rd"}}}`, "p4ss-w0rd",
	},
	{
		"suricata alert on mqtt", "suricata", "",
		`{"timestamp":"2026-11-20T02:13:58Z","flow_id":1,"event_type":"alert","src_ip":"10.0.0.1","dest_ip":"10.0.0.2","alert":{"signature_id":1,"signature":"s"},"mqtt":{"connect":{"client_id":"c","password":"p4ss\"w0rd"}}}`, "w0rd",
	},
	{
		"suricata ftp", "suricata", "",
		`{"timestamp":"2026-11-20T02:13:58Z","flow_id":1,"event_type":"ftp","src_ip":"10.0.0.1","dest_ip":"10.0.0.2","ftp":{"command":"PASS","command_data":"p4ss-w0rd"}}`, "p4ss-w0rd",
	},
	{
		"suricata snmp", "suricata", "",
		`{"timestamp":"2026-11-20T02:13:58Z","flow_id":1,"event_type":"snmp","src_ip":"10.0.0.1","dest_ip":"10.0.0.2","snmp":{"version":2,"community":"pl4nt"}}`, "pl4nt",
	},
	{
		"suricata pop3", "suricata", "",
		`{"timestamp":"2026-11-20T02:13:58Z","flow_id":1,"event_type":"pop3","src_ip":"10.0.0.1","dest_ip":"10.0.0.2","pop3":{"request":{"command":"PASS","args":["p4ss-w0rd"]}}}`, "p4ss-w0rd",
	},
	{
		"zeek http", "zeek", "",
		`{"_path":"http","ts":1795140853.0,"uid":"C1","id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","method":"GET","uri":"/","password":"p4ss-w0rd"}`, "p4ss-w0rd",
	},
	{
		"zeek opcua", "zeek", tsv + "opcua_binary_activate_session\n#fields\tts\tuid\tid.orig_h\tid.resp_h\text_obj_user_name\text_obj_password\tstatus_code_link_id",
		"1795140853.0\tC1\t10.0.0.1\t10.0.0.2\tmaint\tp4ss\\x09w0rd\t-", "w0rd",
	},
	{
		"zeek snmp", "zeek", tsv + "snmp\n#fields\tts\tuid\tid.orig_h\tid.resp_h\tcommunity",
		"1795140853.0\tC1\t10.0.0.1\t10.0.0.2\tpl4nt", "pl4nt",
	},
	{
		"zeek ftp", "zeek", tsv + "ftp\n#fields\tts\tuid\tid.orig_h\tid.resp_h\tuser\tpassword\tcommand\targ",
		"1795140853.0\tC1\t10.0.0.1\t10.0.0.2\tu\t-\tPASS\tp4ss-w0rd", "p4ss-w0rd",
	},
	{
		"vda5050 action", "vda5050", "",
		`{"headerId":1,"timestamp":"2026-11-20T02:13:58Z","version":"2.0.0","manufacturer":"m","serialNumber":"s","actions":[{"actionType":"a","actionId":"1"},{"actionType":"b","actionId":"2","actionParameters":[{"key":"wifiPassword","value":"p4ss-w0rd"},{"key":"apiKey","value":{"deep":"p4ss-w0rd"}}]}]}`, "p4ss-w0rd",
	},
	{
		"ros2 parameter", "ros2", "",
		`{"stamp":{"sec":1795141510,"nanosec":0},"node":"/n","new_parameters":[{"name":"a","value":{"type":1,"bool_value":true}}],"changed_parameters":[{"name":"db.password","value":{"type":4,"string_value":"p4ss-w0rd"}}],"deleted_parameters":[]}`, "p4ss-w0rd",
	},
}

func TestCredentialsReachNeitherFieldsNorTheKeptRecord(t *testing.T) {
	for _, c := range secrets {
		t.Run(c.name, func(t *testing.T) {
			f, ok := format.ByName(c.format)
			if !ok {
				t.Fatalf("no format %s", c.format)
			}
			if !strings.Contains(c.record, c.secret) {
				t.Fatal("the case has no secret")
			}
			var s format.Scratch
			events, err := decode(t, f, &s, &event.Record{Value: []byte(c.record), Context: []byte(c.context)})
			if err != nil {
				t.Fatal(err)
			}
			for i := range events {
				e := &events[i]
				if doc := string(event.AppendOCSF(nil, e, true)); strings.Contains(doc, c.secret) {
					t.Errorf("event %d tells the secret: %s", i, doc)
				}
				if e.Envelope.Raw == nil || strings.Contains(string(e.Envelope.Raw), c.secret) {
					t.Errorf("event %d keeps %q", i, e.Envelope.Raw)
				}
				if e.Envelope.Quality&event.Redacted == 0 {
					t.Errorf("event %d is not marked as redacted", i)
				}
				if c.record[0] == '{' && !json.Valid(e.Envelope.Raw) {
					t.Errorf("event %d keeps what is no JSON any more: %s", i, e.Envelope.Raw)
				}
			}
		})
	}
}

func TestRecordsWithoutCredentialsAreKeptAsTheyAre(t *testing.T) {
	f, _ := format.ByName("suricata")
	var s format.Scratch
	rec := &event.Record{Value: []byte(`{"timestamp":"2026-11-20T02:13:58Z","flow_id":1,"event_type":"mqtt","src_ip":"10.0.0.1","mqtt":{"connect":{"client_id":"c","password":""}}}`)}
	events, err := decode(t, f, &s, rec)
	if err != nil {
		t.Fatal(err)
	}
	if e := &events[0]; e.Envelope.Raw != nil || e.Envelope.Quality != 0 {
		t.Errorf("kept %q with %v, want the record untouched", e.Envelope.Raw, e.Envelope.Quality.Names())
	}
}
