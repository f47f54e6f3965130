package enrich

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds on table files. A plant inventory is a few thousand rows; these are far above and still harmless.
const (
	maxFileBytes = 64 << 20
	maxRows      = 1_000_000
	maxListItems = 256
	maxCellBytes = 4096
)

type fileFormat uint8

const (
	formatUnknown fileFormat = iota
	formatCSV
	formatYAML
)

func formatOf(path string) fileFormat {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv":
		return formatCSV
	case ".yaml", ".yml":
		return formatYAML
	}
	return formatUnknown
}

// row is one entry of a table file before its columns are understood.
type row struct {
	line  int
	cells []cell
	bad   bool // A problem has been reported for it.
}

// cell is one value with its name. In CSV a list is one cell with semicolons; in YAML it is a sequence or a scalar.
type cell struct {
	name   string
	line   int
	values []string
	isList bool // Written as a YAML sequence.
}

// readRows splits a table file into rows. Problems of the file's syntax go to rep; rows found so far are still returned.
func readRows(table, path string, data []byte, rep *report) []row {
	if len(data) > maxFileBytes {
		rep.add(0, "", "has "+strconv.Itoa(len(data)>>20)+" MB", "keep table files under 64 MB")
		return nil
	}
	if i := firstInvalid(data); i >= 0 {
		rep.add(1+bytes.Count(data[:i], []byte("\n")), "", "is not UTF-8 text", "save the file as UTF-8")
		return nil
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if formatOf(path) == formatCSV {
		return csvRows(data, rep)
	}
	return yamlRows(table, data, rep)
}

func firstInvalid(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

func csvRows(data []byte, rep *report) []row {
	r := csv.NewReader(bytes.NewReader(data))
	r.Comment = '#'
	r.TrimLeadingSpace = true
	r.FieldsPerRecord = -1
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		rep.add(0, "", "is empty", "start it with a header line of column names")
		return nil
	}
	if err != nil {
		addCSVError(err, rep)
		return nil
	}
	if !csvHeader(header, rep) {
		return nil
	}
	var rows []row
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			addCSVError(err, rep)
			return rows
		}
		line, _ := r.FieldPos(0)
		if len(record) != len(header) {
			rep.add(line, "", "has "+strconv.Itoa(len(record))+" fields, the header has "+strconv.Itoa(len(header)),
				"leave unused fields empty, put values with commas in quotes, separate list items with semicolons")
			continue
		}
		if len(rows) == maxRows {
			rep.add(line, "", "has more than a million rows", "split the instance by site")
			return rows
		}
		rows = append(rows, csvRow(r, header, record, line))
	}
}

// csvHeader cleans the column names in place and checks them.
func csvHeader(header []string, rep *report) bool {
	seen := map[string]bool{}
	for i, name := range header {
		header[i] = strings.ToLower(strings.TrimSpace(name))
		if seen[header[i]] {
			rep.add(1, header[i], "column stands twice in the header", "keep one and separate several values with semicolons")
		}
		seen[header[i]] = true
	}
	if len(header) == 1 && strings.ContainsAny(header[0], ";\t") {
		rep.add(1, "", "columns are separated by semicolons or tabs", "separate columns with commas; semicolons separate items of a list")
		return false
	}
	return true
}

func csvRow(r *csv.Reader, header, record []string, line int) row {
	out := row{line: line}
	for i, text := range record {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		at, _ := r.FieldPos(i)
		out.cells = append(out.cells, cell{name: header[i], line: at, values: []string{text}})
	}
	return out
}

func addCSVError(err error, rep *report) {
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		rep.add(e.Line, "", "cannot be read as CSV: "+e.Err.Error(), "a quote inside a quoted field is written twice")
		return
	}
	rep.add(0, "", "cannot be read as CSV: "+err.Error(), "")
}

// yamlRows takes a sequence of mappings, or one mapping whose only key is the table's name.
func yamlRows(table string, data []byte, rep *report) []row {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil // An empty YAML file is an empty list.
		}
		rep.add(0, "", "cannot be read as YAML: "+strings.TrimPrefix(err.Error(), "yaml: "), "check indentation and quotes at that line")
		return nil
	}
	var second yaml.Node
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		rep.add(second.Line, "", "has more than one document", "keep one, without further --- lines")
		return nil
	}
	top := doc.Content[0]
	if top.Kind == yaml.MappingNode && len(top.Content) == 2 && top.Content[0].Value == table {
		top = top.Content[1]
	}
	if top.Kind == yaml.ScalarNode && top.Tag == "!!null" {
		return nil
	}
	if top.Kind != yaml.SequenceNode {
		rep.add(top.Line, "", "is not a list", "start each entry with \"- id: …\"")
		return nil
	}
	if len(top.Content) > maxRows {
		rep.add(top.Line, "", "has more than a million entries", "split the instance by site")
		return nil
	}
	rows := make([]row, 0, len(top.Content))
	for _, n := range top.Content {
		if n.Kind != yaml.MappingNode {
			rep.add(n.Line, "", "entry is not a mapping", "write it as \"- id: …\" with one key per line")
			continue
		}
		rows = append(rows, yamlRow(n, rep))
	}
	return rows
}

func yamlRow(n *yaml.Node, rep *report) row {
	out := row{line: n.Line}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if seen[key.Value] {
			rep.add(key.Line, key.Value, "key stands twice", "keep one; several values are written [a, b]")
			out.bad = true
			continue
		}
		seen[key.Value] = true
		c := cell{name: key.Value, line: value.Line}
		switch {
		case value.Kind == yaml.ScalarNode:
			if value.Tag == "!!null" || value.Value == "" {
				continue
			}
			c.values = []string{strings.TrimSpace(value.Value)}
		case value.Kind == yaml.SequenceNode:
			c.isList = true
			if !scalars(value, &c, rep) {
				out.bad = true
				continue
			}
			if len(c.values) == 0 {
				continue
			}
		default:
			rep.add(value.Line, key.Value, "is neither a value nor a list of values", "write a plain value or [a, b]; anchors are not read")
			out.bad = true
			continue
		}
		out.cells = append(out.cells, c)
	}
	return out
}

func scalars(list *yaml.Node, c *cell, rep *report) bool {
	for _, item := range list.Content {
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
			rep.add(item.Line, c.name, "list has an item that is not a value", "write each item as plain text")
			return false
		}
		c.values = append(c.values, strings.TrimSpace(item.Value))
	}
	return true
}

// list is the cell as a list: YAML items as they stand, a scalar split at semicolons.
func (c *cell) list() []string {
	if c.isList {
		return c.values
	}
	var items []string
	for s := range strings.SplitSeq(c.values[0], ";") {
		if s = strings.TrimSpace(s); s != "" {
			items = append(items, s)
		}
	}
	return items
}
