package broker_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tocsin-siem/tocsin/integration/broker"
)

func TestTheJavaProducersRecordsArriveByteForByte(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("records", 1, nil)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	records := []broker.Record{
		{Key: []byte("robot-1"), Value: []byte(`{"mode":"AUTOMATIC"}`)},
		{Key: every, Value: bytes.Repeat(every, 40)},
		{Value: []byte("no key")},
		{Key: []byte{}, Value: []byte{}},
		{Key: []byte("tombstone")},
		{Value: []byte("headers"), Headers: []broker.Header{{Name: "a", Value: []byte("1")}, {Name: "a", Value: every}, {Name: "", Value: []byte{}}, {Name: "ü", Value: []byte("\t\n")}}},
		{Value: []byte("a header without a value"), Headers: []broker.Header{{Name: "null"}}},
	}
	p := b.Producer("records", nil, nil)
	p.Time(1_700_000_000_123)
	p.Send(records...)
	acks := p.Close()
	got := read(t, b, "records", int64(len(records)), 0)
	if len(got) != len(records) {
		t.Fatalf("%d of %d records arrived", len(got), len(records))
	}
	for i, r := range records {
		if acks[i].Offset != int64(i) || got[i].Offset != int64(i) || got[i].Timestamp.UnixMilli() != 1_700_000_000_123 {
			t.Errorf("record %d: acknowledged at %d, read at %d with time %v", i, acks[i].Offset, got[i].Offset, got[i].Timestamp)
		}
		headers := make([]broker.Header, 0)
		for _, h := range got[i].Headers {
			headers = append(headers, broker.Header{Name: h.Key, Value: h.Value})
		}
		same := broker.Record{Key: got[i].Key, Value: got[i].Value, Headers: headers}
		if diff := cmp.Diff(r, same, cmp.Transformer("bytes", func(b []byte) string { return fmt.Sprintf("%q, null: %v", b, b == nil) }), cmp.Transformer("headers", text)); diff != "" {
			t.Errorf("record %d (-sent +read):\n%s", i, diff)
		}
	}
}

// text is headers for a comparison that does not tell an empty list from none.
func text(headers []broker.Header) string {
	var out strings.Builder
	for _, h := range headers {
		fmt.Fprintf(&out, "%q=%q, null: %v; ", h.Name, h.Value, h.Value == nil)
	}
	return out.String()
}

func TestTheJavaProducerEncodesAvro(t *testing.T) {
	const schema = `{"type":"record","name":"State","fields":[{"name":"robot","type":"string"},{"name":"load","type":["null","double"]},{"name":"codes","type":{"type":"array","items":"long"}}]}`
	b := broker.Start(t)
	b.CreateTopic("records", 1, nil)
	p := b.Producer("records", nil, &broker.Schema{Encoding: "avro", Text: schema, ID: 0x01020304})
	p.Send(broker.Record{Value: []byte(`{"robot":"r-7","load":{"double":2.5},"codes":[1,-300]}`)},
		broker.Record{Value: []byte("poison"), Raw: true}, broker.Record{})
	p.Close()
	got := read(t, b, "records", 3, 0)
	if string(got[1].Value) != "poison" || got[2].Value != nil {
		t.Errorf("the raw record is %q, the tombstone %q", got[1].Value, got[2].Value)
	}
	if head := got[0].Value[:5]; !bytes.Equal(head, []byte{0, 1, 2, 3, 4}) {
		t.Fatalf("the frame begins % x", head)
	}
	var state struct {
		Robot string   `avro:"robot"`
		Load  *float64 `avro:"load"`
		Codes []int64  `avro:"codes"`
	}
	parsed, err := avro.Parse(schema)
	if err != nil {
		t.Fatal(err)
	}
	if rest, err := parsed.Decode(got[0].Value[5:], &state); err != nil || len(rest) != 0 {
		t.Fatalf("decode: %v, %d bytes left", err, len(rest))
	}
	if state.Robot != "r-7" || state.Load == nil || *state.Load != 2.5 || fmt.Sprint(state.Codes) != "[1 -300]" {
		t.Errorf("decoded %+v", state)
	}
}

// protobufSchema has the message of interest second in the file, and nested, so that the path in the frame is not the short one.
const protobufSchema = `name: "state.proto" package: "floor" syntax: "proto3"
message_type { name: "Ping" }
message_type {
  name: "Robot"
  nested_type {
    name: "State"
    field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "name" }
    field { name: "code" number: 2 type: TYPE_SINT64 label: LABEL_OPTIONAL json_name: "code" }
  }
  nested_type { name: "Other" }
}`

func TestTheJavaProducerEncodesProtobuf(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("records", 1, nil)
	var state []byte
	state = protowire.AppendString(protowire.AppendTag(state, 1, protowire.BytesType), "r-7")
	state = protowire.AppendVarint(protowire.AppendTag(state, 2, protowire.VarintType), protowire.EncodeZigZag(-300))
	cases := []struct {
		message, value string
		want           []byte
	}{
		{"floor.Ping", "", []byte{0, 0, 0, 0, 9, 0}},
		{"floor.Robot", "", []byte{0, 0, 0, 0, 9, 2, 2}},
		{"floor.Robot.State", `name: "r-7" code: -300`, append([]byte{0, 0, 0, 0, 9, 4, 2, 0}, state...)},
	}
	for _, c := range cases {
		p := b.Producer("records", nil, &broker.Schema{Encoding: "protobuf", Text: protobufSchema, ID: 9, Message: c.message})
		p.Send(broker.Record{Value: []byte(c.value)})
		acks := p.Close()
		got := read(t, b, "records", acks[0].Offset+1, 0)[acks[0].Offset].Value
		if !bytes.Equal(got, c.want) {
			t.Errorf("%s: got % x, want % x", c.message, got, c.want)
		}
	}
}

func TestTheJavaProducerSendsOnOverAKillOfTheBroker(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("records", 1, nil)
	p := b.Producer("records", nil, nil)
	for i := range 4000 {
		if i == 2000 {
			p.Flush()
			b.Kill()
		}
		p.Send(broker.Record{Value: fmt.Append(nil, i)})
	}
	b.Restart()
	acks := p.Close()
	var sent, got strings.Builder
	for _, a := range acks {
		fmt.Fprintf(&sent, "%d=%d ", a.Offset, a.Index)
	}
	for _, m := range read(t, b, "records", 4000, 0) {
		fmt.Fprintf(&got, "%d=%s ", m.Offset, m.Value)
	}
	if diff := cmp.Diff(sent.String(), got.String()); diff != "" {
		t.Errorf("acknowledged and read differ (-acknowledged +read):\n%s", diff)
	}
}

func TestBatchesOnDiskAreRead(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("records", 1, nil)
	p := b.Producer("records", map[string]string{"transactional.id": "one", "compression.type": "zstd", "linger.ms": "60000"}, nil) // Both go into one batch.
	p.Begin()
	p.Send(broker.Record{Value: []byte(strings.Repeat("a", 1000))}, broker.Record{Value: []byte(strings.Repeat("b", 1000))})
	p.Flush()
	p.Abort()
	p.Close()
	want := []broker.Batch{
		{First: 0, Last: 1, Records: 2, Compression: 4, Transactional: true},
		{First: 2, Last: 2, Records: 1, Transactional: true, Control: true},
	}
	if diff := cmp.Diff(want, b.Batches("records", 0)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
