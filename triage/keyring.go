package triage

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Vault keeps what was made of endpoints' secrets in the console: sealed, so that who reads the store learns nothing.
type Vault interface {
	// Kept gives the latest document of an endpoint and its revision; revision 0 if there is none.
	Kept(ctx context.Context, endpoint string) (doc []byte, revision int64, err error)
	// Keep replaces the document of that revision. It fails if somebody else has.
	Keep(ctx context.Context, endpoint string, doc []byte, expected int64, by string) error
}

// ErrRotation means that a secret is not in the state that a step of its rotation needs.
var ErrRotation = errors.New("not possible")

// Rotation is how an endpoint's signing secret stands.
type Rotation struct {
	Signed bool   `json:"signed"` // Deliveries are signed.
	Made   bool   `json:"made"`   // The secret was made in the console; the configured one seals it.
	Next   bool   `json:"next"`   // A new secret is out and signs beside the present one, until it is confirmed or taken back.
	By     string `json:"by"`     // Who began or ended the last rotation.
	At     int64  `json:"at"`     // Our clock, microseconds; 0 if there was none.
}

const (
	keysEvery  = 10 * time.Second // how often the vault is looked at
	secretSize = 32               // bytes of a secret that is made here
)

// keyring holds the signing keys of an endpoint. It is safe for concurrent use.
type keyring struct {
	name       string
	configured [][]byte // secret, then next_secret

	mu     sync.Mutex
	made   kept
	looked time.Time
}

// kept is what the vault holds of an endpoint: its keys sealed.
type kept struct {
	Current []byte `json:"current,omitempty"`
	Next    []byte `json:"next,omitempty"`
	By      string `json:"by"`
	At      int64  `json:"at"`
}

func newKeyring(c EndpointConfig) (*keyring, error) {
	r := &keyring{name: c.Name}
	for _, s := range []Secret{c.Secret, c.NextSecret} {
		key, err := s.key()
		if err != nil {
			return nil, err
		}
		if key != nil {
			r.configured = append(r.configured, key)
		}
	}
	return r, nil
}

// live are the keys that a delivery is signed with, each once.
func (r *keyring) live() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := r.configured
	if key, err := r.open(r.made.Current); err == nil {
		keys = append([][]byte{key}, r.configured[1:]...)
	}
	if key, err := r.open(r.made.Next); err == nil {
		keys = append(keys[:len(keys):len(keys)], key)
	}
	return keys
}

func (r *keyring) state() Rotation {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, current := r.open(r.made.Current)
	_, next := r.open(r.made.Next)
	return Rotation{Signed: len(r.configured) > 0, Made: current == nil, Next: next == nil, By: r.made.By, At: r.made.At}
}

// load looks at the vault again, if it is time: a rotation may have been begun on another machine. A vault that is away changes nothing.
func (r *keyring) load(ctx context.Context, v Vault, now time.Time) {
	r.mu.Lock()
	due := v != nil && len(r.configured) > 0 && now.Sub(r.looked) >= keysEvery
	if due {
		r.looked = now
	}
	r.mu.Unlock()
	if due {
		_, _, _ = r.read(ctx, v)
	}
}

func (r *keyring) read(ctx context.Context, v Vault) (kept, int64, error) {
	doc, revision, err := v.Kept(ctx, r.name)
	if err != nil {
		return kept{}, 0, err
	}
	var k kept
	if revision > 0 {
		if err := json.Unmarshal(doc, &k); err != nil {
			return kept{}, 0, fmt.Errorf("the kept secret of %s cannot be read: %w", r.name, err)
		}
	}
	r.mu.Lock()
	r.made = k
	r.mu.Unlock()
	return k, revision, nil
}

// turn takes one step of a rotation: step changes what is kept, or says why not.
func (r *keyring) turn(ctx context.Context, v Vault, by string, now time.Time, step func(*kept) error) error {
	if v == nil || len(r.configured) == 0 {
		return fmt.Errorf("%w: the endpoint has no secret that could be rotated here", ErrRotation)
	}
	k, revision, err := r.read(ctx, v)
	if err != nil {
		return err
	}
	if err := step(&k); err != nil {
		return err
	}
	k.By, k.At = by, now.UnixMicro()
	doc, err := json.Marshal(k)
	if err != nil {
		return err
	}
	if err := v.Keep(ctx, r.name, doc, revision, by); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made = k
	return nil
}

// sealer is the cipher that the configured secret gives. Who changes that secret voids what was made in the console.
func (r *keyring) sealer() (cipher.AEAD, error) {
	if len(r.configured) == 0 {
		return nil, ErrRotation
	}
	key, err := hkdf.Key(sha256.New, r.configured[0], nil, "tocsin endpoint secret "+r.name, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (r *keyring) seal(key []byte) ([]byte, error) {
	s, err := r.sealer()
	if err != nil {
		return nil, err
	}
	return s.Seal(nil, nil, key, nil), nil
}

func (r *keyring) open(sealed []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, ErrRotation
	}
	s, err := r.sealer()
	if err != nil {
		return nil, err
	}
	return s.Open(nil, nil, sealed, nil)
}

// Rotate makes a new signing secret of an endpoint. From now on deliveries carry two signatures; the text of the new secret is given this
// once and nowhere kept in the clear.
func (d *Desk) Rotate(ctx context.Context, name, by string) (secret string, err error) {
	e, err := d.endpoint(name)
	if err != nil {
		return "", err
	}
	key := make([]byte, secretSize)
	_, _ = rand.Read(key)
	err = e.to.keys.turn(ctx, d.s.Vault, by, d.s.Now(), func(k *kept) error {
		if _, err := e.to.keys.open(k.Next); err == nil {
			return fmt.Errorf("%w: a new secret is out already: confirm it, or take it back", ErrRotation)
		}
		k.Next, err = e.to.keys.seal(key)
		return err
	})
	if err != nil {
		return "", err
	}
	return "whsec_" + base64.StdEncoding.EncodeToString(key), nil
}

// Confirm ends a rotation: the receiver knows the new secret, the old one signs no more.
func (d *Desk) Confirm(ctx context.Context, name, by string) error {
	return d.endRotation(ctx, name, by, func(k *kept) { k.Current, k.Next = bytes.Clone(k.Next), nil })
}

// TakeBack ends a rotation: the new secret signs no more.
func (d *Desk) TakeBack(ctx context.Context, name, by string) error {
	return d.endRotation(ctx, name, by, func(k *kept) { k.Next = nil })
}

func (d *Desk) endRotation(ctx context.Context, name, by string, edit func(*kept)) error {
	e, err := d.endpoint(name)
	if err != nil {
		return err
	}
	return e.to.keys.turn(ctx, d.s.Vault, by, d.s.Now(), func(k *kept) error {
		if _, err := e.to.keys.open(k.Next); err != nil {
			return fmt.Errorf("%w: no new secret is out", ErrRotation)
		}
		edit(k)
		return nil
	})
}
