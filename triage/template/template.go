// Package template finds what lines of log text have in common: texts of the same shape become one template with a mark where they differ. It
// follows the idea of Drain (He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017): a tree by number of words and
// leading words narrows the search, a similarity decides at its leaves. It is deterministic and bounded: the same texts in the same order give
// the same templates, and however hostile they are, no more than Config allows is kept.
package template

import (
	"cmp"
	"strconv"
	"strings"
	"unicode"
)

// Config bounds a miner. Zero members take their defaults.
type Config struct {
	Depth      int // Leading words that must agree; 2 by default.
	Similarity int // Per cent of words that must agree to join a template; 50 by default.
	Templates  int // Most templates; 512 by default. Past that, texts join the one of their length that differs everywhere.
	Words      int // Words of a text that are looked at; 48 by default. The rest counts as one that differs.
	Word       int // Bytes of a word that are looked at; 64 by default.

	// Numbers: words differ only where both hold a digit; texts in which other words differ have templates of their own.
	Numbers bool
}

// Mark stands where texts of a template differ.
const Mark = "*"

// Template is a shape that texts have in common.
type Template struct {
	ID    int // From 0, in the order in which templates were first seen.
	Size  int // How many texts have it.
	words []string
	wild  []bool
}

// Text is the template with Mark for each run of words that differ.
func (t *Template) Text() string {
	if t == nil {
		return ""
	}
	var b strings.Builder
	for i, w := range t.words {
		if t.wild[i] {
			if i > 0 && t.wild[i-1] {
				continue
			}
			w = Mark
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	return b.String()
}

// Varies reports whether texts of the template differ.
func (t *Template) Varies() bool {
	for _, w := range t.wild {
		if w {
			return true
		}
	}
	return false
}

// Miner collects texts. It is not safe for concurrent use.
type Miner struct {
	cfg    Config
	all    []*Template
	leaves map[string][]*Template
}

// New makes an empty miner.
func New(cfg Config) *Miner {
	cfg.Depth, cfg.Similarity, cfg.Templates = cmp.Or(cfg.Depth, 2), cmp.Or(cfg.Similarity, 50), cmp.Or(cfg.Templates, 512)
	cfg.Words, cfg.Word = cmp.Or(cfg.Words, 48), cmp.Or(cfg.Word, 64)
	return &Miner{cfg: cfg, leaves: map[string][]*Template{}}
}

// Add puts a text to the template it fits, which may thereby become more general, or to a new one.
func (m *Miner) Add(text string) *Template {
	words, wild := m.split(text)
	leaf := m.leaf(words, wild)
	best, score := (*Template)(nil), -1
	for _, t := range m.leaves[leaf] {
		if s := t.alike(words, m.cfg.Numbers); s > score {
			best, score = t, s
		}
	}
	if best != nil && score*100 >= m.cfg.Similarity*len(words) {
		best.join(words)
		return best
	}
	if len(m.all) >= m.cfg.Templates {
		return m.rest(len(words))
	}
	return m.put(leaf, words, wild)
}

// Templates lists what was found, in the order in which it was first seen. The slice is the miner's own.
func (m *Miner) Templates() []*Template { return m.all }

// Largest is the template of the most texts, the earliest of equals; nil before the first text.
func (m *Miner) Largest() *Template {
	var best *Template
	for _, t := range m.all {
		if best == nil || t.Size > best.Size {
			best = t
		}
	}
	return best
}

// split cuts a text into words. What is past the bound is one that differs.
func (m *Miner) split(text string) (words []string, wild []bool) {
	for w := range strings.FieldsSeq(text) {
		if len(words) == m.cfg.Words {
			words, wild = append(words, Mark), append(wild, true)
			break
		}
		if len(w) > m.cfg.Word {
			w = strings.ToValidUTF8(w[:m.cfg.Word], "")
		}
		words, wild = append(words, w), append(wild, false)
	}
	if len(words) == 0 {
		return []string{""}, []bool{false}
	}
	return words, wild
}

// leaf is the place in the tree: the number of words, and the leading ones. One with a digit does not narrow.
func (m *Miner) leaf(words []string, wild []bool) string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(len(words)))
	for i, w := range words[:min(m.cfg.Depth, len(words))] {
		b.WriteByte(0)
		if wild[i] || numbered(w) {
			continue
		}
		b.WriteString(w)
	}
	return b.String()
}

func (m *Miner) put(leaf string, words []string, wild []bool) *Template {
	t := &Template{ID: len(m.all), Size: 1, words: words, wild: wild}
	m.all = append(m.all, t)
	m.leaves[leaf] = append(m.leaves[leaf], t)
	return t
}

// rest is the template of all texts of that many words for which there is no room: everything about them differs.
func (m *Miner) rest(words int) *Template {
	leaf := "rest " + strconv.Itoa(words)
	if list := m.leaves[leaf]; len(list) > 0 {
		list[0].Size++
		return list[0]
	}
	t := m.put(leaf, make([]string, words), make([]bool, words))
	for i := range t.wild {
		t.wild[i] = true
	}
	return t
}

// alike counts the words that agree; a mark agrees with nothing, so that the less general of two templates wins.
// With numbers it is -1 where a word without a digit differs.
func (t *Template) alike(words []string, numbers bool) int {
	n := 0
	for i, w := range words {
		switch {
		case numbers && t.words[i] != w && !(numbered(t.words[i]) && numbered(w)):
			return -1
		case !t.wild[i] && t.words[i] == w:
			n++
		}
	}
	return n
}

func numbered(word string) bool { return strings.ContainsFunc(word, unicode.IsDigit) }

func (t *Template) join(words []string) {
	t.Size++
	for i, w := range words {
		if t.words[i] != w {
			t.wild[i] = true
		}
	}
}
