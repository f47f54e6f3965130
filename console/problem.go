package console

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// errBadRequest marks what the sender of a request can mend.
var errBadRequest = errors.New("bad request")

type problemPage struct {
	layout
	Status int
	Text   string
	Help   string
	Back   string   // Where to go on: the incident a form was about; "" for the queue.
	SignIn string   // Where to sign in and come back from; "" where that is not what is missing.
	Wrote  []string // What was written into the form that was refused, to keep.
}

// Incident reports whether the way back leads to an incident.
func (p problemPage) Incident() bool { return strings.HasPrefix(p.Back, "/incidents/") }

// nothingChanged is what people want to know first where they sent something, and only there.
const nothingChanged = "Nothing was changed. "

// askAdmin is what to do about a role, a site or a scope that is missing.
const askAdmin = " Roles, sites and tokens are given by an admin of Tocsin: ask one."

// problems is what a page says above the error's own words, and what to do about it.
var problems = map[int]struct{ title, help string }{
	http.StatusBadRequest:            {"That does not work", nothingChanged + "Check the address, or go back and mend the form."},
	http.StatusForbidden:             {"Refused", nothingChanged},
	http.StatusUnauthorized:          {"Sign in", nothingChanged + "Sign in, or send an API token: Authorization: Bearer tct_…"},
	http.StatusTooManyRequests:       {"Too fast", nothingChanged + "Wait a moment and try again."},
	http.StatusServiceUnavailable:    {"Not now", "Nothing is lost: what was received is kept. Try again in a moment."},
	http.StatusNotFound:              {"Not here", "It may have been dropped by its retention time, or the address was cut short when it was copied."},
	http.StatusMethodNotAllowed:      {"Not possible here", "This address can only be read."},
	http.StatusConflict:              {"Somebody was faster", nothingChanged + "Read the incident as it is now and decide again."},
	http.StatusRequestEntityTooLarge: {"Too long", nothingChanged + "Shorten the text and send it again."},
	http.StatusInternalServerError:   {"Something is wrong", "Nothing is lost: what was received is kept. Look at the health page and at Tocsin's log, then try again."},
}

func (s *server) problemOf(r *http.Request, status int, text, back string) problemPage {
	p := problems[status]
	help := p.help
	if !unsafe(r) {
		help = strings.TrimPrefix(help, nothingChanged)
	}
	return problemPage{layout: s.layout(r, p.title, ""), Status: status, Text: text, Help: help, Back: back}
}

// problem is the page for everything that went wrong. back is the incident it was about, if any.
func (s *server) problem(w http.ResponseWriter, r *http.Request, err error, back string) {
	status := s.statusOf(err)
	s.page(w, "problem", status, s.problemOf(r, status, sayOf(status, err), back))
}

// sayOf is the error for people: without the mark that only code reads.
func sayOf(status int, err error) string {
	text := err.Error()
	for _, mark := range []error{errBadRequest, ErrQuestion, ErrNotFound, incident.ErrRefused, access.ErrInput} {
		text = strings.TrimPrefix(text, mark.Error()+": ")
	}
	if status == http.StatusInternalServerError {
		text = "The store did not answer: " + text
	}
	return text
}

// statusOf is the HTTP status of an error. One that is ours to mend is logged; a client that has left is not our concern.
func (s *server) statusOf(err error) int {
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return http.StatusRequestEntityTooLarge
	}
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, incident.ErrUnknown):
		return http.StatusNotFound
	case errors.Is(err, access.ErrNobody):
		return http.StatusNotFound
	case errors.Is(err, access.ErrInput):
		return http.StatusBadRequest
	case errors.Is(err, errForbidden):
		return http.StatusForbidden
	case errors.Is(err, incident.ErrStale), errors.Is(err, access.ErrStale):
		return http.StatusConflict
	case errors.Is(err, incident.ErrRefused), errors.Is(err, errBadRequest), errors.Is(err, ErrQuestion):
		return http.StatusBadRequest
	case !errors.Is(err, context.Canceled):
		s.set.Log.Error("console request failed", "err", err)
	}
	return http.StatusInternalServerError
}

// elsewhere answers for addresses that nothing is at, and for those of mux that can only be read.
func (s *server) elsewhere(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		read := *r
		read.Method = http.MethodGet
		switch _, pattern := mux.Handler(&read); {
		case strings.HasPrefix(r.URL.Path, "/ingest/"):
			apiError(w, http.StatusNotFound, "There is nothing at "+r.URL.Path+": records go by POST to /ingest/ and the name of a source that has http: true")
		case pattern != "/":
			s.turnAway(w, r, http.StatusMethodNotAllowed, r.Method+" does nothing at "+r.URL.Path)
		default:
			s.turnAway(w, r, http.StatusNotFound, "There is nothing at "+r.URL.Path)
		}
	}
}

// incidentPath is the page of an incident.
func incidentPath(id event.ID) string {
	return "/incidents/" + event.FormatID(event.IncidentPrefix, id)
}
