package triage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// maxAffected bounds the claims of each kind of entity.
const maxAffected = 50

// deeds are how a class of event is told of an entity. What is not listed is told by the caption of its class and activity.
var deeds = map[string]string{
	"robot_state.mode_change": "operating mode changed", "robot_state.emergency_stop_set": "emergency stop set", "robot_state.emergency_stop_cleared": "emergency stop cleared",
	"robot_state.protective_stop": "protective stop", "robot_state.safety_configuration_change": "safety configuration changed", "robot_state.fault": "fault reported",
	"robot_state.localization_lost": "lost its position", "robot_state.safety_state_change": "safety state changed", "robot_state.program_state_change": "program state changed",
	"robot_state.connection_state": "connection state reported", "robot_state.state_report": "state reported", "robot_state.log_message": "message logged",
	"robot_control.dispatch_order": "order sent", "robot_control.cancel_order": "order cancelled", "robot_control.instant_action": "instant action sent",
	"robot_control.program_load": "program loaded", "robot_control.program_start": "program started", "robot_control.program_stop": "program stopped",
	"robot_control.map_change": "map changed", "robot_control.parameter_change": "parameter changed", "robot_control.certificate_update": "certificate updated",
	"robot_control.teleoperation_start": "teleoperation begun", "robot_control.teleoperation_stop": "teleoperation ended",
	"robot_control.authority_change": "control or mode taken", "robot_control.pairing_attempt": "pairing attempted", "robot_control.pairing_mode_change": "pairing mode changed",
	"robot_control.motion_command": "motion commanded", "robot_control.safety_reset": "safety stop cleared", "robot_control.shutdown": "shut down", "robot_control.firmware_update": "firmware update sent",
	"ot_command.write": "values written", "ot_command.download_program": "program downloaded", "ot_command.modify_program": "program modified",
	"authentication.logon": "sign-in", "authentication.logoff": "sign-out", "authentication.mfa_challenge": "second-factor prompt",
	"network_activity.open": "connection opened", "network_activity.traffic": "traffic", "network_activity.close": "connection closed", "network_activity.refuse": "connection refused",
	"detection_finding.create": "alert of another product", "compliance_finding.create": "compliance result", "device_config_state_change.log": "posture reported", "inventory_info.collect": "inventory reported",
	"application_lifecycle.install": "software installed", "application_lifecycle.update": "software updated",
}

func deed(key string) string {
	if d := deeds[key]; d != "" {
		return d
	}
	class, activity, _ := strings.Cut(key, ".")
	if activity == "unknown" || activity == "other" {
		return strings.ReplaceAll(class, "_", " ")
	}
	return strings.ReplaceAll(class+": "+activity, "_", " ")
}

// affectedKinds are the kinds of entity answered for, in order.
var affectedKinds = []event.EntityKind{event.EntityRobot, event.EntityUser, event.EntityDevice}

// affected says for each robot, user and device what happened to it.
func (f *facts) affected() []incident.Claim {
	var out []incident.Claim
	for _, kind := range affectedKinds {
		n := 0
		for _, m := range f.in.Entities {
			if m.Kind != kind || !takesPart(m) {
				continue
			}
			if n++; n > maxAffected {
				break
			}
			out = append(out, f.happened(m))
		}
	}
	return out
}

func takesPart(m incident.Member) bool {
	return m.Strength != event.Context && slices.ContainsFunc(m.Roles, func(r event.Role) bool { return r < event.RoleReporter })
}

// happened tells of one entity: what changed of it since the first evidence, then how often what was seen of it.
func (f *facts) happened(m incident.Member) incident.Claim {
	var refs []*event.Ref
	counts := map[string]int{}
	var order []string
	tell := func(d string, r *event.Ref) {
		if counts[d] == 0 {
			order = append(order, d)
		}
		counts[d]++
		refs = append(refs, r)
	}
	for _, n := range f.notes {
		if n.Entity == m.ID && n.Ref.Time >= f.in.First {
			tell(label(n.What)+" "+values(n), n.Ref)
		}
	}
	for _, r := range f.of(m.ID) {
		tell(deed(keyOf(r)), r)
	}
	var told []string
	for _, d := range order {
		if counts[d] > 1 {
			d = fmt.Sprintf("%s ×%d", d, counts[d])
		}
		told = append(told, d)
	}
	refs = unique(refs)
	c := incident.Claim{Text: fmt.Sprintf("%s %s", m.Kind, name(m.ID)), Refs: ids(refs)}
	if len(told) > 0 {
		c.Text += ": " + listing(told, 6)
	}
	if m.Hub {
		c.Text += " (seen in many findings, so it ties little together)"
	}
	if len(refs) > 0 {
		c.At = refs[0].Time
	}
	return c
}

// of lists the evidence in which an entity takes part.
func (f *facts) of(id string) []*event.Ref {
	var refs []*event.Ref
	for _, x := range f.events {
		if slices.ContainsFunc(x.ref.Entities, func(e event.EntityRef) bool { return e.ID == id && e.Role < event.RoleReporter }) {
			refs = append(refs, x.ref)
		}
	}
	return unique(refs)
}

// changes tells what changed in the hour before the first evidence and since, each newest first.
func (f *facts) changes() (before, during []incident.Claim) {
	for _, n := range slices.Backward(f.notes) {
		c := incident.Claim{Text: told(n), At: n.Ref.Time, Refs: []event.ID{n.Ref.Event}}
		if n.Ref.Time < f.in.First {
			c.Text += ", " + ahead(f.first()-n.Ref.Time) + " before the first finding"
			before = append(before, c)
			continue
		}
		c.Text += ", during the incident"
		during = append(during, c)
	}
	return before, during
}

// first is when the first finding was complete, event time; the first evidence where none stands.
func (f *facts) first() int64 {
	at := int64(0)
	for i := range f.in.Findings {
		if t := f.in.Findings[i].Time; at == 0 || t < at {
			at = t
		}
	}
	return cmp.Or(at, f.in.First)
}

// ahead is a length of time, microseconds, as one says it: to the second below a minute and a half, to the minute below an hour and a half.
func ahead(micros int64) string {
	d := time.Duration(micros) * time.Microsecond
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 90*time.Minute:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// told is a change in a sentence: firmware of r1 from 1.2 to 1.3 by ana.
func told(n event.Note) string {
	s := label(n.What) + " of " + name(n.Entity) + " " + values(n)
	if n.Actor != "" && n.Actor != n.Entity {
		s += " by " + name(n.Actor)
	}
	return s
}

// labels are the words for what changed, where the word itself is not plain.
var labels = map[string]string{"safety_checksum": "safety configuration", "safety": "safety state", "vlan": "VLAN", "mode": "operating mode", "posture": "device posture"}

// actClasses are the classes of events that are a change by themselves: the value of their notes is what was done.
var actClasses = []uint32{
	event.ClassGroupManagement, event.ClassUserAccess, event.ClassAuthorizeSession, event.ClassAccountChange, event.ClassEntityManagement,
	event.ClassChangeTicket, event.ClassRobotControl, event.ClassOTCommand,
}

func label(what string) string {
	if s := labels[what]; s != "" {
		return s
	}
	return plain(what)
}

func values(n event.Note) string {
	switch {
	case n.Value == "" && n.Prev == "":
		return "changed"
	case n.Value == "":
		return "no longer " + plain(n.Prev)
	case n.Prev == "" && slices.Contains(actClasses, n.Ref.ClassUID):
		return "changed (" + plain(n.Value) + ")"
	case n.Prev == "":
		return "now " + plain(n.Value)
	}
	return "from " + plain(n.Prev) + " to " + plain(n.Value)
}

// words are the readings in sentences.
var words = map[string]string{Intrusion: "an intrusion", Malfunction: "a malfunction", Misuse: "misuse", Authorised: "an authorised change"}

// text is the three answers in a few plain sentences. before is how many of the changes lie before the first evidence.
func (f *facts) text(a incident.Answers, balance map[string]int, leader string, before int) string {
	var rest []string
	for _, r := range readings {
		if r != leader {
			rest = append(rest, fmt.Sprintf("%d for %s", balance[r], words[r]))
		}
	}
	scale := fmt.Sprintf("the evidence weighs %d for %s, against %s", balance[leader], words[leader], listing(rest, 3))
	var b strings.Builder
	switch {
	case balance[leader] == 0:
		b.WriteString("Undetermined: nothing in the evidence speaks for a malfunction, an intrusion, misuse or an authorised change.")
	case a.Assessment == Undetermined:
		fmt.Fprintf(&b, "Undetermined: %s.", scale)
	default:
		fmt.Fprintf(&b, "This looks like %s: %s.", words[leader], scale)
	}
	if s := sentences(a.For, 3); s != "" {
		fmt.Fprintf(&b, " For it: %s.", s)
	}
	if s := sentences(a.Against, 3); s != "" {
		fmt.Fprintf(&b, " For the others: %s.", s)
	}
	fmt.Fprintf(&b, " %s.", f.affectedText())
	if before > 0 {
		fmt.Fprintf(&b, " Changed in the hour before: %s.", dated(a.ChangedBefore[:before]))
	} else {
		b.WriteString(" No change is known from the hour before.")
	}
	if since := a.ChangedBefore[before:]; len(since) > 0 {
		fmt.Fprintf(&b, " Changed since: %s.", dated(since))
	}
	return b.String()
}

func (f *facts) affectedText() string {
	var robots, others []string
	for _, id := range f.in.Robots {
		robots = append(robots, name(id))
	}
	for _, m := range f.in.Entities {
		if (m.Kind == event.EntityUser || m.Kind == event.EntityDevice) && takesPart(m) {
			others = append(others, m.Kind.String()+" "+name(m.ID))
		}
	}
	s := "No robot is affected"
	if len(robots) > 0 {
		s = "Affected: " + count(len(robots), "robot", "robots") + ", " + listing(robots, 5)
	}
	if len(others) > 0 {
		s += "; involved: " + listing(others, 4)
	}
	return s
}

func sentences(claims []incident.Claim, limit int) string {
	var out []string
	for _, c := range claims[:min(limit, len(claims))] {
		out = append(out, c.Text)
	}
	if n := len(claims) - limit; n > 0 {
		out = append(out, count(n, "more sign", "more signs"))
	}
	return strings.Join(out, "; ")
}

func dated(claims []incident.Claim) string {
	var out []string
	for _, c := range claims[:min(3, len(claims))] {
		out = append(out, clock(c.At)+" "+strings.TrimSuffix(c.Text, ", during the incident"))
	}
	if n := len(claims) - 3; n > 0 {
		out = append(out, count(n, "more", "more"))
	}
	return strings.Join(out, "; ")
}

// clock is the time of day of an event time.
func clock(micros int64) string { return time.UnixMicro(micros).UTC().Format("15:04 UTC") }

// Deed is how a class and activity, such as robot_state.mode_change, is told of an entity: in words of ours alone.
func Deed(key string) string { return deed(key) }

// Label is how a kind of change, such as safety_checksum, is told: in words of ours where it has them.
func Label(what string) string { return label(what) }
