package receivers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tocsin-siem/tocsin/integration/broker"
)

// TestAKafkaTopicGetsEachChangeOnceInOrderUnderTheIncidentsKey lets the real program write to a topic of a real Apache Kafka, which is read with a
// library that Tocsin does not write with.
func TestAKafkaTopicGetsEachChangeOnceInOrderUnderTheIncidentsKey(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("plant.incidents", 6, nil)
	p := newPlant(t)
	p.config = fmt.Sprintf(`kafka: {brokers: [%q]}
triage:
  poll: 50ms
  endpoints: [{name: bus, adapter: kafka, topic: plant.incidents}]
sources:
  - {name: sshd, format: openssh, file: %q}
`, b.Addr(), p.file("sshd.log", ""))
	p.write()
	analyst := p.token("--name", "ana", "--role", "analyst", "--scope", "act", "--scope", "read")
	p.start()
	p.append("sshd.log", refusedLine("user01", time.Now().Add(-time.Minute)))
	p.append("sshd.log", refusedLine("user02", time.Now().Add(-time.Minute)))

	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ConsumeTopics("plant.incidents"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	type letter struct {
		SpecVersion, ID, Type, Subject string
		Data                           struct {
			Incident struct {
				ID       string
				Revision int
			}
		}
	}
	where, last, ids := map[string]int32{}, map[string]letter{}, map[string]bool{}
	next := func() letter {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		fetched := client.PollRecords(ctx, 1)
		for fetched.Err() == nil && fetched.NumRecords() == 0 { // A poll may come back with nothing.
			fetched = client.PollRecords(ctx, 1)
		}
		if err := fetched.Err(); err != nil {
			t.Fatal(err)
		}
		r := fetched.Records()[0]
		var l letter
		if err := json.Unmarshal(r.Value, &l); err != nil {
			t.Fatal(err)
		}
		header := map[string]string{}
		for _, h := range r.Headers {
			header[h.Key] = string(h.Value)
		}
		id := l.Data.Incident.ID
		if l.SpecVersion != "1.0" || l.Subject != id || string(r.Key) != id || header["webhook-id"] != l.ID || header["content-type"] != "application/cloudevents+json; charset=UTF-8" {
			t.Errorf("key %s, headers %v: %s", r.Key, header, r.Value)
		}
		if at, seen := where[id]; seen && at != r.Partition {
			t.Errorf("%s is in partitions %d and %d", id, at, r.Partition)
		}
		if ids[l.ID] || l.Data.Incident.Revision <= last[id].Data.Incident.Revision {
			t.Errorf("revision %d of %s came after %d", l.Data.Incident.Revision, id, last[id].Data.Incident.Revision)
		}
		where[id], last[id], ids[l.ID] = r.Partition, l, true
		return l
	}
	for range 2 {
		if l := next(); l.Type != "incident.opened" {
			t.Errorf("an incident begins with %s", l.Type)
		}
	}
	for id, l := range last {
		post(t, p.url+"/api/v1/incidents/"+id+"/actions", analyst, fmt.Appendf(nil, `{"action": "close", "verdict": "test", "expected_version": %d}`, l.Data.Incident.Revision))
	}
	for range 2 {
		if l := next(); l.Type != "incident.closed" {
			t.Errorf("a closed incident is told of with %s", l.Type)
		}
	}
}
