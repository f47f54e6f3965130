package jsonscan

import (
	"unicode/utf16"
	"unicode/utf8"
)

// appendUnescaped appends the text of a checked string body. The result is never longer than the body.
func appendUnescaped(dst, body []byte) []byte {
	for i := 0; i < len(body); {
		if body[i] != '\\' {
			start := i
			for i < len(body) && body[i] != '\\' {
				i++
			}
			dst = append(dst, body[start:i]...)
			continue
		}
		switch c := body[i+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(body, i+2)
			if utf16.IsSurrogate(r) {
				low, _ := lowSurrogate(body, i+6)
				r = utf16.DecodeRune(r, low)
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
			i += 4
		default:
			dst = append(dst, c)
		}
		i += 2
	}
	return dst
}

func (k *keySet) unescape(start, end int) keyRef {
	from := len(k.decoded)
	k.decoded = appendUnescaped(k.decoded, k.doc[start:end])
	return keyRef{
		fp: fingerprint(k.decoded[from:]), start: uint32(from), end: uint32(len(k.decoded)), escaped: true,
	}
}
