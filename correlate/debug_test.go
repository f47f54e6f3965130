package correlate_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

func TestDebug(t *testing.T) {
	seed, _ := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	if seed == 0 {
		t.Skip()
	}
	all := lawfulSet(t)
	r := rand.New(rand.NewPCG(seed, 5))
	events := randomEvents(r, 40+r.IntN(200))
	var arr [][][]event.Event
	for range 4 {
		arr = append(arr, arrival(r, events, 180_000_000))
		r.IntN(3)
	}
	for _, one := range all {
		set := &rules.Set{Rules: all}
		ref, _ := runBatches(t, set, [][]event.Event{events}, 1, nil)
		for k, batches := range arr {
			got, _ := runBatches(t, set, batches, 1, nil)
			if d := cmp.Diff(outcome(ref), outcome(got)); d != "" {
				// shrink
				for changed := true; changed; {
					changed = false
					for i := range events {
						var ev []event.Event
						drop := events[i].Envelope.ID
						for _, e := range events {
							if e.Envelope.ID != drop {
								ev = append(ev, e)
							}
						}
						var bs [][]event.Event
						for _, b := range batches {
							var nb []event.Event
							for _, e := range b {
								if e.Envelope.ID != drop {
									nb = append(nb, e)
								}
							}
							bs = append(bs, nb)
						}
						// keep marks the same by not worrying
						a, _ := runBatches(t, set, [][]event.Event{ev}, 1, nil)
						b, st := runBatches(t, set, bs, 1, nil)
						if st.Rules[0].Late == 0 && cmp.Diff(outcome(a), outcome(b)) != "" {
							events, batches, changed = ev, bs, true
							break
						}
					}
				}
				fmt.Println(one.ID, "arrival", k)
				a, _ := runBatches(t, set, [][]event.Event{events}, 1, nil)
				b, _ := runBatches(t, set, batches, 1, nil)
				fmt.Println(cmp.Diff(outcome(a), outcome(b)))
				for _, f := range a {
					fmt.Println("ref:", f.Revision, f.State, line(f))
				}
				for _, f := range b {
					fmt.Println("got:", f.Revision, f.State, line(f))
				}
				for i, b := range batches {
					for _, e := range b {
						rob := ""
						if e.Robot != nil {
							rob = e.Robot.UID
						}
						fmt.Println("batch", i, at(e.Time), e.API.Operation, rob, e.Actor.User.UID, e.API.Service, e.Count, e.Envelope.Position.Source, e.Envelope.Position.Offset)
					}
				}
				return
			}
		}
	}
}
