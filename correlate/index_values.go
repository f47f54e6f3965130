package correlate

import "math/bits"

// values remembers of which targets the values of raw fields are witnesses: the same programs, people and paths come again and again. A value is
// kept from the second time it is met, and gives way when another one of its slot is met twice in turn; long values are not kept. What is
// remembered is what a search found, so that nothing but time depends on it. A workspace has one, of some megabytes at most.
type values struct {
	slots []remembered
	fresh candidates // Where a value to remember is searched, apart from what the event has found so far.
}

// remembered is one value of a field in an index, and what it found.
type remembered struct {
	in    *textIndex // Of the field; nil in a free slot.
	hash  uint64
	last  uint64 // The hash of the value that came to this slot last and is not kept.
	text  []byte
	words []foundWord
}

// foundWord are targets found, as the bits of one word of candidates.found.
type foundWord struct {
	at   int32
	bits uint64
}

const (
	valueSlots    = 2048
	maxRemembered = 512
)

// recall takes what a value of the field of own is known to be a witness of. False: it is not remembered, and nothing was taken.
func (v *values) recall(x *index, c *candidates, own *textIndex, value string) bool {
	if len(value) > maxRemembered {
		return false
	}
	if v.slots == nil {
		v.slots = make([]remembered, valueSlots)
	}
	hash := hashValue(own.salt, value)
	r := &v.slots[hash>>32%valueSlots]
	if r.hash != hash || r.in != own {
		if r.last != hash {
			r.last = hash
			return false
		}
		v.learn(x, r, own, value)
		r.in, r.hash = own, hash
	} else if string(r.text) != value {
		return false // Another value of the same hash.
	}
	for _, w := range r.words {
		c.found[w.at] |= w.bits
	}
	return true
}

func (v *values) learn(x *index, r *remembered, own *textIndex, value string) {
	v.fresh.reset(x)
	clear(v.fresh.found)
	x.findIn(&v.fresh, own, value)
	r.text, r.words = append(r.text[:0], value...), r.words[:0]
	for i, bits := range v.fresh.found {
		if bits != 0 {
			r.words = append(r.words, foundWord{int32(i), bits})
		}
	}
}

// hashValue is a hash of the ends and the middle of a value: enough to tell apart most values of a field, of which only slots are chosen by it.
func hashValue(salt uint64, s string) uint64 {
	h := salt ^ uint64(len(s))*hashPrime
	if len(s) < 8 {
		for i := range len(s) {
			h = hashByte(h, s[i])
		}
		return h ^ h>>29
	}
	n := len(s) - 8
	h = (h ^ eightOf(s, n)) * hashPrime
	h = (bits.RotateLeft64(h, 29) ^ eightOf(s, max(n-8, 0))) * hashPrime
	h = (bits.RotateLeft64(h, 29) ^ eightOf(s, n/2)) * hashPrime
	h = (bits.RotateLeft64(h, 29) ^ eightOf(s, 0)) * hashPrime
	return h ^ h>>29
}

func eightOf(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// recurrence says how often the values of a field come again. A field of which few do is asked for now and then only.
type recurrence int8

const (
	mayRecur      = 16
	maxRecurrence = 64
	askAgain      = 32 // One event in this many asks for a field whose values do not come again.
)

func (r *recurrence) note(again bool) {
	if again {
		*r = min(*r+4, maxRecurrence)
	} else {
		*r = max(*r-1, -4)
	}
}
