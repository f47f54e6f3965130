package kafka

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

// Claim is our right to read one partition during one generation of the group.
type Claim struct {
	Topic      string
	Partition  int32
	Generation int32
	Committed  int64 // Where the group stands: the next offset to read; -1 where nothing has been committed.

	session *session
	id      string // The topic's, once it is known; guarded by session.mu.
}

// Commit says that everything before offset need not be read again. The latest offset wins; it is sent with those of the other claims, at
// most once a second, and once more after own has returned. Later calls do nothing. Safe for concurrent use.
func (c *Claim) Commit(offset int64) { c.session.note(c, offset) }

// Alive reports whether the group still counts on us, as far as our own clock can tell: a member that was stopped for longer than its session
// has lost its partitions before it can hear of it. Safe for concurrent use.
func (c *Claim) Alive() bool { return c.session.alive() }

// identify says which topic the offsets are of that are committed from now on.
func (c *Claim) identify(id string) {
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	c.id = id
}

// session is our part in one generation.
type session struct {
	group  *group
	gen    *kafka.Generation
	cancel context.CancelCauseFunc
	began  time.Time    // what lease counts from, by the monotonic clock
	lease  atomic.Int64 // nanoseconds after began until which the group waits for us
	dirty  chan struct{}
	desk   desk // For commits: of the goroutine that makes them.

	mu   sync.Mutex // guards what follows
	next map[place]standing
	sent map[place]standing
	over map[place]bool // claims that have ended
}

// Why a generation ends.
var (
	errRebalance = errors.New("the group is being divided anew")
	errEnded     = errors.New("the group is being divided anew, or its coordinator was lost")
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
	defer context.AfterFunc(ended, func() { cancel(errEnded) })()
	s := &session{
		group: g, gen: gen, cancel: cancel, began: time.Now(), dirty: make(chan struct{}, 1),
		desk: desk{cluster: g.cluster, group: g.set.Group}, next: map[place]standing{}, sent: map[place]standing{}, over: map[place]bool{},
	}
	defer s.lease.Store(0)
	if !s.begin(claimed) {
		s.reunite(ctx)
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
		if err := g.lookout.watch(claimed, all, g.set.Discover); err != nil {
			cancel(err)
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
	s.desk.close()
	err := g.why(ctx, context.Cause(claimed))
	if err == nil {
		s.reunite(ctx)
	}
	return err
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
	p := newPulse(s)
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
	p := newPulse(s)
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
