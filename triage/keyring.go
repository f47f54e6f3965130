package triage

import (
	"sync"
)

// keyring holds the signing keys of an endpoint. It is safe for concurrent use.
type keyring struct {
	mu         sync.Mutex
	configured [][]byte // secret, then next_secret
}

func newKeyring(c EndpointConfig) (*keyring, error) {
	r := &keyring{}
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
	return r.configured
}
