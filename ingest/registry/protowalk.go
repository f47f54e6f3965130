package registry

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// protoWalk reads one record and writes it as JSON. Source: Protocol Buffers, "Encoding".
type protoWalk struct {
	*buffer
	depth   int
	unknown int
}

// span is the content of one field as it was sent: without tag, and without the length of what has one.
type span struct {
	field    int32
	typ      protowire.Type
	from, to int32 // In the message.
}

// mapEntry is one entry of a map: its key in keys, as JSON, and its content in the message.
type mapEntry struct{ key, keyEnd, from, to int32 }

// maxSpans bounds the fields of one record that are open at once.
const maxSpans = 1 << 18

// message reads in, which begins at byte at of the record.
func (w *protoWalk) message(m *protoMessage, in []byte, at int) *fault {
	if w.depth++; w.depth > maxDepth {
		return faultf(at, "more than %d levels deep", maxDepth)
	}
	base := len(w.spans)
	if f := w.scan(m, in, at); f != nil {
		return f
	}
	spans := w.spans[base:]
	if m.oneofs > 0 {
		lastOfEach(m, spans)
	}
	inOrder := func(a, b span) int { return cmp.Or(cmp.Compare(a.field, b.field), cmp.Compare(a.from, b.from)) }
	if !slices.IsSortedFunc(spans, inOrder) {
		slices.SortFunc(spans, inOrder)
	}
	for len(spans) > 0 && spans[0].field < 0 {
		if f := w.check(&m.fields[^spans[0].field], spans[0], in, at); f != nil {
			return f
		}
		spans = spans[1:]
	}
	f := w.write(m, spans, in, at)
	w.spans = w.spans[:base]
	w.depth--
	return f
}

// scan adds the fields of in to spans, in the order they were sent.
func (w *protoWalk) scan(m *protoMessage, in []byte, at int) *fault {
	for off := 0; off < len(in); {
		num, typ, n := protowire.ConsumeTag(in[off:])
		if n < 0 {
			return faultf(at+off, "no field begins here: %s", parseError(n))
		}
		if num > protowire.MaxValidNumber {
			return faultf(at+off, "no field has the number %d", num)
		}
		start := off + n
		size := protowire.ConsumeFieldValue(num, typ, in[start:])
		if size < 0 {
			return faultf(at+off, "field %d: %s", num, parseError(size))
		}
		off = start + size
		i := m.field(num)
		if i < 0 || !m.fields[i].takes(typ) {
			w.unknown++
			continue
		}
		from, to := start, off
		switch typ {
		case protowire.BytesType:
			_, length := protowire.ConsumeVarint(in[start:])
			from += length
		case protowire.StartGroupType:
			content, _ := protowire.ConsumeGroup(num, in[start:])
			to = from + len(content)
		}
		if len(w.spans) >= maxSpans {
			return faultf(at+start, "more than %d fields", maxSpans)
		}
		w.spans = append(w.spans, span{int32(i), typ, int32(from), int32(to)})
	}
	return nil
}

// parseError puts an error code of the wire reader into words that are the same in every build.
func parseError(code int) string {
	err := protowire.ParseError(code)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "the record ends inside it"
	}
	return strings.TrimLeft(strings.TrimPrefix(err.Error(), "proto:"), " \u00a0")
}

// takes reports whether a field may come encoded so. What comes otherwise is an unknown field.
func (f *protoField) takes(typ protowire.Type) bool {
	want := wireType(f.kind)
	return typ == want || f.list && typ == protowire.BytesType && want != protowire.StartGroupType
}

func wireType(k protoreflect.Kind) protowire.Type {
	switch k {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.GroupKind:
		return protowire.StartGroupType
	}
	return protowire.VarintType
}

// check reads what does not count, and writes nothing.
func (w *protoWalk) check(f *protoField, s span, in []byte, at int) *fault {
	kept := len(w.out)
	fault := w.value(f, s, in, at)
	w.out = w.out[:kept]
	if fault != nil {
		return fault.in(f.name)
	}
	return nil
}

// lastOfEach leaves of each oneof what was sent after its other members, and turns the field of the rest into its complement.
func lastOfEach(m *protoMessage, spans []span) {
	var few [8]int32
	last := few[:]
	if m.oneofs > len(few) {
		last = make([]int32, m.oneofs)
	}
	for i := range last {
		last[i] = -1
	}
	closed := int32(math.MaxInt32)
	for i := len(spans) - 1; i >= 0; i-- {
		o := m.fields[spans[i].field].oneof
		if o < 0 {
			continue
		}
		if last[o] < 0 {
			last[o] = spans[i].field
		}
		if last[o] != spans[i].field {
			last[o] = closed
		}
		if last[o] == closed {
			spans[i].field = ^spans[i].field
		}
	}
}

// write renders a message from its sorted spans.
func (w *protoWalk) write(m *protoMessage, spans []span, in []byte, at int) *fault {
	switch m.form {
	case stampForm, durationForm:
		return w.moment(m, spans, in, at)
	case pathsForm:
		return w.paths(spans, in, at)
	case decimalForm:
		if w.decimal(m, spans, in) {
			return nil
		}
	case bareForm:
		if len(spans) == 0 {
			w.out = append(w.out, m.bare...)
			return nil
		}
		return w.field(&m.fields[spans[0].field], ofField(spans), in, at)
	}
	w.out = append(w.out, '{')
	first := true
	for i := range m.fields {
		field := &m.fields[i]
		var mine []span
		if len(spans) > 0 && spans[0].field == int32(i) {
			mine = ofField(spans)
			spans = spans[len(mine):]
		}
		if mine == nil && !field.shown {
			continue
		}
		if !first {
			w.out = append(w.out, ',')
		}
		first = false
		w.out = append(w.out, field.key...)
		if f := w.field(field, mine, in, at); f != nil {
			return f.in(field.name)
		}
	}
	w.out = append(w.out, '}')
	return w.room(at)
}

// ofField is the spans at the beginning that are of one field.
func ofField(spans []span) []span {
	n := 1
	for n < len(spans) && spans[n].field == spans[0].field {
		n++
	}
	return spans[:n]
}

func (w *protoWalk) room(at int) *fault {
	if len(w.out) > maxJSON {
		return faultf(at, "the record becomes more than %d bytes of JSON", maxJSON)
	}
	return nil
}

// field renders the value of one field from all that was sent of it.
func (w *protoWalk) field(f *protoField, spans []span, in []byte, at int) *fault {
	switch {
	case f.entry:
		return w.entriesOf(f, spans, in, at)
	case f.list:
		return w.list(f, spans, in, at)
	case len(spans) == 0 && f.message == nil:
		w.out = append(w.out, f.none...)
		return w.room(at)
	case f.message != nil && len(spans) != 1:
		return w.merged(f, spans, in, at)
	}
	return w.value(f, spans[len(spans)-1], in, at)
}

// merged renders a message that came in parts, or in none. Merging messages is joining their bytes, if each is one by itself.
func (w *protoWalk) merged(f *protoField, spans []span, in []byte, at int) *fault {
	var joined []byte
	base, unknown := len(w.spans), w.unknown
	for _, s := range spans {
		part := in[s.from:s.to]
		if fault := w.scan(f.message, part, at+int(s.from)); fault != nil {
			return fault
		}
		w.spans = w.spans[:base]
		joined = append(joined, part...)
	}
	w.unknown = unknown // They are counted where they are read again.
	if len(spans) > 0 {
		at += int(spans[0].from)
	}
	return w.message(f.message, joined, at)
}

// value renders what one span holds.
func (w *protoWalk) value(f *protoField, s span, in []byte, at int) *fault {
	content, at := in[s.from:s.to], at+int(s.from)
	if len(w.out)+len(content) > maxJSON {
		return faultf(at, "the record becomes more than %d bytes of JSON", maxJSON)
	}
	switch f.kind {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return w.message(f.message, content, at)
	case protoreflect.StringKind:
		w.out = jsonscan.AppendString(w.out, stringOf(content))
	case protoreflect.BytesKind:
		w.out = appendBase64(w.out, content)
	default:
		_, fault := w.number(f, content, at)
		return fault
	}
	return w.room(at)
}

// number renders a value of fixed or variable length from the beginning of in, and says how long it was.
func (w *protoWalk) number(f *protoField, in []byte, at int) (n int, _ *fault) {
	var bits uint64
	switch wireType(f.kind) {
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(in)
		bits = uint64(v)
	case protowire.Fixed64Type:
		bits, n = protowire.ConsumeFixed64(in)
	default:
		bits, n = protowire.ConsumeVarint(in)
	}
	if n < 0 {
		return 0, faultf(at, "no number: %s", parseError(n))
	}
	switch f.kind {
	case protoreflect.BoolKind:
		w.out = jsonscan.AppendBool(w.out, bits != 0)
	case protoreflect.EnumKind:
		w.out = appendEnum(w.out, f, int32(bits))
	case protoreflect.Int32Kind, protoreflect.Sfixed32Kind:
		w.out = jsonscan.AppendInt(w.out, int64(int32(bits)))
	case protoreflect.Sint32Kind:
		w.out = jsonscan.AppendInt(w.out, protowire.DecodeZigZag(bits&math.MaxUint32))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		w.out = jsonscan.AppendUint(w.out, uint64(uint32(bits)))
	case protoreflect.Int64Kind, protoreflect.Sfixed64Kind:
		w.out = jsonscan.AppendInt(w.out, int64(bits))
	case protoreflect.Sint64Kind:
		w.out = jsonscan.AppendInt(w.out, protowire.DecodeZigZag(bits))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		w.out = jsonscan.AppendUint(w.out, bits)
	case protoreflect.FloatKind:
		w.out = appendFloat(w.out, float64(math.Float32frombits(uint32(bits))), 32)
	case protoreflect.DoubleKind:
		w.out = appendFloat(w.out, math.Float64frombits(bits), 64)
	}
	return n, w.room(at)
}

// list renders a repeated field, whose items come one by one, packed, or both.
func (w *protoWalk) list(f *protoField, spans []span, in []byte, at int) *fault {
	w.out = append(w.out, '[')
	n := 0
	for _, s := range spans {
		packed := s.typ == protowire.BytesType && wireType(f.kind) != protowire.BytesType
		for off := s.from; off < s.to || !packed; {
			if n > 0 {
				w.out = append(w.out, ',')
			}
			size, fault := 0, (*fault)(nil)
			if packed {
				size, fault = w.number(f, in[off:s.to], at+int(off))
			} else {
				fault = w.value(f, s, in, at)
			}
			if fault != nil {
				return fault.in(indexed(n))
			}
			n++
			if !packed {
				break
			}
			off += int32(size)
		}
	}
	w.out = append(w.out, ']')
	return w.room(at)
}

// entriesOf renders a map, by key; of a key sent twice the last counts.
func (w *protoWalk) entriesOf(f *protoField, spans []span, in []byte, at int) *fault {
	base, keys := len(w.entries), len(w.keys)
	for _, s := range spans {
		from := int32(len(w.keys))
		if fault := w.keyOf(f, in[s.from:s.to], at+int(s.from)); fault != nil {
			return fault
		}
		w.entries = append(w.entries, mapEntry{from, int32(len(w.keys)), s.from, s.to})
	}
	keyOf := func(e mapEntry) []byte { return w.keys[e.key:e.keyEnd] }
	slices.SortFunc(w.entries[base:], func(a, b mapEntry) int {
		return cmp.Or(bytes.Compare(keyOf(a), keyOf(b)), cmp.Compare(a.from, b.from))
	})
	w.out = append(w.out, '{')
	first := true
	for i, end := base, len(w.entries); i < end; i++ {
		e, kept := w.entries[i], len(w.out)
		if !first {
			w.out = append(w.out, ',')
		}
		w.out = append(append(w.out, keyOf(e)...), ':')
		if fault := w.valueOf(f, in[e.from:e.to], at+int(e.from)); fault != nil {
			return fault.in(keyed(bytes.Trim(keyOf(e), `"`)))
		}
		if i+1 < end && bytes.Equal(keyOf(e), keyOf(w.entries[i+1])) {
			w.out = w.out[:kept] // Sent again later.
			continue
		}
		first = false
	}
	w.entries, w.keys = w.entries[:base], w.keys[:keys]
	w.out = append(w.out, '}')
	return w.room(at)
}

// Of a map's entry: where the compiler puts key and value, fields 1 and 2.
const (
	entryKey = iota
	entryValue
)

// keyOf appends the key of an entry to keys, as a JSON string.
func (w *protoWalk) keyOf(f *protoField, in []byte, at int) *fault {
	key, kept := &f.message.fields[entryKey], w.out
	return w.entry(f, in, at, entryKey, func(spans []span) *fault {
		if key.kind == protoreflect.StringKind {
			w.out = w.keys
			defer func() { w.keys, w.out = w.out, kept }()
			return w.field(key, spans, in, at)
		}
		w.out = append(w.keys, '"')
		defer func() { w.keys, w.out = append(w.out, '"'), kept }()
		return w.field(key, spans, in, at)
	})
}

// valueOf renders the value of an entry.
func (w *protoWalk) valueOf(f *protoField, in []byte, at int) *fault {
	return w.entry(f, in, at, entryValue, func(spans []span) *fault {
		return w.field(&f.message.fields[entryValue], spans, in, at)
	})
}

// entry finds what was sent of one half of an entry.
func (w *protoWalk) entry(f *protoField, in []byte, at, half int, render func([]span) *fault) *fault {
	base := len(w.spans)
	if fault := w.scan(f.message, in, at); fault != nil {
		return fault
	}
	n := base
	for _, s := range w.spans[base:] {
		if int(s.field) == half {
			w.spans[n] = s
			n++
		}
	}
	w.spans = w.spans[:n]
	fault := render(w.spans[base:n])
	w.spans = w.spans[:base]
	return fault
}

// moment renders a Timestamp or Duration: fields 1 seconds and 2 nanos of both.
func (w *protoWalk) moment(m *protoMessage, spans []span, in []byte, at int) *fault {
	var values [2]int64
	for _, s := range spans {
		v, n := protowire.ConsumeVarint(in[s.from:s.to])
		if n < 0 {
			return faultf(at+int(s.from), "no number: %s", parseError(n))
		}
		values[min(int(m.fields[s.field].number)-1, 1)] = int64(v)
	}
	seconds, nanos := values[0], int64(int32(values[1]))
	if m.form == durationForm {
		w.out = appendDuration(w.out, seconds, nanos)
		return nil
	}
	layout := utcMicros
	if nanos%1000 != 0 {
		layout = utcNanos
	}
	if seconds < math.MinInt64/2 || seconds > math.MaxInt64/2 {
		w.out = jsonscan.AppendInt(w.out, seconds) // Further than time can count.
		return nil
	}
	w.out = appendStamp(w.out, time.Unix(seconds, nanos), layout, seconds)
	return nil
}

// decimal renders a Decimal of the registry's own: value, big-endian two's complement, and scale. It fails on what is none; that stays an object.
func (w *protoWalk) decimal(m *protoMessage, spans []span, in []byte) (ok bool) {
	var unscaled []byte
	var scale uint64
	for _, s := range spans {
		switch m.fields[s.field].number {
		case 1:
			unscaled = in[s.from:s.to]
		case 3:
			scale, _ = protowire.ConsumeVarint(in[s.from:s.to])
		}
	}
	w.out, ok = appendDecimal(w.out, unscaled, int64(int32(scale)))
	return ok
}

// paths renders a FieldMask.
func (w *protoWalk) paths(spans []span, in []byte, at int) *fault {
	var all []byte
	for i, s := range spans {
		if i > 0 {
			all = append(all, ',')
		}
		all = append(all, in[s.from:s.to]...)
	}
	w.out = jsonscan.AppendString(w.out, stringOf(all))
	return w.room(at)
}
