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
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Suppressions is what the console reads of suppressions. It is called from many goroutines at once.
type Suppressions interface {
	// Suppressions lists them, those that have ended as well. The slice is not changed by either side.
	Suppressions() []incident.Suppression
	// Preview says what an expression would have matched lately; the error says why it is none.
	Preview(ctx context.Context, expression string) (Impact, error)
}

// Impact is what a suppression would have kept out, had it been there.
type Impact struct {
	Since     int64    `json:"since"`     // Microseconds.
	Looked    int      `json:"looked_at"` // Findings that were tried, the newest ones.
	Cut       bool     `json:"cut"`       // There were more.
	Findings  int      `json:"findings"`  // That it matches.
	Incidents int      `json:"incidents"` // With at least one of them.
	Whole     int      `json:"whole"`     // Of those, with nothing else in them: they would not have been opened.
	Rules     []string `json:"rules"`     // Of the findings, sorted; the first few.
	Severe    int      `json:"severe"`    // Findings of severity high or worse.
}

// soon is within what time the end of a suppression is near.
const soon = 3 * 24 * time.Hour

// suppressionRow is a suppression with what it is at the moment.
type suppressionRow struct {
	incident.Suppression
	State string // active, planned, ended, revoked or broken.
	Soon  bool   // It ends soon.
}

// heldTable is a table of suppressions, with what the person may do with them.
type heldTable struct {
	Label   string
	Rows    []suppressionRow
	Can     bool
	AskName bool
}

type suppressionsPage struct {
	layout
	Can           bool
	Held, Windows heldTable
}

// draft is a suppression as a form has it.
type draft struct {
	Title, Expression, Owner, Reason, From, Until string
	Maintenance                                   bool
}

type draftPage struct {
	layout
	Draft   draft
	Impact  *Impact
	Problem string
	AskName bool
	Ready   bool // It can be made as it is.
}

func (s *server) suppressionRoutes() []route {
	if s.set.Suppressions == nil {
		return nil
	}
	list := []route{
		{"GET /suppressions", access.Viewer, s.suppressions},
		{"GET /api/v1/suppressions", access.Viewer, s.apiSuppressions},
		{"GET /api/v1/suppressions/preview", access.Viewer, s.apiPreview},
	}
	if s.set.Analyst == nil {
		return list
	}
	list = append(list, route{"GET /suppressions/new", access.Analyst, s.draftSuppression}, route{"POST /suppressions", access.Analyst, s.suppress}, route{"POST /suppressions/{id}/revoke", access.Analyst, s.unsuppress})
	if s.set.Replies == nil {
		return list
	}
	return append(list, route{"POST /api/v1/suppressions", access.Analyst, s.apiSuppress}, route{"POST /api/v1/suppressions/{id}/revoke", access.Analyst, s.apiUnsuppress})
}

// heldRow says what a suppression is at a moment of our clock. Its times are those of events; where these are late, it goes on for them.
func heldRow(x incident.Suppression, now int64) suppressionRow {
	row := suppressionRow{Suppression: x, State: "active"}
	switch {
	case x.Revoked != 0:
		row.State = "revoked"
	case x.Broken != "":
		row.State = "broken"
	case x.Until <= now:
		row.State = "ended"
	case x.From > now:
		row.State = "planned"
	default:
		row.Soon = x.Until-now <= soon.Microseconds()
	}
	return row
}

// suppressionRows are all of them, those that hold first, and of these those that end first.
func (s *server) suppressionRows(maintenance bool) []suppressionRow {
	now := s.set.Now()
	var out []suppressionRow
	for _, x := range s.set.Suppressions.Suppressions() {
		if x.Maintenance == maintenance {
			out = append(out, heldRow(x, now))
		}
	}
	order := []string{"broken", "active", "planned", "ended", "revoked"}
	slices.SortStableFunc(out, func(a, b suppressionRow) int {
		c := cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State))
		if c == 0 && (a.State == "ended" || a.State == "revoked") {
			return cmp.Compare(b.Until, a.Until)
		}
		return cmp.Or(c, cmp.Compare(a.Until, b.Until))
	})
	return out
}

func (s *server) suppressions(w http.ResponseWriter, r *http.Request) {
	p := suppressionsPage{layout: s.layout(r, "Suppressions and maintenance", "suppressions")}
	p.Can = s.set.Analyst != nil && maySuppress(p.Who) == nil
	asks := p.Who.Via == "loopback"
	p.Held = heldTable{"Suppressions", s.suppressionRows(false), p.Can, asks}
	p.Windows = heldTable{"Maintenance windows", s.suppressionRows(true), p.Can, asks}
	s.page(w, "suppressions", http.StatusOK, p)
}

// maySuppress refuses people who see some sites only: an expression is not bound to a site.
func maySuppress(who access.Person) error {
	if !who.May(access.Analyst) || who.Sites != nil {
		return fmt.Errorf("%w: a suppression concerns all sites; this needs the role analyst for all of them", errForbidden)
	}
	return nil
}

// draftSuppression shows a form, and what the suppression would have kept out. The address holds the whole draft, so that it can be passed on.
func (s *server) draftSuppression(w http.ResponseWriter, r *http.Request) {
	who := access.From(r.Context())
	if err := maySuppress(who); err != nil {
		s.problem(w, r, err, "")
		return
	}
	p := draftPage{layout: s.layout(r, "New suppression", "suppressions"), Draft: draftOf(r.URL.Query()), AskName: who.Via == "loopback"}
	if p.Draft.Maintenance {
		p.Title = "New maintenance window"
	}
	if p.Draft.Until == "" {
		p.Draft.Until = stamp(s.set.Now()+(7*24*time.Hour).Microseconds(), formTime)
	}
	if p.Draft.Expression != "" {
		s.preview(r.Context(), &p)
	}
	s.page(w, "suppression", http.StatusOK, p)
}

func (s *server) preview(ctx context.Context, p *draftPage) {
	impact, err := s.set.Suppressions.Preview(ctx, p.Draft.Expression)
	if err != nil {
		p.Problem = sayOf(http.StatusBadRequest, err)
		return
	}
	p.Impact = &impact
	if _, err := p.Draft.suppression(); err != nil {
		p.Problem = err.Error()
		return
	}
	p.Ready = true
}

// formTime is how a form's field of date and time writes one, in UTC.
const formTime = "2006-01-02T15:04"

func draftOf(q url.Values) draft {
	get := func(name string) string { return tidied(strings.ToValidUTF8(q.Get(name), "\uFFFD")) }
	return draft{
		Title: get("title"), Expression: get("expression"), Owner: get("owner"), Reason: get("reason"), From: get("from"), Until: get("until"),
		Maintenance: q.Get("kind") == "maintenance",
	}
}

// suppression reads the draft's times; the rest is the log's to check.
func (d draft) suppression() (*incident.Suppression, error) {
	x := &incident.Suppression{Title: d.Title, Expression: d.Expression, Owner: d.Owner, Reason: d.Reason, Maintenance: d.Maintenance}
	for _, f := range []struct {
		name, text string
		to         *int64
		must       bool
	}{{"the beginning", d.From, &x.From, d.Maintenance}, {"the end", d.Until, &x.Until, true}} {
		if f.text == "" && !f.must {
			continue
		}
		at, err := time.Parse(formTime, f.text)
		if err != nil {
			return nil, fmt.Errorf("%s is a date and a time in UTC, such as 2026-11-21T14:30, not %q", f.name, clip(40, f.text))
		}
		*f.to = at.UnixMicro()
	}
	for _, f := range [][2]string{{"a title", d.Title}, {"an owner", d.Owner}, {"a reason", d.Reason}, {"an expression", d.Expression}} {
		if f[1] == "" {
			return nil, fmt.Errorf("%s is missing", f[0])
		}
	}
	return x, nil
}

// suppress makes a suppression from a form. The same form sent twice makes one.
func (s *server) suppress(w http.ResponseWriter, r *http.Request) {
	a, err := s.suppressForm(w, r)
	if err == nil {
		_, err = s.set.Analyst.Act(r.Context(), a)
	}
	if err != nil {
		s.problem(w, r, err, "/suppressions/new?"+r.PostForm.Encode())
		return
	}
	http.Redirect(w, r, "/suppressions", http.StatusSeeOther)
}

func (s *server) suppressForm(w http.ResponseWriter, r *http.Request) (incident.Action, error) {
	a := incident.Action{Kind: incident.ActionSuppress, At: s.set.Now()}
	if err := s.globalForm(w, r, &a); err != nil {
		return a, err
	}
	x, err := draftOf(r.PostForm).suppression()
	if err != nil {
		return a, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	a.Suppression = x
	a.ID = event.NewID("suppress", a.By, x.Title, x.Expression, x.Owner, x.Reason, strconv.FormatInt(x.From, 10), strconv.FormatInt(x.Until, 10), strconv.FormatBool(x.Maintenance))
	return a, nil
}

// globalForm reads who sends a form about suppressions, and whether they may.
func (s *server) globalForm(w http.ResponseWriter, r *http.Request, a *incident.Action) error {
	who := access.From(r.Context())
	if err := maySuppress(who); err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: the form cannot be read: %w", errBadRequest, err)
	}
	a.By = who.Name
	if who.Via == "loopback" {
		by, err := text(r.PostForm, "by", "your name", maxName)
		if err != nil {
			return fmt.Errorf("%w: %w", errBadRequest, err)
		}
		a.By = cmp.Or(by, who.Name)
	}
	return nil
}

func (s *server) unsuppress(w http.ResponseWriter, r *http.Request) {
	id, err := idOf(r, event.SuppressionPrefix)
	a := incident.Action{Kind: incident.ActionUnsuppress, At: s.set.Now(), Suppression: &incident.Suppression{ID: id}, ID: event.NewID("unsuppress", string(id[:]))}
	if err == nil {
		err = s.globalForm(w, r, &a)
	}
	if err == nil {
		_, err = s.set.Analyst.Act(r.Context(), a)
	}
	if err != nil {
		s.problem(w, r, err, "/suppressions")
		return
	}
	http.Redirect(w, r, "/suppressions", http.StatusSeeOther)
}
