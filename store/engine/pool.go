package engine

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// param is a bound parameter: param_x in the URL, {x:Type} in the statement. The value is ClickHouse's escaped text.
type param struct{ name, value string }

// setting is a ClickHouse setting for one request.
type setting struct{ name, value string }

// sessionKey says which session a request needs: handles with the same key are interchangeable.
type sessionKey struct {
	database string
	// settings is the SET statement, or empty.
	settings string
}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func newSessionKey(database string, settings []setting) (sessionKey, error) {
	if len(settings) == 0 {
		return sessionKey{database: database}, nil
	}
	slices.SortFunc(settings, func(a, b setting) int { return strings.Compare(a.name, b.name) })
	assignments := make([]string, 0, len(settings))
	for _, s := range settings {
		if !settingName.MatchString(s.name) {
			return sessionKey{}, fmt.Errorf("Code: 115. DB::Exception: Unknown setting %q (UNKNOWN_SETTING)", s.name)
		}
		assignments = append(assignments, s.name+" = "+quote('\'', s.value))
	}
	return sessionKey{database: database, settings: "SET " + strings.Join(assignments, ", ")}, nil
}

func quote(mark byte, s string) string {
	var b strings.Builder
	b.WriteByte(mark)
	for i := range len(s) {
		if s[i] == mark || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte(mark)
	return b.String()
}

// session is a handle with the state its key describes.
type session struct {
	*handle
	key sessionKey
}

// pool lends handles, at most cap(slots) at a time. Opening one takes a fraction of a millisecond, so a request that needs other
// settings gets a new one, and no request can see what an earlier one changed.
type pool struct {
	lib   *library
	args  []string
	base  string
	slots chan struct{}
	// anchor is never lent: with the last handle the library would close its tables.
	anchor *handle

	mu     sync.Mutex
	closed bool
	idle   []*session // guarded by mu
}

// openPool opens the data directory. base is a SET statement that every session starts with.
func openPool(lib *library, args []string, base string, size int) (*pool, error) {
	anchor, err := lib.connect(args)
	if err != nil {
		return nil, err
	}
	return &pool{lib: lib, args: args, base: base, slots: make(chan struct{}, size), anchor: anchor}, nil
}

// take waits for a free slot and returns a session for key. It must be given back with put.
func (p *pool) take(ctx context.Context, key sessionKey) (*session, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s, err := p.ready(key)
	if err != nil {
		<-p.slots
		return nil, err
	}
	return s, nil
}

func (p *pool) ready(key sessionKey) (*session, error) {
	s, spare := p.pick(key)
	if spare != nil {
		spare.close()
	}
	if s != nil {
		return s, nil
	}
	return p.open(key)
}

// pick takes an idle session with the key out of the pool, or, where there is none and the pool is full, one to close.
func (p *pool) pick(key sessionKey) (match, spare *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, s := range slices.Backward(p.idle) {
		if s.key == key {
			p.idle = slices.Delete(p.idle, i, i+1)
			return s, nil
		}
	}
	if len(p.idle) < cap(p.slots) {
		return nil, nil
	}
	spare = p.idle[0]
	p.idle = slices.Delete(p.idle, 0, 1)
	return nil, spare
}

func (p *pool) open(key sessionKey) (*session, error) {
	h, err := p.lib.connect(p.args)
	if err != nil {
		return nil, err
	}
	statements := []string{p.base}
	if key.database != "" {
		statements = append(statements, "USE "+quote('`', key.database))
	}
	if key.settings != "" {
		statements = append(statements, key.settings)
	}
	for _, text := range statements {
		r, err := h.query(text, "Null", nil)
		if err != nil {
			h.close()
			return nil, err
		}
		r.free()
	}
	return &session{handle: h, key: key}, nil
}

// put gives s back. It is not used again if its statement changed the session or failed.
func (p *pool) put(s *session, changed bool) {
	defer func() { <-p.slots }()
	p.mu.Lock()
	keep := !changed && !s.spoilt && !p.closed
	if keep {
		p.idle = append(p.idle, s)
	}
	p.mu.Unlock()
	if !keep {
		s.close()
	}
}

// kill cancels the statements whose text ends with mark. It uses a handle of its own, since the pool may be all lent.
func (p *pool) kill(mark string) error {
	s, err := p.open(sessionKey{})
	if err != nil {
		return err
	}
	defer s.close()
	r, err := s.query("KILL QUERY WHERE endsWith(query, "+quote('\'', mark)+") ASYNC FORMAT Null", "Null", nil)
	if err != nil {
		return err
	}
	r.free()
	return nil
}

// close ends the library's work in order: idle sessions, then the tables. It waits until lent sessions are given back
// or ctx ends; in the second case the process must end, which loses nothing that was acknowledged.
func (p *pool) close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, s := range idle {
		s.close()
	}
	for range cap(p.slots) {
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return errors.New("statements are still running")
		}
	}
	p.anchor.close()
	return nil
}
