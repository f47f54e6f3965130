package registry_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/avro"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
	"github.com/tocsin-siem/tocsin/ingest/registry"
)

// FuzzAvro holds the walk against the library: what one decodes the other decodes to the same, what one refuses the other refuses, but for the
// stated differences.
func FuzzAvro(f *testing.F) {
	schema := strings.ReplaceAll(testFile(f, "everything.avsc"), `"logicalType"`, `"meaning"`) // What the library makes of these is not JSON.
	oracle, err := avro.Parse(schema)
	if err != nil {
		f.Fatal(err)
	}
	tr := avroTranscoder(f, schema)
	prepare(f, tr, 1)
	sample := mustEncode(f, testFile(f, "everything.avsc"), avroSample(avroSample(nil)))
	f.Add(sample)
	f.Add(sample[:len(sample)/2])
	f.Add([]byte{2, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, payload []byte) {
		rec := event.Record{Value: framed(1, payload...)}
		got := tr.Transcode(&rec)
		var want any
		rest, err := oracle.Decode(payload, &want)
		if got != nil {
			if err == nil && len(rest) == 0 && !saysAny(got, "is no boolean", "levels deep", "bytes of JSON") {
				t.Fatalf("%v, but the library decodes it", got)
			}
			return
		}
		if err != nil || len(rest) > 0 {
			t.Fatalf("the library says %v with %d bytes left, we made %s", err, len(rest), rec.Value)
		}
		sameAvro(t, "", decodeJSON(t, rec.Value), want)
	})
}

// FuzzProtobuf holds the walk against dynamicpb in the same way.
func FuzzProtobuf(f *testing.F) {
	d := everything(f).Messages().ByName("Everything")
	tr := protoTranscoder(f)
	prepare(f, tr, 2)
	sample := wireOf(f, d, protoSample)
	f.Add(sample)
	f.Add(append(sample, sample...))
	f.Add([]byte("\x82\x01\x05\n\x010\b0"))                                    // A map's key again, encoded otherwise: version 1.36.12 of the library panics.
	f.Add([]byte("\xc2\x01\x060\xd0\xa0\xe500\xc2\x01\x0402\x010"))            // Two parts of a message, each cut, good when joined.
	f.Add([]byte("\x8a\x01\t\x08\x01\x12\x05000\x12\x01\x8a\x01\x02\x08\x01")) // A map's key twice, the first with a broken value.
	f.Add(sample[:len(sample)/2])
	f.Fuzz(func(t *testing.T, payload []byte) {
		rec := event.Record{Value: second(payload)}
		got := tr.Transcode(&rec)
		m := dynamicpb.NewMessage(d)
		err := unmarshal(payload, m)
		if err != nil && (strings.Contains(err.Error(), "invalid UTF-8") || errors.Is(err, errPanicked)) {
			return // Ours replaces it; and does not panic.
		}
		if got != nil {
			if err == nil && !saysAny(got, "levels deep", "bytes of JSON") {
				t.Fatalf("%v, but the library decodes it", got)
			}
			return
		}
		if err != nil {
			t.Fatalf("the library says %v, we made %s", err, rec.Value)
		}
		sameProto(t, "", decodeJSON(t, rec.Value), m)
	})
}

var errPanicked = errors.New("the library panicked")

func unmarshal(payload []byte, m proto.Message) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanicked
		}
	}()
	return proto.Unmarshal(payload, m)
}

func prepare(t testing.TB, tr *registry.Transcoder, id uint32) {
	if err := tr.Prepare(t.Context(), []event.Record{{Value: framed(id, 0)}}); err != nil {
		t.Fatal(err)
	}
}

func saysAny(err error, words ...string) bool {
	r, ok := errors.AsType[*format.Reject](err)
	for _, w := range words {
		if ok && strings.Contains(r.Reason, w) {
			return true
		}
	}
	return false
}

func decodeJSON(t *testing.T, b []byte) (out any) {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(&out); err != nil || d.More() {
		t.Fatalf("not JSON: %v: %s", err, b)
	}
	return out
}

// sameScalar compares one value of ours with a Go value.
func sameScalar(t *testing.T, path string, got, want any) {
	same := false
	switch w := want.(type) {
	case nil:
		same = got == nil
	case bool:
		same = got == w
	case int32, int64, uint32, uint64:
		same = got == json.Number(fmt.Sprint(w))
	case float32:
		same = sameFloat(got, float64(w), 32)
	case float64:
		same = sameFloat(got, w, 64)
	case string:
		text, _ := json.Marshal(w)
		var valid string
		_ = json.Unmarshal(text, &valid)
		same = got == valid
	case []byte:
		same = got == base64.StdEncoding.EncodeToString(w)
	default:
		t.Fatalf("%s: a %T", path, want)
	}
	if !same {
		t.Fatalf("%s: %#v, the library has %#v", path, got, want)
	}
}

func sameFloat(got any, want float64, bits int) bool {
	if math.IsNaN(want) || math.IsInf(want, 0) {
		return got == nil
	}
	n, ok := got.(json.Number)
	f, err := strconv.ParseFloat(string(n), bits)
	return ok && err == nil && f == want
}

func sameAvro(t *testing.T, path string, got, want any) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) > len(w) { // Fewer where keys became equal by U+FFFD.
			t.Fatalf("%s: %#v, the library has %d keys", path, got, len(w))
		}
		if len(g) < len(w) {
			return
		}
		for k, v := range w {
			sameAvro(t, path+"."+k, g[strings.ToValidUTF8(k, "\ufffd")], v)
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			t.Fatalf("%s: %#v, the library has %d items", path, got, len(w))
		}
		for i, v := range w {
			sameAvro(t, fmt.Sprint(path, i), g[i], v)
		}
	default:
		sameScalar(t, path, got, want)
	}
}

func sameProto(t *testing.T, path string, got any, m protoreflect.Message) {
	if strings.HasPrefix(string(m.Descriptor().FullName()), "google.") || strings.HasPrefix(string(m.Descriptor().FullName()), "confluent.") {
		return // These have notations of their own.
	}
	g, ok := got.(map[string]any)
	if !ok {
		t.Fatalf("%s: %#v is no object", path, got)
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		d := fields.Get(i)
		name := string(d.Name())
		v, there := g[name]
		if there != (m.Has(d) || !d.HasPresence() && !d.IsList() && !d.IsMap() && d.Kind() != protoreflect.StringKind && d.Kind() != protoreflect.BytesKind) {
			// An empty string or list that was sent is written.
			if !there || v != "" && len(fmt.Sprint(v)) != 2 {
				t.Fatalf("%s.%s: there: %t", path, name, there)
			}
			continue
		}
		if there {
			sameField(t, path+"."+name, v, d, m.Get(d))
		}
	}
}

func sameField(t *testing.T, path string, got any, d protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch {
	case d.IsMap():
		g, ok := got.(map[string]any)
		if !ok || len(g) != v.Map().Len() {
			t.Fatalf("%s: %#v, the library has %d entries", path, got, v.Map().Len())
		}
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			sameOne(t, path+"."+k.String(), g[k.String()], d.MapValue(), v)
			return true
		})
	case d.IsList():
		g, ok := got.([]any)
		if !ok || len(g) != v.List().Len() {
			t.Fatalf("%s: %#v, the library has %d items", path, got, v.List().Len())
		}
		for i := range g {
			sameOne(t, fmt.Sprint(path, i), g[i], d, v.List().Get(i))
		}
	default:
		sameOne(t, path, got, d, v)
	}
}

func sameOne(t *testing.T, path string, got any, d protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch d.Kind() {
	case protoreflect.MessageKind:
		sameProto(t, path, got, v.Message())
	case protoreflect.EnumKind:
		if e := d.Enum().Values().ByNumber(v.Enum()); e != nil {
			sameScalar(t, path, got, string(e.Name()))
		} else {
			sameScalar(t, path, got, int32(v.Enum()))
		}
	default:
		sameScalar(t, path, got, v.Interface())
	}
}
