package ocsf

import (
	"bytes"
	"fmt"
)

// checkObservables looks at what an observable says about the rest of the
// event; its own shape is checked by the walk.
func (v *Validator) checkObservables(e envelope) {
	if !e.observables.present() || v.cursor.doc[e.observables.start] != '[' {
		return
	}
	c := cursor{doc: v.cursor.doc, pos: e.observables.start}
	index := -1
	for ok := c.open(); ok; ok = c.more() {
		index++
		if c.kind() != '{' {
			c.skip()
			continue
		}
		v.checkObservable(&c, index)
	}
}

func (v *Validator) checkObservable(c *cursor, index int) {
	var name span
	var id int64
	hasName, hasValue := false, false
	for ok := c.open(); ok; ok = c.more() {
		member := c.name()
		switch string(c.text(member)) {
		case "name":
			if hasName = c.kind() == '"'; hasName {
				name = c.str()
				continue
			}
		case "type_id":
			s := c.skip()
			id, _ = integer(c.text(s))
			continue
		case "value":
			hasValue = c.kind() == '"'
		}
		c.skip()
	}
	if !hasName {
		return
	}
	text := v.unescaped(name)
	a := v.reference(text)
	if a == nil {
		v.reportAt(fmt.Sprintf("observables[%d].name", index), Error, CodeObservableReference, fmt.Sprintf("%q is no attribute of class %s", text, v.class.Name))
		return
	}
	v.checkReference(a, index, id, hasValue)
}

func (v *Validator) checkReference(a *attribute, index int, id int64, hasValue bool) {
	if a.observable != 0 && id != int64(a.observable) && id != 0 && id != idOther {
		v.reportAt(fmt.Sprintf("observables[%d].type_id", index), Warning, CodeObservableType, fmt.Sprintf("%s has the type %d, not %d", a.name, a.observable, id))
	}
	if !hasValue && a.kind != kindObject {
		v.reportAt(fmt.Sprintf("observables[%d].value", index), Warning, CodeObservableValue, fmt.Sprintf("%s is a single value: repeat it here", a.name))
	}
}

// reference resolves a dotted name as the OCSF server does, without indices.
func (v *Validator) reference(name []byte) *attribute {
	s := &structures[v.class.structure]
	for {
		first, rest, more := bytes.Cut(name, []byte{'.'})
		position, ok := find(s, first)
		if !ok {
			return nil
		}
		a := s.at(position)
		if a.profiles != 0 && a.profiles&v.profiles == 0 {
			return nil
		}
		if !more {
			return a
		}
		if a.kind != kindObject {
			return nil
		}
		s, name = &structures[a.object], rest
	}
}
