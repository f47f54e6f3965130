package expression

import "github.com/tocsin-siem/tocsin/event"

// Subject is what a filter looks at: an incident, a finding or a change of an incident, laid out as plain values. Members that do not apply stay
// zero. Strings and lists are only read.
type Subject struct {
	ID         string // inc_… or fi_….
	Title      string
	Status     string // open, acknowledged, closed or merged.
	Verdict    string
	Assessment string // What a person answered, else what the evidence says.
	Owner      string // Team.
	Assignee   string
	Change     string // Kind of change, for routes of deliveries.
	Rule       string // Rule id, for a finding.

	Severity int64 // 1 informational to 6 fatal.
	Score    int64 // 0 to 100.
	Findings int64
	Events   int64 // Events of the evidence.
	First    int64 // Event time of the earliest evidence, unix seconds.
	Last     int64 // Event time of the latest, unix seconds.
	Opened   int64 // Our clock, unix seconds.
	Updated  int64 // Our clock, unix seconds.
	Age      int64 // Seconds since Opened, at the moment of the question.
	Hour     int64 // Of First, 0 to 23, UTC.
	Weekday  int64 // Of First, 1 Monday to 7 Sunday, UTC.

	Open    bool // Open or acknowledged.
	Snoozed bool

	Rules     []string // Rule ids.
	Tags      []string // Tags of the rules.
	Attack    []string // ATT&CK techniques of the rules, such as T0859.
	Domains   []string
	Robots    []string // Bare names, as are users, devices, addresses and zones.
	Users     []string
	Devices   []string
	Addresses []string
	Zones     []string
	Sites     []string
	Entities  []string // Canonical ids, such as robot:h1.
}

// FilterName documents a name that filters read.
type FilterName struct {
	Name  string
	Kind  event.Kind
	Doc   string
	Words []string // The values it can have, where they are few; comparing it with another is an error.
	num   func(*Subject) int64
	str   func(*Subject) string
	yes   func(*Subject) bool
	list  func(*Subject) []string
}

// severities are the constants of filters, from 1.
var severities = []string{"informational", "low", "medium", "high", "critical", "fatal"}

// FilterNames lists the names that filters read, in the order of the reference. The slice is shared: do not change it.
func FilterNames() []FilterName { return filterNames }

// FilterSeverities lists the constants that severity compares with, the least first.
func FilterSeverities() []string { return severities }

var filterNames = []FilterName{
	textName("id", "Id of the incident (`inc_…`) or finding (`fi_…`).", nil, func(s *Subject) string { return s.ID }),
	textName("title", "Title.", nil, func(s *Subject) string { return s.Title }),
	textName("status", "Status.", []string{"open", "acknowledged", "closed", "merged"}, func(s *Subject) string { return s.Status }),
	textName("verdict", "Verdict of a closed incident, else `\"\"`.", []string{
		"intrusion", "misuse", "policy_violation", "authorised_activity", "malfunction", "rule_false_positive", "duplicate", "test", "undetermined",
	}, func(s *Subject) string { return s.Verdict }),
	textName("assessment", "What a person answered to malfunction or intrusion, else what the evidence says.", []string{
		"intrusion", "malfunction", "misuse", "authorised_change", "undetermined",
	}, func(s *Subject) string { return s.Assessment }),
	textName("owner", "Team.", nil, func(s *Subject) string { return s.Owner }),
	textName("assignee", "Who works on it; `\"\"` for nobody.", nil, func(s *Subject) string { return s.Assignee }),
	intName("severity", "Severity; compares with the constants `informational`, `low`, `medium`, `high`, `critical`, `fatal`.", func(s *Subject) int64 { return s.Severity }),
	intName("score", "Score, 0 to 100.", func(s *Subject) int64 { return s.Score }),
	intName("findings", "How many findings.", func(s *Subject) int64 { return s.Findings }),
	intName("events", "How many events in the evidence.", func(s *Subject) int64 { return s.Events }),
	boolName("open", "Open or acknowledged.", func(s *Subject) bool { return s.Open }),
	boolName("snoozed", "Out of sight until a later time.", func(s *Subject) bool { return s.Snoozed }),
	listName("rules", "Ids of the rules that matched.", func(s *Subject) []string { return s.Rules }),
	listName("tags", "Tags of those rules.", func(s *Subject) []string { return s.Tags }),
	listName("attack", "ATT&CK techniques of those rules, such as `T0859`.", func(s *Subject) []string { return s.Attack }),
	listName("domains", "Domains of the evidence: `identity`, `network_access`, `endpoint`, `device_management`, `network`, `ot`, `robot`, `change`.", func(s *Subject) []string { return s.Domains }),
	listName("robots", "Robots affected.", func(s *Subject) []string { return s.Robots }),
	listName("users", "Users of the evidence.", func(s *Subject) []string { return s.Users }),
	listName("devices", "Devices of the evidence.", func(s *Subject) []string { return s.Devices }),
	listName("addresses", "IP addresses of the evidence.", func(s *Subject) []string { return s.Addresses }),
	listName("zones", "Zones of the evidence.", func(s *Subject) []string { return s.Zones }),
	listName("sites", "Sites; an incident can have none.", func(s *Subject) []string { return s.Sites }),
	listName("entities", "Every entity by its canonical id, such as `robot:h1`.", func(s *Subject) []string { return s.Entities }),
	intName("first", "Time of the earliest event, unix seconds.", func(s *Subject) int64 { return s.First }),
	intName("last", "Time of the latest event, unix seconds.", func(s *Subject) int64 { return s.Last }),
	intName("opened", "When Tocsin opened it, unix seconds.", func(s *Subject) int64 { return s.Opened }),
	intName("updated", "When it last changed, unix seconds.", func(s *Subject) int64 { return s.Updated }),
	intName("age", "Seconds since it was opened; `duration(\"4h\")` is a number of seconds too.", func(s *Subject) int64 { return s.Age }),
	intName("hour", "Hour of the earliest event, 0 to 23, UTC.", func(s *Subject) int64 { return s.Hour }),
	intName("weekday", "Weekday of the earliest event, 1 Monday to 7 Sunday, UTC.", func(s *Subject) int64 { return s.Weekday }),
	textName("change", "Kind of change, in routes of deliveries: `opened`, `updated`, `escalated`, `closed` …", nil, func(s *Subject) string { return s.Change }),
	textName("rule", "Id of the rule, in suppressions: they look at one finding.", nil, func(s *Subject) string { return s.Rule }),
}

func textName(name, doc string, words []string, get func(*Subject) string) FilterName {
	return FilterName{Name: name, Kind: event.KindString, Doc: doc, Words: words, str: get}
}

func intName(name, doc string, get func(*Subject) int64) FilterName {
	return FilterName{Name: name, Kind: event.KindInt, Doc: doc, num: get}
}

func boolName(name, doc string, get func(*Subject) bool) FilterName {
	return FilterName{Name: name, Kind: event.KindBool, Doc: doc, yes: get}
}

func listName(name, doc string, get func(*Subject) []string) FilterName {
	return FilterName{Name: name, Kind: event.KindStrings, Doc: doc, list: get}
}

// code reads the name.
func (x *FilterName) code() code {
	switch x.Kind {
	case event.KindInt:
		get := x.num
		return intCode(func(f *frame) int64 { return get(f.subject) })
	case event.KindBool:
		get := x.yes
		return boolCode(func(f *frame) bool { return get(f.subject) })
	case event.KindStrings:
		get := x.list
		return stringsCode(func(f *frame) []string { return get(f.subject) })
	default:
		get := x.str
		return stringCode(func(f *frame) string { return get(f.subject) })
	}
}
