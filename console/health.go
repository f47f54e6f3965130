package console

import (
	"net/http"
	"net/url"
	"time"

	"github.com/tocsin-siem/tocsin/access"
)

type healthPage struct {
	layout
	Checks  []Check
	Sources []SourceHealth
}

// SourceHealth is what a source sent lately. Lately is the last five minutes.
type SourceHealth struct {
	Name        string  `json:"name"`
	Rate        float64 `json:"events_per_second"` // Lately.
	LateEvents  int64   `json:"events_lately"`
	LateRejects int64   `json:"rejects_lately"`
	Events      int64   `json:"events"` // Since the start.
	Rejects     int64   `json:"rejects"`
	Seen        int64   `json:"-"`    // Our clock, microseconds: when something came last; 0 for not since the start.
	Newest      int64   `json:"-"`    // Event time, microseconds, of the newest event.
	Timed       bool    `json:"-"`    // Lag and Skew are known.
	Lag         int64   `json:"-"`    // Microseconds from the last event to its receipt.
	Skew        int64   `json:"-"`    // Microseconds by which the source's clock is ahead at least, or behind at most (negative), going by its most punctual event.
	Idle        bool    `json:"idle"` // Read to its end; it holds nobody up.
}

// The delays from which on a source's clock is worth a word.
const (
	skewAhead  = 2 * time.Second
	skewBehind = 2 * time.Minute
	// mute is how long a source may send nothing until the page calls it silent.
	mute = 15 * time.Minute
)

// Clock is what the source's times say of its clock; "" if nothing.
func (x SourceHealth) Clock() string {
	switch {
	case !x.Timed:
		return ""
	case x.Skew > skewAhead.Microseconds():
		return "ahead by " + long(x.Skew) + " or more"
	case -x.Skew > skewBehind.Microseconds():
		return "behind by " + long(-x.Skew) + ", or late by as much"
	}
	return "right"
}

// Delay is how long its last event took to come.
func (x SourceHealth) Delay() string {
	if !x.Timed {
		return ""
	}
	return long(max(0, x.Lag))
}

// Silent is how long nothing came, if that is long; now is our clock.
func (x SourceHealth) Silent(now int64) string {
	switch {
	case x.Seen == 0:
		return "nothing since the start"
	case now-x.Seen > mute.Microseconds():
		return "silent for " + long(now-x.Seen)
	}
	return ""
}

// RejectsPath shows its rejected records.
func (x SourceHealth) RejectsPath() string { return "/rejects?source=" + url.QueryEscape(x.Name) }

// Sources as the API gives them: times in milliseconds.
type sourceDoc struct {
	SourceHealth
	Seen   int64  `json:"seen,omitempty"`
	Newest int64  `json:"newest,omitempty"`
	Lag    *int64 `json:"lag_ms,omitempty"`
	Skew   *int64 `json:"skew_ms,omitempty"`
}

func (s *server) sources() []SourceHealth {
	if s.set.Sources == nil {
		return nil
	}
	return s.set.Sources()
}

func (s *server) apiSources(w http.ResponseWriter, _ *http.Request) {
	docs := []sourceDoc{}
	for _, x := range s.sources() {
		d := sourceDoc{SourceHealth: x, Seen: x.Seen / 1000, Newest: x.Newest / 1000}
		if x.Timed {
			d.Lag, d.Skew = new(x.Lag/1000), new(x.Skew/1000)
		}
		docs = append(docs, d)
	}
	apiReply(w, http.StatusOK, docs)
}

func (s *server) healthRoutes() []route {
	return []route{
		{"GET /api/v1/sources", access.Viewer, s.apiSources},
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
	s.page(w, "health", http.StatusOK, healthPage{s.layout(r, "Health", "health"), s.checks(), s.sources()})
}
