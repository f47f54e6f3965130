package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	schema "github.com/tocsin-siem/tocsin/event/ocsf"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

func ocsf() Format {
	return Format{
		Name: "ocsf", Title: "OCSF events", Domain: "any",
		Classes: ocsfClasses(),
		Doc: "OCSF events of any version as JSON, one or an array, brought to 1.8.0: renamed attributes move, attributes the model has no field for stay as " +
			"unmapped. A class that is not modelled becomes a base event. An event that its own version 1.8.0 calls invalid is kept and flagged.",
		Framing:  Lines,
		Append:   appendOCSF,
		Unmapped: ocsfUnmapped,
	}
}

// ocsfClasses lists all modelled classes by name.
func ocsfClasses() []string {
	var names []string
	for _, c := range schema.Classes() {
		if event.Modelled(c.UID) || c.UID == event.ClassBase {
			names = append(names, event.ClassName(c.UID))
		}
	}
	return sortedNames(names)
}

// Slots of ocsfPlan.
const (
	ocClass = iota
	ocType
	ocActivity
	ocActivityName
	ocClassName
	ocVersion
	ocTime
	ocTimeText
	ocProduct
	ocUID
	ocMetadata
)

var ocsfPlan = jsonscan.Compile(
	"class_uid", "type_uid", "activity_id", "activity_name", "class_name", "metadata.version", "time", "time_dt", "metadata.product.name",
	"metadata.uid", "metadata",
)

func appendOCSF(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	if isArray(rec.Value) {
		return appendArray(s, dst, rec, ocsfPlan, ocsfDocument)
	}
	if err := scanObject(s, ocsfPlan, rec.Value); err != nil {
		return dst, err
	}
	return ocsfDocument(s, dst, rec, jsonscan.Value{})
}

// ocsfDocument decodes the event that ocsfPlan scanned into s.JSON.
func ocsfDocument(s *Scratch, dst []event.Event, rec *event.Record, doc jsonscan.Value) ([]event.Event, error) {
	r := &s.JSON
	class, ok := r.LooseInt64(ocClass)
	kind, typed := r.LooseInt64(ocType)
	if !ok && typed {
		class, ok = kind/100, true
	}
	if !ok || class < 0 || class > 1<<31 || r.Kind(ocMetadata) != jsonscan.Object {
		return dst, Rejectf("wrong_format", "not an OCSF event: it needs class_uid (or type_uid) and the metadata object")
	}
	if !doc.Exists() {
		var err error
		if doc, err = jsonscan.ParseInto(rec.Value, &s.Nested); err != nil { // It was scanned before, so this cannot be.
			return dst, Rejectf("json_syntax", "%s", err.Error())
		}
	}
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	w := ocsfWalk{event: e, buf: s.Buf[:0]}
	w.setClass(r, uint32(class))
	w.setTime(r)
	version := r.Str(ocVersion)
	switch {
	case version != schema.Version:
		e.Envelope.Quality |= event.Upgraded
	case schema.HasErrors(s.schema.Validate(doc.Raw())):
		e.Envelope.Quality |= event.SchemaOdd
	}
	w.members(doc)
	s.Buf = w.buf[:0]
	w.finish()
	if uid := meant(r.Str(ocUID)); uid != "" {
		e.Envelope.ID = event.NewID("ocsf", r.Str(ocProduct), uid)
		if e.Metadata.OriginalUID == "" {
			e.Metadata.OriginalUID = uid
		}
	}
	return dst, nil
}

// setClass takes class and activity. A class without a struct becomes a base event whose activity names it.
func (w *ocsfWalk) setClass(r *jsonscan.Result, uid uint32) {
	e := w.event
	if newer, ok := ocsfClassUpgrades[uid]; ok {
		uid = newer
	}
	activity, _ := r.LooseInt64(ocActivity)
	if kind, ok := r.LooseInt64(ocType); ok && !r.Exists(ocActivity) {
		activity = kind % 100
	}
	name := meant(r.Str(ocActivityName))
	c, found := schema.ClassByUID(uid)
	base, _ := schema.ClassByUID(event.ClassBase)
	w.class, w.shape = c, c
	if !found {
		w.class = base
	}
	if !found || !event.Modelled(uid) && uid != event.ClassBase {
		e.Envelope.Quality |= event.Unmodelled
		title := meant(r.Str(ocClassName))
		if title == "" && found {
			title = c.Caption
		}
		if title == "" {
			title = "Class " + r.Text(ocClass)
		}
		if name != "" {
			title += ": " + name
		}
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, title
		e.Unmapped = append(e.Unmapped, event.Attribute{Key: "class_uid", Value: r.Text(ocClass)})
		w.shape = base
		return
	}
	e.ClassUID = uid
	if activity < 0 || activity > 255 {
		activity = 0
		e.Envelope.Quality |= event.UnmappedEnum
	}
	if _, ok := c.Activity(uint8(activity)); !ok {
		e.Envelope.Quality |= event.UnmappedEnum
		activity = activityOther
	}
	e.ActivityID = uint16(activity)
	if activity == activityOther {
		if e.Activity = name; name == "" {
			e.Activity = "Other"
		}
	}
}

// setTime takes the time in milliseconds, or as text where the number is missing.
func (w *ocsfWalk) setTime(r *jsonscan.Result) {
	e := w.event
	ms, ok := r.LooseInt64(ocTime)
	micros := int64(0)
	if ok && ms > 0 && ms < 1<<52 {
		micros = ms * 1000
	} else if text := r.Str(ocTimeText); text != "" {
		micros = stampMicros(text, nil)
	}
	if micros > 0 {
		e.Time, e.Envelope.TimeSource = micros, event.TimeParsed
	}
}

func ocsfUnmapped(rec *event.Record) []string {
	var s Scratch
	if isArray(rec.Value) || scanObject(&s, ocsfPlan, rec.Value) != nil {
		return nil
	}
	events, err := ocsfDocument(&s, nil, rec, jsonscan.Value{})
	if err != nil {
		return nil
	}
	var paths []string
	for _, a := range events[0].Unmapped {
		paths = append(paths, strings.Clone(a.Key))
	}
	return paths
}
