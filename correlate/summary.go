package correlate

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// summary is how the summaries of like events are made: of words that stay and of keys of the event's own entities; or, where none of these is
// in it, of a piece of the partition key.
type summary struct {
	pattern
	parts []summaryPart // nil: pattern.
}

// summaryPart is the key of an entity, or words.
type summaryPart struct {
	words  string
	entity int // Index into the event's entities; −1: words.
}

// learnSummary finds the keys of entities in a summary, the longest first.
func learnSummary(ref *event.Ref, key *keyPieces) summary {
	out := summary{pattern: learnPattern(ref.Summary, key)}
	words, text := 0, ref.Summary
	for at := 0; at < len(text); {
		best := -1
		for i := range ref.Entities {
			k := ref.Entities[i].Key
			if len(k) >= shortestPart && strings.HasPrefix(text[at:], k) && (best < 0 || len(k) > len(ref.Entities[best].Key)) {
				best = i
			}
		}
		if best < 0 {
			at++
			continue
		}
		if words < at {
			out.parts = append(out.parts, summaryPart{words: text[words:at], entity: -1})
		}
		out.parts = append(out.parts, summaryPart{entity: best})
		at += len(ref.Entities[best].Key)
		words = at
	}
	if out.parts != nil && words < len(text) {
		out.parts = append(out.parts, summaryPart{words: text[words:], entity: -1})
	}
	return out
}

// shortestPart is the shortest key that is looked for in a summary.
const shortestPart = 3

// text is the part in the summary of an event with these entities, which are as many as those it was learned from.
func (p *summaryPart) text(entities []event.EntityRef) string {
	if p.entity < 0 {
		return p.words
	}
	return entities[p.entity].Key
}

func (s *summary) is(text string, key *keyPieces, entities []event.EntityRef) bool {
	if s.parts == nil {
		return s.pattern.is(text, key)
	}
	for i := range s.parts {
		part := s.parts[i].text(entities)
		if !strings.HasPrefix(text, part) {
			return false
		}
		text = text[len(part):]
	}
	return text == ""
}

// fill is the summary of an event with these entities.
func (s *summary) fill(key *keyPieces, entities []event.EntityRef) string {
	if s.parts == nil {
		return s.pattern.fill(key)
	}
	var room [summaryRoom]byte
	return string(s.append(room[:0], key, entities))
}

// summaryRoom is enough for most summaries.
const summaryRoom = 192

// append appends what fill gives.
func (s *summary) append(b []byte, key *keyPieces, entities []event.EntityRef) []byte {
	if s.parts == nil {
		return append(b, s.pattern.fill(key)...)
	}
	for i := range s.parts {
		b = append(b, s.parts[i].text(entities)...)
	}
	return b
}
