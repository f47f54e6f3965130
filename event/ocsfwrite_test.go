package event_test

import (
	"math/rand/v2"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/event/ocsf"
)

// sensible sets random fields of e with values of the right shape, each with the given chance in 100.
func sensible(r *rand.Rand, e *event.Event, chance int) {
	for _, f := range event.Fields() {
		if f.Set == nil || f.Flags&event.IsCaption != 0 || r.IntN(100) >= chance {
			continue
		}
		switch f.Path {
		case "class_uid", "activity_id", "activity_name", "severity_id", "time":
			continue
		}
		v := event.Value{Str: "x-" + f.Attr, Num: 1, Flt: float64(r.IntN(3)), Tri: event.Bool(1 + r.IntN(2)), Lst: []string{"a", "b"}}
		switch f.Attr {
		case "ip":
			v.Str = "10.1.2.3"
		case "mac":
			v.Str = "02:00:00:00:00:01"
		case "email_addr":
			v.Str = "ana@example.com"
		case "hostname":
			v.Str = "host-1.example.com"
		}
		f.Set(e, v)
	}
}

func TestEveryEventOfEveryClassIsValidOCSF(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	var v ocsf.Validator
	for _, c := range ocsf.Classes() {
		if !event.Modelled(c.UID) {
			continue
		}
		for _, chance := range []int{0, 3, 30, 100} {
			for range 6 {
				e := &event.Event{ClassUID: c.UID, ActivityID: uint16(c.Activities[r.IntN(len(c.Activities))].ID), Time: 1795230123456789, SeverityID: uint8(r.IntN(7))}
				e.Envelope.ID = event.NewID("x")
				sensible(r, e, chance)
				e.SetRaw([]event.RawField{{Name: "EventID", Value: "1"}, {Name: "a.b \xff", Value: "\x00"}})
				e.FindEntities()
				doc := event.AppendOCSF(nil, e, true)
				for _, p := range v.Validate(doc) {
					if p.Severity == ocsf.Error {
						t.Fatalf("seed %d, class %s, chance %d: %s\n%s", seed, c.Name, chance, p, doc)
					}
				}
			}
		}
	}
}
