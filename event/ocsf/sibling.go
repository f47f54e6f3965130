package ocsf

import "fmt"

// checkSiblings compares the captions of the enumerations an object has with
// their sibling attributes.
func (v *Validator) checkSiblings(s *structure, base int) {
	for i := base; i < len(v.values); i++ {
		a := s.at(v.values[i].position)
		if a.enum == 0 || a.sibling == "" || a.kind >= kindString {
			continue
		}
		position, ok := find(s, a.sibling)
		if !ok {
			continue
		}
		sibling, present := v.remembered(position, base)
		if a.flags&flagArray != 0 {
			if present {
				v.arraySibling(a, v.values[i], sibling)
			}
			continue
		}
		v.singleSibling(a, v.values[i].id, sibling, present)
	}
}

func (v *Validator) remembered(position, base int) (value, bool) {
	for _, candidate := range v.values[base:] {
		if candidate.position == position {
			return candidate, true
		}
	}
	return value{}, false
}

const idOther = 99

func (v *Validator) singleSibling(a *attribute, id int64, sibling value, present bool) {
	if !present {
		if id == idOther {
			v.reportMember(a.sibling, Error, CodeSiblingMissing, fmt.Sprintf("%s is 99 (Other): say what the source said", a.name))
		}
		return
	}
	i, ok := enums[a.enum].find(id)
	if !ok {
		return
	}
	caption := enums[a.enum][i].Caption
	same := string(v.unescaped(sibling.span)) == caption
	switch {
	case id == idOther && same:
		v.reportMember(a.sibling, Warning, CodeSiblingOther, fmt.Sprintf("%s is 99: %q is rarely what the source said", a.name, caption))
	case id != idOther && !same:
		v.reportMember(a.sibling, Warning, CodeSiblingIncorrect, fmt.Sprintf("%s is %d: want %q, got %q", a.name, id, caption, v.unescaped(sibling.span)))
	}
}

func (v *Validator) arraySibling(a *attribute, ids, sibling value) {
	left, right := cursor{doc: v.cursor.doc, pos: ids.span.start}, cursor{doc: v.cursor.doc, pos: sibling.span.start}
	moreRight := right.open()
	index := 0
	for ok := left.open(); ok; ok = left.more() {
		text := left.text(left.skip())
		var caption span
		isString := false
		if moreRight {
			if isString = right.kind() == '"'; isString {
				caption = right.str()
			} else {
				right.skip()
			}
		}
		v.arrayElement(a, text, index, caption, isString, moreRight)
		if moreRight {
			moreRight = right.more()
		}
		index++
	}
}

func (v *Validator) arrayElement(a *attribute, text []byte, index int, sibling span, isString, present bool) {
	id, ok := integer(text)
	if !ok || id == idOther {
		return
	}
	i, ok := enums[a.enum].find(id)
	if !ok {
		return
	}
	caption := enums[a.enum][i].Caption
	place := fmt.Sprintf("%s[%d]", a.sibling, index)
	switch {
	case !present:
		v.reportMember(place, Error, CodeArraySiblingMissing, fmt.Sprintf("%s[%d] is %d: want %q", a.name, index, id, caption))
	case isString && string(v.unescaped(sibling)) != caption:
		v.reportMember(place, Error, CodeArraySiblingIncorrect, fmt.Sprintf("%s[%d] is %d: want %q, got %q", a.name, index, id, caption, v.unescaped(sibling)))
	}
}
