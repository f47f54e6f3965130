package registry

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/tocsin-siem/tocsin/ingest/format"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// As with Avro, libraries compile the schema (protocompile) and read the wire (protowire), and fields go straight to JSON: a dynamic message in
// between takes six times as long before any JSON is made of it, some fifty bytes of memory for each byte that a hostile record spends, and
// panics on some records (fuzzing found one). Tests hold the result against dynamicpb.

// protoForm is how a message is written; most are objects, some well-known types have a notation of their own.
type protoForm uint8

const (
	objectForm    protoForm = iota
	stampForm               // google.protobuf.Timestamp.
	durationForm            // google.protobuf.Duration.
	pathsForm               // google.protobuf.FieldMask.
	decimalForm             // confluent.type.Decimal.
	bareForm                // The value of its only field: wrappers, Struct, Value, ListValue.
	protoFileName = "schema.proto"
)

var protoForms = map[protoreflect.FullName]protoForm{
	"google.protobuf.Timestamp": stampForm, "google.protobuf.Duration": durationForm, "google.protobuf.FieldMask": pathsForm,
	"confluent.type.Decimal": decimalForm, "google.protobuf.Struct": bareForm, "google.protobuf.Value": bareForm, "google.protobuf.ListValue": bareForm,
	"google.protobuf.DoubleValue": bareForm, "google.protobuf.FloatValue": bareForm, "google.protobuf.Int64Value": bareForm,
	"google.protobuf.UInt64Value": bareForm, "google.protobuf.Int32Value": bareForm, "google.protobuf.UInt32Value": bareForm,
	"google.protobuf.BoolValue": bareForm, "google.protobuf.StringValue": bareForm, "google.protobuf.BytesValue": bareForm,
}

// protoFile is a schema: the messages of its file as its message indexes count them. It never changes once compiled.
type protoFile struct{ messages []*protoMessage }

// protoMessage is a message type, ready for the walk.
type protoMessage struct {
	name   string
	form   protoForm
	fields []protoField // In order of declaration.
	low    []int16      // Place in fields by number, -1 for none, for the numbers up to 127.
	high   map[protowire.Number]int16
	oneofs int
	bare   []byte          // Of bareForm: what it is where its field was not sent.
	nested []*protoMessage // Those declared in it, without the entries of maps.
}

type protoField struct {
	name   string
	key    []byte // As JSON, with the colon.
	number protowire.Number
	kind   protoreflect.Kind
	list   bool
	entry  bool // A map; message is its entry.
	oneof  int  // -1: in none.
	shown  bool // Written also where it was not sent.
	none   []byte
	// message is of a field that holds messages, enum the names of one that holds enums.
	message *protoMessage
	enum    map[int32][]byte
}

// field finds a field by number; -1 for none.
func (m *protoMessage) field(n protowire.Number) int {
	if int(n) < len(m.low) {
		return int(m.low[n])
	}
	if i, ok := m.high[n]; ok {
		return int(i)
	}
	return -1
}

// maxFields bounds one message type, and maxMessages all of a schema.
const (
	maxFields   = 10_000
	maxMessages = 20_000
)

// maxNesting bounds brackets within brackets in a .proto file: the compiler has no bound of its own and would run out of stack.
const maxNesting = 500

// nesting is how deep brackets of any kind stand in each other, those in strings and comments included.
func nesting(text string) (most int) {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '{', '[', '(', '<':
			depth++
			most = max(most, depth)
		case '}', ']', ')', '>':
			depth = max(0, depth-1)
		}
	}
	return most
}

// compileProto compiles b and lays it out for the walk.
func compileProto(ctx context.Context, b bundle) (*protoFile, error) {
	texts := map[string]string{protoFileName: b.main}
	for _, p := range b.parts {
		if old, ok := texts[p.name]; ok && old != p.text {
			return nil, fmt.Errorf("it imports two versions of %.200q", p.name)
		}
		texts[p.name] = p.text
	}
	for name, text := range bundledProtos {
		if _, ok := texts[name]; !ok {
			texts[name] = text
		}
	}
	for name, text := range texts {
		if nesting(text) > maxNesting {
			return nil, fmt.Errorf("%.200s nests more than %d levels deep", name, maxNesting)
		}
	}
	compiler := protocompile.Compiler{
		MaxParallelism: 1,
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(texts)}),
	}
	files, err := compiler.Compile(ctx, protoFileName)
	if err != nil {
		return nil, err
	}
	c := protoCompiler{done: map[protoreflect.FullName]*protoMessage{}}
	out := &protoFile{messages: c.messages(files[0].Messages())}
	return out, c.err
}

type protoCompiler struct {
	done map[protoreflect.FullName]*protoMessage
	err  error
}

// messages compiles those of list that are no entries of maps, with what they hold.
func (c *protoCompiler) messages(list protoreflect.MessageDescriptors) (out []*protoMessage) {
	for i := range list.Len() {
		if d := list.Get(i); !d.IsMapEntry() {
			m := c.message(d)
			m.nested = c.messages(d.Messages())
			out = append(out, m)
		}
	}
	return out
}

func (c *protoCompiler) message(d protoreflect.MessageDescriptor) *protoMessage {
	if m := c.done[d.FullName()]; m != nil {
		return m
	}
	m := &protoMessage{name: string(d.FullName()), form: protoForms[d.FullName()], oneofs: d.Oneofs().Len()}
	c.done[d.FullName()] = m
	fields := d.Fields()
	if fields.Len() > maxFields || len(c.done) > maxMessages {
		c.err = fmt.Errorf("it has more than %d messages, or %s more than %d fields", maxMessages, m.name, maxFields)
		return m
	}
	m.low = make([]int16, 128)
	for i := range m.low {
		m.low[i] = -1
	}
	m.high = map[protowire.Number]int16{}
	for i := range fields.Len() {
		f := c.field(fields.Get(i))
		if int(f.number) < len(m.low) {
			m.low[f.number] = int16(i)
		} else {
			m.high[f.number] = int16(i)
		}
		m.fields = append(m.fields, f)
	}
	m.bare = bareValue(m)
	return m
}

func (c *protoCompiler) field(d protoreflect.FieldDescriptor) protoField {
	f := protoField{
		name: string(d.Name()), key: append(jsonscan.AppendString(nil, string(d.Name())), ':'), number: d.Number(), kind: d.Kind(),
		list: d.IsList(), entry: d.IsMap(), oneof: -1,
	}
	if o := d.ContainingOneof(); o != nil && !o.IsSynthetic() {
		f.oneof = o.Index()
	}
	switch f.kind {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		f.message = c.message(d.Message())
	case protoreflect.EnumKind:
		f.enum = enumNames(d.Enum())
		f.none = appendEnum(nil, &f, 0)
	case protoreflect.StringKind, protoreflect.BytesKind:
		f.none = []byte(`""`)
	case protoreflect.BoolKind:
		f.none = []byte("false")
	default:
		f.none = []byte("0")
	}
	text := f.kind == protoreflect.StringKind || f.kind == protoreflect.BytesKind
	f.shown = !d.HasPresence() && !f.list && !f.entry && !text
	return f
}

// enumNames is by number; the first of several names for a number counts, as in the JSON mapping of Protocol Buffers.
func enumNames(d protoreflect.EnumDescriptor) map[int32][]byte {
	names := map[int32][]byte{}
	for i := range d.Values().Len() {
		v := d.Values().Get(i)
		if _, ok := names[int32(v.Number())]; !ok {
			names[int32(v.Number())] = jsonscan.AppendString(nil, string(v.Name()))
		}
	}
	if d.FullName() == "google.protobuf.NullValue" {
		names[0] = []byte("null")
	}
	return names
}

func appendEnum(dst []byte, f *protoField, n int32) []byte {
	if name, ok := f.enum[n]; ok {
		return append(dst, name...)
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

// bareValue is what a message of bareForm is where its field was not sent.
func bareValue(m *protoMessage) []byte {
	switch {
	case m.form != bareForm || len(m.fields) == 0:
		return nil
	case m.fields[0].entry:
		return []byte("{}")
	case m.fields[0].list:
		return []byte("[]")
	case m.oneofs > 0:
		return []byte("null")
	}
	return m.fields[0].none
}

// message finds the message type by the indexes behind the frame, and where the message itself begins. Source: Confluent wire format,
// "Protobuf": a count and that many indexes, zigzag numbers all, outermost message first; a single 0 stands for the first message.
func (p *protoFile) message(id uint32, wire []byte) (m *protoMessage, at int, refused *format.Reject) {
	at = frameSize
	number := func() (int64, bool) {
		n, size := binary.Varint(wire[at:])
		if size <= 0 {
			return 0, false
		}
		at += size
		return n, true
	}
	count, ok := number()
	if !ok || count < 0 || count > maxDepth {
		return nil, 0, format.Rejectf("registry_frame", "schema %d: byte %d should count the message indexes", id, frameSize)
	}
	list := p.messages
	for i := range max(count, 1) {
		place, n := at, int64(0)
		if count > 0 {
			if n, ok = number(); !ok {
				return nil, 0, format.Rejectf("registry_frame", "schema %d: no message index %d at byte %d", id, i, place)
			}
		}
		if n < 0 || n >= int64(min(len(list), math.MaxInt32)) {
			return nil, 0, format.Rejectf("registry_frame", "schema %d: message index %d at byte %d, but there are %d messages", id, n, place, len(list))
		}
		m = list[n]
		list = m.nested
	}
	return m, at, nil
}
