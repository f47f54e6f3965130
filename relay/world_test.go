package relay_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/relay"
)

var errCrash = errors.New("the process is dead")

const hitsPartitions = 3

// world is a broker, a store and the processes that use them, all in memory. Every call of a process to either stops before and after its
// effect until the scheduler lets it go on, so that one seed is one order of everything; a process can die at each of these points.
type world struct {
	t      *testing.T
	r      *rand.Rand
	clock  int64
	parked []*parked
	mu     sync.Mutex // guards everything in the world against calls that end together when a context does

	logs        map[string][]relay.Stored // by topic/partition
	first       map[string]int64
	topics      map[string]string // ids of topics
	accepted    map[string]int    // how often topics were made anew and accepted
	groups      map[string]*group
	checkpoints map[string][]incident.Checkpoint
	damage      int // one in so many checkpoints is damaged; 0: none
	rows        map[event.ID]bool
	findings    map[string]string // by id and revision, as recorded
	changes     map[string]string // by incident and revision, as recorded
	published   map[string]bool
	conflict    string
	log         *slog.Logger

	processes []*process
	started   int
	quiet     bool // No more misfortune.
}

// parked is a call that waits for the scheduler.
type parked struct {
	key   string
	ready func() bool // nil: at once
	free  chan struct{}
}

// group is a consumer group: who owns which partition since when, and how far they have committed.
type group struct {
	role       string
	partitions []string
	generation int32
	owners     map[string]*process
	committed  map[string]int64
}

// process is one member of one group.
type process struct {
	*world
	name    string
	role    string
	dead    chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
	stalled bool // Believes in a generation that is over.
	claims  []*claim
	next    []*claim // To be begun when all claims have ended.

	held       map[string]*hold // Ingest: what it believes to own.
	correlator *relay.Correlator
	triage     *relay.Triage
	work       func(context.Context, relay.Claim) error
}

// claim is a partition that a correlate or triage process works on.
type claim struct {
	relay.Claim
	cancel context.CancelFunc
	ended  bool
}

// hold is a source partition that an ingest process works on.
type hold struct {
	generation int32
	position   int64
	newest     int64
	received   int64
	drained    bool
}

func newWorld(t *testing.T, r *rand.Rand) *world {
	return &world{
		t: t, r: r, clock: 1_700_000_000_000_000, logs: map[string][]relay.Stored{}, first: map[string]int64{}, topics: map[string]string{relay.HitsTopic: "hits-1", relay.FindingsTopic: "findings-1"}, accepted: map[string]int{}, checkpoints: map[string][]incident.Checkpoint{},
		rows: map[event.ID]bool{}, findings: map[string]string{}, changes: map[string]string{}, published: map[string]bool{}, groups: map[string]*group{}, log: slog.New(slog.DiscardHandler),
	}
}

func (w *world) now() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// dice is a number below n, for calls, of which several may end together.
func (w *world) dice(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.r.IntN(n)
}

// point is where a call waits for the scheduler, and where its process may die.
func (p *process) point(ctx context.Context, ready func() bool, key ...any) error {
	x := &parked{key: p.name + " " + fmt.Sprint(key...), ready: ready, free: make(chan struct{})}
	p.mu.Lock()
	p.parked = append(p.parked, x)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.parked = slices.DeleteFunc(p.parked, func(y *parked) bool { return x == y })
	}()
	select {
	case <-p.dead:
		return errCrash
	default:
	}
	select {
	case <-x.free:
		return nil
	case <-p.dead:
		return errCrash
	case <-ctx.Done():
		return ctx.Err()
	}
}

// step lets one call go on; ok is false if all wait for something.
func (w *world) step() (ok bool) {
	synctest.Wait()
	w.mu.Lock()
	w.clock += 1000
	slices.SortFunc(w.parked, func(a, b *parked) int { return strings.Compare(a.key, b.key) })
	var ready []*parked
	for _, x := range w.parked {
		if x.ready == nil || x.ready() || !w.quiet && w.r.IntN(50) == 0 {
			ready = append(ready, x)
		}
	}
	w.mu.Unlock()
	if len(ready) == 0 {
		return false
	}
	close(ready[w.r.IntN(len(ready))].free)
	synctest.Wait()
	return true
}

// Produce appends to the partitions one after the other. The broker may get some of it twice, where an answer was lost and the client tried
// again, but never the later without the earlier.
func (p *process) Produce(ctx context.Context, topic string, messages []relay.Message) error {
	var order []int32
	byPartition := map[int32][]relay.Message{}
	for _, m := range messages {
		if byPartition[m.Partition] == nil {
			order = append(order, m.Partition)
		}
		byPartition[m.Partition] = append(byPartition[m.Partition], m)
	}
	for _, n := range order {
		all := byPartition[n]
		for range 1 + p.dice(8)/7 {
			cut := len(all)
			if p.dice(6) == 0 {
				cut = p.dice(len(all) + 1)
			}
			for _, part := range [][]relay.Message{all[:cut], all[cut:]} {
				if len(part) == 0 {
					continue
				}
				if err := p.point(ctx, nil, "produce ", topic, n); err != nil {
					return err
				}
				p.append(topic, n, part)
			}
		}
	}
	return p.point(ctx, nil, "produced ", topic)
}

func logName(topic string, n int32) string { return fmt.Sprintf("%s/%d", topic, n) }

func (w *world) append(topic string, n int32, messages []relay.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := logName(topic, n)
	for _, m := range messages {
		w.logs[name] = append(w.logs[name], relay.Stored{Offset: int64(len(w.logs[name])), Time: w.clock, Value: slices.Clone(m.Value)})
	}
}

// reader reads a partition of a log.
type reader struct {
	p    *process
	name string
	next int64
	id   string
}

func (p *process) Open(ctx context.Context, topic, id string, partition int32, from int64) (relay.Reader, error) {
	name := logName(topic, partition)
	if err := p.point(ctx, nil, "open ", name); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	is := p.topics[topic]
	if id != "" && id != is {
		return nil, &relay.Replaced{Topic: topic, Was: id, Is: is}
	}
	if end := int64(len(p.logs[name])); from < p.first[name] || from > end {
		return nil, &relay.OutOfRange{Topic: topic, Partition: partition, Offset: from, First: p.first[name], End: end}
	}
	return &reader{p: p, name: name, next: from, id: is}, nil
}

func (r *reader) Read(ctx context.Context, dst []relay.Stored, _ time.Duration) ([]relay.Stored, error) {
	if err := r.p.point(ctx, func() bool { return int64(len(r.p.logs[r.name])) > r.next }, "read ", r.name); err != nil {
		return dst, err
	}
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	there := r.p.logs[r.name][r.next:]
	there = there[:min(len(there), 1+r.p.r.IntN(8))]
	r.next += int64(len(there))
	return append(dst, there...), nil
}

func (*reader) Close() {}

func (r *reader) Status() relay.ReaderStatus {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	return relay.ReaderStatus{Topic: r.id, End: int64(len(r.p.logs[r.name]))}
}

// Accepted implements relay.Accepted.
func (w *world) Accepted(_ context.Context, topic string) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.accepted[topic], nil
}

func (p *process) Save(ctx context.Context, c incident.Checkpoint) error {
	if err := p.point(ctx, nil, "save ", c.Name); err != nil {
		return err
	}
	p.mu.Lock()
	c.Data = slices.Clone(c.Data)
	if p.damage > 0 && p.r.IntN(p.damage) == 0 {
		c.Data[p.r.IntN(len(c.Data))] ^= 1
	}
	p.checkpoints[c.Name] = append(p.checkpoints[c.Name], c)
	p.mu.Unlock()
	return p.point(ctx, nil, "saved ", c.Name)
}

func (p *process) Latest(ctx context.Context, name string) (incident.Checkpoint, error) {
	if err := p.point(ctx, nil, "latest ", name); err != nil {
		return incident.Checkpoint{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var best incident.Checkpoint
	for _, c := range p.checkpoints[name] {
		if !c.Batch.Less(best.Batch) {
			best = c
		}
	}
	return best, nil
}

func (p *process) AppendRows(ctx context.Context, b *event.Batch) error {
	if err := p.point(ctx, nil, "rows"); err != nil {
		return err
	}
	p.mu.Lock()
	for i := range b.Events {
		p.rows[b.Events[i].Envelope.ID] = true
	}
	p.mu.Unlock()
	return p.point(ctx, nil, "rows written")
}

func (p *process) Record(ctx context.Context, _ event.BatchID, findings []incident.Finding, changes []incident.Change) error {
	if err := p.point(ctx, nil, "record findings"); err != nil {
		return err
	}
	p.mu.Lock()
	for i := range findings {
		p.put(p.findings, fmt.Sprint(findings[i].ID, " ", findings[i].Revision), line(&findings[i]))
	}
	p.mu.Unlock()
	for i := range changes {
		if i%3 == 0 {
			if err := p.point(ctx, nil, "record changes"); err != nil {
				return err
			}
		}
		p.mu.Lock()
		p.put(p.changes, changeKey(&changes[i]), changeText(&changes[i]))
		p.mu.Unlock()
	}
	return p.point(ctx, nil, "recorded")
}

func (w *world) put(into map[string]string, key, value string) {
	if old, ok := into[key]; ok && old != value {
		w.conflict = fmt.Sprintf("%s was recorded as\n%s\nand then as\n%s", key, old, value)
	}
	into[key] = value
}

func changeKey(c *incident.Change) string { return fmt.Sprint(c.Incident.ID, " ", c.Incident.Revision) }

func changeText(c *incident.Change) string {
	return fmt.Sprintf("batch %v index %d %s %v by %s: %s, %d findings, %d changes before, at %d", c.Batch, c.Index, c.Kind, c.Fields, c.Actor, c.Incident.Title,
		len(c.Incident.Findings), len(c.Incident.Changed), c.Incident.Updated)
}

func (p *process) publish(changes []incident.Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range changes {
		key := changeKey(&changes[i])
		if p.changes[key] == "" {
			p.conflict = key + " was published before it was recorded"
		}
		p.published[key] = true
	}
	if !slices.ContainsFunc(p.claims, func(c *claim) bool { return !c.ended }) {
		p.conflict = p.name + " published without leading"
	}
}

// start begins a process. It owns nothing until its group is rebalanced.
func (w *world) start(role string, wire func(*process)) {
	w.started++
	p := &process{world: w, name: fmt.Sprintf("%s-%02d", role, w.started), role: role, dead: make(chan struct{}), held: map[string]*hold{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	w.processes = append(w.processes, p)
	wire(p)
}

// crash kills a process: calls under way have had their effect or not.
func (w *world) crash(p *process) {
	close(p.dead)
	synctest.Wait()
	p.cancel()
	synctest.Wait()
	w.processes = slices.DeleteFunc(w.processes, func(q *process) bool { return p == q })
}

func (w *world) members(role string) []*process {
	return slices.DeleteFunc(slices.Clone(w.processes), func(p *process) bool { return p.role != role })
}

// rebalance begins the next generation of a group. Processes that are stalled do not hear of it and go on as before; the others begin their
// new claims once their old ones have ended.
func (w *world) rebalance(g *group) {
	g.generation++
	g.owners = map[string]*process{}
	all := slices.DeleteFunc(w.members(g.role), func(p *process) bool { return p.stalled })
	if len(all) == 0 {
		return
	}
	for _, p := range all {
		p.next = nil
		for _, c := range p.claims {
			c.cancel()
		}
		w.mu.Lock()
		clear(p.held)
		w.mu.Unlock()
	}
	for i, name := range g.partitions {
		p := all[w.r.IntN(len(all))]
		g.owners[name] = p
		if g.role == "ingest" {
			w.mu.Lock()
			p.held[name] = &hold{generation: g.generation, position: g.committed[name]}
			w.mu.Unlock()
			continue
		}
		p.next = append(p.next, &claim{Claim: relay.Claim{Partition: int32(i), Generation: g.generation, Commit: func(int64) {}}})
	}
	synctest.Wait()
}

// begin starts the claims of processes whose old ones have ended.
func (w *world) begin() {
	synctest.Wait()
	for _, p := range w.processes {
		if len(p.next) == 0 || slices.ContainsFunc(p.claims, func(c *claim) bool { return !c.ended }) {
			continue
		}
		p.claims, p.next = p.next, nil
		for _, c := range p.claims {
			ctx, cancel := context.WithCancel(p.ctx)
			c.cancel = cancel
			go func() {
				err := p.work(ctx, c.Claim)
				p.mu.Lock()
				defer p.mu.Unlock()
				c.ended = true
				p.failed(err)
			}()
		}
		synctest.Wait()
	}
}

// failed notes an error that is neither a crash nor the end of a context.
func (p *process) failed(err error) {
	if err != nil && !errors.Is(err, errCrash) && !errors.Is(err, context.Canceled) {
		p.conflict = cmp.Or(p.conflict, fmt.Sprintf("%s ended: %v", p.name, err))
	}
}
