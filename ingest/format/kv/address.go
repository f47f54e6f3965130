package kv

import (
	"net/netip"
	"strings"
)

// MAC returns the canonical form of a hardware address: lower case, six bytes, colons. It reads
// a8:7e:…, A8-7E-…, 0023.df00.0001, a87e-eabc-6ac9, a87eea-bc6ac9, A87EEABC6AC9, single-digit bytes
// (0:8:5d:…) and the DHCP client id form (01:a8:7e:…, hardware type first). It drops what RADIUS appends
// to a station id ("A8-7E-EA-BC-6A-C9:guest").
// The all-zero and broadcast addresses are returned like any other; see NoMAC.
func MAC(s string) (string, bool) {
	s = strings.TrimSpace(s)
	var b [6]byte
	rest, sep, ok := hexBytes(s, &b)
	if !ok || rest != "" && strings.IndexByte(": ,;/()-", rest[0]) < 0 {
		return "", false
	}
	if rest != "" && sep == ':' && isIPv6(s) {
		return "", false
	}
	if b[0] == 1 && len(rest) == 3 && rest[0] == sep && hexValue(rest[1]) >= 0 && hexValue(rest[2]) >= 0 {
		copy(b[:], b[1:])
		b[5] = byte(hexValue(rest[1])<<4 | hexValue(rest[2]))
	}
	var out [17]byte
	const digits = "0123456789abcdef"
	for i, c := range b {
		out[3*i], out[3*i+1] = digits[c>>4], digits[c&15]
		if i < 5 {
			out[3*i+2] = ':'
		}
	}
	return string(out[:]), true
}

func isIPv6(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6()
}

// NoMAC reports whether a canonical address names no device: all zeros, or broadcast.
func NoMAC(mac string) bool { return mac == "00:00:00:00:00:00" || mac == "ff:ff:ff:ff:ff:ff" }

// hexBytes reads six bytes from the start of s, in groups of one, two, three or six bytes. It returns
// what follows and the separator, 0 where there is none.
func hexBytes(s string, out *[6]byte) (rest string, sep byte, ok bool) {
	width := 0
	for width < len(s) && hexValue(s[width]) >= 0 {
		width++
	}
	switch {
	case width == 12:
		return s[12:], 0, packed(s[:12], out[:])
	case width == 4 && len(s) >= 14 && (s[4] == '.' || s[4] == '-') && s[9] == s[4]:
		ok = packed(s[:4], out[:2]) && packed(s[5:9], out[2:4]) && packed(s[10:14], out[4:])
		return s[14:], s[4], ok
	case width == 6 && len(s) >= 13 && (s[6] == '-' || s[6] == ':'):
		return s[13:], s[6], packed(s[:6], out[:3]) && packed(s[7:13], out[3:])
	case width == 0 || width > 2 || width == len(s) || s[width] != ':' && s[width] != '-':
		return "", 0, false
	}
	sep = s[width]
	for i := range out {
		if i > 0 {
			if s == "" || s[0] != sep {
				return "", 0, false
			}
			s = s[1:]
		}
		v, w := 0, 0
		for w < len(s) && w < 2 && hexValue(s[w]) >= 0 {
			v, w = v<<4|hexValue(s[w]), w+1
		}
		if w == 0 {
			return "", 0, false
		}
		out[i], s = byte(v), s[w:]
	}
	return s, sep, true
}

func packed(s string, out []byte) bool {
	for i := range out {
		hi, lo := hexValue(s[2*i]), hexValue(s[2*i+1])
		if hi < 0 || lo < 0 {
			return false
		}
		out[i] = byte(hi<<4 | lo)
	}
	return true
}

func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// IP returns the canonical form of an IP address: v4-in-v6 unmapped; zone, brackets, port, prefix length
// and a leading slash dropped ("[fe80::1%eth0]:443", "192.0.2.1:52345", "::ffff:192.0.2.1", "/192.0.2.1").
// IPv4 with leading zeros is refused, since readers disagree on it.
func IP(s string) (string, bool) {
	a, ok := Addr(s)
	if !ok {
		return "", false
	}
	return a.String(), true
}

// Addr is IP as a netip.Addr, without a zone.
func Addr(s string) (netip.Addr, bool) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "/")
	if strings.HasPrefix(s, "[") {
		inside, _, closed := strings.Cut(s[1:], "]")
		if !closed {
			return netip.Addr{}, false
		}
		s = inside
	} else if i := strings.IndexByte(s, ':'); i > 0 && strings.IndexByte(s[i+1:], ':') < 0 {
		if !allDigits(s[i+1:]) {
			return netip.Addr{}, false
		}
		s = s[:i]
	}
	s, prefix, cut := strings.Cut(s, "/")
	if cut && !allDigits(prefix) || len(s) > 64 || len(s) < 2 {
		return netip.Addr{}, false
	}
	// Host names are common here, and ParseAddr allocates an error for each.
	if hexValue(s[0]) < 0 && s[0] != ':' || strings.IndexByte(s, '.') < 0 && strings.IndexByte(s, ':') < 0 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return s != ""
}

// placeholders are texts that senders write for "nothing", in lower case.
var placeholders = [...]string{
	"-", "--", "n/a", "na", "none", "null", "nil", "<null>", "(null)", "<none>", "unknown", "undefined", "<unknown>",
	"not available", "not applicable", "(empty)", "<empty>", "n\\a",
}

// Placeholder reports whether a value means "nothing": empty or blank, None, null, unknown, undefined, -,
// N/A and the like in any case, and the dates 9999-12-31 and 0001-01-01.
func Placeholder(s string) bool {
	s = strings.TrimSpace(s)
	if s == "" {
		return true
	}
	if len(s) >= 10 && (s[:10] == "9999-12-31" || s[:10] == "0001-01-01") {
		return true
	}
	if len(s) > len("not applicable") {
		return false
	}
	for _, p := range placeholders {
		if strings.EqualFold(s, p) {
			return true
		}
	}
	return false
}

// Known is s, or "" where s is a placeholder.
func Known(s string) string {
	if Placeholder(s) {
		return ""
	}
	return s
}
