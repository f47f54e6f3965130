package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/findcoordinator"
	"github.com/segmentio/kafka-go/protocol/heartbeat"
)

// Claim is our right to read one partition during one generation of the group.
type Claim struct {
	Topic      string
	Partition  int32
	Generation int32
	Committed  int64 // Where the group stands: the next offset to read; -1 where nothing has been committed.

	session *session
}

// Commit says that everything before offset need not be read again. The latest offset wins; it is sent with those of the other claims, at
// most once a second, and once more after own has returned. Later calls do nothing. Safe for concurrent use.
func (c *Claim) Commit(offset int64) { c.session.note(c, offset) }

// Alive reports whether the group still counts on us, as far as our own clock can tell: a member that was stopped for longer than its session
// has lost its partitions before it can hear of it. Safe for concurrent use.
func (c *Claim) Alive() bool { return c.session.alive() }

// session is our part in one generation.
type session struct {
	group  *group
	gen    *kafka.Generation
	cancel context.CancelCauseFunc
	began  time.Time    // what lease counts from, by the monotonic clock
	lease  atomic.Int64 // nanoseconds after began until which the group waits for us
	dirty  chan struct{}

	mu   sync.Mutex // guards what follows
	next map[place]int64
	sent map[place]int64
	over map[place]bool // claims that have ended
}

// Why a generation ends.
var (
	errRebalance = errors.New("the group is being divided anew")
	errExpelled  = errors.New("the group has gone on without us")
	errLapsed    = errors.New("no heartbeat got through for the length of a session")
)

// claims runs own for each partition of a generation and returns when all have returned: after ctx or the generation has ended, one of them
// failed, our session lapsed, or there are other topics.
func (g *group) claims(ctx, ended context.Context, gen *kafka.Generation, all view) error {
	if ended.Err() != nil { // kafka-go does not wait for us then.
		return nil
	}
	claimed, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ended, func() { cancel(errRebalance) })()
	s := &session{
		group: g, gen: gen, cancel: cancel, began: time.Now(), dirty: make(chan struct{}, 1), next: map[place]int64{}, sent: map[place]int64{}, over: map[place]bool{},
	}
	defer s.lease.Store(0)
	if !s.begin(claimed) {
		return quiet(ctx, ctx.Err())
	}
	places := placesOf(gen)
	g.balancer.had(gen.ID, places)
	g.log.Info("joined the group", "generation", gen.ID, "partitions", describe(places))
	// What serves the claims outlives claimed, so that they can end in good order.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var services, owners sync.WaitGroup
	services.Go(func() { s.heartbeats(serving) })
	services.Go(func() { s.commits(serving) })
	services.Go(func() {
		if _, other := g.lookout.watch(claimed, all, g.set.Discover); other {
			cancel(errTopics)
		}
	})
	for topic, list := range gen.Assignments {
		for _, a := range list {
			c := &Claim{Topic: topic, Partition: int32(a.ID), Generation: gen.ID, Committed: max(a.Offset, -1), session: s}
			owners.Go(func() {
				if err := g.own(claimed, c); err != nil && claimed.Err() == nil {
					cancel(&failure{err})
				}
				s.close(c)
			})
		}
	}
	<-claimed.Done()
	owners.Wait()
	stop()
	services.Wait()
	_ = s.commit() // It has said so.
	return g.why(ctx, context.Cause(claimed))
}

// failure is an error of own.
type failure struct{ error }

// why is what the end of a generation means for the group: an error of own ends it, other topics are told, all else goes on.
func (g *group) why(ctx context.Context, cause error) error {
	if f, ok := errors.AsType[*failure](cause); ok {
		return f.error
	}
	if ctx.Err() == nil {
		g.log.Info("left a generation of the group", "why", cause)
	}
	if errors.Is(cause, errTopics) {
		return cause
	}
	return nil
}

func (s *session) alive() bool { return int64(time.Since(s.began)) < s.lease.Load() }

// begin is the first heartbeat: no claim is given out before the group has said that this generation is the one.
func (s *session) begin(ctx context.Context) bool {
	ctx, enough := context.WithTimeout(ctx, s.group.set.Session)
	defer enough()
	p := &pulse{session: s}
	defer p.close()
	for ctx.Err() == nil {
		if p.beat(ctx) == nil {
			return true
		}
		pause(ctx, s.group.set.Session/20)
	}
	return false
}

// heartbeats keeps the lease: kafka-go sends heartbeats, too, but says nothing of those that get through.
func (s *session) heartbeats(ctx context.Context) {
	p := &pulse{session: s}
	defer p.close()
	every := s.group.set.Session / 5
	for ctx.Err() == nil {
		wait := every
		if p.beat(ctx) != nil {
			wait = every / 4
		}
		if !s.alive() {
			s.cancel(errLapsed)
		}
		pause(ctx, wait)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// pulse sends heartbeats over a link of its own to the group's coordinator.
type pulse struct {
	session *session
	link    *link
}

// beat sends one heartbeat. What the group answers decides about the lease or the session; an error of the network decides nothing.
func (p *pulse) beat(ctx context.Context) error {
	s := p.session
	ctx, enough := context.WithTimeout(ctx, max(s.group.set.Session/3, 100*time.Millisecond))
	defer enough()
	if p.link == nil {
		l, err := s.group.cluster.coordinator(ctx, s.group.set.Group)
		if err != nil {
			return err
		}
		p.link = l
	}
	sent := time.Since(s.began)
	answer, err := p.link.ask(ctx, &heartbeat.Request{GroupID: s.group.set.Group, GenerationID: s.gen.ID, MemberID: s.gen.MemberID})
	if err != nil {
		p.close()
		return err
	}
	switch code := kafka.Error(answer.(*heartbeat.Response).ErrorCode); code {
	case 0:
		s.lease.Store(int64(sent + s.group.set.Session))
		return nil
	case kafka.RebalanceInProgress: // We are still a member, and the claims may end in good order.
		s.lease.Store(int64(sent + s.group.set.Session))
		s.cancel(errRebalance)
		return nil
	case kafka.IllegalGeneration, kafka.UnknownMemberId, kafka.FencedInstanceID:
		s.lease.Store(0)
		s.cancel(errExpelled)
		return code
	default: // The coordinator has moved or is starting.
		p.close()
		return code
	}
}

func (p *pulse) close() {
	if p.link != nil {
		p.link.raw.Close()
		p.link = nil
	}
}

// coordinator opens a link to the coordinator of a group.
func (c *Cluster) coordinator(ctx context.Context, group string) (*link, error) {
	l, err := c.anyBroker(ctx)
	if err != nil {
		return nil, err
	}
	defer l.raw.Close()
	answer, err := l.ask(ctx, &findcoordinator.Request{Key: group})
	if err != nil {
		return nil, err
	}
	res := answer.(*findcoordinator.Response)
	if res.ErrorCode != 0 {
		return nil, fmt.Errorf("coordinator of group %s: %w", group, kafka.Error(res.ErrorCode))
	}
	return c.connect(ctx, net.JoinHostPort(res.Host, strconv.Itoa(int(res.Port))))
}

// note takes an offset to commit.
func (s *session) note(c *Claim, offset int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place{c.Topic, c.Partition}
	if s.over[at] {
		return
	}
	s.next[at] = offset
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// close ends a claim: what it said so far is committed, what it says later is not.
func (s *session) close(c *Claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over[place{c.Topic, c.Partition}] = true
}

// commits sends what claims said, at most as often as the settings allow, until ctx ends. It is the one place that commits, but for the last
// commit of a generation, which comes after it.
func (s *session) commits(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.dirty:
		}
		if s.commit() != nil {
			select { // Again, later.
			case s.dirty <- struct{}{}:
			default:
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.group.set.Commit):
		}
	}
}

// commit sends what is new since the last time, through the generation: the group refuses it from anybody who is no longer part of that.
func (s *session) commit() error {
	if !s.alive() {
		return nil
	}
	s.mu.Lock()
	next := maps.Clone(s.next)
	maps.DeleteFunc(next, func(at place, offset int64) bool { sent, ok := s.sent[at]; return ok && sent == offset })
	s.mu.Unlock()
	if len(next) == 0 {
		return nil
	}
	offsets := map[string]map[int]int64{}
	for at, offset := range next {
		if offsets[at.topic] == nil {
			offsets[at.topic] = map[int]int64{}
		}
		offsets[at.topic][int(at.partition)] = offset
	}
	if err := s.gen.CommitOffsets(offsets); err != nil {
		s.group.log.Warn("offsets not committed; nothing is lost by that", "err", err)
		return err
	}
	s.mu.Lock()
	maps.Copy(s.sent, next)
	s.mu.Unlock()
	return nil
}
