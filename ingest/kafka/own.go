package kafka

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

const (
	pollWait    = 500 * time.Millisecond // how long a broker may hold back an answer while there is nothing new
	patience    = 5 * time.Second        // between attempts that are not likely to succeed
	smallFetch  = 64 << 10               // what a fetch at the end of a partition is taken to give
	messageCost = 128                    // bytes a message takes beside its content
)

// own reads one partition while it is ours.
func (c *Consumer) own(ctx context.Context, claim *Claim) error {
	s := c.sourceOf(claim.Topic)
	c.mu.Lock()
	p := s.part(claim.Topic, claim.Partition)
	c.mu.Unlock()
	err := c.follow(ctx, p, claim)
	c.drop(p)
	if ctx.Err() != nil {
		c.settle(ctx, p, claim)
	}
	c.mu.Lock()
	p.claim = nil
	c.mu.Unlock()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// follow finds the place to go on at and reads from there until ctx ends.
func (c *Consumer) follow(ctx context.Context, p *part, claim *Claim) error {
	at, err := c.begin(ctx, p, claim)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		r, err := c.cluster.open(ctx, p.at.topic, c.idOf(p), p.at.partition, at)
		if err == nil {
			c.blame(p, "")
			err = c.read(ctx, p, claim, r)
			at = r.Offset()
			r.Close()
		}
		if out, ok := errors.AsType[*OutOfRange](err); ok {
			if at, err = c.resolve(p, out.Offset, out.First, out.High); err != nil {
				return err
			}
			continue
		}
		if other, is := errors.AsType[*Replaced](err); is {
			return p.recreated(at, -1, other)
		}
		if err != nil && ctx.Err() == nil { // A refused login, say: it may be allowed again.
			c.log.Error("a partition cannot be read; trying again", "topic", p.at.topic, "partition", p.at.partition, "err", err)
			c.blame(p, err.Error())
			pause(ctx, patience)
		}
	}
	return nil
}

func (c *Consumer) blame(p *part, trouble string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.trouble = trouble
}

// begin is the offset to go on at: after what this process has handed out, else where the log ends, else where the group stands, else where the
// source is to start.
func (c *Consumer) begin(ctx context.Context, p *part, claim *Claim) (int64, error) {
	at, was, err := c.known(ctx, p, claim)
	if err != nil {
		return 0, err
	}
	var first, high int64
	var is string
	if err := c.persist(ctx, p, func() (err error) {
		first, high, is, err = c.cluster.survey(ctx, p.at.topic, p.at.partition)
		return err
	}); err != nil {
		return 0, err
	}
	if other, differs := errors.AsType[*Replaced](replaced(p.at.topic, was, is)); differs {
		return 0, p.recreated(at, high, other)
	}
	if at == Earliest {
		at = first
	}
	if at < first || at > high {
		if at, err = c.resolve(p, at, first, high); err != nil {
			return 0, err
		}
	}
	c.mu.Lock()
	p.claim, p.generation = claim, claim.Generation // Only now: what is still on its way from an earlier claim must not be taken for what we read from here.
	p.next, p.high = at, high
	p.durable = at
	p.id = cmp.Or(is, was)
	claim.identify(p.id)
	c.mu.Unlock()
	if claim.Committed < 0 {
		claim.Commit(at) // Else "latest" would be somewhere else after a restart before the first record.
	}
	return at, nil
}

// known is begin before it is held against what the partition has, and the id of the topic that it is an offset of; Earliest: wherever the partition
// begins; "": not known.
func (c *Consumer) known(ctx context.Context, p *part, claim *Claim) (at int64, id string, err error) {
	c.mu.Lock()
	next, virgin, id := p.next, p.virgin, p.id
	if !c.set.Solo { // What was handed out and not durable when the partition was given up may have been thrown away.
		next = p.durable
	}
	c.mu.Unlock()
	if next >= 0 {
		return max(next, claim.Committed), id, nil
	}
	if c.set.From != nil {
		if end, ok := c.set.From(p.name, p.at.partition); ok {
			return end.Offset, idIn(end.Cookie), nil
		}
	}
	if again := p.name != p.source.plain(p.at.topic); again && (c.set.From != nil || claim.Committed < 0) {
		return Earliest, "", nil // An incarnation that was accepted; what a log's group has committed is of one that is gone.
	}
	if claim.Committed >= 0 {
		return c.stood(ctx, p, claim)
	}
	at, err = c.start(ctx, p, virgin)
	return at, "", err
}

// stood is where the group stands in a partition, and in which topic: without a log of its own, a process knows a topic that was made anew by that.
func (c *Consumer) stood(ctx context.Context, p *part, claim *Claim) (at int64, id string, err error) {
	err = c.persist(ctx, p, func() error {
		all, err := c.cluster.committed(ctx, c.set.Group, map[string]int32{p.at.topic: p.at.partition + 1})
		if x, ok := all[p.at]; ok && x.offset >= claim.Committed {
			claim.Committed, id = x.offset, x.id
		}
		return err
	})
	return claim.Committed, id, err
}

// start is where a source begins in a partition that was never read.
func (c *Consumer) start(ctx context.Context, p *part, virgin bool) (at int64, err error) {
	at = Earliest
	switch start := p.source.set.Start; {
	case virgin && start.Latest:
		err = c.persist(ctx, p, func() (err error) {
			_, at, err = c.cluster.Offsets(ctx, p.at.topic, p.at.partition)
			return err
		})
	case virgin && !start.At.IsZero():
		err = c.persist(ctx, p, func() (err error) {
			at, err = c.cluster.OffsetAt(ctx, p.at.topic, p.at.partition, start.At)
			return err
		})
	}
	return at, err
}

// persist does what needs a broker until it succeeds or ctx ends.
func (c *Consumer) persist(ctx context.Context, p *part, do func() error) error {
	for said := false; ; {
		err := do()
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if !said {
			c.log.Warn("a partition cannot be read; trying again", "topic", p.at.topic, "partition", p.at.partition, "err", err)
			said = true
			c.blame(p, err.Error())
		}
		pause(ctx, 250*time.Millisecond)
	}
}

// resolve says where to go on if a partition has no offset at: at its beginning if retention has removed what we had not read, which is a loss.
// If it ends before, it is another topic, and that is not for us to decide.
func (c *Consumer) resolve(p *part, at, first, high int64) (int64, error) {
	if at > high {
		return 0, p.recreated(at, high, &Replaced{})
	}
	c.mu.Lock()
	p.lost += first - at
	c.mu.Unlock()
	c.log.Error("records are lost: the topic's retention removed them before they were read; give it more retention, or Tocsin more members",
		"topic", p.at.topic, "partition", p.at.partition, "from", at, "to", first, "offsets", first-at)
	return first, nil
}

// plain is the source's name in positions, without the incarnation.
func (s *Source) plain(topic string) string {
	if s.pattern == nil {
		return s.set.Name
	}
	return s.set.Name + "/" + topic
}

// read puts one fetch after the other into the source's queue, as far as the budget allows.
func (c *Consumer) read(ctx context.Context, p *part, claim *Claim, r *Reader) error {
	full := c.cluster.config.FetchBytes
	var fetches int64
	for size := full; ; {
		share := size
		if r.Offset() >= r.High() {
			share = min(size, smallFetch)
		}
		if err := c.room(ctx, p, share); err != nil {
			return err
		}
		messages, err := r.Read(ctx, nil, pollWait)
		bytes := cost(messages)
		c.budget.change(bytes - share)
		if err != nil {
			c.budget.change(-bytes)
			return err
		}
		size = max(full, bytes) // Compressed batches give more than they weigh.
		stats := r.Stats()
		x := &chunk{part: p, claim: claim, messages: messages, next: r.Offset(), received: c.set.Clock(), bytes: bytes}
		if !c.put(x, r.High(), stats, stats.Fetches > fetches) {
			return nil
		}
		fetches = stats.Fetches
	}
}

// room takes bytes of the budget. While that takes long, because nobody takes what was fetched, it goes on finding out how far behind we are.
func (c *Consumer) room(ctx context.Context, p *part, bytes int) error {
	waiting, served := context.WithCancel(ctx)
	defer served()
	look := time.AfterFunc(patience, func() {
		for waiting.Err() == nil {
			if _, high, err := c.cluster.Offsets(waiting, p.at.topic, p.at.partition); err == nil {
				c.mu.Lock()
				p.high = max(p.high, high)
				c.mu.Unlock()
			}
			pause(waiting, patience)
		}
	})
	defer look.Stop()
	return c.budget.take(ctx, bytes)
}

// put queues a chunk, and reports whether the partition is still ours.
func (c *Consumer) put(x *chunk, high int64, stats Stats, answered bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := x.part
	if p.claim != x.claim {
		c.budget.change(-x.bytes)
		return false
	}
	p.high, p.stats = high, stats
	if answered {
		p.polled = time.Now()
	}
	switch s := p.source; {
	case len(x.messages) > 0:
		s.queue = append(s.queue, x)
		p.held++
		s.wake()
	case p.held == 0:
		p.next = x.next // Offsets without records, such as markers of transactions.
	default:
		for _, y := range slices.Backward(s.queue) {
			if y.part == p {
				y.next = x.next
				break
			}
		}
	}
	return true
}

// cost is what messages take of the budget.
func cost(messages []Message) int {
	n := len(messages) * messageCost
	for i := range messages {
		m := &messages[i]
		n += len(m.Key) + len(m.Value)
		for _, h := range m.Headers {
			n += len(h.Key) + len(h.Value)
		}
	}
	return n
}

// drop throws away what was fetched of a partition and not handed out: it will be read again, by us or by another.
func (c *Consumer) drop(p *part) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := p.source
	freed := 0
	s.queue = slices.DeleteFunc(s.queue, func(x *chunk) bool {
		if x.part == p {
			freed += x.bytes
		}
		return x.part == p
	})
	p.held = 0
	c.budget.change(-freed)
	s.wake()
}

// settle waits until what was handed out of a partition is durable, so that its next owner need not read it again; not for ever, for the whole
// group waits.
func (c *Consumer) settle(ctx context.Context, p *part, claim *Claim) {
	enough := time.NewTimer(c.set.Grace)
	defer enough.Stop()
	for {
		c.mu.Lock()
		done := p.durable >= p.next
		c.mu.Unlock()
		if done || !claim.Alive() || c.stopped(ctx) {
			return
		}
		select {
		case <-enough.C:
			return
		case <-p.moved:
		}
	}
}

// stopped reports whether a claim has ended since the whole run has: then nobody commits any more.
func (c *Consumer) stopped(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), context.Canceled)
}
