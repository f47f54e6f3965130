package languages_test

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/tocsin-siem/tocsin/integration/broker"
)

const sources = `sources:
  - {name: logons, format: okta, topic: plant.okta.json}
  - {name: logons-avro, format: okta, topic: plant.okta.avro, encoding: avro}
  - {name: logons-proto, format: okta, topic: plant.okta.proto, encoding: protobuf}
  - {name: sensor, format: zeek, topic: plant.conn.proto, encoding: protobuf, site: werk-1}
  - {name: fleet, format: vda5050, topic: mqtt.bridge, site: werk-1}
  - {name: ids, format: suricata, topics: ^plant\.eve\..*, site: werk-1}
`

// letters is the dead-letter topic.
const letters = "tocsin.rejects"

// topics by source, as positions have it.
var topics = map[string]string{
	"logons": "plant.okta.json", "logons-avro": "plant.okta.avro", "logons-proto": "plant.okta.proto", "sensor": "plant.conn.proto", "fleet": "mqtt.bridge",
	"ids/plant.eve.hall1": "plant.eve.hall1", "ids/plant.eve.hall2": "plant.eve.hall2",
}

// sent is a record that the broker has.
type sent struct {
	line
	source string
	offset int64
}

// floor is a plant with its broker, and what was sent.
type floor struct {
	*plant
	b       *broker.Broker
	schemas *schemas
	began   time.Time
	said    []sent

	json, avro, proto *broker.Producer // Of sign-ins.
}

// say sends lines to the topic of a source and waits until they are acknowledged.
func (o *floor) say(p *broker.Producer, source string, lines ...line) {
	o.t.Helper()
	before := len(p.Acks())
	for _, l := range lines {
		p.Send(l.Record)
	}
	p.Flush()
	for i, a := range p.Acks()[before:] {
		o.said = append(o.said, sent{lines[i], source, a.Offset})
	}
}

// franz is a client of the broker in another language than Java, and not ours. From 4.0 on a request to produce names no topic but an id, which
// would have to be asked for.
func (o *floor) franz(options ...kgo.Opt) *kgo.Client {
	o.t.Helper()
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(o.b.Addr()), kgo.MaxVersions(kversion.V3_9_0()), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	must(o.t, err)
	o.t.Cleanup(client.Close)
	return client
}

// sayFranz is say by franz-go.
func (o *floor) sayFranz(client *kgo.Client, source string, lines ...line) {
	o.t.Helper()
	for _, l := range lines {
		r := &kgo.Record{Topic: topics[source], Key: l.Key, Value: l.Value}
		for _, h := range l.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
		}
		got, err := client.ProduceSync(o.t.Context(), r).First()
		must(o.t, err)
		o.said = append(o.said, sent{l, source, got.Offset})
	}
}

// read reads a topic to its end.
func (o *floor) read(topic string) (out []*kgo.Record) {
	o.t.Helper()
	_, next := o.b.Offsets(topic)
	at, left := map[int32]kgo.Offset{}, 0
	for p, n := range next {
		at[int32(p)] = kgo.NewOffset().AtStart()
		left += int(n)
	}
	client := o.franz(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: at}))
	defer client.Close()
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
	defer cancel()
	for len(out) < left {
		fetches := client.PollFetches(ctx)
		must(o.t, fetches.Err())
		out = append(out, fetches.Records()...)
	}
	return out
}

// heard waits until the log has all that the topics of sources hold.
func (o *floor) heard(sources ...string) {
	o.t.Helper()
	for _, s := range sources {
		_, next := o.b.Offsets(topics[s])
		o.eventually(func() bool { return o.readTo(s) == next[0] }, func() string {
			return fmt.Sprintf("source %s is read to %d; it is read to %d\n%+v", s, next[0], o.readTo(s), o.health())
		})
	}
}
