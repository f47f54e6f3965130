package triage

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/adapter"
)

const (
	stormWindow   = time.Minute
	maxDigestRows = 40 // incidents that a digest names
)

// storm is what an endpoint with a digest knows of the openings of the present minute.
type storm struct {
	window time.Time           // when the minute began
	opened int                 // openings told one by one in it
	over   bool                // there were more: they go into a digest when it ends
	frozen []incident.Delivery // a digest that has not arrived; it stays the same until it has
	tries  int                 // of it
	next   time.Time           // when it may be tried again
}

// calm parts what is due: one by one, and what becomes one digest. Openings beyond the configured number wait for the end of the minute.
func (e *endpoint) calm(due []incident.Delivery, now time.Time) (single, digest []incident.Delivery) {
	s := &e.storm
	if e.to.Digest.Openings == 0 {
		return due, nil
	}
	if s.frozen != nil {
		due = slices.DeleteFunc(due, func(d incident.Delivery) bool {
			return slices.ContainsFunc(s.frozen, func(f incident.Delivery) bool { return f.ID == d.ID })
		})
	}
	ended := now.Sub(s.window) >= stormWindow
	gather := ended && s.over && s.frozen == nil
	if ended {
		s.window, s.opened, s.over = now, 0, false
	}
	for _, d := range due {
		switch {
		case !e.digestible(d):
			single = append(single, d)
		case gather:
			digest = append(digest, d)
		case s.opened < e.to.Digest.Openings:
			s.opened++
			single = append(single, d)
		default:
			s.over = true
		}
	}
	if end := s.window.Add(stormWindow); s.over && end.Before(e.look) {
		e.look = end
	}
	if s.frozen != nil {
		if s.next.Before(e.look) {
			e.look = s.next
		}
		if !now.Before(s.next) {
			digest = s.frozen
		}
	}
	if len(digest) == 1 && s.frozen == nil {
		return append(single, digest...), nil
	}
	return single, digest
}

// digestible reports whether a delivery may be told as one of many: an opening that is not severe and has not been tried by itself.
func (e *endpoint) digestible(d incident.Delivery) bool {
	always := incident.SeverityOf(cmp.Or(e.to.Digest.Always, incident.Critical.String()))
	return d.Change.Kind == incident.ChangeOpened && d.Change.Incident.Severity < always && d.Attempts == d.Spent && d.Alert() == nil
}

// tellDigest makes one attempt at a digest and concludes for all that are in it.
func (e *endpoint) tellDigest(ctx context.Context, of []incident.Delivery) error {
	if len(of) == 0 {
		return nil
	}
	s := &e.storm
	if s.frozen == nil {
		s.frozen, s.tries = of, 0
	}
	s.tries++
	a := e.to.send(ctx, e.digestLetter(of), e.desk.s.Now())
	if ctx.Err() != nil && a.verdict == again {
		return ctx.Err()
	}
	if a.verdict == again {
		first, opened := e.health.fail(a.err, e.desk.s.Now())
		if first || opened {
			e.warnFailing(a.err, opened)
		}
	}
	wait, more := e.desk.backoff(s.tries)
	if a.verdict == again && more || a.verdict == refused && s.tries < refusals {
		e.desk.s.Metrics.delivered(e.to.Name, "retry")
		s.next = e.desk.s.Now().Add(max(wait, a.wait))
		return nil
	}
	return e.endDigest(ctx, a)
}

func (e *endpoint) endDigest(ctx context.Context, a answer) error {
	state := incident.DeliveryDead
	switch a.verdict {
	case delivered:
		state = incident.DeliveryDigested
		e.health.alive()
		e.health.accept()
	case gone:
		e.health.disable(a.err, e.desk.s.Now())
	case refused:
		e.health.refuse(a.err)
	}
	of := e.storm.frozen
	e.storm.frozen = nil
	for _, d := range of {
		d.Attempts++
		d.Reply = incident.Reply{Status: a.status, Answer: strings.ToValidUTF8(a.text, "\uFFFD"), Took: a.took.Microseconds()}
		e.end(d, state, a.err)
		if err := e.settleFull(ctx); err != nil {
			return err
		}
	}
	return nil
}

// digestLetter tells of many openings at once. The same openings give the same letter.
func (e *endpoint) digestLetter(of []incident.Delivery) *adapter.Letter {
	parts := []string{"digest", e.to.Name}
	g := &adapter.Digest{Opened: len(of), Counts: map[string]int{}}
	var newest int64
	most := incident.Severity(0)
	order := slices.Clone(of)
	slices.SortStableFunc(order, func(a, b incident.Delivery) int {
		return int(b.Change.Incident.Severity) - int(a.Change.Incident.Severity)
	})
	console := strings.TrimSuffix(e.desk.cfg.ConsoleURL, "/")
	if console != "" {
		g.URL = console + "/incidents"
	}
	for _, d := range order {
		in := d.Change.Incident
		parts = append(parts, string(d.ID[:]))
		newest, most = max(newest, in.Updated), max(most, in.Severity)
		g.Counts[in.Severity.String()]++
		if len(g.Incidents) == maxDigestRows {
			continue
		}
		row := adapter.DigestEntry{
			ID: event.FormatID(event.IncidentPrefix, in.ID), Title: cut(plain(in.Title), 300), Severity: in.Severity.String(), OpenedAt: stamp(in.Opened),
			OwnerTeam: cut(plain(e.desk.router.Of(&d.Change).Owner), 60),
		}
		if console != "" {
			row.URL = console + "/incidents/" + row.ID
		}
		g.Incidents = append(g.Incidents, row)
	}
	g.Severity = most.String()
	at := stamp(newest)
	return &adapter.Letter{Envelope: adapter.Envelope{
		SpecVersion: "1.0", ID: event.FormatID(event.DeliveryPrefix, event.NewID(parts...)), Source: e.desk.s.Source, Type: adapter.TypeDigest, Time: at, Timestamp: at,
		ContentType: "application/json", Data: adapter.Data{Digest: g, Truncated: map[string]int{}},
	}}
}
