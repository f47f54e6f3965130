package kafka

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// FuzzDecoder: whatever a broker sends, decoding ends, offsets only grow, and nothing beyond the bounds is unpacked.
func FuzzDecoder(f *testing.F) {
	one := []byte{18, 0, 0, 0, 2, 'k', 4, 'v', 'w', 2, 2, 'h', 1}
	one[0] = byte(2 * (len(one) - 1))
	for codec := range uint16(6) {
		f.Add(sealed(3, 2, codec, 1, one), int64(3), int64(10), int64(0), true)
	}
	f.Add(append(sealed(0, 9, attrTransactional, 0, nil), sealed(10, 0, attrControl, 1, one)...), int64(0), int64(11), int64(5), true)
	f.Add(append(sealed(0, 1, 0, 1, one), sealed(2, 1, 0, 2, append(one, one...))[:70]...), int64(0), int64(0), int64(0), false)
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x12\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), int64(0), int64(9), int64(0), false)
	const limit = 1 << 20
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(8<<20))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, set []byte, next, high, abort int64, seal bool) {
		if next < 0 {
			return
		}
		if seal {
			set = bytes.Clone(set)
			reseal(set)
		}
		d := decoder{next: next, doubt: -1, unpacker: unpacker{limit: limit, zstd: z}}
		var messages []Message
		for range 3 {
			d.begin(fetched{records: set, high: high, aborted: []abortedTxn{{first: abort}}})
			for d.pending() {
				left, at := len(d.set)+len(d.body), d.next
				messages = d.fill(messages, 10, 1<<16)
				if len(d.body) > limit {
					t.Fatalf("%d bytes unpacked", len(d.body))
				}
				if d.pending() && len(d.set)+len(d.body) == left && d.next == at {
					t.Fatal("no progress")
				}
			}
		}
		end := next
		for _, m := range messages {
			if m.Offset < end {
				t.Fatalf("offset %d where %d or more was due", m.Offset, end)
			}
			end = m.Offset + 1
			if m.Fault != nil {
				if m.Fault.Last < m.Offset || len(m.Value) > maxEvidence {
					t.Fatalf("fault %+v at %d", *m.Fault, m.Offset)
				}
				end = m.Fault.Last + 1
			}
		}
		if d.next < end {
			t.Fatalf("next offset %d behind %d", d.next, end)
		}
	})
}

func sealed(base int64, delta int32, attributes uint16, count int32, body []byte) []byte {
	be := binary.BigEndian
	b := make([]byte, atRecords, atRecords+len(body))
	be.PutUint64(b, uint64(base))
	be.PutUint32(b[atLength:], uint32(atRecords-atLength-4+len(body)))
	b[atMagic] = 2
	be.PutUint16(b[atAttributes:], attributes)
	be.PutUint32(b[atLastDelta:], uint32(delta))
	be.PutUint32(b[atCount:], uint32(count))
	b = append(b, body...)
	reseal(b)
	return b
}

// reseal makes the checksums of a set right, so that the fuzzer gets behind them.
func reseal(set []byte) {
	for len(set) > atRecords {
		b, state := headOf(set, 0)
		if state != headWhole {
			return
		}
		binary.BigEndian.PutUint32(b.raw[atCRC:], crc32.Checksum(b.raw[atAttributes:], castagnoli))
		set = set[len(b.raw):]
	}
}

// FuzzFetched: an answer of any bytes is taken or refused, never more than it holds.
func FuzzFetched(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01t\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x02ab"))
	f.Fuzz(func(t *testing.T, body []byte) {
		out, err := parseFetched(body, 7, "t", 0)
		if err == nil && len(out.records)+16*len(out.aborted) > len(body) {
			t.Fatalf("%d bytes of records and %d transactions from %d bytes", len(out.records), len(out.aborted), len(body))
		}
	})
}

func TestAnAnswerIsTakenApart(t *testing.T) {
	be := binary.BigEndian
	b := be.AppendUint32(nil, 7)
	b = append(b, make([]byte, 10)...)
	b = be.AppendUint32(b, 1)
	b = append(b, 0, 1, 't')
	b = be.AppendUint32(b, 1)
	b = be.AppendUint32(b, 3)
	b = append(b, 0, 0)
	for _, v := range []uint64{9, 8, 1} {
		b = be.AppendUint64(b, v)
	}
	b = be.AppendUint32(b, 1)
	b = be.AppendUint64(b, 44)
	b = be.AppendUint64(b, 5)
	b = be.AppendUint32(b, 5)
	b = append(b, "abc"...) // Two bytes short: cut.
	got, err := parseFetched(b, 7, "t", 3)
	if err != nil || got.high != 9 || got.stable != 8 || got.first != 1 || !got.cut || string(got.records) != "abc" || got.aborted[0] != (abortedTxn{44, 5}) {
		t.Errorf("%+v, error %v", got, err)
	}
	for name, err := range map[string]error{
		"number":    second(parseFetched(b, 8, "t", 3)),
		"topic":     second(parseFetched(b, 7, "u", 3)),
		"partition": second(parseFetched(b, 7, "t", 4)),
		"short":     second(parseFetched(b[:40], 7, "t", 3)),
	} {
		if err == nil {
			t.Errorf("an answer with another %s is taken", name)
		}
	}
}

func second(_ fetched, err error) error { return err }
