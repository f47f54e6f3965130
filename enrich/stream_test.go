package enrich_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/enrich"
	"github.com/tocsin-siem/tocsin/event"
)

// traffic makes a random day of the plant.
func traffic(r *rand.Rand, n int) []event.Event {
	macs := []string{marcs, stranger, "00:00:5e:00:53:81", "00:00:5e:00:53:83", "00:00:5e:00:53:f1"}
	users := []string{"mdupont", "asilva", "jweber", "nobody", "admin"}
	ips := []string{"10.10.1.1", "10.10.1.2", "10.20.9.1", "10.20.3.7", "203.0.113.10", "10.50.1.1"}
	pick := func(s []string) string { return s[r.IntN(len(s))] }
	events := make([]event.Event, 0, n)
	when := start
	for range n {
		when += r.Int64N(20 * minute)
		t := when - r.Int64N(30)*minute*r.Int64N(2) // half of them late
		switch r.IntN(6) {
		case 0:
			e := lease(t, pick(ips), pick(macs), int32(r.IntN(7200)))
			if r.IntN(4) == 0 {
				e.ActivityID = 7
			}
			events = append(events, e)
		case 1:
			events = append(events, admitted(t, pick(ips), pick(macs), pick(users), fmt.Sprintf("s%d", r.IntN(9)), uint16(1+r.IntN(2)), 1))
		case 2:
			events = append(events, checkIn(t, fmt.Sprintf("edr-%d", r.IntN(4)), pick(ips), pick(macs), pick(users)+"@plant.example"))
		default:
			events = append(events, conn(t, pick(ips), pick(ips)))
		}
	}
	return events
}

// outcome is everything a run leaves: entities and fields of every event, changes of every batch, and the state.
func outcome(x *enrich.Enricher, events []event.Event, cut int, restart func(*enrich.Enricher) *enrich.Enricher) string {
	var out bytes.Buffer
	for n := 0; len(events) > 0; n++ {
		batch := events[:min(50, len(events))]
		events = events[len(batch):]
		if n == cut {
			x = restart(x)
		}
		x.Enrich(batch, nil)
		for i := range batch {
			out.Write(event.Append(nil, &batch[i]))
			fmt.Fprintln(&out, refs(&batch[i]))
		}
		fmt.Fprintln(&out, x.Bindings().Changes())
	}
	out.Write(x.Bindings().AppendState(nil))
	return out.String()
}

func TestASnapshotInMidStreamChangesNothing(t *testing.T) {
	seed := rand.Uint64()
	tables := plant(t)
	small := enrich.DefaultConfig().Bindings
	small.Max = 120 // so that sweeps happen too
	fresh := func() *enrich.Enricher {
		return enrich.New(func() *enrich.Tables { return tables }, nil, enrich.NewBindings(small))
	}
	for n := range uint64(20) {
		events := func() []event.Event { return traffic(rand.New(rand.NewPCG(seed, n)), 1000) }
		straight := outcome(fresh(), events(), -1, nil)
		if again := outcome(fresh(), events(), -1, nil); again != straight {
			t.Fatalf("seed %d/%d: the same input gave other bytes", seed, n)
		}
		broken := outcome(fresh(), events(), int(n), func(x *enrich.Enricher) *enrich.Enricher {
			y := fresh()
			if err := y.Bindings().ReadState(x.Bindings().AppendState(nil)); err != nil {
				t.Fatalf("seed %d/%d: %v", seed, n, err)
			}
			return y
		})
		if broken != straight {
			t.Fatalf("seed %d/%d: a restart after %d batches changed the outcome", seed, n, n)
		}
	}
}

func TestChangesAddUpToTheBindings(t *testing.T) {
	seed := rand.Uint64()
	x := enricher(t)
	type id struct {
		relation                    enrich.Relation
		identifier, entity, session string
		from                        int64
		source                      enrich.Source
	}
	mirror := map[id]int64{}
	events := traffic(rand.New(rand.NewPCG(seed, 9)), 400)
	for batch := range slices.Chunk(events, 40) {
		if stats := x.Enrich(batch, nil); stats.Bindings.Evicted > 0 {
			t.Fatal("too much traffic for this test: what was evicted stays in the mirror")
		}
		for _, c := range x.Bindings().Changes() {
			mirror[id{c.Relation, c.Identifier, c.Entity, c.Session, c.From, c.Source}] = c.To
		}
	}
	r := rand.New(rand.NewPCG(seed, 10))
	for range 2000 {
		ip, when := []string{"10.10.1.1", "10.20.9.1", "10.50.1.1"}[r.IntN(3)], events[r.IntN(len(events))].Time
		got, source := x.Bindings().Resolve(enrich.IPToMAC, ip, when)
		var best id
		for k, to := range mirror {
			if k.relation == enrich.IPToMAC && k.identifier == ip && k.from <= when && when < to &&
				(k.source > best.source || k.source == best.source && k.from > best.from) {
				best = k
			}
		}
		if best.entity != got || best.source != source {
			t.Fatalf("seed %d: %s at %d is %q by the bindings and %q by the mirror", seed, ip, when, got, best.entity)
		}
	}
}

func TestNothingIsAllocatedWhereNothingIsKnown(t *testing.T) {
	x := enricher(t)
	run(x, lease(start, "10.10.7.7", marcs, 3600))
	batch := []event.Event{conn(start, "192.0.2.1", "10.99.1.2")}
	batch[0].Device.Hostname, batch[0].User.Name = "pc.example.org", "stranger@example.org"
	batch[0].FindEntities()
	if n := testing.AllocsPerRun(100, func() { x.Enrich(batch, nil) }); n != 0 {
		t.Errorf("%v allocations per event", n)
	}
}

func BenchmarkEnrich(b *testing.B) {
	for _, c := range []struct {
		name  string
		event func() event.Event
	}{
		{"nothing known", func() event.Event { return conn(start, "192.0.2.1", "10.99.1.2") }},
		{"both ends known", func() event.Event { return conn(start+minute, "10.10.7.7", "10.20.3.7") }},
		{"robot state", func() event.Event {
			e := event.Event{ClassUID: event.ClassRobotState, Time: start, Robot: &event.Robot{UID: "Acme/A1200-0007", IP: "10.20.3.7"}}
			e.FindEntities()
			return e
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			x := enricher(b)
			run(x, lease(start, "10.10.7.7", marcs, 3600))
			template := c.event()
			batch := make([]event.Event, 1000)
			room := make([]event.EntityRef, 8*len(batch))
			b.ReportAllocs()
			for b.Loop() {
				for i := range batch {
					batch[i] = template
					batch[i].Entities = append(room[8*i:8*i:8*i+8], template.Entities...)
				}
				x.Enrich(batch, nil)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/event")
		})
	}
}
