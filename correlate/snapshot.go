package correlate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/tocsin-siem/tocsin/incident"
)

// A snapshot is: magic, version, length of the body, XXH64 of the body, body. Numbers in the head are little-endian. The body is sections,
// each behind its length (8 bytes): one of what all rules share, and one of each rule, which refers to no other. An engine of another version
// refuses a snapshot: it is a shortcut, and folding the log again is always right.
const (
	snapshotMagic   = "TCSN"
	snapshotVersion = 13
	snapshotHead    = 4 + 2 + 8 + 8
)

// ErrSnapshot is wrapped by every refusal of a snapshot. The engine is then without state, as new; refusal only costs time.
var ErrSnapshot = errors.New("snapshot refused")

// Snapshot appends the engine's state to b. The same state gives the same bytes.
func (e *Engine) Snapshot(b []byte) []byte {
	at := len(b)
	b = appendHead(b, snapshotMagic)
	for _, s := range e.sections() {
		b = section(b, func(b []byte) []byte { return s.write(newWriter(b)) })
	}
	return closeHead(b, at, xxhash.Sum64(b[at+snapshotHead:]))
}

// chapter is what a section of a snapshot is made of: a rule, or what all of them share.
type chapter struct {
	rule   *ruleState // nil: what all share.
	engine *Engine
	partly bool // No more of that than folding the next batches takes.
}

// sections are those of the whole state.
func (e *Engine) sections() []chapter { return e.sectionsOf(e.fold.rules, false) }

// sectionsOf are those of a stage.
func (e *Engine) sectionsOf(some []*ruleState, partly bool) []chapter {
	out := []chapter{{engine: e, partly: partly}}
	for _, r := range some {
		out = append(out, chapter{rule: r})
	}
	return out
}

// write gives what the writer has of the section then.
func (s *chapter) write(w *writer) []byte {
	if s.rule != nil {
		w.rule(s.rule)
	} else {
		w.shared(s.engine, s.partly)
	}
	return w.b
}

// appendHead makes room for a head, and closeHead fills the one that begins at a place when the body is behind it, whose checksum is given.
func appendHead(b []byte, magic string) []byte {
	return append(append(b, magic...), make([]byte, snapshotHead-len(magic))...)
}

func closeHead(b []byte, at int, sum uint64) []byte {
	head, body := b[at:at+snapshotHead], b[at+snapshotHead:]
	binary.LittleEndian.PutUint16(head[4:], snapshotVersion)
	binary.LittleEndian.PutUint64(head[6:], uint64(len(body)))
	binary.LittleEndian.PutUint64(head[14:], sum)
	return b
}

// Restore replaces the engine's state by one that Snapshot or Pack wrote, for the same or another set of rules: rules the snapshot does not know, or
// knows in another form, start without state and wait as after a Swap (Stats says which). Nothing empties the state. An error wraps
// ErrSnapshot and says what is wrong; the engine is then without state.
func (e *Engine) Restore(b []byte) error {
	e.reset()
	if len(b) == 0 {
		return nil
	}
	x := newRestoring()
	if err := e.readSnapshot(b, x); err != nil {
		e.reset()
		return err
	}
	x.begin(e.fold)
	return nil
}

func (e *Engine) readSnapshot(b []byte, x *restoring) error {
	body, packed, err := openSnapshot(b)
	if err != nil {
		return err
	}
	here := newRestoring()
	if err := e.readSections(body, packed, here); err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	maps.Copy(x.known, here.known)
	maps.Copy(x.heirs, here.heirs)
	return nil
}

// restoring is what is known of the rules of an engine while its state is read.
type restoring struct{ known, heirs map[*ruleState]bool }

func newRestoring() *restoring {
	return &restoring{known: map[*ruleState]bool{}, heirs: map[*ruleState]bool{}}
}

// readSections reads a body section by section, each in the room of the one before.
func (e *Engine) readSections(body []byte, packed bool, x *restoring) error {
	var raw []byte
	for i := 0; i == 0 || len(body) > 0; i++ {
		b, rest, err := cutSection(body)
		if err == nil && packed {
			raw, err = unpackPieces(raw[:0], b)
			b = raw
		}
		if err != nil {
			return err
		}
		r := &reader{b: b}
		if i == 0 {
			r.shared(e)
		} else if s, heir := r.rule(e.fold, x.known); s != nil {
			x.known[s] = true
		} else if heir != nil {
			x.heirs[heir] = true
		}
		if r.err != nil || len(r.b) > 0 {
			return errDamaged
		}
		body = rest
	}
	return nil
}

// begin lets the rules that were not met begin without state.
func (x *restoring) begin(f *fold) {
	for _, s := range f.rules {
		if !x.known[s] {
			s.swap = f.started()
			if !x.heirs[s] {
				s.from = handover{cut: f.frontier}
			}
		}
	}
}

// cutSection takes the first section off a body.
func cutSection(body []byte) (first, rest []byte, err error) {
	if len(body) < 8 || binary.LittleEndian.Uint64(body) > uint64(len(body)-8) {
		return nil, nil, errDamaged
	}
	n := 8 + binary.LittleEndian.Uint64(body)
	return body[8:n], body[n:], nil
}

func (e *Engine) reset() {
	e.fold, e.watch = newFold(e.settings), newWatchlist(e.settings.MaxWatched)
	e.load(e.set)
}

// openSnapshot gives the body of a snapshot, and whether its sections are packed.
func openSnapshot(b []byte) (body []byte, packed bool, err error) {
	packed = bytes.HasPrefix(b, []byte(packedMagic))
	if len(b) < snapshotHead || !packed && !bytes.HasPrefix(b, []byte(snapshotMagic)) {
		return nil, false, fmt.Errorf("%w: these are not the bytes of a snapshot", ErrSnapshot)
	}
	if v := binary.LittleEndian.Uint16(b[4:]); v != snapshotVersion {
		return nil, false, fmt.Errorf("%w: it has version %d and this program reads %d", ErrSnapshot, v, snapshotVersion)
	}
	body = b[snapshotHead:]
	if n := binary.LittleEndian.Uint64(b[6:]); n != uint64(len(body)) {
		return nil, false, fmt.Errorf("%w: it should have %d bytes and has %d", ErrSnapshot, n, len(body))
	}
	if xxhash.Sum64(body) != binary.LittleEndian.Uint64(b[14:]) {
		return nil, false, fmt.Errorf("%w: its checksum is wrong", ErrSnapshot)
	}
	return body, packed, nil
}

func (w *writer) shared(e *Engine, partly bool) {
	w.int(e.fold.frontier)
	w.int(e.fold.newest)
	w.bool(partly)
	if partly {
		return
	}
	keys := slices.SortedFunc(maps.Keys(e.watch.seen), func(a, b watchKey) int {
		return bytes.Compare([]byte(a.entity+"\x00"+a.what), []byte(b.entity+"\x00"+b.what))
	})
	w.uint(uint64(len(keys)))
	for _, k := range keys {
		v := e.watch.seen[k]
		w.string(k.entity)
		w.string(k.what)
		w.string(v.value)
		w.int(v.time)
	}
	w.pending(e.fold.leftover)
	w.found(e.fold)
}

func (w *writer) rule(r *ruleState) {
	w.expect(r.written)
	defer func() { r.written = w.count() }()
	w.string(r.rule.ID)
	w.int(int64(r.rule.Version))
	w.string(r.rule.Hash)
	w.int(r.w)
	w.int(r.since)
	w.int(r.swap)
	w.uint(r.born)
	w.from(r.from)
	w.bool(r.reserved != nil)
	w.from(r.handover())
	w.bool(r.degraded)
	w.uint(uint64(len(r.gates)))
	for _, g := range r.gates {
		w.gate(g, r.w)
	}
	w.shelved(r.shelf)
	w.keyed.of(r)
	w.uint(uint64(len(r.parts)))
	for _, key := range sortedKeys(r.parts) {
		w.partition(r.parts[key])
	}
	w.resting(r.rest)
	w.heard(r)
}

func (w *writer) partition(k *partition) {
	w.string(k.key)
	w.keyed.open(k.key)
	w.uint(k.born)
	w.bool(k.degraded)
	w.state(k.first())
	w.shelf(k)
	w.maybeCell(k.done)
	w.uint(uint64(len(k.guards)))
	for _, list := range k.guards {
		w.cellList(list)
	}
	var old []*candidate // The others follow from buf.
	for _, m := range k.matches {
		if k.place(m) < 0 {
			old = append(old, m)
		}
	}
	w.uint(uint64(len(old)))
	for _, m := range old {
		w.match(m.match)
		w.int(m.deadline)
	}
	w.uint(uint64(len(k.known)))
	for _, o := range k.known {
		w.id(o.id)
		w.match(o.match)
		w.int(int64(o.revision))
		w.b = append(w.b, byte(o.state))
		w.int(int64(o.told.repeats))
		w.int(o.told.last)
		w.string(o.told.notes)
		w.int(int64(o.repeats))
		w.int(o.last)
	}
	w.uint(uint64(len(k.throttle)))
	for _, t := range k.throttle {
		w.string(t.per)
		w.int(t.time)
		w.uint(uint64(slices.Index(k.known, t.of)))
	}
}

func (r *reader) shared(e *Engine) {
	e.fold.frontier, e.fold.newest = r.time(), r.time()
	if partly := r.bool(); partly {
		return
	}
	for range r.count(4) {
		k := watchKey{r.string(), r.string()}
		e.watch.seen[k] = watchValue{r.string(), r.time()}
	}
	e.fold.leftover = r.pending()
	r.found(e.fold)
}

// rule reads the state of a rule. Of one that is not loaded in this form, or is among those known already, s is nil, and what it leaves to
// another version of itself goes to the heir.
func (r *reader) rule(f *fold, known map[*ruleState]bool) (s, heir *ruleState) {
	id, version, hash := r.string(), int32(r.int()), r.string()
	w, since, swap, born := r.time(), r.time(), r.time(), r.uint()
	from, reserved, next, degraded := r.from(), r.bool(), r.from(), r.bool()
	s = f.byID[id]
	if r.err != nil || s == nil {
		r.b = nil
		return nil, nil
	}
	if s.rule.Version != version || s.rule.Hash != hash || known[s] {
		s.from, r.b = next, nil
		return nil, s
	}
	if s.filled {
		s = f.anew(s) // It was there from an earlier stage.
	}
	s.w, s.since, s.swap, s.born, s.from, s.degraded, s.filled = w, since, swap, born, from, degraded, true
	if reserved {
		s.reserved = new(next.cut)
	}
	if r.count(2) != len(s.gates) {
		r.fail()
	}
	for _, g := range s.gates {
		if r.err != nil {
			return s, nil
		}
		r.gate(s, g)
	}
	shelf := r.shelved(s)
	r.keyed.of(s)
	for range r.count(10) {
		if r.err != nil {
			return s, nil
		}
		r.partition(f, s, shelf)
	}
	r.resting(f, s)
	r.heard(s)
	return s, nil
}

// anew puts a rule without state in the place of one.
func (f *fold) anew(s *ruleState) *ruleState {
	fresh := newRuleState(s.rule, f.settings)
	f.rules[slices.Index(f.rules, s)], f.byID[s.rule.ID] = fresh, fresh
	return fresh
}

func (r *reader) partition(f *fold, s *ruleState, shelf *packer) {
	k := &partition{key: r.string(), rule: s, slot: -1, born: r.uint(), degraded: r.bool()}
	r.keyed.open(k.key)
	before := r.state()
	packed := r.shelf()
	k.buf = r.cellList()
	k.done = r.maybeCell()
	k.guards = make([][]*cell, r.count(1))
	for i := range k.guards {
		k.guards[i] = r.cellList()
	}
	for range r.count(2) {
		k.matches = append(k.matches, &candidate{match: r.match(0), deadline: r.time()})
	}
	for range r.count(22) {
		o := &known{id: r.id(), match: r.match(0), revision: int32(r.int()), state: incident.State(r.byte())}
		o.told = told{match: o.match, repeats: int32(r.int()), last: r.time(), notes: r.string()}
		o.repeats, o.last = int32(r.int()), r.time()
		o.extra, o.extraLast = max(0, o.told.repeats-o.repeats), o.told.last // For a rule that is stopped before its keys are looked at again.
		k.learn(o)
	}
	for range r.count(3) {
		w := window{per: r.string(), time: r.time()}
		at := r.uint()
		if r.err != nil || at >= uint64(len(k.known)) {
			r.fail()
			return
		}
		w.of = k.known[at]
		k.throttle = append(k.throttle, w)
	}
	if r.err != nil {
		return
	}
	if !s.soundPartition(k, &before) {
		r.fail()
		return
	}
	if before, ok := f.restock(shelf, k, packed, before); ok {
		f.revive(s, k, before)
		return
	}
	r.fail()
}

func (r *ruleState) soundPartition(k *partition, before *state) bool {
	if !r.soundList(k.buf, k.key) || !r.soundState(before, k.key) || len(k.guards) != r.guards || r.parts[k.key] != nil {
		return false
	}
	if k.done != nil && !r.sound(k.done, k.key) {
		return false
	}
	for _, list := range k.guards {
		if !r.soundList(list, k.key) {
			return false
		}
	}
	for _, m := range k.matches {
		if !r.soundMatch(m.match, k.key) {
			return false
		}
	}
	for _, o := range k.known {
		if !r.soundMatch(o.match, k.key) || o.state > incident.Withdrawn {
			return false
		}
	}
	return true
}

// revive brings a partition that was read up to date: what follows from its buffer is computed anew.
func (f *fold) revive(r *ruleState, k *partition, before state) {
	s := f.scan.with(r, k)
	k.head = newState(r.program)
	k.head.copyFrom(&before)
	if len(k.buf) > 0 {
		k.base = before
	}
	for _, c := range k.buf {
		k.scanOne(s, c)
	}
	for _, o := range k.known {
		o.body = f.build(r, k, o.match)
	}
	r.parts[k.key] = k
	k.measure()
	f.keep(k, k.next(r.program))
}
