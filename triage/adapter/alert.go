package adapter

// Alert is one finding, as it was when it was announced. Later revisions of it are told with its incident.
type Alert struct {
	ID         string   `json:"id"`
	Revision   int32    `json:"revision"`
	Title      string   `json:"title"`
	State      string   `json:"state"` // provisional or final.
	Severity   string   `json:"severity"`
	Priority   int      `json:"priority"`
	Score      int      `json:"score"`
	Rule       Rule     `json:"rule"`
	FirstEvent string   `json:"first_event_at"`
	LastEvent  string   `json:"last_event_at"`
	Announced  string   `json:"announced_at"`
	Entities   []Entity `json:"entities"`
	Events     []string `json:"event_ids"`
	Incident   string   `json:"incident_id"` // Where it went.
	Sites      []string `json:"sites,omitempty"`
	URL        string   `json:"url,omitempty"`
	OwnerTeam  string   `json:"owner_team,omitempty"`
	Route      string   `json:"route,omitempty"`
}

// incident is a finding as if it were an incident, for forms that write lines of text.
func (a *Alert) incident() *Incident {
	return &Incident{
		ID: a.ID, Revision: a.Revision, URL: a.URL, Title: a.Title, Status: a.State, Severity: a.Severity, Priority: a.Priority, Score: a.Score, OwnerTeam: a.OwnerTeam, Route: a.Route,
		OpenedAt: a.Announced, FirstEvent: a.FirstEvent, LastEvent: a.LastEvent, Rules: []Rule{a.Rule}, Entities: a.Entities, Counts: Counts{Findings: 1, Events: len(a.Events)},
		Summary: Summary{Text: "A finding of rule " + a.Rule.ID + ", now in incident " + a.Incident + ".", Source: "deterministic", Refs: a.Events},
	}
}
