package format

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// zeekRow is one entry of a log, whether it came as JSON or as columns.
type zeekRow struct {
	json  *jsonscan.Result // nil for columns
	cells *[zFields]string // nil for JSON
	path  string           // The log's name.
	set   byte             // What separates the members of a set or vector.
}

// str is a field's text; "" where it is unset or empty.
func (z *zeekRow) str(f zeekField) string {
	if z.json == nil {
		return z.cells[f]
	}
	if t := z.json.Text(int(f)); t != "" {
		return t
	}
	if f >= zOrigH && f <= zRespP {
		return z.json.Text(zNestedID + int(f-zOrigH))
	}
	return ""
}

// known is str without the words that mean nothing.
func (z *zeekRow) known(f zeekField) string {
	if s := z.str(f); !event.Placeholder(s) {
		return s
	}
	return ""
}

// has reports whether the entry names the field at all.
func (z *zeekRow) has(f zeekField) bool {
	if z.json == nil {
		return z.cells[f] != ""
	}
	return z.json.Exists(int(f))
}

// num is a field's number.
func (z *zeekRow) num(f zeekField) (int64, bool) {
	if z.json != nil {
		return z.json.LooseInt64(int(f))
	}
	s := z.cells[f]
	if s == "" || s[0] > '9' {
		return 0, false // The usual case, spared the error that ParseInt makes.
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// count is a field's number as an event has it.
func (z *zeekRow) count(f zeekField) event.Int { return flagInt(z.num(f)) }

// truth is a field's boolean: T and F in columns.
func (z *zeekRow) truth(f zeekField) event.Bool {
	switch z.str(f) {
	case "T", "true":
		return event.True
	case "F", "false":
		return event.False
	}
	return event.Unknown
}

// each yields the members of a set or vector, at most maxNames.
func (z *zeekRow) each(f zeekField) func(func(string) bool) {
	return func(yield func(string) bool) {
		n := 0
		if z.json != nil {
			for v := range z.json.Each(int(f)) {
				if n++; n > maxNames || !yield(v.Text()) {
					return
				}
			}
			return
		}
		for rest := z.cells[f]; rest != ""; {
			var member string
			member, rest, _ = strings.Cut(rest, string(rune(z.set)))
			if n++; n > maxNames || !yield(member) {
				return
			}
		}
	}
}

// first is the first member of a set or vector.
func (z *zeekRow) first(f zeekField) string {
	for s := range z.each(f) {
		return s
	}
	return ""
}

// joined is a set or vector as one text, members separated by commas.
func (z *zeekRow) joined(f zeekField) string {
	if z.json == nil && z.set == ',' {
		return clip(z.cells[f], maxPayload)
	}
	out := ""
	for s := range z.each(f) {
		switch {
		case out == "":
			out = s
		case len(out) < maxPayload:
			out += "," + s
		}
	}
	return out
}

// zeekHeader is what the # lines above the entries say.
type zeekHeader struct {
	separator    byte
	set          byte
	empty, unset string
	path         string
	fields       string
}

// readZeekHeader reads header lines (Zeek Logs, "TSV format"). ok is false where they do not name the columns.
func readZeekHeader(lines string) (h zeekHeader, ok bool) {
	h = zeekHeader{separator: '\t', set: ',', empty: "(empty)", unset: "-"}
	for lines != "" {
		var line string
		line, lines, _ = strings.Cut(lines, "\n")
		line = strings.TrimSuffix(line, "\r")
		if len(line) < 4 || line[0] != '#' {
			continue
		}
		if code, found := strings.CutPrefix(line, "#separator "); found {
			if n, err := strconv.ParseUint(strings.TrimPrefix(code, `\x`), 16, 8); err == nil {
				h.separator = byte(n)
			}
			continue
		}
		key, value, found := strings.Cut(line[1:], string(rune(h.separator)))
		if !found {
			continue
		}
		switch key {
		case "set_separator":
			if value != "" {
				h.set = value[0]
			}
		case "empty_field":
			h.empty = value
		case "unset_field":
			h.unset = value
		case "path":
			h.path = value
		case "fields":
			h.fields, ok = value, value != ""
		}
	}
	return h, ok
}

// zeekColumns is a header taken apart, and the cells of the row at hand. Rows of one log follow each other, so the last header is kept.
type zeekColumns struct {
	text   string // Our own copy of the header: the buffer it stood in may be another one's by now.
	ok     bool
	header zeekHeader
	fields []zeekField // Of each column; zFields for one we have no use for.
	cells  [zFields]string
}

// use makes the header the one that rows are read by. It reports whether it names the columns.
func (c *zeekColumns) use(header []byte) bool {
	if c.text == textOf(header) {
		return c.ok
	}
	c.text = string(header)
	c.header, c.ok = readZeekHeader(c.text)
	c.fields = c.fields[:0]
	for name := range strings.SplitSeq(c.header.fields, string(rune(c.header.separator))) {
		f, known := zeekByName[name]
		if !known {
			f = zFields
		}
		c.fields = append(c.fields, f)
	}
	return c.ok
}

// read fills the row from one line of columns. It reports whether the line has as many cells as there are columns.
func (z *zeekRow) read(c *zeekColumns, line string) (whole bool) {
	h := &c.header
	z.path, z.set = h.path, h.set
	clear(z.cells[:])
	for i, f := range c.fields {
		cell, rest, more := cutByte(line, h.separator)
		line = rest
		if f != zFields && cell != h.unset && cell != h.empty && cell != "" {
			z.cells[f] = cell
			if !slices.Contains(zeekSecrets[:], f) {
				z.cells[f] = zeekUnescape(cell)
			}
		}
		if last := i == len(c.fields)-1; last || !more {
			return last && !more
		}
	}
	return false
}

func cutByte(s string, sep byte) (before, after string, found bool) {
	if i := strings.IndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// zeekUnescape undoes the \x.. escapes by which columns carry separators and bytes that are no text.
func zeekUnescape(s string) string {
	if !strings.Contains(s, `\x`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && s[i+1] == 'x' {
			if n, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 3
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// cutHeader splits a text that holds a whole file or its beginning: header lines, then entries.
func cutHeader(text []byte) (header, rest []byte) {
	end := 0
	for end < len(text) && text[end] == '#' {
		n := bytes.IndexByte(text[end:], '\n')
		if n < 0 {
			return text, nil
		}
		end += n + 1
	}
	return text[:end], text[end:]
}
