package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Findings reads findings. ErrNotFound means that there is no such thing.
type Findings interface {
	Finding(ctx context.Context, id event.ID) (*incident.Finding, error)
	// Holder is the incident that holds a finding now; nil if none does.
	Holder(ctx context.Context, finding event.ID) (*incident.Incident, error)
	// Evidence are those of some events that there still are, with the raw text of their records, in no order.
	Evidence(ctx context.Context, ids []event.ID) ([]*event.Event, error)
}

// Explainer says how a finding came about.
type Explainer interface {
	// Read puts events of a finding's evidence to the steps of its rule and asks for nothing else, so it is quick; what guards saw is then unknown.
	Read(f *incident.Finding, evidence []*event.Event) *Explained
	// Explain folds all that the rule saw around the finding again, which may be much.
	Explain(ctx context.Context, finding event.ID) (*Explained, error)
	// Reproduces tries a test of the finding's rule; "" if it passes, else why it does not.
	Reproduces(f *incident.Finding, test string) string
}

// Explained is how a finding came about.
type Explained struct {
	Foreign  string // Why the rules that are loaded cannot explain it; "" if they can. The rest is then empty.
	Steps    []ExplainedStep
	Evidence []ExplainedEvidence
	Guards   []ExplainedGuard
	Given    []string // What a test of its events needs as given, in lines of YAML. Explain leaves it out.
}

// ExplainedStep is what events did at a step, guard or until of the rule.
type ExplainedStep struct {
	ID      string
	Classes []string
	Where   string // The condition; "" for none.
	Seen    int    // Events of its classes that the finding is about.
	Matched int
}

// ExplainedEvidence is what the condition of a step read of an event that satisfied it.
type ExplainedEvidence struct {
	Step  string
	Event event.ID
	Read  []ExplainedValue
}

// ExplainedValue is a part of a condition and the value it had.
type ExplainedValue struct {
	Text, Value string
	Known       bool
}

// ExplainedGuard is a stretch of time in which something would have spoken against the finding. Times are microseconds.
type ExplainedGuard struct {
	ID       string
	From, To int64
	Hits     int // Events of its kind that were there, about something else.
}

// Bounds of a finding's page.
const (
	maxShownEvidence = 25 // Events shown whole; the others are links.
	maxTestEvents    = 200
	explainTime      = 4 * time.Second
)

type findingPage struct {
	layout
	Finding  *incident.Finding
	Holder   *incident.Incident // nil if none, or none that the person may see.
	Evidence []evidenceRow
	More     []incident.Evidence // Evidence that is not shown whole.
	Why      *Explained
	WhyNot   string // Why it is not explained.
	Folded   bool   // Its rule was folded again, for this page.
	Fold     string // Where it is; "" where that cannot be.
	Suppress string // Where to suppress what is like it; "" where that cannot be.
	Test     string // As a test of its rule.
	Rule     string // The rule's page; "" while there is none.
}

// evidenceRow is an event of the evidence as it was understood, beside how it came, and what the rule read of it.
type evidenceRow struct {
	incident.Evidence
	Fields []fieldRow
	Raw    string
	Read   []ExplainedValue
	Where  string
	Gone   bool // The store no longer has it.
}

func (s *server) findingRoutes() []route {
	if s.set.Findings == nil {
		return nil
	}
	return []route{
		{"GET /findings/{id}", access.Viewer, s.finding},
		{"GET /api/v1/findings/{id}", access.Viewer, s.apiFinding},
	}
}

// oneFinding is the finding that a request is about. One whose evidence is of sites that the person may not see is not there.
func (s *server) oneFinding(r *http.Request) (*incident.Finding, error) {
	id, err := idOf(r, event.FindingPrefix)
	if err != nil {
		return nil, err
	}
	f, err := s.set.Findings.Finding(r.Context(), id)
	if err == nil && !access.From(r.Context()).Sees(sitesOfEvidence(f)) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", event.FormatID(event.FindingPrefix, id), err)
	}
	return f, nil
}

// sitesOfEvidence are the sites of a finding's evidence.
func sitesOfEvidence(f *incident.Finding) []string {
	var out []string
	for _, ev := range f.Evidence {
		if ev.Event != nil && ev.Event.Site != "" && !slices.Contains(out, ev.Event.Site) {
			out = append(out, ev.Event.Site)
		}
	}
	return out
}

func (s *server) apiFinding(w http.ResponseWriter, r *http.Request) {
	f, err := s.oneFinding(r)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	reply(w, http.StatusOK, typeJSON, incident.AppendFinding(nil, f))
}

func (s *server) finding(w http.ResponseWriter, r *http.Request) {
	f, err := s.oneFinding(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	p := findingPage{layout: s.layout(r, f.Rule.Title, ""), Finding: f, Suppress: s.suppressLike(r, f), Folded: r.URL.Query().Get("fold") != ""}
	if _, exists := s.needs["GET /rules/{id}"]; exists {
		p.Rule = "/rules/" + url.PathEscape(f.Rule.ID)
	}
	if err := s.fillFinding(r.Context(), &p); err != nil {
		s.problem(w, r, err, "")
		return
	}
	s.page(w, "finding", http.StatusOK, p)
}

// fillFinding reads what the page has beside the finding, all at once.
func (s *server) fillFinding(ctx context.Context, p *findingPage) error {
	var beside sync.WaitGroup
	var holding error
	beside.Go(func() {
		p.Holder, holding = s.set.Findings.Holder(ctx, p.Finding.ID)
		if p.Holder != nil && !p.Who.Sees(p.Holder.Sites) {
			p.Holder = nil
		}
	})
	defer beside.Wait()
	var folding sync.WaitGroup
	if p.Folded {
		folding.Go(func() { p.Why, p.WhyNot = s.explain(ctx, p.Finding) })
	}
	evidence, err := s.evidence(ctx, p)
	folding.Wait()
	if err != nil {
		return err
	}
	if !p.Folded {
		p.Why, p.WhyNot = s.readAgain(p.Finding, evidence)
	}
	if p.Why != nil {
		if !p.Folded {
			p.Fold = "/findings/" + event.FormatID(event.FindingPrefix, p.Finding.ID) + "?fold=1#why"
		}
		for i := range p.Evidence {
			p.Evidence[i].read(p.Why)
		}
	}
	read := p.Why
	if p.Folded {
		read, _ = s.readAgain(p.Finding, evidence)
	}
	p.Test = s.testOf(p.Finding, evidence, read)
	beside.Wait()
	return holding
}

// noRules is why a finding is not explained where there is no explainer.
const noRules = "this console does not read rules"

// readAgain is what a finding's rule reads of its evidence, or why that cannot be said.
func (s *server) readAgain(f *incident.Finding, evidence []*event.Event) (*Explained, string) {
	if s.set.Explainer == nil {
		return nil, noRules
	}
	if x := s.set.Explainer.Read(f, evidence); x.Foreign == "" {
		return x, ""
	} else {
		return nil, x.Foreign
	}
}

// explain is why a finding was found, or why that cannot be said.
func (s *server) explain(ctx context.Context, f *incident.Finding) (*Explained, string) {
	if s.set.Explainer == nil {
		return nil, noRules
	}
	ctx, cancel := context.WithTimeout(ctx, explainTime)
	defer cancel()
	x, err := s.set.Explainer.Explain(ctx, f.ID)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, "too much happened around it to fold it again while you wait: tocsin rules explain does"
	case err != nil:
		return nil, err.Error()
	case x.Foreign != "":
		return nil, x.Foreign
	}
	return x, ""
}

// evidence reads the events of a finding, as far as the store still has them and the person sees them, and gives those.
func (s *server) evidence(ctx context.Context, p *findingPage) ([]*event.Event, error) {
	f := p.Finding
	p.More = f.Evidence[min(len(f.Evidence), maxShownEvidence):]
	var ids []event.ID
	for _, ev := range f.Evidence[:len(f.Evidence)-len(p.More)] {
		if ev.Event != nil {
			p.Evidence = append(p.Evidence, evidenceRow{Evidence: ev, Gone: true})
			ids = append(ids, ev.Event.Event)
		}
	}
	list, err := s.set.Findings.Evidence(ctx, ids)
	if err != nil {
		return nil, err
	}
	byID := map[event.ID]*event.Event{}
	for _, e := range list {
		if p.Who.Sees(sitesOf(e)) {
			byID[e.Envelope.ID] = e
		}
	}
	var whole []*event.Event
	for i := range p.Evidence {
		row := &p.Evidence[i]
		if e := byID[row.Event.Event]; e != nil {
			row.Gone, row.Fields, row.Raw = false, fieldsOf(e), string(visible(e.Envelope.Raw))
			whole = append(whole, e)
		}
	}
	return whole, nil
}

// read takes from an explanation what the rule read of the event.
func (row *evidenceRow) read(x *Explained) {
	for _, s := range x.Steps {
		if s.ID == row.Step {
			row.Where = s.Where
		}
	}
	for _, v := range x.Evidence {
		if v.Event == row.Event.Event && (v.Step == row.Step || row.Read == nil) {
			row.Read = v.Read
		}
	}
}

// suppressLike is the page on which a suppression of findings like this one begins: of its rule, and of the first thing that its match is about.
func (s *server) suppressLike(r *http.Request, f *incident.Finding) string {
	if _, exists := s.needs["GET /suppressions/new"]; !exists || !access.From(r.Context()).May(access.Analyst) {
		return ""
	}
	lists := map[event.EntityKind]string{event.EntityUser: "users", event.EntityRobot: "robots", event.EntityDevice: "devices", event.EntityIP: "addresses"}
	expression := "rule == " + strconv.Quote(f.Rule.ID)
	for _, v := range f.Vars {
		kind, name, _ := strings.Cut(v.Value, ":")
		if list := lists[event.EntityKindOf(kind)]; list != "" && name != "" {
			expression += " and " + strconv.Quote(name) + " in " + list
			break
		}
	}
	return "/suppressions/new?" + url.Values{"expression": {expression}, "title": {"Like " + clip(80, f.Rule.Title)}}.Encode()
}
