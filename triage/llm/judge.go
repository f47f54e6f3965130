package llm

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// word is one word of a claim.
type word struct {
	text  string // In small letters.
	name  string // The token of an entity or value, if it is one.
	first bool   // Of a clause.
}

var (
	aliasPattern = regexp.MustCompile(`\bE[0-9]{1,3}\b`)
	aliasWord    = regexp.MustCompile(`^e[0-9]{1,3}$`)
	clockWord    = regexp.MustCompile(`^[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?$`)
	dateWord     = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	integerWord  = regexp.MustCompile(`^[x×]?([0-9]{1,9})(?:st|nd|rd|th|x|×)?$`)
	linkPattern  = regexp.MustCompile(`(?i)https?:|www\.|://|mailto:|javascript:`)
)

// judge says why a claim about lines cannot be shown; "" if it can. The order of the checks is that of the reasons.
func (p *Pack) judge(text string, lines []*Line) (Reason, string) {
	if n := len([]rune(text)); n > maxText {
		return ReasonMarkup, strconv.Itoa(n) + " characters"
	}
	words, bad := p.words(text)
	if bad != "" {
		return ReasonMarkup, bad
	}
	if strings.Contains(strings.ToLower(text), p.canary()) {
		return ReasonCanary, p.canary()
	}
	e := evidenceOf(p, lines)
	for _, check := range []func([]word) (Reason, string){e.orders, e.control, e.absence, e.certainty, e.names, e.values, e.plain} {
		if reason, detail := check(words); reason != "" {
			return reason, detail
		}
	}
	return "", ""
}

// words cuts a text into words. Names are whole words whatever they are made of: their letters are never read as English.
func (p *Pack) words(text string) (words []word, bad string) {
	if m := linkPattern.FindString(text); m != "" {
		return nil, m
	}
	first := true
	for field := range strings.FieldsSeq(text) {
		core := strings.Trim(field, ".,;:()'’")
		if core == "" {
			if strings.Trim(field, "'’()") != "" {
				first = true
			}
			continue
		}
		if _, known := p.names.meaning[core]; known || tokenPattern.FindString(core) == core {
			words = append(words, word{name: core, text: core, first: first})
			first = strings.HasSuffix(field, ".") || strings.HasSuffix(field, ";") || strings.HasSuffix(field, ":") || strings.HasSuffix(field, ",")
			continue
		}
		if i := strings.IndexFunc(field, odd); i >= 0 {
			return nil, clean(field, 40)
		}
		for part := range strings.FieldsFuncSeq(core, func(r rune) bool { return r == '/' || r == '–' || r == '—' }) {
			part = strings.ToLower(strings.ReplaceAll(part, "’", "'"))
			if strings.ContainsFunc(part, func(r rune) bool { return r >= '0' && r <= '9' }) {
				words = append(words, word{text: part, first: first})
			} else {
				for piece := range strings.FieldsFuncSeq(part, func(r rune) bool { return r == '-' || r == '_' }) {
					words = append(words, word{text: piece, first: first})
					first = false
				}
			}
			first = false
		}
		first = strings.ContainsAny(field[len(field)-1:], ".;:,)")
	}
	return words, ""
}

// odd are characters that plain sentences of ours do not have.
func odd(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune(" .,;:'()/-_+×–—’", r)
}

// cited is what the cited lines, and our own facts, have to say.
type cited struct {
	pack     *Pack
	lines    []*Line
	stems    map[string]bool
	phrases  []string // normalised, with a space at each end
	facts    []string // of the whole pack, normalised
	numbers  map[string]bool
	events   int
	allowed  int                        // Index of the greatest confidence.
	distance map[string]map[string]bool // Unit to numbers: how long lines lasted and how far apart they are.
}

func evidenceOf(p *Pack, lines []*Line) *cited {
	e := &cited{pack: p, lines: lines, stems: map[string]bool{}, numbers: map[string]bool{}, allowed: slices.Index(confidences, p.Confidence), distance: map[string]map[string]bool{}}
	for _, l := range lines {
		e.events += l.Count
		for _, s := range l.phrases {
			n := normal(s)
			e.phrases = append(e.phrases, n)
			for w := range strings.FieldsSeq(n) {
				e.stems[stem(w)] = true
			}
		}
		for _, s := range l.numbers {
			e.numbers[strings.ToLower(s)] = true
		}
	}
	for _, f := range p.facts {
		e.facts = append(e.facts, normal(f))
	}
	e.distances()
	return e
}

// distances notes how long lines lasted, and how far apart they are.
func (e *cited) distances() {
	add := func(unit string, n int64) {
		if e.distance[unit] == nil {
			e.distance[unit] = map[string]bool{}
		}
		e.distance[unit][strconv.FormatInt(n, 10)] = true
	}
	for _, a := range e.lines {
		for _, b := range e.lines {
			d := time.Duration(b.Until-a.At) * time.Microsecond
			if d <= 0 {
				continue
			}
			add("second", int64(d/time.Second))
			add("minut", int64(d/time.Minute))
			add("minut", int64(d.Round(time.Minute)/time.Minute))
			if d%time.Hour == 0 {
				add("hour", int64(d/time.Hour))
			}
		}
	}
}

// normal is text in small letters with single spaces and no punctuation.
func normal(s string) string {
	return " " + strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return r != '\'' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && r < 0x80
	}), " ") + " "
}

// saysSo reports whether words i to j stand so in what the cited lines are described by, or in a fact of ours.
func (e *cited) saysSo(words []word, i, j int) bool {
	var b strings.Builder
	for _, w := range words[i:j] {
		b.WriteString(" " + w.text)
	}
	window := b.String() + " "
	has := func(s string) bool { return strings.Contains(s, window) }
	return slices.ContainsFunc(e.phrases, has) || slices.ContainsFunc(e.facts, has)
}

// quoted reports whether the word and a neighbour stand so in a phrase about the cited lines.
func (e *cited) quoted(words []word, i int) bool {
	return i > 0 && e.saysSo(words, i-1, i+1) || i+1 < len(words) && e.saysSo(words, i, i+2)
}

func (e *cited) orders(words []word) (Reason, string) {
	for i, w := range words {
		if w.name != "" {
			continue
		}
		if orderWords[w.text] || w.first && imperatives[w.text] || i > 0 && (words[i-1].text == "then" || words[i-1].text == "to" && i == 1) && imperatives[w.text] {
			return ReasonOrder, w.text
		}
	}
	return "", ""
}

// control words are refused, but for what a robot or program itself reported: a protective stop that the cited lines call so.
func (e *cited) control(words []word) (Reason, string) {
	for i, w := range words {
		if w.name == "" && controlWords[stem(w.text)] && !e.quoted(words, i) {
			return ReasonControl, w.text
		}
	}
	return "", ""
}

func (e *cited) absence(words []word) (Reason, string) {
	for i, w := range words {
		if w.name != "" || !absenceWords[w.text] || e.numbers[w.text] {
			continue
		}
		if end := min(i+4, len(words)); end-i < 2 && i == 0 || !e.saysSo(words, i, end) && !(end-i < 4 && e.quoted(words, i)) {
			return ReasonAbsence, w.text
		}
	}
	return "", ""
}

func (e *cited) certainty(words []word) (Reason, string) {
	for _, w := range words {
		if need, ok := certainty[w.text]; ok && w.name == "" && need > e.allowed {
			return ReasonCertainty, w.text
		}
	}
	return "", ""
}

func (e *cited) names(words []word) (Reason, string) {
	for _, w := range words {
		if w.name != "" && !slices.ContainsFunc(e.lines, func(l *Line) bool { return slices.Contains(l.entities, w.name) }) {
			return ReasonName, w.name
		}
	}
	return "", ""
}

func (e *cited) values(words []word) (Reason, string) {
	for i, w := range words {
		if w.name != "" {
			continue
		}
		digits := strings.ContainsFunc(w.text, func(r rune) bool { return r >= '0' && r <= '9' })
		switch {
		case digits && !e.grounded(words, i, w.text), numberWords[w.text] != "" && !e.grounded(words, i, numberWords[w.text]):
			return ReasonValue, w.text
		case pluralWords[w.text] && e.events < 2, universalWords[w.text] && !e.quoted(words, i):
			return ReasonValue, w.text
		}
	}
	return "", ""
}

// grounded reports whether a number, time, version or the like is in the cited lines or our counts.
func (e *cited) grounded(words []word, i int, v string) bool {
	if e.numbers[v] || strings.Contains(v, ".") && e.numbers[strings.TrimPrefix(v, "v")] {
		return true
	}
	switch {
	case aliasWord.MatchString(v):
		return slices.ContainsFunc(e.lines, func(l *Line) bool { return strings.EqualFold(l.Alias, v) })
	case clockWord.MatchString(v):
		return slices.ContainsFunc(e.lines, func(l *Line) bool { return isClock(v, l.At) || isClock(v, l.Until) })
	case dateWord.MatchString(v):
		return slices.ContainsFunc(e.lines, func(l *Line) bool { return time.UnixMicro(l.At).UTC().Format(time.DateOnly) == v })
	}
	m := integerWord.FindStringSubmatch(v)
	if m == nil {
		return strings.ContainsFunc(v, func(r rune) bool { return r >= 'a' && r <= 'z' }) && slices.ContainsFunc(e.phrases, func(s string) bool { return strings.Contains(s, " "+v+" ") })
	}
	n := m[1]
	if e.numbers[n] || n == strconv.Itoa(e.events) && e.events > 1 {
		return true
	}
	for _, next := range words[min(i+1, len(words)):min(i+3, len(words))] {
		s := stem(next.text)
		if s == "min" {
			s = "minut"
		}
		if e.distance[s][n] {
			return true
		}
		for noun, count := range e.pack.counts {
			if stem(noun) == s && strconv.Itoa(count) == n {
				return true
			}
		}
	}
	return false
}

func isClock(v string, at int64) bool {
	s := clockOf(at)
	if len(v) < 5 || v[1] == ':' {
		v = "0" + v
	}
	return v == s || v == s[:5]
}

// plain looks for words that neither plain English nor the cited lines have, and for a claim that says nothing of what it cites.
func (e *cited) plain(words []word) (Reason, string) {
	about, read := false, 0
	for _, w := range words {
		read++
		if w.name != "" {
			about = true
			continue
		}
		s := stem(w.text)
		value := strings.ContainsFunc(w.text, func(r rune) bool { return r >= '0' && r <= '9' }) || numberWords[w.text] != ""
		if !value && !plainWords[s] && !e.stems[s] && certainty[w.text] == 0 && !universalWords[w.text] && !absenceWords[w.text] {
			return ReasonWord, w.text
		}
		about = about || e.stems[s] && len(s) > 3
	}
	if !about || read < 3 {
		return ReasonEmpty, ""
	}
	return "", ""
}
