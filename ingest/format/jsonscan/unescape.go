package jsonscan

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// appendUnescaped appends the text of a checked string body. The result is never longer than the body, so what is written never runs ahead of what
// is read, and eight bytes can be copied wherever eight are left.
func appendUnescaped(dst, body []byte) []byte {
	dst = slices.Grow(dst, len(body))
	out := dst[len(dst) : len(dst)+len(body)]
	n, i := 0, 0
	for {
		for i+8 <= len(body) {
			w := binary.LittleEndian.Uint64(body[i:])
			binary.LittleEndian.PutUint64(out[n:], w)
			b := w ^ ones*'\\'
			if m := (b - ones) &^ b & highs; m != 0 {
				k := bits.TrailingZeros64(m) / 8
				i, n = i+k, n+k
				break
			}
			i, n = i+8, n+8
		}
		for i < len(body) && body[i] != '\\' {
			out[n] = body[i]
			i, n = i+1, n+1
		}
		if i == len(body) {
			return dst[:len(dst)+n]
		}
		c := body[i+1]
		if c != 'u' {
			out[n] = unescaped[c]
			i, n = i+2, n+1
			continue
		}
		r, _ := hex4(body, i+2)
		if utf16.IsSurrogate(r) {
			low, _ := lowSurrogate(body, i+6)
			r = utf16.DecodeRune(r, low)
			i += 6
		}
		n += utf8.EncodeRune(out[n:], r)
		i += 6
	}
}

// unescaped is what stands for the byte after a backslash; 0 where there is no such escape.
var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (k *keySet) unescape(start, end int) keyRef {
	from := len(k.decoded)
	k.decoded = appendUnescaped(k.decoded, k.doc[start:end])
	return keyRef{
		fp: fingerprint(k.decoded[from:]), start: uint32(from), end: uint32(len(k.decoded)), escaped: true,
	}
}
