package llm

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/template"
)

// The classes of evidence, best first.
const (
	classRule           = "rule"
	classPinned         = "pinned"
	classChange         = "change"
	classAuthentication = "authentication"
	classSafety         = "safety"
	classOther          = "other"
)

var classes = []string{classRule, classPinned, classChange, classAuthentication, classSafety, classOther}

// runGap ends a run of like events.
const runGap = int64(10*60) * 1_000_000

// group is a run of like events, one change, or an event beside the evidence that somebody pinned.
type group struct {
	class string
	key   string // of the class of event, such as authentication.logon
	refs  []*event.Ref
	note  *event.Note
	pin   *incident.Pin // Of one of the events, or, where the class is classPinned, the event itself.
}

func (g *group) rank() int {
	rank := slices.Index(classes, g.class)
	if g.pin != nil {
		rank = min(rank, slices.Index(classes, classPinned))
	}
	return rank
}

// groupsOf lists the evidence and the changes of an incident as groups, by the time of their first event. What makes two events alike is their
// class, who acted on what, and how it ended; never what they say.
func groupsOf(in *incident.Incident) []group {
	done := map[event.ID]bool{}
	for _, r := range rulesOf(in) {
		if r.completes != nil {
			done[r.completes.Event] = true
		}
	}
	refs := evidence(in)
	var out []group
	last := map[string]int{}
	for _, r := range refs {
		class := classOf(r)
		if done[r.Event] {
			class = classRule
		}
		k := likeness(r) + class
		if i, met := last[k]; met && r.Time-out[i].refs[len(out[i].refs)-1].Time <= runGap {
			out[i].refs = append(out[i].refs, r)
			continue
		}
		last[k] = len(out)
		out = append(out, group{class: class, key: keyOf(r), refs: []*event.Ref{r}})
	}
	for i := range in.Changed {
		n := &in.Changed[i]
		out = append(out, group{class: classChange, key: keyOf(n.Ref), refs: []*event.Ref{n.Ref}, note: n})
	}
	out = withPins(out, in.Pins)
	slices.SortStableFunc(out, func(a, b group) int { return byTime(a.refs[0], b.refs[0]) })
	return out
}

// withPins marks the groups of pinned events, and adds a group for each that is no evidence. What a pin says is free text, and who pinned it is nobody's
// business but ours.
func withPins(groups []group, pins []incident.Pin) []group {
	for i := range pins {
		p := &pins[i]
		j := slices.IndexFunc(groups, func(g group) bool {
			return slices.ContainsFunc(g.refs, func(r *event.Ref) bool { return r.Event == p.Event })
		})
		if j < 0 {
			groups = append(groups, group{class: classPinned, refs: []*event.Ref{{Event: p.Event, Time: p.Time}}})
			j = len(groups) - 1
		}
		groups[j].pin = p
	}
	return groups
}

// evidence lists the events of an incident, each once, by time.
func evidence(in *incident.Incident) []*event.Ref {
	met := map[event.ID]bool{}
	var out []*event.Ref
	for i := range in.Findings {
		for _, ev := range in.Findings[i].Evidence {
			if ev.Event != nil && !met[ev.Event.Event] {
				met[ev.Event.Event] = true
				out = append(out, ev.Event)
			}
		}
	}
	slices.SortStableFunc(out, byTime)
	return out
}

func byTime(a, b *event.Ref) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Sequence, b.Sequence), a.Event.Compare(b.Event))
}

// likeness is what two events of a run have in common.
func likeness(r *event.Ref) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s|%d|%s|", keyOf(r), r.Status, r.Domain)
	for _, x := range r.Entities {
		if x.Role < event.RoleReporter {
			fmt.Fprintf(&b, "%d%s|", x.Role, x.ID)
		}
	}
	return b.String()
}

// keyOf is class and activity. A caption of the source's own is not repeated: only activities we know by name are.
func keyOf(r *event.Ref) string {
	name := ""
	if r.ActivityName == event.MFAChallenge {
		name = r.ActivityName
	}
	key := event.ActivityKey(r.ClassUID, r.Activity, name)
	if key == "unknown" {
		return event.ClassName(r.ClassUID)
	}
	return event.ClassName(r.ClassUID) + "." + key
}

func classOf(r *event.Ref) string {
	switch key := keyOf(r); {
	case r.ClassUID == event.ClassAuthentication || r.ClassUID == event.ClassAuthorizeSession:
		return classAuthentication
	case slices.Contains(safetyKeys, key):
		return classSafety
	}
	return classOther
}

var safetyKeys = []string{
	"robot_state.fault", "robot_state.protective_stop", "robot_state.emergency_stop_set", "robot_state.emergency_stop_cleared", "robot_state.localization_lost",
	"robot_state.safety_configuration_change", "robot_state.safety_state_change", "robot_control.safety_reset",
}

// line tells of the group, with names as tokens.
func (g *group) line(n *names, in *incident.Incident, o Options) Line {
	l := Line{Class: g.class, At: g.refs[0].Time, Until: g.refs[len(g.refs)-1].Time, Count: len(g.refs)}
	for _, r := range g.refs {
		l.Events = append(l.Events, r.Event)
	}
	long := time.UnixMicro(in.First).UTC().YearDay() != time.UnixMicro(in.Last).UTC().YearDay()
	var b strings.Builder
	if l.Count > 1 {
		fmt.Fprintf(&b, "x%d ", l.Count)
		l.numbers = append(l.numbers, fmt.Sprint(l.Count))
	}
	b.WriteString(stampOf(l.At, long))
	if l.Until != l.At {
		b.WriteString("-" + stampOf(l.Until, long))
	}
	b.WriteByte(' ')
	switch {
	case g.class == classPinned:
		b.WriteString("an event beside the evidence " + pinToken(g.pin, o))
	case g.note != nil:
		g.change(&b, &l, n, in, o)
	default:
		g.happened(&b, &l, n, o)
	}
	if g.pin != nil {
		b.WriteString(", pinned by an analyst")
		l.phrases = append(l.phrases, "pinned by an analyst")
	}
	l.Text = b.String()
	return l
}

// happened tells of a run of events.
func (g *group) happened(b *strings.Builder, l *Line, n *names, o Options) {
	r := g.refs[0]
	deed := triage.Deed(g.key)
	fmt.Fprintf(b, "%s (%s)", g.key, deed)
	l.phrases = append(l.phrases, strings.NewReplacer(".", " ", "_", " ").Replace(g.key), deed)
	switch r.Status {
	case 1:
		b.WriteString(" success")
	case 2:
		b.WriteString(" failure")
		l.phrases = append(l.phrases, "failure failed refused denied")
	}
	if s := incident.Severity(r.Severity); s >= incident.Medium {
		fmt.Fprintf(b, " %s", s)
	}
	g.parts(b, l, n)
	if token := textToken(r, g.refs, o); token != "" {
		b.WriteString(" " + token)
	}
}

// prepositions tell what part an entity plays.
var prepositions = []struct {
	role event.Role
	word string
}{{event.RoleActor, " by "}, {event.RoleSource, " from "}, {event.RoleSubject, " on "}, {event.RoleTarget, " on "}, {event.RoleDestination, " to "}, {event.RoleNone, " with "}}

func (g *group) parts(b *strings.Builder, l *Line, n *names) {
	for _, p := range prepositions {
		var told []string
		for _, x := range g.refs[0].Entities {
			if x.Role != p.role {
				continue
			}
			if t := n.entity(x.Kind, x.ID); t != "" && !slices.Contains(told, t) {
				told = append(told, t)
				if !slices.Contains(l.entities, t) {
					l.entities = append(l.entities, t)
				}
			}
		}
		if len(told) > 0 {
			b.WriteString(p.word + strings.Join(told[:min(4, len(told))], " "))
		}
	}
}

// change tells of what changed, with the value before and after.
func (g *group) change(b *strings.Builder, l *Line, n *names, in *incident.Incident, o Options) {
	x := g.note
	label := "setting"
	if known(x.What) {
		label = triage.Label(x.What)
	}
	l.phrases = append(l.phrases, "change changed "+label, triage.Deed(g.key))
	fmt.Fprintf(b, "change: %s", label)
	if t := g.token(n, x.Entity); t != "" {
		b.WriteString(" of " + t)
		l.entities = append(l.entities, t)
	}
	if x.Prev != "" {
		b.WriteString(" from " + valueOf(x, x.Prev, l, n, o))
	}
	if x.Value != "" {
		b.WriteString(" to " + valueOf(x, x.Value, l, n, o))
	}
	if x.Actor != "" && x.Actor != x.Entity {
		if t := g.token(n, x.Actor); t != "" {
			b.WriteString(" by " + t)
			l.entities = append(l.entities, t)
		}
	}
	minutes, when := (x.Ref.Time-in.First)/60_000_000, "after"
	if minutes < 0 || x.Ref.Time < in.First {
		minutes, when = -minutes, "before"
	}
	fmt.Fprintf(b, ", %d min %s the first evidence", minutes, when)
	l.numbers = append(l.numbers, fmt.Sprint(minutes))
	l.phrases = append(l.phrases, when+" the first evidence")
}

func (g *group) token(n *names, id string) string {
	kind, _, _ := strings.Cut(id, ":")
	return n.entity(event.EntityKindOf(kind), id)
}

// changeKinds are the words of notes.
var changeKinds = []string{
	"firmware", "mode", "program", "map", "safety_checksum", "safety", "role", "policy", "vlan", "posture", "compliance", "ticket", "account", "configuration", "control",
}

func known(what string) bool { return slices.Contains(changeKinds, what) }

var (
	version  = regexp.MustCompile(`^[vV]?[0-9]{1,6}(?:[._-][0-9A-Za-z]{1,8}){0,5}$`)
	checksum = regexp.MustCompile(`^(?:0x)?[0-9A-Fa-f]{4,64}$`)
	number   = regexp.MustCompile(`^[0-9]{1,5}$`)
)

// valueOf is a value of a change as a pack writes it: in clear where it is one of a closed list, a version, a checksum or a number; an excerpt where
// that is allowed; else a token.
func valueOf(x *event.Note, v string, l *Line, n *names, o Options) string {
	clear := false
	switch x.What {
	case "mode":
		clear = event.CaptionID("robot", "operating_mode_id", v) != 0
	case "safety":
		clear = event.CaptionID("robot", "safety_state_id", v) != 0
	case "posture":
		clear = event.CaptionID("", "security_level_id", v) != 0
	case "compliance":
		clear = v == "compliant" || v == "not compliant"
	case "firmware":
		clear = version.MatchString(v)
	case "safety_checksum":
		clear = checksum.MatchString(v)
	case "vlan":
		clear = number.MatchString(v)
	}
	if clear {
		l.numbers, l.phrases = append(l.numbers, v), append(l.phrases, v)
		return v
	}
	if o.Free == "excerpt" {
		if e := excerpt(v); e != "" {
			l.numbers, l.phrases = append(l.numbers, strings.Fields(e)...), append(l.phrases, e)
			return `"` + e + `"`
		}
	}
	t := n.value(v)
	l.entities = append(l.entities, t)
	return t
}

// textClasses are the kinds of free text that events of a class carry.
var textClasses = map[uint32]string{
	event.ClassHTTP: "url", event.ClassDNS: "dns_name", event.ClassProcess: "command_line", event.ClassFile: "file_name", event.ClassAPI: "operation",
	event.ClassDetection: "alert_text", event.ClassChangeTicket: "ticket_text", event.ClassBase: "message",
}

// textToken stands in place of free text: its kind, and no more unless excerpts are allowed. It has no length, so that what an outsider wrote
// leaves no trace.
func textToken(r *event.Ref, run []*event.Ref, o Options) string {
	class := textClasses[r.ClassUID]
	if r.ClassUID == event.ClassRobotState && (keyOf(r) == "robot_state.fault" || keyOf(r) == "robot_state.log_message") {
		class = "fault_text"
	}
	if class == "" {
		return ""
	}
	if o.Free != "excerpt" {
		return "<text class=" + class + ">"
	}
	m := template.New(template.Config{})
	for _, x := range run {
		m.Add(x.Summary)
	}
	return "<text class=" + class + ` "` + excerpt(m.Largest().Text()) + `">`
}

// pinToken stands in place of what a pinned event says.
func pinToken(p *incident.Pin, o Options) string {
	if o.Free != "excerpt" {
		return "<text class=pinned>"
	}
	return `<text class=pinned "` + excerpt(p.Text) + `">`
}

func stampOf(t int64, long bool) string {
	if long {
		return time.UnixMicro(t).UTC().Format("2006-01-02T15:04:05")
	}
	return clockOf(t)
}

func clockOf(t int64) string { return time.UnixMicro(t).UTC().Format("15:04:05") }
