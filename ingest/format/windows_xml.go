package format

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/event"
)

// appendWindowsXML reads the Event element of the Windows event schema (http://schemas.microsoft.com/win/2004/08/events/event).
func appendWindowsXML(s *Scratch, dst []event.Event, rec *event.Record, value []byte, sender string) ([]event.Event, error) {
	if !utf8.Valid(value) {
		return dst, Rejectf("xml_syntax", "the record is not one Event of XML: it is not valid UTF-8")
	}
	w := &s.windows
	w.reset(s.Fields)
	x := xmlReader{doc: textOf(value)}
	if why := w.readXML(&x); why != "" {
		return dst, Rejectf("xml_syntax", "the record is not one Event of XML: %s at byte %d", why, x.at)
	}
	return w.append(dst, rec, sender)
}

// winXML is where the reader of an Event stands.
type winXML struct {
	w     *winRecord
	path  [maxXMLDepth]string
	depth int
	name  string // The Name attribute of the element.
	leaf  bool   // Nothing but text so far in the element.
	text  string
}

func (w *winRecord) readXML(x *xmlReader) string {
	p := winXML{w: w}
	for {
		t := x.next()
		switch t.kind {
		case xmlBad:
			return x.why
		case xmlStart:
			if p.depth == maxXMLDepth {
				return "elements nested too deep"
			}
			if p.depth == 0 && t.name != "Event" {
				return "the element is not Event but " + clip(t.name, 40)
			}
			p.path[p.depth] = t.name
			p.depth++
			p.name, p.text, p.leaf = "", "", true
			if why := p.attributes(x); why != "" {
				return why
			}
		case xmlText:
			if p.depth > 0 {
				p.text += t.text
			}
		case xmlEnd:
			if p.depth == 0 || t.name != "" && p.path[p.depth-1] != t.name {
				return "an end tag that closes nothing"
			}
			p.close()
			p.depth--
			p.name, p.text, p.leaf = "", "", false
			if p.depth == 0 {
				if !x.onlySpaceLeft() {
					return "something follows the Event"
				}
				w.identify()
				w.fields = append(w.fields, w.late...)
				w.finish()
				return ""
			}
		case xmlDone:
			return "the Event has no end"
		}
	}
}

// attributes reads those of the element just opened.
func (p *winXML) attributes(x *xmlReader) string {
	w := p.w
	system := p.depth == 3 && p.path[1] == "System"
	for {
		name, value, more := x.attribute()
		if !more {
			return x.why
		}
		if !system {
			if name == "Name" {
				p.name = value
			}
			continue
		}
		if to := w.attributeOf(p.path[2], name); to != nil {
			*to = value
		}
	}
}

// attributeOf is what an attribute of an element of System says; nil for those that say nothing of use.
func (w *winRecord) attributeOf(element, name string) *string {
	switch element {
	case "Provider":
		if name == "Name" {
			return &w.provider
		}
		if name == "Guid" {
			return &w.guid
		}
	case "TimeCreated":
		if name == "SystemTime" {
			return &w.time
		}
	case "Correlation":
		if name == "ActivityID" {
			return &w.activity
		}
		if name == "RelatedActivityID" {
			return &w.related
		}
	case "Execution":
		if name == "ProcessID" {
			return &w.process
		}
		if name == "ThreadID" {
			return &w.thread
		}
	case "Security":
		if name == "UserID" {
			return &w.user
		}
	}
	return nil
}

// close takes the element that ends.
func (p *winXML) close() {
	if p.depth < 3 {
		return
	}
	switch p.path[1] {
	case "System":
		if p.depth == 3 {
			p.system(strings.TrimSpace(p.text))
		}
	case "EventData":
		switch {
		case !p.leaf:
		case p.path[2] == "Data" && p.name == "":
			p.w.unnamed = append(p.w.unnamed, p.text)
		case p.path[2] == "Data":
			p.w.late = append(p.w.late, event.RawField{Name: p.name, Value: p.text})
		default:
			p.w.late = append(p.w.late, event.RawField{Name: p.path[p.depth-1], Value: p.text})
		}
	case "UserData":
		if p.leaf {
			p.w.late = append(p.w.late, event.RawField{Name: p.path[p.depth-1], Value: p.text})
		}
	case "RenderingInfo":
		if p.path[2] == "Message" {
			p.w.message = p.text
		}
	}
}

func (p *winXML) system(text string) {
	w := p.w
	switch p.path[2] {
	case "EventID":
		w.id = text
	case "Version":
		w.version = text
	case "Level":
		w.level = text
	case "Task":
		w.task = text
	case "Opcode":
		w.opcode = text
	case "Keywords":
		w.keywords = text
	case "EventRecordID":
		w.record = text
	case "Channel":
		w.channel = text
	case "Computer":
		w.computer = text
	}
}

// maxXMLDepth bounds the elements open at once.
const maxXMLDepth = 24

type xmlKind uint8

const (
	xmlBad xmlKind = iota
	xmlStart
	xmlEnd
	xmlText
	xmlDone
)

type xmlToken struct {
	kind xmlKind
	name string // Without a prefix; of an end "" where a start tag closed itself.
	text string
}

// xmlReader reads the XML that Windows writes: elements, attributes, text, CDATA, comments, the five entities and character references. A document
// type, and with it every other entity, is refused. It works on valid UTF-8 and hands out parts of the document wherever nothing was escaped.
type xmlReader struct {
	doc    string
	at     int
	in     bool // Inside a start tag, before its attributes are read.
	closed bool // The start tag just read closed itself.
	why    string
}

func (x *xmlReader) bad(why string) xmlToken {
	x.why = why
	return xmlToken{}
}

// next reads one token. The attributes of a start tag must be read before it is called again.
func (x *xmlReader) next() xmlToken {
	if x.closed {
		x.closed = false
		return xmlToken{kind: xmlEnd}
	}
	for {
		rest := x.doc[x.at:]
		switch {
		case rest == "":
			return xmlToken{kind: xmlDone}
		case rest[0] != '<':
			end := strings.IndexByte(rest, '<')
			if end < 0 {
				end = len(rest)
			}
			text, ok := unescapeXML(rest[:end])
			if !ok {
				return x.bad("an entity that is none of the five")
			}
			x.at += end
			return xmlToken{kind: xmlText, text: text}
		case strings.HasPrefix(rest, "<![CDATA["):
			end := strings.Index(rest, "]]>")
			if end < 0 {
				return x.bad("CDATA without an end")
			}
			x.at += end + 3
			return xmlToken{kind: xmlText, text: rest[9:end]}
		case strings.HasPrefix(rest, "<!--"):
			end := strings.Index(rest[4:], "-->")
			if end < 0 {
				return x.bad("a comment without an end")
			}
			x.at += end + 7
		case strings.HasPrefix(rest, "<?"):
			end := strings.Index(rest, "?>")
			if end < 0 {
				return x.bad("an instruction without an end")
			}
			x.at += end + 2
		case strings.HasPrefix(rest, "<!"):
			return x.bad("a document type, which is not read")
		case strings.HasPrefix(rest, "</"):
			end := strings.IndexByte(rest, '>')
			if end < 0 {
				return x.bad("a tag without an end")
			}
			x.at += end + 1
			name := localName(strings.TrimRight(rest[2:end], " \t\r\n"))
			if name == "" {
				return x.bad("a tag without a name")
			}
			return xmlToken{kind: xmlEnd, name: name}
		default:
			n := nameLength(rest[1:])
			if n == 0 {
				return x.bad("a tag without a name")
			}
			x.at += 1 + n
			x.in = true
			return xmlToken{kind: xmlStart, name: localName(rest[1 : 1+n])}
		}
	}
}

// attribute reads the next attribute of the start tag; more is false at the tag's end, or where x.why tells what is wrong.
func (x *xmlReader) attribute() (name, value string, more bool) {
	x.space()
	rest := x.doc[x.at:]
	switch {
	case strings.HasPrefix(rest, "/>"):
		x.at, x.in, x.closed = x.at+2, false, true
		return "", "", false
	case strings.HasPrefix(rest, ">"):
		x.at, x.in = x.at+1, false
		return "", "", false
	}
	n := nameLength(rest)
	if n == 0 {
		x.why = "an attribute without a name"
		return "", "", false
	}
	name = rest[:n]
	x.at += n
	x.space()
	if rest = x.doc[x.at:]; rest == "" || rest[0] != '=' {
		x.why = "an attribute without a value"
		return "", "", false
	}
	x.at++
	x.space()
	rest = x.doc[x.at:]
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		x.why = "an attribute without quotes"
		return "", "", false
	}
	end := strings.IndexByte(rest[1:], rest[0])
	if end < 0 {
		x.why = "an attribute without an end"
		return "", "", false
	}
	value, ok := unescapeXML(rest[1 : 1+end])
	if !ok || strings.IndexByte(rest[1:1+end], '<') >= 0 {
		x.why = "an attribute whose value is not XML"
		return "", "", false
	}
	x.at += end + 2
	return name, value, true
}

func (x *xmlReader) space() {
	for x.at < len(x.doc) && (x.doc[x.at] == ' ' || x.doc[x.at] == '\t' || x.doc[x.at] == '\r' || x.doc[x.at] == '\n') {
		x.at++
	}
}

func (x *xmlReader) onlySpaceLeft() bool {
	return strings.Trim(x.doc[x.at:], " \t\r\n\x00") == ""
}

// nameLength is how many bytes at the start of s are a name of XML, taken widely.
func nameLength(s string) int {
	for i := range len(s) {
		c := s[i]
		if !alphanumeric(c) && c != '_' && c != ':' && c != '-' && c != '.' && c < utf8.RuneSelf {
			return i
		}
	}
	return len(s)
}

func localName(name string) string { return name[strings.IndexByte(name, ':')+1:] }

// unescapeXML replaces the five entities and character references; ok is false for any other entity.
func unescapeXML(s string) (text string, ok bool) {
	amp := strings.IndexByte(s, '&')
	if amp < 0 {
		return s, true
	}
	var b bytes.Buffer
	b.Grow(len(s))
	for amp >= 0 {
		b.WriteString(s[:amp])
		s = s[amp+1:]
		end := strings.IndexByte(s, ';')
		if end < 0 || end > 12 {
			return "", false
		}
		r, ok := entity(s[:end])
		if !ok {
			return "", false
		}
		b.WriteRune(r)
		s = s[end+1:]
		amp = strings.IndexByte(s, '&')
	}
	b.WriteString(s)
	return textOf(b.Bytes()), true
}

func entity(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, numeric := strings.CutPrefix(name, "#")
	if !numeric || digits == "" {
		return 0, false
	}
	base := rune(10)
	if digits[0] == 'x' || digits[0] == 'X' {
		base, digits = 16, digits[1:]
	}
	var r rune
	for i := range len(digits) {
		d := rune(hexDigit(digits[i]))
		if d >= base || r > utf8.MaxRune {
			return 0, false
		}
		r = r*base + d
	}
	return r, digits != "" && r > 0 && utf8.ValidRune(r)
}

// hexDigit is the value of a hexadecimal digit, 255 for anything else.
func hexDigit(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}
