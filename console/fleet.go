package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// Fleet is what is known of robots, and which incidents there are in short.
type Fleet interface {
	// Robots lists every robot of the inventory, and those that events spoke of lately, by id.
	Robots(ctx context.Context) ([]Robot, error)
	// Heads lists incidents in short, the last updated first: those that are worked on, or all that name an entity.
	Heads(ctx context.Context, q HeadQuery) ([]Head, error)
}

// HeadQuery says which incidents are wanted.
type HeadQuery struct {
	ID      event.ID // Only this one; zero for any.
	Working bool     // Only open and acknowledged ones.
	Entity  string   // Canonical id that they name; "" for any.
	Limit   int      // 0 for no limit.
}

// Head is an incident in short.
type Head struct {
	ID          event.ID
	Title       string
	Status      string
	Severity    incident.Severity
	First, Last int64  // Event time, microseconds.
	Assessment  string // What a person answered, else what the evidence says; "" where that is not known.
	Robots      []string
	Entities    []string
	Rules       []string
	Sites       []string
}

// Robot is what is known of a robot.
type Robot struct {
	ID     string // Canonical.
	Site   string
	Zone   string
	Known  bool  // The inventory has it.
	Seen   int64 // Time of its latest event, microseconds; 0 for never.
	Traits []Trait
	Fault  *Sign // What says that it is in a fault; nil if nothing does.
}

// Trait is something that a machine has, as the inventory says or as it was last seen.
type Trait struct {
	Name  string   `json:"name"` // firmware, map, mode …
	Value string   `json:"value"`
	From  string   `json:"from"`         // inventory, or the source of the event.
	At    int64    `json:"at,omitempty"` // When it was seen, microseconds; 0 for the inventory.
	Event event.ID `json:"-"`
}

// Sign is an event that says something about a robot.
type Sign struct {
	Text  string
	At    int64
	Event event.ID
}

// The states of a robot, the worst first.
const (
	robotIncident = "security incident"
	robotFault    = "fault"
	robotUnknown  = "unknown"
	robotNormal   = "normal"
)

var robotStates = []string{robotIncident, robotFault, robotUnknown, robotNormal}

// quiet is how long a robot may say nothing until its state is unknown.
const quiet = 15 * time.Minute

// robotRow is a robot with its state and why.
type robotRow struct {
	Robot
	State     string
	Why       string
	Incidents []Head // Those it is in, the most severe first.
}

// Path is the robot's page.
func (r robotRow) Path() string { return entityPath(r.ID) }

// Class is the state as a style sheet names it.
func (r robotRow) Class() string {
	return strings.ReplaceAll(r.State, " ", "-")
}

// broken reports whether an incident is read as a malfunction.
func broken(h Head) bool { return h.Assessment == triage.Malfunction }

// rowOf decides a robot's state: what people work on comes before what it says itself, and silence before peace.
func rowOf(r Robot, in []Head, now int64) robotRow {
	row := robotRow{Robot: r, Incidents: in, State: robotNormal}
	switch {
	case len(in) > 0 && len(slices.DeleteFunc(slices.Clone(in), broken)) == 0:
		row.State = robotFault
	case len(in) > 0:
		row.State = robotIncident
	case r.Fault != nil:
		row.State, row.Why = robotFault, r.Fault.Text
	case r.Seen == 0:
		row.State, row.Why = robotUnknown, "no event of it was ever seen"
		if !r.Known {
			row.Why = "only named by others"
		}
	case now-r.Seen > quiet.Microseconds():
		row.State, row.Why = robotUnknown, "silent for "+long(now-r.Seen)
	default:
		row.Why = "last heard of " + ago(now, r.Seen)
	}
	return row
}

func (s *server) fleetRoutes() []route {
	if s.set.Fleet == nil {
		return nil
	}
	return []route{{"GET /fleet", access.Viewer, s.fleet}, {"GET /api/v1/fleet", access.Viewer, s.apiFleet}}
}

// fleetAsked is the page's form.
type fleetAsked struct{ Incident, Rule, User, Zone, State, Text string }

type fleetPage struct {
	layout
	Asked  fleetAsked
	Asking bool // Something narrows the page.
	States []stateCount
	Zones  []zoneRows
	Total  int
	Shown  int
}

type stateCount struct {
	State, Class, Path string
	Count              int
}

// zoneRows are the robots of a zone: those that want an eye one by one, the others by name.
type zoneRows struct {
	Zone, Path string
	Total      int
	Wanting    []robotRow
	More       int // Wanting robots that are not shown.
	Normal     []robotRow
	Quiet      int // Normal robots that are not shown.
}

// How many robots of a zone a page shows: of all zones, fewer where there are many zones, or of the one asked for.
const (
	zoneWanting, zoneNormal = 25, 40
	zoneLeast               = 5
	allWanting, allNormal   = 400, 600
	oneZone                 = 1000
)

// rowsOfFleet are the robots that the address asks for, by state and id, and how many there are to see in all.
func (s *server) rowsOfFleet(r *http.Request) (a fleetAsked, rows []robotRow, counts map[string]int, err error) {
	v := r.URL.Query()
	a = fleetAsked{typed(v.Get("incident")), typed(v.Get("rule")), typed(v.Get("user")), typed(v.Get("zone")), typed(v.Get("state")), typed(v.Get("q"))}
	if a.State != "" && !slices.Contains(robotStates, a.State) {
		return a, nil, nil, fmt.Errorf("%w: state is one of %s, not %q", ErrQuestion, strings.Join(robotStates, ", "), clip(40, a.State))
	}
	var only event.ID
	if a.Incident != "" {
		if only, err = event.ParseID(event.IncidentPrefix, a.Incident); err != nil {
			return a, nil, nil, fmt.Errorf("%w: %w", ErrQuestion, err)
		}
	}
	robots, err := s.set.Fleet.Robots(r.Context())
	if err != nil {
		return a, nil, nil, err
	}
	heads, err := s.set.Fleet.Heads(r.Context(), HeadQuery{ID: only, Working: only == event.ID{}})
	if err != nil {
		return a, nil, nil, err
	}
	in := headsByRobot(heads, a, only)
	who, now := access.From(r.Context()), s.set.Now()
	counts = map[string]int{}
	narrowed := a.Incident != "" || a.Rule != "" || a.User != ""
	for _, x := range robots {
		if !who.Sees(siteList(x.Site)) || narrowed && len(in[x.ID]) == 0 || a.Zone != "" && x.Zone != a.Zone || !strings.Contains(strings.ToLower(x.ID), strings.ToLower(a.Text)) {
			continue
		}
		row := rowOf(x, in[x.ID], now)
		counts[row.State]++
		if a.State == "" || row.State == a.State {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(x, y robotRow) int {
		return cmp.Or(cmp.Compare(slices.Index(robotStates, x.State), slices.Index(robotStates, y.State)), strings.Compare(x.ID, y.ID))
	})
	return a, rows, counts, nil
}

// headsByRobot are the incidents that pass the filter, by the robots in them, the most severe first.
func headsByRobot(heads []Head, a fleetAsked, only event.ID) map[string][]Head {
	user := a.User
	if user != "" && !strings.HasPrefix(user, "user:") {
		user = "user:" + user
	}
	out := map[string][]Head{}
	for _, h := range heads {
		if only != (event.ID{}) && h.ID != only || a.Rule != "" && !slices.Contains(h.Rules, a.Rule) || user != "" && !slices.Contains(h.Entities, user) {
			continue
		}
		for _, r := range h.Robots {
			out[r] = append(out[r], h)
		}
	}
	for _, list := range out {
		slices.SortStableFunc(list, func(x, y Head) int { return cmp.Compare(y.Severity, x.Severity) })
	}
	return out
}

func (s *server) fleet(w http.ResponseWriter, r *http.Request) {
	a, rows, counts, err := s.rowsOfFleet(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	p := fleetPage{layout: s.layout(r, "Fleet", "fleet"), Asked: a, Asking: a != fleetAsked{}, Shown: len(rows)}
	here := question{asked: r.URL.Query()}
	for _, state := range robotStates {
		p.Total += counts[state]
		p.States = append(p.States, stateCount{state, strings.ReplaceAll(state, " ", "-"), "/fleet?" + here.with("state", state).Query(), counts[state]})
	}
	p.Zones = zonesOf(rows, a.Zone != "" || a.State != "", here)
	s.page(w, "fleet", http.StatusOK, p)
}

// zonesOf puts robots, which come by state, into their zones, by name; whole shows as many as a page can bear.
func zonesOf(rows []robotRow, whole bool, here question) []zoneRows {
	byName := map[string]*zoneRows{}
	for _, row := range rows {
		if byName[row.Zone] == nil {
			byName[row.Zone] = &zoneRows{Zone: row.Zone, Path: "/fleet?" + here.with("zone", row.Zone).Query()}
		}
	}
	wanting, normal := oneZone, oneZone
	if !whole {
		wanting = min(max(allWanting/max(1, len(byName)), zoneLeast), zoneWanting)
		normal = min(max(allNormal/max(1, len(byName)), zoneLeast), zoneNormal)
	}
	for _, row := range rows {
		z := byName[row.Zone]
		z.Total++
		switch {
		case row.State == robotNormal && len(z.Normal) < normal:
			z.Normal = append(z.Normal, row)
		case row.State == robotNormal:
			z.Quiet++
		case len(z.Wanting) < wanting:
			z.Wanting = append(z.Wanting, row)
		default:
			z.More++
		}
	}
	out := make([]zoneRows, 0, len(byName))
	for _, z := range byName {
		out = append(out, *z)
	}
	slices.SortFunc(out, func(x, y zoneRows) int { return strings.Compare(x.Zone, y.Zone) })
	return out
}

// robotDoc is a robot as the API gives it.
type robotDoc struct {
	ID        string   `json:"id"`
	Zone      string   `json:"zone,omitempty"`
	Site      string   `json:"site,omitempty"`
	State     string   `json:"state"`
	Why       string   `json:"why,omitempty"`
	Event     string   `json:"event,omitempty"`     // That says so.
	Incidents []string `json:"incidents,omitempty"` // The most severe first.
	Seen      int64    `json:"seen,omitempty"`      // Milliseconds.
	Traits    []Trait  `json:"traits,omitempty"`
}

func (s *server) apiFleet(w http.ResponseWriter, r *http.Request) {
	_, rows, _, err := s.rowsOfFleet(r)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	docs := make([]robotDoc, 0, len(rows))
	for _, row := range rows {
		d := robotDoc{ID: row.ID, Zone: row.Zone, Site: row.Site, State: row.State, Why: row.Why, Seen: row.Seen / 1000, Traits: row.Traits}
		if row.Fault != nil {
			d.Event = row.Fault.Event.String()
		}
		for _, h := range row.Incidents {
			d.Incidents = append(d.Incidents, event.FormatID(event.IncidentPrefix, h.ID))
		}
		docs = append(docs, d)
	}
	apiReply(w, http.StatusOK, map[string]any{"as_of": s.set.Now() / 1000, "robots": docs})
}
