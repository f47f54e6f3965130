package crash_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tocsin-siem/tocsin/integration/broker"
)

// perRound is how many generated records a round brings beside its share of the scenario's.
const perRound = 1500

// rounds is how often something is killed: ROUNDS, or 200 in the long run and else 10.
func rounds(t *testing.T) int {
	text := os.Getenv("ROUNDS")
	switch {
	case text != "":
	case os.Getenv("TOCSIN_LONG") == "1":
		return 200
	default:
		return 10
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= len(teachers) {
		t.Fatalf("ROUNDS is %q: give a number above %d", text, len(teachers))
	}
	return n
}

// Whatever is killed whenever, with kill -9 and under load: every accepted record is in the log once, every published change follows from the log
// and is delivered. TOCSIN_SEED repeats the records and the choice of kills; what they hit is up to the machine.
func TestKillsOfTocsinTheEngineAndTheBrokerChangeNothing(t *testing.T) {
	needEngine(t)
	b := broker.Start(t)
	seed, n := rand.Uint64(), rounds(t)
	if s, err := strconv.ParseUint(os.Getenv("TOCSIN_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("seed %d, %d rounds", seed, n)
	streams := night(rand.New(rand.NewPCG(seed, 1)), n*perRound)

	hook := newReceiver(t)
	rough := nightSite(t, b, "rough", hook, streams)
	disturb(rough, streams, n, rand.New(rand.NewPCG(seed, 2)))
	got := finish(rough, hook)

	calmHook := newReceiver(t)
	calm := nightSite(t, b, "calm", calmHook, streams)
	calm.start()
	for i, s := range streams {
		copyTopic(t, b, topic("rough", s.name), topic("calm", s.name))
		if i < len(teachers) {
			calm.heard(s.name)
		}
	}
	calm.heard(calm.sources()...)
	want := finish(calm, calmHook)
	if len(want.Events) < 5000+n*perRound*9/10 || len(want.Rejects) < 20 || len(want.Findings) < 10+n || len(want.Groups) < n || want.final() < len(want.Findings)/2 {
		t.Errorf("the test is void: %d events, %d rejects, %d findings of which %d final, %d incidents", len(want.Events), len(want.Rejects), len(want.Findings), want.final(), len(want.Groups))
	}
	compare(t, want, got)
	unique, all := hook.taken()
	t.Logf("deliveries: %d, some repeated (%d in all); each is of a change in the log, and none that is owed is missing", unique, all)
}

// nightSite reads all sources of the night, whose topics it makes.
func nightSite(t *testing.T, b *broker.Broker, prefix string, hook *receiver, streams []*stream) *site {
	o := newSite(t, b, prefix, hook.url())
	for _, s := range streams {
		if c := o.source(s.name, s.format); s.name == tickets {
			c.Idle = time.Second
		}
		b.CreateTopic(topic(prefix, s.name), len(s.records), nil)
	}
	return o
}

// finish stops a site once all is delivered, and gives what it leaves.
func finish(o *site, hook *receiver) trace {
	o.t.Helper()
	// The broker may just have come back: the tickets hold event time until their topic is known to be read to its end once more.
	ticket := func() string { return o.svc.health(o.t)["source "+tickets].Detail }
	eventually(o.t, func() bool { return strings.HasSuffix(ticket(), "; idle") }, func() string { return "the tickets' source is idle: " + ticket() })
	hook.quiet(o.t, o.svc)
	o.svc.interrupt(o.t)
	out := o.trace()
	hook.follows(o.t, &out)
	return out
}

// What can be killed.
const (
	tocsin = 1 << iota
	theEngine
	theBroker
	twice // The service once more, while it starts.
)

var kills = []int{
	tocsin, theEngine, theBroker, tocsin | theEngine, tocsin | theBroker, theEngine | theBroker, tocsin | theEngine | theBroker, tocsin | twice,
}

func words(kill int) string {
	var out []string
	for i, w := range []string{"tocsin", "the engine", "the broker", "tocsin while it starts"} {
		if kill&(1<<i) != 0 {
			out = append(out, w)
		}
	}
	return strings.Join(out, ", ")
}

// disturb feeds the streams in rounds and kills something in each. It ends when the log has everything.
func disturb(o *site, streams []*stream, n int, r *rand.Rand) {
	t := o.t
	client := franz(t, o.b)
	o.start()
	began := time.Now()
	var deck []int
	for round := range n {
		if len(deck) == 0 { // Each kind comes before one comes again.
			deck = slices.Clone(kills)
			r.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		kill := deck[0]
		deck = deck[1:]
		var feeding sync.WaitGroup
		pieces := share(streams, round, n, r)
		pace := time.Duration(r.Int64N(int64(1500*time.Millisecond))) / time.Duration(len(pieces)+1)
		before := o.progress() // Every round brings something.
		feeding.Go(func() { feed(o, client, pieces, pace) })
		if r.IntN(3) > 0 { // Some kills come before the one before has been got over.
			eventually(t, func() bool { return o.progress() > before }, func() string { return "records are read again\n" + o.svc.stuck(t) })
		}
		wait := time.Duration(r.IntN(1000)) * time.Millisecond
		time.Sleep(wait) // A moment that nobody chose.
		at := o.progress()
		o.strike(kill, r)
		t.Logf("round %d at %.1f s: killed %s; the log was seen at %d records", round+1, time.Since(began).Seconds(), words(kill), at)
		feeding.Wait()
		if round < len(teachers) {
			sent(t, client)
			o.heard(streams[round].name)
		}
	}
	sent(t, client)
	o.heard(o.sources()...)
}

// piece is some records of one partition.
type piece struct {
	topic   string
	records []*kgo.Record
}

// share is what the streams bring in a round: the teachers one round each, tickets in the first, the generated lines their part in each, the others
// from when the teachers have spoken. Partitions are mixed as it happens; each keeps its order.
func share(streams []*stream, round, n int, r *rand.Rand) (out []piece) {
	var queues [][]piece
	for i, s := range streams {
		first, last := len(teachers), n
		switch {
		case i < len(teachers):
			first, last = i, i+1
		case s.name == load:
			first = 0
		case s.name == tickets:
			first, last = 0, 1
		}
		if round < first || round >= last {
			continue
		}
		for _, all := range s.records {
			mine := all[len(all)*(round-first)/(last-first) : len(all)*(round-first+1)/(last-first)]
			var queue []piece
			for part := range slices.Chunk(mine, 50) {
				queue = append(queue, piece{s.name, part})
			}
			if len(queue) > 0 {
				queues = append(queues, queue)
			}
		}
	}
	for len(queues) > 0 {
		i := r.IntN(len(queues))
		out = append(out, queues[i][0])
		if queues[i] = queues[i][1:]; len(queues[i]) == 0 {
			queues = slices.Delete(queues, i, i+1)
		}
	}
	return out
}

func feed(o *site, client *kgo.Client, pieces []piece, pace time.Duration) {
	for _, p := range pieces {
		send(o.t, client, topic(o.prefix, p.topic), p.records)
		time.Sleep(pace) // The load lasts a while.
	}
}

// strike kills and starts again.
func (o *site) strike(kill int, r *rand.Rand) {
	t := o.t
	if pid := o.svc.engine(t); pid != 0 && kill&theEngine != 0 {
		if err := syscall.Kill(pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) { // The one that was killed before may just have gone.
			must(t, err)
		}
	}
	if kill&tocsin != 0 {
		o.svc.kill()
	}
	if kill&theBroker != 0 {
		o.b.Kill()
	}
	if kill&twice != 0 {
		s, _ := launch(t, o.config, o.ahead)
		time.Sleep(time.Duration(r.IntN(2500)) * time.Millisecond)
		s.kill()
	}
	brokerFirst := r.IntN(2) == 0
	if kill&theBroker != 0 && brokerFirst {
		o.b.Restart()
	}
	if kill&tocsin != 0 {
		o.svc = start(t, o.config, o.ahead)
	}
	if kill&theBroker != 0 && !brokerFirst {
		o.b.Restart()
	}
}
