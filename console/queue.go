package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/board"
)

// Board is the current incidents.
type Board interface {
	// List gives the cards that pass, in order.
	List(ctx context.Context, q board.Query) (board.Page, error)
	// Get is the card of an incident; nil if there is none.
	Get(id event.ID) *board.Card
	// Of is the card of an incident at the revision that a change made.
	Of(c *incident.Change) *board.Card
	// Last is the sequence of the last change on the board.
	Last() triage.Sequence
}

// working is the filter of the queue as it opens: what somebody has to look at.
const working = "open and not snoozed"

// queueRows is how many incidents a page of the queue has, unless ?limit= says otherwise.
const queueRows = 100

// ask is what a request wants of the board, as text.
type ask struct {
	Q     string // The filter.
	Sort  board.Sort
	After board.Cursor
	Limit int
	View  string // The saved view it came from; "" for none.
}

// askOf reads ?q=, ?sort=, ?cursor= and ?limit=.
func askOf(form url.Values, limit int) (a ask, err error) {
	a = ask{Q: typed(form.Get("q")), Limit: limit, View: form.Get("view")}
	if form.Has("after") {
		return a, fmt.Errorf("%w: the queue goes on by cursor, not by after: take next from the page before", errBadRequest)
	}
	if text := form.Get("sort"); text != "" {
		if a.Sort, err = board.SortOf(text); err != nil {
			return a, fmt.Errorf("%w: %w", errBadRequest, err)
		}
	}
	if a.After, err = board.ParseCursor(form.Get("cursor")); err != nil {
		return a, fmt.Errorf("%w: cursor: %w", errBadRequest, err)
	}
	if text := form.Get("limit"); text != "" {
		if a.Limit, err = strconv.Atoi(text); err != nil || a.Limit < 1 || a.Limit > board.MaxLimit {
			return a, fmt.Errorf("%w: limit is a number from 1 to %d", errBadRequest, board.MaxLimit)
		}
	}
	return a, nil
}

// query is the question to the board. Merged incidents come where the filter speaks of them.
func (a ask) query(who access.Person) (board.Query, error) {
	f, err := filterIn(a.Q)
	return board.Query{Filter: f, Person: who, Merged: strings.Contains(a.Q, "merged"), Sort: a.Sort, After: a.After, Limit: a.Limit}, err
}

// address is the queue's with this question.
func (a ask) address() string {
	v := url.Values{"q": {a.Q}}
	if a.Sort != (board.Sort{}) {
		v.Set("sort", a.Sort.String())
	}
	if text := a.After.String(); text != "" {
		v.Set("cursor", text)
	}
	if a.View != "" {
		v.Set("view", a.View)
	}
	return "/incidents?" + v.Encode()
}

type queuePage struct {
	layout
	Ask        ask
	Wrong      string // What is wrong with the filter.
	Page       board.Page
	Columns    []column
	Facets     []facetGroup
	Tabs       []tab
	Views      []QueueView
	Severities []string
	Owners     []string
	Next       string // The address of the next page; "" if there is none.
	First      string // The address of the first page, on later ones.
	Live       string // The address of the stream of what is new.
	Feeds      bool   // The view has feeds.
	Exports    map[string]string
	Acts       bool
	Signed     bool // The name is that of who signed in.
	Verdicts   []incident.Verdict
	Naps       []nap
	Report     *report
	Kept       bool // Views can be kept.
	Most       int
}

// column is a head of the table that sorts.
type column struct {
	Name, Address string
	Sorted        string // ascending, descending or "".
}

type tab struct {
	Name, Address string
	Active        bool
}

type facetGroup struct {
	Name   string
	Values []facetValue
	More   int
}

type facetValue struct {
	Text    string
	N       int
	Address string
	Active  bool
}

func (s *server) queueRoutes() []route {
	if s.set.Board == nil {
		return nil
	}
	routes := []route{
		{"GET /incidents", access.Viewer, s.queue},
		{"GET /incidents.csv", access.Viewer, s.exportCSV},
		{"GET /incidents.ndjson", access.Viewer, s.exportNDJSON},
	}
	if s.set.Analyst != nil {
		routes = append(routes, route{"POST /incidents", access.Analyst, s.bulk})
	}
	return routes
}

// queue is the list of incidents. The simple controls become part of the expression, so that what is shown always has one.
func (s *server) queue(w http.ResponseWriter, r *http.Request) {
	form := r.URL.Query()
	a, err := askOf(form, queueRows)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	composed := a.Q
	for _, p := range parts {
		if v := typed(form.Get(p.field)); v != "" {
			composed = narrowed(composed, p.condition(v))
		}
	}
	if composed != a.Q {
		a.Q, a.After, a.View = composed, board.Cursor{}, ""
		http.Redirect(w, r, a.address(), http.StatusSeeOther)
		return
	}
	if !form.Has("q") {
		a.Q = working
	}
	s.showQueue(w, r, http.StatusOK, a, nil)
}

// showQueue answers with the queue; report is what an act has come to.
func (s *server) showQueue(w http.ResponseWriter, r *http.Request, status int, a ask, report *report) {
	p := queuePage{
		layout: s.layout(r, "Queue", "queue"), Ask: a, Severities: expression.FilterSeverities(), Report: report, Verdicts: incident.Verdicts(), Naps: naps, Most: maxPicks,
	}
	p.Acts, p.Signed = s.set.Analyst != nil && p.Who.May(access.Analyst), p.Who.Via != "loopback"
	query, err := a.query(p.Who)
	if err != nil {
		p.Wrong, status = sayOf(http.StatusBadRequest, err), max(status, http.StatusBadRequest)
		query.Limit = -1
	}
	query.Facets = true
	if p.Wrong == "" {
		if p.Page, err = s.set.Board.List(r.Context(), query); err != nil {
			s.problem(w, r, err, "")
			return
		}
	}
	if p.Views, err = s.viewsOf(r); err != nil {
		s.problem(w, r, err, "")
		return
	}
	p.Kept = s.set.Saved != nil
	p.frame(s.set.Board.Last())
	s.page(w, "queue", status, p)
}

// frame makes the links around the rows.
func (p *queuePage) frame(last triage.Sequence) {
	a := p.Ask
	first := a
	first.After = board.Cursor{}
	if a.After != (board.Cursor{}) {
		p.First = first.address()
	}
	if p.Page.Next != (board.Cursor{}) {
		next := a
		next.After = p.Page.Next
		p.Next = next.address()
	}
	p.Columns = columnsOf(first)
	for _, t := range []struct{ name, q string }{
		{"To do", working},
		{"Mine", "open and assignee == " + strconv.Quote(p.Who.Name)},
		{"Unassigned", `open and assignee == ""`},
		{"Snoozed", "open and snoozed"},
		{"Closed", `status == "closed"`},
		{"All", ""},
	} {
		p.Tabs = append(p.Tabs, tab{t.name, ask{Q: t.q}.address(), a.View == "" && a.Q == t.q})
	}
	for _, f := range p.Page.Facets {
		g := facetGroup{Name: f.Name, More: f.More}
		for _, c := range f.Counts {
			condition, to := facetPart(f.Name, c.Value), first
			active := has(a.Q, condition)
			if active {
				to.Q = widened(a.Q, condition)
			} else {
				to.Q = narrowed(a.Q, condition)
			}
			to.View = ""
			g.Values = append(g.Values, facetValue{c.Value, c.N, to.address(), active})
		}
		if f.Name == "owner" {
			for _, c := range f.Counts {
				p.Owners = append(p.Owners, c.Value)
			}
		}
		p.Facets = append(p.Facets, g)
	}
	query := url.Values{"q": {a.Q}, "since": {last.String()}, "views": {"no"}}.Encode()
	p.Live = "/api/v1/stream?" + query
	export := "?" + url.Values{"q": {a.Q}, "sort": {a.Sort.String()}}.Encode()
	p.Exports = map[string]string{"CSV": "/incidents.csv" + export, "NDJSON": "/incidents.ndjson" + export}
	p.Feeds = slices.ContainsFunc(p.Views, func(v QueueView) bool { return v.ID == a.View })
}

// columnsOf are the heads of the table.
func columnsOf(a ask) []column {
	var out []column
	for _, c := range []struct{ name, by string }{
		{"Severity", "severity"},
		{"Incident", "findings"},
		{"Status", ""},
		{"Owner", ""},
		{"Robots", "robots"},
		{"Domains", ""},
		{"First event", "first"},
		{"Age", "opened"},
		{"Updated", "updated"},
	} {
		x := column{Name: c.name}
		if c.by != "" {
			now := cmp.Or(a.Sort.By, "updated") == c.by
			to := a
			to.Sort = board.Sort{By: c.by, Ascending: now && !a.Sort.Ascending}
			x.Address = to.address()
			if now {
				x.Sorted = map[bool]string{true: "ascending", false: "descending"}[a.Sort.Ascending]
			}
		}
		out = append(out, x)
	}
	return out
}

func typed(s string) string {
	drop := func(r rune) rune {
		if hidden(r) || r == '\n' || r == '\t' {
			return -1
		}
		return r
	}
	return strings.TrimSpace(strings.Map(drop, strings.ToValidUTF8(s, "")))
}
