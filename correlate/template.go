package correlate

import (
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/tocsin-siem/tocsin/event"
)

// Hits of one step differ in little: who, when, and a number in the tie key. A template is what they have in common, learned from one of them,
// with a gap wherever a text is made of the partition's key. A resting hit names its template and carries only what does not follow from it.
type template struct {
	id      int
	step    uint8
	sample  event.Hit // It was learned from this hit.
	latency int64     // From event time to receive time.
	tie
	vars    []pattern
	keys    []pattern // Of the entities: keys,
	ids     []pattern // canonical ids,
	ends    []bool    // and whether an id always ends in the key.
	summary summary
}

// maxTemplates bounds the templates of one step. Hits that fit none are written out in full.
const maxTemplates = 32

// pattern is a text with at most one gap, which takes a piece of the key.
type pattern struct {
	head, tail string
	piece      int  // Index into keyPieces; −1: no gap.
	whole      bool // There is nothing beside the gap.
}

// keyPieces are the parts of a partition key that other texts repeat: of each of its values the whole, and what follows the first colon.
type keyPieces struct {
	text [8]string
	n    int
}

func piecesOf(key string) (p keyPieces) {
	p.split(key)
	return p
}

func (p *keyPieces) split(key string) {
	before := p.n
	for p.n = 0; p.n+2 <= len(p.text) && key != ""; {
		value, rest, bare := key, "", ""
		if at := strings.IndexByte(key, keySeparator[0]); at >= 0 {
			value, rest = key[:at], key[at+1:]
		}
		if at := strings.IndexByte(value, ':'); at >= 0 && len(value)-at > 2 {
			bare = value[at+1:]
		}
		p.text[p.n], p.text[p.n+1] = value, bare
		p.n += 2
		key = rest
	}
	if p.n < before { // A pattern may ask for a piece that this key has not.
		clear(p.text[p.n:before])
	}
}

// learnPattern finds the longest piece of the key in a text.
func learnPattern(text string, key *keyPieces) pattern {
	best := pattern{head: text, piece: -1}
	size := 1
	for i, piece := range key.text[:key.n] {
		if len(piece) <= size {
			continue
		}
		if head, tail, found := strings.Cut(text, piece); found {
			best, size = pattern{head: head, tail: tail, piece: i, whole: head+tail == ""}, len(piece)
		}
	}
	return best
}

func (p *pattern) is(text string, key *keyPieces) bool {
	if p.piece < 0 {
		return text == p.head
	}
	return p.isAround(text, key.text[p.piece])
}

// size is the length of the text that fill gives.
func (p *pattern) size(key *keyPieces) int {
	if p.piece < 0 {
		return len(p.head)
	}
	return len(p.head) + len(key.text[p.piece]) + len(p.tail)
}

// endsIn reports whether the text of p ends in that of q, whatever the key is.
func (p *pattern) endsIn(q *pattern) bool {
	switch {
	case p.piece == q.piece:
		return p.tail == q.tail && strings.HasSuffix(p.head, q.head)
	case p.whole && q.whole:
		return p.piece+1 == q.piece && p.piece%2 == 0 // What follows the colon of a value.
	}
	return false
}

func (p *pattern) isAround(text, piece string) bool {
	if p.whole {
		return text == piece
	}
	n := len(p.head)
	return len(text) == n+len(piece)+len(p.tail) && text[n:n+len(piece)] == piece && text[:n] == p.head && text[n+len(piece):] == p.tail
}

func (p *pattern) fill(key *keyPieces) string {
	if p.piece < 0 {
		return p.head
	}
	return p.head + key.text[p.piece] + p.tail
}

// learnTemplate makes a template of a hit. The hit is kept.
func learnTemplate(h *event.Hit) *template {
	key := piecesOf(h.Key)
	t := &template{step: h.Step, sample: *h, latency: h.Ref.Received - h.Ref.Time}
	t.tie = splitSequence(h.Ref.Sequence)
	for _, v := range h.Vars {
		t.vars = append(t.vars, learnPattern(v, &key))
	}
	for i := range h.Ref.Entities {
		own, id := learnPattern(h.Ref.Entities[i].Key, &key), learnPattern(h.Ref.Entities[i].ID, &key)
		t.keys, t.ids, t.ends = append(t.keys, own), append(t.ids, id), append(t.ends, id.endsIn(&own))
	}
	t.summary = learnSummary(h.Ref, &key)
	return t
}

// fits reports whether a hit has everything that a template fixes.
func (t *template) fits(h *event.Hit) bool {
	a, b := t.sample.Ref, h.Ref
	if a.ClassUID != b.ClassUID || a.Activity != b.Activity || a.Severity != b.Severity || a.Status != b.Status || a.Future != b.Future ||
		!sameText(a.Format, b.Format) || !sameText(a.Site, b.Site) || !sameText(a.Source, b.Source) || !sameText(a.Domain, b.Domain) ||
		!sameText(a.ActivityName, b.ActivityName) || len(a.Entities) != len(b.Entities) || len(t.vars) != len(h.Vars) {
		return false
	}
	theirs := b.Entities[:len(a.Entities)]
	for i := range a.Entities {
		x, y := &a.Entities[i], &theirs[i]
		if x.Kind != y.Kind || x.Role != y.Role || x.Strength != y.Strength || x.Object != y.Object {
			return false
		}
	}
	return true
}

// sameText is a == b for texts that are often empty, or at the same place.
func sameText(a, b string) bool {
	return len(a) == len(b) && (len(a) == 0 || unsafe.StringData(a) == unsafe.StringData(b) || a == b)
}

// entitiesFit looks at the key of an entity only where it is not known to be the end of the canonical id by lying there in memory.
func (t *template) entitiesFit(h *event.Hit, key *keyPieces) bool {
	list := h.Ref.Entities
	keys, ids, ends := t.keys[:len(list)], t.ids[:len(list)], t.ends[:len(list)]
	for i := range list {
		x := &list[i]
		if !ids[i].is(x.ID, key) {
			return false
		}
		if ends[i] && liesAtTheEnd(x.ID, x.Key) {
			if len(x.Key) != keys[i].size(key) {
				return false
			}
		} else if !keys[i].is(x.Key, key) {
			return false
		}
	}
	return true
}

// liesAtTheEnd reports whether a text that is not empty is the end of another one, in the same memory.
func liesAtTheEnd(text, end string) bool {
	n := len(text) - len(end)
	return n >= 0 && len(end) > 0 && unsafe.StringData(text[n:]) == unsafe.StringData(end)
}

func (t *template) varsFit(h *event.Hit, key *keyPieces) bool {
	for i := range h.Vars {
		if !t.vars[i].is(h.Vars[i], key) {
			return false
		}
	}
	return true
}

// A tie key ends in a number of 16 hexadecimal digits, a separator and 4 digits more; before them there may be a partition of 8 digits (package
// event).
const (
	partitionDigits = 8
	sequenceDigits  = 16
	sequenceTail    = len(keySeparator) + 4
)

// tie is a tie key taken apart. Without numbers it is of another form.
type tie struct {
	prefix    string // All before the number:
	head      string // a head, and the partition.
	partition uint64
	split     bool // There is one.
	number    uint64
	numeric   bool
	top       uint64 // The number's first eight digits.
	tail      string
}

func splitSequence(s string) (t tie) {
	at := len(s) - sequenceTail - sequenceDigits
	if at < 0 {
		return t
	}
	t.prefix, t.head, t.tail = s[:at], s[:at], s[at+sequenceDigits:]
	t.top = eight(s[at:])
	if t.number, t.numeric = parseHex(s[at : at+sequenceDigits]); at >= partitionDigits {
		if t.partition, t.split = parseHex(s[at-partitionDigits : at]); t.split {
			t.head = s[:at-partitionDigits]
		}
	}
	return t
}

// sequenceOf gives the numbers of a tie key that has the template's head and tail.
func (t *tie) sequenceOf(s string) (number, partition uint64, ok bool) {
	at := len(t.prefix)
	if !t.numeric || len(s) != at+sequenceDigits+len(t.tail) || s[at+sequenceDigits:] != t.tail {
		return 0, 0, false
	}
	partition = t.partition
	if s[:at] != t.prefix {
		if !t.split || s[:len(t.head)] != t.head {
			return 0, 0, false
		}
		if partition, ok = parseHex(s[len(t.head):at]); !ok {
			return 0, 0, false
		}
	}
	number, ok = t.parse(s[at:])
	return number, partition, ok
}

// parse is hex16 for texts that nearly always begin as the template's does.
func (t *tie) parse(s string) (uint64, bool) {
	if eight(s) != t.top {
		return hex16(s)
	}
	low, ok := hex8(eight(s[8:]))
	return t.number&^math.MaxUint32 | low, ok
}

// hex16 is parseHex for the first 16 digits of a text, eight at a time.
func hex16(s string) (uint64, bool) {
	high, ok := hex8(eight(s))
	low, fine := hex8(eight(s[8:]))
	return high<<32 | low, ok && fine
}

// eight are the first eight bytes of a text in one word, the first one in its highest byte.
func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[7]) | uint64(s[6])<<8 | uint64(s[5])<<16 | uint64(s[4])<<24 | uint64(s[3])<<32 | uint64(s[2])<<40 | uint64(s[1])<<48 | uint64(s[0])<<56
}

// hex8 is the number that eight hexadecimal digits in one word are, the first in its highest byte.
func hex8(w uint64) (v uint64, ok bool) {
	const each = 0x0101010101010101
	letters := w >> 6 & each
	v = w&(0x0f*each) + 9*letters
	asWritten := v + '0'*each + ('a'-'0'-10)*letters
	tens := (v + 6*each) >> 4 & each
	if asWritten != w || tens != letters || v&(0x10*each) != 0 {
		return 0, false
	}
	v = (v | v>>4) & 0x00ff00ff00ff00ff
	v = (v | v>>8) & 0x0000ffff0000ffff
	return (v | v>>16) & 0xffffffff, true
}

func (t *tie) withSequence(partition, number uint64) string {
	var b strings.Builder
	b.Grow(len(t.head) + partitionDigits + sequenceDigits + len(t.tail))
	b.WriteString(t.head)
	if t.split {
		writeHex(&b, partition, partitionDigits)
	}
	writeHex(&b, number, sequenceDigits)
	b.WriteString(t.tail)
	return b.String()
}

// templates are those of one rule, by step and by number.
type templates struct {
	all    []*template
	bySort [][]*template // By step, the one used last first.
}

// known gives the template that a hit fits; nil if none is known.
func (s *templates) known(h *event.Hit) *template {
	for _, t := range s.bySort[h.Step] {
		if t.fits(h) {
			return t
		}
	}
	return nil
}

// of gives the template of a hit, learning one if there is room; nil if there is none.
func (s *templates) of(h *event.Hit) *template {
	list := s.bySort[h.Step]
	for i, t := range list {
		if t.fits(h) {
			if i > 0 {
				copy(list[1:i+1], list[:i])
				list[0] = t
			}
			return t
		}
	}
	if len(list) >= maxTemplates {
		return nil
	}
	return s.add(*h)
}

func (s *templates) add(h event.Hit) *template {
	ref := *h.Ref
	h.Ref, h.Vars, h.Fields = &ref, slices.Clone(h.Vars), nil
	t := learnTemplate(&h)
	t.id = len(s.all)
	s.all = append(s.all, t)
	s.bySort[h.Step] = append(s.bySort[h.Step], t)
	return t
}
