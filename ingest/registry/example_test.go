package registry_test

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
	"github.com/tocsin-siem/tocsin/ingest/registry"
)

// oktaSchema is how a site may have described the sign-ins it takes out of Okta.
const oktaSchema = `{"type":"record","name":"LogEvent","namespace":"example.okta","fields":[
  {"name":"eventType","type":"string"},
  {"name":"uuid","type":{"type":"string","logicalType":"uuid"}},
  {"name":"published","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"severity","type":{"type":"enum","name":"Severity","symbols":["DEBUG","INFO","WARN","ERROR"]}},
  {"name":"outcome","type":["null",{"type":"record","name":"Outcome","fields":[{"name":"result","type":"string"},{"name":"reason","type":["null","string"]}]}]},
  {"name":"actor","type":{"type":"record","name":"Actor","fields":[{"name":"id","type":"string"},{"name":"type","type":"string"},{"name":"alternateId","type":"string"}]}},
  {"name":"client","type":{"type":"record","name":"Client","fields":[{"name":"ipAddress","type":["null","string"]}]}},
  {"name":"securityContext","type":{"type":"record","name":"Security","fields":[{"name":"asNumber","type":["null","long"]},{"name":"isProxy","type":["null","boolean"]}]}}
]}`

// An event of Okta's System Log that came as Avro becomes the JSON that the format okta decodes.
func Example() {
	server := srfake.New()
	defer server.Close()
	server.SeedSchema("okta-value", 1, 42, sr.Schema{Schema: oktaSchema})

	value, err := avro.MustParse(oktaSchema).AppendEncode([]byte{0, 0, 0, 0, 42}, map[string]any{
		"eventType": "user.session.start", "uuid": "5f1f1b1e-0000-4000-8000-000000000001",
		"published": time.Date(2026, 11, 21, 2, 3, 4, 0, time.UTC), "severity": "WARN",
		"outcome":         map[string]any{"result": "FAILURE", "reason": "INVALID_CREDENTIALS"},
		"actor":           map[string]any{"id": "00u1", "type": "User", "alternateId": "t.weber@plant.example"},
		"client":          map[string]any{"ipAddress": "203.0.113.9"},
		"securityContext": map[string]any{"asNumber": int64(64500), "isProxy": nil},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	cfg := registry.DefaultConfig()
	cfg.URL = server.URL()
	client, err := registry.New(cfg, quiet())
	if err != nil {
		fmt.Println(err)
		return
	}
	transcoder, err := client.Transcoder("avro")
	if err != nil {
		fmt.Println(err)
		return
	}
	records := []event.Record{{Value: value, Format: "okta"}}
	if err := transcoder.Prepare(context.Background(), records); err != nil { // On fetching.
		fmt.Println(err)
		return
	}
	rec := &records[0]
	if err := transcoder.Transcode(rec); err != nil { // On decoding.
		fmt.Println(err)
		return
	}
	fmt.Println(string(rec.Value))

	okta, _ := format.ByName("okta")
	events, err := okta.Append(&format.Scratch{}, nil, rec)
	if err != nil {
		fmt.Println(err)
		return
	}
	e := &events[0]
	fmt.Println(e.Time == 1795226584_000000, e.User.Name, e.SrcEndpoint.IP, e.StatusDetail)
	// Output:
	// {"eventType":"user.session.start","uuid":"5f1f1b1e-0000-4000-8000-000000000001","published":"2026-11-21T02:03:04.000000Z","severity":"WARN","outcome":{"result":"FAILURE","reason":"INVALID_CREDENTIALS"},"actor":{"id":"00u1","type":"User","alternateId":"t.weber@plant.example"},"client":{"ipAddress":"203.0.113.9"},"securityContext":{"asNumber":64500,"isProxy":null}}
	// true t.weber@plant.example 203.0.113.9 INVALID_CREDENTIALS
}
