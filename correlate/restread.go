package correlate

import (
	"github.com/tocsin-siem/tocsin/event"
)

// readHit makes a cell of a written hit; nil for damage. The cell shares nothing with the record.
func (s *packer) readHit(w *writtenHit, k string, key *keyPieces) *cell {
	c := &cell{Hit: event.Hit{Rule: s.rule.rule.ID, Version: s.rule.rule.Version, Branch: uint8(s.branch), Key: k}}
	step := s.step(w)
	if step < 0 || step >= len(s.rule.branches[s.branch].parts) {
		return nil
	}
	c.Step = uint8(step)
	if w.id == 0 {
		if !readWhole(w.rest, &c.Hit) || c.Ref.Time != w.time+s.epoch {
			return nil
		}
		return c
	}
	t := s.templates.all[w.id-1]
	ref := *t.sample.Ref
	c.Ref = &ref
	r := &reader{b: w.rest}
	ref.Event, ref.Time = r.id(), w.time+s.epoch
	ref.Received = ref.Time + t.latency + r.int()
	if w.flag&sequenceCounts != 0 {
		partition := t.partition
		if w.flag&otherPartition != 0 {
			partition = r.uint()
		}
		ref.Sequence = t.withSequence(partition, t.number+uint64(r.int()))
	} else {
		ref.Sequence = r.bytes()
	}
	if len(t.keys) > 0 {
		ref.Entities = make([]event.EntityRef, len(t.keys))
	}
	for i := range ref.Entities {
		x := &ref.Entities[i]
		*x = t.sample.Ref.Entities[i]
		x.Key = r.followed(w.flag&entitiesFollow != 0, &t.keys[i], key, ref.Entities[:i])
		if w.flag&entitiesFollow == 0 && len(r.b) > 0 && r.b[0] == textDerived {
			r.byte()
			x.ID = x.Kind.String() + ":" + x.Key
			continue
		}
		x.ID = r.followed(w.flag&entitiesFollow != 0, &t.ids[i], key, ref.Entities[:i])
	}
	if n := len(t.vars); n > 0 {
		c.Vars = make([]string, n)
	}
	for i := range c.Vars {
		c.Vars[i] = r.followed(w.flag&varsFollow != 0, &t.vars[i], key, ref.Entities)
	}
	ref.Summary = t.summary.fill(key, ref.Entities)
	if w.flag&summaryFollows == 0 {
		ref.Summary = r.summary(ref.Summary)
	}
	if len(r.b) > 0 {
		c.Fields = r.fields()
	}
	if r.err != nil || len(r.b) > 0 {
		return nil
	}
	return c
}

func readWhole(b []byte, h *event.Hit) bool {
	b, err := event.ReadHitValues(b, h)
	if err != nil {
		return false
	}
	ref, b, err := event.ReadRef(b)
	h.Ref = ref
	return err == nil && ref != nil && len(b) == 0
}

func (r *reader) bytes() string { return string(r.take(r.uint())) }

// followed reads a text that may follow from a pattern.
func (r *reader) followed(follows bool, p *pattern, key *keyPieces, entities []event.EntityRef) string {
	if follows {
		return p.fill(key)
	}
	switch op := r.byte(); {
	case op == textFollows:
		return p.fill(key)
	case op == textLiteral:
		return r.bytes()
	case op >= textPiece && int(op)-textPiece < key.n:
		return key.text[op-textPiece]
	case op >= textOwnID && int(op)-textOwnID < len(entities):
		return entities[op-textOwnID].ID
	case op >= textOwnKey && op < textOwnID && int(op)-textOwnKey < len(entities):
		return entities[op-textOwnKey].Key
	}
	r.fail()
	return ""
}

func (r *reader) summary(like string) string {
	if r.byte() != textShares {
		r.fail()
	}
	first, last := r.uint(), r.uint()
	middle := r.bytes()
	if n := uint64(len(like)); first > n || last > n-first {
		r.fail()
		return ""
	}
	return like[:first] + middle + like[len(like)-int(last):]
}

func (r *reader) fields() []event.FieldValue {
	n := r.count(2)
	if n == 0 {
		return nil
	}
	out := make([]event.FieldValue, n)
	for i := range out {
		v := &out[i]
		kind := r.byte()
		v.Kind, v.Known = event.Kind(kind>>1), kind&1 != 0
		switch v.Kind {
		case event.KindString:
			v.Str = r.bytes()
		case event.KindFloat:
			v.Flt = r.float()
		case event.KindStrings:
			for range r.count(1) {
				v.Lst = append(v.Lst, r.bytes())
			}
		case event.KindInt, event.KindBool, event.KindTime:
			v.Num = r.int()
		default:
			r.fail()
		}
	}
	return out
}
