package app

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
)

func TestCountersOfSourcesSlideOverFiveMinutes(t *testing.T) {
	h := newHealthBoard()
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	send := func(at time.Time, source string, events, rejects int, delay time.Duration) {
		b := &event.Batch{}
		for range events {
			var e event.Event
			e.Envelope.Position.Source, e.Envelope.Received, e.Time = source, at.UnixMicro(), at.Add(-delay).UnixMicro()
			b.Events = append(b.Events, e)
		}
		for range rejects {
			b.Rejects = append(b.Rejects, event.Reject{Position: event.Position{Source: source}})
		}
		h.count(b, at)
	}
	for i := range 20 {
		send(start.Add(time.Duration(i)*30*time.Second), "okta", 60, 1, time.Duration(20-i)*time.Second)
	}
	now := start.Add(19 * 30 * time.Second)
	want := console.SourceHealth{
		Name: "okta", Rate: 2, LateEvents: 600, LateRejects: 10, Events: 1200, Rejects: 20, Seen: now.UnixMicro(), Newest: now.Add(-time.Second).UnixMicro(), Timed: true, Lag: 1e6, Skew: -1e6,
	}
	if diff := cmp.Diff(want, h.counts["okta"].tell("okta", now)); diff != "" {
		t.Errorf("after ten minutes (-want +got):\n%s", diff)
	}
	send(now, "plc", 1, 0, -90*time.Second)
	if got := h.counts["plc"].tell("plc", now); got.Skew != 90e6 || got.Rate != 0 {
		t.Errorf("a clock ahead: %+v", got)
	}
	later := h.counts["okta"].tell("okta", now.Add(time.Hour))
	if later.Rate != 0 || later.Timed || later.Events != 1200 || later.Seen != now.UnixMicro() {
		t.Errorf("an hour later: %+v", later)
	}
}
