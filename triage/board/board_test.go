package board_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/board"
)

const start = 1_767_607_200_000_000 // a Monday, 10:00 UTC

func TestABoardKeptByChangesEqualsOneLoadedFromTheStore(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 5))
	for range 12 {
		a := &archive{revisions: map[event.ID][]*incident.Incident{}}
		kept, followed := newBoard(a, 0), newBoard(a, 0)
		var batch []incident.Change
		for n := range 1 + r.IntN(150) {
			in := random(r, n)
			if n > 3 && r.IntN(3) > 0 {
				list := a.revisions[event.NewID("incident", fmt.Sprint(r.IntN(n/2)))]
				if list != nil {
					in = revised(r, list[len(list)-1])
				}
			}
			batch = append(batch, a.record(r, in))
			switch r.IntN(4) {
			case 0:
				kept.Publish(batch)
				batch = nil
			case 1:
				kept.Publish(batch) // and once more, as after a change of leaders
			case 2:
				if err := followed.Load(t.Context()); err != nil {
					t.Fatal(err)
				}
			case 3:
				if err := followed.Follow(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		kept.Publish(batch)
		if err := followed.LoadPast(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := followed.Follow(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		fresh := loaded(t, a, 0)
		if kept.Last() != fresh.Last() || followed.Last() != fresh.Last() {
			t.Fatalf("last changes: %s, %s, %s", kept.Last(), followed.Last(), fresh.Last())
		}
		for _, by := range board.Sorts() {
			for _, ascending := range []bool{false, true} {
				q := board.Query{Person: everybody, Merged: true, Sort: board.Sort{By: by, Ascending: ascending}, Limit: 1 + r.IntN(20), Facets: true}
				want, wantFacets := all(t, fresh, q)
				if len(want) != len(a.revisions) {
					t.Fatalf("%d of %d incidents", len(want), len(a.revisions))
				}
				for name, b := range map[string]*board.Board{"kept": kept, "followed": followed} {
					got, gotFacets := all(t, b, q)
					if d := gocmp.Diff(want, got); d != "" {
						t.Fatalf("%s by %s (- loaded, + %s):\n%s", by, q.Sort, name, d)
					}
					if d := gocmp.Diff(wantFacets, gotFacets); d != "" {
						t.Fatalf("facets (- loaded, + %s):\n%s", name, d)
					}
				}
			}
		}
	}
}

func TestCardsComeInTheOrderAskedForAndOnceEach(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	a := &archive{revisions: map[event.ID][]*incident.Incident{}}
	for n := range 300 {
		a.record(r, random(r, n))
	}
	b := loaded(t, a, 0)
	f, err := expression.CompileFilter(`open and severity >= high and "cell-3" in zones and "T0855.001" in attack and age > 60`)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]func(*board.Card) int64{
		"updated": func(c *board.Card) int64 { return c.Updated }, "severity": func(c *board.Card) int64 { return int64(c.Severity)*1000 + int64(c.Score) },
		"score": func(c *board.Card) int64 { return int64(c.Score) }, "opened": func(c *board.Card) int64 { return c.Opened }, "first": func(c *board.Card) int64 { return c.First },
		"last": func(c *board.Card) int64 { return c.Last }, "findings": func(c *board.Card) int64 { return int64(c.Findings) }, "robots": func(c *board.Card) int64 { return int64(len(c.Robots)) },
	}
	for _, by := range board.Sorts() {
		for _, filter := range []*expression.Filter{nil, f} {
			q := board.Query{Filter: filter, Person: everybody, Sort: board.Sort{By: by}, Limit: 7}
			var cards []*board.Card
			seen := map[event.ID]bool{}
			for {
				p, err := b.List(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				cards = append(cards, p.Cards...)
				if q.After = p.Next; p.Next == (board.Cursor{}) {
					break
				}
			}
			want := 0
			for _, list := range a.revisions {
				in := list[0]
				s := board.CardOf(in, zones).Subject(start + 3600e6)
				if in.Status != incident.Merged && (filter == nil || filter.Match(&s)) {
					want++
				}
			}
			if want == 0 {
				t.Fatal("the filter lets nothing pass")
			}
			for i, c := range cards {
				if seen[c.ID] || i > 0 && keys[by](cards[i-1]) < keys[by](c) {
					t.Errorf("by %s: card %d is out of order or comes again", by, i)
				}
				seen[c.ID] = true
			}
			if len(cards) != want {
				t.Errorf("by %s: %d cards, not %d", by, len(cards), want)
			}
		}
	}
}

func TestClosedIncidentsBeyondTheBoundLeaveTheBoardAndOpenOnesStay(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	a := &archive{revisions: map[event.ID][]*incident.Incident{}}
	b := newBoard(a, 50)
	open := 0
	for n := range 1000 {
		in := random(r, n)
		if in.Status == incident.Open || in.Status == incident.Acknowledged {
			open++
		}
		b.Publish([]incident.Change{a.record(r, in)})
	}
	p, err := b.List(t.Context(), board.Query{Person: everybody, Merged: true, Limit: 1})
	if err != nil || p.Total < open+50 || p.Total > open+54 {
		t.Errorf("%d cards with %d open: %v", p.Total, open, err)
	}
}

func TestWhatTheBoardHasForgottenComesFromTheStore(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 6))
	a := &archive{revisions: map[event.ID][]*incident.Incident{}}
	small := newBoard(a, 40)
	for n := range 700 {
		small.Publish([]incident.Change{a.record(r, random(r, n))})
	}
	for n := range 100 { // closed ones come back, open ones go
		list := a.revisions[event.NewID("incident", fmt.Sprint(n))]
		small.Publish([]incident.Change{a.record(r, revised(r, list[len(list)-1]))})
	}
	whole := loaded(t, a, 100_000)
	f, err := expression.CompileFilter(`severity >= high or "r3" in robots`)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []board.Query{{}, {Filter: f}, {Merged: true}, {Since: start + 5e8}, {Filter: f, Merged: true}} {
		q.Person, q.Limit = everybody, 1+r.IntN(60)
		want, _ := all(t, whole, q)
		var got []row
		for {
			p, err := small.List(t.Context(), q)
			if err != nil || !p.Older || len(p.Cards) > q.Limit {
				t.Fatalf("%d cards, older %v: %v", len(p.Cards), p.Older, err)
			}
			for _, c := range p.Cards {
				got = append(got, row{c.ID.String(), c.Revision, c.Subject(start), c.For})
			}
			if q.After = p.Next; p.Next == (board.Cursor{}) {
				break
			}
		}
		if d := gocmp.Diff(want, got); d != "" {
			t.Fatalf("%+v (- whole, + small):\n%.2000s", q, d)
		}
	}
}

func TestAQueryOfWhatIsOpenIsAnsweredFromMemoryAndIsWhole(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 7))
	a := &archive{revisions: map[event.ID][]*incident.Incident{}}
	small := newBoard(a, 40)
	for n := range 700 {
		small.Publish([]incident.Change{a.record(r, random(r, n))})
	}
	whole := loaded(t, a, 100_000)
	for _, text := range []string{"open", "open and score >= 30", `status == "open" or status == "acknowledged"`} {
		open, err := expression.CompileFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		q := board.Query{Filter: open, Person: everybody, Limit: board.MaxLimit}
		want, err := whole.List(t.Context(), q)
		if err != nil || want.Older || len(want.Cards) == 0 {
			t.Fatalf("the whole board has %d, older %v: %v", len(want.Cards), want.Older, err)
		}
		asked := a.asked
		got, err := small.List(t.Context(), q)
		if err != nil || got.Older || len(got.Cards) != len(want.Cards) || got.Total != want.Total {
			t.Errorf("%s: %d cards of %d, want %d; older %v: %v", text, len(got.Cards), got.Total, len(want.Cards), got.Older, err)
		}
		if a.asked != asked {
			t.Errorf("%s: the store was asked for closed incidents", text)
		}
	}
	q := board.Query{Person: everybody, Limit: board.MaxLimit, Memory: true}
	asked := a.asked
	if got, err := small.List(t.Context(), q); err != nil || !got.Older || len(got.Cards) > got.Total || a.asked != asked {
		t.Errorf("%d cards of %d that the board has, older %v, the store asked %d times: %v", len(got.Cards), got.Total, got.Older, a.asked-asked, err)
	}
}

func TestNobodySeesWhatItsSitesDoNotHave(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	a := &archive{revisions: map[event.ID][]*incident.Incident{}}
	for n := range 100 {
		a.record(r, random(r, n))
	}
	b := loaded(t, a, 0)
	for _, c := range []struct {
		who  access.Person
		sees func(sites []string) bool
	}{
		{access.Person{}, func([]string) bool { return false }},
		{everybody, func([]string) bool { return true }},
		{access.Person{Role: access.Admin, Sites: []string{"north"}}, func(sites []string) bool { return sites == nil || slices.Contains(sites, "north") }},
		{access.Person{Role: access.Admin, Sites: []string{}}, func(sites []string) bool { return sites == nil }},
	} {
		want := 0
		for _, list := range a.revisions {
			if c.sees(list[0].Sites) {
				want++
			}
		}
		p, err := b.List(t.Context(), board.Query{Person: c.who, Merged: true, Facets: true})
		counted := 0
		for _, x := range p.Facets[0].Counts {
			counted += x.N
		}
		if err != nil || p.Total != want || len(p.Cards) != want || counted != want {
			t.Errorf("%+v sees %d of %d, %d counted: %v", c.who, p.Total, want, counted, err)
		}
	}
}

func TestTheSubjectOfAFindingHasWhatSuppressionsAskFor(t *testing.T) {
	in := random(rand.New(rand.NewPCG(7, 8)), 1)
	f := in.Findings[0]
	f.Evidence[0].Event.Entities = []event.EntityRef{
		{Kind: event.EntityRobot, ID: "robot:r1", Role: event.RoleTarget, Strength: event.Strong},
		{Kind: event.EntityIP, ID: "ip:10.0.0.1", Role: event.RoleSource, Strength: event.Weak},
		{Kind: event.EntityDevice, ID: "device:sensor", Role: event.RoleReporter, Strength: event.Context},
	}
	f.Rule.ID, f.Severity, f.First = "rb-0001", incident.High, start
	f.Evidence[0].Event.Site = "north"
	x, err := expression.CompileFilter(`rule == "rb-0001" and "r1" in robots and "10.0.0.1" in addresses and len(devices) == 0 and "device:sensor" in entities and ` +
		`"cell-3" in zones and severity == high and "T0859" in attack and hour == 10 and weekday == 1 and "robot" in domains and sites[0] == "north" and id startsWith "fi_"`)
	if err != nil {
		t.Fatal(err)
	}
	if s := board.SubjectOf(&f, zones); !x.Match(&s) {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsNoCursorOrSortIsRefused(t *testing.T) {
	for _, text := range []string{"x", "AAAA", "=", string(make([]byte, 60))} {
		if _, err := board.ParseCursor(text); err == nil {
			t.Errorf("%q is a cursor", text)
		}
	}
	if c, err := board.ParseCursor(""); err != nil || c.String() != "" {
		t.Errorf("the first page: %v", err)
	}
	for _, text := range []string{"", "-", "title", "--score"} {
		if s, err := board.SortOf(text); err == nil {
			t.Errorf("%q sorts by %s", text, s)
		}
	}
	for _, by := range board.Sorts() {
		for _, text := range []string{by, "-" + by} {
			if s, err := board.SortOf(text); err != nil || s.String() != text {
				t.Errorf("%s: %s %v", text, s, err)
			}
		}
	}
}

func TestTheWordsOfFiltersAreThoseOfIncidents(t *testing.T) {
	for _, n := range expression.FilterNames() {
		var want []string
		switch n.Name {
		case "status":
			for s := incident.Open; s <= incident.Merged; s++ {
				want = append(want, s.String())
			}
		case "verdict":
			for _, v := range incident.Verdicts() {
				want = append(want, string(v))
			}
		case "assessment":
			want = []string{triage.Intrusion, triage.Malfunction, triage.Misuse, triage.Authorised, triage.Undetermined}
		default:
			continue
		}
		if d := gocmp.Diff(want, n.Words); d != "" {
			t.Errorf("%s (- incidents, + filters):\n%s", n.Name, d)
		}
	}
	for i, s := range expression.FilterSeverities() {
		if incident.SeverityOf(s) != incident.Severity(i+1) {
			t.Errorf("severity %s", s)
		}
	}
}

func BenchmarkListFilterAndFacets(b *testing.B) {
	f, err := expression.CompileFilter(`open and severity >= medium and any(zones, # startsWith "cell-")`)
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{5_000, 100_000} {
		r := rand.New(rand.NewPCG(9, 10))
		x := newBoard(&archive{revisions: map[event.ID][]*incident.Incident{}}, n)
		var changes []incident.Change
		for i := range n {
			changes = append(changes, incident.Change{Batch: event.BatchID{Epoch: 1, Number: uint64(i)}, Incident: random(r, i)})
		}
		x.Publish(changes)
		for name, q := range map[string]board.Query{
			"updated":  {Filter: f, Person: everybody, Facets: true},
			"severity": {Filter: f, Person: everybody, Facets: true, Sort: board.Sort{By: "severity"}},
			"all":      {Person: everybody, Facets: true},
		} {
			b.Run(fmt.Sprintf("cards=%d/%s", n, name), func(b *testing.B) {
				for b.Loop() {
					if _, err := x.List(b.Context(), q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(fmt.Sprintf("cards=%d/publish", n), func(b *testing.B) {
			i := n
			for b.Loop() {
				b.StopTimer()
				c := incident.Change{Incident: random(r, i)}
				b.StartTimer()
				x.Publish([]incident.Change{c})
				x.Get(c.Incident.ID)
				i++
			}
		})
	}
}
