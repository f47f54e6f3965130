package rules

// Place is where in a rule's document a key may stand.
type Place string

// The places of keys.
const (
	InRule        Place = "rule"
	InMatch       Place = "match"       // Also an entry of any.
	InAny         Place = "match (any)" // Beside any, in match only.
	InStep        Place = "step"        // event, count, consecutive, and the entries of sequence and all.
	InCount       Place = "count"
	InConsecutive Place = "consecutive"
	InUnless      Place = "unless"
	InUntil       Place = "until"
	InNew         Place = "new"
	InChanged     Place = "changed"
	InSpike       Place = "spike"
	InBeacon      Place = "beacon"
	InDrop        Place = "drop"
	InThrottle    Place = "throttle"
	InImported    Place = "imported_from"
	InSeverityIf  Place = "severity_if"
	InFlood       Place = "flood"
	InTest        Place = "tests"
	InGiven       Place = "given"
	InSchedule    Place = "given.schedules"
	InBinding     Place = "given.bindings"
	InEvent       Place = "events"
	InFire        Place = "fires"
	InExceptions  Place = "document of exceptions"
	InException   Place = "exceptions"
	InBeside      Place = "exceptions (document)" // Beside what stands in exceptions of a rule.
)

// Key documents one key of the rule language.
type Key struct {
	Name    string
	Places  []Place
	Type    string
	Default string // "" where there is none; "required" where the key must stand.
	Doc     string
}

// Keys lists every key of the rule language in the order of the reference.
func Keys() []Key { return keys }

const (
	typeExpression = "expression"
	typeDuration   = "duration"
	typeNumber     = "number"
	required       = "required"
)

var keys = []Key{
	{"id", []Place{InRule}, "string", required, "Identifier, unique in the set: lower-case letters, digits and dashes, as in rb-0003."},
	{"version", []Place{InRule}, "integer", required, "Version of the rule, from 1. A change of what matches wants a new version: finding ids contain it."},
	{"title", []Place{InRule}, "string", required, "What happened, in one line, as analysts read it."},
	{"description", []Place{InRule}, "string", "", "Why it matters and how it works."},
	{"severity", []Place{InRule, InSeverityIf, InFire}, "informational, low, medium, high, critical, fatal", "medium", "Severity of the finding (required under severity_if; in fires it is checked only if given)."},
	{"status", []Place{InRule}, "off, shadow, live", "live", "off: not run. shadow: run and kept, nobody is told. live needs a firing and a silent test."},
	{"tags", []Place{InRule}, "list of strings", "", "ATT&CK techniques as attack.t1078, attack.t1556.006 or ics.t0858, requirements of IEC 62443-3-3 as iec62443.sr1.13; other tags are free."},
	{"references", []Place{InRule}, "list of strings", "", "Links for the reader."},
	{"owner", []Place{InRule}, "string", "", "Team the incident is suggested to."},
	{"response", []Place{InRule}, "string", "", "What to do first."},
	{"false_positives", []Place{InRule}, "list of strings", "", "Harmless causes."},
	{"imported_from", []Place{InRule}, "imported_from", "", "Where an imported rule comes from. Such a rule may be live without tests: those of its source have been run there."},
	{"match", []Place{InRule}, "match", required, "What must happen: exactly one of event, sequence, all, any, count, consecutive, with its guards."},
	{"lateness", []Place{InRule}, typeDuration, "5m", "How long the rule waits for events that arrive late, in event time. Later ones are counted and shown, never matched."},
	{"throttle", []Place{InRule}, "throttle", "", "Folds repeated matches into one finding."},
	{"flood", []Place{InRule}, "flood", "from the configuration", "Breaker: findings beyond so many in a time stand together in one digest, and make one incident."},
	{"score", []Place{InRule}, typeExpression, "from severity", "Score of the finding, 0 to 100, over the match."},
	{"severity_if", []Place{InRule}, "list", "", "Conditions over the match, each with a severity; the first that is true replaces the rule's."},
	{"exceptions", []Place{InRule, InExceptions}, "list of exceptions", "", "What is known to be harmless, each with an owner, a reason and an end. A document that has nothing but this key holds exceptions of other rules."},
	{"tests", []Place{InRule}, "list of tests", "", "Tests of the rule; a live rule needs one that fires and one that stays silent."},

	{"event", []Place{InMatch}, "step", "", "Match of a single event."},
	{"sequence", []Place{InMatch}, "list of steps", "", "Steps that follow each other in event time; the latest start wins unless select says otherwise."},
	{"all", []Place{InMatch}, "list of steps", "", "Steps in any order; at_least makes some of them enough."},
	{"any", []Place{InAny}, "list of matches", "", "Several matches, of which one is enough, or at_least of them within a time."},
	{"count", []Place{InMatch}, "count", "", "At least so many events within a time, or so many distinct values."},
	{"consecutive", []Place{InMatch}, "consecutive", "", "Pairs of neighbouring events, of which when must be true."},
	{"unless", []Place{InMatch}, "list of guards", "", "Events that must be absent before, after or between the steps."},
	{"until", []Place{InMatch}, "list of guards", "", "Events that cancel what has gathered so far."},
	{"within", []Place{InMatch, InAny, InCount, InConsecutive}, typeDuration, required, "Greatest time between first and last event, inclusive; for count the window (t − within, t]. Beside sequence and all, and beside any with at_least above 1; inside count and consecutive."},
	{"order_tolerance", []Place{InMatch}, typeDuration, "0s", "Sequence: steps this close need no order, for clocks that disagree."},
	{"select", []Place{InMatch}, "latest, first", "latest", "Sequence: which of several starts is kept."},
	{"at_least", []Place{InAny, InMatch, InStep, InCount, InConsecutive}, "integer", "1", "How many: branches of any, steps of all (all of them if not given), hits of a step, events of a count (required there), pairs of a consecutive."},

	{"id", []Place{InStep, InCount, InConsecutive}, "string", required, "Name of the step in expressions, tests and findings. Not the name of an event field."},
	{"class", []Place{InStep, InCount, InConsecutive, InUnless, InUntil}, "class or list", required, "OCSF class, or class.activity, as in authentication.logon or robot_state.mode_change; or rule:<id>: the findings of another rule."},
	{"class", []Place{InEvent}, "class", required, "Class and activity of the event, as in authentication.logon."},
	{"where", []Place{InStep, InCount, InConsecutive, InUnless, InUntil}, typeExpression, "", "Condition over the event; in guards it may cite the steps as well."},
	{"bind", []Place{InStep, InCount, InConsecutive, InUnless, InUntil}, "variable: source", "", "Variables of the event that must be equal wherever they are bound. Source: an entity kind (user, robot, device, ip, session, mac), role.kind (target.user), or a field; of a rule listened to also vars.<name>."},
	{"bind_any", []Place{InStep}, "list of variable: source", "", "At least one of the groups must bind and agree."},
	{"emit", []Place{InStep, InCount, InConsecutive}, "variable: source", "", "Variables the finding shows, without joining."},
	{"distinct", []Place{InStep}, "field", "", "The at_least hits of the step must differ in this field."},
	{"distinct", []Place{InCount}, "field", "", "Counts distinct values of this field in place of events."},
	{"sum", []Place{InCount}, "field", "", "Measures the sum of this number over the window in place of counting; events without the number are no hits. at_least is then how many values there must be, 1 if not given."},
	{"avg", []Place{InCount}, "field", "", "Measures the mean, as sum does the sum."},
	{"median", []Place{InCount}, "field", "", "Measures the median: the middle value, or the mean of the two middle ones."},
	{"percentile", []Place{InCount}, "field", "", "Measures the least value that rank per cent of the values do not exceed."},
	{"rank", []Place{InCount}, "number", "95", "The rank of percentile, above 0 and up to 100."},
	{"above", []Place{InCount}, "number", "", "The measure must be above this."},
	{"reaches", []Place{InCount}, "number", "", "The measure must be at least this."},
	{"changed", []Place{InStep}, "changed", "", "Lets an event pass only if a value differs from the one before."},
	{"new", []Place{InStep}, "new", "", "Lets an event pass only if a value was not seen before. Beside beacon, spike or drop a value stays new for their over."},
	{"spike", []Place{InStep}, "spike", "", "Lets the event pass at which an amount exceeds what is usual. Exposes amount and usual."},
	{"beacon", []Place{InStep}, "beacon", "", "Lets the event pass at which contacts have become regular. Exposes gap (ms) and jitter."},
	{"drop", []Place{InStep}, "drop", "", "Lets the last event pass before a silence, or before an amount has fallen below what is usual. Exposes silent_since, and amount and usual."},
	{"collect", []Place{InStep, InCount, InConsecutive}, "name: field, max", "max 20", "Gathers values of a field over the evidence."},
	{"when", []Place{InConsecutive}, typeExpression, required, "Condition over an event and the one before it, prev."},
	{"when", []Place{InSeverityIf}, typeExpression, required, "Condition over the match."},

	{"before", []Place{InUnless}, typeDuration, "", "The guard looks this long before the first step, or before the step of."},
	{"after", []Place{InUnless}, typeDuration, "", "The guard looks this long after the completing event; the finding waits for it."},
	{"between", []Place{InUnless}, "true or [step, step]", "", "The guard looks between the first and last event, or between two steps."},
	{"of", []Place{InUnless}, "step", "", "The step that before and after are about."},
	{"quiet_for", []Place{InUntil}, typeDuration, "0s", "Nothing matches for this long after the cancelling event."},

	{"value", []Place{InNew}, typeExpression, required, "The value that must be new."},
	{"value", []Place{InChanged}, "field", required, "The value that must have changed."},
	{"value", []Place{InSpike, InDrop}, typeExpression, "", "The amount of an event, a number of at least 0; without it events are counted."},
	{"per", []Place{InNew, InChanged, InSpike, InBeacon, InDrop, InThrottle}, "list of variables", required, "Variables that memory or throttle is kept for. The step must bind those of a modifier."},
	{"history", []Place{InNew}, typeDuration, "30d", "How long a value is remembered."},
	{"learn", []Place{InNew}, typeDuration, "0s", "How long values are only learned, from the first event of an entity."},
	{"learn", []Place{InSpike, InDrop}, typeDuration, "7d, at most half of baseline", "How long there is no answer, from the first event of an entity."},
	{"inherit", []Place{InNew}, "field", "", "An entity that is still learning goes by what entities with the same value of this field (such as robot.model) have seen. Such a rule is kept as a whole."},
	{"freeze", []Place{InNew, InBeacon}, typeExpression, "", "While true, events neither pass nor are learned from."},
	{"freeze", []Place{InSpike, InDrop}, typeExpression, "", "While true, events count for nothing and the time is left out of the baseline; silence after such an event is no drop."},
	{"bucket", []Place{InSpike, InDrop}, typeDuration, "1m", "Amounts are added up by stretches of this length, which fits into an hour a whole number of times."},
	{"over", []Place{InSpike, InDrop}, typeDuration, "10m", "The amount is that of the last so long, a multiple of bucket. In a drop with for: the run of at_least lies within this time (1h)."},
	{"over", []Place{InBeacon}, typeDuration, "4h", "Contacts of the last so long are looked at."},
	{"baseline", []Place{InSpike, InDrop}, typeDuration, "14d", "How far back amounts are compared with."},
	{"season", []Place{InSpike, InDrop}, "hour_of_week, hour_of_day, none", "hour_of_week", "Which times of the baseline a time is compared with; UTC."},
	{"ratio", []Place{InSpike, InDrop}, typeNumber, "4", "At least so many times the median; for a drop less than the median divided by it."},
	{"deviations", []Place{InSpike, InDrop}, typeNumber, "6; drop 2", "And so many median absolute deviations (× 1.4826) away from the median."},
	{"floor", []Place{InSpike}, typeNumber, required, "The least amount that matters."},
	{"floor", []Place{InDrop}, typeNumber, "0", "The least median whose absence matters."},
	{"at_least", []Place{InBeacon}, "integer", "8", "How many gaps between contacts."},
	{"at_least", []Place{InDrop}, "integer", "3", "How many events make a run whose end matters."},
	{"jitter_max", []Place{InBeacon}, typeNumber, "0.2", "The greatest median absolute deviation of the gaps, divided by their median: 0 to 1."},
	{"min_gap", []Place{InBeacon}, typeDuration, "1s", "Events closer than this are one contact."},
	{"for", []Place{InDrop}, typeDuration, "", "How long nothing may follow; required in a drop without baseline."},
	{"for", []Place{InThrottle}, typeDuration, required, "A match this soon after the last finding is counted into it."},

	{"rule", []Place{InBeside}, "rule id", required, "The rule that is excepted."},
	{"id", []Place{InException}, "string", required, "Name of the exception, in explanations and counters."},
	{"when", []Place{InException}, typeExpression, required, "Condition over the match, or, for a step, over the event."},
	{"applies_to", []Place{InException}, "match, step:<id>", "match", "match: matches it holds for make no finding. step: events it holds for are invisible to that step."},
	{"owner", []Place{InException}, "string", required, "Who answers for it."},
	{"reason", []Place{InException}, "string", required, "Why it is harmless."},
	{"expires", []Place{InException}, "RFC 3339 date or time", required, "Event time from which it no longer holds; a date is its beginning in UTC."},
	{"format", []Place{InImported}, "sigma", required, "The language it was written in."},
	{"id", []Place{InImported}, "string", "", "Its identifier there."},
	{"file", []Place{InImported}, "string", "", "Its file."},
	{"author", []Place{InImported}, "string", "", "Who wrote it."},
	{"license", []Place{InImported}, "string", "", "The licence it is under, where it says so."},
	{"status", []Place{InImported}, "string", "", "How ripe its authors call it."},
	{"date", []Place{InImported}, "string", "", "When it was written."},
	{"modified", []Place{InImported}, "string", "", "When it was changed last."},

	{"findings", []Place{InFlood}, "integer", required, "Findings in a period that make incidents as ever; with more, the rest are digested."},
	{"per", []Place{InFlood}, typeDuration, required, "Length of the period, 1m to 1d of event time."},

	{"name", []Place{InTest}, "string", required, "What the test shows, as a sentence."},
	{"start", []Place{InTest}, "RFC 3339 time", "2026-01-05T10:00:00Z", "Event time of offset 0 (a Monday)."},
	{"given", []Place{InTest}, "given", "", "Lists, inventory, windows, bindings and history that hold during the test."},
	{"events", []Place{InTest}, "list of events", required, "The events, each with at, class and fields by their paths."},
	{"fires", []Place{InTest}, "list of findings", required, "The findings that must come, and no others; empty for silence."},
	{"lists", []Place{InGiven}, "name: values", "", "Lists that inList reads."},
	{"assets", []Place{InGiven}, "id: attributes", "", "Inventory that asset(id) reads."},
	{"schedules", []Place{InGiven}, "list of windows", "", "Windows that window() reads."},
	{"bindings", []Place{InGiven}, "list of bindings", "", "Addresses that stand for entities, as enrichment would have learned."},
	{"new", []Place{InGiven}, "step: {entity: values}", "", "History of a step's new; several per values are joined by commas."},
	{"baseline", []Place{InGiven}, "step: {entity: number}", "", "What is usual for a step's spike or drop of an amount: the median over the time of over, at all times."},
	{"kind", []Place{InSchedule}, "string", required, "Kind of window, such as maintenance."},
	{"entity", []Place{InSchedule, InBinding}, "canonical id", required, "The entity, as in robot:r1."},
	{"from", []Place{InSchedule, InBinding}, typeDuration, "always", "Offset of the start; may be negative."},
	{"to", []Place{InSchedule, InBinding}, typeDuration, "for ever", "Offset of the end, exclusive."},
	{"ip", []Place{InBinding}, "address", "", "The address bound."},
	{"mac", []Place{InBinding}, "hardware address", "", "The hardware address bound."},
	{"at", []Place{InEvent, InFire}, typeDuration, required, "Offset from start; may be negative. In fires, that of the completing event."},
	{"source", []Place{InEvent}, "string", "test", "Configured source of the event."},
	{"raw", []Place{InEvent}, "map of strings", "", "The source's own fields, as raw(name) and the path raw.NAME read them: {Image: 'C:\\x.exe', EventID: 1}."},
	{"vars", []Place{InFire}, "variable: value", "", "Variables the finding must have."},
	{"score", []Place{InFire}, "integer", "", "Score the finding must have."},
}

// allowed lists the names of the keys that may stand at any of the places, in table order.
func allowed(places ...Place) []string {
	var out []string
	for _, k := range keys {
		for _, p := range k.Places {
			for _, want := range places {
				if p == want {
					out = append(out, k.Name)
				}
			}
		}
	}
	return out
}
