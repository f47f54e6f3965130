package registry_test

import (
	"bytes"
	"context"
	"runtime"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/tocsin-siem/tocsin/ingest/registry"
)

// protoSample is a message of testdata/everything.proto.
const protoSample = `flag: true small: -5 big: 9223372036854775807 huge: 18446744073709551615 signed: -9223372036854775808 f32: 4294967295 sf64: -1 single: 0.1
double: nan text_value: "Tür \"3\"" raw: "\x00\xff" level: HIGH packed: [1, -1] spread: [2, 3] names: ["a", ""] counts { key: "b" value: 2 } counts { key: "a" value: 1 }
by_number { key: -3 value { label: "x" } } inner { deep { depth: -7 } } tree { label: "t" } maybe: 0 peer { ip: "10.0.0.7" port: 0 }
at { seconds: 1795226584 nanos: 567890000 } took { seconds: -1 nanos: -500000000 } wrapped { } levels: [LOW, LEVEL_UNKNOWN] offset: -9
more { fields { key: "k" value { list_value { values { null_value: NULL_VALUE } values { number_value: 1.5 } values { struct_value { } } values { bool_value: false } } } } }
mask { paths: "a.b" paths: "c" } any { type_url: "t/x" value: "\x01" } price { value: "\x04\xd2" precision: 4 scale: 2 }
parent { word: "up" at { seconds: 1 nanos: 1 } level: 77 }`

// protoFiles are the texts that everything.proto needs beside the compiler's own.
func everything(t testing.TB) protoreflect.FileDescriptor {
	t.Helper()
	texts := map[string]string{"everything.proto": testFile(t, "everything.proto"), "plant/peer.proto": testFile(t, "peer.proto")}
	for name, text := range registry.BundledProtos {
		texts[name] = text
	}
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(texts)})}
	files, err := c.Compile(context.Background(), "everything.proto")
	if err != nil {
		t.Fatal(err)
	}
	return files[0]
}

func protoTranscoder(t testing.TB) *registry.Transcoder {
	t.Helper()
	reg := fake(t)
	reg.SeedSchema("plant/peer.proto", 1, 1, sr.Schema{Type: sr.TypeProtobuf, Schema: testFile(t, "peer.proto")})
	reg.SeedSchema("everything", 1, 2, sr.Schema{
		Type: sr.TypeProtobuf, Schema: testFile(t, "everything.proto"),
		References: []sr.SchemaReference{{Name: "plant/peer.proto", Subject: "plant/peer.proto", Version: 1}},
	})
	return transcoder(t, client(t, reg.URL()), "protobuf")
}

// wireOf is text as a message of type d.
func wireOf(t testing.TB, d protoreflect.MessageDescriptor, text string) []byte {
	t.Helper()
	m := dynamicpb.NewMessage(d)
	if err := prototext.Unmarshal([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// second is the message index of Everything, the second message of its file.
func second(payload []byte) []byte { return framed(2, append([]byte{2, 2}, payload...)...) }

func TestEveryProtobufTypeHasItsNotation(t *testing.T) {
	wire := wireOf(t, everything(t).Messages().ByName("Everything"), protoSample)
	rec, err := run(t, protoTranscoder(t), second(wire))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "everything.proto.json", append(bytes.ReplaceAll(rec.Value, []byte(`,"`), []byte(",\n\"")), '\n'))
}

func TestTheMessageIndexChoosesTheMessage(t *testing.T) {
	tr := protoTranscoder(t)
	for _, c := range []struct {
		id    uint32
		index []byte
		body  []byte
		want  string
	}{
		{2, []byte{0}, []byte{10, 1, 'o'}, `{"name":"o"}`},
		{2, []byte{2, 0}, []byte{10, 1, 'o'}, `{"name":"o"}`},
		{2, []byte{4, 2, 0}, []byte{10, 1, 'i'}, `{"label":"i"}`},
		{2, []byte{6, 2, 0, 0}, []byte{8, 3}, `{"depth":-2}`}, // Deep comes after a map, whose entry is no message of its own.
		{1, []byte{0}, nil, `{"port":0}`},
	} {
		rec, err := run(t, tr, framed(c.id, append(c.index, c.body...)...))
		if err != nil || string(rec.Value) != c.want {
			t.Errorf("%v: got %s, %v, want %s", c.index, rec.Value, err, c.want)
		}
	}
	for _, index := range [][]byte{nil, {1}, {2}, {2, 4}, {4, 2, 2}, {200, 200}, {2, 0x80}} {
		_, err := run(t, tr, framed(2, index...))
		wantReject(t, err, "registry_frame", "index")
	}
}

func TestWhatIsSentTwiceCountsAsProtobufSays(t *testing.T) {
	tr := protoTranscoder(t)
	var b []byte
	varint := func(n protowire.Number, v uint64) {
		b = protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
	}
	text := func(n protowire.Number, v string) {
		b = protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), v)
	}
	text(18, "\x0a\x01a")             // inner.label
	varint(2, 1)                      // small
	text(13, "\x01\x02")              // packed
	varint(13, 3)                     // the same, one by one
	text(16, "\x0a\x01k\x10\x01")     // counts[k] = 1
	text(16, "\x10\x02\x0a\x01k")     // counts[k] = 2, value first
	text(16, "")                      // counts[""] = 0
	text(19, "w")                     // choice
	text(21, "\x0a\x01x")             // choice: tree
	varint(20, 4)                     // choice: number
	text(21, "\x12\x02\x08\x02")      // choice: tree again, anew
	text(18, "\x12\x02\x08\x01")      // inner.deep
	varint(2, 2)                      // small again
	text(2, "wrong wire type")        // unknown
	varint(999, 1)                    // unknown
	rec, err := run(t, tr, second(b)) // Implicit fields are written in between.
	if err != nil {
		t.Fatal(err)
	}
	want := `{"flag":false,"small":2,"big":0,"huge":0,"signed":0,"f32":0,"sf64":0,"single":0,"double":0,"level":"LEVEL_UNKNOWN",` +
		`"packed":[1,2,3],"counts":{"":0,"k":2},"inner":{"label":"a","deep":{"depth":-1}},"tree":{"deep":{"depth":1}},"offset":0}`
	if string(rec.Value) != want {
		t.Errorf("got  %s\nwant %s", rec.Value, want)
	}
	if tr.Unknown() != 1 {
		t.Errorf("%d records with unknown fields", tr.Unknown())
	}
}

func TestProtobufPoisonIsRejectedWithFieldAndOffset(t *testing.T) {
	tr := protoTranscoder(t)
	nested := []byte{}
	for range 100 {
		nested = protowire.AppendBytes(protowire.AppendTag(nil, 31, protowire.BytesType), nested)
	}
	for _, c := range []struct {
		payload []byte
		words   string
	}{
		{[]byte{0x52, 9, 'x'}, "byte 7: field 10: the record ends inside it"},
		{[]byte{0x92, 0x01, 2, 0x0a, 9}, "field inner, byte 10: field 1: the record ends inside it"},
		{[]byte{0x6a, 2, 1, 0x80}, "field packed[1], byte 10: no number: the record ends inside it"},
		{[]byte{0x8a, 0x01, 6, 8, 5, 0x12, 2, 0x0a, 7}, `field by_number["5"], byte 14: field 1`},
		{[]byte{0x0c}, "field 1: mismatching end group marker"},
		{[]byte{0}, "no field begins here"},
		{[]byte{0x80, 0xff, 0xff, 0xff, 0x30, 0}, "byte 7: no field has the number 1644167152"},
		{nested, "field parent.parent.parent"},
		{bytes.Repeat([]byte{0x7b}, 20_000), "field 15"}, // Groups in groups.
	} {
		_, err := run(t, tr, second(c.payload))
		wantReject(t, err, "protobuf_decode", "schema 2, message plant.log.Everything, ", c.words)
	}
}

func TestAHostileProtobufRecordCannotGrowWithoutBound(t *testing.T) {
	tr := protoTranscoder(t)
	for _, tag := range [][]byte{{0xfa, 0x01, 0}, {0xd2, 0x01, 0}, {0x7a, 0}, {0x8a, 0x01, 0}} { // parent, wrapped, names, by_number: all empty
		payload := bytes.Repeat(tag, 1<<20/len(tag))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := run(t, tr, second(payload))
		runtime.ReadMemStats(&after)
		if err != nil {
			wantReject(t, err, "protobuf_decode", "more than")
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 100<<20 {
			t.Errorf("%x: %d bytes were allocated", tag, grown)
		}
	}
}
