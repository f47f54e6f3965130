package rules

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
)

// Bounds on the tests of a rule.
const (
	maxTests      = 200
	maxTestEvents = 20_000
)

// tests reads the tests of a rule.
func (b *builder) tests(f *fields) []Test {
	var out []Test
	for _, n := range f.items("tests") {
		if len(out) == maxTests {
			b.doc.problem(n, codeSpan, "more than "+strconv.Itoa(maxTests)+" tests", "")
			break
		}
		if t := b.doc.mapping(n, "a test", false, InTest); t != nil {
			out = append(out, b.test(n, t))
		}
	}
	return out
}

func (b *builder) test(n *yaml.Node, f *fields) Test {
	f.need("name", "a test")
	t := Test{Name: f.text("name"), Line: n.Line, Start: TestStart}
	if s := f.get("start"); s != nil {
		at, err := time.Parse(time.RFC3339, b.doc.scalar(s, "start"))
		if err != nil {
			b.doc.problem(s, codeValue, "start is not a time", "as in 2026-01-05T10:00:00Z")
		} else {
			t.Start = at.UnixMicro()
		}
	}
	if g := b.doc.mapping(f.get("given"), "given", false, InGiven); g != nil {
		t.Given = b.given(g, t.Start)
	}
	f.need("events", "a test")
	items := f.items("events")
	if len(items) > maxTestEvents {
		b.doc.problem(f.get("events"), codeSpan, "more than "+strconv.Itoa(maxTestEvents)+" events", "")
		items = items[:maxTestEvents]
	}
	for i, e := range items {
		if ev, ok := b.testEvent(e, &t, i); ok {
			t.Events = append(t.Events, ev)
		}
	}
	if _, stands := f.keys["fires"]; !stands {
		b.doc.problem(f.node, codeMissing, "a test needs fires", "fires: [] says that the rule stays silent")
	}
	for _, e := range f.items("fires") {
		if fire, ok := b.fire(e, t.Events); ok {
			t.Fires = append(t.Fires, fire)
		}
	}
	slices.SortStableFunc(t.Fires, func(x, y Fire) int { return cmp.Compare(x.At, y.At) })
	return t
}

// offset reads a time relative to the start of a test, in microseconds; it may be negative.
func (d *document) offset(n *yaml.Node, what string) (int64, bool) {
	if n == nil {
		return 0, false
	}
	s := d.scalar(n, what)
	rest, negative := strings.CutPrefix(s, "-")
	v, err := expression.ParseDuration(rest)
	if err != nil {
		d.problem(n, codeDuration, err.Error(), "as in 0s, 90s, 7m, -2h")
		return 0, false
	}
	if negative {
		v = -v
	}
	return v, true
}

// testEvent builds the event that a mapping describes.
func (b *builder) testEvent(n *yaml.Node, t *Test, index int) (TestEvent, bool) {
	f := b.doc.mapping(n, "an event", true, InEvent)
	if f == nil {
		return TestEvent{}, false
	}
	at, ok := b.doc.offset(f.need("at", "an event"), "at")
	class := f.need("class", "an event")
	if !ok || class == nil {
		return TestEvent{}, false
	}
	ref, ok := b.doc.class(class)
	if !ok {
		return TestEvent{}, false
	}
	e := &event.Event{ClassUID: ref.UID, ActivityID: ref.Activity, Activity: ref.Name, Time: t.Start + at}
	e.Envelope.Position = event.Position{Source: cmp.Or(f.text("source"), "test"), Offset: int64(index)}
	e.Envelope.Received, e.Envelope.TimeSource = e.Time, event.TimeParsed
	e.Envelope.ID = event.NewID("test", b.rule.ID, t.Name, strconv.Itoa(index))
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch k := n.Content[i].Value; k {
		case "at", "class", "source":
		default:
			b.set(e, t, k, n.Content[i], n.Content[i+1])
		}
	}
	e.FindEntities()
	t.Given.bind(e)
	return TestEvent{At: at, Event: e, Line: n.Line}, true
}

// set sets a field of an event, or the fields below a path.
func (b *builder) set(e *event.Event, t *Test, path string, k, v *yaml.Node) {
	fd := event.FieldNamed(path)
	if fd == nil && v.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(v.Content); i += 2 {
			b.set(e, t, path+"."+v.Content[i].Value, v.Content[i], v.Content[i+1])
		}
		return
	}
	switch {
	case fd == nil:
		hint := ""
		if near := expression.NearestField(path); near != "" {
			hint = "did you mean " + near + "?"
		}
		b.doc.problem(k, codeTestEvent, "events have no field "+path, hint)
		return
	case fd.Set == nil:
		b.doc.problem(k, codeTestEvent, path+" follows from other fields and cannot be set", "")
		return
	}
	if value, ok := b.value(fd, t, v); ok {
		fd.Set(e, value)
		b.readBack(e, fd, value, v)
	}
}

// value reads the value of a field from YAML.
func (b *builder) value(fd *event.Field, t *Test, n *yaml.Node) (v event.Value, ok bool) {
	if fd.Kind == event.KindStrings {
		for _, e := range b.doc.scalars(n, fd.Path) {
			v.Lst = append(v.Lst, e.Value)
		}
		return v, true
	}
	if n.Kind != yaml.ScalarNode {
		b.doc.problem(n, codeTestEvent, fd.Path+" is "+article(fd.Kind.String()), "")
		return v, false
	}
	var err error
	switch fd.Kind {
	case event.KindString:
		v.Str = n.Value
		return v, b.captionKnown(fd, n)
	case event.KindInt:
		v.Num, err = strconv.ParseInt(n.Value, 10, 64)
	case event.KindFloat:
		v.Flt, err = strconv.ParseFloat(n.Value, 64)
	case event.KindBool:
		var set bool
		set, err = strconv.ParseBool(n.Value)
		v.Tri = event.BoolOf(set)
	case event.KindTime:
		v.Num, err = timeValue(n.Value, t.Start)
	}
	if err != nil {
		b.doc.problem(n, codeTestEvent, fd.Path+" is "+article(fd.Kind.String())+", and "+strconv.Quote(n.Value)+" is none", "")
		return v, false
	}
	return v, true
}

// timeValue reads a time of a test's event in milliseconds: an offset from the start, a time of RFC 3339, or milliseconds since the Unix epoch.
func timeValue(s string, start int64) (int64, error) {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		return ms, nil
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at.UnixMilli(), nil
	}
	rest, negative := strings.CutPrefix(s, "-")
	d, err := expression.ParseDuration(rest)
	if negative {
		d = -d
	}
	return (start + d) / 1000, err
}

func (b *builder) captionKnown(fd *event.Field, n *yaml.Node) bool {
	if fd.Flags&event.IsCaption == 0 || event.CaptionID(fd.Object, fd.Attr, n.Value) != 0 {
		return true
	}
	captions := event.Captions(fd.Object, fd.Attr)
	hint := "it has " + strings.Join(captions, ", ")
	if near := expression.Nearest(n.Value, captions); near != "" {
		hint = "did you mean " + near + "?"
	}
	b.doc.problem(n, codeTestEvent, fd.Path+" is never "+n.Value, hint)
	return false
}

// readBack reports numbers that the field cannot hold.
func (b *builder) readBack(e *event.Event, fd *event.Field, v event.Value, n *yaml.Node) {
	if fd.Kind != event.KindInt || v.Num == 0 {
		return
	}
	if got, _ := fd.Num(e); got != v.Num {
		b.doc.problem(n, codeTestEvent, fd.Path+" cannot be "+n.Value, "")
	}
}

// fire reads a finding that a test expects.
func (b *builder) fire(n *yaml.Node, events []TestEvent) (Fire, bool) {
	f := b.doc.mapping(n, "an entry of fires", false, InFire)
	if f == nil {
		return Fire{}, false
	}
	at, ok := b.doc.offset(f.need("at", "an entry of fires"), "at")
	if !ok {
		return Fire{}, false
	}
	if !slices.ContainsFunc(events, func(e TestEvent) bool { return e.At == at }) {
		b.doc.problem(f.get("at"), codeTests, "no event of the test is at "+f.text("at"), "at is the time of the event that completes the match")
	}
	fire := Fire{At: at, Score: f.integer("score", -1, 0, 100), Line: n.Line}
	if f.get("severity") != nil {
		fire.Severity = incident.SeverityOf(f.choice("severity", "medium", "informational", "low", "high", "critical", "fatal"))
	}
	vars := f.get("vars")
	if vars == nil || b.doc.mapping(vars, "vars", true) == nil {
		return fire, true
	}
	for i := 0; i+1 < len(vars.Content); i += 2 {
		k, v := vars.Content[i], vars.Content[i+1]
		j := slices.IndexFunc(b.plan.Vars, func(x Var) bool { return x.Name == k.Value })
		if j < 0 {
			b.doc.problem(k, codeVariable, "no step binds "+k.Value, "")
			continue
		}
		fire.Vars = append(fire.Vars, VarWant{Name: k.Value, Value: canonicalID(b.plan.Vars[j].Kind, b.doc.scalar(v, k.Value))})
	}
	slices.SortFunc(fire.Vars, func(x, y VarWant) int { return strings.Compare(x.Name, y.Name) })
	return fire, true
}

// canonicalID is the canonical id of an entity written by its key alone; plain values and whole ids stay.
func canonicalID(kind event.EntityKind, s string) string {
	if kind == event.EntityNone || strings.HasPrefix(s, kind.String()+":") {
		return s
	}
	if key := event.CanonicalKey(kind, s); key != "" {
		return kind.String() + ":" + key
	}
	return s
}
