package jsonscan

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// smallObject is up to how many keys an object's keys are compared one by one. Above it they go
// through a seeded hash table, since the cheap fingerprint of a key can be chosen by an attacker.
const smallObject = 32

// Scratch beyond these sizes is given back after a document that needed it.
const (
	maxKeptRefs  = 1 << 12
	maxKeptTable = 1 << 13
)

// fingerprint is a cheap summary of a key: equal keys have equal fingerprints. It takes the length and
// the first and last eight bytes.
func fingerprint(key []byte) uint64 {
	n := len(key)
	if n >= 8 {
		a := binary.LittleEndian.Uint64(key)
		b := binary.LittleEndian.Uint64(key[n-8:])
		return a*0x9E3779B97F4A7C15 ^ bits.RotateLeft64(b, 29)*0xC2B2AE3D27D4EB4F ^ uint64(n)
	}
	var a uint64
	for i, c := range key {
		a |= uint64(c) << (8 * i)
	}
	return a*0x9E3779B97F4A7C15 ^ uint64(n)
}

// fingerprintAt is fingerprint(doc[start:end]) without a loop over short keys.
func fingerprintAt(doc []byte, start, end int) uint64 {
	n := end - start
	if n < 8 && start+8 <= len(doc) {
		a := binary.LittleEndian.Uint64(doc[start:])
		a &= 1<<(8*uint(n)) - 1
		return a*0x9E3779B97F4A7C15 ^ uint64(n)
	}
	return fingerprint(doc[start:end])
}

func bloomBit(fp uint64) uint64 { return 1 << (fp >> 58) }

// keySet finds repeated keys: a stack of the keys of the objects being read, and for large objects one
// table shared by the document.
type keySet struct {
	doc     []byte
	refs    []keyRef
	decoded []byte // keys that had escapes, unescaped
	seed    maphash.Seed
	seeded  bool
	table   []tableEntry
	used    int
	object  uint32 // number of the last large object
	floor   uint32 // large objects up to this number belong to earlier documents
}

// keyRef places a key in the document, or in decoded.
type keyRef struct {
	fp         uint64
	start, end uint32
	escaped    bool
}

type tableEntry struct {
	hash   uint64
	object uint32 // 0 or below the floor: free
	ref    uint32
}

// level is the state of one object being read.
type level struct {
	mark   int // its first key in refs
	text   int // length of decoded before it
	bloom  uint64
	number uint32 // its number once it is large, 0 before
}

func (k *keySet) reset(doc []byte) {
	k.doc, k.used, k.floor = doc, 0, k.object
	k.refs, k.decoded = k.refs[:0], k.decoded[:0]
	if cap(k.refs) > maxKeptRefs {
		k.refs = nil
	}
	if cap(k.decoded) > maxKeptRefs*8 {
		k.decoded = nil
	}
	if len(k.table) > maxKeptTable || k.object > 1<<31 {
		k.table, k.object, k.floor = nil, 0, 0
	}
}

func (k *keySet) open() level { return level{mark: len(k.refs), text: len(k.decoded)} }

func (k *keySet) close(l *level) {
	k.refs = k.refs[:l.mark]
	k.decoded = k.decoded[:l.text]
}

func (k *keySet) key(r keyRef) []byte {
	if r.escaped {
		return k.decoded[r.start:r.end]
	}
	return k.doc[r.start:r.end]
}

// add notes a key of the object and reports whether it is new there.
func (k *keySet) add(l *level, r keyRef) bool {
	if len(k.refs)-l.mark >= smallObject {
		return k.addLarge(l, r)
	}
	bit := bloomBit(r.fp)
	if l.bloom&bit != 0 {
		for _, other := range k.refs[l.mark:] {
			if other.fp == r.fp && bytes.Equal(k.key(other), k.key(r)) {
				return false
			}
		}
	}
	l.bloom |= bit
	k.refs = append(k.refs, r)
	return true
}

func (k *keySet) addLarge(l *level, r keyRef) bool {
	if l.number == 0 {
		k.object++
		l.number = k.object
		for i := l.mark; i < len(k.refs); i++ {
			k.insert(l.number, uint32(i))
		}
	}
	k.refs = append(k.refs, r)
	return k.insert(l.number, uint32(len(k.refs)-1))
}

// insert puts a key of a large object into the table, unless the object has it.
func (k *keySet) insert(object, ref uint32) bool {
	if !k.seeded {
		k.seed, k.seeded = maphash.MakeSeed(), true
	}
	if 2*(k.used+1) > len(k.table) {
		k.grow()
	}
	key := k.key(k.refs[ref])
	hash := maphash.Bytes(k.seed, key) + uint64(object)*0x9E3779B97F4A7C15
	mask := uint64(len(k.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		e := &k.table[i]
		if e.object <= k.floor {
			*e = tableEntry{hash, object, ref}
			k.used++
			return true
		}
		if e.hash == hash && e.object == object && bytes.Equal(k.key(k.refs[e.ref]), key) {
			return false
		}
	}
}

func (k *keySet) grow() {
	old := k.table
	k.table = make([]tableEntry, max(256, 2*len(old)))
	mask := uint64(len(k.table) - 1)
	for _, e := range old {
		if e.object <= k.floor {
			continue
		}
		i := e.hash & mask
		for k.table[i].object > k.floor {
			i = (i + 1) & mask
		}
		k.table[i] = e
	}
}
