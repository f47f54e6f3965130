package console

import (
	"encoding/json"
	"net/http"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

const typeJSON = "application/json"

// apiProblem is the error as {"error": …}.
func (s *server) apiProblem(w http.ResponseWriter, err error) {
	status := s.statusOf(err)
	apiError(w, status, sayOf(status, err))
}

func apiError(w http.ResponseWriter, status int, text string) {
	apiReply(w, status, map[string]string{"error": text})
}

func apiReply(w http.ResponseWriter, status int, value any) {
	b, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	reply(w, status, typeJSON, append(b, '\n'))
}

// apiIncidents is the queue as OCSF Incident Findings, one a line.
func (s *server) apiIncidents(w http.ResponseWriter, r *http.Request) {
	list, _, err := s.incidents(r)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	var b []byte
	for _, in := range list {
		b = append(incident.AppendIncident(b, in, triage.Answer(in), triage.Timeline(in)), '\n')
	}
	reply(w, http.StatusOK, "application/x-ndjson", b)
}

func (s *server) apiIncident(w http.ResponseWriter, r *http.Request) {
	in, err := s.oneIncident(r)
	if err != nil {
		s.apiProblem(w, err)
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
