package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Doc is one revision of a small document, as the store keeps it.
type Doc struct {
	Kind, ID string
	Revision int64
	Body     []byte // JSON.
	By       string
	At       int64 // Microseconds, our clock.
	Deleted  bool
}

// Keeper keeps documents by revision. Keep's error wraps ErrStale where expected is not the current revision, 0 for a new document; of two that
// keep the same revision at once, at most one succeeds. Kept lists the documents of a kind as they are, without deleted ones.
type Keeper interface {
	Keep(ctx context.Context, d Doc, expected int64) (Doc, error)
	Kept(ctx context.Context, kind string) ([]Doc, error)
}

// ErrStale means that what was to be changed has been changed by somebody else meanwhile.
var ErrStale = errors.New("it has been changed since")

// The kinds of documents that are kept. The store removes sessions and last uses when they are long over.
const (
	kindUser    = "user"
	kindToken   = "token"
	kindSession = "session"
	kindUsed    = "used"
)

const (
	fresh    = 5 * time.Second // How long other processes' changes may stay unseen.
	lastable = 5 * time.Minute // How long we go on with what we know while the store is away.
)

// item is a document that has been read.
type item[T any] struct {
	value    T
	revision int64
}

// shelf is all documents of one kind, held in memory and read again when they are no longer fresh. Its methods may be called from any
// goroutine.
type shelf[T any] struct {
	kind string
	keep Keeper
	now  func() time.Time

	mu    sync.Mutex
	at    time.Time          // guarded by mu: when items were read
	items map[string]item[T] // guarded by mu
}

func newShelf[T any](kind string, keep Keeper, now func() time.Time) *shelf[T] {
	return &shelf[T]{kind: kind, keep: keep, now: now}
}

// look reads the documents again unless they are fresh. mu is held.
func (s *shelf[T]) look(ctx context.Context) error {
	now := s.now()
	if s.items != nil && now.Sub(s.at) < fresh {
		return nil
	}
	docs, err := s.keep.Kept(ctx, s.kind)
	if err != nil {
		if s.items != nil && now.Sub(s.at) < lastable {
			return nil
		}
		return fmt.Errorf("read the %ss: %w", s.kind, err)
	}
	items := make(map[string]item[T], len(docs))
	for _, d := range docs {
		var v T
		if err := json.Unmarshal(d.Body, &v); err != nil {
			return fmt.Errorf("the %s %s, revision %d, is not readable: %w", s.kind, d.ID, d.Revision, err)
		}
		items[d.ID] = item[T]{v, d.Revision}
	}
	s.items, s.at = items, now
	return nil
}

func (s *shelf[T]) get(ctx context.Context, id string) (item[T], bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.look(ctx); err != nil {
		return item[T]{}, false, err
	}
	x, found := s.items[id]
	return x, found, nil
}

// all lists the documents by id.
func (s *shelf[T]) all(ctx context.Context) ([]T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.look(ctx); err != nil {
		return nil, err
	}
	list := make([]T, 0, len(s.items))
	for _, id := range slices.Sorted(maps.Keys(s.items)) {
		list = append(list, s.items[id].value)
	}
	return list, nil
}

// put keeps the next revision, and this process sees it at once.
func (s *shelf[T]) put(ctx context.Context, id string, v T, expected int64, by string) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("keep the %s %s: %w", s.kind, id, err)
	}
	d, err := s.keep.Keep(ctx, Doc{Kind: s.kind, ID: id, Body: body, By: by, At: s.now().UnixMicro()}, expected)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.at = time.Time{} // What we know may be old.
		return err
	}
	if s.items != nil {
		s.items[id] = item[T]{v, d.Revision}
	}
	return nil
}

// drop deletes a document.
func (s *shelf[T]) drop(ctx context.Context, id string, expected int64, by string) error {
	_, err := s.keep.Keep(ctx, Doc{Kind: s.kind, ID: id, By: by, At: s.now().UnixMicro(), Deleted: true}, expected)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.at = time.Time{}
		return err
	}
	delete(s.items, id)
	return nil
}
