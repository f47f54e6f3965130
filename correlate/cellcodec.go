package correlate

import (
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// In a snapshot a cell is a written hit, as in a record of a resting key (restcodec.go). What hits have in common is learned anew from those that
// are written, rule by rule, and a template's sample is written out before the first hit that names it: the same cells in the same order give the
// same bytes. Texts are looked up for the samples alone.
const (
	cellWhole    = iota // With all its texts: a sample, or a cell of another key than the one that is written.
	cellTemplate        // The branch, a sample, and a hit written with it and with those before.
	cellPacked          // The branch, and the hit.
)

// keyed is what cells are written and read with: the templates of a rule, by branch, and a key of the rule.
type keyed struct {
	packers []packer
	key     string
	pieces  keyPieces
}

// of begins a rule.
func (x *keyed) of(r *ruleState) {
	for i := range r.branches {
		x.packers = append(x.packers, newPacker(r, i))
	}
}

func (x *keyed) open(key string) {
	x.key = key
	x.pieces.split(key)
}

func (w *writer) cell(c *cell) {
	if numbered(w, w.cells, c) {
		w.freshCell(c)
	}
}

// looseList writes hits that are named by what was written before, if at all: those that are new get no number, for which the one after the next
// stands.
func (w *writer) looseList(list []*cell) {
	w.uint(uint64(len(list)))
	for few := range slices.Chunk(list, cellsAhead) {
		w.fetch(few)
		for _, c := range few {
			w.pass()
			n, known := w.cells[c]
			if known {
				w.uint(n)
				continue
			}
			w.uint(uint64(len(w.cells)) + 1)
			w.freshCell(c)
		}
	}
}

// cellsAhead is how many hits are looked ahead at.
const cellsAhead = 64

// fetch reads a little of everything that is needed of hits, so that the processor waits for many places in memory at once and not for one after
// the other: each loop only reads what the one before has brought.
func (w *writer) fetch(cells []*cell) {
	seen := 0
	for _, c := range cells {
		seen += int(c.Step) + len(c.Fields)
	}
	for _, c := range cells {
		seen += int(c.Ref.Time) + int(c.Ref.Severity) + len(c.Ref.Entities)
	}
	for _, c := range cells {
		r := c.Ref
		for i := range r.Entities {
			seen += int(r.Entities[i].Kind)
		}
		for _, s := range [...]string{r.Summary, r.Sequence} {
			for at := 0; at < len(s); at += cacheLine {
				seen += int(s[at])
			}
		}
	}
	for _, c := range cells {
		if n := len(c.Ref.Entities); n > 0 {
			for _, s := range [...]string{c.Ref.Entities[0].ID, c.Ref.Entities[n-1].ID} {
				if s != "" {
					seen += int(s[0])
				}
			}
		}
	}
	w.seen += seen
}

func (w *writer) freshCell(c *cell) {
	if int(c.Branch) >= len(w.keyed.packers) || c.Key != w.keyed.key {
		w.b = append(w.b, cellWhole)
		w.wholeCell(&c.Hit)
		return
	}
	p := &w.keyed.packers[c.Branch]
	known := len(p.templates.all)
	p.packed = p.appendHit(p.packed[:0], &c.Hit, &w.keyed.pieces)
	if known == len(p.templates.all) {
		w.b = append(w.b, cellPacked, c.Branch)
	} else {
		w.b = append(w.b, cellTemplate, c.Branch)
		w.wholeCell(&p.templates.all[known].sample)
	}
	w.b = append(w.b, p.packed...)
}

// wholeCell writes a hit with all its texts.
func (w *writer) wholeCell(h *event.Hit) {
	w.b = append(w.b, h.Branch, h.Step)
	w.string(h.Key)
	w.texts(h.Vars)
	w.uint(uint64(len(h.Fields)))
	for _, v := range h.Fields {
		w.value(v)
	}
	w.ref(h.Ref)
}

func (w *writer) ref(r *event.Ref) {
	w.id(r.Event)
	w.int(r.Time)
	w.int(r.Received)
	w.string(r.Sequence)
	w.uint(uint64(r.ClassUID))
	w.uint(uint64(r.Activity))
	w.string(r.ActivityName)
	w.b = append(w.b, r.Severity, r.Status)
	w.bool(r.Future)
	w.string(r.Domain)
	w.string(r.Source)
	w.string(r.Format)
	w.string(r.Site)
	w.string(r.Summary)
	w.uint(uint64(len(r.Entities)))
	for _, e := range r.Entities {
		w.b = append(w.b, byte(e.Kind), byte(e.Role), byte(e.Strength), e.Object)
		w.string(e.Key)
		w.string(e.ID)
	}
}

func (w *writer) value(v event.FieldValue) {
	w.b = append(w.b, byte(v.Kind))
	w.bool(v.Known)
	switch v.Kind {
	case event.KindString:
		w.string(v.Str)
	case event.KindFloat:
		w.float(v.Flt)
	case event.KindStrings:
		w.texts(v.Lst)
	default:
		w.int(v.Num)
	}
}

func (w *writer) cellList(list []*cell) {
	w.uint(uint64(len(list)))
	for few := range slices.Chunk(list, cellsAhead) {
		w.fetch(few)
		for _, c := range few {
			w.cell(c)
		}
	}
}

func (w *writer) maybeCell(c *cell) {
	w.bool(c != nil)
	if c != nil {
		w.cell(c)
	}
}

func (r *reader) cell() *cell {
	n, known := r.uint(), uint64(len(r.cells))
	if n < known {
		return r.cells[n]
	}
	if n > known+1 || r.err != nil {
		r.fail()
		return nowhere()
	}
	c := r.freshCell()
	if n == known {
		r.cells = append(r.cells, c)
	}
	return c
}

// nowhere is what is read in place of a cell that cannot be read.
func nowhere() *cell { return &cell{Hit: event.Hit{Ref: &event.Ref{}}} }

func (r *reader) freshCell() *cell {
	form := r.byte()
	if form == cellWhole {
		return r.wholeCell()
	}
	branch := int(r.byte())
	var sample *cell
	if form == cellTemplate {
		sample = r.wholeCell()
	}
	x, after, ok := nextHit(r.b)
	if r.err != nil || !ok || form > cellPacked {
		r.fail()
		return nowhere()
	}
	r.b = after
	if branch < len(r.keyed.packers) {
		if c := r.keyed.packers[branch].learnAndRead(sample, &x, &r.keyed); c != nil {
			return c
		}
	}
	r.fail()
	return nowhere()
}

// learnAndRead reads a hit, after the sample of a template where there is one; nil for damage.
func (s *packer) learnAndRead(sample *cell, x *writtenHit, k *keyed) *cell {
	if sample != nil {
		if !s.soundTemplate(sample) {
			return nil
		}
		s.templates.add(sample.Hit)
	}
	return s.readHit(x, k.key, &k.pieces)
}

func (r *reader) wholeCell() *cell {
	c := &cell{}
	c.Branch, c.Step, c.Key, c.Vars = r.byte(), r.byte(), r.string(), r.texts()
	if n := r.count(3); n > 0 {
		c.Fields = make([]event.FieldValue, n)
	}
	for i := range c.Fields {
		c.Fields[i] = r.value()
	}
	c.Ref = r.ref()
	return c
}

func (r *reader) ref() *event.Ref {
	x := &event.Ref{Event: r.id(), Time: r.time(), Received: r.int(), Sequence: r.string()}
	x.ClassUID, x.Activity = uint32(r.uint()), uint16(r.uint())
	x.ActivityName = r.string()
	x.Severity, x.Status, x.Future = r.byte(), r.byte(), r.bool()
	x.Domain, x.Source, x.Format, x.Site, x.Summary = r.string(), r.string(), r.string(), r.string(), r.string()
	if n := r.count(6); n > 0 {
		x.Entities = make([]event.EntityRef, n)
	}
	for i := range x.Entities {
		e := &x.Entities[i]
		e.Kind, e.Role, e.Strength, e.Object = event.EntityKind(r.byte()), event.Role(r.byte()), event.Strength(r.byte()), r.byte()
		e.Key, e.ID = r.string(), r.string()
		if e.Kind > event.EntityResource || e.Role > event.RoleContext || e.Strength > event.Strong {
			r.fail()
		}
	}
	return x
}

func (r *reader) value() (v event.FieldValue) {
	v.Kind, v.Known = event.Kind(r.byte()), r.bool()
	switch v.Kind {
	case event.KindString:
		v.Str = r.string()
	case event.KindFloat:
		v.Flt = r.float()
	case event.KindStrings:
		v.Lst = r.texts()
	case event.KindInt, event.KindBool, event.KindTime:
		v.Num = r.int()
	default:
		r.fail()
	}
	return v
}

func (r *reader) cellList() []*cell {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	list := make([]*cell, n)
	for i := range list {
		list[i] = r.cell()
	}
	return list
}

func (r *reader) maybeCell() *cell {
	if !r.bool() {
		return nil
	}
	return r.cell()
}
