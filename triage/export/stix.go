package export

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// Bounds of a bundle: events as observed data, and lines of its timeline note.
const (
	maxObserved = 500
	maxLines    = 500
)

// observable is the namespace of ids of STIX cyber-observable objects (STIX 2.1, 2.9).
var observable = [16]byte{0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7}

// object is any STIX object; its members are written in order of their names.
type object map[string]any

// bundle collects objects, each once, in the order in which they came.
type bundle struct {
	objects []object
	met     map[string]bool
	author  string
	at      string // When the incident was last changed.
}

func (b *bundle) add(o object) string {
	id := o["id"].(string)
	if !b.met[id] {
		b.met[id] = true
		o["spec_version"] = "2.1"
		b.objects = append(b.objects, o)
	}
	return id
}

// domain adds an object that has an author and times.
func (b *bundle) domain(kind, created string, o object, parts ...string) string {
	o["type"], o["id"], o["created"], o["modified"] = kind, idOf(kind, parts...), created, max(created, b.at)
	o["created_by_ref"] = b.author
	return b.add(o)
}

// STIX is an incident as a STIX 2.1 bundle: the incident, what was observed of it, the entities, techniques and notes, and how they relate. The
// incident object of STIX 2.1 has a name and a description; everything else hangs on it by relationships. Robots and devices are identities of
// the class system, as STIX has no observable for a machine. What evidence has no observable stands in the note of the timeline only. source
// says which installation speaks, console where its incidents are found; it may be empty.
func STIX(in *incident.Incident, source, console string) []byte {
	b := &bundle{met: map[string]bool{}, at: moment(in.Updated)}
	opened := moment(min(in.Opened, in.Updated))
	b.author = b.add(object{"type": "identity", "id": idOf("identity", source), "created": opened, "modified": b.at, "name": "Tocsin " + source, "identity_class": "system"})
	name := event.FormatID(event.IncidentPrefix, in.ID)
	reference := object{"source_name": "tocsin", "external_id": name}
	if console != "" {
		reference["url"] = strings.TrimSuffix(console, "/") + "/incidents/" + name
	}
	answers := triage.Answer(in)
	about := object{"name": nameOf(in), "external_references": []object{reference}, "labels": labelsOf(in)}
	if answers.Text != "" {
		about["description"] = answers.Text
	}
	id := b.domain("incident", opened, about, name)
	b.members(in, id, opened)
	b.techniques(in, id, opened)
	b.observed(in, id)
	b.notes(in, id, opened, answers)
	// A bundle has no times of its own: it is another one for each revision.
	return encode(object{"type": "bundle", "id": idOf("bundle", name, fmt.Sprint(in.Revision)), "objects": b.objects})
}

func labelsOf(in *incident.Incident) []string {
	out := []string{"severity:" + in.Severity.String(), "status:" + in.Status.String(), "assessment:" + triage.ReadingOf(in)}
	if in.Verdict != "" {
		out = append(out, "verdict:"+string(in.Verdict))
	}
	return out
}

// relate says that the incident is related to something: STIX 2.1 names no closer relationship for incidents.
func (b *bundle) relate(in, to, created string) {
	b.domain("relationship", created, object{"relationship_type": "related-to", "source_ref": in, "target_ref": to}, in, to)
}

// members are the entities that take part.
func (b *bundle) members(in *incident.Incident, id, created string) {
	for _, m := range in.Entities {
		if m.Strength == event.Context || !slices.ContainsFunc(m.Roles, func(r event.Role) bool { return r < event.RoleReporter }) {
			continue
		}
		if o := observableOf(m.ID); o != nil {
			b.relate(id, b.add(o), created)
			continue
		}
		kind, name, _ := strings.Cut(m.ID, ":")
		if name != "" {
			b.relate(id, b.domain("identity", created, object{"name": name, "identity_class": classOf(m.Kind), "labels": []string{kind}}, m.ID), created)
		}
	}
}

func classOf(kind event.EntityKind) string {
	if kind == event.EntityGroup {
		return "group"
	}
	return "system"
}

// observableOf is the cyber-observable object of an entity; nil if STIX has none for it.
func observableOf(id string) object {
	kind, name, _ := strings.Cut(id, ":")
	switch event.EntityKindOf(kind) {
	case event.EntityUser:
		if name != "" {
			return scoOf("user-account", object{"user_id": name})
		}
	case event.EntityIP:
		if a, err := netip.ParseAddr(name); err == nil && a.Zone() == "" {
			if a = a.Unmap(); a.Is4() {
				return scoOf("ipv4-addr", object{"value": a.String()})
			}
			return scoOf("ipv6-addr", object{"value": a.String()})
		}
	case event.EntityMAC:
		if a, err := net.ParseMAC(name); err == nil && len(a) == 6 {
			return scoOf("mac-addr", object{"value": a.String()})
		}
	}
	return nil
}

// scoOf gives a cyber-observable object its id, which follows from its properties (STIX 2.1, 2.9): they are single strings here, so that their
// JSON is canonical.
func scoOf(kind string, o object) object {
	contributing, err := json.Marshal(map[string]any(o))
	if err != nil {
		panic("export: strings have a JSON form: " + err.Error())
	}
	o["type"], o["id"] = kind, kind+"--"+written(uuid5(observable, string(contributing)))
	return o
}

// techniques are those that the rules name.
func (b *bundle) techniques(in *incident.Incident, id, created string) {
	for i := range in.Findings {
		for _, tag := range in.Findings[i].Rule.Tags {
			matrix, technique, ok := strings.Cut(tag, ".")
			if !ok || matrix != "attack" && matrix != "ics" || technique == "" {
				continue
			}
			technique = strings.ToUpper(technique)
			sources := map[string]string{"attack": "mitre-attack", "ics": "mitre-ics-attack"}
			b.relate(id, b.domain("attack-pattern", created, object{"name": technique, "external_references": []object{{"source_name": sources[matrix], "external_id": technique}}}, technique), created)
		}
	}
}

// observed are the events of the evidence that have observables.
func (b *bundle) observed(in *incident.Incident, id string) {
	n := 0
	met := map[event.ID]bool{}
	for i := range in.Findings {
		for _, ev := range in.Findings[i].Evidence {
			if ev.Event == nil || met[ev.Event.Event] || n == maxObserved {
				continue
			}
			met[ev.Event.Event] = true
			var refs []string
			for _, x := range ev.Event.Entities {
				if o := observableOf(x.ID); o != nil && x.Role < event.RoleReporter {
					if ref := b.add(o); !slices.Contains(refs, ref) {
						refs = append(refs, ref)
					}
				}
			}
			if len(refs) == 0 {
				continue
			}
			n++
			at, created := moment(ev.Event.Time), moment(ev.Event.Received)
			b.relate(id, b.domain("observed-data", created, object{
				"first_observed": at, "last_observed": at, "number_observed": 1, "object_refs": refs,
				"external_references": []object{{"source_name": "tocsin", "external_id": ev.Event.Event.String(), "description": cut(ev.Event.Summary, 300)}},
			}, ev.Event.Event.String()), created)
		}
	}
}

// notes are the answers, the timeline and what analysts wrote.
func (b *bundle) notes(in *incident.Incident, id, created string, answers incident.Answers) {
	name := event.FormatID(event.IncidentPrefix, in.ID)
	note := func(what, at, content string, authors []string, parts ...string) {
		o := object{"abstract": what, "content": content, "object_refs": []string{id}}
		if len(authors) > 0 {
			o["authors"] = authors
		}
		b.domain("note", at, o, append([]string{name, what}, parts...)...)
	}
	if answers.Text != "" {
		note("Malfunction or intrusion, which robots, what changed just before", created, answers.Text, nil)
	}
	var lines strings.Builder
	moments := triage.Timeline(in)
	for _, m := range moments[:min(len(moments), maxLines)] {
		fmt.Fprintf(&lines, "%s %s: %s", moment(m.At), m.Lane, m.Text)
		if m.Count > 1 {
			fmt.Fprintf(&lines, " (x%d, until %s)", m.Count, moment(m.Until))
		}
		lines.WriteByte('\n')
	}
	if more := len(moments) - maxLines; more > 0 {
		fmt.Fprintf(&lines, "and %d more\n", more)
	}
	if lines.Len() > 0 {
		note("Timeline", created, lines.String(), nil)
	}
	for i, r := range in.Remarks {
		if r.Text != "" && r.By != "" {
			note("Note", moment(r.At), r.Text, []string{r.By}, fmt.Sprint(i))
		}
	}
}

// cut is the first n characters of s.
func cut(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i] + "…"
		}
		n--
	}
	return s
}
