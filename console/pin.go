package console

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// readPin reads which event is to be pinned to the summary, or taken out of it.
func readPin(a *incident.Action, form url.Values, _ *incident.Incident, _ int64) error {
	id, err := event.ParseID(event.EventPrefix, form.Get("event"))
	if err != nil {
		return fmt.Errorf("the event to pin: %w", err)
	}
	a.Pin = &incident.Pin{Event: id}
	return nil
}

// toPin gives an event that is to be pinned its time and what it says, so that both are there when the event itself has been deleted: as the
// incident's own timeline tells it, or else as the store does, for those who may see it.
func (s *server) toPin(ctx context.Context, a *incident.Action, in *incident.Incident) error {
	if a.Kind != incident.ActionPin || a.Pin == nil || in == nil {
		return nil
	}
	tell := func(at int64, text string) {
		a.Pin.Time, a.Pin.Text = at, clip(incident.MaxPinText-1, strings.ToValidUTF8(text, "\uFFFD"))
	}
	timeline := triage.Timeline(in)
	if i := slices.IndexFunc(timeline, func(m incident.Moment) bool { return m.Event == a.Pin.Event }); i >= 0 {
		tell(timeline[i].At, timeline[i].Text)
		return nil
	}
	e, err := s.set.Reader.Event(ctx, a.Pin.Event)
	if err != nil {
		return err
	}
	if site := e.Envelope.Site; site != "" && !access.From(ctx).Sees([]string{site}) {
		return fmt.Errorf("%w: event %s", ErrNotFound, a.Pin.Event)
	}
	tell(e.Time, e.Summary())
	return nil
}

// isPinned reports whether an event stands in the summary of an incident.
func isPinned(in *incident.Incident, id event.ID) bool {
	return slices.ContainsFunc(in.Pins, func(p incident.Pin) bool { return p.Event == id })
}
