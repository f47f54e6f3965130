package incident

import "github.com/tocsin-siem/tocsin/event"

// Alerts are the findings that a change tells of for the first time: those that were announced with it. It follows from what is recorded of the change
// alone, so whoever reads the log again finds the same ones. They belong to the incident.
func (c *Change) Alerts() []*Finding {
	var out []*Finding
	for i := range c.Incident.Findings {
		if f := &c.Incident.Findings[i]; f.Announced != 0 && f.Announced == c.Incident.Updated {
			out = append(out, f)
		}
	}
	return out
}

// AlertID is the id of the delivery that tells an endpoint of a finding. It does not depend on the change, so a finding that two changes of one batch
// have is told of once.
func AlertID(finding event.ID, endpoint string) event.ID {
	return event.NewID("delivery", "alert", string(finding[:]), endpoint)
}

// OfAlert reports whether a delivery tells of a finding and not of its incident.
func (d *Delivery) OfAlert() bool {
	return d.Change.Incident != nil && d.ID != DeliveryID(d.Change.Incident.ID, d.Change.Incident.Revision, d.Endpoint)
}

// Alert is the finding that a delivery tells of; nil if it tells of the incident, or if the incident is not there as a whole.
func (d *Delivery) Alert() *Finding {
	if !d.OfAlert() {
		return nil
	}
	for i := range d.Change.Incident.Findings {
		if f := &d.Change.Incident.Findings[i]; d.ID == AlertID(f.ID, d.Endpoint) {
			return f
		}
	}
	return nil
}
