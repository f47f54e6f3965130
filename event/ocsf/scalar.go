package ocsf

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"unicode/utf8"
)

// scalar checks a value that is not an object and returns where it lies, and
// its number if it is an integer.
func (v *Validator) scalar(a *attribute) (span, int64, bool) {
	c := &v.cursor
	first := c.kind()
	switch a.kind {
	case kindJSON:
		return c.skip(), 0, true
	case kindBoolean:
		if first == 't' || first == 'f' {
			return c.literal(), 0, true
		}
	case kindFloat:
		if isNumber(first) {
			return v.float(a)
		}
	case kindInteger, kindLong, kindTimestamp, kindPort:
		if isNumber(first) {
			return v.integer(a)
		}
	default:
		if first == '"' {
			text := c.str()
			v.checkString(a, text)
			return text, 0, true
		}
	}
	v.wrongType(a, "")
	return span{}, 0, false
}

func isNumber(first byte) bool { return first == '-' || first >= '0' && first <= '9' }

// float refuses a number without fraction and exponent, as the OCSF server
// does: readers that tell integers from floats would see another type.
func (v *Validator) float(a *attribute) (span, int64, bool) {
	s := v.cursor.literal()
	if !bytes.ContainsAny(v.cursor.text(s), ".eE") {
		v.report(Error, CodeWrongType, fmt.Sprintf("want float_t: write %s.0", v.cursor.text(s)))
		return span{}, 0, false
	}
	return s, 0, true
}

func (v *Validator) integer(a *attribute) (span, int64, bool) {
	s := v.cursor.literal()
	text := v.cursor.text(s)
	n, ok := integer(text)
	if !ok {
		v.report(Error, CodeWrongType, fmt.Sprintf("want %s, a whole number of 64 bits, got %.40s", kindNames[a.kind], text))
		return span{}, 0, false
	}
	if a.kind == kindPort && (n < 0 || n > 65535) {
		v.report(Error, CodeOutOfRange, fmt.Sprintf("port %d is outside 0 to 65535", n))
		return span{}, 0, false
	}
	if a.enum == 0 {
		return s, n, true
	}
	i, ok := enums[a.enum].find(n)
	if !ok {
		v.report(Error, CodeEnumUnknown, fmt.Sprintf("%d is not a value of %s", n, a.name))
		return span{}, 0, false
	}
	if d := enums[a.enum][i].Deprecated; d != "" {
		v.report(Warning, CodeEnumDeprecated, fmt.Sprintf("%d is deprecated: %s", n, d))
	}
	return s, n, true
}

func (v *Validator) checkString(a *attribute, s span) {
	if a.kind == kindString {
		if a.enum != 0 {
			v.checkStringEnum(a, s)
		}
		return
	}
	text := v.unescaped(s)
	if limit := maxLength(a.kind); limit > 0 && len(text) > limit && utf8.RuneCount(text) > limit {
		v.report(Error, CodeTooLong, fmt.Sprintf("%d characters, %s has at most %d", utf8.RuneCount(text), kindNames[a.kind], limit))
	}
	if !v.matches(a.kind, text) {
		v.report(Warning, CodePatternNotMatched, fmt.Sprintf("%.80q does not look like %s", text, kindNames[a.kind]))
	}
}

func (v *Validator) checkStringEnum(a *attribute, s span) {
	text := string(v.unescaped(s))
	if !slices.Contains(stringEnums[a.enum], text) {
		v.report(Error, CodeEnumUnknown, fmt.Sprintf("%.80q is not a value of %s", text, a.name))
	}
}

func maxLength(k kind) int {
	switch k {
	case kindIP:
		return 40
	case kindMAC:
		return 32
	case kindSubnet:
		return 42
	}
	return 0
}

// matches applies the dictionary's pattern. What the quick check of a kind
// accepts, its pattern accepts; what it does not, the pattern decides.
func (v *Validator) matches(k kind, text []byte) bool {
	if int(k) >= len(patterns) || patterns[k] == "" || quick(k, text) {
		return true
	}
	if v.patterns[k] == nil {
		v.patterns[k] = regexp.MustCompile(patterns[k])
	}
	return v.patterns[k].Match(text)
}

func quick(k kind, text []byte) bool {
	switch k {
	case kindIP:
		return quickIP(text)
	case kindMAC:
		return quickMAC(text)
	case kindEmail:
		return quickEmail(text)
	case kindUUID:
		return quickUUID(text)
	case kindDatetime:
		return quickDatetime(text)
	}
	return false
}

func quickIP(text []byte) bool {
	if len(text) > 45 {
		return false
	}
	if bytes.IndexByte(text, ':') >= 0 {
		a, err := netip.ParseAddr(string(text))
		return err == nil && a.Zone() == ""
	}
	parts := 0
	for part := range bytes.SplitSeq(text, []byte{'.'}) {
		if parts++; !isOctet(part) {
			return false
		}
	}
	return parts == 4
}

func isOctet(text []byte) bool {
	if len(text) == 0 || len(text) > 3 || len(text) > 1 && text[0] == '0' {
		return false
	}
	n := 0
	for _, d := range text {
		if !isDigit(d) {
			return false
		}
		n = n*10 + int(d-'0')
	}
	return n < 256
}

func quickMAC(text []byte) bool {
	if len(text) != 17 {
		return false
	}
	for i, b := range text {
		if i%3 == 2 {
			if b != ':' && b != '-' {
				return false
			}
		} else if !isHex(b) {
			return false
		}
	}
	return true
}

func quickEmail(text []byte) bool {
	local, domain, ok := bytes.Cut(text, []byte{'@'})
	if !ok || len(local) == 0 {
		return false
	}
	for _, b := range local {
		if !isAlphanumeric(b) && b != '.' && b != '_' && b != '-' && b != '+' {
			return false
		}
	}
	dot := bytes.IndexByte(domain, '.')
	if dot <= 0 || dot == len(domain)-1 {
		return false
	}
	for _, b := range domain {
		if !isAlphanumeric(b) && b != '-' && b != '.' {
			return false
		}
	}
	return true
}

func quickUUID(text []byte) bool {
	if len(text) != 36 {
		return false
	}
	for i, b := range text {
		switch i {
		case 8, 13, 18, 23:
			if b != '-' {
				return false
			}
		default:
			if !isHex(b) {
				return false
			}
		}
	}
	return true
}

// quickDatetime knows the commonest form, 2026-11-21T05:42:50[.123]Z.
func quickDatetime(text []byte) bool {
	const layout = "dddd-dd-ddTdd:dd:dd"
	if len(text) < len(layout)+1 || text[len(text)-1] != 'Z' {
		return false
	}
	for i := range len(layout) {
		if layout[i] == 'd' && !isDigit(text[i]) || layout[i] != 'd' && layout[i] != text[i] {
			return false
		}
	}
	fraction := text[len(layout) : len(text)-1]
	if len(fraction) == 0 {
		return true
	}
	if fraction[0] != '.' || len(fraction) == 1 {
		return false
	}
	for _, b := range fraction[1:] {
		if !isDigit(b) {
			return false
		}
	}
	return true
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isHex(b byte) bool { return isDigit(b) || b|0x20 >= 'a' && b|0x20 <= 'f' }

func isAlphanumeric(b byte) bool { return isDigit(b) || b|0x20 >= 'a' && b|0x20 <= 'z' }
