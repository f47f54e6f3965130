package app

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/enrich"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/triage/board"
)

const (
	// fleetPace is how often the store is asked for what robots said since.
	fleetPace = 15 * time.Second
	// fleetOverlap covers rows that were written while the last answer was made.
	fleetOverlap = 2 * time.Minute
	// fleetMemory is how far back from the newest event robots are looked for at the start.
	fleetMemory = 3 * 24 * time.Hour
)

// fleetBoard keeps what robots said last, from the store, so that any role can show it. Its methods may be called concurrently.
type fleetBoard struct {
	db     *store.DB
	tables func() *enrich.Tables
	now    func() int64
	log    *slog.Logger
	board  *board.Board // nil where the role keeps none: incidents are then asked of the store.

	mu       sync.Mutex
	robots   map[string]*robotFacts // by canonical id
	appended int64                  // Our clock: what was written up to then is known.
}

// robotFacts is what a robot said last.
type robotFacts struct {
	seen   int64
	site   string
	zone   string
	traits [len(robotTraits)]console.Trait
	state  int64         // Time of the latest event that tells its state.
	fault  *console.Sign // What that event says is wrong; nil: nothing.
}

// robotTraits are what is kept of a robot, in the order in which pages show it.
var robotTraits = [...]struct {
	name string
	of   func(*event.Event) string
}{
	{"vendor", func(e *event.Event) string { return e.Robot.Vendor }},
	{"model", func(e *event.Event) string { return e.Robot.Model }},
	{"fleet", func(e *event.Event) string { return e.Robot.Fleet }},
	{"firmware", func(e *event.Event) string { return e.Robot.Firmware }},
	{"map", func(e *event.Event) string { return e.Robot.MapUID }},
	{"program", func(e *event.Event) string { return e.Robot.ProgramUID }},
	{"safety_checksum", func(e *event.Event) string { return e.Robot.SafetyChecksum }},
	{"protocol", func(e *event.Event) string { return e.Robot.Protocol }},
	{"mode", captionOf("robot.operating_mode")},
	{"safety_state", captionOf("robot.safety_state")},
	{"connection", captionOf("robot.connection_state")},
	{"address", func(e *event.Event) string { return e.Robot.IP }},
}

// captionOf reads the caption of an enumerated field; "" while it is unknown.
func captionOf(path string) func(*event.Event) string {
	caption, id := event.FieldByPath(path), event.FieldByPath(path+"_id")
	return func(e *event.Event) string {
		if !id.Known(e) {
			return ""
		}
		return caption.Str(e)
	}
}

func newFleetBoard(s *Service) *fleetBoard {
	return &fleetBoard{db: s.db.DB, tables: s.core.Live.Tables, now: s.now, board: s.board, log: s.tel.Log.With("component", "fleet"), robots: map[string]*robotFacts{}}
}

// run asks again and again until ctx ends. What fails is tried again at the next turn.
func (f *fleetBoard) run(ctx context.Context) {
	tick := time.NewTicker(fleetPace)
	defer tick.Stop()
	for failed := false; ; {
		switch err := f.refresh(ctx); {
		case err != nil && ctx.Err() == nil && !failed:
			f.log.Warn("what robots said last cannot be read, trying again", "err", err)
			failed = true
		case err == nil:
			failed = false
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (f *fleetBoard) refresh(ctx context.Context) error {
	f.mu.Lock()
	appended := f.appended
	f.mu.Unlock()
	began := f.now()
	var since int64
	if appended == 0 {
		newest, err := f.db.Newest(ctx)
		if err != nil {
			return err
		}
		since = max(0, newest-fleetMemory.Microseconds())
	}
	events, err := collect(f.db.RobotEvents(ctx, max(0, appended-fleetOverlap.Microseconds()), since))
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range events {
		f.take(e)
	}
	f.appended = began
	return nil
}

// take learns from one event; the caller holds the lock. Events may come again, and in any order.
func (f *fleetBoard) take(e *event.Event) {
	id := e.PrimaryEntity(event.EntityRobot, event.RoleNone)
	if id == "" || e.Robot == nil {
		return
	}
	r := f.robots[id]
	if r == nil {
		r = &robotFacts{}
		f.robots[id] = r
	}
	if e.Time >= r.seen {
		r.seen = e.Time
		r.site, r.zone = first(e.Robot.Site, e.Envelope.Site, r.site), first(e.Robot.Zone, r.zone)
	}
	for i, t := range robotTraits {
		if v := t.of(e); v != "" && e.Time >= r.traits[i].At {
			r.traits[i] = console.Trait{Name: t.name, Value: v, From: e.Envelope.Position.Source, At: e.Time, Event: e.Envelope.ID}
		}
	}
	if wrong, tells := faultOf(e); tells && e.Time >= r.state {
		r.state, r.fault = e.Time, nil
		if wrong != "" {
			r.fault = &console.Sign{Text: wrong, At: e.Time, Event: e.Envelope.ID}
		}
	}
}

func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// The levels and states from which on a robot does not do its work.
const (
	faultUrgent        = 3
	safetyProtective   = 3
	safetyOther        = 99
	connectionOffline  = 2
	connectionSleeping = 4
)

// faultOf says what is wrong with a robot by an event; tells is false for an event that says nothing about that.
func faultOf(e *event.Event) (wrong string, tells bool) {
	r := e.Robot
	switch {
	case e.ClassUID != event.ClassRobotState:
		return "", false
	case e.Fault != nil && (e.Fault.LevelID >= faultUrgent || e.Fault.LevelID == 0):
		return strings.TrimSpace("fault " + first(e.Fault.Code, e.Fault.Name, e.Fault.Desc)), true
	case r.EStopped == event.True:
		return "emergency stop", true
	case r.SafetyStateID >= safetyProtective && r.SafetyStateID != safetyOther:
		return "safety state " + strings.ToLower(event.FieldByPath("robot.safety_state").Str(e)), true
	case r.FieldViolated == event.True:
		return "a protective field is violated", true
	case r.ConnectionID >= connectionOffline && r.ConnectionID <= connectionSleeping:
		return "connection " + strings.ToLower(event.FieldByPath("robot.connection_state").Str(e)), true
	}
	return "", true
}

// Robots implements console.Fleet.
func (f *fleetBoard) Robots(context.Context) ([]console.Robot, error) {
	t := f.tables()
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]console.Robot, 0, len(f.robots))
	for id, r := range f.robots {
		a, known := t.Asset(id)
		x := console.Robot{ID: id, Site: first(a.Site, r.site), Zone: first(a.Zone, r.zone), Known: known, Seen: r.seen, Fault: r.fault, Traits: r.known()}
		out = append(out, x)
	}
	for a := range t.Assets() {
		if a.EntityKind() == event.EntityRobot && f.robots[a.ID] == nil {
			out = append(out, console.Robot{ID: a.ID, Site: a.Site, Zone: a.Zone, Known: true})
		}
	}
	slices.SortFunc(out, func(a, b console.Robot) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

func (r *robotFacts) known() []console.Trait {
	var out []console.Trait
	for _, t := range r.traits {
		if t.Value != "" {
			out = append(out, t)
		}
	}
	return out
}

// traits are what a robot said last; nil for one that said nothing.
func (f *fleetBoard) traits(id string) []console.Trait {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.robots[id]; r != nil {
		return r.known()
	}
	return nil
}

// Heads implements console.Fleet.
func (f *fleetBoard) Heads(ctx context.Context, q console.HeadQuery) ([]console.Head, error) {
	if f.board != nil && q.Working && q.Entity == "" {
		return f.working(ctx)
	}
	if f.board != nil && q.Entity != "" && q.ID.IsZero() && q.Limit > 0 {
		list, page, err := f.listed(ctx, strconv.Quote(q.Entity)+" in entities"+map[bool]string{true: " and open"}[q.Working], board.Cursor{}, q.Limit)
		if err != nil || q.Working || !page.Older {
			return list, err
		}
	}
	filter := store.IncidentFilter{ID: q.ID, Entity: q.Entity, Limit: q.Limit}
	if q.Working {
		filter.Status = []incident.Status{incident.Open, incident.Acknowledged}
	}
	var out []console.Head
	for h, err := range f.db.Heads(ctx, filter) {
		if err != nil {
			return nil, err
		}
		head := console.Head{
			ID: h.ID, Title: h.Title, Status: h.Status, Severity: h.Severity, First: h.First, Last: h.Last, Robots: h.Robots, Entities: h.Entities, Rules: h.Rules, Sites: h.Sites,
		}
		if f.board != nil {
			if c := f.board.Get(h.ID); c != nil {
				head.Assessment = c.Shown()
			}
		}
		out = append(out, head)
	}
	return out, nil
}

// working are the incidents that are worked on, from memory.
func (f *fleetBoard) working(ctx context.Context) ([]console.Head, error) {
	var out []console.Head
	var at board.Cursor
	for {
		list, page, err := f.listed(ctx, "open", at, board.MaxLimit)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
		if at = page.Next; at == (board.Cursor{}) {
			return out, nil
		}
	}
}

// listed are the next incidents in memory that a filter is true of, the last updated first, with the page of the board that they are from.
func (f *fleetBoard) listed(ctx context.Context, filter string, after board.Cursor, limit int) ([]console.Head, board.Page, error) {
	x, err := expression.CompileFilter(filter)
	if err != nil {
		return nil, board.Page{}, err
	}
	page, err := f.board.List(ctx, board.Query{Filter: x, Person: access.Person{Role: access.Viewer}, After: after, Limit: limit, Memory: true})
	if err != nil {
		return nil, board.Page{}, err
	}
	out := make([]console.Head, 0, len(page.Cards))
	for _, c := range page.Cards {
		out = append(out, console.Head{
			ID: c.ID, Title: c.Title, Status: c.Status.String(), Severity: c.Severity, First: c.First, Last: c.Last, Assessment: c.Shown(), Robots: c.Robots, Entities: c.Entities(), Rules: c.Rules(), Sites: c.Sites(),
		})
	}
	return out, page, nil
}

// notebook reads changes from the store.
type notebook struct{ db *store.DB }

// Notes implements console.Notebook.
func (n notebook) Notes(ctx context.Context, q console.NoteQuery) ([]event.Note, error) {
	entities := make([]string, len(q.Entities))
	for i, e := range q.Entities {
		entities[i] = canonicalEntity(e)
	}
	list, err := collect(n.db.Notes(ctx, store.NoteFilter{
		Entities: entities, What: q.What, From: q.From, To: q.To, After: store.EventCursor{Time: q.After.Time, ID: q.After.ID}, Limit: q.Limit,
	}))
	if err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	return list, nil
}
