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
		s.viewRoutes(),
		s.apiRoutes(),
		s.incidentRoutes(),
		s.eventRoutes(),
		s.findingRoutes(),
		s.rejectRoutes(),
		s.healthRoutes(),
		s.callbackRoutes(),
		s.suppressionRoutes(),
		s.measureRoutes(),
		s.handoverRoutes(),
		s.huntRoutes(),
		s.entityRoutes(),
		s.fleetRoutes(),
		s.changeRoutes(),
		s.ruleRoutes(),
		s.integrationRoutes(),
		s.signInRoutes(),
		s.accountRoutes(),
		s.peopleRoutes(),
		s.auditRoutes(),
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

// admit lets those in who have the role, whose token is for this, and who see all sites where that is needed.
func (s *server) admit(x route) http.Handler {
	scope, whole := scopeOf(x), everywhere(x.pattern)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch who := access.From(r.Context()); {
		case x.needs == 0:
			x.do(w, r)
		case who.Role == 0 && s.set.Access != nil:
			s.askToSignIn(w, r)
		case !who.May(x.needs):
			s.refuse(w, r, fmt.Sprintf("This needs the role %s; %s.", x.needs, roleOf(who))+askAdmin)
		case !who.Has(scope):
			s.refuse(w, r, fmt.Sprintf("This needs a token with the scope %s; this one has %s.", scope, strings.Join(who.Scopes, ", "))+askAdmin)
		case whole && !who.Everywhere():
			s.refuse(w, r, "This cannot be told by site, so it needs somebody who may see all sites; you see "+strings.Join(who.Sites, ", ")+"."+askAdmin)
		default:
			x.do(w, r)
		}
	})
}

// isFeed reports whether a path is of a feed, which a token in the address opens.
func isFeed(path string) bool {
	return strings.HasPrefix(path, "/feeds/") || strings.HasPrefix(path, "/api/v1/feeds/")
}

// scopeOf is what a token must be for to use a route: read for what only reads, act for the rest, but for those that say more.
func scopeOf(x route) string {
	method, path, _ := strings.Cut(x.pattern, " ")
	switch {
	case x.needs == access.Admin:
		return access.ScopeManage
	case strings.HasSuffix(path, "/disposition"):
		return access.ScopeDisposition
	case isFeed(path):
		return access.ScopeFeeds
	case method == http.MethodGet:
		return access.ScopeRead
	}
	return access.ScopeAct
}

// whole are the beginnings of paths that show what cannot be told by site.
var whole = []string{
	"/rejects", "/api/v1/rejects", "/audit", "/people", "/tokens", "/rules", "/api/v1/rules", "/suppressions/new", "/api/v1/suppressions/preview",
	"/integrations", "/api/v1/endpoints", "/api/v1/deliveries", "/api/v1/routes",
}

func everywhere(pattern string) bool {
	_, path, _ := strings.Cut(pattern, " ")
	return slices.ContainsFunc(whole, func(p string) bool {
		return path == p || strings.HasPrefix(path, p+"/") || strings.HasPrefix(path, p+".")
	})
}

// mounted is a handler from outside as a route: probes are for everybody, sources ask for a token themselves, what reads needs a viewer and
// everything else an analyst.
func mounted(pattern string, h http.Handler) route {
	method, path, _ := strings.Cut(pattern, " ")
	switch {
	case free(path):
		return route{pattern, 0, h.ServeHTTP}
	case method == http.MethodGet:
		return route{pattern, access.Viewer, h.ServeHTTP}
	}
	return route{pattern, access.Analyst, h.ServeHTTP}
}

func roleOf(p access.Person) string {
	if p.Role == 0 {
		return "you are not signed in"
	}
	return "yours is " + p.Role.String()
}

// refuse answers 403, as the address wants it.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, text string) {
	s.turnAway(w, r, http.StatusForbidden, text)
}

// blocks are files with parts of pages; what they define takes the place of a block of the same name in a page.
var blocks = []string{"pages/summary.html"}

// parse reads the pages: each file but the layout is one, called by its name.
func parse(pages fs.FS) (map[string]*template.Template, error) {
	files, err := fs.Glob(pages, "pages/*.html")
	if err != nil {
		return nil, err
	}
	out := map[string]*template.Template{}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" || slices.Contains(blocks, file) {
			continue
		}
		t, err := template.New("layout.html").Funcs(functions).ParseFS(pages, append([]string{"pages/layout.html", file}, blocks...)...)
		if err != nil {
			return nil, fmt.Errorf("console page %s: %w", name, err)
		}
		out[name] = t
	}
	return out, nil
}
