package app_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

// drawer keeps documents in memory.
type drawer struct {
	mu   sync.Mutex
	docs map[string]store.Doc
}

func (d *drawer) Keep(_ context.Context, x store.Doc, expected int64) (store.Doc, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := d.docs[x.ID]; !now.Deleted && now.Revision != expected {
		return x, store.ErrStale
	}
	x.Revision = d.docs[x.ID].Revision + 1
	d.docs[x.ID] = x
	return x, nil
}

func (d *drawer) Kept(context.Context, string) ([]store.Doc, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []store.Doc
	for _, x := range d.docs {
		if !x.Deleted {
			out = append(out, x)
		}
	}
	return out, nil
}

// slowLog takes actions and has them once it is open.
type slowLog struct {
	mu    sync.Mutex
	begun []incident.Action
	open  chan struct{}
	err   error
}

func (l *slowLog) begin(a incident.Action) func(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun = append(l.begun, a)
	return func(ctx context.Context) error {
		select {
		case <-l.open:
			return l.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func lookAt(name string) incident.Action {
	return incident.View(event.NewID("incident", name), "ana", 1234)
}

func TestALookThatTheLogHasNotGotWhenTheServiceStopsGoesOnAtTheNextStart(t *testing.T) {
	docs, log := &drawer{docs: map[string]store.Doc{}}, &slowLog{open: make(chan struct{})}
	looks := app.NewLooks(log.begin, docs)
	looks.Look(lookAt("a"))
	looks.Look(lookAt("a"))
	looks.Look(lookAt("b"))
	if len(log.begun) != 2 || log.begun[0].ID != lookAt("a").ID {
		t.Fatalf("%d looks were queued when Look had returned, want one for each of two incidents", len(log.begun))
	}
	must(t, looks.Finish(t.Context()))
	looks.Look(lookAt("c"))
	if list, _ := docs.Kept(t.Context(), ""); len(list) != 2 || len(log.begun) != 2 {
		t.Fatalf("%d looks are kept and %d were queued, want 2 and 2", len(list), len(log.begun))
	}

	still := &slowLog{open: make(chan struct{})}
	looks = app.NewLooks(still.begin, docs)
	must(t, looks.Resume(t.Context()))
	must(t, looks.Finish(t.Context()))
	if list, _ := docs.Kept(t.Context(), ""); len(list) != 2 || len(still.begun) != 2 {
		t.Fatalf("after a start in which the log took nothing %d looks are kept and %d were queued, want 2 and 2", len(list), len(still.begun))
	}

	log = &slowLog{open: make(chan struct{})}
	close(log.open)
	looks = app.NewLooks(log.begin, docs)
	must(t, looks.Resume(t.Context()))
	eventually(t, func() bool { list, _ := docs.Kept(t.Context(), ""); return len(list) == 0 }, func() string { return "nothing is kept any more" })
	must(t, looks.Finish(t.Context()))
	if len(log.begun) != 2 || log.begun[0].By != "ana" || log.begun[0].At != 1234 || log.begun[0].Kind != incident.ActionView {
		t.Errorf("the log got %+v", log.begun)
	}
}

func TestALookAtWhatCannotBeLookedAtIsForgotten(t *testing.T) {
	for _, err := range []error{incident.ErrUnknown, incident.ErrRefused, nil} {
		docs, log := &drawer{docs: map[string]store.Doc{}}, &slowLog{open: make(chan struct{}), err: err}
		close(log.open)
		looks := app.NewLooks(log.begin, docs)
		looks.Look(lookAt("a"))
		eventually(t, func() bool { // One that is over can be begun again.
			looks.Look(lookAt("a"))
			log.mu.Lock()
			defer log.mu.Unlock()
			return len(log.begun) > 1
		}, func() string { return "the look is over" })
		must(t, looks.Finish(t.Context()))
	}
	docs, log := &drawer{docs: map[string]store.Doc{}}, &slowLog{open: make(chan struct{}), err: errors.New("the store is away")}
	close(log.open)
	looks := app.NewLooks(log.begin, docs)
	looks.Look(lookAt("a"))
	must(t, looks.Finish(t.Context()))
	if list, _ := docs.Kept(t.Context(), ""); len(list) != 1 {
		t.Errorf("%d looks are kept after the log failed, want 1", len(list))
	}
}
