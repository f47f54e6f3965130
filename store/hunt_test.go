package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

// The vocabulary of generated events: enough to collide, and everything that a query could stumble over.
var (
	huntWords = []string{
		"", "a", "ask", "ASK", "K\u0041\u212aS", "\u017fk", "admin", "Admin-7", "it's", `back\slash`, "tab\tline\nend", "nul\x00byte", "bad\xff\xfe", "{p0:String}", "%", "_", "ÄÖ", "' OR 1=1 --", `\'`, "?",
	}
	huntAddresses = []string{"", "10.1.2.3", "192.168.0.9", "8.8.8.8", "2001:db8::1", "fe80::7", "127.0.0.1", "::1"}
	huntNetworks  = []string{"10.0.0.0/8", "8.8.8.8", "2001:db8::/32", "0.0.0.0/0", "192.168.0.8/31"}
)

func isAddress(f *event.Field) bool { return strings.HasSuffix(f.Path, ".ip") }

// huntFields are the fields that have columns, and some that have none.
func huntFields() []*event.Field {
	var list []*event.Field
	for _, c := range store.Columns() {
		list = append(list, event.FieldByPath(c.Path))
	}
	for _, path := range []string{"message", "user.roles", "robot.battery_pct", "is_remote", "end_time", "time", "source", "site"} {
		if f := event.FieldByPath(path); f != nil {
			list = append(list, f)
		}
	}
	return list
}

func huntEvent(r *rand.Rand, i int) event.Event {
	e := sample(i)
	e.Robot = nil
	for _, f := range huntFields() {
		if f.Set == nil || f.Path == "time" || r.IntN(3) == 0 {
			continue
		}
		v := event.Value{Str: huntWords[r.IntN(len(huntWords))], Num: int64(r.IntN(5)), Flt: float64(r.IntN(9)-4) / 2, Tri: event.Bool(r.IntN(3)), Lst: []string{"a", "b"}}
		if isAddress(f) {
			v.Str = huntAddresses[r.IntN(len(huntAddresses))]
		}
		f.Set(&e, v)
	}
	e.Time += r.Int64N(14 * 24 * 3600 * 1e6)
	e.ClassUID = []uint32{event.ClassAuthentication, event.ClassNetwork, event.ClassRobotState}[r.IntN(3)]
	return e
}

// huntGrammar writes conditions as people do, over the fields of generated events.
type huntGrammar struct {
	r      *rand.Rand
	fields []*event.Field
}

func (g *huntGrammar) one(list ...string) string { return list[g.r.IntN(len(list))] }

func (g *huntGrammar) word() string { return strconv.Quote(g.one(huntWords...)) }

func (g *huntGrammar) condition(depth int) string {
	if depth > 0 {
		switch g.r.IntN(6) {
		case 0, 1:
			return "(" + g.condition(depth-1) + g.one(" and ", " or ") + g.condition(depth-1) + ")"
		case 2:
			return "not (" + g.condition(depth-1) + ")"
		case 3:
			return "(" + g.condition(depth-1) + " ? " + g.condition(depth-1) + " : " + g.condition(depth-1) + ")"
		}
	}
	f := g.fields[g.r.IntN(len(g.fields))]
	p, n := f.Path, strconv.Itoa(g.r.IntN(6)-1)
	switch {
	case g.r.IntN(8) == 0:
		return "known(" + p + ")"
	case p == "time":
		return g.one("hour(time)", "weekday(time)") + g.one(" < ", " >= ", " == ", " != ") + n
	case isAddress(f):
		return g.one(p+" == "+strconv.Quote(g.one(huntAddresses...)), p+" != "+strconv.Quote(g.one(huntAddresses...)), "private("+p+")",
			"cidr("+p+", "+strconv.Quote(g.one(huntNetworks...))+", "+strconv.Quote(g.one(huntNetworks...))+")", p+" in ["+strconv.Quote(g.one(huntAddresses...))+"]", p+` startsWith "10."`)
	case f.Kind == event.KindBool:
		return g.one(p, p+" == false", p+" != true", "true == "+p)
	case f.Kind == event.KindInt || f.Kind == event.KindTime:
		return g.one(p+g.one(" < ", " > ", " <= ", " >= ", " == ", " != ")+n, n+g.one(" < ", " >= ", " == ")+p, p+" in ["+n+", 2]", p+" in 1..3", p+" + 1 > "+n, p+" % "+n+" == 1")
	case f.Kind == event.KindFloat:
		return p + g.one(" < ", " > ") + n + ".5"
	case f.Kind == event.KindStrings:
		return g.word() + " in " + p
	}
	fold := strconv.Quote(g.one("ask", "K", "dmi", "A", "it'S", "admin", "%", "ÄÖ"))
	return g.one(p+g.one(" == ", " != ", " contains ", " startsWith ", " endsWith ", " < ")+g.word(), p+" in ["+g.word()+", "+g.word()+"]", p+` matches "adm.n|a"`, p+` matches "dmi[n]"`,
		g.one("iequals", "icontains", "istarts", "iends")+"("+p+", "+fold+g.one("", ", "+fold)+")", "len("+p+") > 2", `int(`+p+`) == 1`, g.one(`severity == "Low"`, `severity in ["High", "Low"]`, `status != "Success"`, `class_name == "authentication"`, `class_name in ["network_activity", "robot_state"]`))
}

func TestAHuntFindsWhatTheExpressionIsTrueOf(t *testing.T) {
	db := open(t, freshConfig(t))
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	events := make([]event.Event, 400)
	for i := range events {
		events[i] = huntEvent(r, i)
	}
	must(t, appendTo(t.Context(), db, &incident.Entry{Batch: &event.Batch{ID: event.BatchID{Epoch: 1, Number: 1}, Events: events}}))
	g := &huntGrammar{r, huntFields()}
	m, m2 := expression.NewMachine(nil), expression.NewMachine(nil)
	decided, found := 0, 0
	for n := 0; n < 200 || (decided < 20 || found < 500) && n < 20_000; n++ {
		source := g.condition(3)
		x, where, issues := expression.CompileWhere(source)
		if x == nil {
			t.Fatalf("seed %d: %s: %v", seed, source, issues[0])
		}
		var want []int64
		for i := range events {
			if ok, _ := x.Match(m, &events[i]); ok {
				want = append(want, int64(i))
			}
		}
		found += len(want)
		keep := func(e *event.Event) bool { ok, _ := x.Match(m2, e); return ok }
		if store.Decides(where) {
			decided++
			keep = nil
		}
		h := store.Hunt{EventFilter: store.EventFilter{Matching: where, Limit: 1000}, Keep: keep}
		page, err := db.Hunt(t.Context(), h)
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, source, err)
		}
		got := offsets(page.Events)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: %s (-expression +hunt, decided by columns: %v):\n%s", seed, source, keep == nil, diff)
		}
		counts, err := db.HuntCounts(t.Context(), h, 3600*1e6)
		if err != nil || counts.Total != int64(len(want)) {
			t.Fatalf("seed %d: %s: counted %d of %d: %v", seed, source, counts.Total, len(want), err)
		}
	}
	if decided < 20 || found < 500 {
		t.Errorf("columns decided %d conditions, which found %d events", decided, found)
	}
	t.Logf("seed %d: columns decided %d conditions, which found %d events", seed, decided, found)
}

// hunted is a store with events of two sites.
func hunted(t *testing.T) *store.DB {
	t.Helper()
	db := open(t, freshConfig(t))
	events := samples(0, 300)
	for i := range events {
		e := &events[i]
		e.Robot.Firmware = fmt.Sprintf("4.%d", i%3)
		if i%10 == 0 {
			e.Envelope.Site = "plant-2"
		}
		if i%50 == 1 {
			e.Envelope.Site = ""
		}
	}
	must(t, appendTo(t.Context(), db, &incident.Entry{Batch: &event.Batch{ID: event.BatchID{Epoch: 1, Number: 1}, Events: events}}))
	return db
}

func TestPagesOfAHuntAreWithoutGapsAndRepeats(t *testing.T) {
	db := hunted(t)
	keep := func(e *event.Event) bool { return e.Robot.Firmware == "4.1" }
	for name, h := range map[string]store.Hunt{
		"columns":    {EventFilter: store.EventFilter{Matching: &event.Where{Op: event.WhereWithin, Field: event.FieldByPath("src_endpoint.ip"), Strs: []string{"10.1.0.0/25"}}, Limit: 7}},
		"expression": {EventFilter: store.EventFilter{Limit: 7}, Keep: keep},
		"forward":    {EventFilter: store.EventFilter{Limit: 100, Forward: true}},
		"exact":      {EventFilter: store.EventFilter{Limit: 300}},
	} {
		t.Run(name, func(t *testing.T) {
			whole := h
			whole.Limit = 1000
			all, err := db.Hunt(t.Context(), whole)
			must(t, err)
			var got []int64
			for pages := 0; ; pages++ {
				page, err := db.Hunt(t.Context(), h)
				must(t, err)
				got = append(got, offsets(page.Events)...)
				if h.After = page.Next; page.Next == (store.EventCursor{}) || pages > 100 {
					break
				}
			}
			if diff := cmp.Diff(offsets(all.Events), got); diff != "" || len(got) == 0 {
				t.Errorf("all pages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSitesHideTheEventsOfOthers(t *testing.T) {
	db := hunted(t)
	for name, sites := range map[string]struct {
		of   []string
		want int64
	}{"all": {nil, 300}, "one": {[]string{"plant-2"}, 36}, "none": {[]string{}, 6}} {
		tally, err := db.HuntCounts(t.Context(), store.Hunt{EventFilter: store.EventFilter{Sites: sites.of}}, 60e6)
		must(t, err)
		if tally.Total != sites.want {
			t.Errorf("%s: %d events, want %d", name, tally.Total, sites.want)
		}
	}
}

func TestGroupsAreTheSameFromColumnsAndFromEvents(t *testing.T) {
	db := hunted(t)
	for _, path := range []string{"robot.uid", "src_endpoint.ip", "is_mfa", "severity_id", "traffic.bytes_out", "class_name", "site", "user.name"} {
		if !store.Grouped(path) {
			t.Errorf("%s has no column", path)
		}
		fast, err := db.HuntGroups(t.Context(), store.Hunt{}, path, 5)
		must(t, err)
		slow, err := db.HuntGroups(t.Context(), store.Hunt{Keep: func(*event.Event) bool { return true }}, path, 5)
		must(t, err)
		slow.Since = 0
		if diff := cmp.Diff(slow, fast); diff != "" || fast.Total != 300 {
			t.Errorf("%s (-events +columns):\n%s", path, diff)
		}
	}
	firmware, err := db.HuntGroups(t.Context(), store.Hunt{}, "robot.controller_fw", 2)
	must(t, err)
	if len(firmware.Groups) != 2 || firmware.Groups[0].Value != "4.0" || firmware.Groups[0].Count != 100 || firmware.Values != 3 {
		t.Errorf("firmware: %+v", firmware)
	}
	if _, err := db.HuntGroups(t.Context(), store.Hunt{}, "id); DROP TABLE events --", 2); !errors.Is(err, store.ErrFilter) {
		t.Errorf("an unknown field gives %v", err)
	}
}

func TestAnEntitysActivityIsCountedByClass(t *testing.T) {
	db := hunted(t)
	robot := new(sample(3)).PrimaryEntity(event.EntityRobot, event.RoleNone)
	peer := new(sample(4)).PrimaryEntity(event.EntityRobot, event.RoleNone)
	got, err := db.EntityActivity(t.Context(), robot, []string{peer, "robot:nobody"}, 0, 0, 3600*1e6)
	must(t, err)
	own, peers := int64(0), int64(0)
	for _, a := range got {
		if a.Peers {
			peers += a.Count
		} else {
			own += a.Count
		}
		if a.ClassUID != event.ClassRobotState || a.Peers != (a.Start == 0) {
			t.Errorf("%+v", a)
		}
	}
	if own != 43 || peers != 43 || peer == robot {
		t.Errorf("%d events of %s, %d of %s: %+v", own, robot, peers, peer, got)
	}
}

func TestASearchForTextFindsTheSameWhateverStretchesItLooksAt(t *testing.T) {
	db := open(t, freshConfig(t))
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	if got, err := db.Hunt(t.Context(), store.Hunt{EventFilter: store.EventFilter{Text: "even", Limit: 3}}); err != nil || len(got.Events) != 0 {
		t.Errorf("an empty store gives %d events, %v", len(got.Events), err)
	}
	const day = int64(24 * 3600 * 1e6)
	events := samples(0, 120)
	for i := range events {
		e := &events[i]
		e.Time = start + r.Int64N(90*day)
		if i%10 == 0 {
			e.Time = start + 89*day // Many at once.
		}
		e.Envelope.Raw = []byte([]string{"an EVEN one", "an odd one"}[i%2])
	}
	events[7].Time = start + 4000*day
	must(t, appendTo(t.Context(), db, &incident.Entry{Batch: &event.Batch{ID: event.BatchID{Epoch: 1, Number: 1}, Events: events}}))
	for range 30 {
		f := store.EventFilter{Text: []string{"even", "odd", "an ", "none"}[r.IntN(4)], Limit: 1 + r.IntN(40)}
		if r.IntN(2) == 0 {
			f.From = start + r.Int64N(90*day)
		}
		if r.IntN(2) == 0 {
			f.To = start + r.Int64N(95*day)
		}
		whole := f
		whole.Limit = 0
		want := offsets(collect(t, db.Events(t.Context(), whole)))
		var got []int64
		for pages := 0; ; pages++ {
			page, err := db.Hunt(t.Context(), store.Hunt{EventFilter: f})
			must(t, err)
			if len(page.Events) > f.Limit || pages > 200 {
				t.Fatalf("seed %d: a page of %d events, limit %d, page %d", seed, len(page.Events), f.Limit, pages)
			}
			got = append(got, offsets(page.Events)...)
			if f.After = page.Next; page.Next == (store.EventCursor{}) {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: %+v (-all +pages):\n%s", seed, f, diff)
		}
	}
}

func TestTheNewestEventsOfAnEntityAreTheFirstOfAllOfThem(t *testing.T) {
	db := open(t, freshConfig(t))
	events := samples(0, 300)
	for i := range events {
		events[i].Time = start + int64(i/40)*1e6 // Many at once.
	}
	must(t, appendTo(t.Context(), db, &incident.Entry{Batch: &event.Batch{ID: event.BatchID{Epoch: 1, Number: 1}, Events: events}}))
	must(t, appendTo(t.Context(), db, &incident.Entry{Batch: &event.Batch{ID: event.BatchID{Epoch: 1, Number: 2}, Events: events[:200]}})) // Came twice.
	robot := events[3].PrimaryEntity(event.EntityRobot, event.RoleNone)
	all := offsets(collect(t, db.Events(t.Context(), store.EventFilter{Entity: robot})))
	for _, n := range []int{1, 5, 17, 43, 100} {
		if diff := cmp.Diff(all[:min(n, len(all))], offsets(collect(t, db.Events(t.Context(), store.EventFilter{Entity: robot, Limit: n})))); diff != "" {
			t.Errorf("the newest %d (-of all +got):\n%s", n, diff)
		}
	}
}

func TestNoTextOfASearchBecomesPartOfAStatement(t *testing.T) {
	db := hunted(t)
	for _, word := range huntWords[1:] {
		path := event.FieldByPath("user.name")
		for name, f := range map[string]store.EventFilter{
			"text": {Text: word}, "entity": {Entity: word}, "site": {Sites: []string{word}}, "value": {Matching: &event.Where{Op: event.WhereEqual, Field: path, Strs: []string{word, "x"}}},
			"part": {Matching: &event.Where{Op: event.WhereContains, Field: path, Strs: []string{word}}}, "not": {Matching: &event.Where{Op: event.WhereNot, Of: []*event.Where{{Op: event.WhereEqual, Field: path, Strs: []string{word}}}}},
		} {
			f.Limit = 1000
			page, err := db.Hunt(t.Context(), store.Hunt{EventFilter: f})
			if err != nil {
				t.Errorf("%s %q: %v", name, word, err)
			}
			want := map[string]int{"not": 300, "site": 6, "part": map[string]int{"a": 300}[word], "text": len(page.Events)}[name]
			if len(page.Events) != want {
				t.Errorf("%s %q: %d events, want %d", name, word, len(page.Events), want)
			}
		}
	}
}

func TestASearchThatIsGivenUpEnds(t *testing.T) {
	db := hunted(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.HuntCounts(ctx, store.Hunt{}, 60e6); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
