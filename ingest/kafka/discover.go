package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// view is what topics there are to read, each with its number of partitions.
type view map[string]int32

func (v view) places() []place {
	var out []place
	for topic, n := range v {
		for i := range n {
			out = append(out, place{topic, i})
		}
	}
	slices.SortFunc(out, comparePlaces)
	return out
}

func (v view) names() []string { return slices.Sorted(maps.Keys(v)) }

// pattern reports whether a topic's setting is a pattern, not a name.
func pattern(topic string) bool { return strings.HasPrefix(topic, "^") }

// matcher says which topics are wanted.
type matcher struct {
	names    map[string]bool
	patterns []*regexp.Regexp
}

func newMatcher(topics []string) (matcher, error) {
	m := matcher{names: map[string]bool{}}
	for _, t := range topics {
		if !pattern(t) {
			m.names[t] = true
			continue
		}
		re, err := compilePattern(t)
		if err != nil {
			return m, err
		}
		m.patterns = append(m.patterns, re)
	}
	if len(topics) == 0 {
		return m, errors.New("kafka: no topics: name at least one")
	}
	return m, nil
}

// compilePattern makes a topic pattern one that whole names must match.
func compilePattern(p string) (*regexp.Regexp, error) {
	re, err := regexp.Compile("^(?:" + strings.TrimPrefix(p, "^") + ")$")
	if err != nil {
		return nil, fmt.Errorf("kafka: topic pattern %s: %w", p, err)
	}
	return re, nil
}

// wants reports whether a topic is one to read. Patterns never match what belongs to the brokers, such as __consumer_offsets.
func (m matcher) wants(topic string, internal bool) bool {
	if m.names[topic] {
		return true
	}
	if internal || strings.HasPrefix(topic, "__") {
		return false
	}
	return slices.ContainsFunc(m.patterns, func(re *regexp.Regexp) bool { return re.MatchString(topic) })
}

// lookout finds out what topics there are.
type lookout struct {
	cluster *Cluster
	matcher matcher
	log     *slog.Logger
	missing string                            // what was said to be missing last
	trouble func(what string)                 // as of hooks; nil: nobody
	same    func(ids map[string]string) error // as of hooks
}

// look lists the topics to read. A topic whose partitions cannot be told is an error: half a view would make the group give partitions up.
func (l *lookout) look(ctx context.Context) (view, error) {
	link, err := l.cluster.anyBroker(ctx)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	defer func() { _ = link.raw.Close() }()
	topics, err := link.topics(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	seen := view{}
	for _, t := range topics {
		code := kafka.Error(t.ErrorCode)
		if !l.matcher.wants(t.Name, t.IsInternal) || code == kafka.UnknownTopicOrPartition {
			continue
		}
		if code != 0 && code != kafka.LeaderNotAvailable {
			return nil, fmt.Errorf("topic %s: %w", t.Name, code)
		}
		if n := int32(len(t.Partitions)); n > 0 {
			seen[t.Name] = n
		}
	}
	l.lament(seen)
	return seen, l.compare(ctx, link, seen)
}

// compare holds the topics' ids against those that are known.
func (l *lookout) compare(ctx context.Context, link *link, seen view) error {
	if l.same == nil {
		return nil
	}
	ids, err := link.topicIDs(ctx, seen.names()...)
	if err != nil {
		return err
	}
	if err := l.same(ids); err != nil {
		return &failure{err}
	}
	return nil
}

// metadata asks a broker what it knows of topics; nil: of all. kafka-go's client would answer from a cache.
func (c *Cluster) metadata(ctx context.Context, names []string) ([]metadata.ResponseTopic, error) {
	l, err := c.anyBroker(ctx)
	if err != nil {
		return nil, err
	}
	defer l.raw.Close()
	return l.topics(ctx, names)
}

func (l *link) topics(ctx context.Context, names []string) ([]metadata.ResponseTopic, error) {
	answer, err := l.ask(ctx, &metadata.Request{TopicNames: names})
	if err != nil {
		return nil, err
	}
	return answer.(*metadata.Response).Topics, nil
}

// anyBroker opens a link to the first configured broker that answers, beginning with the one that answered last.
func (c *Cluster) anyBroker(ctx context.Context) (*link, error) {
	var errs []error
	for range c.config.Brokers {
		first := c.first.Load()
		l, err := c.connect(ctx, c.config.Brokers[int(first)%len(c.config.Brokers)])
		if err == nil {
			return l, nil
		}
		if errs = append(errs, err); ctx.Err() != nil {
			break
		}
		c.first.CompareAndSwap(first, first+1)
	}
	return nil, errors.Join(errs...)
}

// lament says once which named topics do not exist.
func (l *lookout) lament(seen view) {
	var missing []string
	for name := range l.matcher.names {
		if seen[name] == 0 {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	said := strings.Join(missing, ", ")
	if said == l.missing {
		return
	}
	l.missing = said
	if said != "" {
		l.log.Warn("topics do not exist yet, or we may not see them; they will be read once they do", "topics", said)
	}
}

// await waits until there is something to read.
func (l *lookout) await(ctx context.Context, every time.Duration) (view, error) {
	said := ""
	for {
		seen, err := l.look(ctx)
		if err == nil && len(seen) > 0 {
			return seen, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil && err.Error() != said {
			said = err.Error()
			l.log.Warn("topics cannot be listed; trying again", "err", err)
			if l.trouble != nil {
				l.trouble(said + ": trying again")
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(every, time.Second)):
		}
	}
}

// watch looks again and again until ctx ends or there are other topics or partitions than now (errTopics) or one that was made anew (*failure).
func (l *lookout) watch(ctx context.Context, now view, every time.Duration) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
		seen, err := l.look(ctx)
		if fatal, is := errors.AsType[*failure](err); is {
			return fatal
		}
		if err == nil && !maps.Equal(seen, now) {
			return errTopics
		}
	}
}

// sameTopics reports whether two views have the same topics, with whatever number of partitions.
func sameTopics(a, b view) bool { return slices.Equal(a.names(), b.names()) }
