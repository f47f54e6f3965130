package app_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/board"
)

// chronicle is a store that says what a test puts into it.
type chronicle struct {
	told   []store.Told
	worked []store.Worked
	since  []int64
	err    error
}

func (c *chronicle) Told(_ context.Context, since int64) ([]store.Told, error) {
	c.since = append(c.since, since)
	return c.told, c.err
}

func (c *chronicle) Worked(context.Context, int64) ([]store.Worked, error) { return c.worked, c.err }

func TestMeasuresKnowWhoWasToldAndWhoWorked(t *testing.T) {
	const opened = 1_800_000_000_000_000
	b := board.New(board.Settings{Now: func() int64 { return opened }})
	ids := []event.ID{event.NewID("a"), event.NewID("b"), event.NewID("c")}
	var cards []*board.Card
	for _, id := range ids {
		b.Publish([]incident.Change{{Kind: incident.ChangeOpened, Incident: &incident.Incident{ID: id, Revision: 1, Opened: opened, Updated: opened}}})
		cards = append(cards, b.Get(id))
	}
	c := &chronicle{told: []store.Told{{Incident: ids[0], At: opened + 5e6}, {Incident: ids[1]}}, worked: []store.Worked{{Incident: ids[0], Actor: "user:ana", Hour: 3600}}}
	var came []triage.Stage
	f := app.NewFacts(c, b, func() int64 { return opened + 3600e6 }, map[event.ID]bool{ids[2]: true}, func(s triage.Stage) { came = append(came, s) })
	must(t, f.Refresh(t.Context()))
	if len(came) > 0 {
		t.Errorf("what was so at the start is told as new: %v", came)
	}
	c.err = errors.New("gone")
	if err := f.Refresh(t.Context()); err == nil {
		t.Error("a store that is gone is no error")
	}
	c.err, c.told = nil, []store.Told{{Incident: ids[0], At: opened + 9e6}, {Incident: ids[1], At: opened + 7e6}}
	c.worked = append(c.worked, store.Worked{Incident: ids[0], Actor: "user:ben", Hour: 3600})
	must(t, f.Refresh(t.Context()))
	must(t, f.Refresh(t.Context()))
	if diff := cmp.Diff([]triage.Stage{{Name: "notify", Seconds: 7}}, came); diff != "" {
		t.Errorf("first deliveries (-want +got):\n%s", diff)
	}
	got := f.Measured(cards)
	if got[0].Notified != opened+5e6 || got[1].Notified != opened+7e6 || got[2].Notified != 0 || !got[0].Owed || !got[1].Owed || !got[2].Owed {
		t.Errorf("told: %+v", got)
	}
	if diff := cmp.Diff([]triage.WorkHour{{By: "user:ana", Hour: 3600}, {By: "user:ben", Hour: 3600}}, got[0].Hours); diff != "" {
		t.Errorf("hours (-want +got):\n%s", diff)
	}
	again := opened + 3600e6 - (10 * time.Minute).Microseconds()
	if diff := cmp.Diff([]int64{0, again, again, again}, c.since); diff != "" {
		t.Errorf("asked since (-want +got):\n%s", diff)
	}
}
