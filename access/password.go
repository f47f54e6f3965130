package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// How passwords are hashed: argon2id with the second recommendation of RFC 9106, section 4, which is for where 2 GiB of memory are too much:
// 3 passes over 64 MiB in 4 lanes, a salt of 128 bits and a tag of 256.
const (
	hashPasses = 3
	hashKiB    = 64 << 10
	hashLanes  = 4
	hashSalt   = 16
	hashTag    = 32
)

// What a password may be. Length is what counts (NIST SP 800-63B, 3.1.1.2); kinds of characters are not asked for.
const (
	minPassword = 12  // characters
	maxPassword = 256 // bytes
)

// hashing bounds how many passwords are hashed at once, and with it the memory: each takes 64 MiB. Others wait their turn, a few.
type hashing struct {
	kib     uint32 // Memory of one.
	turns   chan struct{}
	waiting chan struct{}
}

func newHashing(kib uint32) hashing {
	return hashing{kib, make(chan struct{}, 2), make(chan struct{}, 16)}
}

// ErrBusy means that too many sign in at once.
var ErrBusy = errors.New("too many sign in at once: try again in a moment")

func (h hashing) do(ctx context.Context, work func()) error {
	select {
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	default:
		return ErrBusy
	}
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	case <-ctx.Done():
		return ctx.Err()
	}
	work()
	return nil
}

// CheckPassword says why a password is not good enough; nil if it is.
func CheckPassword(name, password string) error {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return fmt.Errorf("the password has fewer than %d characters: use a longer one, such as four random words", minPassword)
	case len(password) > maxPassword:
		return fmt.Errorf("the password has more than %d bytes", maxPassword)
	case strings.Contains(strings.ToLower(password), strings.ToLower(name)) && 2*len(name) > len(password):
		return errors.New("the password is little more than the name: use another one")
	case strings.Count(password, password[:1]) == len(password):
		return errors.New("the password is one character again and again: use another one")
	}
	return nil
}

// hashPassword gives the hash in the usual form, $argon2id$v=19$m=65536,t=3,p=4$salt$tag.
func hashPassword(password string, kib uint32) string {
	salt := make([]byte, hashSalt)
	_, _ = rand.Read(salt)
	tag := argon2.IDKey([]byte(password), salt, hashPasses, kib, hashLanes, hashTag)
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, kib, hashPasses, hashLanes, b.EncodeToString(salt), b.EncodeToString(tag))
}

// matches reports whether the hash is of the password. A hash that is no hash matches nothing.
func matches(hash, password string) bool {
	var version int
	var kib, passes uint32
	var lanes uint8
	parts := strings.Split(hash, "$")
	known := len(parts) == 6 && parts[1] == "argon2id"
	if known {
		_, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &kib, &passes, &lanes)
		known = err == nil && version == argon2.Version && kib <= 4*hashKiB && passes >= 1 && passes <= 10 && lanes >= 1
	}
	if !known {
		parts, kib, passes, lanes = make([]string, 6), 8, 1, 1
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	tag, errTag := base64.RawStdEncoding.DecodeString(parts[5])
	got := argon2.IDKey([]byte(password), salt, passes, kib, lanes, hashTag)
	return subtle.ConstantTimeCompare(got, tag) == 1 && known && errSalt == nil && errTag == nil && len(salt) >= 8
}
