package relay_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/relay"
	"github.com/tocsin-siem/tocsin/rules"
)

const (
	start  = rules.TestStart
	second = 1_000_000
	minute = 60 * second
)

// texts are rules with every kind of key and of waiting: by robot, by user, by the rule; absences, counts, chains, what is new and changed.
var texts = []string{
	`match:
  event: {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}, emit: {who: actor.user}}
  unless:
    - {class: api_activity, where: api.operation == "G", before: 2m, after: 90s, bind: {robot: robot}}
throttle: {per: [robot, who], for: 4m}`,
	`match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}}
    - {id: c, class: api_activity, where: api.operation == "C", bind: {robot: robot}}
  within: 6m
  order_tolerance: 20s
  unless:
    - {class: api_activity, where: api.operation == "G", between: [a, b], bind: {robot: robot}}`,
	`match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot, who: actor.user}}
    - id: b
      class: api_activity
      where: api.operation == "B"
      bind_any: [{robot: robot}, {who: actor.user}]
  within: 4m
  unless:
    - {class: api_activity, where: api.operation == "U", between: true, bind: {who: actor.user}}`,
	`match:
  count: {id: a, class: api_activity, where: 'api.operation in ["A", "B"]', bind: {who: actor.user}, at_least: 3, within: 5m}
  until:
    - {class: api_activity, where: api.operation == "U", bind: {who: actor.user}}
throttle: {per: [who], for: 2m}`,
	`match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot, who: actor.user}, new: {value: api.service.name, per: [who], history: 5m, learn: 1m}}
    - {id: b, class: api_activity, where: api.operation == "B", bind: {robot: robot}, changed: {value: count, per: [robot]}}
  within: 5m
score: '10 * b.prev + b.count'`,
}

func ruleSet(t testing.TB, lateness string) *rules.Set {
	t.Helper()
	fsys := fstest.MapFS{}
	for i, text := range texts {
		fsys[fmt.Sprintf("r%d.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "id: r%d\nversion: 1\ntitle: Rule %d\nstatus: shadow\nlateness: %s\n%s\n", i, i, lateness, text)}
	}
	set, problems := rules.Load(fsys, ".")
	if rules.HasErrors(problems) || set == nil || len(set.Rules) != len(texts) {
		t.Fatalf("rules do not compile: %v", problems)
	}
	for _, r := range set.Rules {
		r.Status = rules.Live
	}
	return set
}

// seedOf is a random seed, or the one in TOCSIN_SEED, to see a failure again.
func seedOf() uint64 {
	if seed, err := strconv.ParseUint(os.Getenv("TOCSIN_SEED"), 10, 64); err == nil {
		return seed
	}
	return rand.Uint64()
}

// rounds is how many seeds a property is tried with; TOCSIN_ROUNDS multiplies it.
func rounds(n int) int {
	if more, err := strconv.Atoi(os.Getenv("TOCSIN_ROUNDS")); err == nil {
		return n * more
	}
	return n
}

// randomFeed are events by partition in order of arrival, none later than three minutes, each partition closed by one that ends all waiting.
func randomFeed(r *rand.Rand, n int) map[string][]event.Event {
	ops, names := []string{"A", "A", "A", "B", "B", "C", "G", "U"}, []string{"x", "y", "z", ""}
	type arriving struct {
		event.Event
		at int64
	}
	all := make([]arriving, n)
	spread := []int64{1, 20 * second, 180 * second}[r.IntN(3)]
	for i := range all {
		e := &all[i].Event
		*e = event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: start + r.Int64N(int64(n)*3)*5*second, Count: int32(r.IntN(5))}
		e.API = &event.API{Operation: ops[r.IntN(len(ops))], Service: names[r.IntN(len(names))]}
		if r.IntN(12) > 0 {
			e.Robot = &event.Robot{UID: fmt.Sprint("r", r.IntN(3)), Firmware: fmt.Sprint("1.", r.IntN(3))}
		}
		e.Actor.User.UID = fmt.Sprint("u", r.IntN(4))
		all[i].at = e.Time + r.Int64N(spread)
	}
	slices.SortStableFunc(all, func(a, b arriving) int { return int(min(1, max(-1, a.at-b.at))) })
	feed := map[string][]event.Event{}
	put := func(source string, partition int32, e event.Event) {
		name := logName(source, partition)
		e.Envelope.Position = event.Position{Source: source, Partition: partition, Offset: int64(len(feed[name]))}
		e.Envelope.ID = event.PositionID(e.Envelope.Position, 0)
		e.FindEntities()
		feed[name] = append(feed[name], e)
	}
	where := []event.Position{{Source: "s0"}, {Source: "s0", Partition: 1}, {Source: "s1"}}
	for i := range all {
		p := where[r.IntN(len(where))]
		put(p.Source, p.Partition, all[i].Event)
	}
	for _, p := range where {
		put(p.Source, p.Partition, event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: start + 7*24*60*minute, API: &event.API{Operation: "end"}})
	}
	return feed
}

// stitching keeps incidents small, so that it matters which findings are together, and knows no hubs, which depend on what came before.
func stitching() *incident.Stitcher {
	cfg := incident.DefaultConfig()
	cfg.MaxGap, cfg.HubMin = 3*minute, 1<<30
	return incident.NewStitcher(cfg, nil)
}

// calm feeds one engine and one stitcher with everything at once.
func calm(set *rules.Set, feed map[string][]event.Event) ([]incident.Finding, *incident.Stitcher) {
	b := &event.Batch{}
	for _, name := range []string{"s0/0", "s0/1", "s1/0"} {
		list := feed[name]
		b.Events = append(b.Events, list...)
		p := list[0].Envelope.Position
		b.Marks = append(b.Marks, event.Mark{Source: p.Source, Partition: p.Partition, Newest: list[len(list)-1].Time})
	}
	b.Sort()
	e, s := correlate.New(set, correlate.Settings{}), stitching()
	hits, _ := e.Match(b)
	findings := slices.Clone(e.Fold(hits, b.Marks))
	s.Apply(findings, nil, event.BatchID{}, 1)
	return findings, s
}

func line(f *incident.Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s at %d score %d %s", f.Rule.ID, f.State, (f.Time-start)/second, f.Score, f.Severity)
	for _, v := range f.Vars {
		fmt.Fprintf(&b, " %s=%s", v.Name, v.Value)
	}
	for _, e := range f.Evidence {
		fmt.Fprintf(&b, " %s@%d", e.Step, (e.Event.Time-start)/second)
	}
	fmt.Fprintf(&b, " repeats %d %s", f.Repeats, f.Reason)
	for _, n := range f.Notes {
		if !strings.HasPrefix(n, "history: ") { // It counts from the earliest hit of the rule that came to the partition.
			b.WriteString(" " + n)
		}
	}
	return b.String()
}

// standing are the findings that stand at the end.
func standing(all []incident.Finding) (out []string) {
	for _, f := range correlate.Finals(all) {
		out = append(out, event.FormatID(event.FindingPrefix, f.ID)+" "+line(&f))
	}
	return out
}

// together writes which findings are in one incident.
func together(s *incident.Stitcher) (out []string) {
	for _, in := range s.Incidents() {
		var ids []string
		for _, f := range in.Findings {
			ids = append(ids, event.FormatID(event.FindingPrefix, f.ID))
		}
		if len(ids) > 0 {
			slices.Sort(ids)
			out = append(out, strings.Join(ids, " "))
		}
	}
	slices.Sort(out)
	return out
}

// tried is an action that an analyst tried, and what they were told.
type tried struct {
	incident.Action
	told error
	done bool
}

// life is one run of all roles through misfortune until everything has come through.
type life struct {
	*world
	set      *rules.Set
	feed     map[string][]event.Event
	actions  []*tried
	every    time.Duration
	farewell time.Duration
}

func (l *life) startAll() {
	l.groups["ingest"] = &group{role: "ingest", partitions: []string{"quiet/0", "s0/0", "s0/1", "s1/0"}, committed: map[string]int64{}}
	l.groups["correlate"] = &group{role: "correlate", partitions: []string{"0", "1", "2"}}
	l.groups["triage"] = &group{role: "triage", partitions: []string{"0"}}
	for _, role := range []string{"ingest", "ingest", "ingest", "correlate", "correlate", "triage", "triage"} {
		l.startOne(role)
	}
}

func (l *life) startOne(role string) {
	wire := map[string]func(*process){"ingest": wireIngest(l.set, l.feed), "correlate": l.wireCorrelate, "triage": l.wireTriage}
	l.start(role, wire[role])
}

func (l *life) wireCorrelate(p *process) {
	c := relay.NewCorrelator(relay.CorrelatorSettings{
		Logs: p, Accepted: p.Accepted, Producer: p, Checkpoints: p, Rules: func() *rules.Set { return l.set }, Every: l.every, Farewell: l.farewell, Clock: l.now, Slog: l.log,
	})
	p.work, p.correlator = c.Own, c
}

func (l *life) wireTriage(p *process) {
	p.triage = relay.NewTriage(relay.TriageSettings{
		Logs: p, Accepted: p.Accepted, Producer: p, Checkpoints: p, Records: p, Stitcher: stitching, Every: l.every, Farewell: l.farewell, Clock: l.now, Published: p.publish, Slog: l.log,
	})
	p.work = p.triage.Lead
	go func() {
		err := p.triage.Run(p.ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.failed(err)
	}()
}

// misfortune does one bad thing.
func (l *life) misfortune() {
	roles := []string{"ingest", "correlate", "triage"}
	g := l.groups[roles[l.r.IntN(3)]]
	members := l.members(g.role)
	victim := members[l.r.IntN(len(members))]
	switch l.r.IntN(4) {
	case 0:
		l.crash(victim)
		l.startOne(g.role)
	case 1:
		victim.stalled = true
	case 2:
		victim.wake()
	}
	l.rebalance(g)
}

// wake tells a stalled process that its generation is over.
func (p *process) wake() {
	p.stalled = false
	for _, c := range p.claims {
		c.cancel()
	}
	synctest.Wait()
}

// act lets an analyst act on what a triage member shows.
func (l *life) act() {
	members := l.members("triage")
	p := members[l.r.IntN(len(members))]
	var seen []*incident.Incident
	p.triage.View(func(s *relay.Stitching) { seen = s.Stitcher().Incidents() })
	if len(seen) == 0 {
		return
	}
	in := seen[l.r.IntN(len(seen))]
	n := fmt.Sprint("analyst-", len(l.actions))
	a := &tried{Action: incident.Action{ID: event.NewID("action", n), Kind: incident.ActionNote, Incident: in.ID, Expected: in.Revision, By: n, At: l.now(), Text: "seen"}}
	l.actions = append(l.actions, a)
	ctx, cancel := context.WithTimeout(p.ctx, 30*time.Second)
	go func() {
		defer cancel()
		_, err := p.triage.Act(ctx, a.Action)
		p.mu.Lock()
		defer p.mu.Unlock()
		a.told, a.done = err, true
	}()
	synctest.Wait()
}

// run goes on until nothing moves any more.
func (l *life) run(analysts bool) {
	l.startAll()
	for _, role := range []string{"ingest", "correlate", "triage"} {
		l.rebalance(l.groups[role])
	}
	left := l.r.IntN(14)
	for still, size := 0, -1; still < 8; {
		l.begin()
		moved := l.step()
		if l.conflict != "" {
			return
		}
		switch {
		case !l.quiet && left == 0:
			l.settle()
		case !l.quiet && l.r.IntN(60) == 0:
			left--
			l.misfortune()
		case l.r.IntN(4) == 0:
			time.Sleep(time.Millisecond) // For what is given up after a while.
		case analysts && l.r.IntN(80) == 0 && len(l.actions) < 12:
			l.act()
		}
		if moved {
			continue
		}
		if !l.quiet && l.r.IntN(4) == 0 {
			l.settle()
		}
		time.Sleep(time.Second)
		l.clock += 300_000
		now := 0
		for _, log := range l.logs {
			now += len(log)
		}
		if still++; now != size || !l.quiet {
			still, size = 0, now
		}
	}
}

// settle ends all misfortune.
func (l *life) settle() {
	l.quiet = true
	for _, p := range l.processes {
		p.wake()
	}
	for _, role := range []string{"ingest", "correlate", "triage"} {
		l.rebalance(l.groups[role])
	}
}

func (l *life) stop() {
	for len(l.processes) > 0 {
		l.crash(l.processes[0])
	}
	time.Sleep(2 * time.Hour) // For timers.
}

// TestNoMisfortuneOfAnyRoleChangesWhatIsFound runs three ingest, two correlate and two triage members over an in-memory broker and store, in an
// order of everything that the seed decides, with crashes between any two steps, rebalances, members that go on after they lost their
// claims, and redelivery.
func TestNoMisfortuneOfAnyRoleChangesWhatIsFound(t *testing.T) {
	set := ruleSet(t, "3m")
	found, joined, folded := 0, 0, 0
	for range rounds(100) {
		seed := seedOf()
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 21))
			l := &life{world: newWorld(t, r), set: set, feed: randomFeed(r, 30+r.IntN(50)), every: []time.Duration{0, 20 * time.Millisecond, 200 * time.Millisecond, time.Hour}[r.IntN(4)]}
			l.farewell = []time.Duration{time.Millisecond, 20 * time.Millisecond, time.Hour}[r.IntN(3)]
			l.damage = []int{0, 0, 8}[r.IntN(3)]
			analysts := r.IntN(3) == 0
			l.run(analysts)
			defer l.stop()
			if l.conflict != "" {
				t.Fatalf("seed %d: %s", seed, l.conflict)
			}
			findings, n := l.check(seed, !analysts)
			found, joined, folded = found+len(findings), joined+len(l.changes), folded+n
		})
	}
	if os.Getenv("TOCSIN_SEED") == "" && (found == 0 || joined == 0 || folded == 0) {
		t.Errorf("%d findings, %d changes, %d actions: the test shows nothing", found, joined, folded)
	}
}

// check compares what came out with a calm run, and what was recorded with the fold of the log.
func (l *life) check(seed uint64, calmly bool) (findings []incident.Finding, acted int) {
	t := l.t
	fold := relay.NewStitching(stitching())
	changes, by := map[string]string{}, map[string]int{}
	for _, s := range l.logs[logName(relay.FindingsTopic, 0)] {
		a, err := relay.DecodeAnnouncement(s.Value)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		out, _ := fold.Take(a, s.Offset)
		findings = append(findings, out.Findings...)
		for i := range out.Changes {
			changes[changeKey(&out.Changes[i])] = changeText(&out.Changes[i])
			by[out.Changes[i].Actor]++
		}
	}
	for name, list := range l.feed {
		for i := range list {
			if !l.rows[list[i].Envelope.ID] {
				t.Fatalf("seed %d: event %d of %s is not stored", seed, i, name)
			}
		}
	}
	want, stitched := calm(l.set, l.feed)
	if diff := cmp.Diff(standing(want), standing(findings)); diff != "" {
		t.Fatalf("seed %d: findings differ (-calm +unlucky):\n%s", seed, diff)
	}
	if diff := cmp.Diff(together(stitched), together(fold.Stitcher())); calmly && diff != "" {
		t.Fatalf("seed %d: incidents differ (-calm +unlucky):\n%s", seed, diff)
	}
	if diff := cmp.Diff(changes, l.changes); diff != "" {
		t.Fatalf("seed %d: recorded changes differ (-log +recorded):\n%s", seed, diff)
	}
	for key := range l.changes {
		if !l.published[key] {
			t.Fatalf("seed %d: %s was never published", seed, key)
		}
	}
	for _, a := range l.actions {
		n := by["user:"+a.By]
		refused := errors.Is(a.told, incident.ErrStale) || errors.Is(a.told, incident.ErrUnknown) || errors.Is(a.told, incident.ErrRefused)
		if n > 1 || a.done && (a.told == nil && n != 1 || refused && n != 0) {
			t.Fatalf("seed %d: %s was carried out %d times and told %v", seed, a.By, n, a.told)
		}
		acted += n
	}
	return findings, acted
}
