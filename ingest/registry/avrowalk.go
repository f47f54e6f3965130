package registry

import (
	"encoding/base64"
	"encoding/binary"
	"math"

	"github.com/tocsin-siem/tocsin/ingest/format"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// avroWalk reads one record and writes it as JSON. Source: Avro 1.12 specification, "Binary Encoding".
type avroWalk struct {
	in    []byte
	at    int
	out   []byte
	depth int
}

// freeItems is how many items a block may claim beyond one for each byte left: those of some types take no bytes.
const freeItems = 4096

// document reads the value that the whole record is.
func (w *avroWalk) document(t *avroType) *fault {
	if f := w.value(t); f != nil {
		return f
	}
	if left := len(w.in) - w.at; left > 0 {
		return faultf(w.at, "%d bytes are left over: the record was not written with this schema", left)
	}
	return nil
}

func (w *avroWalk) value(t *avroType) *fault {
	if len(w.out) > maxJSON {
		return faultf(w.at, "the record becomes more than %d bytes of JSON", maxJSON)
	}
	switch t.kind {
	case avroNull:
		w.out = append(w.out, "null"...)
	case avroBoolean:
		b, f := w.take(1, "boolean")
		if f != nil {
			return f
		}
		if b[0] > 1 {
			return faultf(w.at-1, "%d is no boolean", b[0])
		}
		w.out = jsonscan.AppendBool(w.out, b[0] == 1)
	case avroInt, avroLong:
		return w.integer(t)
	case avroFloat:
		b, f := w.take(4, "float")
		if f != nil {
			return f
		}
		w.out = appendFloat(w.out, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32)
	case avroDouble:
		b, f := w.take(8, "double")
		if f != nil {
			return f
		}
		w.out = appendFloat(w.out, math.Float64frombits(binary.LittleEndian.Uint64(b)), 64)
	case avroBytes, avroString, avroFixed:
		return w.bytes(t)
	case avroEnum:
		at := w.at
		i, f := w.long()
		if f != nil {
			return f
		}
		if i < 0 || i >= int64(len(t.symbols)) {
			return faultf(at, "%d is no symbol of an enum of %d", i, len(t.symbols))
		}
		w.out = append(w.out, t.symbols[i]...)
	case avroUnion:
		at := w.at
		i, f := w.long()
		if f != nil {
			return f
		}
		if i < 0 || i >= int64(len(t.branches)) {
			return faultf(at, "%d is no branch of a union of %d", i, len(t.branches))
		}
		return w.value(t.branches[i])
	default:
		return w.nested(t)
	}
	return nil
}

// nested reads what holds values.
func (w *avroWalk) nested(t *avroType) (f *fault) {
	if w.depth++; w.depth > maxDepth {
		return faultf(w.at, "more than %d levels deep", maxDepth)
	}
	switch t.kind {
	case avroRecord:
		w.out = append(w.out, '{')
		for i := range t.fields {
			if i > 0 {
				w.out = append(w.out, ',')
			}
			w.out = append(w.out, t.fields[i].key...)
			if f := w.value(t.fields[i].typ); f != nil {
				return f.in(t.fields[i].name)
			}
		}
		w.out = append(w.out, '}')
	case avroArray:
		w.out = append(w.out, '[')
		f = w.blocks(t)
		w.out = append(w.out, ']')
	case avroMap:
		w.out = append(w.out, '{')
		f = w.blocks(t)
		w.out = append(w.out, '}')
	}
	w.depth--
	return f
}

// blocks reads the items of an array or the entries of a map: blocks of a count and that many of them, up to an empty block.
func (w *avroWalk) blocks(t *avroType) *fault {
	for n := 0; ; {
		at := w.at
		count, f := w.long()
		if f != nil {
			return f
		}
		if count == 0 {
			return nil
		}
		if count < 0 { // A block that also says how many bytes it has.
			count = -count
			if size, f := w.long(); f != nil {
				return f
			} else if size < 0 || size > int64(len(w.in)-w.at) {
				return faultf(at, "a block of %d bytes, but %d are left", size, len(w.in)-w.at)
			}
		}
		if left := len(w.in) - w.at; count < 0 || count > int64(left+freeItems) {
			return faultf(at, "a block of %d items, but %d bytes are left", uint64(count), left)
		}
		for ; count > 0; count-- {
			if n > 0 {
				w.out = append(w.out, ',')
			}
			if f := w.item(t, n); f != nil {
				return f
			}
			n++
		}
	}
}

// item reads one item of an array, or one entry of a map.
func (w *avroWalk) item(t *avroType, n int) *fault {
	if t.kind == avroArray {
		if f := w.value(t.items); f != nil {
			return f.in(indexed(n))
		}
		return nil
	}
	key, f := w.counted("key")
	if f != nil {
		return f
	}
	w.out = jsonscan.AppendString(w.out, stringOf(key))
	w.out = append(w.out, ':')
	if f := w.value(t.items); f != nil {
		return f.in(keyed(key))
	}
	return nil
}

func (w *avroWalk) integer(t *avroType) *fault {
	at := w.at
	n, f := w.long()
	if f != nil {
		return f
	}
	if t.kind == avroInt && n != int64(int32(n)) {
		return faultf(at, "%d does not fit an int", n)
	}
	if t.logical == noLogical {
		w.out = jsonscan.AppendInt(w.out, n)
		return nil
	}
	w.out = appendTime(w.out, t.logical, n)
	return nil
}

// bytes reads a string, bytes or fixed.
func (w *avroWalk) bytes(t *avroType) (f *fault) {
	var b []byte
	at := w.at
	if t.kind == avroFixed {
		b, f = w.take(t.size, "fixed")
	} else {
		b, f = w.counted("string")
	}
	switch {
	case f != nil:
		return f
	case len(w.out)+len(b) > maxJSON:
		return faultf(at, "the record becomes more than %d bytes of JSON", maxJSON)
	case t.kind == avroString:
		w.out = jsonscan.AppendString(w.out, stringOf(b))
		return nil
	}
	var ok bool
	if w.out, ok = appendLogicalBytes(w.out, t, b); !ok {
		return faultf(at, "%d bytes are no decimal that can be written", len(b))
	}
	return nil
}

// counted takes what a length says.
func (w *avroWalk) counted(what string) ([]byte, *fault) {
	at := w.at
	n, f := w.long()
	if f != nil {
		return nil, f
	}
	if n < 0 || n > int64(len(w.in)-w.at) {
		return nil, faultf(at, "a %s of %d bytes, but %d are left", what, n, len(w.in)-w.at)
	}
	b := w.in[w.at : w.at+int(n)]
	w.at += int(n)
	return b, nil
}

func (w *avroWalk) take(n int, what string) ([]byte, *fault) {
	if n > len(w.in)-w.at {
		return nil, faultf(w.at, "a %s of %d bytes, but %d are left", what, n, len(w.in)-w.at)
	}
	b := w.in[w.at : w.at+n]
	w.at += n
	return b, nil
}

// long reads a zigzag number of variable length.
func (w *avroWalk) long() (int64, *fault) {
	n, size := binary.Varint(w.in[w.at:])
	if size <= 0 {
		if size == 0 {
			return 0, faultf(w.at, "the record ends inside a number")
		}
		return 0, faultf(w.at, "a number of more than 64 bits")
	}
	w.at += size
	return n, nil
}

// plainText is the record itself, where its schema is a plain string or bytes.
func plainText(id uint32, t *avroType, wire []byte) ([]byte, *format.Reject) {
	w := avroWalk{in: wire, at: frameSize}
	b, f := w.counted("string")
	if f == nil && w.at < len(wire) {
		f = faultf(w.at, "%d bytes are left over: the record was not written with this schema", len(wire)-w.at)
	}
	if f != nil {
		return nil, format.Rejectf("avro_decode", "schema %d, %s", id, f)
	}
	return b, nil
}

func appendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}
