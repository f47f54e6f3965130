package kafka_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

func TestABatchWhoseTailRecordsAreGoneIsReadOnceAndLeftBehind(t *testing.T) {
	p := &partition{high: 12, alone: true, batches: []craft{{base: 0, delta: 9, deltas: []int32{0, 1, 2}}, {base: 10, delta: 1, deltas: []int32{0, 1}}}}
	got, r := p.read(t)
	expect(t, got, 0, 1, 2, 10, 11)
	if n := p.fetched(); n > 4 {
		t.Errorf("%d fetches for two batches", n)
	}
	if s := r.Stats(); s.Gaps != 0 {
		t.Errorf("the watchdog ran %d times", s.Gaps)
	}
}

func TestAHoleOf400000OffsetsIsPassedInOneFetch(t *testing.T) {
	p := &partition{high: 400_004, alone: true, batches: []craft{{base: 0, delta: 1, deltas: []int32{0, 1}}, {base: 400_002, delta: 1, deltas: []int32{0, 1}}}}
	got, r := p.read(t)
	expect(t, got, 0, 1, 400_002, 400_003)
	if s := r.Stats(); s.Gaps != 0 {
		t.Errorf("the watchdog ran %d times", s.Gaps)
	}
}

func TestAnEmptiedBatchAloneInTheAnswerNeitherRepeatsNorStalls(t *testing.T) {
	p := &partition{high: 20, alone: true, batches: []craft{
		{base: 0, delta: 1, deltas: []int32{0, 1}}, {base: 2, delta: 15}, {base: 18, delta: 1, deltas: []int32{0, 1}},
	}}
	got, r := p.read(t)
	expect(t, got, 0, 1, 18, 19)
	if s := r.Stats(); s.Emptied != 1 || s.Gaps != 0 {
		t.Errorf("emptied %d, gaps %d, want 1 and 0", s.Emptied, s.Gaps)
	}
}

func TestAnEmptiedBatchAtTheEndOfTheLogIsItsEnd(t *testing.T) {
	p := &partition{high: 9, batches: []craft{{base: 0, delta: 1, deltas: []int32{0, 1}}, {base: 2, delta: 6}}}
	got, r := p.read(t)
	expect(t, got, 0, 1)
	if r.Offset() != 9 {
		t.Errorf("next offset %d, want 9", r.Offset())
	}
}

func TestReadingFromTheMiddleOfABatchGivesNothingBefore(t *testing.T) {
	p := &partition{high: 6, batches: []craft{{base: 0, delta: 5, deltas: []int32{0, 1, 2, 3, 4, 5}}}}
	c, _ := connect(t, p.serve(t), nil)
	expect(t, offsets(drain(t, open(t, c, 4))), 4, 5)
}

func TestOffsetsThatNeverComeAreSteppedOverToTheFirstThatDoes(t *testing.T) {
	p := &partition{high: 1000, alone: true, batches: []craft{{base: 0, delta: 1, deltas: []int32{0, 1}}, {base: 700, delta: 299, deltas: []int32{3, 299}}}}
	p.mute = func(offset int64) bool { return offset >= 2 && offset < 703 }
	c, log := connect(t, p.serve(t), nil)
	r := open(t, c, kafka.Earliest)
	expect(t, offsets(drain(t, r)), 0, 1, 703, 999)
	if s := r.Stats(); s.Gaps != 1 || s.Stepped != 701 {
		t.Errorf("gaps %d of %d offsets, want 1 of 701", s.Gaps, s.Stepped)
	}
	if n := log.count("stepped over"); n != 1 {
		t.Errorf("logged %d times, want once", n)
	}
}

func TestAGapUpToTheEndOfTheLogIsSteppedOverOfAHealthyBrokerOnly(t *testing.T) {
	p := &partition{high: 10, batches: []craft{{base: 0, delta: 1, deltas: []int32{0, 1}}}}
	got, r := p.read(t)
	expect(t, got, 0, 1)
	if s := r.Stats(); s.Gaps != 1 || s.Stepped != 8 {
		t.Errorf("gaps %d of %d offsets, want 1 of 8", s.Gaps, s.Stepped)
	}

	sick := &partition{high: 10, batches: p.batches, mute: func(int64) bool { return true }}
	c, log := connect(t, sick.serve(t), nil)
	r = open(t, c, kafka.Earliest)
	for log.count("gives nothing below its high watermark") == 0 {
		if _, err := r.Read(t.Context(), nil, 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if r.Offset() != 0 {
		t.Errorf("stepped to %d on a broker that gives nothing at all", r.Offset())
	}
	sick.mu.Lock()
	sick.mute = nil
	sick.mu.Unlock()
	expect(t, offsets(drain(t, r)), 0, 1)
}

func TestAbortedRecordsAndTransactionMarkersAreNotHandedOut(t *testing.T) {
	p := &partition{high: 12, alone: false, aborted: [][2]int64{{7, 2}, {8, 6}}, batches: []craft{
		{base: 0, delta: 1, deltas: []int32{0, 1}, attributes: transactional, producer: 8},
		{base: 2, delta: 1, deltas: []int32{0, 1}, attributes: transactional, producer: 7},
		{base: 4, delta: 0, deltas: []int32{0}}, // Between them, without a transaction.
		marker(5, 8, 1),
		{base: 6, delta: 0, deltas: []int32{0}, attributes: transactional, producer: 8},
		marker(7, 7, 0),
		{base: 8, delta: 0, deltas: []int32{0}, attributes: transactional, producer: 7},
		marker(9, 8, 0),
		marker(10, 7, 1),
		{base: 11, delta: 0, deltas: []int32{0}, attributes: transactional, producer: 8},
	}}
	got, r := p.read(t)
	expect(t, got, 0, 1, 4, 8, 11)
	if s := r.Stats(); s.Control != 4 || s.Aborted != 2 {
		t.Errorf("control %d, aborted %d, want 4 and 2", s.Control, s.Aborted)
	}
}

func TestAMarkerAtTheEndOfTheLogIsItsEnd(t *testing.T) {
	p := &partition{high: 2, alone: true, batches: []craft{{base: 0, delta: 0, deltas: []int32{0}, attributes: transactional, producer: 1}, marker(1, 1, 1)}}
	got, r := p.read(t)
	expect(t, got, 0)
	if r.Offset() != 2 {
		t.Errorf("next offset %d, want 2", r.Offset())
	}
}

func TestAnOpenTransactionIsWaitedForAndNotSteppedOver(t *testing.T) {
	p := &partition{high: 3, stable: 1, batches: []craft{{base: 0, deltas: []int32{0}}, {base: 1, deltas: []int32{0}, attributes: transactional, producer: 1}, marker(2, 1, 1)}}
	c, _ := connect(t, p.serve(t), nil)
	r := open(t, c, kafka.Earliest)
	var all []kafka.Message
	for range 20 {
		var err error
		if all, err = r.Read(t.Context(), all, 5*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, offsets(all), 0)
	if r.Offset() != 1 || r.Stats().Gaps != 0 {
		t.Errorf("next offset %d, gaps %d, want 1 and 0", r.Offset(), r.Stats().Gaps)
	}
	p.mu.Lock()
	p.stable = 0
	p.mu.Unlock()
	expect(t, offsets(drain(t, r)), 1)
}

func TestABatchOfAFewKBThatUnpacksTo512MiBCostsOneFaultAndBoundedMemory(t *testing.T) {
	// A frame of 4,096 blocks, each 128 KiB of one byte; the last has the lowest bit (RFC 8878 section 3.1.1).
	packed := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58}
	for i := range 4096 {
		head := uint32(128<<10)<<3 | 1<<1
		if i == 4095 {
			head |= 1
		}
		packed = append(packed, byte(head), byte(head>>8), byte(head>>16), 0)
	}
	p := &partition{high: 8, batches: []craft{
		{base: 0, deltas: []int32{0}},
		{base: 1, delta: 4, body: packed, count: 5, attributes: 4},
		{base: 6, delta: 1, deltas: []int32{0, 1}},
	}}
	c, _ := connect(t, p.serve(t), nil)
	r := open(t, c, kafka.Earliest)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	all := drain(t, r)
	runtime.ReadMemStats(&after)
	expect(t, offsets(all), 0, 1, 6, 7)
	if f := all[1].Fault; f == nil || f.Code != "kafka_oversize" || f.Last != 5 {
		t.Errorf("fault %+v, want kafka_oversize up to 5", f)
	}
	spent := (after.TotalAlloc - before.TotalAlloc) >> 20
	t.Logf("%d bytes packed, %d MiB allocated", len(packed), spent)
	if spent > 4*64 {
		t.Errorf("%d MiB allocated for a bound of 64 MiB", spent)
	}
}

func zeros(t *testing.T, to io.WriteCloser, mib int) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for range mib {
		if _, err := to.Write(buf); err != nil {
			t.Fatal(err)
		}
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestEveryCodecIsBounded(t *testing.T) {
	const mib = 20
	var gz, lz, sn, zs bytes.Buffer
	zeros(t, gzip.NewWriter(&gz), mib)
	zeros(t, lz4.NewWriter(&lz), mib)
	block := s2.EncodeSnappy(nil, make([]byte, 1<<20))
	sn.WriteString("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01")
	for range mib {
		sn.Write(binary.BigEndian.AppendUint32(nil, uint32(len(block))))
		sn.Write(block)
	}
	enc, err := zstd.NewWriter(&zs)
	if err != nil {
		t.Fatal(err)
	}
	zeros(t, enc, mib)
	sized := enc.EncodeAll(make([]byte, mib<<20), nil)
	p := &partition{high: 7}
	for i, packed := range [][]byte{nil, gz.Bytes(), sn.Bytes(), lz.Bytes(), zs.Bytes(), sized, s2.EncodeSnappy(nil, make([]byte, mib<<20))} {
		codec := []int16{0, 1, 2, 3, 4, 4, 2}[i]
		p.batches = append(p.batches, craft{base: int64(i), body: packed, count: 1, attributes: codec})
	}
	p.batches[0] = craft{deltas: []int32{0}}
	c, _ := connect(t, p.serve(t), func(cfg *kafka.Config) { cfg.MaxBatch = 16 << 20 })
	all := drain(t, open(t, c, kafka.Earliest))
	expect(t, offsets(all), 0, 1, 2, 3, 4, 5, 6)
	for _, m := range all[1:] {
		if m.Fault == nil || m.Fault.Code != "kafka_oversize" {
			t.Errorf("offset %d: fault %+v, want kafka_oversize", m.Offset, m.Fault)
		}
	}
}

func TestADamagedBatchIsFetchedAgainAndThenOneFault(t *testing.T) {
	for name, bad := range map[string]craft{
		"kafka_crc":    {base: 2, delta: 2, deltas: []int32{0, 1, 2}, badCRC: true},
		"kafka_codec":  {base: 2, delta: 2, body: []byte("no lz4 at all, whatever it says"), count: 3, attributes: 3},
		"kafka_batch":  {base: 2, delta: 2, body: []byte{1, 2, 3}, count: 1 << 30},
		"kafka_record": {base: 2, delta: 2, body: []byte{0x7e, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21}, count: 3},
	} {
		t.Run(name, func(t *testing.T) {
			p := &partition{high: 6, batches: []craft{{base: 0, delta: 1, deltas: []int32{0, 1}}, bad, {base: 5, deltas: []int32{0}}}}
			c, _ := connect(t, p.serve(t), nil)
			r := open(t, c, kafka.Earliest)
			all := drain(t, r)
			expect(t, offsets(all), 0, 1, 2, 5)
			if f := all[2].Fault; f == nil || f.Code != name || f.Last != 4 {
				t.Fatalf("fault %+v, want %s up to 4", f, name)
			}
			if len(all[2].Value) == 0 {
				t.Error("the fault comes without the bytes")
			}
			if s := r.Stats(); s.Faults != 1 || (s.Rereads == 1) != (name == "kafka_crc") {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestABatchDamagedOnTheWayOnlyIsReadWhole(t *testing.T) {
	p := &partition{high: 3, batches: []craft{{base: 0, delta: 2, deltas: []int32{0, 1, 2}, badCRC: true}}}
	p.mute = func(int64) bool {
		p.batches[0].badCRC = p.fetches == 1
		return false
	}
	got, r := p.read(t)
	expect(t, got, 0, 1, 2)
	if s := r.Stats(); s.Faults != 0 || s.Rereads != 1 {
		t.Errorf("faults %d, rereads %d, want 0 and 1", s.Faults, s.Rereads)
	}
}

func TestABatchLargerThanTheBoundAsItComesIsOneFault(t *testing.T) {
	p := &partition{high: 5, alone: true, batches: []craft{
		{base: 0, deltas: []int32{0}}, {base: 1, delta: 2, deltas: []int32{0, 1, 2}, value: strings.Repeat("x", 7<<20)}, {base: 4, deltas: []int32{0}},
	}}
	c, _ := connect(t, p.serve(t), func(cfg *kafka.Config) { cfg.MaxBatch = 16 << 20 })
	all := drain(t, open(t, c, kafka.Earliest))
	expect(t, offsets(all), 0, 1, 4)
	if f := all[1].Fault; f == nil || f.Code != "kafka_oversize" || f.Last != 3 || len(all[1].Value) != 1<<20 {
		t.Errorf("fault %+v with %d bytes, want kafka_oversize up to 3 with 1 MiB", f, len(all[1].Value))
	}
}

func TestManyTinyRecordsComeInBoundedPieces(t *testing.T) {
	const n = 100_000
	b := craft{delta: n - 1, count: n}
	for i := range int32(n) {
		b.body = record(b.body, i, nil, nil)
	}
	p := &partition{high: n, batches: []craft{b}}
	c, _ := connect(t, p.serve(t), nil)
	r := open(t, c, kafka.Earliest)
	var seen []int64
	for r.Offset() < n {
		got, err := r.Read(t.Context(), nil, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) > 16<<10 {
			t.Fatalf("%d messages of one Read", len(got))
		}
		seen = append(seen, offsets(got)...)
	}
	if len(seen) != n || !slices.IsSorted(seen) {
		t.Errorf("%d messages, want %d in order", len(seen), n)
	}
	if n := p.fetched(); n > 4 {
		t.Errorf("%d fetches of one batch", n)
	}
}

func TestATombstoneIsNilAndAnEmptyValueIsNot(t *testing.T) {
	body := record(record(nil, 0, []byte("k"), nil), 1, nil, []byte{})
	p := &partition{high: 2, batches: []craft{{delta: 1, body: body, count: 2}}}
	c, _ := connect(t, p.serve(t), nil)
	all := drain(t, open(t, c, kafka.Earliest))
	if all[0].Value != nil || string(all[0].Key) != "k" {
		t.Errorf("tombstone %+v", all[0])
	}
	if all[1].Value == nil || all[1].Key != nil {
		t.Errorf("empty value %+v", all[1])
	}
	if all[1].Time != 1_700_000_000_001_000 {
		t.Errorf("time %d", all[1].Time)
	}
}

func TestAppendTimeStandsForAllRecordsOfTheBatch(t *testing.T) {
	p := &partition{high: 2, batches: []craft{{delta: 1, deltas: []int32{0, 1}, attributes: 0x08, maxTime: 1_800_000_000_000}}}
	c, _ := connect(t, p.serve(t), nil)
	for _, m := range drain(t, open(t, c, kafka.Earliest)) {
		if m.Time != 1_800_000_000_000_000 {
			t.Errorf("time %d", m.Time)
		}
	}
}
