package event_test

import (
	"math/rand/v2"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
)

func TestAPartOfAnEventSaysOfItsFieldsWhatTheWholeSays(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	var scratch []byte
	fields := event.Fields()
	for range 20 {
		b := event.Append(nil, fill(r))
		var whole event.Event
		if err := event.Decode(b, &whole); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for i := range fields {
			f, g := &fields[i], &fields[r.IntN(len(fields))]
			part := event.PartOf(f, g)
			var got event.Event
			var err error
			if scratch, err = event.DecodePart(b, &got, &part, scratch); err != nil {
				t.Fatalf("seed %d: %s: %v", seed, f.Path, err)
			}
			for _, f := range []*event.Field{f, g} {
				if got, want := f.Text(&got), f.Text(&whole); got != want {
					t.Errorf("seed %d: %s is %q in the part, %q in the whole", seed, f.Path, got, want)
				}
			}
			if got.Time != whole.Time || got.ClassKey() != whole.ClassKey() {
				t.Errorf("seed %d: the part for %s lacks time or class", seed, f.Path)
			}
		}
	}
}

func TestAPartLeavesOutWhatItsFieldsDoNotNeed(t *testing.T) {
	e := event.Event{ClassUID: event.ClassRobotState, Robot: &event.Robot{Firmware: "4.2"}, Message: "hello"}
	e.User.Name = "ann"
	part := event.PartOf(event.FieldByPath("robot.controller_fw"))
	var got event.Event
	if _, err := event.DecodePart(event.Append(nil, &e), &got, &part, nil); err != nil || got.Robot == nil || got.Robot.Firmware != "4.2" || got.User.Name != "" || got.Message != "" {
		t.Errorf("the part is %+v, %v", got, err)
	}
}

func FuzzDecodePartTakesWhatDecodeTakes(f *testing.F) {
	f.Add(event.Append(nil, fill(rand.New(rand.NewPCG(1, 1)))))
	part := event.PartOf(event.FieldByPath("robot.controller_fw"), event.FieldByPath("user.name"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var whole, e event.Event
		_, err := event.DecodePart(b, &e, &part, nil)
		if event.Decode(b, &whole) != nil {
			return
		}
		if err != nil || e.User.Name != whole.User.Name {
			t.Errorf("the part has %q and %v, the whole %q", e.User.Name, err, whole.User.Name)
		}
	})
}
