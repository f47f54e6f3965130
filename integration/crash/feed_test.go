package crash_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/tocsin-siem/tocsin/integration/broker"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
)

// What makes an undisturbed run and a killed one comparable (docs/rules.md, N5 and N7):
//   - Each partition is in the order of its event times. Event time is the least newest time over all partitions, and no partition counts as idle
//     while it has something to say (ingest.idle is a day), so however far the partitions are apart when they are read, and they are far apart
//     after each kill, no record is behind event time by more than the disorder inside its own partition.
//   - The tickets, of which there are four early in the night, come in the first round; only then may their source be idle, or event time would
//     stand still for the rest of the night.
//   - What one machine says of itself stays in one partition: a robot is the key of its states.
//   - The teachers, which tell who has which address, have been read before the records come that they explain.
//   - Both runs see the same offsets, for ids are made from them: the undisturbed one reads copies of the topics.

// teachers are the sources that say who has which address.
var teachers = []string{"dhcpd", "cisco_ise", "crowdstrike"}

// Sources that come otherwise than the rest.
const (
	load    = "bastion"       // Generated lines, in every round.
	tickets = "change_ticket" // Only in the first.
)

// partitions of the sources; 1 where nothing is said. Formats that split messages over records need their order.
var partitions = map[string]int{"okta": 2, "openssh": 2, "suricata": 2, "universal_robots": 2, "vda5050": 2, "zeek": 3, load: 3}

// subject finds what a record is about, where that has to stay in one partition.
var subject = map[string]*regexp.Regexp{
	"okta":             regexp.MustCompile(`"alternateId":"[^"]*"`),
	"universal_robots": regexp.MustCompile(`cobot-\d+`),
	"vda5050":          regexp.MustCompile(`"serialNumber":"[^"]*"`),
}

// stream is what one source is going to say, by partition.
type stream struct {
	name, format string
	records      [][]*kgo.Record
}

// topic names a source's topic; the records of a run have that run's prefix.
func topic(prefix, source string) string { return prefix + "." + source }

// night is the main scenario, the teachers first, with generated lines beside it, and records among all that are none. lines is how many are
// generated.
func night(r *rand.Rand, lines int) []*stream {
	var out []*stream
	for _, src := range scenarios.All()[0].Sources {
		out = append(out, newStream(r, src.Name, src.Format, src.Data(), 60))
	}
	out = append(out, newStream(r, load, "openssh", bastion(r, lines), 300))
	slices.SortStableFunc(out, func(a, b *stream) int { return rank(a.name) - rank(b.name) })
	return out
}

func rank(name string) int {
	if i := slices.Index(teachers, name); i >= 0 {
		return i
	}
	return len(teachers)
}

// newStream puts lines into partitions, and one among spoiled that is none.
func newStream(r *rand.Rand, name, format string, data []byte, spoiled int) *stream {
	s := &stream{name: name, format: format, records: make([][]*kgo.Record, max(1, partitions[name]))}
	places := map[string]int{} // Of what has to stay together; every partition gets something.
	for line := range bytes.Lines(data) {
		line = bytes.TrimRight(line, "\n")
		about, p := line, r.IntN(len(s.records))
		if re := subject[name]; re != nil {
			about = re.Find(line)
			if _, known := places[string(about)]; !known {
				places[string(about)] = len(places) % len(s.records)
			}
			p = places[string(about)]
		}
		if r.IntN(spoiled) == 0 {
			s.records[p] = append(s.records[p], none(r, p))
		}
		s.records[p] = append(s.records[p], &kgo.Record{Partition: int32(p), Key: about[:min(len(about), 20)], Value: slices.Clone(line)})
	}
	return s
}

// none is a record that cannot become an event: no text, nothing at all, or empty.
func none(r *rand.Rand, partition int) *kgo.Record {
	rec := &kgo.Record{Partition: int32(partition), Key: []byte("none"), Headers: []kgo.RecordHeader{{Key: "why", Value: []byte{0, 0xff}}}}
	switch r.IntN(4) {
	case 0: // A tombstone.
	case 1:
		rec.Value = []byte{}
	default:
		rec.Value = fmt.Appendf(nil, "{\"broken\": %d, \xff", r.IntN(1000))
	}
	return rec
}

// bastion is the log of a bastion host over the night: sessions that end, and guests of whom some are refused, some of these again and again and
// some let in at last. A guest has a machine and an address of its own, so that each is a story for itself.
func bastion(r *rand.Rand, lines int) []byte {
	type line struct {
		at   time.Time
		text string
	}
	from, length := time.Date(2026, 11, 20, 21, 0, 0, 0, time.UTC), 8*time.Hour
	var out []line
	say := func(at time.Time, host, format string, args ...any) {
		out = append(out, line{at, fmt.Sprintf("<38>1 %s %s.plant.example sshd %d - - %s", at.Format("2006-01-02T15:04:05.000000Z07:00"), host, 2000+len(out), fmt.Sprintf(format, args...))})
	}
	for i := range lines {
		at := from.Add(time.Duration(r.Int64N(int64(length))))
		if i%50 > 0 {
			say(at, "bastion", "Disconnected from user svc-fleet 10.40.1.10 port %d", 40000+i%20000)
			continue
		}
		guest, address := fmt.Sprintf("guest%05d", i/50), fmt.Sprintf("10.66.%d.%d", i/50/250, 1+i/50%250)
		for range 1 + r.IntN(5) {
			say(at, "host-"+guest, "Failed password for %s from %s port %d ssh2", guest, address, 50000+r.IntN(1000))
			at = at.Add(time.Duration(r.Int64N(int64(25 * time.Minute))))
		}
		if r.IntN(2) == 0 {
			say(at, "host-"+guest, "Accepted password for %s from %s port %d ssh2", guest, address, 50000+r.IntN(1000))
		}
	}
	slices.SortStableFunc(out, func(a, b line) int { return a.at.Compare(b.at) })
	var text bytes.Buffer
	for _, l := range out {
		text.WriteString(l.text + "\n")
	}
	return text.Bytes()
}

// guestRules are about guests, a count and an absence, and about visitors, of whom each is told at once.
const guestRules = `id: t-0101
version: 1
title: A guest is refused three times
description: For tests.
severity: medium
match:
  count:
    id: refused
    class: authentication.logon
    where: status == "Failure" and user.name startsWith "guest"
    bind: {person: user}
    at_least: 3
    within: 1h
tests:
  - name: it fires
    events:
      - {at: 0m, class: authentication.logon, status: Failure, user: {name: guest1}}
      - {at: 1m, class: authentication.logon, status: Failure, user: {name: guest1}}
      - {at: 2m, class: authentication.logon, status: Failure, user: {name: guest1}}
    fires: [{at: 2m, vars: {person: guest1}}]
  - name: it stays silent
    events:
      - {at: 0m, class: authentication.logon, status: Success, user: {name: guest1}}
    fires: []
---
id: t-0102
version: 1
title: A guest is refused and not let in
description: For tests.
severity: high
match:
  event:
    id: refused
    class: authentication.logon
    where: status == "Failure" and user.name startsWith "guest"
    bind: {person: user}
  unless:
    - class: authentication.logon
      after: 20m
      where: status == "Success"
      bind: {person: user}
throttle: {per: [person], for: 1h}
tests:
  - name: it fires
    events:
      - {at: 0m, class: authentication.logon, status: Failure, user: {name: guest1}}
    fires: [{at: 0m, vars: {person: guest1}}]
  - name: it stays silent
    events:
      - {at: 0m, class: authentication.logon, status: Failure, user: {name: guest1}}
      - {at: 5m, class: authentication.logon, status: Success, user: {name: guest1}}
    fires: []
---
id: t-0103
version: 1
title: A visitor is refused
description: For tests.
severity: high
match:
  event:
    id: refused
    class: authentication.logon
    where: status == "Failure" and user.name startsWith "visitor"
    bind: {person: user}
tests:
  - name: it fires
    events:
      - {at: 0m, class: authentication.logon, status: Failure, user: {name: visitor1}}
    fires: [{at: 0m, vars: {person: visitor1}}]
  - name: it stays silent
    events:
      - {at: 0m, class: authentication.logon, status: Success, user: {name: visitor1}}
    fires: []
`

// franz is a client of the broker that is not ours. Up to 3.9 a request to produce names its topic; later ones carry an id that would have to
// be asked for. Its producer is idempotent and tries for ever: a partition gets what it is given, in order.
func franz(t testing.TB, b *broker.Broker, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(b.Addr()), kgo.MaxVersions(kversion.V3_9_0()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(1<<20), kgo.RetryTimeout(10*time.Minute))...)
	must(t, err)
	t.Cleanup(client.Close)
	return client
}

// send hands records to a producer in the background and fails the test for one that is refused for good.
func send(t testing.TB, client *kgo.Client, name string, records []*kgo.Record) {
	for _, r := range records {
		produce(t, client, name, *r)
	}
}

// produce hands one record over. A broker that is killed while the client makes its connection looks to that client like one that wants TLS, after
// which it does not try again.
func produce(t testing.TB, client *kgo.Client, name string, r kgo.Record) {
	r.Topic = name
	again := r
	client.Produce(t.Context(), &r, func(_ *kgo.Record, err error) {
		_, cut := errors.AsType[*kgo.ErrFirstReadEOF](err)
		switch {
		case err == nil || t.Context().Err() != nil:
		case cut:
			produce(t, client, name, again)
		default:
			t.Errorf("a record for %s was not taken: %v", name, err)
		}
	})
}

// sent waits until everything handed over is acknowledged.
func sent(t testing.TB, client *kgo.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := client.Flush(ctx); err != nil {
		t.Fatalf("%d records have not been acknowledged: %v", client.BufferedProduceRecords(), err)
	}
}

// copyTopic puts the records of a topic into another, which is empty, at the same offsets and with the same timestamps.
func copyTopic(t testing.TB, b *broker.Broker, from, to string) {
	t.Helper()
	next := ends(t, b, from)
	at := map[int32]kgo.Offset{}
	left := 0
	for p, n := range next {
		at[int32(p)] = kgo.NewOffset().AtStart()
		left += int(n)
	}
	client := franz(t, b, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{from: at}))
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for left > 0 {
		fetches := client.PollFetches(ctx)
		must(t, fetches.Err())
		left -= fetches.NumRecords()
		fetches.EachRecord(func(r *kgo.Record) {
			send(t, client, to, []*kgo.Record{{Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp}})
		})
	}
	sent(t, client)
	if copied := ends(t, b, to); !slices.Equal(copied, next) {
		t.Fatalf("the copy of %s ends at %v, not at %v", from, copied, next)
	}
}

// ends are the offsets that the next records of a topic's partitions will get. A broker that was killed knows its topics a moment before it leads
// their partitions.
func ends(t testing.TB, b *broker.Broker, name string) (next []int64) {
	t.Helper()
	var err error
	eventually(t, func() bool { next, err = askEnds(t.Context(), b, name); return err == nil }, func() string { return fmt.Sprintf("the end of topic %s is known: %v", name, err) })
	return next
}

func askEnds(ctx context.Context, b *broker.Broker, name string) ([]int64, error) {
	conn, err := kafka.DialContext(ctx, "tcp", b.Addr())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	partitions, err := conn.ReadPartitions(name)
	if err != nil {
		return nil, err
	}
	next := make([]int64, len(partitions))
	for _, p := range partitions {
		leader, err := kafka.DialLeader(ctx, "tcp", b.Addr(), name, p.ID)
		if err != nil {
			return nil, err
		}
		next[p.ID], err = leader.ReadLastOffset()
		leader.Close()
		if err != nil {
			return nil, err
		}
	}
	return next, nil
}
