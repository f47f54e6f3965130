package registry

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// What Client.Transcoder takes.
const (
	avroEncoding     = "avro"
	protobufEncoding = "protobuf"
	jsonEncoding     = "json"
)

// Bounds of one record. The depth is what the JSON reader of the formats takes.
const (
	maxWire  = 16 << 20 // Bytes as they came.
	maxJSON  = 16 << 20 // Bytes of JSON.
	maxDepth = 64       // Levels of records, messages, lists and maps.
	maxKept  = 1 << 20  // Bytes of a buffer that is kept for the next record.
)

// Transcoder turns framed records into what formats read. Its methods may be called by several goroutines.
type Transcoder struct {
	client   *Client
	encoding string
	unknown  atomic.Uint64
	buffers  sync.Pool // Of *buffer.
}

// buffer is the reusable memory of one running Transcode.
type buffer struct {
	out     []byte
	spans   []span
	entries []mapEntry
	keys    []byte
}

// Unknown is how many Protobuf records had fields that their schema does not have.
func (t *Transcoder) Unknown() uint64 { return t.unknown.Load() }

// Prepare makes sure that the schemas of records are known. It is where the registry is asked: it blocks until the registry has answered, and
// returns an error only if ctx ends first. A schema that does not exist or cannot be used is no error here; Transcode rejects its records.
func (t *Transcoder) Prepare(ctx context.Context, records []event.Record) error {
	if t.encoding == jsonEncoding {
		return nil // The frame tells where the JSON begins; reading it takes no schema.
	}
	for i := range records {
		id, refused := frameOf(records[i].Value)
		if refused != nil || idInHeader(&records[i]) {
			continue
		}
		if err := t.client.ensure(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// Transcode sets Value to what the format reads and Wire to the bytes that came. It does no I/O. The error is a *format.Reject, and leaves
// the record as it was. A record without bytes is left to its reader, who knows tombstones.
func (t *Transcoder) Transcode(rec *event.Record) error {
	wire := rec.Value
	if len(wire) == 0 {
		return nil
	}
	if idInHeader(rec) {
		if t.encoding == jsonEncoding {
			return nil // Nothing stands before the JSON.
		}
		return format.Rejectf("registry_frame", "the schema's id is in the header %s; let the producer write it before the record (prefix)", idHeader)
	}
	id, refused := frameOf(wire)
	if refused != nil {
		return refused
	}
	value := wire[frameSize:]
	if t.encoding != jsonEncoding {
		if value, refused = t.render(id, wire); refused != nil {
			return refused
		}
	}
	rec.Wire, rec.Value = wire, value
	return nil
}

// render decodes a framed Avro or Protobuf record.
func (t *Transcoder) render(id uint32, wire []byte) ([]byte, *format.Reject) {
	s := t.client.schema(id)
	switch {
	case s == nil:
		return nil, format.Rejectf("registry_schema_unknown", "schema %d has not been looked up", id)
	case s.refused != nil:
		return nil, format.Rejectf(s.refused.code, "schema %d: %s", id, s.refused.reason)
	case s.encoding != t.encoding:
		return nil, format.Rejectf("registry_schema_type", "schema %d is of %s, the source's encoding is %s", id, s.encoding, t.encoding)
	case s.avro != nil && s.avro.isText():
		return plainText(id, s.avro, wire)
	}
	b, _ := t.buffers.Get().(*buffer)
	if b == nil {
		b = &buffer{}
	}
	defer t.keep(b)
	if s.avro != nil {
		return renderAvro(b, id, s.avro, wire)
	}
	return t.renderProto(b, id, s.proto, wire)
}

func renderAvro(b *buffer, id uint32, a *avroType, wire []byte) ([]byte, *format.Reject) {
	w := avroWalk{in: wire, at: frameSize, out: b.out[:0]}
	f := w.document(a)
	b.out = w.out
	if f != nil {
		return nil, format.Rejectf("avro_decode", "schema %d, %s", id, f)
	}
	return bytes.Clone(b.out), nil
}

func (t *Transcoder) renderProto(b *buffer, id uint32, p *protoFile, wire []byte) ([]byte, *format.Reject) {
	m, at, refused := p.message(id, wire)
	if refused != nil {
		return nil, refused
	}
	w := protoWalk{buffer: b}
	b.out, b.spans, b.entries, b.keys = b.out[:0], b.spans[:0], b.entries[:0], b.keys[:0]
	f := w.message(m, wire[at:], at)
	if w.unknown > 0 {
		t.unknown.Add(1)
	}
	if f != nil {
		return nil, format.Rejectf("protobuf_decode", "schema %d, message %s, %s", id, m.name, f)
	}
	return bytes.Clone(b.out), nil
}

// keep gives b to the next record, unless a huge one has blown it up.
func (t *Transcoder) keep(b *buffer) {
	if cap(b.out) <= maxKept && cap(b.spans) <= maxKept/16 && cap(b.entries) <= maxKept/16 && cap(b.keys) <= maxKept {
		t.buffers.Put(b)
	}
}

// idHeader is where newer producers may put the schema's id (a GUID) instead of a frame. Without this check, such a record whose first byte
// happens to be 0 would be read as something else.
const idHeader = "__value_schema_id"

func idInHeader(rec *event.Record) bool {
	for i := range rec.Headers {
		if rec.Headers[i].Key == idHeader {
			return true
		}
	}
	return false
}

// frameSize is the bytes before the payload: a zero and the schema's id.
const frameSize = 5

// frameOf reads the frame.
func frameOf(wire []byte) (id uint32, refused *format.Reject) {
	switch {
	case len(wire) > maxWire:
		return 0, format.Rejectf("registry_frame", "the record has %d bytes, more than %d", len(wire), maxWire)
	case len(wire) > 0 && wire[0] != 0:
		return 0, format.Rejectf("registry_frame", "the first byte is %#02x, not 0: the record has no schema registry frame; if none of the topic have, set encoding: raw", wire[0])
	case len(wire) < frameSize:
		return 0, format.Rejectf("registry_frame", "the record ends after %d bytes, inside the schema registry frame of %d", len(wire), frameSize)
	}
	id = binary.BigEndian.Uint32(wire[1:])
	if id > math.MaxInt32 {
		return 0, format.Rejectf("registry_frame", "schema id %d at byte 1 is more than a registry gives", id)
	}
	return id, nil
}

// fault is where and why a payload does not follow its schema.
type fault struct {
	at   int // Byte of the record, frame included.
	what string
	path []string // Innermost first.
}

func faultf(at int, text string, args ...any) *fault {
	return &fault{at: at, what: fmt.Sprintf(text, args...)}
}

// in adds the field around the place.
func (f *fault) in(name string) *fault {
	f.path = append(f.path, name)
	return f
}

// String makes half a sentence of it.
func (f *fault) String() string {
	var b strings.Builder
	for i := len(f.path) - 1; i >= 0; i-- {
		if b.Len() > 0 && f.path[i][0] != '[' {
			b.WriteByte('.')
		}
		b.WriteString(f.path[i])
	}
	if b.Len() == 0 {
		return fmt.Sprintf("byte %d: %s", f.at, f.what)
	}
	return fmt.Sprintf("field %.300s, byte %d: %s", b.String(), f.at, f.what)
}
