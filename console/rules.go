package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/incident"
)

// Rules is what the console knows of rules, and where authors try theirs. Files are the truth: nothing here changes one.
type Rules interface {
	// Rules lists the rules in force, by id, with what they did.
	Rules(ctx context.Context) ([]RuleStanding, error)
	// Rule is one of them whole; ErrNotFound if there is none.
	Rule(ctx context.Context, id string) (*RuleSheet, error)
	// Near tells what came close to a match of a rule within the last hours.
	Near(ctx context.Context, id string, hours int) (*RuleNear, error)
	// Try checks the text of rules, runs its tests, plays pasted records past it and, for days above 0, the events of the last days.
	// Its errors wrap ErrQuestion where what was asked is at fault; what is wrong with the text is in the result.
	Try(ctx context.Context, t RuleAttempt) (*RuleTrial, error)
}

// RuleStanding is a rule in force with what it did.
type RuleStanding struct {
	ID       string            `json:"id"`
	Version  int32             `json:"version"`
	Title    string            `json:"title"`
	Severity incident.Severity `json:"severity"`
	Status   string            `json:"status"`
	Owner    string            `json:"owner"`
	Tags     []string          `json:"tags"`
	File     string            `json:"file"`
	Line     int               `json:"line"`
	Edited   int64             `json:"edited"` // When the file was last changed, microseconds; 0: shipped with the program.

	Hits     int64    `json:"hits"`     // Since this process started, as are the next ones.
	Tried    int64    `json:"tried"`    // How often an event was tried at one of its steps: the cost of matching.
	Keys     int      `json:"keys"`     // Kept now.
	Late     int64    `json:"late"`     // Hits that came too late.
	Errors   int64    `json:"errors"`   // Expressions without a result.
	Findings int64    `json:"findings"` // Of the last 30 days, withdrawn ones left out.
	Last     int64    `json:"last"`     // Event time of the newest of them, microseconds; 0 if there is none.
	Right    int64    `json:"right"`    // Closed incidents with a finding of it whose verdict says that there was something,
	Wrong    int64    `json:"wrong"`    // and whose verdict says that there was not.
	Troubles []string `json:"troubles"` // What somebody should look at.
}

// Precision is the share of verdicts that say there was something, in per cent; −1 while there is no verdict.
func (r *RuleStanding) Precision() int {
	if r.Right+r.Wrong == 0 {
		return -1
	}
	return int((200*r.Right + r.Right + r.Wrong) / (2 * (r.Right + r.Wrong)))
}

// RuleSheet is a rule whole.
type RuleSheet struct {
	RuleStanding
	Description    string     `json:"description"`
	Response       string     `json:"response"`
	FalsePositives []string   `json:"false_positives"`
	References     []string   `json:"references"`
	Words          string     `json:"words"` // The plan in a few sentences.
	Key            []string   `json:"key"`
	Text           string     `json:"text"` // As it stands in its file.
	Chains         []Chain    `json:"chains"`
	Days           []DayCount `json:"days"` // Findings by day, the last 30, oldest first.
	Tests          int        `json:"tests"`
}

// Chain is one way in which a rule matches: its steps in order, with what speaks against it.
type Chain struct {
	Kind   string      `json:"kind"`
	Within string      `json:"within"`
	Steps  []ChainStep `json:"steps"`
	Guards []ChainStep `json:"guards"` // What must not happen, and what ends it.
}

// ChainStep is a step, guard or end of a chain.
type ChainStep struct {
	Name    string   `json:"name"`
	Role    string   `json:"role"` // step, unless or until.
	Classes []string `json:"classes"`
	Where   string   `json:"where"`
	When    string   `json:"when"` // before a, after b, between …
	Times   int      `json:"times"`
	Binds   []string `json:"binds"` // variable = what of the event
}

// DayCount is a number of findings on a UTC day.
type DayCount struct {
	Day   string `json:"day"`
	Count int64  `json:"count"`
}

// RuleNear is what came close, and what the rule's steps saw.
type RuleNear struct {
	Hours  int        `json:"hours"`
	Events int        `json:"events"` // That were looked at.
	Steps  []NearStep `json:"steps"`
	Fates  []NearFate `json:"fates"` // The last ones first.
	More   int        `json:"more"`
}

// NearStep is how many events of a step's classes came, and how many satisfied it.
type NearStep struct {
	Name    string `json:"name"`
	Seen    int    `json:"seen"`
	Matched int    `json:"matched"`
	Reason  string `json:"reason"` // Why the nearest that did not, did not.
}

// NearFate is something that almost became a finding, and why it did not.
type NearFate struct {
	At     int64    `json:"at"`
	Key    string   `json:"key"`
	Text   string   `json:"text"`
	Events []string `json:"events"` // Ids.
}

// RuleAttempt is what an author wants to try.
type RuleAttempt struct {
	Text    string // Rules as a file holds them.
	Records string // Log lines as they come from a source; none if empty.
	Format  string // Of the records.
	Days    int    // Of the past to play; 0: none.
}

// RuleTrial is what came of it.
type RuleTrial struct {
	Problems []RuleProblem `json:"problems"`
	Loaded   []string      `json:"loaded"` // Ids of the rules, none if there is an error.
	Neat     string        `json:"neat"`   // The text as `tocsin rules fmt` lays it out; empty if it is so already or does not parse.
	Tests    []RuleTested  `json:"tests"`
	Played   *RulePlayed   `json:"played,omitempty"`
	Past     []RulePast    `json:"past,omitempty"`
	PastDays int           `json:"past_days,omitempty"`
}

// RuleProblem is something wrong, or doubtful, at a place of the text.
type RuleProblem struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Code    string `json:"code"`
	Error   bool   `json:"error"` // Else a warning.
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// RuleTested is one test of the text.
type RuleTested struct {
	Rule       string `json:"rule"`
	Test       string `json:"test"`
	Line       int    `json:"line"`
	Passed     bool   `json:"passed"`
	Variants   int    `json:"variants"`   // Derived runs that passed.
	Difference string `json:"difference"` // What was wanted and what came.
}

// RulePlayed is what pasted records came to.
type RulePlayed struct {
	Events   int        `json:"events"`
	Rejects  []string   `json:"rejects"` // Why records did not become events.
	Findings []string   `json:"findings"`
	Steps    []NearStep `json:"steps"`
	Fates    []NearFate `json:"fates"`
}

// RulePast is what a rule would have found in the past.
type RulePast struct {
	Rule     string   `json:"rule"`
	Findings int      `json:"findings"`
	PerDay   float64  `json:"per_day"`
	Top      []string `json:"top"`
	Cost     string   `json:"cost"`
	New      int      `json:"new"`  // Found by the text and not by the rule in force,
	Gone     int      `json:"gone"` // and the other way round.
}

const (
	ruleNearHours = 24
	maxRuleText   = 256 << 10
	maxRuleTry    = 2 << 20
	maxRuleDays   = 30
)

func (s *server) ruleRoutes() []route {
	if s.set.Rules == nil {
		return nil
	}
	return []route{
		{"GET /rules", access.Viewer, s.rules},
		{"GET /rules/{id}", access.Viewer, s.rule},
		{"GET /rules/editor", access.Author, s.ruleEditor},
		{"POST /rules/editor", access.Author, s.ruleTry},
		{"GET /api/v1/rules", access.Viewer, s.apiRules},
		{"GET /api/v1/rules/{id}", access.Viewer, s.apiRule},
		{"POST /api/v1/rules/try", access.Author, s.apiRuleTry},
	}
}

type rulesPage struct {
	layout
	Rules          []RuleStanding
	Text, Sort     string
	Status, Owner  string
	Sorts          []string
	Owners         []string
	All            int
	Findings       int64
	Silent, Judged int
}

// ruleSorts are the orders of the list.
var ruleSorts = map[string]func(a, b RuleStanding) int{
	"id":        func(a, b RuleStanding) int { return strings.Compare(a.ID, b.ID) },
	"findings":  func(a, b RuleStanding) int { return int(b.Findings - a.Findings) },
	"severity":  func(a, b RuleStanding) int { return int(b.Severity) - int(a.Severity) },
	"precision": func(a, b RuleStanding) int { return rank(a.Precision()) - rank(b.Precision()) },
	"cost":      func(a, b RuleStanding) int { return int(b.Tried - a.Tried) },
}

// rank puts rules without verdicts behind those with.
func rank(precision int) int {
	if precision < 0 {
		return 101
	}
	return precision
}

var ruleSortNames = []string{"id", "findings", "severity", "precision", "cost"}

func (s *server) rules(w http.ResponseWriter, r *http.Request) {
	list, err := s.set.Rules.Rules(r.Context())
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	q := r.URL.Query()
	p := rulesPage{
		layout: s.layout(r, "Rules", "rules"), Text: typed(q.Get("q")), Sort: q.Get("sort"), Status: q.Get("status"), Owner: typed(q.Get("owner")),
		Sorts: ruleSortNames, All: len(list),
	}
	for i := range list {
		if o := list[i].Owner; o != "" && !slices.Contains(p.Owners, o) {
			p.Owners = append(p.Owners, o)
		}
	}
	slices.Sort(p.Owners)
	order := ruleSorts[p.Sort]
	if order == nil {
		p.Sort, order = "id", ruleSorts["id"]
	}
	for i := range list {
		if p.shows(&list[i]) {
			p.count(&list[i])
			p.Rules = append(p.Rules, list[i])
		}
	}
	slices.SortStableFunc(p.Rules, order)
	s.page(w, "rules", http.StatusOK, p)
}

func (p *rulesPage) shows(x *RuleStanding) bool {
	if p.Status != "" && x.Status != p.Status || p.Owner != "" && x.Owner != p.Owner {
		return false
	}
	text := strings.ToLower(p.Text)
	return text == "" || strings.Contains(strings.ToLower(x.ID+" "+x.Title+" "+strings.Join(x.Tags, " ")), text)
}

func (p *rulesPage) count(x *RuleStanding) {
	p.Findings += x.Findings
	if x.Findings == 0 {
		p.Silent++
	}
	if x.Precision() >= 0 {
		p.Judged++
	}
}

type rulePage struct {
	layout
	Rule   *RuleSheet
	Drawn  []chainDrawing
	Most   int64
	Near   *RuleNear // nil where it was not asked for.
	Hours  int
	Author bool
}

func (s *server) rule(w http.ResponseWriter, r *http.Request) {
	sheet, err := s.set.Rules.Rule(r.Context(), r.PathValue("id"))
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	p := rulePage{layout: s.layout(r, sheet.ID+" "+sheet.Title, "rules"), Rule: sheet, Drawn: drawChains(sheet.Chains), Hours: ruleNearHours}
	p.Author = p.Who.May(access.Author)
	for _, d := range sheet.Days {
		p.Most = max(p.Most, d.Count)
	}
	if h := r.URL.Query().Get("near"); h != "" {
		if p.Hours, err = numberIn(h, 1, 24*maxRuleDays); err == nil {
			p.Near, err = s.set.Rules.Near(r.Context(), sheet.ID, p.Hours)
		}
		if err != nil {
			s.problem(w, r, err, "")
			return
		}
	}
	s.page(w, "rule", http.StatusOK, p)
}

// numberIn reads a number of a form.
func numberIn(text string, least, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%w: %q is not a number from %d to %d", errBadRequest, clip(20, text), least, most)
	}
	return n, nil
}

func (s *server) apiRules(w http.ResponseWriter, r *http.Request) {
	list, err := s.set.Rules.Rules(r.Context())
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	apiReply(w, http.StatusOK, list)
}

func (s *server) apiRule(w http.ResponseWriter, r *http.Request) {
	sheet, err := s.set.Rules.Rule(r.Context(), r.PathValue("id"))
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	apiReply(w, http.StatusOK, sheet)
}
