package ocsf

import (
	"fmt"
	"strings"
)

// seen is the set of a structure's attributes an object has.
type seen [2]uint64

func (s *seen) add(position int)      { s[position>>6] |= 1 << (position & 63) }
func (s *seen) has(position int) bool { return s[position>>6]&(1<<(position&63)) != 0 }

// object checks the object at the cursor against a class or object.
func (v *Validator) object(s *structure) {
	if len(v.path) > maxDepth {
		v.report(Error, CodeTooDeep, fmt.Sprintf("nested deeper than %d", maxDepth))
		v.cursor.skip()
		return
	}
	if len(s.attributes) == 0 {
		v.openObject()
		return
	}
	if s.deprecated != "" && len(v.path) > 0 {
		v.report(Warning, CodeObjectDeprecated, fmt.Sprintf("object %s is deprecated: %s", s.name, s.deprecated))
	}
	c := &v.cursor
	base := len(v.values)
	var has seen
	if !c.open() {
		v.report(Error, CodeObjectEmpty, "an object without members is left out")
		return
	}
	for ok := true; ok; ok = c.more() {
		v.member(s, &has)
	}
	v.checkRequired(s, &has)
	v.checkConstraints(s, &has)
	v.checkSiblings(s, base)
	v.values = v.values[:base]
}

// openObject is one whose members the schema leaves open, such as unmapped.
func (v *Validator) openObject() {
	start := v.cursor.pos
	if !v.cursor.open() {
		v.report(Warning, CodeObjectEmpty, "an object without members is better left out")
		return
	}
	v.cursor.pos = start
	v.cursor.skip()
}

func (v *Validator) member(s *structure, has *seen) {
	c := &v.cursor
	name := v.unescaped(c.name())
	position, ok := find(s, name)
	if !ok {
		v.reportMember(string(name), Error, CodeUnknownAttribute, fmt.Sprintf("%s has no attribute %q", s.name, name))
		c.skip()
		return
	}
	a := s.at(position)
	if a.profiles != 0 && a.profiles&v.profiles == 0 {
		v.reportMember(a.name, Error, CodeProfileMissing, fmt.Sprintf("%s has this attribute only with a profile; add to metadata.profiles: %s", s.name, profileNames(a.profiles)))
		c.skip()
		return
	}
	v.path = append(v.path, step{name: a.name, index: -1})
	defer v.leave()
	if c.kind() == 'n' {
		c.literal()
		if a.enum != 0 {
			v.report(Error, CodeEnumUnknown, "null is not a value of this enumeration")
		}
		return
	}
	has.add(position)
	if a.deprecated != "" {
		v.report(Warning, CodeAttributeDeprecated, "deprecated: "+a.deprecated)
	}
	if a.flags&flagArray == 0 {
		v.single(a, position, true)
		return
	}
	v.array(a, position)
}

func (v *Validator) leave() { v.path = v.path[:len(v.path)-1] }

func (v *Validator) array(a *attribute, position int) {
	c := &v.cursor
	if c.kind() != '[' {
		v.wrongType(a, "an array of ")
		return
	}
	start := c.pos
	index := 0
	v.path = append(v.path, step{})
	for ok := c.open(); ok; ok = c.more() {
		v.path[len(v.path)-1].index = index
		v.single(a, position, false)
		index++
	}
	v.leave()
	if a.enum != 0 || a.flags&flagSibling != 0 {
		v.values = append(v.values, value{span: span{start: start, end: c.pos}, position: position})
	}
}

// single checks one value. Only members themselves are remembered for the
// check of siblings; arrays are remembered as a whole.
func (v *Validator) single(a *attribute, position int, remember bool) {
	if a.kind == kindObject {
		if v.cursor.kind() != '{' {
			v.wrongType(a, "")
			return
		}
		v.object(&structures[a.object])
		return
	}
	text, id, ok := v.scalar(a)
	if ok && remember && (a.enum != 0 || a.flags&flagSibling != 0) {
		v.values = append(v.values, value{span: text, id: id, position: position})
	}
}

func (v *Validator) wrongType(a *attribute, prefix string) {
	got := v.cursor.doc[v.cursor.skip().start]
	want := kindNames[a.kind]
	if a.kind == kindObject {
		want = structures[a.object].name + " (an object)"
	}
	v.report(Error, CodeWrongType, fmt.Sprintf("want %s%s, got %s", prefix, want, jsonKind(got)))
}

func jsonKind(first byte) string {
	switch first {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

func (v *Validator) checkRequired(s *structure, has *seen) {
	for _, p := range s.required {
		if has.has(int(p)) {
			continue
		}
		a := s.at(int(p))
		if a.profiles != 0 && a.profiles&v.profiles == 0 {
			continue
		}
		v.reportMember(a.name, Error, CodeRequiredMissing, fmt.Sprintf("%s requires it", s.name))
	}
}

func (v *Validator) checkConstraints(s *structure, has *seen) {
	if s.atLeastOne != nil && has.count(s.atLeastOne) == 0 {
		v.report(Error, CodeConstraintFailed, fmt.Sprintf("%s needs at least one of %s", s.name, s.names(s.atLeastOne)))
	}
	if s.justOne == nil {
		return
	}
	if n := has.count(s.justOne); n != 1 {
		v.report(Error, CodeConstraintFailed, fmt.Sprintf("%s needs exactly one of %s, got %d", s.name, s.names(s.justOne), n))
	}
}

func (s *seen) count(positions []uint8) int {
	n := 0
	for _, p := range positions {
		if s.has(int(p)) {
			n++
		}
	}
	return n
}

func (s *structure) names(positions []uint8) string {
	names := make([]string, len(positions))
	for i, p := range positions {
		names[i] = s.at(int(p)).name
	}
	return strings.Join(names, ", ")
}

func profileNames(mask uint16) string {
	var names []string
	for i, p := range profiles {
		if mask&(1<<i) != 0 {
			names = append(names, p)
		}
	}
	return strings.Join(names, " or ")
}
