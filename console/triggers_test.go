package console_test

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

func TestTheChangesOfferedAsTheTriggerAreTheLikeliestFirst(t *testing.T) {
	note := func(minutes int64, what string) event.Note {
		return event.Note{Entity: "robot:amr-0017", What: what, Prev: "a", Value: "b", Ref: &event.Ref{Event: event.NewID(what), Time: night + minutes*minute, Summary: what}}
	}
	for name, c := range map[string]struct {
		changed []event.Note
		want    []string
	}{
		"the last one before the first evidence":  {[]event.Note{note(1, "firmware"), note(5, "program"), note(12, "map")}, []string{"program", "firmware"}},
		"during it, the earliest that is no mode": {[]event.Note{note(11, "mode"), note(12, "program"), note(13, "firmware")}, []string{"program", "firmware", "mode"}},
		"nothing is known":                        {nil, nil},
	} {
		p := newPlant()
		in := *routine()[0]
		in.Status, in.First, in.Last, in.Changed, in.Said = incident.Open, night+10*minute, night+20*minute, c.changed, incident.Said{}
		p.fixed = []*incident.Incident{&in}
		body := get(p.handler(t), "/incidents/"+id(&in)).Body.String()
		called := map[string]string{}
		for _, n := range c.changed {
			called[n.Ref.Event.String()] = n.What
		}
		var got []string
		for _, m := range regexp.MustCompile(`<button name="trigger_event" value="([^"]+)"`).FindAllStringSubmatch(body, -1) {
			got = append(got, called[m[1]])
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
