package console

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// sited is a Reader that shows each person what belongs to their sites, and to none. What they may not see is not there for them.
type sited struct{ Reader }

// Incidents implements Reader.
func (s sited) Incidents(ctx context.Context, ids []event.ID) ([]*incident.Incident, error) {
	who := access.From(ctx)
	list, err := s.Reader.Incidents(ctx, ids)
	return slices.DeleteFunc(list, func(in *incident.Incident) bool { return !who.Sees(in.Sites) }), err
}

// Incident implements Reader.
func (s sited) Incident(ctx context.Context, id event.ID) (*incident.Incident, error) {
	in, err := s.Reader.Incident(ctx, id)
	if err == nil && !access.From(ctx).Sees(in.Sites) {
		return nil, ErrNotFound
	}
	return in, err
}

// Event implements Reader.
func (s sited) Event(ctx context.Context, id event.ID) (*event.Event, error) {
	e, err := s.Reader.Event(ctx, id)
	if err == nil && !access.From(ctx).Sees(sitesOf(e)) {
		return nil, ErrNotFound
	}
	return e, err
}

func sitesOf(e *event.Event) []string {
	if e.Envelope.Site == "" {
		return nil
	}
	return []string{e.Envelope.Site}
}

// Rejects implements Reader. What could not be read has no site.
func (s sited) Rejects(ctx context.Context, limit int) ([]event.Reject, error) {
	if !access.From(ctx).Everywhere() {
		return nil, nil
	}
	return s.Reader.Rejects(ctx, limit)
}

// siteAnalyst carries out acts on what the person sees, in the name of who is signed in.
type siteAnalyst struct {
	read Reader
	Analyst
}

// Act implements Analyst.
func (s siteAnalyst) Act(ctx context.Context, a incident.Action) ([]incident.Change, error) {
	who := access.From(ctx)
	if who.Via != "" && who.Via != "loopback" && !strings.HasSuffix(a.By, behalf(who)) {
		a.By = who.Name
	}
	if who.Origin != "" {
		a.Origin = who.Origin
	}
	if !who.Everywhere() {
		for _, id := range []event.ID{a.Incident, a.Into} {
			if id.IsZero() {
				continue
			}
			in, err := s.read.Incident(ctx, id)
			if err != nil {
				return nil, err
			}
			if !who.Sees(in.Sites) {
				return nil, fmt.Errorf("%w: %s", ErrNotFound, event.FormatID(event.IncidentPrefix, id))
			}
		}
	}
	return s.Analyst.Act(ctx, a)
}
