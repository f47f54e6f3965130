package event

// IPv4 reads an address in dotted decimal as it is written in canonical form; ok is false for anything else, be it another spelling of an address.
// It is for those who would otherwise parse most addresses of most events several times.
func IPv4(s string) (a [4]byte, ok bool) {
	if len(s) < len("0.0.0.0") || len(s) > len("255.255.255.255") {
		return a, false
	}
	at, value, digits := 0, 0, 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c-'0' <= 9:
			if digits > 0 && value == 0 { // A leading zero.
				return a, false
			}
			value = 10*value + int(c-'0')
			if digits++; value > 255 {
				return a, false
			}
		case c == '.' && digits > 0 && at < 3:
			a[at] = byte(value)
			at, value, digits = at+1, 0, 0
		default:
			return a, false
		}
	}
	a[3] = byte(value)
	return a, at == 3 && digits > 0
}
