package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

var _ ingest.Partitioned = (*kafka.Source)(nil)

// world is a broker on a network in memory, in time that only passes while everybody waits.
type world struct {
	t       *testing.T
	net     kfake.VirtualNetwork
	broker  *kfake.Cluster
	diary   *diary
	product *kafka.Producer
	members []*member
	lag     time.Duration // of members that join

	mu     sync.Mutex
	handed []handed // by all members, in the order in which it was
}

// handed is a record as a member had it handed out.
type handed struct {
	by *member
	at time.Time
	event.Record
}

// inWorld runs a test in a world of its own.
func inWorld(t *testing.T, run func(t *testing.T, w *world), opts ...kfake.Opt) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, diary: &diary{}}
		opts := append([]kfake.Opt{kfake.NumBrokers(1), kfake.ListenFn(w.net.Listen), kfake.GroupMinSessionTimeout(time.Second)}, opts...)
		broker, err := kfake.NewCluster(opts...)
		if err != nil {
			t.Fatal(err)
		}
		w.broker = broker
		defer broker.Close()
		c := w.connect()
		defer c.Close()
		w.product = c.Producer()
		defer w.product.Close()
		defer func() {
			for _, m := range w.members {
				m.stop()
				<-m.gone
			}
		}()
		run(t, w)
	})
}

// connect makes a client of its own; whoever asked for it closes it.
func (w *world) connect() *kafka.Cluster {
	cfg := kafka.DefaultConfig()
	cfg.Brokers = w.broker.ListenAddrs()
	cfg.RequestTimeout = 5 * time.Second
	c, err := kafka.Connect(cfg, slog.New(slog.NewTextHandler(w.diary, nil)))
	if err != nil {
		w.t.Fatal(err)
	}
	c.SetNetwork(w.net.DialContext)
	return c
}

// wire is the network of one member. Frozen, nothing it sends arrives until it thaws; cut, it is as if the broker were gone.
type wire struct {
	net *kfake.VirtualNetwork

	mu     sync.Mutex
	frozen bool
	cut    bool
	open   map[*wired]bool
}

type wired struct {
	net.Conn
	of   *wire
	late []byte // sent while frozen
}

func (x *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := x.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.cut {
		c.Close()
		return nil, errors.New("no route to the broker")
	}
	y := &wired{Conn: c, of: x}
	x.open[y] = true
	return y, nil
}

func (c *wired) Write(b []byte) (int, error) {
	c.of.mu.Lock()
	if c.of.frozen {
		c.late = append(c.late, b...)
		c.of.mu.Unlock()
		return len(b), nil
	}
	c.of.mu.Unlock()
	return c.Conn.Write(b)
}

func (x *wire) freeze() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.frozen = true
}

func (x *wire) thaw() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.frozen = false
	for c := range x.open {
		if len(c.late) > 0 {
			go c.Conn.Write(c.late)
		}
	}
}

func (x *wire) sever(cut bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cut = cut
	for c := range x.open {
		c.Close()
	}
	clear(x.open)
}

func (w *world) topic(name string, partitions int32, settings ...string) {
	w.t.Helper()
	configs := map[string]string{}
	for i := 0; i < len(settings); i += 2 {
		configs[settings[i]] = settings[i+1]
	}
	if err := w.broker.CreateTopic(name, partitions, configs); err != nil {
		w.t.Fatal(err)
	}
}

// send writes records with the given numbers as values into a partition.
func (w *world) send(topic string, partition int32, from, to int) {
	w.t.Helper()
	var records []kafka.Record
	for i := from; i < to; i++ {
		records = append(records, kafka.Record{Partition: partition, Value: fmt.Append(nil, i)})
	}
	if err := w.product.Produce(w.t.Context(), topic, records); err != nil {
		w.t.Fatal(err)
	}
}

// member is one consumer with the pipeline's part played by the test: it fetches and commits all its sources.
type member struct {
	w        *world
	cluster  *kafka.Cluster
	consumer *kafka.Consumer
	stop     context.CancelFunc
	enough   context.CancelFunc // of fetching
	fetches  sync.WaitGroup
	gone     chan struct{} // closed when all of it has ended, with err
	err      error

	mu      sync.Mutex
	ends    map[string][]event.End // of the last fetch, by source
	paused  bool                   // Fetches no more.
	limit   int                    // Records a fetch, if it is slow.
	lag     time.Duration          // From the fetch to the commit.
	wire    *wire
	fetched error // of Fetch
}

func settings(sources ...kafka.SourceSettings) kafka.ConsumerSettings {
	return kafka.ConsumerSettings{
		Group: "g", Sources: sources, Discover: time.Second, Session: 6 * time.Second, Clock: func() int64 { return time.Now().UnixMicro() },
	}
}

// join starts a member.
func (w *world) join(set kafka.ConsumerSettings) *member {
	w.t.Helper()
	return w.joinAs(set, func(*member) {})
}

// joinAs is join with something said to the member before it fetches for the first time: slow or pause, once it runs, may come too late.
func (w *world) joinAs(set kafka.ConsumerSettings, say func(*member)) *member {
	w.t.Helper()
	m := &member{w: w, cluster: w.connect(), wire: &wire{net: &w.net, open: map[*wired]bool{}}, limit: 1000, lag: w.lag, gone: make(chan struct{}), ends: map[string][]event.End{}}
	m.cluster.SetNetwork(m.wire.dial)
	var err error
	if m.consumer, err = kafka.NewConsumer(m.cluster, set); err != nil {
		w.t.Fatal(err)
	}
	say(m)
	ctx, stop := context.WithCancel(w.t.Context())
	fetching, enough := context.WithCancel(ctx)
	m.stop, m.enough = stop, enough
	for _, s := range set.Sources {
		m.fetches.Go(func() { m.fetch(fetching, s.Name) })
	}
	go func() {
		m.err = m.consumer.Run(ctx)
		m.fetches.Wait()
		m.cluster.Close()
		close(m.gone)
	}()
	w.members = append(w.members, m)
	return m
}

func (m *member) fetch(ctx context.Context, name string) {
	source := m.consumer.Source(name)
	for ctx.Err() == nil {
		m.mu.Lock()
		paused, limit, lag := m.paused, m.limit, m.lag
		m.mu.Unlock()
		if paused {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		records, err := source.Fetch(ctx, nil, limit, time.Second)
		if err != nil {
			m.mu.Lock()
			m.fetched = err
			m.mu.Unlock()
			return
		}
		m.w.mu.Lock()
		for _, r := range records {
			m.w.handed = append(m.w.handed, handed{m, time.Now(), r})
		}
		m.w.mu.Unlock()
		ends := source.Ends()
		m.mu.Lock()
		m.ends[name] = ends
		m.mu.Unlock()
		time.Sleep(lag)
		_ = source.Commit(ctx, ends)
		if limit < 1000 && len(records) > 0 {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// leave stops the member as a service is stopped, the pipeline first, and waits until it is gone.
func (m *member) leave() {
	m.w.t.Helper()
	m.enough()
	m.fetches.Wait()
	m.stop()
	<-m.gone
	if m.err != nil {
		m.w.t.Error(m.err)
	}
}

// until waits until ok; what it waits for takes no longer than a minute of the world's time.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for range 6000 {
		synctest.Wait()
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatalf("never: %s\n%s", what, w.diary.all())
}

// values are the records handed out to all members by source and partition, in the order in which they were.
func (w *world) values() map[string][]string {
	out := map[string][]string{}
	for _, r := range w.records() {
		key := fmt.Sprint(r.Position.Source, "-", r.Position.Partition)
		out[key] = append(out[key], string(r.Value))
	}
	return out
}

func (w *world) records() []handed {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.handed)
}

func (w *world) count() int { return len(w.records()) }

// committed is where the group g stands.
func (w *world) committed(topic string) map[int32]int64 {
	out := map[int32]int64{}
	if g := w.broker.GroupInfo("g"); g != nil {
		for p, c := range g.Commits[topic] {
			out[p] = c.Offset
		}
	}
	return out
}

// slow makes each fetch give no more than limit records, with a pause after it.
func (m *member) slow(limit int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limit = limit
}

// pause stops or resumes fetching.
func (m *member) pause(paused bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.paused = paused
}

// numbers is from … to-1 as values.
func numbers(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func (d *diary) all() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

// raw is another client of the same broker.
func (w *world) raw(opts ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(w.broker.ListenAddrs()...), kgo.Dialer(w.net.DialContext))...)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}
