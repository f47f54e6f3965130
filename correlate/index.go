package correlate

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// index finds, among the targets that listen to a class, those that one event may satisfy: the targets one of whose witnesses holds, and those
// that have none. It reads each field that a witness names once. It is immutable.
type index struct {
	targets  []int32  // Into Matcher.targets, in their order.
	always   []uint64 // The targets to try for every event, as bits of places in targets.
	postings [][]int32
	texts    []textIndex
	probes   []probe     // Of texts, in their order.
	lists    []textIndex // Over fields that are lists.
	raws     []textIndex // Over raw fields, by name.
	rawless  []int32     // Postings that an event without raw fields holds.
	anyRaw   *textIndex
	numbers  []numberIndex
	flags    []flagIndex
}

// probe is what most looks at a text come to: events have few of the fields that witnesses name, and a value shorter than all that is looked for needs
// no search. Apart from the search structures, so that those stay untouched.
type probe struct {
	str      func(*event.Event) string
	shortest int
}

// flagIndex finds by a yes or no: that a boolean is true, or that a field has a value.
type flagIndex struct {
	field   *event.Field
	present bool
	posting int32
}

// witness is what has to hold of an event before a target is tried; without ok it always is.
type witness struct {
	list []expression.Predicate
	ok   bool
}

func (t *target) witness(weigh func(*expression.Predicate) float64) (w witness) {
	if t.Where != nil {
		w.list, w.ok = t.Where.Witness(weigh)
	}
	return w
}

// newIndex files targets under their witnesses, which are those of all targets of the matcher.
func newIndex(targets []int32, witnesses []witness) *index {
	x := &index{targets: targets, always: make([]uint64, (len(targets)+63)/64)}
	places := map[expression.Predicate]int32{}
	var order []expression.Predicate
	for i, t := range targets {
		w := &witnesses[t]
		if !w.ok {
			x.always[i>>6] |= 1 << (i & 63)
			continue
		}
		for _, p := range w.list {
			at, ok := places[p]
			if !ok {
				at = int32(len(order))
				places[p] = at
				order, x.postings = append(order, p), append(x.postings, nil)
			}
			if n := len(x.postings[at]); n == 0 || x.postings[at][n-1] != int32(i) {
				x.postings[at] = append(x.postings[at], int32(i))
			}
		}
	}
	x.file(order)
	return x
}

// file builds the structures of each field from its predicates, whose places in the list are those of their postings.
func (x *index) file(list []expression.Predicate) {
	byField := map[*event.Field][]int32{}
	var fields []*event.Field
	for i := range list {
		p := &list[i]
		if p.Field.Kind == event.KindBool || p.Test == expression.Present {
			x.flags = append(x.flags, flagIndex{p.Field, p.Test == expression.Present, int32(i)})
			continue
		}
		if byField[p.Field] == nil {
			fields = append(fields, p.Field)
		}
		byField[p.Field] = append(byField[p.Field], int32(i))
	}
	for _, fd := range fields {
		postings := byField[fd]
		_, raw := fd.RawName()
		switch {
		case fd == expression.AnyRaw:
			x.anyRaw = newTextIndex(fd, list, postings)
		case raw:
			x.raws = append(x.raws, *newTextIndex(fd, list, postings))
		case fd.Kind == event.KindStrings:
			x.lists = append(x.lists, *newTextIndex(fd, list, postings))
		case fd.Kind == event.KindString:
			t := newTextIndex(fd, list, postings)
			x.texts, x.probes = append(x.texts, *t), append(x.probes, probe{fd.Str, t.shortest})
		default:
			x.numbers = append(x.numbers, newNumberIndex(fd, list, postings))
		}
	}
	slices.SortFunc(x.raws, func(a, b textIndex) int { return strings.Compare(a.name, b.name) })
	for i := range x.raws {
		x.rawless = x.raws[i].absent(x.rawless)
	}
}

// candidates is the workspace of one lookup: the targets found as bits, and which postings were taken already, so that a text which holds the
// same literal a thousand times costs what one does.
type candidates struct {
	found []uint64
	epoch uint32
	taken []uint32 // By posting: the epoch in which it was taken.
	canon []byte   // A text in canonical form.

	layouts []layout // Of the kinds of event met, by a hash.
	values  *values
}

// reset makes the workspace ready for an event and an index.
func (c *candidates) reset(x *index) {
	c.found = append(c.found[:0], x.always...)
	if len(c.taken) < len(x.postings) {
		c.taken = append(c.taken, make([]uint32, len(x.postings)-len(c.taken))...)
	}
	if c.epoch++; c.epoch == 0 {
		clear(c.taken)
		c.epoch = 1
	}
}

// take adds the targets of a posting.
func (c *candidates) take(x *index, posting int32) {
	if c.taken[posting] == c.epoch {
		return
	}
	c.taken[posting] = c.epoch
	for _, i := range x.postings[posting] {
		c.found[i>>6] |= 1 << (i & 63)
	}
}

// find leaves in c the targets to try for e.
func (x *index) find(c *candidates, e *event.Event) {
	c.reset(x)
	for i := range x.flags {
		f := &x.flags[i]
		if f.present && f.field.Known(e) || !f.present && f.field.Tri(e) == event.True {
			c.take(x, f.posting)
		}
	}
	for i := range x.numbers {
		x.numbers[i].find(x, c, e)
	}
	for i := range x.probes {
		if s := x.probes[i].str(e); len(s) >= x.probes[i].shortest {
			x.texts[i].find(x, c, s)
		}
	}
	for i := range x.lists {
		t := &x.lists[i]
		for _, s := range t.field.Lst(e) {
			t.find(x, c, s)
		}
	}
	x.findRaw(c, e)
}

// findRaw reads the raw fields. One that is absent reads as "".
func (x *index) findRaw(c *candidates, e *event.Event) {
	if len(e.Raw) == 0 {
		for _, p := range x.rawless {
			c.take(x, p)
		}
		return
	}
	if l := c.layoutOf(x, e.Raw); l != nil {
		x.findLaid(c, l, e.Raw)
		for _, p := range l.absent {
			c.take(x, p)
		}
		return
	}
	for j, at := range pairs(x.raws, e.Raw) {
		switch {
		case j < 0:
			x.raws[at].find(x, c, "")
		case at < 0:
			x.findIn(c, nil, e.Raw[j].Value)
		default:
			x.findIn(c, &x.raws[at], e.Raw[j].Value)
		}
	}
}

// findLaid reads the raw fields that l knows. Values that come again are remembered where more than a look at a table is saved.
func (x *index) findLaid(c *candidates, l *layout, raw []event.RawField) {
	if c.values == nil {
		c.values = &values{}
	}
	l.events++
	for j := range raw {
		value := raw[j].Value
		if l.own[j] < 0 {
			if x.anyRaw != nil && len(value) >= x.anyRaw.shortest {
				x.findIn(c, nil, value)
			}
			continue
		}
		own := &x.raws[l.own[j]]
		if again := &l.repeats[j]; own.dear && len(value) >= own.held && (*again > 0 || l.events%askAgain == 0) {
			ok := c.values.recall(x, c, own, value)
			if again.note(ok); ok {
				continue
			}
		}
		x.findIn(c, own, value)
	}
}

// findIn takes what the value of one raw field is a witness for: in the index of its own name, nil where there is none, and in that of any. The
// value is brought into its canonical form once for both.
func (x *index) findIn(c *candidates, own *textIndex, value string) {
	inOwn := own != nil && own.plain(x, c, value)
	inAny := x.anyRaw != nil && len(value) >= x.anyRaw.shortest && x.anyRaw.plain(x, c, value)
	if !inOwn && !inAny {
		return
	}
	c.canon = expression.Canon(c.canon[:0], value)
	if inOwn {
		own.spelled(x, c)
	}
	if inAny {
		x.anyRaw.spelled(x, c)
	}
}

// hashStart and hashByte make the hash of a text from either end, one byte after the other.
const (
	hashStart = 0xcbf29ce484222325
	hashPrime = 0x9e3779b97f4a7c15
)

func hashByte(h uint64, b byte) uint64 { return (h ^ uint64(b)) * hashPrime }

// hashGram is the hash of four bytes.
func hashGram(x uint32) uint64 { return uint64(x) * hashPrime }

func gramAt(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }
