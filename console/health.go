package console

import (
	"net/http"

	"github.com/tocsin-siem/tocsin/access"
)

type healthPage struct {
	layout
	Checks []Check
}

func (s *server) healthRoutes() []route {
	return []route{
		{"GET /health", access.Viewer, s.health},
		{"GET /api/v1/health", 0, s.apiHealth}, // For probes.
	}
}

func (s *server) checks() []Check {
	if s.set.Health == nil {
		return []Check{}
	}
	return s.set.Health()
}

func (s *server) health(w http.ResponseWriter, r *http.Request) {
	s.page(w, "health", http.StatusOK, healthPage{s.layout(r, "Health", "health"), s.checks()})
}
