package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/registry"
)

// A record of about 1 KB on the wire: 20 texts of 40 bytes, 10 numbers, a list of 5 small records.
func benchAvro(b *testing.B) (schema string, payload []byte) {
	var fields []string
	value := map[string]any{}
	for i := range 20 {
		fields = append(fields, fmt.Sprintf(`{"name":"text_%d","type":["null","string"]}`, i))
		value[fmt.Sprintf("text_%d", i)] = strings.Repeat("a value ", 5)
	}
	for i := range 10 {
		fields = append(fields, fmt.Sprintf(`{"name":"number_%d","type":"long"}`, i))
		value[fmt.Sprintf("number_%d", i)] = int64(i) << 40
	}
	fields = append(fields, `{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}`,
		`{"name":"peers","type":{"type":"array","items":{"type":"record","name":"Peer","fields":[{"name":"ip","type":"string"},{"name":"port","type":"int"}]}}}`)
	value["at"] = int64(1795226584567)
	var peers []any
	for range 5 {
		peers = append(peers, map[string]any{"ip": "203.0.113.77", "port": int32(443)})
	}
	value["peers"] = peers
	schema = `{"type":"record","name":"R","fields":[` + strings.Join(fields, ",") + `]}`
	return schema, mustEncode(b, schema, value)
}

func transcodeLoop(b *testing.B, tr *registry.Transcoder, id uint32, wire []byte) {
	prepare(b, tr, id)
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		rec := event.Record{Value: wire}
		if err := tr.Transcode(&rec); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAvro(b *testing.B) {
	schema, payload := benchAvro(b)
	transcodeLoop(b, avroTranscoder(b, schema), 1, framed(1, payload...))
}

// BenchmarkAvroLibrary is decoding alone, into values of Go; the JSON is still to be made of them.
func BenchmarkAvroLibrary(b *testing.B) {
	schema, payload := benchAvro(b)
	s := avro.MustParse(schema)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		var v any
		if _, err := s.Decode(payload, &v); err != nil {
			b.Fatal(err)
		}
	}
}

func benchProto() (text, value string) {
	var t, v strings.Builder
	t.WriteString("syntax = \"proto3\";\nimport \"google/protobuf/timestamp.proto\";\nmessage Peer { string ip = 1; int32 port = 2; }\nmessage R {\n")
	for i := range 20 {
		fmt.Fprintf(&t, "string text_%d = %d;\n", i, i+1)
		fmt.Fprintf(&v, "text_%d: %q\n", i, strings.Repeat("a value ", 5))
	}
	for i := range 10 {
		fmt.Fprintf(&t, "int64 number_%d = %d;\n", i, i+21)
		fmt.Fprintf(&v, "number_%d: %d\n", i, int64(i)<<40)
	}
	t.WriteString("google.protobuf.Timestamp at = 31; repeated Peer peers = 32; }\n")
	v.WriteString("at { seconds: 1795226584 nanos: 567000000 }\n" + strings.Repeat("peers { ip: \"203.0.113.77\" port: 443 }\n", 5))
	return t.String(), v.String()
}

func compileText(b *testing.B, text string) protoreflect.MessageType {
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
		Accessor: protocompile.SourceAccessorFromMap(map[string]string{"r.proto": text}),
	})}
	files, err := c.Compile(b.Context(), "r.proto")
	if err != nil {
		b.Fatal(err)
	}
	return dynamicpb.NewMessageType(files[0].Messages().ByName("R"))
}

func BenchmarkProtobuf(b *testing.B) {
	text, value := benchProto()
	reg := fake(b)
	reg.SeedSchema("r", 1, 1, sr.Schema{Type: sr.TypeProtobuf, Schema: text})
	payload := wireOf(b, compileText(b, text).Descriptor(), value)
	transcodeLoop(b, transcoder(b, client(b, reg.URL()), "protobuf"), 1, framed(1, append([]byte{2, 2}, payload...)...))
}

// BenchmarkProtobufLibrary is decoding alone, into a dynamic message; the JSON is still to be made of it.
func BenchmarkProtobufLibrary(b *testing.B) {
	text, value := benchProto()
	typ := compileText(b, text)
	payload := wireOf(b, typ.Descriptor(), value)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if err := proto.Unmarshal(payload, typ.New().Interface()); err != nil {
			b.Fatal(err)
		}
	}
}
