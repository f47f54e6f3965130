package correlate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// TestKeysOfEntitiesThatAreOtherEndsOfTheirIDsComeBack is about hits whose entities differ from those before them in how much of an id is its key.
func TestKeysOfEntitiesThatAreOtherEndsOfTheirIDsComeBack(t *testing.T) {
	set := &rules.Set{Rules: []*rules.Rule{ruleOf(t, openSequence)}}
	e := correlate.New(set, correlate.Settings{}.AllMayRest())
	match := correlate.New(set, correlate.Settings{})
	hit := func(at int64, operation, robot string) event.Hit {
		x := event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: start + at}
		x.API, x.Robot = &event.API{Operation: operation}, &event.Robot{UID: robot}
		x.Actor.User.UID = "operator"
		x.Envelope.Position, x.Envelope.Format = event.Position{Source: "fleet", Offset: at}, "ros2"
		x.Envelope.ID = event.NewID("ends", operation, robot)
		x.FindEntities()
		b := event.Batch{Events: []event.Event{x}}
		b.Sort()
		return match.Hits(&b)[0]
	}
	e.Fold([]event.Hit{hit(1, "A", "amr/b1200-0001")}, nil) // What others are compared with.
	for i, change := range []func(list []event.EntityRef){
		func([]event.EntityRef) {},
		func(list []event.EntityRef) { list[0].Key = list[0].ID[len(list[0].ID)-3:] },
		func(list []event.EntityRef) { list[1].Key = list[1].ID[len(list[1].ID)-3:] },
		func(list []event.EntityRef) { list[1].Key = list[1].ID },
		func(list []event.EntityRef) { list[1].Key = "" },
		func(list []event.EntityRef) { list[1].Key = "another" },
		func(list []event.EntityRef) { list[1].ID, list[1].Key = "robot:amr", "amr" },
	} {
		robot := "amr/b1200-100" + string(rune('0'+i))
		first, last := hit(int64(10*i+10), "A", robot), hit(int64(10*i+11), "B", robot)
		change(first.Ref.Entities)
		want := *first.Ref
		e.Fold([]event.Hit{first}, nil)
		if n := e.Resting(); n == 0 {
			t.Fatal("no key rests: the test is void")
		}
		found := e.Fold([]event.Hit{last}, nil)
		if len(found) != 1 || len(found[0].Evidence) != 2 {
			t.Fatalf("%d: %+v", i, found)
		}
		if d := cmp.Diff(&want, found[0].Evidence[0].Event); d != "" {
			t.Errorf("%d: the first event came back as another (-want +got):\n%s", i, d)
		}
	}
}
