package store

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// sift puts a condition into SQL. Of what columns cannot decide it takes the side that keeps rows (wide) or that loses them, so that the
// result holds wherever the condition does, or only there; exact says that it holds there and nowhere else. Values are bound, never part of
// the text, and no part of the result is ever NULL.
func (q *query) sift(w *event.Where, wide bool) (sql string, exact bool) {
	switch w.Op {
	case event.WhereUndecided:
		return truth(wide), false
	case event.WhereNot:
		inner, exact := q.sift(w.Of[0], !wide)
		return "NOT " + inner, exact
	case event.WhereAll:
		return q.siftAll(w.Of, wide, " AND ", truth(true))
	case event.WhereAny:
		return q.siftAll(w.Of, wide, " OR ", truth(false))
	}
	if sql, ok := q.entityTest(w); ok {
		if !wide {
			return truth(false), false
		}
		return sql, false
	}
	if sql, ok := q.columnTest(w); ok {
		return sql, true
	}
	if sql, ok := q.writtenTest(w); ok && wide {
		return sql, false
	}
	return truth(wide), false
}

// maxWritten bounds the texts that are looked for in one event.
const maxWritten = 8

// writtenTest narrows down by what the compact form of the event holds: a field without a column that is, begins, ends with or contains a text has
// the text's bytes in it. Whether they are those of the field is for the expression to tell.
func (q *query) writtenTest(w *event.Where) (string, bool) {
	if w.Part != event.WholeField || !written(w.Field) || len(w.Strs) == 0 || len(w.Strs) > maxWritten || slices.Contains(w.Strs, "") {
		return "", false
	}
	switch w.Op {
	case event.WhereEqual, event.WhereContains, event.WherePrefix, event.WhereSuffix:
	default:
		return "", false
	}
	parts := make([]string, len(w.Strs))
	for i, s := range w.Strs {
		parts[i] = q.fill("position(event, ?) > 0", str(s))
	}
	return "(" + strings.Join(parts, " OR ") + ")", true
}

// written reports whether the compact form has a field's text as it is.
func written(f *event.Field) bool {
	return f.Kind == event.KindString && f.Set != nil && f.Object != "" && f.Flags&(event.IsCaption|event.Derived) == 0
}

func truth(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func (q *query) siftAll(list []*event.Where, wide bool, glue, none string) (string, bool) {
	if len(list) == 0 {
		return none, true
	}
	parts, exact := make([]string, len(list)), true
	for i, w := range list {
		sql, whole := q.sift(w, wide)
		parts[i], exact = sql, exact && whole
	}
	return "(" + strings.Join(parts, glue) + ")", exact
}

// entityTest narrows down by an entity that the event names; that it is the primary one of its kind is for the expression to tell.
func (q *query) entityTest(w *event.Where) (string, bool) {
	if w.Op != event.WhereEqual || !strings.HasPrefix(w.Field.Path, "entities.") || slices.Contains(w.Strs, "") {
		return "", false
	}
	return q.fill("hasAny(entities, ?)", strs(w.Strs)), true
}

// columnTest is a test of a field that has a column of its own.
func (q *query) columnTest(w *event.Where) (string, bool) {
	if w.Field.Path == "time" {
		return q.timeTest(w)
	}
	col, ok := columnFor(w.Field.Path)
	if !ok || w.Part != event.WholeField {
		return "", false
	}
	if w.Op == event.WhereKnown {
		return col.known(), true
	}
	switch col.kind {
	case asText, asLow:
		return q.textTest(col, w)
	case asIP:
		return q.addressTest(col, w)
	case asBool:
		return "ifNull(" + col.Name + ", 0)", w.Op == event.WhereEqual
	default:
		return q.numberTest("ifNull(toInt64("+col.Name+"), 0)", w)
	}
}

func (c Column) known() string {
	if c.kind == asInt64 || c.kind == asBool {
		return "(" + c.Name + " IS NOT NULL)"
	}
	return "(" + c.Name + " != " + c.unknownOf() + ")"
}

// timeTest compares the event's time in milliseconds, or a part of it.
func (q *query) timeTest(w *event.Where) (string, bool) {
	switch w.Part {
	case event.HourOf:
		return q.numberTest("toInt64(toHour(time))", w)
	case event.WeekdayOf:
		return q.numberTest("toInt64(toDayOfWeek(time))", w)
	}
	if w.Op == event.WhereKnown {
		return "(toUnixTimestamp64Micro(time) != 0)", true
	}
	return q.numberTest("intDiv(toUnixTimestamp64Micro(time), 1000)", w)
}

func (q *query) numberTest(of string, w *event.Where) (string, bool) {
	switch w.Op {
	case event.WhereEqual:
		return q.fill("has(?, "+of+")", typed{"Array(Int64)", w.Nums}), true
	case event.WhereLess:
		return q.fill("("+of+" < ?)", num(w.Nums[0])), true
	case event.WhereAtMost:
		return q.fill("("+of+" <= ?)", num(w.Nums[0])), true
	}
	return "", false
}

// textTests are the tests of texts, with % for the column and ? for one value.
var textTests = map[event.WhereOp]string{
	event.WhereContains: "position(%, ?) > 0", event.WherePrefix: "startsWith(%, ?)", event.WhereSuffix: "endsWith(%, ?)",
	event.WhereEqualFold: "lower(%) = ?", event.WhereContainsFold: "position(lower(%), ?) > 0", event.WherePrefixFold: "startsWith(lower(%), ?)", event.WhereSuffixFold: "endsWith(lower(%), ?)",
}

func (q *query) textTest(col Column, w *event.Where) (string, bool) {
	if w.Op == event.WhereEqual {
		if len(w.Strs) == 1 {
			return q.fill("("+col.Name+" = ?)", str(w.Strs[0])), true
		}
		return q.fill("("+col.Name+" IN ?)", strs(w.Strs)), true
	}
	test, ok := textTests[w.Op]
	if !ok || len(w.Strs) == 0 {
		return "", false
	}
	fold := w.Op >= event.WhereEqualFold
	any := make([]string, len(w.Strs))
	for i, word := range w.Strs {
		of := col.Name
		if fold {
			word = strings.ToLower(word)
		}
		if fold && strings.ContainsAny(word, "sk") { // The two characters outside ASCII that fold into it.
			of = "replaceAll(replaceAll(" + of + ", '\u017f', 's'), '\u212a', 'k')"
		}
		any[i] = q.fill(strings.Replace(test, "%", of, 1), str(word))
	}
	return "(" + strings.Join(any, " OR ") + ")", true
}

// addressTest compares addresses as addresses, however they are spelled. What is no address reads as unknown.
func (q *query) addressTest(col Column, w *event.Where) (string, bool) {
	if w.Op != event.WhereEqual && w.Op != event.WhereWithin || len(w.Strs) == 0 {
		return "", false
	}
	any := make([]string, len(w.Strs))
	for i, s := range w.Strs {
		if s == "" && w.Op == event.WhereEqual {
			any[i] = col.Name + " = " + col.unknownOf()
			continue
		}
		low, high, err := addressRange(s)
		if err != nil || low == "::" || w.Op == event.WhereEqual && !canonicalAddress(s) {
			return "", false
		}
		any[i] = q.fill(col.Name+" BETWEEN toIPv6(?) AND toIPv6(?)", str(low), str(high))
	}
	return "((" + strings.Join(any, ") OR (") + "))", true
}

// canonicalAddress reports whether no other spelling of the same address is more usual.
func canonicalAddress(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && !a.Is4In6() && a.String() == s
}
