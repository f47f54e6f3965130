package adapter

// Bounds of the Events API v2, in characters.
const (
	pagerSummary = 1024
	pagerKey     = 255
	pagerDetail  = 4000
)

type pagerEvent struct {
	RoutingKey string        `json:"routing_key"`
	Action     string        `json:"event_action"`
	DedupKey   string        `json:"dedup_key"`
	Client     string        `json:"client,omitempty"`
	ClientURL  string        `json:"client_url,omitempty"`
	Payload    *pagerPayload `json:"payload,omitempty"`
	Links      []pagerLink   `json:"links,omitempty"`
}

type pagerPayload struct {
	Summary   string            `json:"summary"`
	Source    string            `json:"source"`
	Severity  string            `json:"severity"`
	Timestamp string            `json:"timestamp"`
	Component string            `json:"component,omitempty"`
	Group     string            `json:"group,omitempty"`
	Class     string            `json:"class,omitempty"`
	Details   map[string]string `json:"custom_details"`
}

type pagerLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// pagerSeverity is PagerDuty's severity by ours.
var pagerSeverity = map[string]string{"fatal": "critical", "critical": "critical", "high": "error", "medium": "warning", "low": "info", "informational": "info"}

// pagerDuty triggers, acknowledges and resolves one alert for each incident. A test resolves an alert that never was: that proves the key
// and wakes nobody.
func pagerDuty(l *Letter, o Options) Parcel {
	in := l.about()
	e := pagerEvent{RoutingKey: o.Token, Action: "trigger", DedupKey: clip(in.ID, pagerKey), Client: "Tocsin", ClientURL: in.URL}
	switch {
	case in.over():
		e.Action = "resolve"
	case l.kind() == "acknowledged":
		e.Action = "acknowledge"
	}
	severity := pagerSeverity[in.Severity]
	if severity == "" {
		severity = "info"
	}
	e.Payload = &pagerPayload{
		Summary: clip(titleOf(in), pagerSummary), Source: clip(line(l.Source), 255), Severity: severity, Timestamp: in.LastEvent, Component: clip(line(firstEntity(in)), 255),
		Group: clip(line(in.OwnerTeam), 255), Class: clip(line(in.Assessment.Kind), 255),
		Details: map[string]string{
			"status": in.Status, "severity": in.Severity, "assessment": in.Assessment.Kind, "summary": clip(shown(in.Summary.Text), pagerDetail),
			"rules": clip(line(ruleNames(in)), pagerDetail), "entities": clip(line(entityNames(in)), pagerDetail), "revision": number(int(in.Revision)),
		},
	}
	if in.URL != "" {
		e.Links = []pagerLink{{Href: in.URL, Text: "Incident in Tocsin"}}
	}
	return Parcel{ContentType: typeJSON, Body: Encode(e), Key: in.ID}
}

func firstEntity(in *Incident) string {
	for _, e := range in.Entities {
		if e.Type == "robot" {
			return e.ID
		}
	}
	if len(in.Entities) > 0 {
		return in.Entities[0].ID
	}
	return ""
}

func ruleNames(in *Incident) string {
	var out []string
	for _, r := range in.Rules {
		out = append(out, words(" ", r.ID, r.Name))
	}
	return words("; ", out...)
}

func entityNames(in *Incident) string {
	var out []string
	for _, e := range in.Entities {
		out = append(out, words(" ", e.Type, e.ID))
	}
	return words(", ", out...)
}
