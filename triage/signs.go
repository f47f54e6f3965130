package triage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// sign is one row of the balance: something in the evidence that speaks for a reading. It makes at most one claim, however many events show
// it, so a storm of one kind weighs no more than a single event. Of the signs of one group only the first that is found counts.
type sign struct {
	reading string
	weight  int
	group   string
	text    string

	// What must be in the evidence. Within a list any one is enough. tags and words both name the rule: either is enough if both are given.
	// Words are looked for in what the rule's author wrote and never in what a source said: an attacker must not be able to write himself
	// innocent.
	tags      []string // of the rule, such as attack.t1621; a technique stands for its sub-techniques
	words     []string
	classes   []string // class, or class.activity
	domains   []string
	severity  incident.Severity // least severity of the event
	unplanned bool              // only events that no approved change covers

	// found is for what a row cannot say; it gives the events that show the sign.
	found func(*facts) []*event.Ref
	// worded signs rest on words that a source wrote, which an outsider may have chosen.
	worded bool
}

// Sign is one sign of the balance that an incident shows.
type Sign struct {
	Reading string     // What it speaks for: Intrusion, Malfunction, Misuse or Authorised.
	Text    string     // Words of ours, without a name.
	Weight  int        // What it adds to the balance.
	Refs    []event.ID // The events that show it, by time.
	Worded  bool       // It rests on words that a source wrote, which an outsider may have chosen.

	refs []*event.Ref
}

// Signs lists the signs that an incident shows, in the order of the table.
func Signs(in *incident.Incident) []Sign { return factsOf(in).signs() }

// robotWork are the classes of events in which something is done to a robot or a controller.
var robotWork = []string{
	"robot_control", "ot_command.write", "ot_command.run", "ot_command.stop", "ot_command.program_mode", "ot_command.download_program",
	"ot_command.modify_program", "ot_command.delete_program", "ot_command.modify_operating_mode", "robot_state.mode_change", "robot_state.safety_configuration_change",
}

// faultClasses are the classes of events in which a robot reports trouble of its own.
var faultClasses = []string{"robot_state.fault", "robot_state.protective_stop", "robot_state.emergency_stop_set", "robot_state.localization_lost"}

// signs is the table of the balance. Weights: 1 a hint, 2 a sign that is common in harmless cases too, 3 a strong sign, 4 and more a sign that
// alone makes the reading likely. A reading needs `enough`, so no single strong sign decides alone.
var signs = []sign{
	// Intrusion: how they got in.
	{reading: Intrusion, weight: 4, group: "sign-in fatigue", text: "second-factor prompts were repeated until one was approved", tags: []string{"attack.t1621"}, words: []string{"fatigue", "push bomb", "prompt bomb"}, classes: []string{"authentication"}},
	{reading: Intrusion, weight: 4, group: "sign-in place", text: "sign-in from a place that is new for the account", words: []string{"country", "impossible travel", "new network", "new place", "new asn"}, classes: []string{"authentication"}},
	{reading: Intrusion, weight: 2, group: "sign-in place", text: "the account was used as stolen ones are", tags: []string{"attack.t1078", "ics.t0859"}, classes: []string{"authentication", "api_activity"}},
	{reading: Intrusion, weight: 3, text: "passwords, keys or codes were guessed", tags: []string{"attack.t1110", "ics.t0806", "ics.t0812"}},
	{reading: Intrusion, weight: 2, text: "a session began without a second factor", tags: []string{"attack.t1556.006", "ics.t0822", "attack.t1133"}, words: []string{"without mfa", "without multi-factor", "no mfa"}},
	{reading: Intrusion, weight: 2, text: "the device was unmanaged, or its protection stale or off", words: []string{"posture", "unmanaged", "stale", "non-compliant", "noncompliant"}, domains: []string{"endpoint", "device_management", "network_access"}},
	{reading: Intrusion, weight: 3, text: "the network let the device in by exception, or as an unknown device", tags: []string{"ics.t0864", "ics.t0848", "attack.t1200"}, words: []string{"exception", "bypass", "quarantine", "unknown device", "rogue"}, domains: []string{"network_access"}},
	{reading: Intrusion, weight: 2, text: "wireless access to a robot was tried", tags: []string{"ics.t0860"}},
	// Intrusion: what they did.
	{reading: Intrusion, weight: 3, text: "the account or device that stands out also acted on a robot", found: (*facts).suspectActs},
	{reading: Intrusion, weight: 3, text: "commands, programs or modes were changed in a way attackers do, and no approved change covers it", unplanned: true, classes: robotWork, tags: []string{"ics.t0855", "ics.t0831", "ics.t0821", "ics.t0836", "ics.t0843", "ics.t0857", "ics.t0858", "ics.t0889", "ics.t0839", "ics.t0871"}},
	{reading: Intrusion, weight: 3, text: "firmware, program, map or safety settings changed without an approved change", found: (*facts).unplannedChanges},
	{reading: Intrusion, weight: 2, text: "a contractor, or someone who never did this before, acted", words: []string{"contractor", "unusual", "never"}, classes: append([]string{"authentication", "api_activity", "account_change", "user_access"}, robotWork...)},
	{reading: Intrusion, weight: 1, text: "it happened outside working hours", words: []string{"off-hours", "out of hours", "at night", "outside working hours"}},
	{reading: Intrusion, weight: 3, text: "data went out to an address that is new for the robot", tags: []string{"attack.t1041", "attack.t1048", "attack.t1071", "attack.t1567", "ics.t0882", "ics.t0884"}, words: []string{"beacon", "outbound", "exfil"}, classes: []string{"network_activity", "http_activity", "dns_activity", "robot_state"}},
	{reading: Intrusion, weight: 2, text: "the network was explored, or remote services were reached", tags: []string{"attack.t1046", "attack.t1018", "attack.t1021", "ics.t0846", "ics.t0840", "ics.t0886", "ics.t0866"}},
	{reading: Intrusion, weight: 2, text: "protection, alarms or logs were switched off", tags: []string{"attack.t1562", "attack.t1070", "ics.t0872", "ics.t0878", "ics.t0838"}},
	{reading: Intrusion, weight: 3, text: "endpoint protection or network detection raised an alert", classes: []string{"detection_finding"}, severity: incident.Medium},
	{reading: Intrusion, weight: 2, text: "the same happened on several robots", found: (*facts).manyRobots},
	{reading: Intrusion, weight: 2, text: "firmware, program, map or safety settings changed in the hour before the faults, without an approved change", found: (*facts).changedBeforeFaults},
	{reading: Intrusion, weight: 3, text: "text that outsiders can write speaks to a language model", tags: []string{TagInjection}, worded: true},
	{reading: Intrusion, weight: 2, text: "the trail runs from the account or the network to the robot", found: (*facts).trail},

	// Malfunction.
	{reading: Malfunction, weight: 2, text: "the robot reported faults or stopped itself", classes: faultClasses},
	{reading: Malfunction, weight: 3, text: "no sign-in, network or endpoint event stands beside the faults", found: (*facts).faultsAlone},
	{reading: Malfunction, weight: 1, text: "only one robot is affected", found: (*facts).oneRobot},
	{reading: Malfunction, weight: 2, text: "the faults name a battery, a motor, a brake, a sensor or another part", found: (*facts).worn, worded: true},
	{reading: Malfunction, weight: 1, text: "nothing is known to have changed before the faults", found: (*facts).nothingChanged},

	// Misuse.
	{reading: Misuse, weight: 4, text: "the action is outside the person's role or shift", words: []string{"outside role", "outside their role", "outside shift", "outside their shift", "not permitted", "policy violation"}},
	{reading: Misuse, weight: 2, text: "a known account acted, and nothing speaks against its sign-in or its device", found: (*facts).knownActor},

	// Authorised change.
	{reading: Authorised, weight: 5, text: "an approved change covers the robot at that time", found: (*facts).ticketed},
	{reading: Authorised, weight: 2, text: "it happened in a maintenance window", found: (*facts).maintenance},
}

// weigh makes the claims of every reading, by weight.
func (f *facts) weigh() map[string][]incident.Claim {
	claims := map[string][]incident.Claim{}
	for _, s := range f.signs() {
		claims[s.Reading] = append(claims[s.Reading], incident.Claim{Text: s.Text + f.who(s.refs), At: s.refs[0].Time, Weight: s.Weight, Refs: s.Refs})
	}
	for _, list := range claims {
		slices.SortStableFunc(list, func(a, b incident.Claim) int { return cmp.Compare(b.Weight, a.Weight) })
	}
	return claims
}

// signs finds the signs of the table that are there.
func (f *facts) signs() []Sign {
	var out []Sign
	for i := range signs {
		s := &signs[i]
		if s.group != "" && f.matched[s.group] != nil {
			continue
		}
		refs := f.match(s)
		if len(refs) == 0 {
			continue
		}
		if s.group != "" {
			f.matched[s.group] = refs
		}
		out = append(out, Sign{Reading: s.reading, Text: s.text, Weight: s.weight, Refs: ids(refs), Worded: s.worded, refs: refs})
	}
	return out
}

func (f *facts) match(s *sign) []*event.Ref {
	if s.found != nil {
		return s.found(f)
	}
	var refs []*event.Ref
	for _, x := range f.events {
		if s.matches(&x) && !(s.unplanned && f.covered(x.ref)) {
			refs = append(refs, x.ref)
		}
	}
	return unique(refs)
}

func (s *sign) matches(x *fact) bool {
	if len(s.tags)+len(s.words) > 0 {
		tagged := slices.ContainsFunc(x.finding.Rule.Tags, func(tag string) bool { return under(tag, s.tags) })
		worded := slices.ContainsFunc(s.words, func(w string) bool { return strings.Contains(x.words, w) })
		if !tagged && !worded {
			return false
		}
	}
	if len(s.classes) > 0 && !under(x.key, s.classes) {
		return false
	}
	if len(s.domains) > 0 && !slices.Contains(s.domains, x.ref.Domain) {
		return false
	}
	return incident.Severity(x.ref.Severity) >= s.severity
}

// under reports whether a dotted name is one of list or below one of it.
func under(s string, list []string) bool {
	return slices.ContainsFunc(list, func(x string) bool {
		rest, ok := strings.CutPrefix(s, x)
		return ok && (rest == "" || rest[0] == '.')
	})
}

// who names the users, robots and devices of refs, at most three.
func (f *facts) who(refs []*event.Ref) string {
	var names []string
	for _, kind := range []event.EntityKind{event.EntityUser, event.EntityRobot, event.EntityDevice} {
		for _, r := range refs {
			for _, x := range r.Entities {
				if n := name(x.ID); x.Kind == kind && joins(x) && !slices.Contains(names, n) {
					names = append(names, n)
				}
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (" + listing(names, 3) + ")"
}

// joins reports whether an entity is part of what happened, and not a sensor or context.
func joins(x event.EntityRef) bool {
	return x.Role < event.RoleReporter && x.Strength != event.Context
}

func ids(refs []*event.Ref) []event.ID {
	out := make([]event.ID, 0, len(refs))
	for _, r := range refs {
		out = append(out, r.Event)
	}
	return out
}

// unique is refs in order of time, each event once.
func unique(refs []*event.Ref) []*event.Ref {
	slices.SortStableFunc(refs, byTime)
	return slices.CompactFunc(refs, func(a, b *event.Ref) bool { return a.Event == b.Event })
}

func byTime(a, b *event.Ref) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Sequence, b.Sequence), a.Event.Compare(b.Event))
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// TagInjection marks rules that look for instructions to a model in text which outsiders can write (MITRE ATLAS AML.T0051, prompt injection).
const TagInjection = "atlas.aml.t0051"

// AboutText reports whether a rule's findings are about words that a source wrote. They are evidence for people and never reach a model.
func AboutText(r incident.RuleRef) bool {
	return slices.ContainsFunc(r.Tags, func(tag string) bool { return under(tag, []string{TagInjection}) })
}
