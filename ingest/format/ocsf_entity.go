package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// observableKinds are the OCSF observable types that are entities.
var observableKinds = map[uint8]event.EntityKind{
	1: event.EntityDevice, 2: event.EntityIP, 3: event.EntityMAC, 4: event.EntityUser, 5: event.EntityUser, 8: event.EntityHash,
	10: event.EntityResource, 20: event.EntityDevice, 21: event.EntityUser, 31: event.EntityUser, 35: event.EntityUser, 37: event.EntityDevice,
	47: event.EntityDevice, 48: event.EntityDevice,
}

// entity notes an identity that no field holds, if the schema says that the attribute is one.
func (w *ocsfWalk) entity(path, text string) {
	e := w.event
	if text == "" || len(text) > 256 || len(e.Entities) >= maxOCSFEntities {
		return
	}
	a, ok := w.class.Attribute(path)
	if !ok || a.Observable == 0 {
		return
	}
	kind, ok := observableKinds[a.Observable]
	if !ok {
		return
	}
	role := event.RoleContext
	if strings.HasPrefix(path, "metadata.") {
		role = event.RoleReporter
	}
	e.AddEntity(kind, role, event.Context, event.ObjectExtra, text)
}

var ocsfObservablePlan = jsonscan.Compile("name", "type_id", "value")

// observables adds what the list names beyond the attributes of the event itself.
func (w *ocsfWalk) observables(list jsonscan.Value) {
	var r jsonscan.Result
	count := 0
	for v := range list.Elements() {
		if count++; v.Kind() != jsonscan.Object || count > maxOCSFEntities {
			continue
		}
		ocsfObservablePlan.ScanValue(v, &r)
		id, _ := r.LooseInt64(1)
		kind, known := observableKinds[uint8(min(max(id, 0), 255))]
		if _, inEvent := w.class.Attribute(r.Str(0)); known && !inEvent {
			w.event.AddEntity(kind, event.RoleContext, event.Context, event.ObjectExtra, r.Str(2))
		}
	}
}

var ocsfAttackPlan = jsonscan.Compile("technique.uid", "sub_technique.uid", "tactic.name", "tactic.uid", "tactics[].name", "tactics[].uid")

// attacks takes the techniques and tactics of all attacks.
func (w *ocsfWalk) attacks(list jsonscan.Value) {
	f := w.finding()
	var r jsonscan.Result
	add := func(out *[]string, text string) {
		if text = meant(text); text != "" && len(*out) < 64 {
			*out = append(*out, text)
		}
	}
	for v := range list.Elements() {
		if v.Kind() != jsonscan.Object {
			continue
		}
		ocsfAttackPlan.ScanValue(v, &r)
		for slot := range 2 {
			add(&f.Techniques, r.Str(slot))
		}
		for _, pair := range [][2]int{{2, 3}, {4, 5}} {
			name := r.Str(pair[0])
			if name == "" {
				name = r.Str(pair[1])
			}
			add(&f.Tactics, name)
		}
	}
}

func (w *ocsfWalk) finding() *event.Finding {
	if w.event.Finding == nil {
		w.event.Finding = new(event.Finding)
	}
	return w.event.Finding
}

var ocsfHashPlan = jsonscan.Compile("algorithm_id", "algorithm", "value")

// hashes takes the digests of a file: those the struct has a field for, and all of them as entities.
func (w *ocsfWalk) hashes(list jsonscan.Value, owner string) {
	var r jsonscan.Result
	count := 0
	for v := range list.Elements() {
		if count++; v.Kind() != jsonscan.Object || count > 32 {
			continue
		}
		ocsfHashPlan.ScanValue(v, &r)
		value := meant(r.Str(2))
		name := hashAttribute(r.Text(0), r.Str(1))
		if value == "" {
			continue
		}
		w.event.AddEntity(event.EntityHash, event.RoleContext, event.Context, event.ObjectExtra, value)
		p := event.FieldByPath(ocsfRename(owner + "." + name))
		if name != "" && !w.extra && p != nil && p.Set != nil && !p.Known(w.event) {
			p.Set(w.event, event.Value{Str: strings.ToLower(value)})
			continue
		}
		w.unmapped(owner+".hashes["+strconv.Itoa(count-1)+"]", r.Str(1)+":"+value)
	}
}

// hashAttribute is the struct's attribute for an algorithm of OCSF.
func hashAttribute(id, name string) string {
	switch {
	case id == "1" || strings.EqualFold(name, "md5"):
		return "md5"
	case id == "2" || strings.EqualFold(name, "sha-1") || strings.EqualFold(name, "sha1"):
		return "sha1"
	case id == "3" || strings.EqualFold(name, "sha-256") || strings.EqualFold(name, "sha256"):
		return "sha256"
	}
	return ""
}
