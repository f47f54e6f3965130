package board_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/board"
)

// archive is a store in memory: every revision and every change.
type archive struct {
	revisions map[event.ID][]*incident.Incident
	changes   []incident.Change
	asked     int // How often incidents were.
}

func (a *archive) record(r *rand.Rand, in *incident.Incident) incident.Change {
	a.revisions[in.ID] = append(a.revisions[in.ID], in)
	batch := event.BatchID{Epoch: 1, Number: uint64(len(a.changes) / 3)}
	c := incident.Change{Batch: batch, Index: len(a.changes) % 3, Kind: incident.ChangeUpdated, Incident: in}
	if r.IntN(2) == 0 {
		c.Kind = incident.ChangeEscalated
	}
	a.changes = append(a.changes, c)
	return c
}

func (a *archive) Incidents(_ context.Context, statuses []incident.Status, after board.Place, limit int) ([]*incident.Incident, error) {
	a.asked++
	var out []*incident.Incident
	for _, list := range a.revisions {
		in := list[len(list)-1]
		behind := after == (board.Place{}) || in.Updated < after.Updated || in.Updated == after.Updated && in.ID.Compare(after.ID) > 0
		if slices.Contains(statuses, in.Status) && behind {
			out = append(out, in)
		}
	}
	slices.SortFunc(out, func(x, y *incident.Incident) int {
		return cmp.Or(cmp.Compare(y.Updated, x.Updated), x.ID.Compare(y.ID))
	})
	return out[:min(limit, len(out))], nil
}

func (a *archive) Last(context.Context) (triage.Sequence, error) {
	if len(a.changes) == 0 {
		return triage.Sequence{}, nil
	}
	return triage.SequenceOf(&a.changes[len(a.changes)-1]), nil
}

func (a *archive) Changes(_ context.Context, after triage.Sequence, limit int) ([]incident.Change, error) {
	var out []incident.Change
	for _, c := range a.changes {
		if after.Less(triage.SequenceOf(&c)) && len(out) < limit {
			out = append(out, c)
		}
	}
	return out, nil
}

func zones(entity string) string {
	if entity == "robot:r1" || entity == "robot:r2" {
		return "cell-3"
	}
	return ""
}

func TestTheOwnerOfARouteIsWhatIsShownFilteredAndCounted(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	a := &archive{revisions: map[event.ID][]*incident.Incident{}}
	for n := range 40 {
		a.record(r, random(r, n))
	}
	safety := func(c *board.Card) (string, string) {
		if c.Stitched == "ot" {
			return "safety", "cells"
		}
		return c.Stitched, ""
	}
	b := board.New(board.Settings{Store: a, Owner: safety, Now: func() int64 { return start }})
	if err := b.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	filter := func(q string) int {
		f, err := expression.CompileFilter(q)
		if err != nil {
			t.Fatal(err)
		}
		page, err := b.List(t.Context(), board.Query{Filter: f, Person: access.Person{Role: access.Viewer}, Limit: 100, Facets: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Facets {
			if f.Name == "owner" && len(f.Counts) > 0 && f.Counts[0].N != page.Total {
				t.Errorf("%s: the facet says %v of %d", q, f.Counts, page.Total)
			}
		}
		return page.Total
	}
	if filter(`owner == "ot"`) != 0 || filter(`owner == "safety"`) == 0 || filter(`owner == "it"`) == 0 {
		t.Error("the filter does not see the owner that the route named")
	}
	for _, c := range b.Cards() {
		if c.Stitched == "ot" && (c.Owner != "safety" || c.Route != "cells" || c.Measured.Team != "safety") || c.Stitched != "ot" && (c.Owner != c.Stitched || c.Route != "") {
			t.Errorf("%+v", c)
		}
	}
}

// random makes an incident at its first revision.
func random(r *rand.Rand, n int) *incident.Incident {
	in := &incident.Incident{ID: event.NewID("incident", fmt.Sprint(n)), Opened: start + r.Int64N(1e9), First: start - r.Int64N(1e12), Last: start}
	return revised(r, in)
}

// revised is the next revision, changed at random.
func revised(r *rand.Rand, old *incident.Incident) *incident.Incident {
	in := *old
	in.Revision++
	in.Status = []incident.Status{incident.Open, incident.Acknowledged, incident.Closed, incident.Merged}[r.IntN(4)]
	in.Severity, in.Score, in.Owner = incident.Severity(1+r.IntN(6)), r.IntN(101), []string{"it", "ot", "robot-operations"}[r.IntN(3)]
	in.Title = fmt.Sprintf("Incident of r%d", r.IntN(20))
	in.Updated = start + r.Int64N(1e9)/1e6*1e6 // many are equal
	in.Robots, in.Entities, in.Findings = nil, nil, nil
	for i := range 1 + r.IntN(3) {
		robot := fmt.Sprintf("robot:r%d", r.IntN(10))
		if !slices.Contains(in.Robots, robot) {
			in.Robots = append(in.Robots, robot)
			in.Entities = append(in.Entities, incident.Member{ID: robot, Kind: event.EntityRobot, Strength: event.Strong, Roles: []event.Role{event.RoleTarget}})
		}
		ref := &event.Ref{Event: event.NewID(robot), Time: in.First, Domain: "robot", ClassUID: event.ClassAuthentication, Activity: 1}
		in.Findings = append(in.Findings, incident.Finding{
			ID: event.NewID("finding", fmt.Sprint(in.ID, i)), Rule: incident.RuleRef{ID: fmt.Sprintf("rb-%04d", r.IntN(5)), Title: "T", Tags: []string{"attack.t0859", "ics.t0855.001", "other.t1"}},
			Evidence: []incident.Evidence{{Step: "a", Event: ref}}, Time: in.Last, First: in.First,
		})
	}
	in.Domains = []string{"robot"}
	in.Snoozed = start + r.Int64N(7200e6)
	if r.IntN(2) == 0 {
		in.Said.Assessment = "misuse"
	}
	in.Sites = [][]string{nil, {"north"}, {"south"}, {"north", "south"}}[r.IntN(4)]
	return &in
}

var everybody = access.Person{Name: "test", Role: access.Viewer}

func newBoard(a *archive, keep int) *board.Board {
	return board.New(board.Settings{Store: a, Zones: zones, Now: func() int64 { return start + 3600e6 }, Keep: keep})
}

func loaded(t *testing.T, a *archive, keep int) *board.Board {
	t.Helper()
	b := newBoard(a, keep)
	if err := b.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.LoadPast(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// row is what two boards must agree on.
type row struct {
	ID       string
	Revision int32
	Subject  expression.Subject
	For      []string
}

// all reads a query page by page.
func all(t *testing.T, b *board.Board, q board.Query) (rows []row, facets []board.Facet) {
	t.Helper()
	for {
		p, err := b.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.Cards {
			rows = append(rows, row{c.ID.String(), c.Revision, c.Subject(start), c.For})
		}
		if p.Next == (board.Cursor{}) {
			if len(rows) != p.Total {
				t.Errorf("%d cards on all pages, %d in all", len(rows), p.Total)
			}
			return rows, p.Facets
		}
		next, err := board.ParseCursor(p.Next.String())
		if err != nil || next != p.Next {
			t.Fatalf("cursor %s: %v", p.Next, err)
		}
		q.After = next
	}
}
