package relay_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/relay"
)

// after runs all roles without misfortune, then lets change do something to the world while no correlate member lives, and lets one go on. It
// gives what that one logs.
func after(t *testing.T, change func(*life), look func(l *life, logged string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		l := &life{world: newWorld(t, r), set: ruleSet(t, "3m"), feed: randomFeed(r, 60), every: 20 * time.Millisecond, farewell: time.Hour}
		l.quiet = true
		l.run(false)
		defer l.stop()
		for _, p := range l.members("correlate") {
			l.crash(p)
		}
		change(l)
		var logged bytes.Buffer
		l.log = slog.New(slog.NewTextHandler(&logged, nil))
		l.startOne("correlate")
		l.rebalance(l.groups["correlate"])
		for l.begin(); l.step(); l.begin() {
		}
		look(l, logged.String())
	})
}

func TestALogThatBeginsAboveTheCheckpointIsReportedAndGoesOn(t *testing.T) {
	after(t, func(l *life) {
		clear(l.checkpoints)
		for _, name := range []string{"0", "1", "2"} {
			l.first[relay.HitsTopic+"/"+name] = 2
		}
	}, func(l *life, logged string) {
		for _, s := range l.members("correlate")[0].correlator.Status() {
			if s.Lost != 2 || s.Next != s.End || s.Next != int64(len(l.logs[logName(relay.HitsTopic, s.Partition)])) {
				t.Errorf("%+v", s)
			}
		}
		if n := strings.Count(logged, "frames are gone before they were folded"); n != 3 {
			t.Errorf("it was reported %d times:\n%s", n, logged)
		}
	})
}

func TestALogThatEndsBelowTheCheckpointStopsTheMemberWithAnExplanation(t *testing.T) {
	after(t, func(l *life) { clear(l.logs) }, func(l *life, _ string) {
		if !strings.Contains(l.conflict, "the topic was made anew or lost its end") {
			t.Errorf("got %q", l.conflict)
		}
	})
}

func TestARecordThatIsNoFrameCostsItselfOnly(t *testing.T) {
	after(t, func(l *life) {
		l.append(relay.HitsTopic, 0, []relay.Message{{Value: []byte("poison")}, {}})
		l.logs[logName(relay.HitsTopic, 0)] = append(l.logs[logName(relay.HitsTopic, 0)], relay.Stored{Offset: int64(len(l.logs[logName(relay.HitsTopic, 0)]))})
	}, func(l *life, logged string) {
		s := l.members("correlate")[0].correlator.Status()[0]
		if s.Damaged != 3 || s.Next != int64(len(l.logs[logName(relay.HitsTopic, 0)])) || strings.Count(logged, "record is no frame") != 3 {
			t.Errorf("%+v\n%s", s, logged)
		}
	})
}

// A rebalance is quick if the next owner has next to nothing to fold again.
func TestTheEndOfAClaimLeavesACheckpointOfEverythingFolded(t *testing.T) {
	after(t, func(*life) {}, func(l *life, _ string) {
		p := l.members("correlate")[0]
		clear(l.checkpoints)
		l.append(relay.HitsTopic, 1, []relay.Message{{Value: slices.Clone(l.logs[logName(relay.HitsTopic, 1)][0].Value)}})
		for l.step() {
		}
		for _, c := range p.claims {
			c.cancel()
		}
		for l.step() {
		}
		c, end := l.checkpoints[relay.PartitionCheckpoint(1)], len(l.logs[logName(relay.HitsTopic, 1)])
		if len(c) == 0 || c[len(c)-1].Batch != (event.BatchID{Epoch: relay.RoleEpoch, Number: uint64(end)}) {
			t.Errorf("%d checkpoints, want one at %d", len(c), end)
		}
	})
}

// sink is a producer that takes everything, or nothing.
type sink struct{ err error }

func (s sink) Produce(context.Context, string, []relay.Message) error { return s.err }

func TestAnActionThatIsNotFoldedInTimeSaysToLookAgain(t *testing.T) {
	for name, p := range map[string]sink{"sent": {}, "not sent": {context.DeadlineExceeded}} {
		tr := relay.NewTriage(relay.TriageSettings{Producer: p, Stitcher: stitching})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := tr.Act(ctx, incident.Action{ID: event.NewID("a", "1"), Text: "x"})
		if err == nil || !strings.Contains(err.Error(), "look at the incident again") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestAnActionTooLongForARecordIsRefusedToTheAnalyst(t *testing.T) {
	tr := relay.NewTriage(relay.TriageSettings{Producer: sink{errors.New("must not be sent")}, Stitcher: stitching})
	if _, err := tr.Act(t.Context(), incident.Action{Text: strings.Repeat("x", relay.MaxAnnouncement)}); !errors.Is(err, incident.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestATopicMadeAnewThatHasGrownPastTheCheckpointStopsTheMemberWithAnExplanation(t *testing.T) {
	after(t, func(l *life) { l.topics[relay.HitsTopic] = "another" }, func(l *life, _ string) {
		for _, said := range []string{"topic tocsin.hits was deleted and made again: its id was hits-1 and is another now", "tocsin topics accept tocsin.hits"} {
			if !strings.Contains(l.conflict, said) {
				t.Errorf("it does not say %q: %q", said, l.conflict)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		l := &life{world: newWorld(t, rand.New(rand.NewPCG(1, 2))), set: ruleSet(t, "3m")}
		defer l.stop()
		saved := relay.NewStitching(stitching())
		saved.Identify("findings-1")
		data, err := saved.Snapshot(nil)
		if err != nil {
			t.Fatal(err)
		}
		l.checkpoints[relay.FindingsCheckpoint] = []incident.Checkpoint{{Name: relay.FindingsCheckpoint, Batch: relay.BatchOf(0), Data: data}}
		l.topics[relay.FindingsTopic] = "another"
		l.quiet = true
		l.startOne("triage")
		for l.step() {
		}
		if !strings.Contains(l.conflict, "tocsin topics accept tocsin.findings") {
			t.Errorf("triage goes on: %q", l.conflict)
		}
	})
}

// What follows from the new topic must not be taken for what followed from the old one: triage knows announcements by partition and frame.
func TestAfterANewTopicWasAcceptedItIsReadFromItsBeginningUnderNumbersOfItsOwn(t *testing.T) {
	var old int
	var before []relay.TriageStatus
	// Changes of robots nobody has heard of: of those triage is told whatever the rules find.
	f := randomFrame(rand.New(rand.NewPCG(3, 4)), 0, 20)
	f.Marks, f.Roster = nil, nil
	messages, _ := new(relay.FrameEncoder).Append(nil, f)
	later := messages[0]
	after(t, func(l *life) {
		l.topics[relay.HitsTopic], l.accepted[relay.HitsTopic] = "hits-2", 1
		for n := range int32(hitsPartitions) {
			l.logs[logName(relay.HitsTopic, n)] = nil
		}
		old = len(l.logs[logName(relay.FindingsTopic, 0)])
		for _, p := range l.members("triage") {
			before = append(before, p.triage.Status())
		}
		l.append(relay.HitsTopic, 0, []relay.Message{{Value: later}})
	}, func(l *life, logged string) {
		if l.conflict != "" || strings.Count(logged, "the topic was made anew and is read from its beginning") != hitsPartitions {
			t.Fatalf("%s\n%s", l.conflict, logged)
		}
		if s := l.members("correlate")[0].correlator.Status()[0]; s.Next != 1 {
			t.Errorf("folded to %d, want 1", s.Next)
		}
		said := l.logs[logName(relay.FindingsTopic, 0)]
		if len(said) <= old {
			t.Fatal("nothing was announced: the test is void")
		}
		for _, s := range said[old:] {
			a, err := relay.DecodeAnnouncement(s.Value)
			if err != nil || a.Frame != 1<<40 {
				t.Errorf("announced as frame %d, %v", a.Frame, err)
			}
		}
		for i, p := range l.members("triage") {
			was, is := before[i].Counts, p.triage.Status()
			if is.Next != int64(len(said)) || is.Counts.Taken-was.Taken != int64(len(said)-old) || is.Counts.Repeated != was.Repeated {
				t.Errorf("%s: %+v of %d records, after %+v", p.name, is, len(said), was)
			}
		}
		// That it was accepted is done once: the checkpoint has it.
		var again bytes.Buffer
		l.log = slog.New(slog.NewTextHandler(&again, nil))
		p := l.members("correlate")[0]
		for _, c := range p.claims {
			c.cancel()
		}
		for l.step() {
		}
		l.startOne("correlate")
		l.crash(p)
		l.append(relay.HitsTopic, 0, []relay.Message{{Value: later}})
		l.rebalance(l.groups["correlate"])
		for l.begin(); l.step(); l.begin() {
		}
		if status := l.members("correlate")[0].correlator.Status(); l.conflict != "" || status[0].Next != 2 || strings.Contains(again.String(), "made anew") {
			t.Errorf("%s%+v\n%s", l.conflict, status, again.String())
		}
	})
}
