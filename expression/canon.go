package expression

import (
	"encoding/binary"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Canon appends s with every character replaced by one that stands for all its spellings: those that Unicode's simple case folding, lower case
// and upper case connect (k, K and the Kelvin sign; i, I, İ and ı). Bytes that are not UTF-8 become U+FFFD. So what holds of two texts in any
// of these foldings holds of their canonical forms, which is what an index needs; the reverse is not promised.
func Canon(dst []byte, s string) []byte {
	from := len(dst)
	dst = slices.Grow(dst, len(s))
	out := dst[from : from+len(s)]
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := eightAt(s, i)
		if w&highBits != 0 {
			return canonSlow(dst[:from+i], s[i:])
		}
		binary.LittleEndian.PutUint64(out[i:], lowerEight(w))
	}
	if i < len(s) && len(s) >= 8 { // The last eight bytes once more, of which some are done.
		w := eightAt(s, len(s)-8)
		if w&highBits != 0 {
			return canonSlow(dst[:from+i], s[i:])
		}
		binary.LittleEndian.PutUint64(out[len(s)-8:], lowerEight(w))
		return dst[:from+len(s)]
	}
	for ; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return canonSlow(dst[:from+i], s[i:])
		}
		out[i] = lowerASCII[c]
	}
	return dst[:from+len(s)]
}

func eightAt(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// One bit or byte of each of eight bytes.
const (
	eachByte = 0x0101010101010101
	highBits = 0x80 * eachByte
)

// lowerEight makes the capitals among eight bytes of ASCII small: a byte from A on carries into its high bit, one beyond Z carries in both sums.
func lowerEight(w uint64) uint64 {
	capital := (w + (0x80-'A')*eachByte) &^ (w + (0x80-'Z'-1)*eachByte) & highBits
	return w | capital>>2
}

func canonSlow(dst []byte, s string) []byte {
	for _, r := range s {
		dst = utf8.AppendRune(dst, canonRune(r))
	}
	return dst
}

// canonRune is the smallest lower-case character of those connected with r.
func canonRune(r rune) rune {
	switch {
	case r < utf8.RuneSelf:
		return rune(lowerASCII[r])
	case r == 'İ' || r == 'ı':
		return 'i' // The one pair that lower and upper case connect, and folding does not.
	}
	low := unicode.ToLower(r)
	least := low
	for x := unicode.SimpleFold(low); x != low; x = unicode.SimpleFold(x) {
		if x < utf8.RuneSelf {
			return rune(lowerASCII[x])
		}
		least = min(least, x)
	}
	return least
}

// lowerASCII maps the capitals of ASCII to small letters and every other byte to itself.
var lowerASCII = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if 'A' <= i && i <= 'Z' {
			t[i] += 'a' - 'A'
		}
	}
	return t
}()
