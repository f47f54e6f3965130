package relay_test

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/relay"
	"github.com/tocsin-siem/tocsin/rules"
)

// ingester is an ingest member: what its consumer and pipeline do stands here, the rest is the sender.
type ingester struct {
	*process
	feed   map[string][]event.Event
	sender *relay.Sender
	ticked int64
	ticks  int
}

// wireIngest makes a process an ingest member.
func wireIngest(set *rules.Set, feed map[string][]event.Event) func(*process) {
	return func(p *process) {
		x := &ingester{process: p, feed: feed}
		x.sender = relay.NewSender(relay.SenderSettings{
			Member: p.name, Epoch: relay.RoleEpoch + uint64(p.started), Topic: relay.HitsTopic, Partitions: hitsPartitions, FrameBytes: 4000,
			Matcher: correlate.New(set, correlate.Settings{}), Rows: p, Ownership: x, Producer: p, Slog: p.log,
		})
		go func() {
			err := x.run()
			p.mu.Lock()
			defer p.mu.Unlock()
			p.failed(err)
		}()
	}
}

func (x *ingester) Generation(source string, partition int32) (int32, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	h := x.held[logName(source, partition)]
	if h == nil {
		return 0, false
	}
	return h.generation, true
}

func (x *ingester) Partitions() []relay.Partitions {
	return []relay.Partitions{{Source: "quiet", Count: 1}, {Source: "s0", Count: 2}, {Source: "s1", Count: 1}}
}

func (x *ingester) run() error {
	for {
		err := x.point(x.ctx, func() bool {
			if x.clock-x.ticked > 250_000 {
				return true
			}
			for name, h := range x.held {
				if h.position < x.there(name) {
					return true
				}
			}
			return false
		}, "fetch")
		if err != nil {
			return err
		}
		b, read := x.fetch()
		if len(b.Events) == 0 && x.ticks%3 > 0 {
			x.ticks++
			err = x.sender.Tick(x.ctx, b.Received)
		} else {
			x.ticks++
			err = x.sender.Handle(x.ctx, b)
		}
		if err != nil {
			return err
		}
		if err := x.point(x.ctx, nil, "commit"); err != nil {
			return err
		}
		x.commit(read)
	}
}

// there is how much of a partition can be read. Its last event, which moves event time past every deadline, comes when all misfortune is over:
// a mark that was held back for a moment dies with its member, and only the next event says as much again.
func (x *ingester) there(name string) int64 {
	n := int64(len(x.feed[name]))
	if n > 0 && !x.quiet {
		n--
	}
	return n
}

// fetched is how far a partition was read, and by the right of which generation.
type fetched struct {
	*hold
	position int64
}

func (x *ingester) fetch() (*event.Batch, map[string]fetched) {
	x.mu.Lock()
	defer x.mu.Unlock()
	b, read := &event.Batch{Received: x.clock}, map[string]fetched{}
	x.ticked = x.clock
	for _, name := range slices.Sorted(maps.Keys(x.held)) {
		h := x.held[name]
		n := min(int64(x.r.IntN(9)), x.there(name)-h.position)
		for _, e := range x.feed[name][h.position : h.position+n] {
			e.Envelope.Received = x.clock
			b.Events = append(b.Events, e)
			if e.Time > h.newest {
				h.newest, h.received = e.Time, x.clock
			}
		}
		h.position += n
		source, partition, _ := strings.Cut(name, "/")
		number, _ := strconv.Atoi(partition)
		b.Marks = append(b.Marks, event.Mark{Source: source, Partition: int32(number), Newest: h.newest, Received: h.received, Idle: h.drained})
		h.drained = source == "quiet"
		read[name] = fetched{h, h.position}
	}
	slices.SortFunc(b.Marks, func(a, c event.Mark) int {
		return cmp.Or(strings.Compare(a.Source, c.Source), cmp.Compare(a.Partition, c.Partition))
	})
	return b, read
}

// commit is refused by the group for a generation that is over; the process then knows.
func (x *ingester) commit(read map[string]fetched) {
	x.mu.Lock()
	defer x.mu.Unlock()
	g := x.groups["ingest"]
	for name, f := range read {
		switch {
		case x.held[name] != f.hold:
		case g.owners[name] == x.process && g.generation == f.generation:
			g.committed[name] = f.position
		default:
			delete(x.held, name)
		}
	}
}
