package console

import (
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/access"
)

// route is one address: its ServeMux pattern, the least role that may use it, and what answers. Role 0 lets everybody in, signed in or not.
type route struct {
	pattern string
	needs   access.Role
	do      http.HandlerFunc
}

// routes are all addresses of the console but the mounts. A part that has nothing to read from in the Settings adds none.
func (s *server) routes() []route {
	return slices.Concat(
		s.fileRoutes(),
		s.queueRoutes(),
		s.incidentRoutes(),
		s.eventRoutes(),
		s.rejectRoutes(),
		s.healthRoutes(),
		s.huntRoutes(),
		s.entityRoutes(),
		s.fleetRoutes(),
		s.changeRoutes(),
	)
}

func (s *server) fileRoutes() []route {
	return []route{
		{"GET /{$}", access.Viewer, http.RedirectHandler("/incidents", http.StatusSeeOther).ServeHTTP},
		{"GET /style.css", 0, s.files.serve},
		{"GET /icon.svg", 0, s.files.serve},
		{"GET /assets/{name}", 0, s.files.serve},
	}
}

// admit lets those in who have the role.
func (s *server) admit(x route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who := access.From(r.Context()); x.needs > 0 && !who.May(x.needs) {
			s.refuse(w, r, fmt.Sprintf("This needs the role %s; %s.", x.needs, roleOf(who)))
			return
		}
		x.do(w, r)
	})
}

func roleOf(p access.Person) string {
	if p.Role == 0 {
		return "you are not signed in"
	}
	return "yours is " + p.Role.String()
}

// refuse answers 403, as the address wants it.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, text string) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		apiError(w, http.StatusForbidden, text)
		return
	}
	s.page(w, "problem", http.StatusForbidden, s.problemOf(r, http.StatusForbidden, text, ""))
}

// parse reads the pages: each file but the layout is one, called by its name.
func parse(pages fs.FS) (map[string]*template.Template, error) {
	files, err := fs.Glob(pages, "pages/*.html")
	if err != nil {
		return nil, err
	}
	out := map[string]*template.Template{}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" {
			continue
		}
		t, err := template.New("layout.html").Funcs(functions).ParseFS(pages, "pages/layout.html", file)
		if err != nil {
			return nil, fmt.Errorf("console page %s: %w", name, err)
		}
		out[name] = t
	}
	return out, nil
}
