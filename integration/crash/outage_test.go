package crash_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tocsin-siem/tocsin/integration/broker"
)

// What the service may take of the machine's memory beyond what it had before an outage, in MiB, with ingest.bytes of 4 MiB: what is fetched and
// not handed out yet (twice ingest.bytes), two batches with their rows (of which each takes several times ingest.bytes), what correlating keeps
// of them, and as much again for the collector. The backlog of an outage is larger than that by intention.
const (
	room    = 96
	backlog = 160 << 20
)

// flow is the number-th record of a network sensor, of about two kilobytes. A minute of event time goes by with a thousand of them.
func flow(number int) *kgo.Record {
	return &kgo.Record{Partition: int32(number % 2), Key: fmt.Append(nil, number), Value: fmt.Appendf(nil,
		`{"_path":"conn","ts":"%s","uid":"CF%014d","id.orig_h":"10.20.4.%d","id.orig_p":%d,"id.resp_h":"10.20.1.10","id.resp_p":8883,"proto":"tcp","service":"ssl",`+
			`"duration":1.25,"orig_bytes":400,"resp_bytes":900,"conn_state":"SF","history":"ShADadFf","orig_pkts":4,"resp_pkts":5,"note":"%s"}`,
		moment(number).Format("2006-01-02T15:04:05.000000Z"), number, number%200, 32768+number%20000, strings.Repeat(fmt.Sprintf("%016x", number), 108))}
}

// moment is the event time of the number-th flow.
func moment(number int) time.Time {
	return time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC).Add(time.Duration(number) * 60 * time.Millisecond)
}

func flows(from, to int) (out []*kgo.Record) {
	for n := from; n < to; n++ {
		out = append(out, flow(n))
	}
	return out
}

// visitors are refused sign-ins, each an incident, of which the receiver is told. They come when the number-th flow has come, so that none is late.
func visitors(from, to, number int) (out []*kgo.Record) {
	for n := from; n < to; n++ {
		at := moment(number).Format(time.RFC3339Nano)
		out = append(out, &kgo.Record{Value: fmt.Appendf(nil, "<38>1 %s host-%d sshd %d - - Failed password for visitor%05d from 10.66.1.%d port 50001 ssh2", at, n, 2000+n, n, n+1)})
	}
	return out
}

// Each outage in turn on one installation: what fails is named, consumption pauses, memory stays bounded, and when it is over everything is there
// without anybody's help.
func TestOutagesAreNamedWaitedForAndLoseNothing(t *testing.T) {
	needEngine(t)
	b := broker.Start(t)
	hook := newReceiver(t)
	o := newSite(t, b, "out", hook.url())
	o.cfg.Ingest.Bytes, o.cfg.Ingest.Batch = 4<<20, 4000
	o.cfg.Ingest.Idle = time.Second // Of the visitors' source nothing is to be waited for.
	o.source("flows", "zeek")
	o.source("visitors", "openssh")
	b.CreateTopic(topic("out", "flows"), 2, nil)
	b.CreateTopic(topic("out", "visitors"), 1, nil)
	clickhouse := o.outside()
	client := franz(t, b, kgo.ProducerLinger(5*time.Millisecond))
	o.start()
	told, sentFlows, sentVisitors := 0, 0, 0
	say := func(bytes, people int) {
		t.Helper()
		n := bytes / len(flow(0).Value)
		o.say(client, "flows", flows(sentFlows, sentFlows+n)...)
		sentFlows += n
		o.say(client, "visitors", visitors(sentVisitors, sentVisitors+people, sentFlows)...)
		sentVisitors += people
	}
	recovered := func(what string, checks ...string) {
		t.Helper()
		began := time.Now()
		o.heard("flows", "visitors")
		for _, c := range checks {
			o.svc.good(t, c)
		}
		eventually(t, func() bool { told, _ = hook.taken(); return told >= sentVisitors }, func() string { return fmt.Sprintf("%d deliveries for %d visitors", told, sentVisitors) })
		now, peak := o.svc.memory(t)
		t.Logf("%s is over: all %d records in the log %.1f s after; memory %d MiB, peak %d", what, sentFlows+sentVisitors, time.Since(began).Seconds(), now, peak)
	}
	say(64<<20, 3) // So that the memory at work is known.
	recovered("the start")
	_, normal := o.svc.memory(t)

	clickhouse.kill()
	say(1<<20, 1)
	o.svc.bad(t, "store", " fails since ", "nothing is lost")
	say(backlog, 3)
	o.paused(backlog / 2)
	_, peak := o.svc.memory(t)
	if peak > normal+room {
		t.Errorf("with a backlog of %d MiB the service took %d MiB at most, %d before: more than %d on top", backlog>>20, peak, normal, room)
	}
	t.Logf("ClickHouse is down with a backlog of %d MiB: memory at most %d MiB, %d before, bound %d", backlog>>20, peak, normal, normal+room)
	clickhouse.start()
	recovered("ClickHouse down", "store")

	clickhouse.fixed.Store(true)
	say(1<<20, 2)
	o.svc.bad(t, "store", "readonly", "nothing is lost")
	clickhouse.fixed.Store(false)
	recovered("ClickHouse read-only", "store")

	clickhouse.slow.Store(int64(4 * time.Second)) // So slow that it is slower than we can send.
	say(64<<20, 2)
	o.paused(16 << 20)
	clickhouse.slow.Store(0)
	recovered("ClickHouse slow", "store")

	b.Kill()
	o.svc.bad(t, "kafka", "not in group out", "connection refused", "nothing is lost")
	b.Restart()
	say(1<<20, 2)
	recovered("the broker down", "kafka", "topic flows", "topic visitors")

	hook.down.Store(true)
	say(1<<20, 3)
	o.svc.bad(t, "endpoint soc", "3 owed", "503")
	o.heard("flows", "visitors") // Nothing else waits for the receiver.
	hook.down.Store(false)
	recovered("the receiver down", "endpoint soc")

	if _, peak := o.svc.memory(t); peak > normal+room {
		t.Errorf("the service took %d MiB at most, %d before the outages: more than %d on top", peak, normal, room)
	}
	hook.quiet(t, o.svc)
	o.svc.interrupt(t)
	got := o.trace()
	hook.follows(t, &got)
	if len(got.Events) != sentFlows+sentVisitors || len(got.Rejects) != 0 || len(got.Groups) != sentVisitors {
		t.Errorf("%d events, %d rejects, %d incidents of %d records with %d visitors", len(got.Events), len(got.Rejects), len(got.Groups), sentFlows+sentVisitors, sentVisitors)
	}
}

// paused waits until the log stands still while so many bytes at least are left with the broker, and the health page tells how much is left.
func (o *site) paused(bytes int) {
	t := o.t
	t.Helper()
	left := func() (n int) {
		for p, end := range ends(t, o.b, topic(o.prefix, "flows")) {
			n += int(end - o.readTo("flows", p))
		}
		return n * len(flow(0).Value)
	}
	eventually(t, func() bool { return left() >= bytes }, func() string { return fmt.Sprintf("%d bytes are left to read: %d are", bytes, left()) })
	behind := func() (n int) {
		_, _ = fmt.Sscanf(o.svc.health(t)["topic flows"].Detail, "2 of 2 partitions ours; %d behind", &n)
		return n * len(flow(0).Value)
	}
	eventually(t, func() bool { return behind() >= bytes*3/4 }, func() string {
		return fmt.Sprintf("the health page tells of %d bytes left to read: %+v", bytes, o.svc.health(t)["topic flows"])
	})
}
