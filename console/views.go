package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/triage/board"
)

// QueueView is a filter that somebody keeps under a name.
type QueueView struct {
	ID       string `json:"id"`
	Revision int64  `json:"revision"` // What a change of it must name; 0 for a new one.
	Name     string `json:"name"`
	Q        string `json:"q"`
	Sort     string `json:"sort,omitempty"`
	Owner    string `json:"owner"` // Who made it.
	Shared   bool   `json:"shared"`
}

// QueueViews keeps views. Keep and Drop change the revision that the view names; their error wraps incident.ErrStale where it has been changed since.
type QueueViews interface {
	Views(ctx context.Context) ([]QueueView, error)
	Keep(ctx context.Context, v QueueView, by string) (QueueView, error)
	Drop(ctx context.Context, v QueueView, by string) error
}

// maxViews bounds the views of one person.
const maxViews = 200

// Address is the queue with the view.
func (v QueueView) Address() string { return v.ask().address() }

// ask is the view's question. What no longer reads as a sort is no sort.
func (v QueueView) ask() ask {
	s, _ := board.SortOf(v.Sort)
	return ask{Q: v.Q, Sort: s, View: v.ID, Limit: queueRows}
}

// Mine reports whether somebody may change the view: who made it, and whoever manages people.
func (v QueueView) Mine(who access.Person) bool { return v.Owner == who.Name || who.May(access.Admin) }

// Keeps reports whether the person of the page can keep views.
func (p queuePage) Keeps() bool { return p.Kept }

// Shares reports whether the person of the page can keep views for everybody.
func (p queuePage) Shares() bool { return p.Who.May(access.Analyst) }

func (s *server) viewRoutes() []route {
	if s.set.Saved == nil || s.set.Board == nil {
		return nil
	}
	return []route{
		{"POST /views", access.Viewer, s.keepQueueView},
		{"GET /feeds/{file}", access.Viewer, s.feed},
		{"GET /api/v1/views", access.Viewer, s.apiViews},
		{"POST /api/v1/views", access.Viewer, s.apiNewView},
		{"GET /api/v1/views/{id}", access.Viewer, s.apiView},
		{"PUT /api/v1/views/{id}", access.Viewer, s.apiChangeView},
		{"DELETE /api/v1/views/{id}", access.Viewer, s.apiDropView},
	}
}

// viewsOf are the views that the person of a request has: its own and those for everybody, by name.
func (s *server) viewsOf(r *http.Request) ([]QueueView, error) {
	if s.set.Saved == nil {
		return nil, nil
	}
	who := access.From(r.Context())
	list, err := s.set.Saved.Views(r.Context())
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(v QueueView) bool { return !v.Shared && v.Owner != who.Name })
	slices.SortFunc(list, func(a, b QueueView) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	return list, nil
}

// oneView is a view of the person of a request.
func (s *server) oneView(r *http.Request, id string) (QueueView, error) {
	list, err := s.viewsOf(r)
	if err != nil {
		return QueueView{}, err
	}
	i := slices.IndexFunc(list, func(v QueueView) bool { return v.ID == id })
	if i < 0 {
		return QueueView{}, fmt.Errorf("%w: there is no view %s", ErrNotFound, clip(60, typed(id)))
	}
	return list[i], nil
}

// settle checks a view that somebody wants to keep and gives a new one its id.
func (s *server) settle(r *http.Request, v QueueView) (QueueView, error) {
	who := access.From(r.Context())
	if v.Name, v.Q = typed(v.Name), typed(v.Q); v.Name == "" || len([]rune(v.Name)) > maxName {
		return v, fmt.Errorf("%w: a view needs a name of at most %d characters", errBadRequest, maxName)
	}
	if _, err := filterIn(v.Q); err != nil {
		return v, err
	}
	if v.Sort != "" {
		if _, err := board.SortOf(v.Sort); err != nil {
			return v, fmt.Errorf("%w: %w", errBadRequest, err)
		}
	}
	if v.Shared && !who.May(access.Analyst) {
		return v, fmt.Errorf("%w: views for everybody need the role %s", errBadRequest, access.Analyst)
	}
	if v.ID != "" {
		old, err := s.oneView(r, v.ID)
		if err != nil {
			return v, err
		}
		if !old.Mine(who) {
			return v, fmt.Errorf("%w: the view belongs to %s", errBadRequest, old.Owner)
		}
		v.Owner = old.Owner
		return v, nil
	}
	list, err := s.set.Saved.Views(r.Context())
	if err != nil {
		return v, err
	}
	mine := 0
	for _, x := range list {
		if x.Owner == who.Name {
			mine++
		}
	}
	if mine >= maxViews {
		return v, fmt.Errorf("%w: you have %d views; remove some first", errBadRequest, mine)
	}
	v.Revision, v.Owner = 0, who.Name
	v.ID = "vw_" + strings.TrimPrefix(event.FormatID("vw_", event.NewID("view", who.Name, v.Name)), "vw_")
	for _, x := range list { // the same name again is the same view
		if x.ID == v.ID {
			v.Revision = x.Revision
		}
	}
	return v, nil
}

// keepQueueView keeps or removes a view from the queue's form.
func (s *server) keepQueueView(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	to, err := s.viewForm(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (s *server) viewForm(r *http.Request) (address string, err error) {
	if err := r.ParseForm(); err != nil {
		return "", fmt.Errorf("%w: the form cannot be read: %w", errBadRequest, err)
	}
	form, who := r.PostForm, access.From(r.Context())
	if form.Get("action") == "drop" {
		v, err := s.oneView(r, form.Get("id"))
		if err != nil {
			return "", err
		}
		return "/incidents", s.dropView(r, v)
	}
	v, err := s.settle(r, viewIn(form))
	if err != nil {
		return "", err
	}
	if v, err = s.set.Saved.Keep(r.Context(), v, who.Name); err != nil {
		return "", err
	}
	return v.Address(), nil
}

func viewIn(form url.Values) QueueView {
	return QueueView{Name: form.Get("name"), Q: form.Get("q"), Sort: form.Get("sort"), Shared: form.Get("shared") != ""}
}

func (s *server) dropView(r *http.Request, v QueueView) error {
	who := access.From(r.Context())
	if !v.Mine(who) {
		return fmt.Errorf("%w: the view belongs to %s", errBadRequest, v.Owner)
	}
	return s.set.Saved.Drop(r.Context(), v, who.Name)
}
