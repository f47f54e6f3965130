package console

import (
	"net/http"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
)

// How many rejects the page shows, and how much of a rejected record.
const (
	rejectsLimit = 100
	rejectShown  = 400
)

type rejectsPage struct {
	layout
	Rejects []rejectRow
	Limit   int
	Source  string // Whose they are; "" for all.
}

type rejectRow struct {
	event.Reject
	Shown string
	Cut   bool
}

func (s *server) rejectRoutes() []route { return []route{{"GET /rejects", access.Viewer, s.rejects}} }

// rejected are the latest rejects of the source that the address names, or of all.
func (s *server) rejected(r *http.Request) (list []event.Reject, source string, err error) {
	source = typed(r.URL.Query().Get("source"))
	if source == "" || s.set.RejectsOf == nil {
		list, err = s.set.Reader.Rejects(r.Context(), rejectsLimit)
		return list, "", err
	}
	list, err = s.set.RejectsOf(r.Context(), source, rejectsLimit)
	return list, source, err
}

func (s *server) rejects(w http.ResponseWriter, r *http.Request) {
	list, source, err := s.rejected(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	p := rejectsPage{s.layout(r, "Rejects", "rejects"), nil, rejectsLimit, source}
	for _, x := range list {
		shown := x.Raw[:min(len(x.Raw), rejectShown)]
		p.Rejects = append(p.Rejects, rejectRow{x, string(visible(shown)), len(shown) < len(x.Raw)})
	}
	s.page(w, "rejects", http.StatusOK, p)
}
