package integration_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/integration/broker"
)

func TestEveryCompressionOfTheJavaClientIsRead(t *testing.T) {
	const count = 1000
	b := broker.Start(t)
	c := connect(t, b)
	for number, name := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		b.CreateTopic(name, 1, nil)
		p := b.Producer(name, map[string]string{"compression.type": name, "linger.ms": "20", "batch.size": "100000"}, nil)
		p.Time(1_700_000_000_000)
		var want []string
		for i := range count {
			r := broker.Record{
				Key: fmt.Appendf(nil, "robot-%d", i%7), Value: []byte(strings.Repeat(fmt.Sprintf("%s %d;", name, i), 1+i%200)),
				Headers: []broker.Header{{Name: "n", Value: fmt.Append(nil, i)}},
			}
			p.Send(r)
			want = append(want, fmt.Sprintf("%d %q=%q", i, r.Key, r.Value))
		}
		p.Close()
		for _, batch := range b.Batches(name, 0) {
			if batch.Compression != number {
				t.Fatalf("%s: a batch on disk has compression %d", name, batch.Compression)
			}
		}
		got := readTo(t, open(t, c, name, kafka.Earliest), count)
		if diff := cmp.Diff(want, values(got)); diff != "" {
			t.Errorf("%s (-sent +read):\n%s", name, diff)
		}
		for i, m := range got {
			if m.Time != 1_700_000_000_000_000 || len(m.Headers) != 1 || m.Headers[0].Key != "n" || string(m.Headers[0].Value) != fmt.Sprint(i) {
				t.Errorf("%s: record %d has time %d and headers %q", name, i, m.Time, m.Headers)
			}
		}
		t.Logf("%s: %d records in %d batches", name, count, len(b.Batches(name, 0)))
	}
}

func TestNullsAndEmptyBytesAreToldApart(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("records", 1, nil)
	p := b.Producer("records", nil, nil)
	p.Send(broker.Record{}, broker.Record{Key: []byte{}, Value: []byte{}})
	p.Close()
	got := readTo(t, open(t, connect(t, b), "records", kafka.Earliest), 2)
	if got[0].Key != nil || got[0].Value != nil {
		t.Errorf("nulls were read as %q=%q", got[0].Key, got[0].Value)
	}
	if got[1].Key == nil || got[1].Value == nil || len(got[1].Key)+len(got[1].Value) > 0 {
		t.Errorf("empty bytes were read as %#v=%#v", got[1].Key, got[1].Value)
	}
}

func TestAbortedRecordsAndMarkersOfTransactionsAreNeverSeen(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("records", 1, nil)
	first := b.Producer("records", map[string]string{"transactional.id": "first"}, nil)
	second := b.Producer("records", map[string]string{"transactional.id": "second"}, nil)
	plain := b.Producer("records", nil, nil)
	long := strings.Repeat(".", 1000) // So that answers are cut inside of transactions.
	var want []string
	committed := 0
	for round := range 8 {
		first.Begin()
		second.Begin()
		for i := range 20 {
			first.Send(broker.Record{Value: fmt.Appendf(nil, "first %d/%d%s", round, i, long)})
			first.Flush()
			second.Send(broker.Record{Value: fmt.Appendf(nil, "second %d/%d%s", round, i, long)})
			second.Flush()
			plain.Send(broker.Record{Value: fmt.Appendf(nil, "plain %d/%d%s", round, i, long)})
			plain.Flush()
		}
		for i, p := range []*broker.Producer{first, second} {
			if round>>i&1 == 0 {
				p.Commit()
				committed++
				continue
			}
			p.Abort()
		}
	}
	for number, p := range []*broker.Producer{first, second, plain} {
		for _, ack := range p.Close() {
			if round := ack.Index / 20; number == 2 || round>>number&1 == 0 {
				name := []string{"first", "second", "plain"}[number]
				want = append(want, fmt.Sprintf("%08d %s %d/%d", ack.Offset, name, round, ack.Index%20))
			}
		}
	}
	_, next := b.Offsets("records")
	r := open(t, connect(t, b), "records", kafka.Earliest)
	var got []string
	for _, m := range readTo(t, r, next[0]) {
		got = append(got, fmt.Sprintf("%08d %s", m.Offset, strings.TrimRight(string(m.Value), ".")))
	}
	if diff := cmp.Diff(sorted(want), got); diff != "" {
		t.Errorf("(-committed +read):\n%s", diff)
	}
	markers, aborted := 0, int64(0)
	for _, batch := range b.Batches("records", 0) {
		if batch.Control {
			markers++
		}
	}
	for _, stats := range []kafka.Stats{r.Stats()} {
		aborted = stats.Aborted
		if int(stats.Control) != markers || stats.Gaps != 0 {
			t.Errorf("%d markers are on the disk; the reader counts %+v", markers, stats)
		}
	}
	t.Logf("%d of 16 transactions committed; %d markers and %d aborted batches dropped, %d records read", committed, markers, aborted, len(got))
}

func TestAnOpenTransactionHoldsTheReaderBackAndNothingIsSteppedOver(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("records", 1, nil)
	p := b.Producer("records", map[string]string{"transactional.id": "slow"}, nil)
	plain := b.Producer("records", nil, nil)
	p.Begin()
	p.Send(broker.Record{Value: []byte("slow")})
	p.Flush()
	plain.Send(broker.Record{Value: []byte("plain")})
	plain.Close()
	r := open(t, connect(t, b), "records", kafka.Earliest)
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); { // Four times the watchdog's patience.
		got, err := r.Read(t.Context(), nil, 200*time.Millisecond)
		if err != nil || len(got) != 0 || r.Offset() != 0 {
			t.Fatalf("below the open transaction it read %v, %v and is at %d", values(got), err, r.Offset())
		}
	}
	p.Commit()
	if diff := cmp.Diff([]string{`0 ""="slow"`, `1 ""="plain"`}, values(readTo(t, r, 3))); diff != "" {
		t.Errorf("(-want +read):\n%s", diff)
	}
	if stats := r.Stats(); stats.Gaps != 0 {
		t.Errorf("the watchdog stepped over something: %+v", stats)
	}
}

// TestBatchesEmptiedByTheLogCleanerNeitherStallNorRepeat has the cleaner empty more batches in a row than one fetch holds: 1,500 producers each
// write the same key once.
func TestBatchesEmptiedByTheLogCleanerNeitherStallNorRepeat(t *testing.T) {
	const producers = 1500
	b := broker.Start(t)
	b.CreateTopic("compacted", 1, map[string]string{
		"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.0001", "delete.retention.ms": "0", "segment.ms": "600000",
	})
	client := franz(t, b)
	const start = 1_700_000_000_000
	send := func(i int64, key string, at int64) {
		t.Helper()
		if err := produce(t.Context(), client, "compacted", one(1_000_000+i, at, key, fmt.Sprintf("value %d", i))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int64(producers) {
		key := "same"
		if i%500 == 250 {
			key = fmt.Sprint("own ", i)
		}
		send(i, key, start+i)
	}
	send(producers, "same", start+3_600_000) // An hour later by its time: the first segment is closed, and can be cleaned.
	send(producers+1, "last", start+3_600_000)
	emptied := func() (n int64) {
		for _, batch := range b.Batches("compacted", 0) {
			if batch.Records == 0 {
				n++
			}
		}
		return n
	}
	until(t, "the log cleaner", func() bool { return emptied() >= producers-10 })
	want := reference(t, b, "compacted", producers+2)
	if len(want) > 10 {
		t.Fatalf("%d records are left after cleaning", len(want))
	}
	least := emptied() // The cleaner may come again.
	r := open(t, connect(t, b), "compacted", 0)
	got := readTo(t, r, producers+2)
	if diff := cmp.Diff(want, values(got)); diff != "" {
		t.Errorf("(-franz-go +read):\n%s", diff)
	}
	stats := r.Stats()
	if stats.Emptied < least || stats.Gaps != 0 || stats.Fetches > 200 {
		t.Errorf("%d batches were empty on the disk; the reader counts %+v", least, stats)
	}
	t.Logf("%d batches emptied by the cleaner, %d records left; %+v", emptied(), len(got), stats)
}

func TestOffsetsThatTheLogDoesNotHoldAreSaid(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("records", 1, nil)
	client := franz(t, b)
	for i := range int64(10) {
		if err := produce(t.Context(), client, "records", one(1_000+i, 1_700_000_000_000, "k", fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	trim(t, client.Broker(1).RetriableRequest, "records", 4)
	c := connect(t, b)
	for _, at := range []int64{0, 3, 11, 1000} {
		err := openOrRead(t, c, "records", at)
		out, is := errors.AsType[*kafka.OutOfRange](err)
		if !is {
			t.Errorf("at offset %d: %v", at, err)
			continue
		}
		if want := (kafka.OutOfRange{Topic: "records", Offset: at, First: 4, High: 10}); *out != want {
			t.Errorf("at offset %d: %+v, want %+v", at, *out, want)
		}
	}
	if got := readTo(t, open(t, c, "records", kafka.Earliest), 10); len(got) != 6 || got[0].Offset != 4 {
		t.Errorf("from the start it read %v", values(got))
	}
	if at := open(t, c, "records", kafka.Latest).Offset(); at != 10 {
		t.Errorf("the newest end is at %d", at)
	}
}

func TestARecreatedTopicIsOutOfRange(t *testing.T) {
	b := broker.Start(t)
	c := connect(t, b)
	client := franz(t, b)
	b.CreateTopic("records", 1, nil)
	for i := range int64(50) {
		if err := produce(t.Context(), client, "records", one(1_000+i, 1_700_000_000_000, "k", "old")); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, c, "records", kafka.Earliest)
	readTo(t, r, 50)
	b.DeleteTopic("records")
	b.CreateTopic("records", 1, nil)
	until(t, "the new topic", func() bool {
		return produce(t.Context(), franz(t, b), "records", one(5_000, 1_700_000_000_000, "k", "new")) == nil
	})
	var err error
	until(t, "an error of the reader that was open", func() bool {
		_, err = r.Read(t.Context(), nil, 100*time.Millisecond)
		return err != nil
	})
	if out, is := errors.AsType[*kafka.OutOfRange](err); !is || out.High != 1 || out.Offset != 50 {
		t.Errorf("the open reader says %v", err)
	}
	if out, is := errors.AsType[*kafka.OutOfRange](openOrRead(t, c, "records", 50)); !is || out.High != 1 {
		t.Errorf("a new reader says %v", out)
	}
}

// openOrRead is the error of opening a reader, or else of its first read.
func openOrRead(t *testing.T, c *kafka.Cluster, topic string, at int64) error {
	t.Helper()
	r, err := c.Open(t.Context(), topic, 0, at)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = r.Read(t.Context(), nil, 100*time.Millisecond)
	return err
}
