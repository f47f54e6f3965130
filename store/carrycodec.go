package store

import (
	"encoding/binary"
	"time"

	"github.com/tocsin-siem/tocsin/event"
)

// appendCarry writes the records that wait for the rest of their message.
func appendCarry(b []byte, records []event.Record) []byte {
	if len(records) == 0 {
		return b
	}
	b = append(b, carryVersion)
	b = binary.AppendUvarint(b, uint64(len(records)))
	for i := range records {
		r := &records[i]
		for _, s := range [...][]byte{r.Value, r.Wire, r.Key, r.Context} {
			b = appendBytes(b, s)
		}
		b = binary.AppendUvarint(b, uint64(len(r.Headers)))
		for _, h := range r.Headers {
			b = appendString(b, h.Key)
			b = appendBytes(b, h.Value)
		}
		b = appendString(b, r.Position.Source)
		b = binary.AppendVarint(b, int64(r.Position.Partition))
		b = binary.AppendVarint(b, r.Position.Offset)
		b = append(b, r.Basis[:]...)
		b = appendString(b, r.Format)
		b = appendString(b, r.Site)
		b = binary.AppendVarint(b, r.Received)
		b = append(b, flag(r.Partial))
		b = appendZone(b, r)
	}
	return b
}

// appendBytes keeps nil and empty apart: a record without a key is not one with an empty key.
func appendBytes(b, s []byte) []byte {
	if s == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(s))+1)
	return append(b, s...)
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n == 0 {
		return nil
	}
	return []byte(r.take(n - 1))
}

// appendZone writes the zone's name and, for names that mean nothing elsewhere, its offset when the record came.
func appendZone(b []byte, r *event.Record) []byte {
	if r.Location == nil {
		return append(b, 0)
	}
	_, offset := time.UnixMicro(r.Received).In(r.Location).Zone()
	return binary.AppendVarint(appendString(append(b, 1), r.Location.String()), int64(offset))
}

func (r *reader) zone() *time.Location {
	if r.byte() == 0 {
		return nil
	}
	name, offset := r.text(), r.varint()
	if loc, err := time.LoadLocation(name); err == nil {
		return loc
	}
	return time.FixedZone(name, int(offset))
}

// decodeCarry reads what appendCarry wrote.
func decodeCarry(b []byte) ([]event.Record, error) {
	if len(b) == 0 {
		return nil, nil
	}
	r := reader{b: b}
	if r.byte() != carryVersion {
		return nil, errCorrupt
	}
	records := make([]event.Record, r.count())
	for i := range records {
		x := &records[i]
		x.Value, x.Wire, x.Key, x.Context = r.bytes(), r.bytes(), r.bytes(), r.bytes()
		if n := r.count(); n > 0 {
			x.Headers = make([]event.Header, n)
			for j := range x.Headers {
				x.Headers[j] = event.Header{Key: r.text(), Value: r.bytes()}
			}
		}
		x.Position = event.Position{Source: r.text(), Partition: int32(r.varint()), Offset: r.varint()}
		x.Basis = r.id()
		x.Format, x.Site = r.text(), r.text()
		x.Received, x.Partial = r.varint(), r.byte() == 1
		x.Location = r.zone()
	}
	if r.err == nil && len(r.b) > 0 {
		return nil, errCorrupt
	}
	return records, r.err
}
