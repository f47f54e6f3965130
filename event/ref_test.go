package event_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
)

// robotReports is an event as every robot sends by the second.
func robotReports() *event.Event {
	e := &event.Event{ClassUID: event.ClassRobotState, ActivityID: 9, Activity: "Report", Time: 5, Robot: &event.Robot{UID: "acme/b1200-0001", Serial: "B1200-0001", IP: "10.20.100.2", ModeID: 1}}
	e.Envelope.Position = event.Position{Source: "vda5050", Partition: 1, Offset: 255}
	e.Envelope.Format, e.Envelope.Site = "vda5050", "werk-1"
	e.FindEntities()
	return e
}

func TestRefIsThreeObjects(t *testing.T) {
	e := robotReports()
	if n := testing.AllocsPerRun(100, func() { event.RefOf(e) }); n > 3 {
		t.Errorf("a ref is %v objects: it lives for hours beside many others", n)
	}
}

func TestRefHasEveryTextOfItsEvent(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	for range 500 {
		e := fill(r)
		e.Entities = nil
		e.FindEntities()
		if n := len(e.Entities); n > 1 { // As enrichment leaves them: ids that several share, and ids that say nothing of the key.
			e.Entities[r.IntN(n)].ID = "robot:amr-7"
			e.Entities[r.IntN(n)].ID = e.Entities[r.IntN(n)].ID
			e.Entities[r.IntN(n)].ID = ""
		}
		x := event.RefOf(e)
		p := e.Envelope.Position
		if x.Summary != e.Summary() || x.ActivityName != e.Activity || x.Source != p.Source || x.Format != e.Envelope.Format || x.Site != e.Envelope.Site ||
			!strings.HasPrefix(x.Sequence, p.Source+"\x1f") || strings.Count(x.Sequence[len(p.Source):], "\x1f") != 2 {
			t.Fatalf("seed %d: %+v", seed, x)
		}
		if d := cmp.Diff(e.Entities, x.Entities); d != "" && len(e.Entities) > 0 {
			t.Fatalf("seed %d: %s", seed, d)
		}
	}
}

func BenchmarkRefOf(b *testing.B) {
	e := robotReports()
	b.ReportAllocs()
	for b.Loop() {
		event.RefOf(e)
	}
}
