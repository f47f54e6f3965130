package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

// docKeeper keeps small documents; see store.DB.
type docKeeper interface {
	Keep(ctx context.Context, d store.Doc, expected int64) (store.Doc, error)
	Kept(ctx context.Context, kind string) ([]store.Doc, error)
}

const (
	lookKind  = "look"
	maxLooks  = 10_000          // Looks under way; one more is forgotten, and the next at its incident counts.
	lookRetry = 2 * time.Second // Until a look that did not reach the log is tried again.
)

// looks takes first looks at incidents to the log, beside the pages that are shown meanwhile. What the log has not got when the service stops is kept
// in the store and goes on at the next start. Look may be called from many goroutines.
type looks struct {
	begin   func(incident.Action) func(context.Context) error // Queues an action; what it gives waits until the log has it.
	docs    docKeeper
	log     *slog.Logger
	ctx     context.Context //nolint:containedctx // Of the time between resume and finish.
	stop    context.CancelFunc
	waiting sync.WaitGroup
	mu      sync.Mutex // guards pending
	pending map[event.ID]look
}

// look is one under way.
type look struct {
	incident.Action
	kept int64 // Revision of the document it came from; 0 for none.
}

// lookDoc is a look as it is kept.
type lookDoc struct {
	By     string `json:"by"`
	At     int64  `json:"at"`
	Origin string `json:"origin,omitempty"`
}

func newLooks(begin func(incident.Action) func(context.Context) error, docs docKeeper, log *slog.Logger) *looks {
	l := &looks{begin: begin, docs: docs, log: log, pending: map[event.ID]look{}}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// Look implements console.Looks.
func (l *looks) Look(a incident.Action) { l.take(look{Action: a}) }

func (l *looks) take(x look) {
	l.mu.Lock()
	_, again := l.pending[x.Incident]
	if again || len(l.pending) >= maxLooks || l.ctx.Err() != nil {
		l.mu.Unlock()
		return
	}
	l.pending[x.Incident] = x
	l.waiting.Add(1)
	l.mu.Unlock()
	wait := l.begin(x.Action)
	go func() {
		defer l.waiting.Done()
		l.follow(x, wait)
	}()
}

// follow waits until the log has a look, or says that there is nothing to look at.
func (l *looks) follow(x look, wait func(context.Context) error) {
	for {
		err := wait(l.ctx)
		if err == nil || errors.Is(err, incident.ErrUnknown) || errors.Is(err, incident.ErrRefused) || errors.Is(err, incident.ErrStale) {
			l.done(x)
			return
		}
		if l.ctx.Err() == nil {
			l.log.Warn("the first look at an incident is not in the log yet", "err", err)
		}
		select {
		case <-l.ctx.Done():
			return
		case <-time.After(lookRetry):
			wait = l.begin(x.Action)
		}
	}
}

func (l *looks) done(x look) {
	if x.kept != 0 {
		d := store.Doc{Kind: lookKind, ID: event.FormatID(event.IncidentPrefix, x.Incident), Body: []byte("{}"), By: x.By, Deleted: true}
		if _, err := l.docs.Keep(l.ctx, d, x.kept); err != nil && l.ctx.Err() == nil { // It goes to the log once more at the next start, which changes nothing there.
			l.log.Warn("a look that is in the log stays kept", "err", err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pending, x.Incident)
}

// resume goes on with what the last run kept.
func (l *looks) resume(ctx context.Context) error {
	list, err := l.docs.Kept(ctx, lookKind)
	if err != nil {
		return fmt.Errorf("read looks at incidents that are not in the log yet: %w", err)
	}
	for _, d := range list {
		var kept lookDoc
		id, err := event.ParseID(event.IncidentPrefix, d.ID)
		if err := errors.Join(err, json.Unmarshal(d.Body, &kept)); err != nil {
			l.log.Warn("a kept look cannot be read", "id", d.ID, "err", err)
			continue
		}
		a := incident.View(id, kept.By, kept.At)
		a.Origin = kept.Origin
		l.take(look{a, d.Revision})
	}
	return nil
}

// finish keeps what is under way for the next start. No Look comes after it.
func (l *looks) finish(ctx context.Context) error {
	l.mu.Lock()
	l.stop()
	l.mu.Unlock()
	l.waiting.Wait()
	var errs []error
	for id, x := range l.pending {
		if x.kept != 0 {
			continue
		}
		body, err := json.Marshal(lookDoc{x.By, x.At, x.Origin})
		if err == nil {
			_, err = l.docs.Keep(ctx, store.Doc{Kind: lookKind, ID: event.FormatID(event.IncidentPrefix, id), Body: body, By: x.By}, 0)
		}
		if err != nil && !errors.Is(err, store.ErrStale) { // Stale: another member has kept its own.
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
