package registry_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/tocsin-siem/tocsin/ingest/registry"
)

// avroSample is a value of testdata/everything.avsc.
func avroSample(parent any) map[string]any {
	at := time.Date(2026, 11, 21, 2, 3, 4, 567_890_123, time.UTC)
	return map[string]any{
		"flag": true, "small": int32(math.MinInt32), "big": int64(math.MaxInt64), "float": float32(0.1), "double": 1e-300, "text": "Tür \"3\"\n",
		"raw": []byte{0, 0xff, 0x7f}, "fixed": []byte{1, 2, 3, 4}, "level": "HIGH", "again": "LOW", "list": []int64{1, -1, 1 << 60},
		"labels": map[string]any{"line": "A7"}, "maybe": map[string]any{"ip": "10.0.0.7", "port": int32(8443)}, "peer": nil, "parent": parent,
		"day": at, "clock_ms": 13*time.Hour + time.Millisecond, "clock_us": time.Microsecond, "at_ms": at, "at_us": at, "at_ns": at,
		"here_ms": at, "here_us": at, "epoch_ms": at.UnixMilli(), "price": big.NewRat(-1250, 100), "weight": big.NewRat(5, 10_000),
		"ratio": big.NewRat(31_415, 10_000), "id": "6f1f1b1e-0000-4000-8000-000000000001", "key": [16]byte{0xde, 0xad, 15: 1},
		"lease": avro.Duration{Months: 1, Days: 2, Milliseconds: 3}, "empty": map[string]any{},
	}
}

// avroTranscoder knows the schemas by id, from 1.
func avroTranscoder(t testing.TB, schemas ...string) *registry.Transcoder {
	t.Helper()
	reg := fake(t)
	for i, s := range schemas {
		reg.SeedSchema("s", i+1, i+1, sr.Schema{Schema: s})
	}
	return transcoder(t, client(t, reg.URL()), "avro")
}

func TestEveryAvroTypeHasItsNotation(t *testing.T) {
	schema := testFile(t, "everything.avsc")
	tr := avroTranscoder(t, schema)
	rec, err := run(t, tr, framed(1, mustEncode(t, schema, avroSample(avroSample(nil)))...))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "everything.avro.json", append(bytes.ReplaceAll(rec.Value, []byte(`,"`), []byte(",\n\"")), '\n'))
}

func TestValuesBeyondANotationStayNumbers(t *testing.T) {
	for _, c := range []struct {
		schema string
		value  any
		want   string
	}{
		{`{"type":"long","logicalType":"timestamp-millis"}`, int64(math.MaxInt64), "9223372036854775807"},
		{`{"type":"long","logicalType":"timestamp-micros"}`, int64(-1), `"1969-12-31T23:59:59.999999Z"`},
		{`{"type":"int","logicalType":"date"}`, int32(math.MaxInt32), "2147483647"},
		{`{"type":"int","logicalType":"time-millis"}`, int32(86_400_000), "86400000"},
		{`{"type":"string","logicalType":"timestamp-millis"}`, "x", "x"},
		{`{"type":"long","logicalType":"some-day"}`, int64(5), "5"},
		{`"double"`, math.NaN(), "null"},
		{`"float"`, math.Inf(-1), "null"},
		{`"double"`, 1e21, "1e+21"},
	} {
		rec, err := run(t, avroTranscoder(t, c.schema), framed(1, mustEncode(t, strings.Replace(c.schema, "logicalType", "x", 1), c.value)...))
		if err != nil || string(rec.Value) != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.schema, rec.Value, err, c.want)
		}
	}
}

func TestDecimalsAreExactText(t *testing.T) {
	for _, c := range []struct {
		scale    int
		unscaled []byte
		want     string
	}{
		{0, []byte{0}, "0"},
		{2, []byte{0}, "0.00"},
		{2, []byte{0x80}, "-1.28"},
		{3, []byte{0xff}, "-0.001"},
		{1, []byte{0x0f}, "1.5"},
		{0, bytes.Repeat([]byte{0x7f}, 20), "727885129180488904360266563744972327436484050815"},
		{10, append([]byte{0}, bytes.Repeat([]byte{0xff}, 8)...), "1844674407.3709551615"},
	} {
		schema := `{"type":"bytes","logicalType":"decimal","precision":200,"scale":` + big.NewInt(int64(c.scale)).String() + `}`
		wire := framed(1, append([]byte{byte(2 * len(c.unscaled))}, c.unscaled...)...)
		rec, err := run(t, avroTranscoder(t, schema), wire)
		if err != nil || string(rec.Value) != `"`+c.want+`"` {
			t.Errorf("%x scale %d: got %s, %v, want %s", c.unscaled, c.scale, rec.Value, err, c.want)
		}
	}
}

func TestARecordThatIsTextIsTheTextItself(t *testing.T) {
	tr := avroTranscoder(t, `"string"`, `"bytes"`)
	for id := range uint32(2) {
		rec, err := run(t, tr, framed(id+1, []byte("\x0a<13>x")...))
		if err != nil || string(rec.Value) != "<13>x" {
			t.Errorf("got %q, %v", rec.Value, err)
		}
	}
}

func TestAvroPoisonIsRejectedWithFieldAndOffset(t *testing.T) {
	const list = `{"type":"record","name":"R","fields":[{"name":"head","type":"long"},{"name":"peer","type":{"type":"record","name":"P","fields":[
		{"name":"ips","type":{"type":"array","items":"string"}},{"name":"tags","type":{"type":"map","values":"int"}}]}}]}`
	const nulls = `{"type":"array","items":"null"}`
	const endless = `{"type":"record","name":"E","fields":[{"name":"e","type":{"type":"array","items":"E"}}]}`
	tr := avroTranscoder(t, list, nulls, endless, `"boolean"`, `{"type":"enum","name":"E","symbols":["A"]}`, `["null","long"]`, `"int"`)
	huge := binary.AppendVarint(nil, 1<<40)
	for _, c := range []struct {
		id      uint32
		payload []byte
		words   string
	}{
		{1, []byte{2}, "field peer.ips, byte 6: the record ends inside a number"},
		{1, []byte{2, 4, 2, 'a', 200, 1, 'b'}, "field peer.ips[1], byte 9: a string of 100 bytes, but 1 are left"},
		{1, []byte{2, 0, 2, 2, 'k'}, `field peer.tags["k"], byte 10: the record ends`},
		{1, []byte{2, 0, 0, 9}, "byte 8: 1 bytes are left over"},
		{1, append([]byte{2}, huge...), "a block of 1099511627776 items, but 0 bytes are left"},
		{2, huge, "a block of 1099511627776 items"},
		{2, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, "the record ends"},
		{2, []byte{1, 0x80}, "ends inside a number"},
		{2, bytes.Repeat([]byte{0xff}, 12), "more than 64 bits"},
		{2, []byte{1, 200, 1}, "a block of 100 bytes, but 0 are left"},
		{3, bytes.Repeat([]byte{2}, 200), "more than 64 levels deep"},
		{4, []byte{2}, "2 is no boolean"},
		{5, []byte{2}, "1 is no symbol of an enum of 1"},
		{6, []byte{1}, "-1 is no branch of a union of 2"},
		{7, binary.AppendVarint(nil, 1<<31), "2147483648 does not fit an int"},
	} {
		_, err := run(t, tr, framed(c.id, c.payload...))
		wantReject(t, err, "avro_decode", c.words)
	}
}

func TestAHostileAvroRecordCannotGrowWithoutBound(t *testing.T) {
	// Each inner array takes four bytes and says it has 4,000 items of no bytes, each of which is a long text of field names.
	fields := make([]string, 100)
	for i := range fields {
		fields[i] = `{"name":"` + strings.Repeat("n", 100) + string(rune('a'+i/26)) + string(rune('a'+i%26)) + `","type":"null"}`
	}
	schema := `{"type":"array","items":{"type":"array","items":{"type":"record","name":"R","fields":[` + strings.Join(fields, ",") + `]}}}`
	tr := avroTranscoder(t, schema)
	inner := append(binary.AppendVarint(nil, 4000), 0)
	payload := append(binary.AppendVarint(nil, 100_000), bytes.Repeat(inner, 100_000)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := run(t, tr, framed(1, append(payload, 0)...))
	runtime.ReadMemStats(&after)
	wantReject(t, err, "avro_decode", "more than 16777216 bytes of JSON")
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 200<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
}
