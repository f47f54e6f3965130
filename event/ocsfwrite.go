package event

import (
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tocsin-siem/tocsin/event/ocsf"
)

// AppendOCSF adds e as one OCSF 1.8.0 JSON object to b. What the class has no attribute for goes into an evidence, where the class has
// evidences, else under unmapped, and raw fields in an object raw there; objects the schema requires and the source does not give are named Unknown; enrichments go under
// enrichments and entities under observables. The result validates with ocsf.Validator. Envelope.Raw is added as raw_data if raw is true.
// It is for people and other programs and not for the hot path; it may be called concurrently for different events.
func AppendOCSF(b []byte, e *Event, raw bool) []byte {
	d := document{class: classOf(e.ClassUID), event: e, root: &node{}}
	d.classFields()
	d.fields()
	d.specials()
	d.metadata(raw)
	d.enrichments()
	d.requirements()
	d.observables()
	d.profiles()
	return d.root.append(b)
}

// classOf is the class of an event; what is not modelled is a base event.
func classOf(uid uint32) *ocsf.Class {
	if c, ok := ocsf.ClassByUID(uid); ok && Modelled(uid) {
		return c
	}
	c, _ := ocsf.ClassByUID(ClassBase)
	return c
}

// document is one OCSF object being built.
type document struct {
	class *ocsf.Class
	event *Event
	root  *node
	used  []string // profiles whose attributes are present
	named []observable
	// captioned are the siblings of known ids: the source's own words for them are not written over the caption.
	captioned []string
}

// observable is a leaf of the document that the schema says can be observed.
type observable struct {
	name, value string
	typ         uint8
}

// node is a member of an object: a finished value or further members, in order of first appearance.
type node struct {
	name    string
	list    bool // wrap in an array of one
	value   []byte
	members []*node
}

func (n *node) member(name string) *node {
	for _, m := range n.members {
		if m.name == name {
			return m
		}
	}
	m := &node{name: name}
	n.members = append(n.members, m)
	return m
}

func (n *node) find(name string) *node {
	for _, m := range n.members {
		if m.name == name {
			return m
		}
	}
	return nil
}

func (n *node) append(b []byte) []byte {
	if n.list {
		b = append(b, '[')
	}
	if n.value != nil {
		b = append(b, n.value...)
	} else {
		b = append(b, '{')
		for i, m := range n.members {
			if i > 0 {
				b = append(b, ',')
			}
			b = quote(b, m.name)
			b = append(b, ':')
			b = m.append(b)
		}
		b = append(b, '}')
	}
	if n.list {
		b = append(b, ']')
	}
	return b
}

func quote(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, strings.ToValidUTF8(s, "\uFFFD"))
	return b
}

func quoted(s string) []byte { return quote(nil, s) }

func integer(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// number writes a float as OCSF's float_t wants it: with a fraction or an exponent. NaN and infinities have no JSON form.
func number(f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null")
	}
	b := strconv.AppendFloat(nil, f, 'g', -1, 64)
	if !slices.ContainsFunc(b, func(c byte) bool { return c == '.' || c == 'e' }) {
		b = append(b, ".0"...)
	}
	return b
}

func (d *document) put(name string, value []byte) { d.root.member(name).value = value }

func (d *document) classFields() {
	e, c := d.event, d.class
	activity := uint8(min(e.ActivityID, math.MaxUint8))
	name := e.Activity
	a, known := c.Activity(activity)
	if !known {
		activity, a = ActivityOther, ocsf.Activity{ID: ActivityOther, Caption: "Other"}
		name = "Activity " + strconv.Itoa(int(e.ActivityID))
	}
	if name == "" || activity != ActivityOther {
		name = a.Caption
	}
	d.put("class_uid", integer(int64(c.UID)))
	d.put("class_name", quoted(c.Caption))
	d.put("category_uid", integer(int64(c.CategoryUID)))
	d.put("category_name", quoted(c.CategoryName))
	d.put("activity_id", integer(int64(activity)))
	d.put("activity_name", quoted(name))
	d.put("type_uid", integer(c.TypeUID(activity)))
	d.put("type_name", quoted(c.Caption+": "+a.Caption))
	d.put("time", integer(e.Time/1000))
	d.put("severity_id", integer(int64(e.SeverityID)))
	severity := Caption("", "severity_id", int(e.SeverityID))
	if severity == "" {
		severity = "Unknown"
	}
	d.put("severity", quoted(severity))
}

// written are the fields that classFields, specials and metadata write themselves.
func written(p string) bool {
	switch p {
	case "class_uid", "activity_id", "activity_name", "severity_id", "severity", "time", "finding_info.techniques", "finding_info.tactics", "finding_info.related",
		"finding_info.is_alert", "file.sha256", "file.sha1", "file.md5", "process.file.sha256", "process.file.md5", "actor.process.file.sha256", "actor.process.file.md5",
		"tls.ja3_hash.value", "tls.ja3s_hash.value", "client_hassh.fingerprint.value", "server_hassh.fingerprint.value", "risk_score":
		return true
	}
	return false
}

func (d *document) fields() {
	all := Fields()
	for i := range all {
		f := &all[i]
		if f.Set == nil || f.Flags&(Enriched|IsCaption) != 0 || written(f.Path) || !f.Known(d.event) || slices.Contains(d.captioned, f.Path) {
			continue
		}
		d.field(f)
	}
	if score := d.event.RiskScore; score.Known {
		d.leaf("risk_score", integer(score.V), "")
	}
	for _, a := range d.event.Unmapped {
		d.unmapped(a.Key, quoted(a.Value))
	}
	d.rawFields()
}

func (d *document) field(f *Field) {
	e := d.event
	switch f.Kind {
	case KindString:
		d.leaf(f.Path, quoted(f.Str(e)), f.Str(e))
	case KindTime:
		n, _ := f.Num(e)
		d.leaf(f.Path, integer(n), "")
	case KindInt:
		n, _ := f.Num(e)
		d.leaf(f.Path, integer(n), strconv.FormatInt(n, 10))
		if f.Flags&Enum != 0 {
			d.caption(f, int(n))
		}
	case KindFloat:
		v, _ := f.Flt(e)
		d.leaf(f.Path, number(v), "")
	case KindBool:
		d.leaf(f.Path, strconv.AppendBool(nil, f.Tri(e) == True), "")
	case KindStrings:
		d.leaf(f.Path, stringList(f.Lst(e)), "")
	}
}

func stringList(list []string) []byte {
	b := []byte{'['}
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = quote(b, s)
	}
	return append(b, ']')
}

// caption writes the sibling of an enumerated id, unless the source's own words for it follow as a field.
func (d *document) caption(f *Field, id int) {
	sibling := strings.TrimSuffix(f.Path, "_id")
	g := FieldByPath(sibling)
	ownWords := g != nil && g.Flags&IsCaption == 0 && g.Known(d.event)
	if ownWords && id == ActivityOther {
		return
	}
	text := Caption(f.Object, f.Attr, id)
	if a, ok := d.class.Attribute(f.Path); ok && f.Object == "" {
		text, _ = a.Enum.Caption(int64(id)) // the same attribute may have other words in another class
	}
	if text == "" {
		text = "Unknown"
	}
	if ownWords && g.Str(d.event) != text {
		d.unmapped(sibling, quoted(g.Str(d.event)))
	}
	d.leaf(sibling, quoted(text), "")
	d.captioned = append(d.captioned, sibling)
}

// specials writes what OCSF shapes differently from our flat fields.
func (d *document) specials() {
	e := d.event
	if f := e.File; f != nil {
		d.hashes("file.hashes", f.SHA256, f.SHA1, f.MD5)
	}
	if p := e.Process; p != nil {
		d.hashes("process.file.hashes", p.SHA256, p.SHA1, p.MD5)
	}
	if m := e.Actor.More; m != nil && m.Process != nil {
		d.hashes("actor.process.file.hashes", m.Process.SHA256, m.Process.SHA1, m.Process.MD5)
	}
	if t := e.TLS; t != nil {
		d.fingerprint("tls.ja3_hash", t.JA3)
		d.fingerprint("tls.ja3s_hash", t.JA3S)
	}
	if s := e.SSH; s != nil {
		d.fingerprint("client_hassh.fingerprint", s.ClientHASSH)
		d.fingerprint("server_hassh.fingerprint", s.ServerHASSH)
	}
	if f := e.Finding; f != nil {
		d.finding(f)
	}
}

func (d *document) hashes(p, sha256, sha1, md5 string) {
	list := &node{}
	add := func(id int, name, value string) {
		if value == "" {
			return
		}
		list.members = append(list.members, &node{value: fingerprintJSON(id, name, value)})
	}
	add(1, "MD5", md5)
	add(2, "SHA-1", sha1)
	add(3, "SHA-256", sha256)
	if len(list.members) == 0 {
		return
	}
	b := []byte{'['}
	for i, m := range list.members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, m.value...)
	}
	d.object(p, append(b, ']'))
}

func fingerprintJSON(id int, name, value string) []byte {
	b := append([]byte(`{"algorithm_id":`), integer(int64(id))...)
	b = append(b, `,"algorithm":`...)
	b = quote(b, name)
	b = append(b, `,"value":`...)
	b = quote(b, value)
	return append(b, '}')
}

func (d *document) fingerprint(p, md5 string) {
	if md5 != "" {
		d.object(p, fingerprintJSON(1, "MD5", md5))
	}
}

// object puts a finished object or array at a path that exists in the class, directly or as evidence; else it is unmapped.
func (d *document) object(p string, value []byte) {
	for _, full := range homes(d.class, p) {
		if resolvePlaceObject(d.class, full) == nil {
			continue
		}
		n := d.root
		names := strings.Split(full, ".")
		for i, name := range names {
			n = n.member(name)
			a, _ := d.class.Attribute(strings.Join(names[:i+1], "."))
			n.list = a.Array && i < len(names)-1
			if q, _ := usable(a); q != "" && !slices.Contains(d.used, q) {
				d.used = append(d.used, q)
			}
		}
		n.value = value
		return
	}
	d.unmapped(p, value)
}

func (d *document) finding(f *Finding) {
	if f.IsAlert.Known() {
		d.leaf("is_alert", strconv.AppendBool(nil, f.IsAlert == True), "")
	}
	var attacks []byte
	for _, t := range f.Techniques {
		attacks = appendItem(attacks, `{"technique":{"uid":`, t, `}}`)
	}
	for _, t := range f.Tactics {
		attacks = appendItem(attacks, `{"tactic":{"name":`, t, `}}`)
	}
	if attacks != nil {
		d.object("finding_info.attacks", append(attacks, ']'))
	}
	var related []byte
	for _, id := range f.Related {
		related = appendItem(related, `{"uid":`, id, `}`)
	}
	if related != nil {
		d.object("finding_info.related_events", append(related, ']'))
	}
}

func appendItem(b []byte, before, text, after string) []byte {
	if b == nil {
		b = append(b, '[')
	} else {
		b = append(b, ',')
	}
	b = append(b, before...)
	b = quote(b, text)
	return append(b, after...)
}

func (d *document) metadata(raw bool) {
	env := &d.event.Envelope
	m := d.root.member("metadata")
	m.member("version").value = quoted(ocsf.Version)
	if !env.ID.IsZero() {
		m.member("uid").value = quoted(env.ID.String())
	}
	product := m.member("product")
	if product.find("name") == nil {
		name := env.Format
		if name == "" {
			name = "Unknown"
		}
		product.member("name").value = quoted(name)
	}
	if f := product.find("feature"); f != nil && f.find("uid") == nil && f.find("name") == nil {
		product.members = slices.DeleteFunc(product.members, func(n *node) bool { return n.name == "feature" })
	}
	if env.Received != 0 {
		m.member("processed_time").value = integer(env.Received / 1000)
	}
	if env.Format != "" {
		m.member("log_format").value = quoted(env.Format)
	}
	if env.Position.Source != "" {
		m.member("log_source").value = quoted(env.Position.Source)
	}
	if env.Quality&Truncated != 0 {
		m.member("is_truncated").value = []byte("true")
	}
	if d.class.Extension == ocsf.ExtensionName {
		b := quote([]byte(`[{"name":`), ocsf.ExtensionName)
		b = quote(append(b, `,"uid":`...), ocsf.ExtensionUID)
		b = quote(append(b, `,"version":`...), ocsf.ExtensionVersion)
		m.member("extensions").value = append(b, "}]"...)
	}
	if raw && len(env.Raw) > 0 {
		d.put("raw_data", quoted(string(env.Raw)))
		d.put("raw_data_size", integer(int64(len(env.Raw))))
	}
}

func (d *document) enrichments() {
	var b []byte
	all := Fields()
	for i := range all {
		f := &all[i]
		if f.Flags&Enriched == 0 || !f.Known(d.event) {
			continue
		}
		value := f.Text(d.event)
		if b == nil {
			b = append(b, '[')
		} else {
			b = append(b, ',')
		}
		b = quote(append(b, `{"name":`...), f.Path)
		b = quote(append(b, `,"value":`...), value)
		b = quote(append(b, `,"data":{"value":`...), value)
		b = append(b, `},"provider":"tocsin"}`...)
	}
	if b != nil {
		d.put("enrichments", append(b, ']'))
	}
}

// baseName is the last part of a path with either separator.
func baseName(p string) string { return path.Base(strings.ReplaceAll(p, `\`, "/")) }

func unquote(b []byte) string {
	out, err := jsontext.AppendUnquote(nil, b)
	if err != nil {
		return ""
	}
	return string(out)
}
