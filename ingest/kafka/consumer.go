package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/event"
)

// SourceSettings is one configured source: a topic, or all topics whose names match a pattern.
type SourceSettings struct {
	Name           string
	Topic          string // One of Topic and Pattern.
	Pattern        string // A regular expression that whole names of topics must match; topics that are made later are found.
	Format         string
	Site           string
	Location       *time.Location
	Start          Start
	AllowCompacted bool // Read a topic with compaction, whose records may vanish before they are read.
}

// Start says where a source begins that the group has never read. What is added to the source later is read from its beginning in any case.
type Start struct {
	Latest bool      // After what is there already; else, and where At is zero, at the beginning.
	At     time.Time // At the first record that is not older.
}

// ConsumerSettings is what a consumer is made of. Zero times and bytes mean the default.
type ConsumerSettings struct {
	Group    string
	Session  time.Duration // As of GroupSettings.
	Commit   time.Duration
	Discover time.Duration
	Grace    time.Duration // How long a partition that we must give up is kept until what was handed out of it is durable; a third of Session.
	Sources  []SourceSettings
	// From is where the log ends, with the cookie it has from Ends; it wins over what the group has committed. nil: there is no such log.
	From func(source string, partition int32) (event.End, bool)
	// Incarnation counts how often an operator has accepted that a source's topic was made anew; nil: never.
	Incarnation func(source string) int
	Solo        bool // This process reads all partitions: Ends lists them all, be they ours already or not, so that event time waits for them.
	Bytes       int  // Most bytes fetched and not handed out yet, over all partitions; 64 MiB.
	Clock       func() int64
	Log         *slog.Logger
}

// Consumer reads Kafka topics as a member of a group, for the ingest pipeline. Run does the work; the sources hand out what it fetched.
type Consumer struct {
	cluster *Cluster
	set     ConsumerSettings
	log     *slog.Logger
	budget  budget
	sources []*Source

	mu      sync.Mutex // guards what follows, and the sources
	seen    view       // nil until topics have been listed
	virgin  map[string]bool
	refused map[string]bool // topics with compaction that a pattern matched
	trouble string          // what keeps us out of the group
	err     error           // why Run has ended
}

// NewConsumer checks the settings. It opens no connection.
func NewConsumer(cluster *Cluster, set ConsumerSettings) (*Consumer, error) {
	set.Session = cmp.Or(set.Session, GroupSettings{}.withDefaults().Session)
	set.Grace = cmp.Or(set.Grace, set.Session/3)
	set.Bytes = cmp.Or(set.Bytes, 64<<20)
	if set.Log == nil {
		set.Log = cluster.log
	}
	c := &Consumer{cluster: cluster, set: set, log: set.Log, budget: budget{size: set.Bytes}, virgin: map[string]bool{}, refused: map[string]bool{}}
	if set.Group == "" {
		return nil, errors.New("kafka: the consumer group has no name: set kafka.group")
	}
	if set.Clock == nil {
		return nil, errors.New("kafka: a consumer needs a clock")
	}
	for _, s := range set.Sources {
		x, err := c.newSource(s)
		if err != nil {
			return nil, err
		}
		c.sources = append(c.sources, x)
	}
	return c, nil
}

func (c *Consumer) newSource(set SourceSettings) (*Source, error) {
	bad := func(format string, args ...any) (*Source, error) {
		return nil, fmt.Errorf("source %s: "+format, append([]any{set.Name}, args...)...)
	}
	x := &Source{consumer: c, set: set, parts: map[place]*part{}, ready: make(chan struct{}, 1)}
	switch {
	case (set.Topic == "") == (set.Pattern == ""):
		return bad("give either topic or pattern")
	case pattern(set.Topic):
		return bad("topic %s is a pattern: put it under pattern", set.Topic)
	case set.Start.Latest && !set.Start.At.IsZero():
		return bad("start is both latest and a time: give one")
	}
	if set.Pattern != "" {
		var err error
		if x.pattern, err = compilePattern(set.Pattern); err != nil {
			return nil, fmt.Errorf("source %s: %w", set.Name, err)
		}
	}
	for _, other := range c.sources {
		if other.set.Name == set.Name {
			return bad("there are two of this name")
		}
		if set.Topic != "" && other.set.Topic == set.Topic {
			return bad("topic %s is read by source %s already", set.Topic, other.set.Name)
		}
	}
	return x, nil
}

// Source is the configured source of that name, for one input of the pipeline; nil if there is none.
func (c *Consumer) Source(name string) *Source {
	for _, s := range c.sources {
		if s.set.Name == name {
			return s
		}
	}
	return nil
}

// sourceOf is the source that reads a topic: the one that names it, else the first whose pattern matches. nil: none.
func (c *Consumer) sourceOf(topic string) *Source {
	for _, s := range c.sources {
		if s.set.Topic == topic {
			return s
		}
	}
	for _, s := range c.sources {
		if s.pattern != nil && s.pattern.MatchString(topic) {
			return s
		}
	}
	return nil
}

// position is Source in the positions of a topic's records.
func (s *Source) position(topic string) string {
	name := s.set.Name
	if s.pattern != nil {
		name += "/" + topic
	}
	if s.consumer.set.Incarnation != nil {
		if n := s.consumer.set.Incarnation(name); n > 0 {
			name += "#" + strconv.Itoa(n)
		}
	}
	return name
}

// Run reads until ctx ends (nil) or something is wrong that waiting cannot cure, such as a topic that was made anew. Then the sources give the
// same error.
func (c *Consumer) Run(ctx context.Context) error {
	set := GroupSettings{Group: c.set.Group, Session: c.set.Session, Commit: c.set.Commit, Discover: c.set.Discover}
	for _, s := range c.sources {
		if s.set.Topic != "" {
			set.Topics = append(set.Topics, s.set.Topic)
			continue
		}
		set.Topics = append(set.Topics, "^"+s.pattern.String())
	}
	if len(set.Topics) == 0 {
		<-ctx.Done()
		return nil
	}
	err := c.cluster.consume(ctx, set, c.own, hooks{found: c.found, trouble: c.troubled, same: c.same})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	for _, s := range c.sources {
		s.wake()
	}
	return err
}

func (c *Consumer) troubled(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = what
}

// Trouble says what keeps us out of the group, or has ended Run; "": nothing.
func (c *Consumer) Trouble() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err.Error()
	}
	return c.trouble
}

// found learns what topics there are. It strikes out those with compaction, unless they are allowed, and finds out whether the group is new.
func (c *Consumer) found(ctx context.Context, all view) (view, error) {
	wanted := view{}
	var news []string
	c.mu.Lock()
	first := c.seen == nil
	for topic, n := range all {
		if _, known := c.seen[topic]; !known && !c.refused[topic] {
			news = append(news, topic)
		}
		wanted[topic] = n
	}
	c.mu.Unlock()
	slices.Sort(news)
	if err := c.checkCompaction(ctx, news); err != nil {
		return nil, err
	}
	if first {
		if err := c.checkVirgin(ctx, all); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic := range c.refused {
		delete(wanted, topic)
	}
	for topic := range c.seen {
		if wanted[topic] == 0 {
			c.log.Warn("a topic is gone; event time no longer waits for it", "topic", topic)
		}
	}
	c.seen = wanted
	for topic, n := range wanted {
		s := c.sourceOf(topic)
		for i := range n {
			s.part(topic, i)
		}
	}
	for _, s := range c.sources {
		s.wake()
	}
	return wanted, nil
}

// checkCompaction refuses topics with compaction: a named one ends the run, one that a pattern matched is left out.
func (c *Consumer) checkCompaction(ctx context.Context, topics []string) error {
	var ask []string
	for _, t := range topics {
		if !c.sourceOf(t).set.AllowCompacted {
			ask = append(ask, t)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	described, err := c.cluster.Describe(ctx, ask)
	if err != nil {
		c.log.Warn("cannot find out whether topics are compacted", "err", err)
		return quiet(context.Background(), ctx.Err())
	}
	for _, t := range described {
		if !t.Compacted() {
			continue
		}
		s := c.sourceOf(t.Name)
		err := &Compacted{Source: s.set.Name, Topic: t.Name}
		if s.pattern == nil {
			return err
		}
		c.log.Error("a topic is left out", "err", err)
		c.mu.Lock()
		c.refused[t.Name] = true
		c.mu.Unlock()
	}
	return nil
}

// Compacted says that a source's topic has compaction.
type Compacted struct{ Source, Topic string }

func (e *Compacted) Error() string {
	return fmt.Sprintf("source %s: topic %s has cleanup.policy compact: records vanish before they are read when later ones have the same key. "+
		"Give the topic cleanup.policy delete, or accept that with allow_compacted: true in the source", e.Source, e.Topic)
}

// checkVirgin finds out which sources the group has never committed anything for. Only these begin where Start says, and only in the partitions
// that are there now: what is added to a source that is read already would lose its first records to "latest".
func (c *Consumer) checkVirgin(ctx context.Context, all view) error {
	for said := false; ; {
		committed, err := c.cluster.committed(ctx, c.set.Group, all)
		if err == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			for topic := range all {
				c.virgin[c.sourceOf(topic).set.Name] = true
			}
			for at := range committed {
				delete(c.virgin, c.sourceOf(at.topic).set.Name)
			}
			for topic, n := range all {
				s := c.sourceOf(topic)
				for i := range n {
					s.part(topic, i).virgin = c.virgin[s.set.Name]
				}
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !said {
			level := slog.LevelWarn
			if starting(err) { // As it is for the first group of a new cluster.
				level = slog.LevelInfo
			}
			c.log.Log(ctx, level, "cannot read what the group has committed; trying again", "err", err)
			said = true
		}
		pause(ctx, time.Second)
	}
}

// Partitions says how many partitions each source has, by the names that positions have.
func (c *Consumer) Partitions() map[string]int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int32{}
	for topic, n := range c.seen {
		out[c.sourceOf(topic).position(topic)] = n
	}
	return out
}

func (c *Consumer) find(source string, partition int32) *part {
	for _, s := range c.sources {
		if p := s.byPosition[event.Position{Source: source, Partition: partition}]; p != nil {
			return p
		}
	}
	return nil
}

// PartitionStatus is how reading one partition goes.
type PartitionStatus struct {
	Source     string // As in positions.
	Topic      string
	Partition  int32
	Generation int32 // Of the group, when we last owned it.
	Owned      bool
	Next       int64     // Offset after the last record handed out; -1: not known yet.
	Durable    int64     // Offset before which all is durable; -1: not known yet.
	High       int64     // Offset that the next record written will get; -1: not known yet.
	Lost       int64     // Offsets that the topic's retention removed before we had read them.
	Answered   time.Time // When a fetch was last answered; zero: never.
	Trouble    string    // Why the partition cannot be read at present; "": it can.
	Reader     Stats     // Of the reader we have, or had last.
}

// Lag is how many offsets are there and not handed out yet.
func (s PartitionStatus) Lag() int64 {
	if s.Next < 0 {
		return 0
	}
	return max(0, s.High-s.Next)
}

// Status tells of all partitions we know, by source and partition.
func (c *Consumer) Status() []PartitionStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []PartitionStatus
	for _, s := range c.sources {
		for _, p := range s.order {
			out = append(out, PartitionStatus{
				Source: p.name, Topic: p.at.topic, Partition: p.at.partition, Generation: p.generation, Owned: p.claim != nil,
				Next: p.next, Durable: p.durable, High: p.high, Lost: p.lost, Answered: p.polled, Trouble: cmp.Or(p.trouble, p.stats.Failing), Reader: p.stats,
			})
		}
	}
	slices.SortFunc(out, func(a, b PartitionStatus) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Partition, b.Partition))
	})
	return out
}

// Buffered is how many bytes are fetched and not handed out yet.
func (c *Consumer) Buffered() int {
	c.budget.mu.Lock()
	defer c.budget.mu.Unlock()
	return c.budget.used
}
