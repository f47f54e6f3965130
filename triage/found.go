package triage

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// The signs a table row cannot say. Each gives the events that show it, in order of time; none means that it is not there.

// where lists the evidence of these classes.
func (f *facts) where(classes []string) []*event.Ref {
	var refs []*event.Ref
	for _, x := range f.events {
		if under(x.key, classes) {
			refs = append(refs, x.ref)
		}
	}
	return unique(refs)
}

// suspectActs: who stands out by the sign-in also acted on a robot, or changed one. Shared accounts are context and never count.
func (f *facts) suspectActs() []*event.Ref {
	suspects := map[string]bool{}
	for _, group := range []string{"sign-in fatigue", "sign-in place"} {
		for _, r := range f.matched[group] {
			for _, x := range r.Entities {
				if x.Kind == event.EntityUser && joins(x) {
					suspects[x.ID] = true
				}
			}
		}
	}
	var refs []*event.Ref
	for _, r := range f.where(robotWork) {
		if slices.ContainsFunc(r.Entities, func(x event.EntityRef) bool { return suspects[x.ID] && joins(x) }) {
			refs = append(refs, r)
		}
	}
	for _, n := range f.notes {
		if suspects[n.Actor] && n.Ref.Time >= f.in.First && !suspects[n.Entity] {
			refs = append(refs, n.Ref)
		}
	}
	return unique(refs)
}

// grave are the changes that alter what a robot does.
var grave = []string{"firmware", "program", "map", "safety_checksum"}

// unplannedChanges: a robot's firmware, program, map or safety settings changed since the first evidence, and no approved change covers it.
func (f *facts) unplannedChanges() []*event.Ref {
	var refs []*event.Ref
	for _, n := range f.notes {
		if slices.Contains(grave, n.What) && n.Ref.Time >= f.in.First && !f.planned(n.Entity, n.Ref.Time) {
			refs = append(refs, n.Ref)
		}
	}
	return unique(refs)
}

// covered reports whether an approved change covers a robot or device of the event at its time.
func (f *facts) covered(r *event.Ref) bool {
	return slices.ContainsFunc(r.Entities, func(x event.EntityRef) bool {
		return (x.Kind == event.EntityRobot || x.Kind == event.EntityDevice) && joins(x) && f.planned(x.ID, r.Time)
	})
}

// planned reports whether the latest word of a change ticket on the entity, up to t, is that the change may go on.
func (f *facts) planned(entity string, t int64) bool {
	return f.ticket(entity, t) != nil
}

// ticket is the event of the latest ticket on the entity up to t, if it lets the change go on.
func (f *facts) ticket(entity string, t int64) *event.Ref {
	var latest *event.Ref
	open := false
	for _, n := range f.notes {
		about := n.Entity == entity || slices.ContainsFunc(n.Ref.Entities, func(x event.EntityRef) bool { return x.ID == entity })
		if n.What == "ticket" && about && n.Ref.Time <= t && (latest == nil || byTime(latest, n.Ref) <= 0) {
			latest, open = n.Ref, lets(n)
		}
	}
	for _, x := range f.events {
		about := slices.ContainsFunc(x.ref.Entities, func(e event.EntityRef) bool { return e.ID == entity })
		if x.ref.ClassUID == event.ClassChangeTicket && about && x.ref.Time <= t && (latest == nil || byTime(latest, x.ref) < 0) {
			latest, open = x.ref, lets(event.Note{Ref: x.ref})
		}
	}
	if !open {
		return nil
	}
	return latest
}

// lets reports whether a ticket is approved or under way: by the activity of its event (2 approved, 3 started, 4 and more over), else by
// its state as the ticket system writes it.
func lets(n event.Note) bool {
	if n.Ref.ClassUID == event.ClassChangeTicket && n.Ref.Activity != 0 && n.Ref.Activity != event.ActivityOther {
		return n.Ref.Activity == 2 || n.Ref.Activity == 3
	}
	switch strings.ToLower(strings.TrimSpace(n.Value)) {
	case "approved", "authorized", "authorised", "scheduled", "started", "implement", "implementing", "in progress", "in_progress":
		return true
	}
	return false
}

// ticketed: an approved change covers each robot that was worked on, at that time. One that covers only some explains nothing.
func (f *facts) ticketed() []*event.Ref {
	var tickets []*event.Ref
	for _, r := range f.workOnRobots() {
		covered := false
		for _, x := range r.Entities {
			if t := f.ticket(x.ID, r.Time); t != nil && (x.Kind == event.EntityRobot || x.Kind == event.EntityDevice) && joins(x) {
				tickets, covered = append(tickets, t), true
			}
		}
		if !covered {
			return nil
		}
	}
	return unique(tickets)
}

// workOnRobots is what was done to robots and controllers, or else what they reported.
func (f *facts) workOnRobots() []*event.Ref {
	if work := f.where(robotWork); len(work) > 0 {
		return work
	}
	return f.where([]string{"robot_state", "ot_command"})
}

// maintenance: a rule noted that a maintenance window was open.
func (f *facts) maintenance() []*event.Ref {
	var refs []*event.Ref
	for _, x := range f.events {
		if slices.ContainsFunc(x.finding.Notes, func(s string) bool { return strings.Contains(strings.ToLower(s), "maintenance window") }) {
			refs = append(refs, x.ref)
		}
	}
	return unique(refs)
}

// manyRobots: findings of one rule, that is not about faults, on two robots or more.
func (f *facts) manyRobots() []*event.Ref {
	robots := map[string][]string{}
	refs := map[string][]*event.Ref{}
	var order []string
	for _, x := range f.events {
		if under(x.key, faultClasses) {
			continue
		}
		for _, e := range x.ref.Entities {
			if e.Kind != event.EntityRobot || !joins(e) {
				continue
			}
			rule := x.finding.Rule.ID
			if robots[rule] == nil {
				order = append(order, rule)
			}
			if !slices.Contains(robots[rule], e.ID) {
				robots[rule] = append(robots[rule], e.ID)
			}
			refs[rule] = append(refs[rule], x.ref)
		}
	}
	for _, rule := range order {
		if len(robots[rule]) > 1 {
			return unique(refs[rule])
		}
	}
	return nil
}

// trail: evidence of an account or of network access, of the endpoint or the network, and of the robot, in this order of time.
func (f *facts) trail() []*event.Ref {
	var refs []*event.Ref
	next := 0
	legs := [][]string{{"identity", "network_access"}, {"endpoint", "device_management", "network_access", "network"}, {"robot", "ot"}}
	for _, x := range f.events {
		if next < len(legs) && slices.Contains(legs[next], x.ref.Domain) {
			refs = append(refs, x.ref)
			next++
		}
	}
	if next < len(legs) {
		return nil
	}
	return refs
}

// faultsAlone: faults, and no evidence but that of robots and their controllers, with nothing done to them.
func (f *facts) faultsAlone() []*event.Ref {
	for _, x := range f.events {
		if x.ref.Domain != "robot" && x.ref.Domain != "ot" || under(x.key, []string{"robot_control", "ot_command", "robot_state.safety_configuration_change"}) {
			return nil
		}
	}
	return f.where(faultClasses)
}

func (f *facts) oneRobot() []*event.Ref {
	if len(f.in.Robots) != 1 {
		return nil
	}
	return f.where(faultClasses)
}

// parts are the words of a worn or broken part in a fault's text. They count only in what a robot reports of its own faults.
var parts = []string{"battery", "motor", "encoder", "brake", "drive", "joint", "gear", "overheat", "temperature", "lidar", "camera", "wheel", "voltage", "hydraulic"}

func (f *facts) worn() []*event.Ref {
	var refs []*event.Ref
	for _, r := range f.where([]string{"robot_state.fault"}) {
		text := strings.ToLower(r.Summary)
		if slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) }) {
			refs = append(refs, r)
		}
	}
	return refs
}

func (f *facts) nothingChanged() []*event.Ref {
	faults := f.where(faultClasses)
	if len(faults) == 0 || slices.ContainsFunc(f.notes, func(n event.Note) bool { return n.Ref.Time <= faults[0].Time }) {
		return nil
	}
	return faults
}

// changedBeforeFaults: what alters a robot's behaviour changed before it reported its first fault, and no approved change covers it.
func (f *facts) changedBeforeFaults() []*event.Ref {
	faults := f.where(faultClasses)
	if len(faults) == 0 {
		return nil
	}
	const hour = int64(3600) * 1_000_000
	var refs []*event.Ref
	for _, n := range f.notes {
		at := n.Ref.Time
		same := slices.ContainsFunc(faults[0].Entities, func(x event.EntityRef) bool { return x.ID == n.Entity && joins(x) })
		if same && slices.Contains(grave, n.What) && at < faults[0].Time && faults[0].Time-at <= hour && !f.planned(n.Entity, at) {
			refs = append(refs, n.Ref)
		}
	}
	return unique(refs)
}

// knownActor: a named account worked on a robot, signed in successfully, and no sign against its sign-in was found.
func (f *facts) knownActor() []*event.Ref {
	if f.matched["sign-in fatigue"] != nil || f.matched["sign-in place"] != nil {
		return nil
	}
	const success = 1
	signedIn := map[string]bool{}
	for _, r := range f.where([]string{"authentication.logon"}) {
		for _, x := range r.Entities {
			if x.Kind == event.EntityUser && joins(x) && r.Status == success {
				signedIn[x.ID] = true
			}
		}
	}
	var refs []*event.Ref
	for _, r := range f.where(robotWork) {
		if slices.ContainsFunc(r.Entities, func(x event.EntityRef) bool { return signedIn[x.ID] && joins(x) }) {
			refs = append(refs, r)
		}
	}
	return refs
}
