package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/triage"
)

// Measures is what the measures are made of. It is called from many goroutines at once.
type Measures interface {
	// Measured lists the incidents opened since a moment of our clock, in microseconds, that sees lets through.
	Measured(since int64, sees func(sites []string) bool) []triage.Measured
}

// periods are the days that measures can be asked for.
var periods = []int{1, 7, 30, 90, 365}

const defaultPeriod = 30

// maxGroups is how many groups and rules the page shows.
const maxGroups = 50

type measuresPage struct {
	layout
	Days       int
	Periods    []int
	By         string
	Groupings  []string
	Spreads    []triage.Spread
	Noise      triage.Noise
	Rates      []rate
	Precisions []triage.Precision
	Groups     []triage.Group
	More       int // Groups that are not shown.
}

// rate is a share of something, in words.
type rate struct {
	Name string
	Of   string
	A, B int
}

// Share is the rate; negative where there is nothing to share.
func (x rate) Share() float64 { return triage.Share(x.A, x.B) }

func (s *server) measureRoutes() []route {
	if s.set.Measures == nil {
		return nil
	}
	return []route{{"GET /measures", access.Viewer, s.measures}, {"GET /api/v1/measures", access.Viewer, s.apiMeasures}}
}

// measured reads what is asked for: the days back, what to group by, and the incidents.
func (s *server) measured(r *http.Request) (list []triage.Measured, days int, by string, err error) {
	q := r.URL.Query()
	days, by = defaultPeriod, q.Get("by")
	if text := q.Get("days"); text != "" {
		i := slices.IndexFunc(periods, func(d int) bool { return fmt.Sprint(d) == text })
		if i < 0 {
			return nil, 0, "", fmt.Errorf("%w: days is one of %s, not %q", errBadRequest, choices(periods), clip(20, text))
		}
		days = periods[i]
	}
	if by == "" {
		by = triage.Groupings()[0]
	}
	if !slices.Contains(triage.Groupings(), by) {
		return nil, 0, "", fmt.Errorf("%w: by is one of %s, not %q", errBadRequest, strings.Join(triage.Groupings(), ", "), clip(20, by))
	}
	who := access.From(r.Context())
	since := s.set.Now() - (time.Duration(days) * 24 * time.Hour).Microseconds()
	return s.set.Measures.Measured(since, who.Sees), days, by, nil
}

func (s *server) measures(w http.ResponseWriter, r *http.Request) {
	list, days, by, err := s.measured(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	now := s.set.Now()
	n := triage.NoiseOf(list)
	p := measuresPage{
		layout: s.layout(r, "Measures", "measures"), Days: days, Periods: periods, By: by, Groupings: triage.Groupings(), Spreads: triage.Spreads(list, now), Noise: n,
		Precisions: triage.Precisions(list), Rates: ratesOf(n),
	}
	p.Precisions = p.Precisions[:min(maxGroups, len(p.Precisions))]
	p.Groups, _ = triage.Groups(list, by, now)
	p.More = max(0, len(p.Groups)-maxGroups)
	p.Groups = p.Groups[:len(p.Groups)-p.More]
	s.page(w, "measures", http.StatusOK, p)
}

func ratesOf(n triage.Noise) []rate {
	return []rate{
		{"Closed without anybody having opened the page", "closed by people", n.ClosedUnviewed, n.Closed},
		{"Closed by Tocsin, because the findings did not stand", "incidents", n.Withdrawn, n.Incidents},
		{"Findings taken out by people: stitched too wide", "incidents", n.Detached, n.Incidents},
		{"Merged by people: stitched too narrow", "incidents", n.Merged, n.Incidents + n.Merged},
		{"Reopened", "incidents", n.Reopened, n.Incidents},
		{"Answers changed after all three had been given", "understood", n.Revised, n.Understood},
	}
}

// measuresDoc is the measures as the API has them. Durations are seconds.
type measuresDoc struct {
	Days       int                `json:"days"`
	Durations  []triage.Spread    `json:"durations"`
	Noise      triage.Noise       `json:"noise"`
	Precisions []triage.Precision `json:"rules"`
	By         string             `json:"by"`
	Groups     []triage.Group     `json:"groups"`
}

func (s *server) apiMeasures(w http.ResponseWriter, r *http.Request) {
	list, days, by, err := s.measured(r)
	if err != nil {
		done(w, s.troubleOf(err, nil))
		return
	}
	groups, _ := triage.Groups(list, by, s.set.Now())
	apiReply(w, http.StatusOK, measuresDoc{days, triage.Spreads(list, s.set.Now()), triage.NoiseOf(list), triage.Precisions(list), by, groups})
}

// lasting is a duration in the two largest units that say something; a dash where it is not known.
func lasting(x triage.Seconds) string {
	if !x.Known() {
		return "–"
	}
	d := time.Duration(float64(x) * float64(time.Second))
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// percent is a share; a dash where there is none.
func percent(x float64) string {
	if x < 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*x)
}
