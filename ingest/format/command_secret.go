package format

import (
	"bytes"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// Bounds of the search for secrets in one record: how many, and in how many places.
const (
	maxSecrets      = 64
	maxSecretPlaces = 4096
)

// maskCommand masks the credentials in a command line of a network device or a shell ("username x secret 9 WORD", "snmp-server community
// WORD", "--password=WORD") and lists them.
func maskCommand(line string) (masked string, secrets []string) {
	if !holdsSecretWord(line) {
		return line, nil
	}
	words := strings.Fields(line)
	follows := false
	for i, w := range words {
		name, value, assigned := strings.Cut(w, "=")
		switch {
		case assigned && secretName(name) && value != "":
			secrets = append(secrets, value)
			words[i] = name + "=[redacted]"
			follows = false
		case secretKeyword(w):
			follows = true
		case follows && len(w) == 1 && w[0]-'0' <= 9:
			// The kind of encryption stands between the keyword and the secret.
		case follows:
			secrets = append(secrets, w)
			words[i] = "[redacted]"
			follows = false
		}
		if len(secrets) == maxSecrets {
			words = append(words[:i+1], "…") // Nobody types that many; what follows may hold more of them.
			break
		}
	}
	if secrets == nil {
		return line, nil
	}
	return strings.Join(words, " "), secrets
}

func holdsSecretWord(line string) bool {
	low := strings.ToLower(line)
	for _, w := range [...]string{"passw", "secret", "key", "community", "token", "passphrase"} {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}

// secretKeyword names the words after which a credential stands.
func secretKeyword(w string) bool {
	switch strings.ToLower(strings.TrimLeft(w, "-")) {
	case "password", "secret", "key", "key-string", "community", "passphrase", "pre-shared-key", "passwd", "token":
		return true
	}
	return false
}

// redactWords takes secrets out of the stored record, wherever they stand in it, and marks the event.
func redactWords(e *event.Event, rec *event.Record, secrets []string) {
	if len(secrets) == 0 {
		return
	}
	e.Envelope.Quality |= event.Redacted
	var parts [][]byte
	for _, secret := range secrets {
		for from := 0; secret != "" && len(parts) < maxSecretPlaces; {
			i := bytes.Index(rec.Value[from:], []byte(secret))
			if i < 0 {
				break
			}
			parts = append(parts, rec.Value[from+i:from+i+len(secret)])
			from += i + len(secret)
		}
	}
	redactRaw(e, rec, parts...)
}

// maskWords replaces secrets in a text.
func maskWords(s string, secrets []string) string {
	for _, secret := range secrets {
		s = strings.ReplaceAll(s, secret, "[redacted]")
	}
	return s
}
