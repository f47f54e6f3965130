package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	schema "github.com/tocsin-siem/tocsin/event/ocsf"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// Bounds of what is kept of one event beside the fields of the struct; the record itself is kept whole.
const (
	maxOCSFUnmapped = 256
	maxOCSFValue    = 1024
	maxOCSFEntities = 256
)

// ocsfWalk carries the members of one OCSF document into an event. The first element of an array takes the place of the single value that the
// struct has; further ones are unmapped.
type ocsfWalk struct {
	event *event.Event
	class *schema.Class // As the document says; it tells what is an entity.
	shape *schema.Class // As the event will be written; it tells which values are allowed.
	buf   []byte        // Path at hand, without indices.

	// Inside a further element of an array nothing is set; the path is shown with the element's number.
	extra        bool
	mark, number int
}

func (w *ocsfWalk) members(object jsonscan.Value) {
	for key, member := range object.Members() {
		from := len(w.buf)
		if from > 0 {
			w.buf = append(w.buf, '.')
		}
		w.buf = append(w.buf, key...)
		w.value(member)
		w.buf = w.buf[:from]
	}
}

func (w *ocsfWalk) value(v jsonscan.Value) {
	path := textOf(w.buf)
	if ocsfImplied(path) && (v.Kind() != jsonscan.Object || path != "metadata.product.feature") {
		return
	}
	switch v.Kind() {
	case jsonscan.Null, jsonscan.Missing:
	case jsonscan.Object:
		if path == "unmapped" {
			w.leftovers(v)
			return
		}
		w.members(v)
	case jsonscan.Array:
		w.array(v)
	default:
		w.leaf(v)
	}
}

func (w *ocsfWalk) array(list jsonscan.Value) {
	path := textOf(w.buf)
	switch {
	case path == "observables":
		w.observables(list)
		return
	case path == "enrichments":
		return
	case path == "unmapped":
		w.leftoverPairs(list)
		return
	case path == "attacks" || strings.HasSuffix(path, ".attacks"):
		w.attacks(list)
		return
	case strings.HasSuffix(path, "hashes") || strings.HasSuffix(path, "fingerprints"):
		w.hashes(list, strings.TrimSuffix(strings.TrimSuffix(path, ".hashes"), ".fingerprints"))
		return
	}
	if w.stringList(list) {
		return
	}
	before, number := *w, 0
	for v := range list.Elements() {
		if !before.extra && number > 0 {
			w.extra, w.mark, w.number = true, len(w.buf), number
		}
		w.value(v)
		number++
	}
	w.extra = before.extra
}

// stringList sets a field that holds a list; false where the path is no such field.
func (w *ocsfWalk) stringList(list jsonscan.Value) bool {
	p := event.FieldByPath(ocsfRename(textOf(w.buf)))
	if p == nil || p.Kind != event.KindStrings || p.Set == nil || w.extra || p.Flags&event.Enriched != 0 {
		return false
	}
	var out []string
	for v := range list.Elements() {
		if text := meant(v.Text()); text != "" && len(out) < 64 {
			out = append(out, text)
		}
	}
	if len(out) > 0 {
		p.Set(w.event, event.Value{Lst: out})
	}
	return true
}

// leaf carries one scalar: into its field, or under unmapped; in either case the schema says whether it names an entity.
func (w *ocsfWalk) leaf(v jsonscan.Value) {
	path := textOf(w.buf)
	text := v.Text()
	if v.Kind() == jsonscan.String && event.Placeholder(text) {
		return
	}
	renamed := ocsfRename(path)
	if !w.extra && w.fits(path, renamed) && w.set(renamed, v, text) {
		return
	}
	if w.caption(renamed) {
		return
	}
	w.entity(path, text)
	w.unmapped(path, text)
}

// fits reports whether an attribute may go to the field of its path: one at top level only if the class has it, since what other classes call
// the same may mean something else.
func (w *ocsfWalk) fits(path, renamed string) bool {
	return path != renamed || strings.IndexByte(path, '.') >= 0 || w.shape.Allows(path)
}

// caption reports whether a path only repeats in words what an id beside it says.
func (w *ocsfWalk) caption(path string) bool {
	p := event.FieldByPath(path)
	return p != nil && p.Flags&event.IsCaption != 0
}

// set sets the field of a path; false where there is none, or where the value does not fit.
func (w *ocsfWalk) set(path string, v jsonscan.Value, text string) bool {
	p := event.FieldByPath(path)
	if p == nil {
		if base, found := strings.CutSuffix(path, "_dt"); found {
			return w.setStamp(base, text)
		}
		return false
	}
	if p.Set == nil || p.Flags&event.Enriched != 0 || p.Known(w.event) {
		return p.Known(w.event) && p.Flags&event.IsCaption == 0 && w.same(p, text)
	}
	switch p.Kind {
	case event.KindString:
		return w.setText(p, path, text)
	case event.KindInt:
		return w.setNumber(p, v, text)
	case event.KindTime:
		ms, ok := v.LooseInt64()
		if !ok || ms <= 0 || ms > 1<<52 {
			return false
		}
		p.Set(w.event, event.Value{Num: ms})
	case event.KindFloat:
		f, ok := v.LooseFloat()
		if !ok {
			return false
		}
		p.Set(w.event, event.Value{Flt: f})
	case event.KindBool:
		b, ok := v.LooseBool()
		if !ok {
			return false
		}
		p.Set(w.event, event.Value{Tri: event.BoolOf(b)})
	case event.KindStrings:
		p.Set(w.event, event.Value{Lst: []string{text}})
	}
	return true
}

// same reports whether a field that is set already says the same, so that nothing is lost.
func (w *ocsfWalk) same(p *event.Field, text string) bool {
	return p.Kind == event.KindString && p.Str(w.event) == text
}

func (w *ocsfWalk) setStamp(base, text string) bool {
	p := event.FieldByPath(base)
	if p == nil || p.Kind != event.KindTime || p.Set == nil {
		return false
	}
	micros := stampMicros(text, nil)
	if micros <= 0 {
		return false
	}
	if !p.Known(w.event) {
		p.Set(w.event, event.Value{Num: micros / 1000})
	}
	return true
}

// setText brings addresses and names to the one spelling of the model.
func (w *ocsfWalk) setText(p *event.Field, path, text string) bool {
	text = strings.TrimSpace(text)
	switch p.Attr {
	case "ip":
		if text = plainIP(text); text == "" {
			return false
		}
	case "mac":
		mac, ok := event.MAC(text)
		if !ok || kv.NoMAC(mac) {
			return false
		}
		text = mac
	case "hostname", "email_addr":
		text = strings.ToLower(text)
	case "sha256", "sha1", "md5":
		text = strings.ToLower(text)
	}
	if p.Flags&event.IsCaption != 0 || secretName(path[strings.LastIndexByte(path, '.')+1:]) && !strings.HasSuffix(path, "credential_uid") {
		return false
	}
	p.Set(w.event, event.Value{Str: text})
	return true
}

// setNumber sets a number that fits its field and, for an enumeration, is one of the values that the class gives it.
func (w *ocsfWalk) setNumber(p *event.Field, v jsonscan.Value, text string) bool {
	n, ok := v.LooseInt64()
	if !ok {
		return false
	}
	if p.Flags&event.Enum != 0 && n != 0 && !w.enumerated(p, n) {
		w.event.Envelope.Quality |= event.UnmappedEnum
		return false
	}
	p.Set(w.event, event.Value{Num: n})
	if got, known := p.Num(w.event); known && got != n {
		p.Set(w.event, event.Value{})
		return false
	}
	return true
}

func (w *ocsfWalk) enumerated(p *event.Field, n int64) bool {
	var a schema.Attribute
	var ok bool
	if p.Object == "" {
		a, ok = w.shape.Attribute(p.Attr)
	} else {
		a, ok = schema.ObjectAttribute(p.Object, p.Attr)
	}
	if !ok || len(a.Enum) == 0 {
		return n < 256
	}
	_, ok = a.Enum.Caption(n)
	return ok
}

// unmapped keeps what the struct has no field for.
func (w *ocsfWalk) unmapped(path, text string) {
	e := w.event
	if text == "" || len(e.Unmapped) >= maxOCSFUnmapped {
		return
	}
	if secretValue(path[strings.LastIndexByte(path, '.')+1:], text) {
		e.Envelope.Quality |= event.Redacted
		return
	}
	key := strings.Clone(path)
	if w.extra && w.mark <= len(path) {
		key = path[:w.mark] + "[" + strconv.Itoa(w.number) + "]" + path[w.mark:]
	}
	e.Unmapped = append(e.Unmapped, event.Attribute{Key: key, Value: clip(text, maxOCSFValue)})
}

// leftovers takes over what was unmapped before.
func (w *ocsfWalk) leftovers(object jsonscan.Value) {
	for key, v := range object.Members() {
		text := v.Text()
		if v.Kind() == jsonscan.Object || v.Kind() == jsonscan.Array {
			text = textOf(v.Raw())
		}
		w.unmapped(key, text)
	}
}

// leftoverPairs is leftovers for producers that write a list of pairs.
func (w *ocsfWalk) leftoverPairs(list jsonscan.Value) {
	for pair := range list.Elements() {
		key, number := "", 0
		for v := range pair.Elements() {
			switch number {
			case 0:
				key = v.Text()
			case 1:
				w.unmapped(key, v.Text())
			}
			number++
		}
	}
}

// finish fills in what OCSF spreads over two places and the struct keeps in one, and names what the class cannot be without.
func (w *ocsfWalk) finish() {
	e := w.event
	nameProcess(e.Process)
	if e.Actor.More != nil {
		nameProcess(e.Actor.More.Process)
	}
	if e.Finding != nil && e.Finding.UID == "" {
		e.Finding.UID = e.Finding.Title
	}
	for _, more := range []*event.EndpointMore{e.SrcEndpoint.More, e.DstEndpoint.More} {
		if more != nil {
			e.AddEntity(event.EntityDomain, event.RoleContext, event.Context, event.ObjectExtra, more.Domain)
		}
	}
}

// nameProcess gives a process without a name that of its image.
func nameProcess(p *event.Process) {
	if p != nil && p.Name == "" {
		p.Name = baseName(p.Path)
	}
}
