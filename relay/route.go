package relay

import "github.com/tocsin-siem/tocsin/event"

// A partition of tocsin.hits holds everything that meets in one fold: of a rule all hits of one key (Plan.Key), and all of the rule where it
// has no key; all hits of all rules that listen to each other; of observations all of one entity. Which partition that is follows from a hash that never changes between builds, 64-bit
// FNV-1a of the texts, each closed by a zero byte, and then MurmurHash3's finaliser, modulo the number of partitions. That number is
// part of the meaning of the topic: with another one, keys move away from their state, so the topic is never given more partitions.

// HitPartition is the partition of a hit among n, from 0, of a rule that stands alone.
func HitPartition(h *event.Hit, n int32) int32 {
	return bucket(fold(fold(offset64, h.Rule), h.Key), n)
}

// ComponentPartition is that of all hits of the rules of a component (rules.Rule.Component): rules that listen to each other are folded in one
// place, whatever their keys.
func ComponentPartition(component string, n int32) int32 {
	return bucket(fold(fold(offset64, component), "\x00component"), n) // No hit has such a key.
}

// NotePartition is the partition of an observation among n, from 0.
func NotePartition(o *event.Note, n int32) int32 {
	return bucket(fold(fold(offset64, ""), o.Entity), n) // No rule has an empty name.
}

// The constants of 64-bit FNV-1a.
const (
	offset64 uint64 = 14695981039346656037
	prime64  uint64 = 1099511628211
)

// fold adds a text and a zero byte to an FNV-1a hash.
func fold(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime64
	}
	return h * prime64
}

// bucket spreads the hash over its low bits before it is reduced.
func bucket(h uint64, n int32) int32 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return int32(h % uint64(max(1, n)))
}
