package kafka

import (
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/tocsin-siem/tocsin/event"
)

// Source hands one configured source's records to the pipeline. It implements ingest.Source and ingest.Partitioned. A record is handed out only
// while the group counts on us for its partition; what a rebalance takes away before that is dropped, and read again by whom it went to.
type Source struct {
	consumer *Consumer
	set      SourceSettings
	pattern  *regexp.Regexp // nil: a named topic
	ready    chan struct{}  // something may be there to hand out

	// The consumer's mutex guards what follows.
	parts      map[place]*part
	byPosition map[event.Position]*part // by source and partition
	order      []*part                  // by topic and partition
	queue      []*chunk                 // in the order they were fetched
}

// part is one partition of a source, ours or not. The consumer's mutex guards it.
type part struct {
	source     *Source
	at         place
	name       string // as in positions
	claim      *Claim // nil: not ours
	generation int32
	id         string        // of the topic when the partition was last ours; "": not known
	virgin     bool          // was there when we began, in a source that the group had never read
	next       int64         // offset after the last record handed out; -1: not known
	durable    int64         // offset before which all is durable; -1: not known
	high       int64         // -1: not known
	held       int           // chunks in the queue
	polled     time.Time     // when a fetch was last answered
	moved      chan struct{} // durable has grown
	lost       int64
	trouble    string
	stats      Stats
}

// chunk is what one fetch of a partition gave.
type chunk struct {
	part     *part
	claim    *Claim
	messages []Message
	next     int64 // offset after it
	received int64
	bytes    int // of the budget
}

// part gives the partition, made if need be. The caller has the mutex.
func (s *Source) part(topic string, number int32) *part {
	at := place{topic, number}
	p := s.parts[at]
	if p == nil {
		p = &part{source: s, at: at, name: s.position(topic), next: -1, durable: -1, high: -1, moved: make(chan struct{}, 1)}
		s.parts[at] = p
		if s.byPosition == nil {
			s.byPosition = map[event.Position]*part{}
		}
		s.byPosition[event.Position{Source: p.name, Partition: number}] = p
		i, _ := slices.BinarySearchFunc(s.order, at, func(p *part, at place) int { return comparePlaces(p.at, at) })
		s.order = slices.Insert(s.order, i, p)
	}
	return p
}

func (s *Source) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Partitioned implements ingest.Partitioned.
func (s *Source) Partitioned() {}

// Fetch implements ingest.Source. Its error is that of the consumer's Run.
func (s *Source) Fetch(ctx context.Context, dst []event.Record, limit int, wait time.Duration) ([]event.Record, error) {
	start := len(dst)
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		chunks, err := s.take(limit)
		for i := range chunks {
			dst = s.records(dst, &chunks[i])
		}
		if err != nil || len(dst) > start {
			return dst, err
		}
		select {
		case <-ctx.Done():
			return dst, ctx.Err()
		case <-timeout.C:
			return dst, nil
		case <-s.ready:
		}
	}
}

// take removes chunks with at most limit records from the queue: from then on they are handed out.
func (s *Source) take(limit int) ([]chunk, error) {
	c := s.consumer
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []chunk
	n, freed := 0, 0
	for n < limit && len(s.queue) > 0 {
		x := s.queue[0]
		if !x.claim.Alive() {
			break // It is about to be dropped, or the group will answer us again.
		}
		room := limit - n
		if len(x.messages) > room {
			head := *x
			head.messages, x.messages = x.messages[:room], x.messages[room:]
			head.part.next = x.messages[0].Offset
			out = append(out, head)
			break
		}
		s.queue[0] = nil
		s.queue = s.queue[1:]
		x.part.held--
		x.part.next = x.next
		n += len(x.messages)
		freed += x.bytes
		out = append(out, *x)
	}
	if freed > 0 {
		c.budget.change(-freed)
	}
	if len(out) == 0 {
		return nil, c.err
	}
	return out, nil
}

// records makes records of a chunk's messages.
func (s *Source) records(dst []event.Record, c *chunk) []event.Record {
	dst = slices.Grow(dst, len(c.messages))
	for i := range c.messages {
		m := &c.messages[i]
		r := event.Record{
			Value: m.Value, Key: m.Key, Headers: m.Headers, Format: s.set.Format, Site: s.set.Site, Location: s.set.Location, Received: c.received, Carried: m.Time,
			Position: event.Position{Source: c.part.name, Partition: c.part.at.partition, Offset: m.Offset},
		}
		if m.Fault != nil {
			r.Unread = &event.Unread{Code: m.Fault.Code, Reason: m.Fault.Reason}
		}
		dst = append(dst, r)
	}
	return dst
}

// fresh is how long ago a fetch may have been answered for its word that nothing more is there to count.
const fresh = 5 * time.Second

// Ends implements ingest.Source: the partitions we own, or in solo mode all there are. Before the topics have been listed, solo mode gives one
// that holds event time back.
func (s *Source) Ends() []event.End {
	c := s.consumer
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.set.Solo && c.seen == nil {
		return []event.End{{Source: s.set.Name, Offset: -1}}
	}
	var out []event.End
	for _, p := range s.order {
		if p.claim == nil && (!c.set.Solo || p.at.partition >= c.seen[p.at.topic]) {
			continue
		}
		drained := p.claim != nil && p.held == 0 && p.high >= 0 && p.next >= p.high && time.Since(p.polled) < fresh
		e := event.End{Source: p.name, Partition: p.at.partition, Offset: p.next, Cookie: cookieOf(p.id), Drained: drained}
		if !c.set.Solo {
			e.Generation = p.generation
		}
		out = append(out, e)
	}
	return out
}

// Commit implements ingest.Source. What was handed out in an earlier generation does not count where others read the partition, too: by the time
// it was handled the partition may not have been ours, and then nothing of it was kept.
func (s *Source) Commit(_ context.Context, ends []event.End) error {
	c := s.consumer
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range ends {
		p := s.byPosition[event.Position{Source: e.Source, Partition: e.Partition}]
		if p == nil || e.Offset <= p.durable || !c.set.Solo && (p.claim == nil || e.Generation != p.generation) {
			continue
		}
		p.durable = e.Offset
		if p.claim != nil {
			p.claim.Commit(e.Offset)
		}
		select {
		case p.moved <- struct{}{}:
		default:
		}
	}
	return nil
}

// Close implements ingest.Source. The consumer goes on; its Run ends with its context.
func (s *Source) Close() error { return nil }
