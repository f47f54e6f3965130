package docs_test

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/ingest/format"
)

// rejectFormats says which files of the decoding layer give which reject code.
func rejectFormats(t *testing.T) string {
	where := rejectCodes(t)
	var rows [][]string
	for _, c := range sortedKeys(where) {
		var names []string
		for f := range where[c] {
			names = append(names, f)
		}
		slices.Sort(names)
		meaning, known := rejectDocs[c]
		if !known {
			t.Errorf("the reject code %s has no meaning in rejectDocs", c)
		}
		rows = append(rows, []string{"`" + c + "`", strings.Join(names, ", "), meaning})
	}
	for c := range rejectDocs {
		if where[c] == nil {
			t.Errorf("rejectDocs explains %s, which nothing gives", c)
		}
	}
	return table([]string{"code", "given by", "meaning"}, rows)
}

// rejectDocs are the meanings of the reject codes.
var rejectDocs = map[string]string{
	"empty":                   "The record has no bytes.",
	"undecodable":             "The format failed in a way that has no code of its own; the reason says how.",
	"format_unknown":          "The source names a format that does not exist.",
	"format_panic":            "A bug in the format. Please report it with the record.",
	"no_event":                "Well formed, but nothing that happened: a header, a footer, a heartbeat, an entry without the fields that would say what.",
	"no_header":               "A line of a column file without the header line that names its columns.",
	"no_time":                 "The record states no time, follows none that does, and no receive time was given (replay only).",
	"not_text":                "Bytes that are no text.",
	"too_long":                "Longer than the format reads.",
	"too_many":                "More columns or elements than the format reads.",
	"unknown_log":             "A log of the product that this format does not read.",
	"unknown_message":         "A message of the product that this format does not know.",
	"wrong_format":            "Another product's record, or another kind of record.",
	"wrong_product":           "CEF of another product.",
	"wrong_program":           "A syslog line of another program.",
	"xml_syntax":              "Not one well-formed element of XML, or XML with a document type or entities of its own.",
	"csv_columns":             "A CSV row with more or fewer cells than the header.",
	"csv_syntax":              "Not CSV.",
	"cef_truncated":           "CEF whose header ends too early.",
	"json_payload":            "The payload inside the message is not JSON.",
	"json_syntax":             "Not JSON.",
	"json_duplicate_key":      "The same key twice in one object: parsers disagree on which one counts, so an attacker could choose.",
	"json_utf8":               "JSON with invalid UTF-8 or a lone surrogate.",
	"json_depth":              "JSON nested too deep.",
	"json_size":               "JSON larger than the limit.",
	"json_trailing":           "Something follows the JSON document.",
	"avro_decode":             "Avro that does not fit the schema it names.",
	"protobuf_decode":         "Protobuf that does not fit the schema it names.",
	"registry_frame":          "The bytes before an Avro, Protobuf or JSON record that name its schema are missing or cannot be.",
	"registry_schema_refused": "The schema a record names cannot be used: it is damaged, too large, or refers to too many others.",
	"registry_schema_type":    "The schema a record names is of another encoding than the source.",
	"registry_schema_unknown": "The schema registry has no schema of the number a record names.",
	"tombstone":               "The record has a key and no value: it says that the key is gone.",
	"kafka_batch":             "A batch of a Kafka topic whose head or length cannot be.",
	"kafka_codec":             "A batch of a Kafka topic that cannot be unpacked.",
	"kafka_crc":               "A batch of a Kafka topic that does not match its checksum, also when fetched again.",
	"kafka_magic":             "A batch of a Kafka topic in a form older than Kafka 0.11.",
	"kafka_oversize":          "A batch of a Kafka topic that is, or unpacks to, more than `max_batch`.",
	"kafka_record":            "A malformed record in a sound batch of a Kafka topic.",
}

// plainCode is what reject codes look like that travel as plain strings: those of unreadable Kafka batches and of schemas.
var plainCode = regexp.MustCompile(`^(kafka_[a-z]+|registry_schema_[a-z]+)$`)

const registrySources = "sources with a schema registry"

// rejectCodes finds the codes in the source: first arguments of Rejectf, Code: in Reject literals, and the codes of the Kafka and JSON readers.
func rejectCodes(t *testing.T) map[string]map[string]bool {
	found := map[string]map[string]bool{}
	note := func(code, by string) {
		if found[code] == nil {
			found[code] = map[string]bool{}
		}
		found[code][by] = true
	}
	var names []string
	for _, f := range format.All() {
		names = append(names, f.Name)
	}
	for _, dir := range []string{"ingest", "ingest/format", "ingest/registry"} {
		for file, tree := range parse(t, dir).files {
			by := owner(filepath.Base(file), names)
			switch dir {
			case "ingest":
				by = "every format"
			case "ingest/registry":
				by = registrySources
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					if c, ok := text(n.Args, 0); ok && (called(n) == "Rejectf" || called(n) == "reject") {
						note(c, by)
					}
				case *ast.CompositeLit:
					if c := codeOf(n); c != "" {
						note(c, by)
					}
				}
				return true
			})
		}
	}
	for dir, by := range map[string]string{"ingest/kafka": "Kafka sources", "ingest/registry": registrySources} {
		for _, tree := range parse(t, dir).files {
			ast.Inspect(tree, func(n ast.Node) bool {
				if x, ok := n.(*ast.BasicLit); ok && x.Kind == token.STRING {
					if c, err := strconv.Unquote(x.Value); err == nil && plainCode.MatchString(c) {
						note(c, by)
					}
				}
				return true
			})
		}
	}
	for _, c := range parse(t, "ingest/format/jsonscan").constantStrings("Code") {
		note(c, "formats that read JSON")
		delete(found[c], "several formats")
	}
	return found
}

// codeOf is the constant code of a literal of a type called Reject; "" of everything else.
func codeOf(n *ast.CompositeLit) string {
	typ, ok := n.Type.(*ast.SelectorExpr)
	name, plain := n.Type.(*ast.Ident)
	if (!ok || typ.Sel.Name != "Reject") && (!plain || name.Name != "Reject") {
		return ""
	}
	for _, e := range n.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && kv.Key.(*ast.Ident).Name == "Code" {
			c, _ := text([]ast.Expr{kv.Value}, 0)
			return c
		}
	}
	return ""
}

// owner is the format a file belongs to, by the longest name the file's name begins with.
func owner(file string, names []string) string {
	best := ""
	for _, n := range names {
		if strings.HasPrefix(file, n) && len(n) > len(best) {
			best = n
		}
	}
	if best == "" {
		return "several formats"
	}
	return best
}
