package load_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// tick is how often the producer looks how many records are due, linger how long its client gathers them for a batch of a partition. Shippers of logs
// gather for longer; what it costs is in every latency.
const (
	tick   = 5 * time.Millisecond
	linger = 25 * time.Millisecond
)

// produced is what the producer has done, as it says every second and at its end.
type produced struct {
	Records, Bytes int64 // Acknowledged.
	Probes         int64 // Among them.
	Failed         int64
	Pause          time.Duration // Longest between two looks at what is due: the machine had no time for the producer, or the broker took nothing.
	Done           bool
}

// produce sends records at a steady rate, in the streams' proportions, and some probes beside. All arguments are as the test gives them.
func produce(ctx context.Context, args []string) error {
	rate, err1 := strconv.Atoi(args[1])
	duration, err2 := time.ParseDuration(args[2])
	probes, err3 := strconv.Atoi(args[3])
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(args[0]), kgo.ProducerLinger(linger), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(200_000), kgo.RequiredAcks(kgo.AllISRAcks()))
	if err != nil {
		return err
	}
	defer client.Close()
	p := newProducer(client)
	return p.run(ctx, rate, probes, duration)
}

// producer belongs to one goroutine; the client's calls it back.
type producer struct {
	client *kgo.Client
	texts  [][]text
	plan   []int // Which stream the records of a round are of.
	said   []int // Records so far, by stream.

	records, bytes, probes, failed atomic.Int64
}

func newProducer(client *kgo.Client) *producer {
	p := &producer{client: client, said: make([]int, len(streams))}
	dice := rand.New(rand.NewPCG(3, 4))
	for i, s := range streams {
		var texts []text
		for k := range kept {
			texts = append(texts, newText(s.line(k, dice)))
		}
		p.texts = append(p.texts, texts)
		for range s.share {
			p.plan = append(p.plan, i)
		}
	}
	dice.Shuffle(len(p.plan), func(i, j int) { p.plan[i], p.plan[j] = p.plan[j], p.plan[i] })
	return p
}

func (p *producer) run(ctx context.Context, rate, probes int, duration time.Duration) error {
	clock := time.NewTicker(tick)
	defer clock.Stop()
	start, next := time.Now(), time.Second
	var sent, probed int64
	nextProbe := due(probed, probes)
	var pause time.Duration
	last := start
	for {
		select {
		case <-ctx.Done():
			return p.end(pause)
		case <-clock.C:
		}
		now := time.Now()
		passed := min(now.Sub(start), duration)
		upTo := int64(passed.Seconds() * float64(rate))
		pause, last = max(pause, now.Sub(last)), now
		p.tell(ctx, now, sent, upTo)
		sent = upTo
		for ; passed >= nextProbe; nextProbe = due(probed, probes) {
			p.send(ctx, streams[0].name, nil, probe(probed, time.Now()), true)
			probed++
		}
		switch {
		case passed == duration:
			return p.end(pause)
		case passed >= next:
			next += time.Second
			p.say(produced{Pause: pause})
		}
	}
}

// due is when a probe is sent: at some moment of its share of a second. At equal distances probes would keep step with the batches, which go every
// ingest.linger, and all of them would come early or late in theirs.
func due(probe int64, perSecond int) time.Duration {
	return time.Duration((float64(probe) + rand.Float64()) / float64(perSecond) * float64(time.Second))
}

// tell sends the records from one number to another.
func (p *producer) tell(ctx context.Context, now time.Time, from, to int64) {
	var s stamps
	s.set(now)
	for n := from; n < to; n++ {
		i := p.plan[n%int64(len(p.plan))]
		said, speakers := p.said[i], streams[i].machines
		p.said[i]++
		var key []byte
		if speakers > 0 {
			key = strconv.AppendInt(nil, int64(said%speakers), 10)
		}
		p.send(ctx, streams[i].name, key, p.texts[i][said%kept].tell(&s, n, int64(said/max(1, speakers))), false)
	}
}

func (p *producer) send(ctx context.Context, topic string, key, value []byte, isProbe bool) {
	p.client.Produce(ctx, &kgo.Record{Topic: topic, Key: key, Value: value}, func(r *kgo.Record, err error) {
		if err != nil {
			p.failed.Add(1)
			return
		}
		p.records.Add(1)
		p.bytes.Add(int64(len(r.Value)))
		if isProbe {
			p.probes.Add(1)
		}
	})
}

// end waits for the acknowledgements.
func (p *producer) end(pause time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := p.client.Flush(ctx)
	p.say(produced{Pause: pause, Done: true})
	return err
}

func (p *producer) say(x produced) {
	x.Records, x.Bytes, x.Probes, x.Failed = p.records.Load(), p.bytes.Load(), p.probes.Load(), p.failed.Load()
	line, _ := json.Marshal(x) // Numbers only.
	fmt.Fprintln(os.Stdout, string(line))
}
