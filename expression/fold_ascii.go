package expression

import (
	"strings"
	"unicode/utf8"
)

// asciiWord is a constant of ASCII alone, which most constants are. Only two characters outside ASCII fold into it, ſ (s) and the Kelvin sign
// (k), so that texts are compared by bytes until one outside ASCII is met; then the definition decides.
type asciiWord struct {
	low    string // In small letters.
	folded folded
	at     int  // Where its rarest byte is,
	rare   byte // this one,
	upper  byte // and the same as a capital.
	exotic bool // Has an s or a k.
}

// asciiWordOf gives the word of a constant; ok is false if the constant is not of ASCII alone, or empty.
func asciiWordOf(c string) (*asciiWord, bool) {
	if c == "" || strings.ContainsFunc(c, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return nil, false
	}
	w := &asciiWord{low: strings.ToLower(c), folded: fold(c)}
	for i := range len(w.low) {
		if rarity(w.low[i]) > rarity(w.low[w.at]) {
			w.at = i
		}
	}
	w.rare = w.low[w.at]
	w.upper = upperASCII[w.rare]
	w.exotic = strings.ContainsAny(w.low, "sk")
	return w, true
}

// rarity orders bytes by how seldom they stand in paths, commands and names; a letter counts half, since it is looked for twice.
func rarity(c byte) int {
	const common = `etaoinsrlcdmpu\. /-hgfbwvyx_k0123456789:"=jqz`
	i := strings.IndexByte(common, c)
	switch {
	case i < 0:
		return 2 * len(common)
	case 'a' <= c && c <= 'z':
		return i
	}
	return 2 * i
}

func (w *asciiWord) equals(s string) bool {
	if !asciiStarts(s, w.low) {
		return w.strange(s) && w.folded.equals(s)
	}
	return len(s) == len(w.low)
}

func (w *asciiWord) starts(s string) bool {
	return asciiStarts(s, w.low) || w.strange(s) && w.folded.starts(s)
}

func (w *asciiWord) ends(s string) bool {
	from := len(s) - len(w.low)
	if from < 0 {
		return false
	}
	for i := len(w.low) - 1; i >= 0; i-- {
		if lowerASCII[s[from+i]] != w.low[i] {
			return s[from+i] >= utf8.RuneSelf && w.strange(s) && w.folded.ends(s)
		}
	}
	return true
}

func (w *asciiWord) contains(s string) bool {
	if len(s) < len(w.low) {
		return false
	}
	last := len(s) - len(w.low) // The last place where it fits.
	if w.found(s, w.rare, last) || w.upper != w.rare && w.found(s, w.upper, last) {
		return true
	}
	return w.strange(s) && w.folded.contains(s)
}

// found looks for the word wherever c stands in the place of its rarest byte.
func (w *asciiWord) found(s string, c byte, last int) bool {
	for i := 0; i <= last; i++ {
		n := strings.IndexByte(s[i+w.at:last+w.at+1], c)
		if n < 0 {
			return false
		}
		i += n
		if asciiStarts(s[i:], w.low) {
			return true
		}
	}
	return false
}

// strange reports whether s has a character outside ASCII that folds into one of the word's.
func (w *asciiWord) strange(s string) bool {
	return w.exotic && (strings.Contains(s, "ſ") || strings.Contains(s, "\u212a"))
}

// asciiStarts compares the start of s with a word in small letters.
func asciiStarts(s, low string) bool {
	if len(s) < len(low) {
		return false
	}
	for i := range len(low) {
		if lowerASCII[s[i]] != low[i] {
			return false
		}
	}
	return true
}
