package enrich

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// stateVersion is the first byte of a snapshot. A reader knows this version only; an older snapshot means folding the log again.
const stateVersion = 1

// ErrState means that bytes are not a snapshot of bindings.
var ErrState = errors.New("snapshot of bindings is damaged")

// AppendState adds a snapshot of the bindings to buf: equal histories give equal bytes. It belongs between two batches. The caller
// adds length and checksum.
func (b *Bindings) AppendState(buf []byte) []byte {
	buf = append(buf, stateVersion)
	buf = binary.AppendVarint(buf, b.newest)
	keys := b.sorted()
	buf = binary.AppendUvarint(buf, uint64(len(keys)))
	for _, k := range keys {
		s := b.slots[k]
		buf = append(buf, byte(k.relation))
		buf = appendString(buf, k.id)
		buf = binary.AppendUvarint(buf, uint64(len(s.intervals)))
		for i := range s.intervals {
			buf = appendInterval(buf, &s.intervals[i])
		}
	}
	return buf
}

func appendInterval(buf []byte, y *interval) []byte {
	tag := byte(y.source) << 1
	if y.stop {
		tag |= 1
	}
	buf = append(buf, tag)
	buf = binary.AppendVarint(buf, y.from)
	buf = binary.AppendVarint(buf, y.last-y.from)
	buf = binary.AppendVarint(buf, y.until-y.from)
	buf = binary.AppendVarint(buf, y.told)
	buf = appendString(buf, y.entity)
	return appendString(buf, y.sess)
}

func appendString(buf []byte, s string) []byte {
	return append(binary.AppendUvarint(buf, uint64(len(s))), s...)
}

// ReadState replaces the bindings by a snapshot, which must be all of buf. After an error, which wraps ErrState, the bindings are as before.
func (b *Bindings) ReadState(buf []byte) error {
	if len(buf) == 0 || buf[0] != stateVersion {
		return fmt.Errorf("%w: not of version %d", ErrState, stateVersion)
	}
	r := stateReader{b: buf[1:]}
	fresh := Bindings{max: b.max, ages: b.ages, slots: map[slotKey]*slot{}, newest: r.varint()}
	var previous slotKey
	for n := r.count(3); n > 0 && !r.bad; n-- {
		k := slotKey{Relation(r.byte()), r.string()}
		if k.relation < IPToMAC || k.relation > DeviceToUser || compareSlots(previous, k) >= 0 {
			r.fail()
			break
		}
		previous = k
		fresh.addSlot(k, r.intervals())
	}
	if r.bad || len(r.b) != 0 {
		return fmt.Errorf("%w at byte %d of %d", ErrState, len(buf)-len(r.b), len(buf))
	}
	*b = fresh
	return nil
}

// addSlot adopts a slot of a snapshot; one with unreported changes is reported with the next batch.
func (b *Bindings) addSlot(k slotKey, intervals []interval) {
	s := &slot{intervals: intervals}
	s.settle()
	b.slots[k] = s
	b.count += len(intervals)
	for i := range intervals {
		if y := &intervals[i]; !y.stop && y.told != y.to && (y.told != 0 || y.to > y.from) {
			s.touched = true
			b.touched = append(b.touched, k)
			return
		}
	}
}

// stateReader keeps to the bytes there are: a count is never believed beyond what could follow it.
type stateReader struct {
	b   []byte
	bad bool
}

func (r *stateReader) fail() { r.bad = true }

func (r *stateReader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *stateReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *stateReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of things that take at least size bytes each.
func (r *stateReader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *stateReader) string() string {
	n := r.uvarint()
	if n > maxIdentifier || n > uint64(len(r.b)) {
		r.fail()
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *stateReader) intervals() []interval {
	n := r.count(7)
	if n == 0 || n > maxIntervalsPerID {
		r.fail()
		return nil
	}
	out := make([]interval, 0, n)
	for range n {
		y := r.interval()
		if len(out) > 0 && compareIntervals(out[len(out)-1], y) > 0 {
			r.fail()
		}
		if r.bad {
			return nil
		}
		out = append(out, y)
	}
	return slices.Clip(out)
}

func (r *stateReader) interval() interval {
	tag := r.byte()
	y := interval{source: Source(tag >> 1), stop: tag&1 != 0, from: r.varint()}
	y.last = y.from + r.varint()
	y.until = y.from + r.varint()
	y.told = r.varint()
	y.entity, y.sess = r.string(), r.string()
	if y.source < SourceDHCP || y.source > SourceMDM || y.last < y.from || y.until < y.from || y.entity == "" && !y.stop {
		r.fail()
	}
	return y
}
