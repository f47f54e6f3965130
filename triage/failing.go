package triage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/adapter"
)

// FailingConfig says when an endpoint that is not reached is told of through others, and through which.
type FailingConfig struct {
	After time.Duration `yaml:"after"` // How long it has failed then; 0: never.
	Tell  []string      `yaml:"tell"`  // Endpoints that hear of it; by default all others but those that keep one object for each incident.
}

const (
	failingLook  = time.Minute      // how often endpoints are looked at
	failingAgain = 15 * time.Minute // until those that did not take the news are tried again
)

// notice is that an endpoint has failed for long, and who has heard of it. Only watch's goroutine touches it.
type notice struct {
	of    EndpointStatus // As it was when that was seen.
	since int64          // When the failures began; 0: there is nothing to tell.
	ended int64          // When it was seen that it is reached again; 0: it is not.
	told  []string       // Who heard that it fails, and not yet that it is reached again.
	next  time.Time      // When the others are tried again.
}

// watch tells of endpoints that have failed for long, and when they are reached again, through others.
func (d *Desk) watch(ctx context.Context) {
	if d.cfg.Failing.After == 0 || len(d.endpoints) == 0 {
		return
	}
	tick := time.NewTicker(failingLook)
	defer tick.Stop()
	notices := make([]notice, len(d.endpoints))
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for i, e := range d.endpoints {
			d.look(ctx, e, &notices[i])
		}
	}
}

// look tells of one endpoint what there is to tell.
func (d *Desk) look(ctx context.Context, e *endpoint, n *notice) {
	now := d.s.Now()
	st := e.health.status(e.to.Name)
	switch {
	case n.since == 0 && (st.Trouble == 0 || now.UnixMicro()-st.Trouble < d.cfg.Failing.After.Microseconds()):
		return
	case n.since == 0:
		*n = notice{of: st, since: st.Trouble}
		e.log().Error("the endpoint has not taken anything for long; others are told", "since", stamp(st.Trouble), "err", st.Error)
	case n.ended == 0 && st.Trouble == 0:
		n.ended, n.next = now.UnixMicro(), now
	}
	if now.Before(n.next) {
		return
	}
	n.next = now.Add(failingAgain)
	if n.ended == 0 {
		d.tellFailing(ctx, e, n)
	} else if d.tellRecovered(ctx, n); len(n.told) == 0 || now.UnixMicro()-n.ended > d.patience().Microseconds() {
		*n = notice{}
	}
	e.health.tell(n.told)
}

func (d *Desk) tellFailing(ctx context.Context, e *endpoint, n *notice) {
	for _, to := range d.hearers(e) {
		if slices.Contains(n.told, to.to.Name) {
			continue
		}
		if a := to.to.send(ctx, d.failingLetter(n), d.s.Now()); a.verdict == delivered {
			n.told = append(n.told, to.to.Name)
		} else if ctx.Err() == nil {
			e.log().Warn("somebody could not be told that the endpoint fails", "through", to.to.Name, "err", a.err)
		}
	}
}

// tellRecovered tells those who heard that an endpoint fails that it is reached again.
func (d *Desk) tellRecovered(ctx context.Context, n *notice) {
	for _, to := range d.endpoints {
		if i := slices.Index(n.told, to.to.Name); i >= 0 && to.to.send(ctx, d.failingLetter(n), d.s.Now()).verdict == delivered {
			n.told = slices.Delete(n.told, i, i+1)
		}
	}
}

// hearers are the endpoints through which somebody hears that another one fails, but for those that fail themselves.
func (d *Desk) hearers(of *endpoint) (out []*endpoint) {
	for _, e := range d.endpoints {
		named := slices.Contains(d.cfg.Failing.Tell, e.to.Name) || len(d.cfg.Failing.Tell) == 0 && !e.to.adapter.Objects
		if e != of && named && e.health.status("").Trouble == 0 {
			out = append(out, e)
		}
	}
	return out
}

// failingLetter tells that an endpoint fails, or that it is reached again. The same failure gives the same letters.
func (d *Desk) failingLetter(n *notice) *adapter.Letter {
	kind, failing, now := adapter.TypeFailing, n.ended == 0, n.since+d.cfg.Failing.After.Microseconds()
	if !failing {
		kind, now = adapter.TypeRecovered, n.ended
	}
	id := event.NewID("endpoint.failing", n.of.Name, stamp(n.since))
	told := &adapter.Endpoint{
		Notice: event.FormatID("epf_", id), Name: cut(plain(n.of.Name), 120), Failing: failing, Since: stamp(n.since), Failures: n.of.Failures, Pending: n.of.Pending, Error: cut(plain(n.of.Error), 300),
	}
	if d.cfg.ConsoleURL != "" {
		told.URL = strings.TrimSuffix(d.cfg.ConsoleURL, "/") + "/integrations"
	}
	in := &incident.Incident{ID: id, Revision: 1, Status: incident.Open, Severity: incident.High, Title: told.Title(), First: n.since, Last: now, Opened: n.since, Updated: now}
	if !failing {
		in.Revision, in.Status, in.Verdict, in.ClosedAt = 2, incident.Closed, incident.Malfunction, now
	}
	at := stamp(now)
	return &adapter.Letter{
		Envelope: adapter.Envelope{
			SpecVersion: "1.0", ID: event.FormatID(event.DeliveryPrefix, event.NewID(kind, n.of.Name, stamp(n.since))), Source: d.s.Source, Type: kind, Subject: told.Notice, Time: at,
			Timestamp: at, ContentType: "application/json", Data: adapter.Data{Endpoint: told, Truncated: map[string]int{}},
		},
		OCSF:       func() []byte { return ocsfOf(in) },
		Detections: func() [][]byte { return nil },
	}
}

// checkFailing reports what is wrong with that part of the configuration.
func (c Config) checkFailing() (errs []error) {
	if a := c.Failing.After; a != 0 && (a < time.Minute || a > 30*24*time.Hour) {
		errs = append(errs, fmt.Errorf("triage.failing.after: %v: give 1m to 720h, or 0 for never", a))
	}
	for _, name := range c.Failing.Tell {
		if !slices.ContainsFunc(c.Endpoints, func(e EndpointConfig) bool { return e.Name == name }) {
			errs = append(errs, fmt.Errorf("triage.failing.tell: there is no endpoint %q", name))
		}
	}
	return errs
}

// trouble is since when an endpoint takes nothing; 0 if it takes what it is sent. h.mu is held.
func (h *health) trouble() int64 { return cmp.Or(h.since, h.ill) }

// tell notes through which endpoints it was told that this one fails.
func (h *health) tell(names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = slices.Clone(names)
}
