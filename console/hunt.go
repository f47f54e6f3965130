package console

import (
	"context"
	"encoding/json"
	"errors"
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

// Hunter searches events. Its errors wrap ErrQuestion where the question is at fault. It is called from many goroutines at once.
type Hunter interface {
	// Hunt gives a page of at most Limit events, the newest first, without raw text.
	Hunt(ctx context.Context, h Hunt) (Hunted, error)
	// Counts counts the events by stretches of width microseconds.
	Counts(ctx context.Context, h Hunt, width int64) (Tally, error)
	// Groups counts the events by the value of a field, and gives the top most frequent values.
	Groups(ctx context.Context, h Hunt, field string, top int) (Tally, error)
	// Columns are the fields that are searched and grouped by fast.
	Columns() []string
}

// ErrQuestion means that a question cannot be answered as it was put; the text says why and what to do.
var ErrQuestion = errors.New("question")

// Hunt is what is looked for. Empty members do not narrow.
type Hunt struct {
	Expression string   // As rules write conditions over one event.
	From, To   int64    // Event time in microseconds, from inclusive, to exclusive.
	Classes    []string // As rules write them.
	Entity     string   // Canonical id.
	Text       string   // Part of the raw text, without regard to ASCII case.
	Sites      []string // Only events of these sites or of none; nil: of all.
	After      Place    // Go on behind this event.
	Limit      int
}

// Place is an event's place in the order of time.
type Place struct {
	Time int64 // Microseconds.
	ID   event.ID
}

// Hunted is a page of what was found.
type Hunted struct {
	Events   []*event.Event
	Next     Place // Where to go on; the zero value at the end.
	Exact    bool  // The store alone decided. Otherwise the events it narrowed down to were looked at one by one,
	Examined int   // so many of them,
	Cut      bool  // and there were too many of them to fill the page.
}

// Tally is what was counted.
type Tally struct {
	Buckets []Bucket `json:"buckets,omitempty"` // By start; those without events are left out.
	Groups  []Group  `json:"groups,omitempty"`  // The most frequent first.
	Values  int64    `json:"values,omitempty"`  // How many different values there are.
	Total   int64    `json:"total"`
	Cut     bool     `json:"cut"`             // Only the newest events were looked at,
	Since   int64    `json:"since,omitempty"` // back to this time in microseconds.
}

// Bucket is how many events there were from a time on.
type Bucket struct {
	Start int64 `json:"start"` // Microseconds.
	Count int64 `json:"count"`
}

// Group is a value with its events.
type Group struct {
	Value string `json:"value"` // "" is unknown.
	Count int64  `json:"count"`
	First int64  `json:"first"` // Microseconds.
	Last  int64  `json:"last"`
}

// What a page of a hunt shows.
const (
	huntLimit  = 50
	huntTop    = 15
	maxHuntAPI = 1000
	maxHunt    = 8 << 10 // Bytes of an expression.
)

// ranges are the stretches of time to choose from, up to now.
var ranges = []timeRange{
	{"15m", "15 minutes", 15 * time.Minute},
	{"1h", "1 hour", time.Hour},
	{"24h", "24 hours", 24 * time.Hour},
	{"7d", "7 days", 7 * 24 * time.Hour},
	{"30d", "30 days", 30 * 24 * time.Hour},
	{"all", "all", 0},
}

type timeRange struct {
	Key, Name string
	Span      time.Duration // 0: all.
}

const usualRange = "24h"

func (s *server) huntRoutes() []route {
	if s.set.Hunter == nil {
		return nil
	}
	list := []route{{"GET /hunt", access.Viewer, s.hunt}, {"GET /api/v1/hunt", access.Viewer, s.apiHunt}}
	if s.set.Views != nil {
		list = append(list, route{"POST /hunt/views", access.Analyst, s.keepView})
	}
	return list
}

// question is a hunt as an address asks it.
type question struct {
	Hunt
	Range string // Which of ranges; "" where From and To are given.
	By    string // The field to group by.
	asked url.Values
}

// questionOf reads a hunt from an address.
func (s *server) questionOf(r *http.Request) (question, error) {
	v := r.URL.Query()
	q := question{asked: v, Range: v.Get("range"), By: typed(v.Get("by"))}
	q.Expression, q.Entity, q.Text, q.Limit = strings.TrimSpace(v.Get("q")), typed(v.Get("entity")), typed(v.Get("text")), huntLimit
	for _, list := range v["class"] {
		q.Classes = append(q.Classes, strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })...)
	}
	if len(q.Expression) > maxHunt {
		return q, fmt.Errorf("%w: the expression has %d bytes; at most %d fit", ErrQuestion, len(q.Expression), maxHunt)
	}
	if q.Entity != "" && entityPath(q.Entity) == "" {
		return q, noEntity(q.Entity)
	}
	if who := access.From(r.Context()); who.Sites != nil {
		q.Sites = who.Sites
	}
	var err error
	if q.From, q.To, err = s.span(v, &q.Range); err != nil {
		return q, err
	}
	if after := v.Get("after"); after != "" {
		q.After, err = placeOf(after)
	}
	return q, err
}

// span reads range, or from and to.
func (s *server) span(v url.Values, named *string) (from, to int64, err error) {
	if v.Get("from") != "" || v.Get("to") != "" {
		*named = ""
		if from, err = timeOf(v.Get("from")); err != nil {
			return 0, 0, err
		}
		to, err = timeOf(v.Get("to"))
		return from, to, err
	}
	if *named == "" {
		*named = usualRange
	}
	i := slices.IndexFunc(ranges, func(x timeRange) bool { return x.Key == *named })
	if i < 0 {
		return 0, 0, fmt.Errorf("%w: range is one of 15m, 1h, 24h, 7d, 30d, all, not %q", ErrQuestion, clip(40, *named))
	}
	if ranges[i].Span == 0 {
		return 0, 0, nil
	}
	return s.set.Now() - ranges[i].Span.Microseconds(), 0, nil
}

var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999", "2006-01-02 15:04:05.999999", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}

// timeOf reads a time, in UTC where it names no zone; 0 for nothing.
func timeOf(s string) (int64, error) {
	if s = strings.TrimSpace(s); s == "" {
		return 0, nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixMicro(), nil
		}
	}
	return 0, fmt.Errorf("%w: %q is not a time: write 2026-11-21 02:00:00 (UTC), or with a zone 2026-11-21T02:00:00+01:00", ErrQuestion, clip(60, s))
}

// A place in an address is time, dot, id.
func placeOf(s string) (Place, error) {
	at, rest, _ := strings.Cut(s, ".")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return Place{}, fmt.Errorf("%w: after is no place of a hunt: take it from the answer before", ErrQuestion)
	}
	id, err := event.ParseID(event.EventPrefix, rest)
	if err != nil {
		return Place{}, fmt.Errorf("%w: after: %w", ErrQuestion, err)
	}
	return Place{micros, id}, nil
}

// String is the place as addresses carry it; "" for none.
func (p Place) String() string {
	if p == (Place{}) {
		return ""
	}
	return strconv.FormatInt(p.Time, 10) + "." + p.ID.String()
}

type huntPage struct {
	layout
	Question question
	Ranges   []timeRange
	Columns  []string
	Refused  string // Why there is nothing to see.
	Rows     []huntRow
	Found    Hunted
	Next     string // Address of the next page.
	Histo    *histogram
	Slow     string // Why the counts are missing.
	Groups   []groupRow
	Tally    Tally
	Views    []View
	MaySave  bool
	Pin      *incident.Incident // The incident to send this hunt to.
	Here     string             // Path and query of this very hunt.
	Clear    string             // The same without a bound on time.
}

// huntRow is an event with the values that lead on.
type huntRow struct {
	*event.Event
	Cells  []cell
	Pivots []pivot
}

// pivot is an entity with its page.
type pivot struct{ Name, Path string }

// pivotsOf are the entities that an event is about, each once.
func pivotsOf(e *event.Event) []pivot {
	var out []pivot
	for _, x := range e.Entities {
		p := pivot{x.ID, entityPath(x.ID)}
		if x.Role != event.RoleReporter && x.Strength > event.Context && p.Path != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

func (s *server) hunt(w http.ResponseWriter, r *http.Request) {
	q, err := s.questionOf(r)
	p := huntPage{layout: s.layout(r, "Hunt", "hunt"), Question: q, Ranges: ranges, Columns: s.set.Hunter.Columns()}
	p.Here, p.Clear = q.path(), q.with("range", "all", "from", "", "to", "").path()
	p.MaySave = s.set.Views != nil && p.Who.May(access.Analyst)
	if err == nil {
		err = s.find(r, &p)
	}
	status := http.StatusOK
	if err != nil {
		if status = s.statusOf(err); status != http.StatusBadRequest {
			s.problem(w, r, err, "")
			return
		}
		p.Refused = sayOf(status, err)
	}
	s.page(w, "hunt", status, p)
}

// find fills a page: its events, its counts by time and, if asked for, by value, all at once.
func (s *server) find(r *http.Request, p *huntPage) (err error) {
	if p.Pin, err = s.pinned(r); err != nil {
		return err
	}
	if s.set.Views != nil {
		if p.Views, err = s.set.Views.Views(r.Context()); err != nil {
			return err
		}
	}
	q := p.Question
	width := widthOf(q.From, q.To, s.set.Now())
	counted, grouped := make(chan outcome, 1), make(chan outcome, 1)
	count := func() { t, err := s.set.Hunter.Counts(r.Context(), q.Hunt, width); counted <- outcome{t, err} }
	if q.Text == "" {
		go count()
	}
	go func() {
		if q.By == "" {
			grouped <- outcome{}
			return
		}
		t, err := s.set.Hunter.Groups(r.Context(), q.Hunt, q.By, huntTop)
		grouped <- outcome{t, err}
	}()
	p.Found, err = s.set.Hunter.Hunt(r.Context(), q.Hunt)
	switch {
	case q.Text == "":
	case err == nil && p.Found.Next == (Place{}) && q.After == (Place{}): // A search for text reads much: what it found is all there is.
		counted <- outcome{tallyOf(p.Found.Events, width), nil}
	default:
		count()
	}
	counts, groups := <-counted, <-grouped
	switch {
	case err != nil:
		return err
	case counts.err != nil:
		p.Slow = sayOf(s.statusOf(counts.err), counts.err)
	case counts.Total > 0:
		p.Histo = histogramOf(counts.Tally, q, width)
	}
	if groups.err != nil {
		return groups.err
	}
	p.Tally, p.Groups = groups.Tally, groupRows(q, groups.Tally)
	for _, e := range p.Found.Events {
		p.Rows = append(p.Rows, huntRow{e, cellsOf(q, e), pivotsOf(e)})
	}
	if p.Found.Next != (Place{}) {
		p.Next = q.with("after", p.Found.Next.String()).path()
	}
	return nil
}

// tallyOf counts events that are the newest first.
func tallyOf(events []*event.Event, width int64) Tally {
	t := Tally{Total: int64(len(events))}
	for _, e := range slices.Backward(events) {
		start := floorTo(e.Time, width)
		if n := len(t.Buckets); n > 0 && t.Buckets[n-1].Start == start {
			t.Buckets[n-1].Count++
			continue
		}
		t.Buckets = append(t.Buckets, Bucket{start, 1})
	}
	return t
}

type outcome struct {
	Tally
	err error
}

// pinned is the incident that the address says the hunt is for; nil without one.
func (s *server) pinned(r *http.Request) (*incident.Incident, error) {
	at := r.URL.Query().Get("incident")
	if at == "" || s.set.Analyst == nil || !access.From(r.Context()).May(access.Analyst) {
		return nil, nil
	}
	id, err := event.ParseID(event.IncidentPrefix, at)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrQuestion, err)
	}
	return s.set.Reader.Incident(r.Context(), id)
}

// apiHunt answers the same as the page does: events as OCSF, and with counts or by the tallies.
func (s *server) apiHunt(w http.ResponseWriter, r *http.Request) {
	q, err := s.questionOf(r)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	if n := r.URL.Query().Get("limit"); n != "" {
		if q.Limit, err = strconv.Atoi(n); err != nil || q.Limit < 1 || q.Limit > maxHuntAPI {
			s.apiProblem(w, fmt.Errorf("%w: limit is 1 to %d", ErrQuestion, maxHuntAPI))
			return
		}
	}
	answer := huntAnswer{Events: []json.RawMessage{}}
	found, err := s.set.Hunter.Hunt(r.Context(), q.Hunt)
	if err == nil && q.asked.Has("counts") {
		answer.Counts = new(Tally)
		*answer.Counts, err = s.set.Hunter.Counts(r.Context(), q.Hunt, widthOf(q.From, q.To, s.set.Now()))
	}
	if err == nil && q.By != "" {
		answer.By = new(Tally)
		*answer.By, err = s.set.Hunter.Groups(r.Context(), q.Hunt, q.By, huntTop)
	}
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	for _, e := range found.Events {
		answer.Events = append(answer.Events, event.AppendOCSF(nil, e, false))
	}
	answer.Next, answer.Cut = found.Next.String(), found.Cut
	apiReply(w, http.StatusOK, answer)
}

type huntAnswer struct {
	Events []json.RawMessage `json:"events"`
	Next   string            `json:"next,omitempty"` // Give it as after to go on.
	Cut    bool              `json:"cut"`
	Counts *Tally            `json:"counts,omitempty"`
	By     *Tally            `json:"groups,omitempty"`
}
