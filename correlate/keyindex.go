package correlate

import "hash/maphash"

// keyIndex finds the record of a key: open addressing, an entry being 32 bits of the key's hash and a place. An entry's home follows from its
// hash in such a way that the order of homes is the order of hashes for every size of the table, so that growing is one walk in order. The
// hash is seeded by chance, since keys come from logs; nothing that is seen from outside follows the order of the entries.
type keyIndex struct {
	seed    maphash.Seed
	entries []uint64 // hash<<32 | place; 0: free. The last ones are room for what runs over the end.
	homes   int
	n       int
	fresh   bool // It has not been gathered into large pages.
}

const (
	firstHomes = 1 << 9
	overrun    = 1 << 9
)

func newKeyIndex() keyIndex { return keyIndex{seed: maphash.MakeSeed()} }

func (x *keyIndex) hash(key []byte) uint32       { return uint32(maphash.Bytes(x.seed, key) >> 32) }
func (x *keyIndex) hashString(key string) uint32 { return uint32(maphash.String(x.seed, key) >> 32) }

func (x *keyIndex) home(hash uint32) int { return int(uint64(hash) * uint64(x.homes) >> 32) }

// settle gathers the entries into large pages.
func (x *keyIndex) settle() {
	if x.fresh {
		gather(x.entries)
		x.fresh = false
	}
}

// find gives the place of the entry for which is is true.
func (x *keyIndex) find(hash uint32, is func(place) bool) place {
	if x.homes == 0 {
		return 0
	}
	for i := x.home(hash); i < len(x.entries); i++ {
		e := x.entries[i]
		if e == 0 || uint32(e>>32) > hash {
			return 0
		}
		if uint32(e>>32) == hash && is(place(e)) {
			return place(e)
		}
	}
	return 0
}

// first gives the first entry with a hash and where it stands; 0 if there is none.
func (x *keyIndex) first(hash uint32) (e uint64, at int) {
	for i := x.home(hash); i < len(x.entries); i++ {
		e := x.entries[i]
		if e == 0 || uint32(e>>32) > hash {
			return 0, 0
		}
		if uint32(e>>32) == hash {
			return e, i
		}
	}
	return 0, 0
}

// put adds an entry; it keeps the entries in the order of their hashes.
func (x *keyIndex) put(hash uint32, p place) {
	if x.n >= x.homes-x.homes/6 {
		x.grow(max(firstHomes, x.homes+x.homes/2))
	}
	for !x.insert(uint64(hash)<<32 | uint64(p)) {
		x.grow(x.homes + x.homes/2)
	}
}

// insert is false if there is no room at the end.
func (x *keyIndex) insert(e uint64) bool {
	if x.entries[len(x.entries)-1] != 0 {
		return false
	}
	i := x.home(uint32(e >> 32))
	for x.entries[i] != 0 && x.entries[i] <= e {
		if i++; i == len(x.entries) {
			return false
		}
	}
	for e != 0 {
		x.entries[i], e = e, x.entries[i]
		i++
	}
	x.n++
	return true
}

// fill puts many entries in; false if one is the same as another. They go in by the upper bits of their hashes, so that the homes of those that
// follow each other are in the cache.
func (x *keyIndex) fill(entries []uint64, same func(a, b place) bool) bool {
	x.grow(max(firstHomes, x.homes, len(entries)+len(entries)/4))
	for _, e := range inParts(entries) {
		hash, p := uint32(e>>32), place(e)
		if x.find(hash, func(o place) bool { return same(o, p) }) != 0 {
			return false
		}
		x.put(hash, p)
	}
	return true
}

// inParts gives entries in the order of the first bits of their hashes.
func inParts(entries []uint64) []uint64 {
	const partBits = 12
	var ends [1<<partBits + 1]int
	for _, e := range entries {
		ends[e>>(64-partBits)+1]++
	}
	for i := range ends[1:] {
		ends[i+1] += ends[i]
	}
	out := make([]uint64, len(entries))
	for _, e := range entries {
		part := &ends[e>>(64-partBits)]
		out[*part] = e
		*part++
	}
	return out
}

func (x *keyIndex) grow(homes int) {
	old := x.entries
	for size := homes; ; size += size / 2 {
		x.homes, x.n = size, 0
		x.entries = largePages(make([]uint64, size+overrun))
		if x.refill(old) {
			x.fresh = true
			return
		}
	}
}

func (x *keyIndex) refill(old []uint64) bool {
	next := 0 // Entries come in order: each goes to its home or right after the one before.
	for _, e := range old {
		if e == 0 {
			continue
		}
		at := max(next, x.home(uint32(e>>32)))
		if at >= len(x.entries) {
			return false
		}
		x.entries[at] = e
		next = at + 1
		x.n++
	}
	return true
}

// move says where a record lies now.
func (x *keyIndex) move(hash uint32, from, to place) {
	if i := x.at(hash, from); i >= 0 {
		x.entries[i] = uint64(hash)<<32 | uint64(to)
	}
}

func (x *keyIndex) drop(hash uint32, p place) {
	if i := x.at(hash, p); i >= 0 {
		x.remove(i)
	}
}

func (x *keyIndex) at(hash uint32, p place) int {
	if x.homes == 0 {
		return -1
	}
	want := uint64(hash)<<32 | uint64(p)
	for i := x.home(hash); i < len(x.entries) && x.entries[i] != 0; i++ {
		if x.entries[i] == want {
			return i
		}
	}
	return -1
}

// remove closes the gap: entries that stand behind their home move up.
func (x *keyIndex) remove(i int) {
	for i+1 < len(x.entries) {
		e := x.entries[i+1]
		if e == 0 || x.home(uint32(e>>32)) > i {
			break
		}
		x.entries[i] = e
		i++
	}
	x.entries[i] = 0
	x.n--
}
