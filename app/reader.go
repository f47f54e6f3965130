package app

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/triage"
)

// reader is the store as console, feed and desk read it.
type reader struct{ db *store.DB }

func collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var out []T
	for x, err := range seq {
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// Incidents implements console.Reader.
func (r reader) Incidents(ctx context.Context, ids []event.ID) ([]*incident.Incident, error) {
	list, err := collect(r.db.IncidentsOf(ctx, ids))
	at := map[event.ID]int{}
	for i, id := range ids {
		at[id] = i
	}
	slices.SortFunc(list, func(a, b *incident.Incident) int { return at[a.ID] - at[b.ID] })
	return list, err
}

// Incident implements console.Reader.
func (r reader) Incident(ctx context.Context, id event.ID) (*incident.Incident, error) {
	in, found, err := r.db.Incident(ctx, id, 0)
	if err == nil && !found {
		err = fmt.Errorf("%w: there is no incident %s", console.ErrNotFound, event.FormatID(event.IncidentPrefix, id))
	}
	return in, err
}

// Event implements console.Reader.
func (r reader) Event(ctx context.Context, id event.ID) (*event.Event, error) {
	e, found, err := r.db.Event(ctx, id)
	if err == nil && !found {
		err = fmt.Errorf("%w: there is no event %s; it may be past its retention", console.ErrNotFound, id)
	}
	return e, err
}

// Rejects implements console.Reader.
func (r reader) Rejects(ctx context.Context, limit int) ([]event.Reject, error) {
	return collect(r.db.Rejects(ctx, store.RejectFilter{Limit: limit}))
}

// RejectsOf lists the latest rejects of one source.
func (r reader) RejectsOf(ctx context.Context, source string, limit int) ([]event.Reject, error) {
	return collect(r.db.Rejects(ctx, store.RejectFilter{Source: source, Limit: limit}))
}

// Changes implements triage.Reader.
func (r reader) Changes(ctx context.Context, after triage.Sequence, limit int) ([]incident.Change, error) {
	return collect(r.db.Changes(ctx, store.ChangeCursor{Batch: after.Batch, Index: after.Index}, limit))
}

// Raw implements triage.RawText.
func (r reader) Raw(ctx context.Context, ids []event.ID) (map[event.ID]string, error) {
	out := map[event.ID]string{}
	for _, id := range ids {
		e, found, err := r.db.Event(ctx, id)
		if err != nil {
			return nil, err
		}
		if found {
			out[id] = string(e.Envelope.Raw)
		}
	}
	return out, nil
}

// Around implements console.Surroundings.
func (r reader) Around(ctx context.Context, entities []string, from, to int64, sites []string, limit int) ([]*event.Event, bool, error) {
	if to-from > store.MaxAroundSpan {
		return nil, false, fmt.Errorf("the incident spans %d days; widen around one of its events", (to-from)/(24*3600*1_000_000))
	}
	return r.db.Around(ctx, store.AroundFilter{Entities: entities, From: from, To: to, Sites: sites, Limit: limit})
}

// Events implements console.Surroundings.
func (r reader) Events(ctx context.Context, ids []event.ID) ([]*event.Event, error) {
	return r.db.Pick(ctx, ids)
}

// History implements console.History.
func (r reader) History(ctx context.Context, id event.ID, after int32) ([]incident.Change, error) {
	return r.db.History(ctx, id, after)
}

// Deliveries implements console.Deliveries.
func (r reader) Deliveries(ctx context.Context, id event.ID, limit int) ([]incident.Delivery, error) {
	return collect(r.db.Deliveries(ctx, store.DeliveryFilter{Incident: id, Limit: limit}))
}
