// Package console is the web console and HTTP API on loopback: the queue, an incident with its three answers, timeline and reasons, an event
// with raw beside normalised, rejects and health. Pages are rendered on the server and work without
// the script that they load where one was built in. All text from events is hostile: it
// reaches a page only through html/template, and every answer passes visible, which spells out control and direction-changing characters.
package console

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Reader is what the console reads. ErrNotFound means that there is no such thing. It is called from many goroutines at once.
type Reader interface {
	// Incidents are the latest revisions of those incidents, in the order of the ids; what there is not is left out.
	Incidents(ctx context.Context, ids []event.ID) ([]*incident.Incident, error)
	// Incident is the latest revision of one.
	Incident(ctx context.Context, id event.ID) (*incident.Incident, error)
	// Event is one event with its raw record.
	Event(ctx context.Context, id event.ID) (*event.Event, error)
	// Rejects lists the latest records that could not become events, the newest first, at most limit.
	Rejects(ctx context.Context, limit int) ([]event.Reject, error)
}

// Analyst carries out what an analyst does; it returns once the act is in the log. Its errors wrap incident.ErrStale, ErrUnknown or
// ErrRefused where the act is at fault. An action with the id of an earlier one does nothing.
type Analyst interface {
	Act(ctx context.Context, a incident.Action) ([]incident.Change, error)
}

// Looks is told that somebody who can act looked at an incident for the first time. It takes that to the log beside the page, before acts that come
// later where one process does all, and whatever becomes of the request.
type Looks interface {
	Look(a incident.Action)
}

// ErrNotFound is what a Reader returns for ids it does not have.
var ErrNotFound = errors.New("not found")

// Check is one line of the health page.
type Check struct {
	Name   string `json:"name"`
	Good   bool   `json:"good"`
	Detail string `json:"detail"`
}

// Settings is what the console is made of. Reader, Log and Now must be set.
type Settings struct {
	Reader    Reader
	Outbox    Outbox // This and the next two: nil: no page of integrations.
	Endpoints Endpoints
	Routes    Routes
	Analyst   Analyst                           // nil: read only.
	Looks     Looks                             // nil: first looks are not kept.
	Board     Board                             // nil: no queue and no lists in the API.
	Saved     QueueViews                        // nil: no saved views of the queue and no feeds of them.
	Feed      Feed                              // nil: no stream of changes.
	Hunter    Hunter                            // nil: no hunting.
	Views     Views                             // nil: hunts are not kept.
	Rules     Rules                             // nil: no pages of rules.
	Notes     Notebook                          // nil: no page of changes.
	Fleet     Fleet                             // nil: no page of robots.
	Entities  Entities                          // nil: no pages of entities; they need Hunter, Notes and Fleet too.
	Health    func() []Check                    // Asked for each health page; nil: nothing to tell.
	Mounts    map[string]http.Handler           // Further handlers by ServeMux pattern, such as the feed and the HTTP sources.
	Person    func(*http.Request) access.Person // Who asks; nil: whoever reaches this address may do everything.
	Bundle    fs.FS                             // The folder assets with the browser's script; nil: what was built in.
	Hosts     []string                          // Names and addresses, without port, that requests may be addressed to beside loopback.
	Log       *slog.Logger
	Now       func() int64 // Microseconds.

	Sources func() []SourceHealth // The health of each source; nil: nothing to tell.
	// RejectsOf lists the latest rejects of one source, the newest first; nil: only those of all are shown.
	RejectsOf func(ctx context.Context, source string, limit int) ([]event.Reject, error)

	Access  *access.Service // Who may sign in; nil: nobody does, and Person says who asks.
	Audit   Auditor         // Where it is kept who did what; nil: nowhere.
	Proxies []netip.Prefix  // Those whose word for a client's address is taken.
	TLS     bool            // Browsers reach this address over TLS.

	Summaries Summaries // What a model made of incidents; nil: no model is asked.

	Source string // Who speaks in exports, such as urn:tocsin:plant-1.
	URL    string // Where people reach the console, for links in exports; none if empty.

	Around     Surroundings // What else happened around an incident; nil: its timeline cannot be widened.
	History    History      // What happened to an incident; nil: not shown.
	Deliveries Deliveries   // What was sent out about it; nil: not shown.
	Findings   Findings     // nil: no pages of findings.
	Explainer  Explainer    // Why a finding was found; nil: not explained.

	Replies      Replies      // nil: no API that acts.
	Suppressions Suppressions // nil: no pages of suppressions.
	Measures     Measures     // nil: no measures.
	Shift        Shift        // nil: no handover.

	Patience time.Duration // A client that gives or takes nothing for so long is hung up on; 0: 30 s.
}

//go:embed pages
var pages embed.FS

// bundle is what `make build` makes of console/web; without it there is only a note that says so.
//
//go:embed assets
var bundle embed.FS

// server answers requests; its methods are handlers.
type server struct {
	set       Settings
	templates map[string]*template.Template
	files     *staticFiles
	needs     map[string]access.Role // by pattern: the least role
	limits    limits
}

// New makes the handler. It does not listen. The error names a page that does not parse or a mount whose pattern cannot be served.
func New(set Settings) (http.Handler, error) {
	templates, err := parse(pages)
	if err != nil {
		return nil, err
	}
	files, err := readFiles(pages, cmp.Or[fs.FS](set.Bundle, bundle))
	if err != nil {
		return nil, err
	}
	s := &server{set: set, templates: templates, files: files, needs: map[string]access.Role{}, limits: newLimits(set.Now)}
	s.set.Reader = sited{set.Reader}
	if set.Analyst != nil {
		s.set.Analyst = siteAnalyst{set.Reader, set.Analyst}
	}
	mux := http.NewServeMux()
	for _, x := range s.routes() {
		s.needs[x.pattern] = x.needs
		mux.Handle(x.pattern, s.admit(x))
	}
	mux.HandleFunc("/", s.elsewhere(mux))
	for pattern, h := range set.Mounts {
		if err := mount(mux, pattern, s.admit(mounted(pattern, h))); err != nil {
			return nil, err
		}
	}
	return s.guard(mux), nil
}

// mount adds a handler whose pattern comes from outside; ServeMux panics on one that it cannot serve.
func mount(mux *http.ServeMux, pattern string, h http.Handler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("console mount %q: %v", pattern, p)
		}
	}()
	mux.Handle(pattern, h)
	return nil
}

// page renders one page whole before it sends anything, so that a page that fails is an error and not half a page.
func (s *server) page(w http.ResponseWriter, name string, status int, data any) {
	var b bytes.Buffer
	if err := s.templates[name].ExecuteTemplate(&b, "layout.html", data); err != nil {
		s.set.Log.Error("console page failed", "page", name, "err", err)
		http.Error(w, "This page could not be made; Tocsin's log says why.", http.StatusInternalServerError)
		return
	}
	reply(w, status, "text/html; charset=utf-8", b.Bytes())
}

// reply sends a body. A client that is gone is nobody's error.
func reply(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(visible(body))
}
