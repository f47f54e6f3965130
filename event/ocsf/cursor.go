package ocsf

// cursor walks a document already known to be valid JSON, so that it may look
// only for ends and never has to report an error.
type cursor struct {
	doc []byte
	pos int
}

// span is a part of the document. For strings it leaves out the quotes.
type span struct {
	start, end int
	escaped    bool // a string with a backslash
}

func (c *cursor) text(s span) []byte { return c.doc[s.start:s.end] }

// kind skips blanks and returns the first byte of what follows.
func (c *cursor) kind() byte {
	for {
		switch b := c.doc[c.pos]; b {
		case ' ', '\t', '\n', '\r':
			c.pos++
		default:
			return b
		}
	}
}

// open steps into the object or array that starts here and reports whether it
// has a first member; an empty one is stepped over.
func (c *cursor) open() bool {
	c.kind()
	c.pos++
	if b := c.kind(); b == '}' || b == ']' {
		c.pos++
		return false
	}
	return true
}

// more is called after each member and reports whether another follows; the
// closing bracket is stepped over.
func (c *cursor) more() bool {
	b := c.kind()
	c.pos++
	return b == ','
}

// name reads a member's name and the colon.
func (c *cursor) name() span {
	c.kind()
	s := c.str()
	c.kind()
	c.pos++
	return s
}

// str reads the string that starts here.
func (c *cursor) str() span {
	c.pos++
	s := span{start: c.pos}
	for {
		switch c.doc[c.pos] {
		case '"':
			s.end = c.pos
			c.pos++
			return s
		case '\\':
			s.escaped = true
			c.pos += 2
		default:
			c.pos++
		}
	}
}

// literal reads a number, true, false or null.
func (c *cursor) literal() span {
	s := span{start: c.pos}
	for c.pos < len(c.doc) {
		switch c.doc[c.pos] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			s.end = c.pos
			return s
		}
		c.pos++
	}
	s.end = c.pos
	return s
}

// skip steps over any value and returns where it lies, quotes and brackets
// included.
func (c *cursor) skip() span {
	b := c.kind()
	start := c.pos
	switch b {
	case '"':
		c.str()
	case '{', '[':
		c.skipNested()
	default:
		c.literal()
	}
	return span{start: start, end: c.pos}
}

func (c *cursor) skipNested() {
	for depth := 0; ; {
		switch c.doc[c.pos] {
		case '"':
			c.str()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		c.pos++
		if depth == 0 {
			return
		}
	}
}

// integer parses a literal that is a JSON integer within 64 bits.
func integer(text []byte) (int64, bool) {
	negative := text[0] == '-'
	digits := text
	if negative {
		digits = text[1:]
	}
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	var n uint64
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + uint64(d-'0')
	}
	if negative {
		return -int64(n), n <= 1<<63
	}
	return int64(n), n < 1<<63
}
