package registry

import (
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/avro"

	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// The library parses and checks schemas (names, references, logical types, what is allowed where); the bytes of a record are walked here,
// straight to JSON. Decoding into Go values first takes twice as long before any JSON is made of them, has no bound on all that a hostile
// record makes of a few bytes, forgets the order of fields and the scale of decimals, and names no offset in its errors. Tests hold the two
// against each other.

// avroKind is how a value is encoded.
type avroKind uint8

const (
	avroNull avroKind = iota
	avroBoolean
	avroInt
	avroLong
	avroFloat
	avroDouble
	avroBytes
	avroString
	avroRecord
	avroEnum
	avroArray
	avroMap
	avroUnion
	avroFixed
)

var avroKinds = map[string]avroKind{
	"null": avroNull, "boolean": avroBoolean, "int": avroInt, "long": avroLong, "float": avroFloat, "double": avroDouble, "bytes": avroBytes,
	"string": avroString, "record": avroRecord, "error": avroRecord, "enum": avroEnum, "array": avroArray, "map": avroMap, "union": avroUnion,
	"fixed": avroFixed,
}

// logical is what a value means beyond its encoding (Avro 1.12 specification, "Logical Types").
type logical uint8

const (
	noLogical logical = iota
	dateLogical
	timeMillis
	timeMicros
	stampMillis
	stampMicros
	stampNanos
	localMillis
	localMicros
	localNanos
	decimalLogical
	bigDecimal
	uuidLogical
	durationLogical
)

// logicals is by encoding and name; a logical type on another encoding is to be ignored.
var logicals = map[avroKind]map[string]logical{
	avroInt: {"date": dateLogical, "time-millis": timeMillis},
	avroLong: {
		"time-micros": timeMicros, "timestamp-millis": stampMillis, "timestamp-micros": stampMicros, "timestamp-nanos": stampNanos,
		"local-timestamp-millis": localMillis, "local-timestamp-micros": localMicros, "local-timestamp-nanos": localNanos,
	},
	avroBytes: {"decimal": decimalLogical, "big-decimal": bigDecimal},
	avroFixed: {"decimal": decimalLogical, "uuid": uuidLogical, "duration": durationLogical},
}

// avroType is one type of a schema, ready for the walk. It never changes once compiled.
type avroType struct {
	kind     avroKind
	logical  logical
	fields   []avroField // Of a record.
	items    *avroType   // Of an array; the values of a map.
	branches []*avroType // Of a union.
	symbols  [][]byte    // Of an enum, as JSON strings.
	size     int         // Of a fixed, in bytes.
	scale    int         // Of a decimal.
}

type avroField struct {
	name string
	key  []byte // As JSON, with the colon.
	typ  *avroType
}

// isText reports whether a record of this schema is nothing but text or bytes.
func (t *avroType) isText() bool {
	return (t.kind == avroString || t.kind == avroBytes) && t.logical == noLogical
}

// maxScale bounds what a schema can ask for in zeros.
const maxScale = 1000

// compileAvro parses b and lays it out for the walk.
func compileAvro(b bundle) (*avroType, error) {
	var cache avro.SchemaCache
	for _, p := range b.parts {
		if _, err := cache.Parse(p.text); err != nil {
			return nil, fmt.Errorf("%.100s, which it refers to: %w", p.name, err)
		}
	}
	parsed, err := cache.Parse(b.main)
	if err != nil {
		return nil, err
	}
	root := parsed.Root()
	c := avroCompiler{nodes: map[string]*avro.SchemaNode{}, types: map[string]*avroType{}}
	c.collect(root)
	return c.compile(root, "")
}

// avroCompiler makes avroTypes of the parsed schema. Root gives a named type in full once and by name after that.
type avroCompiler struct {
	nodes map[string]*avro.SchemaNode // Named types by full name.
	types map[string]*avroType        // Those compiled, so that a type may hold itself.
}

// collect finds the named types.
func (c *avroCompiler) collect(n *avro.SchemaNode) {
	switch n.Type {
	case "record", "error":
		c.nodes[fullName(n)] = n
		for i := range n.Fields {
			c.collect(&n.Fields[i].Type)
		}
	case "enum", "fixed":
		c.nodes[fullName(n)] = n
	case "array":
		c.collect(n.Items)
	case "map":
		c.collect(n.Values)
	case "union":
		for i := range n.Branches {
			c.collect(&n.Branches[i])
		}
	}
}

func fullName(n *avro.SchemaNode) string {
	if strings.Contains(n.Name, ".") || n.Namespace == "" {
		return n.Name
	}
	return n.Namespace + "." + n.Name
}

// compile lays out n, which stands in a namespace.
func (c *avroCompiler) compile(n *avro.SchemaNode, namespace string) (*avroType, error) {
	kind, known := avroKinds[n.Type]
	if !known {
		return c.named(n.Type, namespace)
	}
	t := &avroType{kind: kind, logical: logicals[kind][n.LogicalType], size: n.Size, scale: n.Scale}
	if t.logical == decimalLogical && (t.scale > maxScale || t.scale < -maxScale) {
		t.logical = noLogical
	}
	switch kind {
	case avroRecord:
		return t, c.record(t, n)
	case avroEnum:
		for _, s := range n.Symbols {
			t.symbols = append(t.symbols, jsonscan.AppendString(nil, s))
		}
	case avroArray:
		return t, c.part(&t.items, n.Items, namespace)
	case avroMap:
		return t, c.part(&t.items, n.Values, namespace)
	case avroUnion:
		t.branches = make([]*avroType, len(n.Branches))
		for i := range n.Branches {
			if err := c.part(&t.branches[i], &n.Branches[i], namespace); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

func (c *avroCompiler) part(to **avroType, n *avro.SchemaNode, namespace string) (err error) {
	if n == nil {
		return errors.New("an array or map does not say of what")
	}
	*to, err = c.compile(n, namespace)
	return err
}

func (c *avroCompiler) record(t *avroType, n *avro.SchemaNode) error {
	name := fullName(n)
	c.types[name] = t
	namespace := name[:max(0, strings.LastIndexByte(name, '.'))]
	t.fields = make([]avroField, len(n.Fields))
	for i := range n.Fields {
		f := &n.Fields[i]
		t.fields[i].name = f.Name
		t.fields[i].key = append(jsonscan.AppendString(nil, f.Name), ':')
		if err := c.part(&t.fields[i].typ, &f.Type, namespace); err != nil {
			return err
		}
	}
	return nil
}

// named resolves a reference: within the namespace first, as names in schemas are.
func (c *avroCompiler) named(name, namespace string) (*avroType, error) {
	if namespace != "" && !strings.Contains(name, ".") {
		if full := namespace + "." + name; c.nodes[full] != nil {
			name = full
		}
	}
	if t := c.types[name]; t != nil {
		return t, nil
	}
	n := c.nodes[name]
	if n == nil {
		return nil, fmt.Errorf("it names the type %.100q, which nothing defines", name)
	}
	t, err := c.compile(n, "")
	if err == nil {
		c.types[name] = t
	}
	return t, err
}
