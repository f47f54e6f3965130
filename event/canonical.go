package event

import (
	"net/netip"
	"strings"
	"unicode/utf8"
)

// CanonicalKey is the one spelling in which a key of that kind is compared; it is empty for placeholders such as "unknown" or "-" and for
// addresses that name nobody (unspecified, loopback, multicast, broadcast).
func CanonicalKey(kind EntityKind, s string) string {
	s = strings.TrimSpace(s)
	if Placeholder(s) {
		return ""
	}
	switch kind {
	case EntityIP:
		if a, ok := IPv4(s); ok {
			if a[0] == 127 || a[0]&0xf0 == 224 || a == [4]byte{} || a == broadcastV4 {
				return ""
			}
			return s
		}
		ip, err := netip.ParseAddr(s)
		if err != nil || ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast() || ip == broadcast {
			return ""
		}
		ip = ip.Unmap().WithZone("")
		var buf [64]byte
		if text := ip.AppendTo(buf[:0]); string(text) != s {
			return string(text)
		}
		return s
	case EntityMAC:
		mac, ok := MAC(s)
		if !ok || mac == "00:00:00:00:00:00" || mac == "ff:ff:ff:ff:ff:ff" {
			return ""
		}
		return mac
	}
	if kind.caseless() {
		return lower(strings.TrimSuffix(s, "."))
	}
	return s
}

var (
	broadcastV4 = [4]byte{255, 255, 255, 255}
	broadcast   = netip.AddrFrom4(broadcastV4)
)

// caseless reports whether keys of the kind are compared in lower case.
func (k EntityKind) caseless() bool {
	switch k {
	case EntityUser, EntityDevice, EntityRobot, EntityDomain, EntityHash:
		return true
	}
	return false
}

// lower is strings.ToLower without an allocation where nothing changes.
func lower(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf {
			return strings.ToLower(s)
		}
	}
	return s
}

// asciiCapital reports whether s is ASCII and has a capital.
func asciiCapital(s string) bool {
	capital := false
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
		capital = capital || s[i]-'A' < 26
	}
	return capital
}

func appendLowerASCII(dst []byte, s string) []byte { return lowerInPlace(append(dst, s...)) }

func lowerInPlace(b []byte) []byte {
	for i, c := range b {
		if c-'A' < 26 {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}

// Placeholder reports whether s is one of the words that products write where they know nothing; the all-zero GUID is one of them.
func Placeholder(s string) bool {
	s = strings.TrimSpace(s)
	if s == "" {
		return true
	}
	switch s[0] {
	case '0':
		return s == "00000000-0000-0000-0000-000000000000"
	case '9':
		return len(s) <= 32 && strings.HasPrefix(s, "9999-12-31")
	case '-', '(', 'n', 'N', 'u', 'U', 'r', 'R': // As the words below begin.
	default:
		return false
	}
	for _, word := range placeholders {
		if len(s) == len(word) && strings.EqualFold(s, word) {
			return true
		}
	}
	return false
}

var placeholders = [...]string{
	"-", "none", "null", "nil", "unknown", "n/a", "na", "(null)", "undefined", "not available", "unavailable", "redacted",
}

// MAC is the canonical form of a hardware address in any usual spelling (colons, dashes, dots, bare): lower case with colons. Text
// after the address, such as the SSID of a RADIUS Called-Station-Id, is ignored.
func MAC(s string) (string, bool) {
	if len(s) == 17 && canonicalMAC(s) {
		return s, true
	}
	var b [17]byte
	n, digits := 0, 0
	for i := 0; i < len(s) && digits < 12; i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f':
		case c >= 'A' && c <= 'F':
			c += 'a' - 'A'
		case (c == ':' || c == '-' || c == '.') && digits > 0 && digits%2 == 0:
			continue
		default:
			return "", false
		}
		if digits > 0 && digits%2 == 0 {
			b[n] = ':'
			n++
		}
		b[n] = c
		n++
		digits++
	}
	if digits != 12 {
		return "", false
	}
	return string(b[:]), true
}

func canonicalMAC(s string) bool {
	for i := range len(s) {
		c := s[i]
		if i%3 == 2 {
			if c != ':' {
				return false
			}
			continue
		}
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// macStrength: a burnt-in address usually names one device; a locally administered one (second-lowest bit of the first octet) is
// often random and changes.
func macStrength(mac string) Strength {
	m, ok := MAC(mac)
	if !ok {
		return Context
	}
	switch m[1] {
	case '2', '3', '6', '7', 'a', 'b', 'e', 'f':
		return Weak
	}
	return Medium
}
