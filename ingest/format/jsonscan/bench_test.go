package jsonscan_test

import (
	"encoding/json"
	"testing"

	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// benchDoc is a sign-in record of about one kilobyte.
const benchDoc = `{"uuid":"7b0fd2c6-4f60-11f0-9d1a-1e00d9a8f7c1","published":"2026-03-01T02:11:09.120Z","eventType":"user.session.start","version":"0","severity":"INFO","displayMessage":"User login to console","actor":{"id":"00u1abcd2EFGH3ijk4l5","type":"User","alternateId":"ana.field@plant.example","displayName":"Ana Field","detailEntry":null},"client":{"userAgent":{"rawUserAgent":"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0","os":"Linux","browser":"FIREFOX"},"zone":"null","device":"Computer","id":null,"ipAddress":"198.51.100.7","geographicalContext":{"city":"Lyon","state":"Rhône","country":"France","postalCode":"69001","geolocation":{"lat":45.767,"lon":4.8357}}},"outcome":{"result":"SUCCESS","reason":null},"target":[{"id":"0oa1xyz","type":"AppInstance","alternateId":"Robot Console","displayName":"Robot Console"}],"authenticationContext":{"authenticationProvider":null,"credentialType":"PASSWORD","authenticationStep":0,"externalSessionId":"102Qx\u002dY"},"securityContext":{"asNumber":64496,"asOrg":"example net","isProxy":false},"flow":9007199254740993}`

func benchPlan() *jsonscan.Plan {
	return jsonscan.Compile("uuid", "published", "eventType", "severity", "displayMessage", "actor.id", "actor.type",
		"actor.alternateId", "actor.displayName", "client.userAgent.rawUserAgent", "client.userAgent.os", "client.zone",
		"client.device", "client.ipAddress", "client.geographicalContext.city", "client.geographicalContext.country",
		"client.geographicalContext.geolocation.lat", "client.geographicalContext.geolocation.lon", "outcome.result",
		"outcome.reason", "target[]", "authenticationContext.externalSessionId", "securityContext.asNumber",
		"securityContext.isProxy", "flow")
}

func TestScanDoesNotAllocate(t *testing.T) {
	p, doc := benchPlan(), []byte(benchDoc)
	sub := jsonscan.Compile("id", "type")
	large := []byte(`{` + manyKeys(300) + `"flow":1}`)
	var r, e jsonscan.Result
	var sink int
	allocs := testing.AllocsPerRun(2000, func() {
		if p.Scan(large, &r) != nil || p.Scan(doc, &r) != nil {
			t.Fatal("refused")
		}
		for v := range r.Each(20) {
			sub.ScanValue(v, &e)
			sink += len(e.Str(1))
		}
		sink += len(r.Str(7)) + len(r.Str(21))
		n, _ := r.Int64(24)
		sink += int(n)
	})
	if allocs != 0 {
		t.Errorf("%v allocations per document, want 0", allocs)
	}
}

func BenchmarkScan(b *testing.B) {
	p, doc := benchPlan(), []byte(benchDoc)
	var r jsonscan.Result
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Scan(doc, &r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStandardMap(b *testing.B) {
	doc := []byte(benchDoc)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		var m map[string]any
		if err := json.Unmarshal(doc, &m); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScanManyKeys is the worst case for the search for repeated keys: half a megabyte of short keys.
func BenchmarkScanManyKeys(b *testing.B) {
	doc := []byte(`{` + manyKeys(20000) + `"flow":1}`)
	p := benchPlan()
	var r jsonscan.Result
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if err := p.Scan(doc, &r); err != nil {
			b.Fatal(err)
		}
	}
}
