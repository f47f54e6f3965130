package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
)

// Views are hunts that people keep for later.
type Views interface {
	// Views lists them by title.
	Views(ctx context.Context) ([]View, error)
	// KeepView keeps one, in the place of an older one with the same id.
	KeepView(ctx context.Context, v View) error
}

// View is a hunt that somebody keeps.
type View struct {
	ID    string
	Title string
	Query string // Of the address, as url.Values encodes it.
	By    string // Who keeps it.
}

// Path is the address of the hunt.
func (v View) Path() string { return "/hunt?" + v.Query }

// keepView keeps the hunt that the form names.
func (s *server) keepView(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	v, err := viewOf(r)
	if err == nil {
		err = s.set.Views.KeepView(r.Context(), v)
	}
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	http.Redirect(w, r, v.Path(), http.StatusSeeOther)
}

func viewOf(r *http.Request) (View, error) {
	if err := r.ParseForm(); err != nil {
		return View{}, fmt.Errorf("%w: the form cannot be read: %w", errBadRequest, err)
	}
	asked, err := url.ParseQuery(r.PostForm.Get("query"))
	if err != nil || len(r.PostForm.Get("query")) > 2*maxHunt {
		return View{}, fmt.Errorf("%w: the hunt to keep cannot be read", errBadRequest)
	}
	asked.Del("after")
	title, err := text(r.PostForm, "title", "the title", maxName)
	if err != nil || title == "" {
		return View{}, fmt.Errorf("%w: give the view a title of at most %d characters", errBadRequest, maxName)
	}
	v := View{Title: title, Query: asked.Encode(), By: access.From(r.Context()).Name}
	v.ID = event.FormatID("", event.NewID("view", v.By, v.Title))
	return v, nil
}
