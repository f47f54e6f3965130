package console

import (
	"encoding/json"
	"net/http"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

const typeJSON = "application/json"

// typeProblem is what errors of the API are (RFC 9457).
const typeProblem = "application/problem+json"

// apiProblem is the error as a problem.
func (s *server) apiProblem(w http.ResponseWriter, err error) {
	status := s.statusOf(err)
	apiError(w, status, sayOf(status, err))
}

func apiError(w http.ResponseWriter, status int, text string) {
	b, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(status), status, text})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	reply(w, status, typeProblem, append(b, '\n'))
}

func apiReply(w http.ResponseWriter, status int, value any) {
	b, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	reply(w, status, typeJSON, append(b, '\n'))
}

func (s *server) apiIncident(w http.ResponseWriter, r *http.Request) {
	in, err := s.oneIncident(r)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	if s.set.Board != nil && r.URL.Query().Get("as") == "card" {
		apiReply(w, http.StatusOK, cardOf(s.set.Board.Of(&incident.Change{Incident: in})))
		return
	}
	reply(w, http.StatusOK, typeJSON, incident.AppendIncident(nil, in, triage.Answer(in), triage.Timeline(in)))
}

// apiEvent is an event as OCSF; with ?raw it holds the raw record.
func (s *server) apiEvent(w http.ResponseWriter, r *http.Request) {
	e, err := s.oneEvent(r)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	reply(w, http.StatusOK, typeJSON, event.AppendOCSF(nil, e, r.URL.Query().Has("raw")))
}

// apiHealth answers 200 while everything is good and 503 otherwise, for probes.
func (s *server) apiHealth(w http.ResponseWriter, _ *http.Request) {
	checks := s.checks()
	status := http.StatusOK
	for _, c := range checks {
		if !c.Good {
			status = http.StatusServiceUnavailable
		}
	}
	apiReply(w, status, checks)
}
