package relay_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/relay"
	"github.com/tocsin-siem/tocsin/rules"
)

// loneLog is a partition of hits, a store of checkpoints and a topic of findings for one correlate member after another.
type loneLog struct {
	mu     sync.Mutex
	frames []relay.Stored
	saved  []incident.Checkpoint
	said   []relay.Announcement
}

func (l *loneLog) Open(_ context.Context, _, _ string, _ int32, from int64) (relay.Reader, error) {
	return &loneReader{l, from}, nil
}

func (l *loneLog) Produce(_ context.Context, _ string, messages []relay.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		a, err := relay.DecodeAnnouncement(m.Value)
		if err != nil {
			return err
		}
		l.said = append(l.said, *a)
	}
	return nil
}

func (l *loneLog) Save(_ context.Context, c incident.Checkpoint) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.Data = slices.Clone(c.Data)
	l.saved = append(l.saved, c)
	return nil
}

func (l *loneLog) Latest(context.Context, string) (incident.Checkpoint, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.saved) == 0 {
		return incident.Checkpoint{}, nil
	}
	return l.saved[len(l.saved)-1], nil
}

// findings are what was announced, as rule, version and key, each once.
func (l *loneLog) findings() (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.said {
		for i := range a.Findings {
			out = append(out, fmt.Sprint(a.Findings[i].Rule.ID, "/", a.Findings[i].Rule.Version))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

type loneReader struct {
	*loneLog
	next int64
}

func (r *loneReader) Read(ctx context.Context, dst []relay.Stored, wait time.Duration) ([]relay.Stored, error) {
	r.mu.Lock()
	there := r.frames[min(r.next, int64(len(r.frames))):]
	r.mu.Unlock()
	if len(there) > 0 {
		r.next++
		return append(dst, there[0]), nil
	}
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
	return dst, nil
}

func (r *loneReader) Status() relay.ReaderStatus { return relay.ReaderStatus{} }

func (r *loneReader) Close() {}

func twoSteps(t testing.TB, version int, second string) *rules.Set {
	t.Helper()
	set, problems := rules.Load(fstest.MapFS{"r.yaml": &fstest.MapFile{Data: fmt.Appendf(nil, `id: pair
version: %d
title: One and then the other
status: shadow
lateness: 1m
match:
  sequence:
    - {id: a, class: api_activity, where: api.operation == "A", bind: {robot: robot}}
    - {id: b, class: api_activity, where: api.operation == %q, bind: {robot: robot}}
  within: 6m
`, version, second)}}, ".")
	if rules.HasErrors(problems) || set == nil {
		t.Fatalf("the rule does not compile: %v", problems)
	}
	return set
}

// TestAMemberThatBeginsUnderOtherRulesFoldsTheLogByThoseOfTheCheckpoint has the rules change while no correlate member runs: what the ingest
// members sent by the rules before is folded by these, and the rules in force are taken over where the ingest members have done so.
func TestAMemberThatBeginsUnderOtherRulesFoldsTheLogByThoseOfTheCheckpoint(t *testing.T) {
	before, after := twoSteps(t, 1, "B"), twoSteps(t, 2, "C")
	x := &reloadFrames{matchers: map[string]*correlate.Engine{}, rules: map[string]*rules.Set{}, marks: map[string]event.Mark{}}
	x.load("m0", before)
	log := &loneLog{}
	sent := 0
	send := func(op string, at int64) {
		e := event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: start + at, API: &event.API{Operation: op}, Robot: &event.Robot{UID: "r0"}}
		e.Envelope.Position = event.Position{Source: "s0", Offset: int64(sent)}
		e.Envelope.ID = event.PositionID(e.Envelope.Position, 0)
		e.FindEntities()
		sent++
		f := x.frame("m0", "s0", []event.Event{e})
		f.Roster = f.Roster[:1]
		values, _ := new(relay.FrameEncoder).Append(nil, f)
		log.mu.Lock()
		defer log.mu.Unlock()
		for _, v := range values {
			log.frames = append(log.frames, relay.Stored{Offset: int64(len(log.frames)), Value: v})
		}
	}
	// own runs a member until it has folded all there is.
	own := func(force *rules.Set) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		end := int64(len(log.frames))
		c := relay.NewCorrelator(relay.CorrelatorSettings{
			Logs: log, Producer: log, Checkpoints: log, Rules: func() *rules.Set { return force }, Every: time.Hour, Clock: func() int64 { return 1 }, Slog: slog.New(slog.DiscardHandler),
			RulesText: (*rules.Set).Text, RulesOf: rules.OfText,
		})
		commit := func(next int64) {
			if next == end {
				cancel()
			}
		}
		if err := c.Own(ctx, relay.Claim{Generation: 1, Commit: commit}); err != nil {
			t.Error(err)
		}
	}
	send("A", 0)
	own(before)
	send("B", minute) // Nobody folds it yet.
	x.load("m0", after)
	send("-", 2*minute) // So much for the rules before.
	send("A", 3*minute)
	send("C", 4*minute)
	own(after)
	if got, want := log.findings(), []string{"pair/1", "pair/2"}; !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
	hash, _, err := relay.SnapshotRules(log.saved[len(log.saved)-1].Data)
	if err != nil || hash != after.Hash {
		t.Errorf("the last checkpoint is of rules %s (%v), want %s", hash, err, after.Hash)
	}
}
