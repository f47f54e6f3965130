package incident_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// compile reads expressions of the form "part of the title".
func compile(expression string) (func(*incident.Finding) bool, error) {
	if strings.Contains(expression, "(") {
		return nil, errors.New("column 1: unexpected (")
	}
	return func(f *incident.Finding) bool { return strings.Contains(f.Rule.Title, expression) }, nil
}

func hushing() *incident.Stitcher {
	cfg := incident.DefaultConfig()
	cfg.Compile = compile
	return incident.NewStitcher(cfg, nil)
}

func window(expression string, from, until int64) *incident.Suppression {
	return &incident.Suppression{Title: "window", Expression: expression, Owner: "ot", Reason: "robot cell is rebuilt", From: from * minute, Until: until * minute}
}

func suppress(t *testing.T, s *incident.Stitcher, x *incident.Suppression) incident.Suppression {
	t.Helper()
	do(t, s, incident.Action{Kind: incident.ActionSuppress, At: 7, Suppression: x})
	list := s.Suppressions()
	return list[len(list)-1]
}

func TestASuppressedFindingIsMarkedAndJoinsNoIncident(t *testing.T) {
	s := hushing()
	apply(s, finding("x before", 0, "robot:r1"))
	x := suppress(t, s, window("x", 0, 60))
	batch := []incident.Finding{finding("x in", 1, "robot:r1"), finding("y", 2, "robot:r1"), finding("x late", 60, "robot:r1"), finding("x in again", 3, "robot:r2")}
	apply(s, batch...)
	if got := partition(s); got != "x before+x late+y" {
		t.Errorf("incidents: %s", got)
	}
	for i, want := range []event.ID{x.ID, {}, {}, x.ID} {
		if batch[i].Suppressed != want {
			t.Errorf("%s is marked %v", batch[i].Rule.Title, batch[i].Suppressed)
		}
	}
	if got := s.Suppressions()[0]; got.Hits != 2 || got.By != "ana" || got.At != 7 {
		t.Errorf("%+v", got)
	}
	gone, rest := batch[0], batch[3]
	gone.State, gone.Revision, gone.Suppressed = incident.Withdrawn, 2, event.ID{}
	rest.State, rest.Revision, rest.Suppressed = incident.Final, 2, event.ID{}
	known := finding("x before", 0, "robot:r1")
	known.Revision, known.Score = 2, 90
	do(t, s, incident.Action{Kind: incident.ActionUnsuppress, At: 9, By: "ben", Suppression: &incident.Suppression{ID: x.ID}})
	later := []incident.Finding{gone, rest, known, finding("x after", 4, "robot:r1")}
	apply(s, later...)
	if later[0].Suppressed != x.ID || later[1].Suppressed != x.ID || !later[2].Suppressed.IsZero() || !later[3].Suppressed.IsZero() {
		t.Error("what was kept out comes in, or the other way round")
	}
	if got := partition(s); got != "x after+x before+x late+y" {
		t.Errorf("incidents: %s", got)
	}
	if got := s.Suppressions()[0]; got.Hits != 1 || got.Revoked != 9 || got.RevokedBy != "ben" {
		t.Errorf("%+v", got)
	}
}

func TestASuppressionThatMakesNoSenseIsRefused(t *testing.T) {
	year := int64(366 * 24 * 60)
	for what, edit := range map[string]func(*incident.Suppression){
		"the title is empty": func(x *incident.Suppression) { x.Title = "" }, "the owner is empty": func(x *incident.Suppression) { x.Owner = "" }, "the reason is empty": func(x *incident.Suppression) { x.Reason = "" },
		"the expression is empty": func(x *incident.Suppression) { x.Expression = "" }, "column 1": func(x *incident.Suppression) { x.Expression = "(" },
		"the title has 257": func(x *incident.Suppression) { x.Title = strings.Repeat("x", 257) }, "its end must lie after its beginning": func(x *incident.Suppression) { x.Until = x.From },
		"it has no end; say until when": func(x *incident.Suppression) { x.Until = 0 },
		"at most a year":                func(x *incident.Suppression) { x.Until = x.From + year*minute + 1 },
	} {
		x := window("x", 10, 60)
		edit(x)
		s := hushing()
		if _, err := try(s, incident.Action{Kind: incident.ActionSuppress, Suppression: x}); !errors.Is(err, incident.ErrRefused) || !strings.Contains(err.Error(), what) || len(s.Suppressions()) != 0 {
			t.Errorf("%s: %v", what, err)
		}
	}
	s := hushing()
	for _, a := range []incident.Action{{Kind: incident.ActionSuppress}, {Kind: incident.ActionUnsuppress}} {
		if _, err := try(s, a); !errors.Is(err, incident.ErrRefused) {
			t.Errorf("%s of nothing: %v", a.Kind, err)
		}
	}
	if _, err := try(s, incident.Action{Kind: incident.ActionUnsuppress, Suppression: &incident.Suppression{ID: event.NewID("none")}}); !errors.Is(err, incident.ErrUnknown) {
		t.Errorf("an unknown one: %v", err)
	}
	x := suppress(t, s, window("x", 0, 60))
	do(t, s, incident.Action{Kind: incident.ActionUnsuppress, At: 3, Suppression: &x})
	if _, err := try(s, incident.Action{Kind: incident.ActionUnsuppress, Suppression: &x}); !errors.Is(err, incident.ErrRefused) {
		t.Errorf("revoked twice: %v", err)
	}
	plain := incident.NewStitcher(incident.DefaultConfig(), nil)
	if _, err := try(plain, incident.Action{Kind: incident.ActionSuppress, Suppression: window("x", 0, 60)}); !errors.Is(err, incident.ErrRefused) {
		t.Errorf("without a compiler: %v", err)
	}
}

func TestSuppressionsAreBoundedAndEndedOnesMakeRoom(t *testing.T) {
	s := hushing()
	first := suppress(t, s, window("x", 0, 60))
	for range incident.MaxSuppressions - 1 {
		suppress(t, s, window("y", 0, 90))
	}
	if _, err := try(s, incident.Action{Kind: incident.ActionSuppress, At: 7, Suppression: window("x", 0, 60)}); !errors.Is(err, incident.ErrRefused) {
		t.Fatalf("one too many: %v", err)
	}
	do(t, s, incident.Action{Kind: incident.ActionUnsuppress, At: 8, Suppression: &first})
	suppress(t, s, window("z", 0, 60))
	if list := s.Suppressions(); len(list) != incident.MaxSuppressions || list[0].Expression == "x" || list[len(list)-1].Expression != "z" {
		t.Errorf("%d", len(list))
	}
}

func TestAFloodCountsOnlyWhatIsNotSuppressed(t *testing.T) {
	cfg := incident.DefaultConfig()
	cfg.Compile, cfg.Flood = compile, incident.Flood{Findings: 3, Per: 60 * minute}
	s := incident.NewStitcher(cfg, nil)
	flood := func(name string, n int) []incident.Finding {
		var out []incident.Finding
		for i := range n {
			f := finding(fmt.Sprint(name, i), int64(i), fmt.Sprintf("robot:%s%d", name, i))
			f.Rule.ID = "noisy"
			out = append(out, f)
		}
		return out
	}
	early := flood("x", 5)
	apply(s, early...)
	suppress(t, s, window("x", 0, 60))
	again := slices.Clone(early)
	for i := range again {
		again[i].Revision, again[i].State = 2, incident.Final
	}
	fresh := flood("new x", 6)
	apply(s, again...)
	apply(s, fresh...)
	apply(s, flood("z", 2)...)
	for i := range again {
		if !again[i].Suppressed.IsZero() {
			t.Errorf("%s was there before, in an incident or a digest", again[i].Rule.Title)
		}
	}
	for i := range fresh {
		if fresh[i].Suppressed.IsZero() {
			t.Errorf("%s came in", fresh[i].Rule.Title)
		}
	}
	var digest *incident.Finding
	for _, in := range s.Incidents() {
		if in.Findings[0].Digest != nil {
			digest = &in.Findings[0]
		}
	}
	if got := s.Suppressions()[0].Hits; digest == nil || digest.Digest.Count != 4 || got != 6 {
		t.Errorf("hits %d, digest %+v", got, digest)
	}
}

func TestASuppressionThatNoLongerCompilesSaysSoAndMatchesNothing(t *testing.T) {
	s := hushing()
	suppress(t, s, window("x", 0, 60))
	b, err := s.Snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg := incident.DefaultConfig()
	cfg.Compile = func(string) (func(*incident.Finding) bool, error) { return nil, errors.New("unknown name title") }
	for _, c := range []incident.Config{cfg, incident.DefaultConfig()} {
		again := incident.NewStitcher(c, nil)
		if err := again.Restore(b); err != nil {
			t.Fatal(err)
		}
		apply(again, finding("x", 1, "robot:r1"))
		if got := again.Suppressions()[0]; got.Broken == "" || got.Hits != 0 || partition(again) != "x" {
			t.Errorf("%+v, %s", got, partition(again))
		}
		if back, err := again.Snapshot(nil); err != nil || !strings.Contains(string(back), `"Expression":"x"`) || strings.Contains(string(back), "Broken") {
			t.Errorf("it is lost, or stays broken: %v", err)
		}
	}
}

// entry is one batch of a log: announcements, then actions.
type entry struct {
	findings []incident.Finding
	actions  []incident.Action
}

// fold replays a log, from a snapshot after each entry if crashy says so, and gives everything that follows from it.
func fold(t *testing.T, log []entry, crash func() bool) string {
	t.Helper()
	s := hushing()
	var out []string
	for i, e := range log {
		batch := event.BatchID{Epoch: 1, Number: uint64(i + 1)}
		findings := slices.Clone(e.findings)
		for _, c := range s.Apply(findings, nil, batch, int64(1000+i)) {
			out = append(out, tell(t, c))
		}
		for _, f := range findings {
			out = append(out, fmt.Sprint(f.Rule.Title, f.Revision, f.Suppressed))
		}
		for _, a := range e.actions {
			changes, err := s.Act(a, batch)
			out = append(out, fmt.Sprint(a.Kind, err))
			for _, c := range changes {
				out = append(out, tell(t, c))
			}
		}
		if crash() {
			b, err := s.Snapshot(nil)
			if err != nil {
				t.Fatal(err)
			}
			s = hushing()
			if err := s.Restore(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	b, err := s.Snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(append(out, string(b)), "\n")
}

func tell(t *testing.T, c incident.Change) string {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheSameLogGivesTheSameStateWhereverTheProcessDies(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 9))
	for range 12 {
		log := randomLog(t, r)
		want := fold(t, log, func() bool { return false })
		for _, crash := range []func() bool{func() bool { return true }, func() bool { return r.IntN(3) == 0 }} {
			if diff := cmp.Diff(want, fold(t, log, crash)); diff != "" {
				t.Fatalf("seed %d:\n%s", seed, diff)
			}
		}
	}
}

// randomLog is a history in which most of what people do is possible: it is made by folding along.
func randomLog(t *testing.T, r *rand.Rand) []entry {
	s := hushing()
	var log []entry
	var all []incident.Finding
	for n := range 30 {
		var e entry
		for range r.IntN(4) {
			f := finding(fmt.Sprint("f", len(all), "xyz"[r.IntN(3):][:1]), int64(r.IntN(300)), fmt.Sprintf("robot:r%d", r.IntN(4)))
			e.findings, all = append(e.findings, f), append(all, f)
		}
		if len(all) > 0 && r.IntN(2) == 0 {
			f := &all[r.IntN(len(all))]
			f.Revision++
			f.State = incident.State(1 + r.IntN(3))
			e.findings = append(e.findings, *f)
		}
		s.Apply(slices.Clone(e.findings), nil, event.BatchID{Epoch: 1, Number: uint64(n + 1)}, int64(1000+n))
		for range r.IntN(4) {
			a := randomAct(s, r)
			a.ID, a.By, a.At = event.NewID("random", fmt.Sprint(len(log), len(e.actions))), "ana", int64(1000+n)
			e.actions = append(e.actions, a)
			_, _ = s.Act(a, event.BatchID{Epoch: 1, Number: uint64(n + 1)})
		}
		log = append(log, e)
	}
	return log
}

func randomAct(s *incident.Stitcher, r *rand.Rand) incident.Action {
	if list := s.Suppressions(); r.IntN(4) == 0 && len(list) > 0 {
		return incident.Action{Kind: incident.ActionUnsuppress, Suppression: &list[r.IntN(len(list))]}
	}
	if r.IntN(4) == 0 {
		return incident.Action{Kind: incident.ActionSuppress, Suppression: window("xyz"[r.IntN(3):][:1], int64(r.IntN(100)), int64(100+r.IntN(300)))}
	}
	all := s.Incidents()
	if len(all) == 0 {
		return incident.Action{Kind: incident.ActionNote}
	}
	in := all[r.IntN(len(all))]
	options := append(everyAct(s, in, r), incident.Action{Kind: incident.ActionUndo, Incident: in.ID}, incident.Action{Kind: incident.ActionUndo, Incident: in.ID}, incident.View(in.ID, "", 0))
	a := options[r.IntN(len(options))]
	a.Expected = in.Revision
	return a
}

func TestWhatIsSuppressedDoesNotDependOnOrderBatchesOrRestarts(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 4))
	for range 30 {
		var all []incident.Finding
		for i := range 12 {
			f := finding(fmt.Sprint("f", i, "xyz"[r.IntN(3):][:1]), int64(r.IntN(400)), fmt.Sprintf("robot:r%d", r.IntN(4)), fmt.Sprintf("user:u%d", r.IntN(5)))
			all = append(all, f)
		}
		want := ""
		for round := range 4 {
			r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			s := hushing()
			suppress(t, s, window("x", 0, 250))
			suppress(t, s, window("y", 100, 300))
			var hushed []string
			for rest := slices.Clone(all); len(rest) > 0; {
				n := 1 + r.IntN(len(rest))
				apply(s, rest[:n]...)
				for _, f := range rest[:n] {
					if !f.Suppressed.IsZero() {
						hushed = append(hushed, f.Rule.Title)
					}
				}
				rest = rest[n:]
				if r.IntN(2) == 0 {
					b, err := s.Snapshot(nil)
					if err != nil {
						t.Fatal(err)
					}
					s = hushing()
					if err := s.Restore(b); err != nil {
						t.Fatal(err)
					}
				}
			}
			slices.Sort(hushed)
			list := s.Suppressions()
			got := fmt.Sprint(partition(s), hushed, list[0].Hits, list[1].Hits)
			if round == 0 {
				want = got
			} else if got != want {
				t.Fatalf("seed %d: order changed it:\n%s\n%s", seed, want, got)
			}
		}
	}
}
