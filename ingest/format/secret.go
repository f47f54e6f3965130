package format

import "strings"

// secretWords are parts of names whose values are never stored in fields.
var secretWords = []string{"password", "passwd", "secret", "token", "credential", "keydescription", "passcode", "privatekey", "apikey", "sharedkey"}

// secretName reports whether a value of that name is likely a secret.
func secretName(name string) bool {
	if len(name) > 64 {
		return true
	}
	var folded [64]byte
	n := 0
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != '_' && c != '-' && c != ' ' {
			folded[n] = c
			n++
		}
	}
	text := textOf(folded[:n])
	for _, w := range secretWords {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// secretValue reports whether an attribute is likely a secret: its name says so, and its value is no mere flag or small number, as settings
// such as PasswordRequired have.
func secretValue(name, value string) bool {
	if !secretName(name) {
		return false
	}
	if strings.EqualFold(value, "true") || strings.EqualFold(value, "false") || strings.EqualFold(value, "[true]") || strings.EqualFold(value, "[false]") {
		return false
	}
	return len(value) > 3 || strings.Trim(value, "0123456789") != ""
}
