package triage

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// The stages of an action: look before deciding, contain what goes on, restore what was changed.
const (
	StageCheck   = "check"
	StageContain = "contain"
	StageRestore = "restore"
)

// The authorities: who may decide. They are the teams that own incidents.
const (
	ByIT         = "it"
	ByOT         = "ot"
	ByRobots     = "robot-operations"
	ByFacilities = "facilities"
	BySafety     = "safety"
)

// authorities is what people call them.
var authorities = map[string]string{ByIT: "IT", ByOT: "OT", ByRobots: "Robot operations", ByFacilities: "Facilities", BySafety: "Safety"}

// AuthorityTitle is what people call an authority.
func AuthorityTitle(name string) string {
	if t := authorities[name]; t != "" {
		return t
	}
	return name
}

// Action is something that people may decide to do about an incident. Tocsin asks for it and never does it, nor lets another program do it:
// Executes is always false.
type Action struct {
	ID         string   // Ours, such as lock-account.
	References []string // What others call it: RE&CT (RA3601), D3FEND (D3-AL).
	Stage      string
	Title      string
	Effect     string
	Undo       string   // How it is taken back; "" if it cannot be, or there is nothing to take back.
	Moves      bool     // It moves or stops machinery, or may.
	Authority  string   // Who decides: it, ot, robot-operations, facilities or safety.
	People     int      // How many named people must agree.
	Prechecks  []string // What must be true before, for the safety of people and of the plant.
	Evidence   []string // What to keep before it.
	Tell       []string // Who is told.
	Targets    []string // Canonical ids of what it is about, of this incident; none in the library.
	Executes   bool
}

// Say is the action in one line, with who decides: IT: lock the account.
func (a *Action) Say() string { return AuthorityTitle(a.Authority) + ": " + a.Title }

// maxActions and maxTargets bound what is proposed at once.
const (
	maxActions = 16 // Beside the checks.
	maxTargets = 10
)

// Actions are those of the library that an incident gives reason for, checks first, with what they are about. assessment is the reading that
// counts: what a person answered, or what the rules say. An action on something in a robot cell is OT's to decide, the same on an office
// laptop IT's: where an incident gives reason for both there are two. The same incident gives the same actions.
func Actions(in *incident.Incident, assessment string) []Action {
	f := factsOf(in)
	out := f.checks()
	looks := len(out)
	for i := range library {
		if p := &library[i]; p.Stage != StageCheck && f.calls(p, assessment) {
			out = append(out, f.aim(p)...)
		}
	}
	return out[:min(len(out), looks+maxActions)]
}

// Library lists every action there is.
func Library() []Action {
	out := make([]Action, 0, len(library))
	for i := range library {
		out = append(out, library[i].action())
	}
	return out
}

func (p *proposal) action() Action {
	a := p.Action
	a.People = 1
	if a.Moves {
		a.People = 2
	}
	return a
}

// checks are the looks that come before any decision, at most maxChecks.
func (f *facts) checks() []Action {
	var out []Action
	for i := range library {
		if p := &library[i]; p.Stage == StageCheck && len(out) < maxChecks && f.calls(p, "") {
			out = append(out, p.action())
		}
	}
	return out
}

// calls reports whether the incident gives reason for an action.
func (f *facts) calls(p *proposal, assessment string) bool {
	if len(p.readings) > 0 && !slices.Contains(p.readings, assessment) {
		return false
	}
	return p.always || len(f.where(p.classes)) > 0 || f.tagged(p.tags) ||
		slices.ContainsFunc(f.notes, func(n event.Note) bool { return slices.Contains(p.changes, n.What) })
}

func (f *facts) tagged(tags []string) bool {
	return len(tags) > 0 && slices.ContainsFunc(f.in.Findings, func(x incident.Finding) bool {
		return slices.ContainsFunc(x.Rule.Tags, func(t string) bool { return under(t, tags) })
	})
}

// aim gives an action its targets. Without any of its kinds there is nothing to do it to.
func (f *facts) aim(p *proposal) []Action {
	a := p.action()
	if len(p.kinds) == 0 {
		return []Action{a}
	}
	var floor, office []string
	for _, m := range f.in.Entities {
		switch {
		case !slices.Contains(p.kinds, m.Kind) || !takesPart(m) || m.Hub && m.Kind != event.EntityRobot || p.outside && !outside(m.ID):
		case p.floor != "" && f.onTheFloor(m):
			floor = append(floor, m.ID)
		default:
			office = append(office, m.ID)
		}
	}
	var out []Action
	for _, g := range []struct {
		targets   []string
		authority string
	}{{office, a.Authority}, {floor, p.floor}} {
		if len(g.targets) == 0 {
			continue
		}
		b := a
		b.Authority, b.Targets = g.authority, g.targets[:min(maxTargets, len(g.targets))]
		if g.authority == p.floor && p.floor != "" { // What it reaches may stop without it.
			b.Moves, b.People = true, 2
			b.Prechecks = append(slices.Clone(a.Prechecks), floorChecks...)
		}
		out = append(out, b)
	}
	return out
}

// floorChecks are what must be true before anything that a robot cell may feel.
var floorChecks = []string{"nobody is inside the cell or on the robot's way", "the robots that depend on it are parked, or stop safely without it"}

// onTheFloor reports whether an entity belongs to a robot cell: a robot, or what robots and controllers are seen to run on.
func (f *facts) onTheFloor(m incident.Member) bool {
	if m.Kind == event.EntityRobot {
		return true
	}
	for _, x := range f.events {
		if x.ref.Domain != event.DomainRobot && x.ref.Domain != event.DomainOT {
			continue
		}
		for _, e := range x.ref.Entities {
			if e.ID == m.ID && (e.Role == event.RoleTarget || e.Role == event.RoleSubject || e.Role == event.RoleDestination) {
				return true
			}
		}
	}
	return false
}

// outside reports whether a canonical id is an address that is not the plant's own.
func outside(id string) bool {
	addr, ok := strings.CutPrefix(id, "ip:")
	return ok && !private(addr)
}
