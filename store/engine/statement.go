package engine

import (
	"strings"
)

// kind says what the HTTP layer has to do around a statement.
type kind int

const (
	kindOther   kind = iota // run, answer with the whole result
	kindRead                // SELECT: streamed where the format allows, cancelled when the client leaves
	kindInsert              // INSERT with data behind it: the data goes through a file
	kindSession             // changes its session (SET, USE, temporary tables): the handle is not used again
)

// statement is what the HTTP layer must know about a query text. It is found with a tokenizer, not a parser: the
// engine's own parser has the last word on everything else.
type statement struct {
	kind kind
	// format is the FORMAT clause, empty if there is none.
	format string
	// splice and dataAt belong to kindInsert: text[:splice] + FROM INFILE … + text[splice:clauseAt] + FORMAT format
	// is the statement without its data, text[dataAt:] is the data that stood behind it.
	splice, clauseAt, dataAt int
	// several is true if another statement follows the first one.
	several bool
}

// readStatement classifies text. An INSERT is read up to its data only, so text may end inside the data.
func readStatement(text string) statement {
	lex := lexer{text: text}
	first := lex.next()
	switch {
	case first.is("INSERT"):
		return readInsert(&lex)
	case first.is("SELECT"), first.is("WITH"), first.is("FROM"), first.punct == '(':
		return readRest(&lex, kindRead, first)
	case first.is("SET"), first.is("USE"):
		return readRest(&lex, kindSession, first)
	case first.is("CREATE"), first.is("DROP"), first.is("ATTACH"), first.is("REPLACE"):
		return readRest(&lex, definitionKind(lex), first)
	default:
		return readRest(&lex, kindOther, first)
	}
}

// definitionKind looks a few words ahead, on a copy of the lexer, for CREATE [OR REPLACE] TEMPORARY.
func definitionKind(ahead lexer) kind {
	for range 3 {
		if ahead.next().is("TEMPORARY") {
			return kindSession
		}
	}
	return kindOther
}

// readRest finds the last FORMAT clause at the outer level, and whether a second statement follows.
func readRest(lex *lexer, k kind, first token) statement {
	st := statement{kind: k}
	depth := 0
	if first.punct == '(' {
		depth = 1
	}
	ended := false
	for tok := lex.next(); !tok.end; tok = lex.next() {
		if tok.punct == ';' {
			ended = true
			continue
		}
		if ended {
			st.several = true
			return st
		}
		depth += tok.nesting()
		if depth == 0 && tok.is("FORMAT") {
			ahead := *lex
			if name := ahead.next(); name.word != "" {
				st.format = name.word
			}
		}
	}
	return st
}

// readInsert reads INSERT INTO [TABLE] [FUNCTION] name [(columns)] [SETTINGS …] up to VALUES, FORMAT or a query.
func readInsert(lex *lexer) statement {
	tok := lex.next()
	if tok.is("INTO") {
		tok = lex.next()
	}
	if tok.is("TABLE") {
		tok = lex.next()
	}
	if tok.is("FUNCTION") {
		lex.next()
	}
	// The first part of the name has been read: whatever it is called, it is not a clause.
	st := statement{kind: kindInsert, format: "Values", splice: -1}
	depth := 0
	afterDot := false
	for tok = lex.next(); !tok.end; tok = lex.next() {
		depth += tok.nesting()
		named := afterDot
		afterDot = tok.punct == '.'
		if depth > 0 || named || tok.word == "" {
			continue
		}
		switch {
		case tok.is("SELECT"), tok.is("WITH"), tok.is("FROM"), tok.is("EXPLAIN"), tok.is("EXECUTE"):
			return readRest(lex, kindOther, tok)
		case tok.is("SETTINGS"):
			st.splice = tok.start
		case tok.is("VALUES"):
			return st.withData(tok.start, lex.at)
		case tok.is("FORMAT"):
			name := lex.next()
			if name.is("VALUES") {
				name.word = "Values"
			}
			st.format = name.word
			return st.withData(tok.start, skipToData(lex.text, lex.at))
		}
	}
	return st.withData(len(lex.text), len(lex.text))
}

func (st statement) withData(clauseAt, dataAt int) statement {
	st.clauseAt, st.dataAt = clauseAt, dataAt
	if st.splice < 0 {
		st.splice = clauseAt
	}
	return st
}

// fromFile is the insert with its data in a file. The engine expands globs in the path and takes a suffix for a
// compression, so the path must have neither.
func (st statement) fromFile(text, path string) string {
	return text[:st.splice] + " FROM INFILE " + quote('\'', path) + " " + text[st.splice:st.clauseAt] + " FORMAT " + st.format
}

// skipToData steps over what may stand between a FORMAT clause and its data: an optional semicolon, blanks, and one line end.
func skipToData(text string, at int) int {
	at = skipBlanks(text, at)
	if strings.HasPrefix(text[at:], ";") {
		at = skipBlanks(text, at+1)
	}
	if strings.HasPrefix(text[at:], "\r") {
		at++
	}
	if strings.HasPrefix(text[at:], "\n") {
		at++
	}
	return at
}

func skipBlanks(text string, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == '\f') {
		at++
	}
	return at
}

// token is one word, quoted thing, number or punctuation mark. Exactly one of word, punct, quoted and end is set.
type token struct {
	word   string
	punct  byte
	quoted bool
	end    bool
	start  int
}

func (t token) is(keyword string) bool { return strings.EqualFold(t.word, keyword) }

func (t token) nesting() int {
	switch t.punct {
	case '(', '[', '{':
		return 1
	case ')', ']', '}':
		return -1
	default:
		return 0
	}
}

// lexer cuts ClickHouse SQL into tokens: quotes with backslash and doubled-quote escapes, heredocs, and the three kinds
// of comment. It never fails: what is not closed reaches to the end of the text.
type lexer struct {
	text string
	at   int
}

func (l *lexer) next() token {
	l.skipSpaceAndComments()
	start := l.at
	if start >= len(l.text) {
		return token{end: true, start: start}
	}
	c := l.text[start]
	switch {
	case c == '\'' || c == '"' || c == '`':
		l.skipQuoted(c)
		return token{quoted: true, start: start}
	case c == '$' && l.skipHeredoc():
		return token{quoted: true, start: start}
	case isWordByte(c):
		for l.at < len(l.text) && isWordByte(l.text[l.at]) {
			l.at++
		}
		return token{word: l.text[start:l.at], start: start}
	default:
		l.at++
		return token{punct: c, start: start}
	}
}

func (l *lexer) skipSpaceAndComments() {
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		switch {
		case strings.IndexByte(" \t\r\n\f\v", rest[0]) >= 0:
			l.at++
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "#!"), strings.HasPrefix(rest, "# "):
			l.skipPast("\n", 0)
		case strings.HasPrefix(rest, "/*"):
			l.skipPast("*/", 2)
		default:
			return
		}
	}
}

// skipPast moves behind the next mark that starts at least from bytes further on, or to the end.
func (l *lexer) skipPast(mark string, from int) {
	i := strings.Index(l.text[l.at+from:], mark)
	if i < 0 {
		l.at = len(l.text)
		return
	}
	l.at += from + i + len(mark)
}

func (l *lexer) skipQuoted(quote byte) {
	for l.at++; l.at < len(l.text); l.at++ {
		switch l.text[l.at] {
		case '\\':
			l.at++
		case quote:
			l.at++
			if l.at >= len(l.text) || l.text[l.at] != quote {
				return
			}
		}
	}
	l.at = len(l.text)
}

// skipHeredoc steps over $tag$…$tag$ and reports whether there was one.
func (l *lexer) skipHeredoc() bool {
	i := l.at + 1
	for i < len(l.text) && isWordByte(l.text[i]) {
		i++
	}
	if i >= len(l.text) || l.text[i] != '$' {
		return false
	}
	tag := l.text[l.at : i+1]
	l.skipPast(tag, len(tag))
	return true
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
