package app

import (
	"fmt"
	"strings"

	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/board"
)

// ownerOf says who answers for an incident as it stands: routes are asked as for an update of it, and see the owner that the rules named. nil without
// routes.
func ownerOf(routes []triage.RouteConfig) (board.Owner, error) {
	if len(routes) == 0 {
		return nil, nil
	}
	filters := make([]*expression.Filter, len(routes))
	for i, r := range routes {
		if strings.TrimSpace(r.When) == "" {
			continue
		}
		f, err := expression.CompileFilter(r.When)
		if err != nil {
			return nil, fmt.Errorf("triage.routes: %s: when: %w", r.Name, err)
		}
		filters[i] = f
	}
	return func(c *board.Card) (team, route string) {
		s := c.Subject(c.Updated)
		s.Change = string(incident.ChangeUpdated)
		d := triage.Decide(routes, c.Stitched, func(i int) bool { return filters[i] == nil || filters[i].Match(&s) })
		return d.Owner, d.Route
	}, nil
}
