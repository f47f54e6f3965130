package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

// GroupSettings says which consumer group to join and what to read in it. Zero times mean the default.
type GroupSettings struct {
	Group    string
	Topics   []string      // Names; one that begins with ^ is a regular expression that whole names must match.
	Session  time.Duration // How long the group waits for a member that went silent; 10 s. Brokers allow 6 s and more.
	Commit   time.Duration // Least time between two commits; 1 s.
	Discover time.Duration // How often we look for new topics and partitions; 15 s.
	Trouble  func(string)  // Told what keeps us out of the group, and "" once nothing does; nil: nobody. Called by several goroutines.
}

func (s GroupSettings) withDefaults() GroupSettings {
	if s.Session == 0 {
		s.Session = 10 * time.Second
	}
	if s.Commit == 0 {
		s.Commit = time.Second
	}
	if s.Discover == 0 {
		s.Discover = 15 * time.Second
	}
	return s
}

// Consume joins a group and calls own once for each partition this member is given, in a goroutine of its own, again in every generation of
// the group. The context of own ends when the partition is no longer ours: own then returns soon, for the group waits for all of them before it
// goes on. If own returns nil earlier, the partition rests until the next generation; an error ends Consume. Consume returns nil when ctx ends,
// and otherwise the first error that waiting cannot cure; brokers that do not answer are waited for.
func (c *Cluster) Consume(ctx context.Context, set GroupSettings, own func(ctx context.Context, claim *Claim) error) error {
	return c.consume(ctx, set, own, hooks{trouble: set.Trouble})
}

// hooks tell somebody more than Consume does.
type hooks struct {
	found   func(context.Context, view) (view, error) // What topics there are, before they are joined; some may be struck out.
	trouble func(what string)                         // What keeps us out of the group; "": nothing does any more.
	same    func(ids map[string]string) error         // What ids topics have; an error ends Consume. nil: they do not matter.
}

func (c *Cluster) consume(ctx context.Context, set GroupSettings, own func(context.Context, *Claim) error, h hooks) error {
	m, err := newMatcher(set.Topics)
	if err != nil {
		return err
	}
	if set.Group == "" {
		return errors.New("kafka: the consumer group has no name: set kafka.group")
	}
	g := &group{cluster: c, set: set.withDefaults(), own: own, hooks: h, log: c.log.With("group", set.Group)}
	g.lookout = &lookout{cluster: c, matcher: m, log: g.log, trouble: h.trouble, same: h.same}
	g.balancer = &sticky{seen: func() view { return *g.seen.Load() }}
	for {
		if err := g.enter(ctx); err != nil || ctx.Err() != nil {
			return quiet(ctx, err)
		}
	}
}

// quiet makes the end of ctx the quiet end of a run.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// group is our part in a consumer group.
type group struct {
	cluster  *Cluster
	set      GroupSettings
	own      func(context.Context, *Claim) error
	hooks    hooks
	lookout  *lookout
	balancer *sticky
	seen     atomic.Pointer[view] // what there is to read
	log      *slog.Logger
	said     string // the last trouble that was logged
	behind   bool   // offsets could not be committed, which has been logged
}

// enter is one membership: from the discovery of topics until there are other topics, or ctx ends. kafka-go cannot change the topics of a member,
// so with other topics we leave and come back.
func (g *group) enter(ctx context.Context) error {
	all, err := g.lookout.await(ctx, g.set.Discover)
	if err != nil {
		return err
	}
	wanted, err := g.admit(ctx, all)
	if err != nil {
		return err
	}
	if len(wanted) == 0 { // None of them may be read.
		_ = g.lookout.watch(ctx, all, g.set.Discover)
		return nil
	}
	lines := &lines{dial: g.cluster.dial, open: map[*line]bool{}}
	dialer := g.cluster.dialer()
	dialer.DialFunc = lines.connect
	members, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: g.set.Group, Brokers: g.cluster.config.Brokers, Dialer: dialer, Topics: wanted.names(), GroupBalancers: []kafka.GroupBalancer{g.balancer},
		HeartbeatInterval: g.set.Session / 5, SessionTimeout: g.set.Session, RebalanceTimeout: max(g.set.Session, 30*time.Second), JoinGroupBackoff: time.Second,
		StartOffset: kafka.FirstOffset, Timeout: min(g.set.Session, g.cluster.config.RequestTimeout),
	})
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	err = g.generations(ctx, members, all)
	// kafka-go may be waiting for the others to join, which can take as long as a rebalance: then its lines are cut.
	cut := time.AfterFunc(3*time.Second, lines.cut)
	defer cut.Stop()
	return errors.Join(err, members.Close())
}

// admit publishes what is to be read, without what found strikes out.
func (g *group) admit(ctx context.Context, all view) (view, error) {
	wanted := all
	if g.hooks.found != nil {
		var err error
		if wanted, err = g.hooks.found(ctx, all); err != nil {
			return nil, err
		}
	}
	g.seen.Store(&wanted)
	return wanted, nil
}

// errTopics ends a generation in which there are other topics or partitions than when it began.
var errTopics = errors.New("there are other topics or partitions")

// generations works through one generation after the other.
func (g *group) generations(ctx context.Context, members *kafka.ConsumerGroup, all view) error {
	for {
		gen, err := members.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, kafka.InvalidSessionTimeout):
			return fmt.Errorf("kafka: the brokers refuse a session timeout of %v: give one between their group.min.session.timeout.ms and group.max.session.timeout.ms: %w", g.set.Session, err)
		case err != nil:
			g.trouble(err)
			continue
		}
		g.well()
		err = g.generation(ctx, gen, all)
		switch {
		case ctx.Err() != nil:
			return errors.Join(err, ctx.Err())
		case errors.Is(err, errTopics):
			now, err := g.lookout.look(ctx)
			if err != nil || !sameTopics(now, all) {
				return nil
			}
			if _, err := g.admit(ctx, now); err != nil {
				return err
			}
			all = now
		case err != nil:
			return err
		}
	}
}

// trouble logs what keeps us out of the group, once as long as it is of the same kind. That the coordinator is not there yet, as for the first group
// of a new cluster or after a restart of its brokers, is nothing to worry about, nor is it that we were away for so long that we join as new.
func (g *group) trouble(err error) {
	if errors.Is(err, kafka.RebalanceInProgress) {
		return
	}
	kind := "the brokers do not answer"
	if code, answered := errors.AsType[kafka.Error](err); answered {
		kind = code.Title()
	}
	if kind == g.said {
		return
	}
	g.said = kind
	hint, level := "trying again", slog.LevelWarn
	switch {
	case errors.Is(err, kafka.GroupAuthorizationFailed), errors.Is(err, kafka.TopicAuthorizationFailed), errors.Is(err, kafka.SASLAuthenticationFailed):
		hint = "the brokers do not let us: check the account and its ACLs (READ on the group, READ and DESCRIBE on the topics); trying again"
	case errors.Is(err, kafka.InconsistentGroupProtocol):
		hint = "another program is in this group: give Tocsin one of its own; trying again"
	case starting(err), expelled(err):
		level = slog.LevelInfo
	}
	g.log.Log(context.Background(), level, "not in the consumer group", "err", err, "hint", hint)
	if g.hooks.trouble != nil {
		g.hooks.trouble(err.Error() + ": " + hint)
	}
}

// well notes that we are in the group.
func (g *group) well() {
	g.said = ""
	if g.hooks.trouble != nil {
		g.hooks.trouble("")
	}
}

// generation runs the claims of one generation, within kafka-go's accounting, so that the group does not go on before all have returned.
func (g *group) generation(ctx context.Context, gen *kafka.Generation, all view) error {
	done := make(chan error, 1)
	gen.Start(func(ended context.Context) { done <- g.claims(ctx, ended, gen, all) })
	return <-done
}

// placesOf are the places a generation gives us.
func placesOf(gen *kafka.Generation) []place {
	var out []place
	for topic, list := range gen.Assignments {
		for _, a := range list {
			out = append(out, place{topic, int32(a.ID)})
		}
	}
	return out
}

// describe names places for the log, in short.
func describe(places []place) string {
	byTopic := view{}
	for _, p := range places {
		byTopic[p.topic]++
	}
	var parts []string
	for _, t := range byTopic.names() {
		parts = append(parts, fmt.Sprintf("%s×%d", t, byTopic[t]))
	}
	return strings.Join(parts, " ")
}
