package ocsf

import (
	"fmt"
	"strings"
)

// envelope is what has to be known before the members are checked, or is
// checked across members: members may come in any order.
type envelope struct {
	classUID    span
	activityID  span
	typeUID     span
	typeName    span
	version     span
	profiles    span
	extensions  span
	observables span
}

func (s span) present() bool { return s.end > 0 }

func (v *Validator) readEnvelope() envelope {
	var e envelope
	c := &v.cursor
	for ok := c.open(); ok; ok = c.more() {
		name := v.unescaped(c.name())
		if string(name) == "metadata" && c.kind() == '{' {
			v.readMetadata(&e)
			continue
		}
		value := c.skip()
		switch string(name) {
		case "class_uid":
			e.classUID = value
		case "activity_id":
			e.activityID = value
		case "type_uid":
			e.typeUID = value
		case "type_name":
			e.typeName = value
		case "observables":
			e.observables = value
		}
	}
	return e
}

func (v *Validator) readMetadata(e *envelope) {
	c := &v.cursor
	for ok := c.open(); ok; ok = c.more() {
		name := v.unescaped(c.name())
		value := c.skip()
		switch string(name) {
		case "version":
			e.version = value
		case "profiles":
			e.profiles = value
		case "extensions":
			e.extensions = value
		}
	}
}

func (v *Validator) findClass(e envelope) bool {
	if !e.classUID.present() {
		v.reportAt("class_uid", Error, CodeRequiredMissing, "class_uid is required; without it nothing else can be checked")
		return false
	}
	uid, ok := integer(v.cursor.text(e.classUID))
	if !ok {
		v.reportAt("class_uid", Error, CodeWrongType, "class_uid is an integer")
		return false
	}
	if uid >= 0 && uid < 1<<32 {
		v.class, ok = ClassByUID(uint32(uid))
	} else {
		ok = false
	}
	if !ok {
		v.reportAt("class_uid", Error, CodeClassUnknown, fmt.Sprintf("no class has the number %d", uid))
		return false
	}
	if d := structures[v.class.structure].deprecated; d != "" {
		v.reportAt("class_uid", Warning, CodeClassDeprecated, fmt.Sprintf("class %s is deprecated: %s", v.class.Name, d))
	}
	return true
}

func (v *Validator) checkProfiles(e envelope) {
	v.profiles = 0
	if !e.profiles.present() || v.cursor.doc[e.profiles.start] != '[' {
		return
	}
	c := cursor{doc: v.cursor.doc, pos: e.profiles.start}
	index := -1
	for ok := c.open(); ok; ok = c.more() {
		index++
		if c.kind() != '"' {
			c.skip()
			continue
		}
		name := v.unescaped(c.str())
		bit, known := profileBit(name)
		if !known {
			v.reportAt(fmt.Sprintf("metadata.profiles[%d]", index), Error, CodeProfileUnknown, fmt.Sprintf("no profile is called %q", name))
		}
		v.profiles |= bit
	}
}

func profileBit(name []byte) (uint16, bool) {
	for i, p := range profiles {
		if p == string(name) {
			return 1 << i, true
		}
	}
	return 0, false
}

// checkEnvelope leaves missing members and wrong types to the walk.
func (v *Validator) checkEnvelope(e envelope) {
	if text := v.cursor.text(e.version); e.version.present() && text[0] == '"' && string(text) != `"`+Version+`"` {
		v.reportAt("metadata.version", Error, CodeVersionIncorrect, fmt.Sprintf("the version is %s, not %q", text, Version))
	}
	v.checkTypeUID(e)
	if v.class.Extension == ExtensionName && !v.namesExtension(e) {
		v.reportAt("metadata.extensions", Error, CodeExtensionMissing, fmt.Sprintf(
			"class %s needs the extension {name: %q, uid: %q, version: %q}", v.class.Name, ExtensionName, ExtensionUID, ExtensionVersion))
	}
}

func (v *Validator) checkTypeUID(e envelope) {
	if !e.activityID.present() || !e.typeUID.present() {
		return
	}
	activity, ok := integer(v.cursor.text(e.activityID))
	if !ok {
		return
	}
	uid, ok := integer(v.cursor.text(e.typeUID))
	if !ok {
		return
	}
	if want := int64(v.class.UID)*100 + activity; uid != want {
		v.reportAt("type_uid", Error, CodeTypeIncorrect, fmt.Sprintf("type_uid is %d, want %d (class_uid*100 + activity_id)", uid, want))
		return
	}
	v.checkTypeName(e, activity)
}

func (v *Validator) checkTypeName(e envelope, id int64) {
	if !e.typeName.present() || v.cursor.doc[e.typeName.start] != '"' || id < 0 || id > 255 {
		return
	}
	activity, ok := v.class.Activity(uint8(id))
	if !ok {
		return
	}
	c := cursor{doc: v.cursor.doc, pos: e.typeName.start}
	text := v.unescaped(c.str())
	if rest, ok := strings.CutPrefix(string(text), v.class.Caption+": "); !ok || rest != activity.Caption {
		v.reportAt("type_name", Warning, CodeSiblingIncorrect, fmt.Sprintf("type_name is %q, want %q", text, v.class.Caption+": "+activity.Caption))
	}
}

func (v *Validator) namesExtension(e envelope) bool {
	if !e.extensions.present() || v.cursor.doc[e.extensions.start] != '[' {
		return false
	}
	c := cursor{doc: v.cursor.doc, pos: e.extensions.start}
	found := false
	for ok := c.open(); ok; ok = c.more() {
		if c.kind() != '{' {
			c.skip()
			continue
		}
		matched := 0
		for ok := c.open(); ok; ok = c.more() {
			name := c.text(c.name())
			value := c.text(c.skip())
			switch string(name) {
			case "name":
				matched += equal(value, `"`+ExtensionName+`"`)
			case "uid":
				matched += equal(value, `"`+ExtensionUID+`"`)
			case "version":
				matched += equal(value, `"`+ExtensionVersion+`"`)
			}
		}
		found = found || matched == 3
	}
	return found
}

func equal(value []byte, want string) int {
	if string(value) == want {
		return 1
	}
	return 0
}
