package triage

import (
	"context"
	"errors"
	"fmt"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/adapter"
)

// ErrNoEndpoint means that no endpoint of that name is configured.
var ErrNoEndpoint = errors.New("there is no such endpoint")

// endpoint finds an endpoint by its name.
func (d *Desk) endpoint(name string) (*endpoint, error) {
	for _, e := range d.endpoints {
		if e.to.Name == name {
			return e, nil
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrNoEndpoint, name)
}

// Test sends an endpoint.test event to an endpoint once, and says what came of it. It is not stored.
func (d *Desk) Test(ctx context.Context, name string) error {
	e, err := d.endpoint(name)
	if err != nil {
		return err
	}
	if a := e.to.send(ctx, d.testLetter(name), d.s.Now()); a.verdict != delivered {
		return errors.New(a.err)
	}
	e.health.found()
	e.nudge()
	return nil
}

// testLetter is about nothing that happened; for OCSF, whose classes know no tests, it is a closed incident with the verdict test.
func (d *Desk) testLetter(name string) *adapter.Letter {
	now := d.s.Now().UnixMicro()
	at := stamp(now)
	id := event.NewID("endpoint.test", name, at)
	in := &incident.Incident{
		ID: id, Revision: 1, Status: incident.Closed, Verdict: incident.TestActivity, Severity: incident.Informational, Title: "Test: Tocsin reaches this endpoint",
		First: now, Last: now, Opened: now, Updated: now, ClosedAt: now,
	}
	return &adapter.Letter{
		Envelope: adapter.Envelope{
			SpecVersion: "1.0", ID: event.FormatID(event.DeliveryPrefix, id), Source: d.s.Source, Type: adapter.TypeTest, Time: at, Timestamp: at, ContentType: "application/json",
			Data: adapter.Data{Truncated: map[string]int{}},
		},
		OCSF:       func() []byte { return ocsfOf(in) },
		Detections: func() [][]byte { return nil },
	}
}
