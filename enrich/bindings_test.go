package enrich_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/enrich"
)

const (
	second = int64(1_000_000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
	start  = int64(1_795_000_000) * second
)

func newBindings() *enrich.Bindings { return enrich.NewBindings(enrich.DefaultConfig().Bindings) }

// said is one observation of ip 10.0.0.1, at minutes after start.
type said struct {
	entity  string
	from    int64
	until   int64 // 0: the source's default age
	source  enrich.Source
	session string
	stop    bool
}

func tell(b *enrich.Bindings, all ...said) {
	for _, s := range all {
		if s.stop {
			b.Stop(enrich.IPToDevice, "10.0.0.1", s.entity, s.session, start+s.from*minute, s.source)
			continue
		}
		x := enrich.Binding{Relation: enrich.IPToDevice, Identifier: "10.0.0.1", Entity: s.entity, Session: s.session, From: start + s.from*minute, Source: s.source}
		if s.until != 0 {
			x.To = start + s.until*minute
		}
		b.Add(x)
	}
}

func who(b *enrich.Bindings, minutes int64) string {
	entity, _ := b.Resolve(enrich.IPToDevice, "10.0.0.1", start+minutes*minute)
	return entity
}

func TestIntervalsEndByLeaseStopContradictionOrAge(t *testing.T) {
	dhcp, radius, nac, mdm := enrich.SourceDHCP, enrich.SourceRADIUS, enrich.SourceNAC, enrich.SourceMDM
	for _, c := range []struct {
		name string
		said []said
		want map[int64]string // by minutes after start
	}{
		{
			"nothing holds before it was said, and the end is exclusive",
			[]said{{entity: "a", until: 60, source: dhcp}},
			map[int64]string{-1: "", 0: "a", 59: "a", 60: ""},
		},
		{"a lease without a duration lasts its default age", []said{{entity: "a", source: dhcp}}, map[int64]string{24*60 - 1: "a", 24 * 60: ""}},
		{"an admission lasts half a day", []said{{entity: "a", source: nac}}, map[int64]string{12*60 - 1: "a", 12 * 60: ""}},
		{"the address an agent reported lasts an hour", []said{{entity: "a", source: mdm}}, map[int64]string{59: "a", 60: ""}},
		{"a renewal prolongs", []said{{entity: "a", until: 60, source: dhcp}, {entity: "a", from: 30, until: 90, source: dhcp}}, map[int64]string{75: "a", 90: ""}},
		{"a shorter repetition does not shorten", []said{{entity: "a", until: 60, source: dhcp}, {entity: "a", from: 10, until: 20, source: dhcp}}, map[int64]string{30: "a"}},
		{
			"an equal source contradicts",
			[]said{{entity: "a", until: 60, source: dhcp}, {entity: "b", from: 10, until: 20, source: dhcp}},
			map[int64]string{9: "a", 10: "b", 19: "b", 20: ""},
		},
		{
			"a better source contradicts for good",
			[]said{{entity: "a", until: 60, source: dhcp}, {entity: "b", from: 10, until: 20, source: nac}},
			map[int64]string{9: "a", 15: "b", 30: ""},
		},
		{
			"a weaker source does not contradict, but speaks when the better one ends",
			[]said{{entity: "a", until: 60, source: nac}, {entity: "b", from: 10, until: 90, source: dhcp}},
			map[int64]string{15: "a", 59: "a", 60: "b", 89: "b"},
		},
		{
			"RADIUS yields to NAC and NAC to MDM",
			[]said{{entity: "a", source: radius}, {entity: "b", from: 1, source: nac}, {entity: "c", from: 2, source: mdm}},
			map[int64]string{0: "a", 1: "b", 2: "c"},
		},
		{
			"a better source that repeats itself ends what a weaker one said in between",
			[]said{{entity: "a", until: 60, source: nac}, {entity: "b", from: 10, until: 90, source: dhcp}, {entity: "a", from: 20, until: 70, source: nac}},
			map[int64]string{15: "a", 69: "a", 80: ""},
		},
		{
			"what was contradicted may be said again",
			[]said{{entity: "a", until: 60, source: dhcp}, {entity: "b", from: 10, until: 60, source: dhcp}, {entity: "a", from: 20, until: 80, source: dhcp}},
			map[int64]string{5: "a", 15: "b", 25: "a", 79: "a"},
		},
		{
			"a stop of the session ends it",
			[]said{{entity: "a", source: radius, session: "s1"}, {from: 30, entity: "a", source: radius, session: "s1", stop: true}},
			map[int64]string{29: "a", 30: ""},
		},
		{
			"a stop of another session does not: the client roamed",
			[]said{{entity: "a", source: radius, session: "s1"}, {entity: "a", from: 10, source: radius, session: "s2"}, {from: 11, entity: "a", source: radius, session: "s1", stop: true}},
			map[int64]string{12: "a", 600: "a"},
		},
		{"an accounting stop ends the admission", []said{{entity: "a", source: nac, session: "n1"}, {from: 30, entity: "a", source: radius, session: "r1", stop: true}}, map[int64]string{29: "a", 31: ""}},
		{"a DHCP release does not end an admission", []said{{entity: "a", source: nac}, {from: 30, entity: "a", source: dhcp, stop: true}}, map[int64]string{31: "a"}},
		{"a stop that names nobody ends whoever it was", []said{{entity: "a", source: dhcp}, {from: 30, source: dhcp, stop: true}}, map[int64]string{31: ""}},
		{"a stop of somebody else ends nothing", []said{{entity: "a", source: dhcp}, {from: 30, entity: "b", source: dhcp, stop: true}}, map[int64]string{31: "a"}},
		{
			"a late binding takes its place in time",
			[]said{{entity: "a", until: 90, source: dhcp}, {entity: "c", from: 60, until: 90, source: dhcp}, {entity: "b", from: 30, until: 90, source: dhcp}},
			map[int64]string{29: "a", 30: "b", 59: "b", 60: "c"},
		},
		{
			"a late contradiction divides what was repeated after it",
			[]said{{entity: "a", until: 60, source: dhcp}, {entity: "a", from: 40, until: 100, source: dhcp}, {entity: "b", from: 20, until: 100, source: dhcp}},
			map[int64]string{19: "a", 20: "b", 39: "b", 40: "a", 99: "a"},
		},
		{
			"a late stop takes its place in time",
			[]said{{entity: "a", until: 60, source: dhcp}, {entity: "a", from: 40, until: 100, source: dhcp}, {from: 20, entity: "a", source: dhcp, stop: true}},
			map[int64]string{19: "a", 20: "", 39: "", 40: "a"},
		},
		{"a stop that came before its start still counts", []said{{from: 30, entity: "a", source: dhcp, stop: true}, {entity: "a", source: dhcp}}, map[int64]string{29: "a", 30: ""}},
		{"an endless lease ends", []said{{entity: "a", until: 1 << 36, source: dhcp}}, map[int64]string{90*24*60 - 1: "a", 90 * 24 * 60: ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBindings()
			tell(b, c.said...)
			for m, want := range c.want {
				if got := who(b, m); got != want {
					t.Errorf("minute %d: %q, want %q", m, got, want)
				}
			}
		})
	}
}

// reference answers from all observations, by the definition, without keeping intervals.
func reference(all []said, minutes int64) string {
	rank := func(s said) int64 { return int64(s.source) }
	best, found := said{}, false
	for i, s := range all {
		if s.stop || s.from > minutes || minutes >= s.until {
			continue
		}
		ended := false
		for j, o := range all {
			after := o.from > s.from || o.from == s.from && j != i && (rank(o) > rank(s) || rank(o) == rank(s) && o.entity > s.entity)
			if !after || o.from > minutes || o.from >= s.until {
				continue
			}
			if o.stop && o.from > s.from && (o.entity == "" || o.entity == s.entity) && family(o.source) >= family(s.source) || !o.stop && o.entity != s.entity && o.source >= s.source {
				ended = true
			}
		}
		if !ended && (!found || rank(s) > rank(best) || rank(s) == rank(best) && s.from >= best.from) {
			best, found = s, true
		}
	}
	return best.entity
}

func family(s enrich.Source) int {
	return map[enrich.Source]int{enrich.SourceDHCP: 1, enrich.SourceRADIUS: 2, enrich.SourceNAC: 2, enrich.SourceMDM: 3}[s]
}

func TestInOrderAnswersEqualTheDefinition(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	for range 2000 {
		var all []said
		from := int64(0)
		for range 1 + r.IntN(12) {
			from += 1 + r.Int64N(8)
			s := said{entity: string('a' + rune(r.IntN(3))), from: from, until: from + 1 + r.Int64N(40), source: enrich.Source(1 + r.IntN(4)), stop: r.IntN(5) == 0}
			if s.stop {
				s.until = from
			}
			all = append(all, s)
		}
		b := newBindings()
		tell(b, all...)
		for m := range from + 50 {
			if got, want := who(b, m), reference(all, m); got != want {
				t.Fatalf("seed %d minute %d: %q, want %q\n%+v", seed, m, got, want, all)
			}
		}
	}
}

// Statements that are never repeated by the same source about the same entity carry no history to lose, so their order does not matter.
func TestOrderOfArrivalDoesNotMatterWhereNothingIsRepeated(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	for range 1000 {
		var all []said
		for n := range 1 + r.IntN(10) {
			from := r.Int64N(60)
			all = append(all, said{entity: fmt.Sprintf("e%d", n), from: from, until: from + 1 + r.Int64N(40), source: enrich.Source(1 + r.IntN(4))})
		}
		one, two := newBindings(), newBindings()
		tell(one, all...)
		shuffled := slices.Clone(all)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		tell(two, shuffled...)
		if d := cmp.Diff(one.AppendState(nil), two.AppendState(nil)); d != "" {
			t.Fatalf("seed %d: %v\nin the order %v\n%s", seed, all, shuffled, d)
		}
	}
}

func TestASnapshotOfRandomHistoriesReadsBackAndADamagedOneIsRefused(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 4))
	b := newBindings()
	for range 3000 {
		x := enrich.Binding{
			Relation: enrich.Relation(1 + r.IntN(6)), Identifier: fmt.Sprintf("id%d", r.IntN(200)), Entity: fmt.Sprintf("e%d", r.IntN(5)),
			From: start + r.Int64N(10*day), Source: enrich.Source(1 + r.IntN(4)),
		}
		if r.IntN(4) == 0 {
			b.Stop(x.Relation, x.Identifier, x.Entity, "s", x.From, x.Source)
		} else {
			b.Add(x)
		}
	}
	state := b.AppendState([]byte("before"))[len("before"):]
	again := newBindings()
	if err := again.ReadState(state); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if !bytes.Equal(again.AppendState(nil), state) || again.Len() != b.Len() {
		t.Errorf("seed %d: the snapshot of a snapshot differs", seed)
	}
	for _, n := range []int{0, 1, len(state) / 2, len(state) - 1} {
		if err := again.ReadState(state[:n]); err == nil {
			t.Errorf("seed %d: %d of %d bytes were accepted", seed, n, len(state))
		}
	}
	if err := again.ReadState(append(slices.Clone(state), 0)); err == nil {
		t.Error("a trailing byte was accepted")
	}
	if !bytes.Equal(again.AppendState(nil), state) {
		t.Error("a refused snapshot changed the bindings")
	}
}

func FuzzDamagedSnapshotsNeverPanic(f *testing.F) {
	b := newBindings()
	tell(b, said{entity: "a", source: enrich.SourceNAC}, said{entity: "b", from: 3, source: enrich.SourceMDM}, said{from: 5, source: enrich.SourceMDM, stop: true})
	f.Add(b.AppendState(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := newBindings()
		if b.ReadState(data) != nil {
			return
		}
		again := newBindings()
		if err := again.ReadState(b.AppendState(nil)); err != nil {
			t.Errorf("what was read cannot be read again: %v", err)
		}
	})
}

func TestOnlyTheOldestIntervalsLeaveWhenRoomRunsOut(t *testing.T) {
	c := enrich.DefaultConfig()
	c.Bindings.Max = 100
	x := enrich.New(emptyTables(t), nil, enrich.NewBindings(c.Bindings))
	b := x.Bindings()
	for i := range 101 {
		b.Add(enrich.Binding{Relation: enrich.IPToMAC, Identifier: fmt.Sprintf("10.0.0.%d", i), Entity: "mac:x", From: start + int64(i)*second, Source: enrich.SourceDHCP})
	}
	stats := x.Enrich(nil, nil)
	if b.Len() != 88 || stats.Bindings.Evicted != 13 || stats.Bindings.Expired != 0 {
		t.Errorf("%d left, %d evicted, %d expired; want 88, 13, 0", b.Len(), stats.Bindings.Evicted, stats.Bindings.Expired)
	}
	for i, want := range map[int]string{0: "", 12: "", 13: "mac:x", 100: "mac:x"} {
		if got, _ := b.Resolve(enrich.IPToMAC, fmt.Sprintf("10.0.0.%d", i), start+3*minute); got != want {
			t.Errorf("10.0.0.%d is %q, want %q", i, got, want)
		}
	}
	for i := range 60 {
		b.Add(enrich.Binding{Relation: enrich.IPToMAC, Identifier: fmt.Sprintf("10.1.0.%d", i), Entity: "mac:x", From: start + 30*day, Source: enrich.SourceDHCP})
	}
	if stats = x.Enrich(nil, nil); stats.Bindings.Expired != 88 || stats.Bindings.Evicted != 0 || b.Len() != 60 {
		t.Errorf("%d left, %d evicted, %d expired; want 60, 0, 88", b.Len(), stats.Bindings.Evicted, stats.Bindings.Expired)
	}
}

func TestOneIdentifierCannotFillTheState(t *testing.T) {
	x := enrich.New(emptyTables(t), nil, newBindings())
	for i := range int64(1000) {
		x.Bindings().Add(enrich.Binding{Relation: enrich.IPToMAC, Identifier: "10.0.0.1", Entity: fmt.Sprintf("mac:%d", i%2), From: start + i*second, Source: enrich.SourceDHCP})
	}
	stats := x.Enrich(nil, nil)
	if n := x.Bindings().Len(); n != 64 || stats.Bindings.Evicted != 1000-64 {
		t.Errorf("%d intervals, %d evicted", n, stats.Bindings.Evicted)
	}
	x.Bindings().Add(enrich.Binding{Relation: enrich.IPToMAC, Identifier: string(make([]byte, 300)), Entity: "mac:x", From: start, Source: enrich.SourceDHCP})
	x.Bindings().Add(enrich.Binding{Relation: enrich.IPToMAC, Identifier: "10.0.0.2", Entity: "mac:x", From: 1 << 62, Source: enrich.SourceDHCP})
	if stats = x.Enrich(nil, nil); stats.Bindings.Refused != 2 {
		t.Errorf("%d refused, want 2", stats.Bindings.Refused)
	}
}

func TestChangesListNewIntervalsAndEndsThatMoved(t *testing.T) {
	x := enrich.New(emptyTables(t), nil, newBindings())
	row := func(entity string, from, to int64) enrich.Binding {
		return enrich.Binding{Relation: enrich.IPToDevice, Identifier: "10.0.0.1", Entity: entity, From: start + from*minute, To: start + to*minute, Source: enrich.SourceDHCP, Confidence: 50}
	}
	for i, c := range []struct {
		said []said
		want []enrich.Binding
	}{
		{[]said{{entity: "a", until: 60, source: enrich.SourceDHCP}}, []enrich.Binding{row("a", 0, 60)}},
		{nil, nil},
		{[]said{{entity: "a", from: 5, until: 30, source: enrich.SourceDHCP}}, nil},
		{[]said{{entity: "b", from: 20, until: 80, source: enrich.SourceDHCP}}, []enrich.Binding{row("a", 0, 20), row("b", 20, 80)}},
		{[]said{{entity: "b", from: 40, source: enrich.SourceDHCP, stop: true}}, []enrich.Binding{row("b", 20, 40)}},
	} {
		tell(x.Bindings(), c.said...)
		x.Enrich(nil, nil)
		if d := cmp.Diff(c.want, append([]enrich.Binding(nil), x.Bindings().Changes()...)); d != "" {
			t.Errorf("batch %d: %s", i, d)
		}
	}
}

func emptyTables(t testing.TB) func() *enrich.Tables {
	t.Helper()
	tables, problems := enrich.Load(&enrich.Config{Refresh: time.Minute}, files{}.read)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return func() *enrich.Tables { return tables }
}
