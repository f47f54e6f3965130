package app

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/board"
)

// How often the store is asked for what the cards of incidents do not say, how far back again, since clocks differ, and how many incidents are
// remembered before those that are no longer on the board are forgotten.
const (
	factsPace    = 15 * time.Second
	factsOverlap = 10 * time.Minute
	maxFacts     = 100_000
)

// storedFacts is what is known of incidents beside their cards: when the first delivery arrived, and in which hours people acted on them.
type storedFacts interface {
	Told(ctx context.Context, since int64) ([]store.Told, error)
	Worked(ctx context.Context, since int64) ([]store.Worked, error)
}

// socFacts keeps them.
type socFacts struct {
	db      storedFacts
	board   *board.Board
	waiting func() map[event.ID]bool // Incidents that something is owed about; nil: not known here.
	came    func(triage.Stage)       // Told of a first delivery; nil: nobody is.
	now     func() int64
	log     *slog.Logger

	mu    sync.Mutex
	read  int64 // When the store was asked last; 0: never.
	told  map[event.ID]int64
	hours map[event.ID][]triage.WorkHour
}

// run asks again and again until ctx ends. What fails is tried again at the next turn.
func (f *socFacts) run(ctx context.Context) {
	tick := time.NewTicker(factsPace)
	defer tick.Stop()
	for failed := false; ; {
		err := f.refresh(ctx)
		if err != nil && ctx.Err() == nil && !failed {
			f.log.Warn("what people did and who was told cannot be read for the measures, trying again", "err", err)
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (f *socFacts) refresh(ctx context.Context) error {
	began := f.now()
	f.mu.Lock()
	first := f.read == 0
	since := max(0, f.read-factsOverlap.Microseconds())
	f.mu.Unlock()
	told, err := f.db.Told(ctx, since)
	if err != nil {
		return err
	}
	worked, err := f.db.Worked(ctx, since)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range told {
		old, known := f.told[x.Incident]
		if !known || old == 0 || x.At != 0 && x.At < old {
			f.told[x.Incident] = x.At
		}
		if old == 0 && x.At != 0 && !first {
			f.arrived(x)
		}
	}
	for _, x := range worked {
		h := triage.WorkHour{By: x.Actor, Hour: x.Hour}
		if !slices.Contains(f.hours[x.Incident], h) {
			f.hours[x.Incident] = append(slices.Clip(f.hours[x.Incident]), h) // What was lent stays as it is.
		}
	}
	f.read = began
	f.forget()
	return nil
}

// arrived tells of a first delivery; f.mu is held.
func (f *socFacts) arrived(x store.Told) {
	c := f.board.Get(x.Incident)
	if f.came == nil || c == nil || x.At < c.Opened {
		return
	}
	f.came(triage.Stage{Name: triage.Notify, Seconds: float64(x.At-c.Opened) / 1e6})
}

// forget drops what is no longer on the board once there is much; f.mu is held.
func (f *socFacts) forget() {
	if max(len(f.told), len(f.hours)) <= maxFacts {
		return
	}
	maps.DeleteFunc(f.told, func(id event.ID, _ int64) bool { return f.board.Get(id) == nil })
	maps.DeleteFunc(f.hours, func(id event.ID, _ []triage.WorkHour) bool { return f.board.Get(id) == nil })
}

// measured are cards as measures see them, with what the store knows beside.
func (f *socFacts) measured(cards []*board.Card) []triage.Measured {
	waiting := map[event.ID]bool{}
	if f.waiting != nil {
		waiting = f.waiting()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]triage.Measured, len(cards))
	for i, c := range cards {
		out[i] = c.Measured
		at, tried := f.told[c.ID]
		out[i].Notified, out[i].Owed, out[i].Hours = at, tried || waiting[c.ID], f.hours[c.ID]
	}
	return out
}
