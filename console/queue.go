package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/incident"
)

// queueLimit is how many incidents the queue shows.
const queueLimit = 200

type queuePage struct {
	layout
	Filter    Filter
	Statuses  []string
	Incidents []*incident.Incident
	Limit     int
}

// filterOf reads the queue's filter. Characters that cannot be typed are dropped, since no filter means them.
func filterOf(r *http.Request) (Filter, error) {
	q := r.URL.Query()
	f := Filter{Status: q.Get("status"), Owner: typed(q.Get("owner")), Robot: typed(q.Get("robot")), Text: typed(q.Get("q"))}
	if f.Status != "" && !slices.Contains(statuses(), f.Status) {
		return Filter{}, fmt.Errorf("%w: status is one of %s, not %q", errBadRequest, strings.Join(statuses(), ", "), clip(40, f.Status))
	}
	return f, nil
}

func typed(s string) string {
	drop := func(r rune) rune {
		if hidden(r) || r == '\n' || r == '\t' {
			return -1
		}
		return r
	}
	return strings.TrimSpace(strings.Map(drop, strings.ToValidUTF8(s, "")))
}

func statuses() []string {
	return []string{incident.Open.String(), incident.Acknowledged.String(), incident.Closed.String(), incident.Merged.String()}
}

func (s *server) incidents(r *http.Request) ([]*incident.Incident, Filter, error) {
	f, err := filterOf(r)
	if err != nil {
		return nil, f, err
	}
	list, err := s.set.Reader.Incidents(r.Context(), f, queueLimit)
	return list, f, err
}

func (s *server) queueRoutes() []route {
	return []route{
		{"GET /incidents", access.Viewer, s.queue},
		{"GET /api/v1/incidents", access.Viewer, s.apiIncidents},
	}
}

func (s *server) queue(w http.ResponseWriter, r *http.Request) {
	list, f, err := s.incidents(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	s.page(w, "queue", http.StatusOK, queuePage{s.layout(r, "Queue", "queue"), f, statuses(), list, queueLimit})
}
