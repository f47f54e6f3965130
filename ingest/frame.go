package ingest

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/tocsin-siem/tocsin/ingest/format"
)

// MaxRecord bounds one record in bytes. A longer one is cut there and marked Partial, and the rest up to the next boundary is skipped.
const MaxRecord = 1 << 20

// framer cuts a byte stream into records by a format's framing. It remembers the header lines of column files.
type framer struct {
	declared format.Framing // the format's
	framing  format.Framing // that of this file: column formats also come as JSON
	context  []byte         // header lines in force
	lines    int            // lines seen in this file, to know a CSV's first
	zeek     bool
	closed   bool // the last header block ended, so the next # line starts a new one
	skip     bool // inside the rest of an oversize record
}

// frame is one record found at data[start:end]; next is where the following one begins.
type frame struct {
	start, end, next int
	context          []byte
	partial          bool
}

// newFile forgets the header: the next line is the first of a file.
func (f *framer) newFile() { *f = newFramer(f.declared) }

func newFramer(framing format.Framing) framer { return framer{declared: framing, framing: framing} }

// cut finds the next record in data. ok is false if data holds no complete one; then next bytes may be dropped (blank lines, headers).
// final says that nothing follows data, or that waiting any longer for the end of a record is pointless.
func (f *framer) cut(data []byte, final bool) (fr frame, ok bool) {
	at := 0
	for {
		found, done := f.step(data[at:], final)
		found.start, found.end, found.next = found.start+at, found.end+at, found.next+at
		if done || found.next == at {
			return found, done
		}
		at = found.next
	}
}

// step cuts one piece off data: a record (ok), or something to be dropped (next > 0), or nothing yet.
func (f *framer) step(data []byte, final bool) (frame, bool) {
	if f.framing == format.Columns && f.lines == 0 {
		if start := bytes.TrimLeft(data, " \t\r\n"); len(start) > 0 && (start[0] == '[' || start[0] == '{') {
			f.framing = format.JSONValues // the same logs come as JSON too
		}
	}
	if f.framing == format.JSONValues {
		return f.value(data, final)
	}
	end, next := f.line(data, final)
	if next == 0 {
		return frame{}, false
	}
	if f.skip {
		f.skip = data[next-1] != '\n' && !final
		return frame{next: next}, false
	}
	partial := false
	if end > MaxRecord {
		end, partial = MaxRecord, true
	}
	if data[next-1] != '\n' && !final {
		f.skip = true
	}
	line := bytes.TrimSuffix(data[:end], []byte{'\r'})
	if len(bytes.TrimSpace(line)) == 0 {
		return frame{next: next}, false
	}
	if f.framing == format.Columns && f.header(line) {
		return frame{next: next}, false
	}
	return frame{end: len(line), next: next, context: f.context, partial: partial}, true
}

// line finds the end of the record that starts data and where the next begins; next 0 means not yet.
func (f *framer) line(data []byte, final bool) (end, next int) {
	for from := 0; ; {
		i := bytes.IndexByte(data[from:], '\n')
		if i < 0 {
			if final || len(data) > MaxRecord {
				return len(data), len(data)
			}
			return 0, 0
		}
		end, next = from+i, from+i+1
		switch f.framing {
		case format.LinesDense:
			if next == len(data) && !final {
				return 0, 0
			}
			if next < len(data) && (data[next] == ' ' || data[next] == '\t') && next <= MaxRecord {
				from = next
				continue
			}
		case format.Columns:
			if !f.zeek && bytes.Count(data[:end], []byte{'"'})%2 == 1 && next <= MaxRecord {
				if next == len(data) && final {
					return end, next
				}
				from = next
				continue
			}
		}
		return end, next
	}
}

// header takes a line that names columns into the context; it reports whether the line was one.
func (f *framer) header(line []byte) bool {
	f.lines++
	if line[0] == '#' {
		if f.closed || f.context == nil || bytes.HasPrefix(line, []byte("#separator")) {
			f.context, f.closed = nil, false
		}
		f.zeek = true
		// A fresh slice each time: records already cut keep the context they had.
		f.context = append(append(append([]byte(nil), f.context...), line...), '\n')
		return true
	}
	f.closed = true
	if f.lines == 1 && !f.zeek {
		f.context = bytes.Clone(line)
		return true
	}
	return false
}

// value finds the next JSON value: an object, or an element of a top-level array. Anything else is taken up to the end of its line, so
// that it becomes a reject and the stream goes on.
func (f *framer) value(data []byte, final bool) (frame, bool) {
	start := 0
	for start < len(data) && bytes.IndexByte([]byte(" \t\r\n,[]"), data[start]) >= 0 {
		start++
	}
	if start == len(data) {
		return frame{next: start}, false
	}
	if data[start] != '{' {
		i := bytes.IndexByte(data[start:], '\n')
		if i < 0 && !final && len(data)-start <= MaxRecord {
			return frame{}, false
		}
		if i < 0 {
			i = len(data) - start
		}
		return frame{start: start, end: start + min(i, MaxRecord), next: start + i, partial: i > MaxRecord}, true
	}
	if end := valueEnd(data[start:]); end > 0 {
		return frame{start: start, end: start + min(end, MaxRecord), next: start + end, partial: end > MaxRecord}, true
	}
	if final || len(data)-start > 8*MaxRecord {
		return frame{start: start, end: min(len(data), start+MaxRecord), next: len(data), partial: true}, true
	}
	return frame{}, false
}

// valueEnd is the length of the JSON object that starts data; 0 if it does not end there. An object that breaks off, because its writer did, ends
// with its last line: otherwise it would swallow all that follows. It shows by a line end inside a string, or by another object on a
// later line where JSON allows none.
func valueEnd(data []byte) int {
	depth, inString := 0, false
	arrays := uint64(0) // bit n: the container at depth n+1 is an array; deeper ones are not told apart
	for i := 0; i < len(data); i++ {
		if inString {
			if i += plain(data[i:]); i >= len(data) {
				return 0
			}
			switch data[i] {
			case '\\':
				i++
			case '"':
				inString = false
			default: // A line end.
				return i
			}
			continue
		}
		c := data[i]
		if !structural[c] {
			continue
		}
		switch {
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if c == '{' && depth > 0 && !opens(data[:i], depth <= 64 && arrays>>(depth-1)&1 == 0) {
				if n := bytes.LastIndexByte(data[:i], '\n'); n > 0 {
					return n
				}
			}
			if depth++; depth <= 64 {
				arrays &^= 1 << (depth - 1)
				if c == '[' {
					arrays |= 1 << (depth - 1)
				}
			}
		default:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// structural are the bytes outside of strings by which the end of a JSON value is found; most others are digits, commas and colons.
var structural = [256]bool{'"': true, '{': true, '[': true, '}': true, ']': true}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain is how many bytes of a string come before its end, an escape or a line end. It looks at eight at a time: each of these sets the high bit of its
// byte. Bytes above the first one found may be wrong, the first one never is.
func plain(data []byte) int {
	i := 0
	for ; i+8 <= len(data); i += 8 {
		w := binary.LittleEndian.Uint64(data[i:])
		q, b, n := w^(ones*'"'), w^(ones*'\\'), w^(ones*'\n')
		if m := ((q-ones)&^q | (b-ones)&^b | (n-ones)&^n) & highs; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(data); i++ {
		if c := data[i]; c == '"' || c == '\\' || c == '\n' {
			break
		}
	}
	return i
}

// opens reports whether an object may begin after before, in an object or else an array.
func opens(before []byte, inObject bool) bool {
	before = bytes.TrimRight(before, " \t\r\n")
	switch before[len(before)-1] {
	case ':':
		return true
	case ',', '[':
		return !inObject
	}
	return false
}
