package board

import (
	"context"
	"slices"
	"sync"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// Store is where incidents are kept.
type Store interface {
	// Incidents lists the latest revisions of incidents with one of the statuses behind a place, the last updated first and equal ones by id, at
	// most limit. The zero Place is before all.
	Incidents(ctx context.Context, statuses []incident.Status, after Place, limit int) ([]*incident.Incident, error)
	// Last is the sequence of the last recorded change; zero if there is none.
	Last(ctx context.Context) (triage.Sequence, error)
	// Changes lists the changes after a sequence, in order, at most limit.
	Changes(ctx context.Context, after triage.Sequence, limit int) ([]incident.Change, error)
}

// Place is an incident's place among the incidents by their last update.
type Place struct {
	Updated int64 // Microseconds.
	ID      event.ID
}

// Owner decides which team answers for an incident, and by which route; "" for the route leaves it to the rules.
type Owner func(c *Card) (team, route string)

// Settings is what a board is made of.
type Settings struct {
	Store Store
	Zones Zones
	Owner Owner        // Who answers for what; nil: the team of the rules.
	Now   func() int64 // Our clock, microseconds.
	Keep  int          // Closed and merged incidents in memory: the last updated ones; 0: 20,000.
}

const defaultKeep = 20_000

// Board is the current incidents. All methods are safe for concurrent use.
type Board struct {
	set Settings

	mu    sync.Mutex
	cards map[event.ID]*Card
	order []*Card // by update; copied before it is changed while lent
	lent  bool
	last  triage.Sequence
	past  int   // closed and merged ones on the board
	floor int64 // when the latest of those that it does not have was last updated; 0: it has all
	words *words
}

// New makes an empty board. Load fills it; what is published before or meanwhile counts.
func New(set Settings) *Board {
	if set.Keep <= 0 {
		set.Keep = defaultKeep
	}
	return &Board{set: set, cards: map[event.ID]*Card{}, words: newWords()}
}

// loadPage is how many incidents are read at once, followPage how many changes.
const (
	loadPage   = 500
	followPage = 500
)

// Load reads the incidents that somebody works on.
func (b *Board) Load(ctx context.Context) error {
	last, err := b.set.Store.Last(ctx) // before the incidents: what comes in between comes twice rather than never
	if err != nil {
		return err
	}
	if err := b.load(ctx, []incident.Status{incident.Open, incident.Acknowledged}, 0); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last.Less(last) {
		b.last = last
	}
	return nil
}

// LoadPast reads the last closed and merged incidents, as many as are kept.
func (b *Board) LoadPast(ctx context.Context) error {
	return b.load(ctx, []incident.Status{incident.Closed, incident.Merged}, b.set.Keep)
}

// forgotten is when the latest closed incident that the board does not have was last updated; 0 where it has all.
func (b *Board) forgotten() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.floor
}

func (b *Board) load(ctx context.Context, statuses []incident.Status, limit int) error {
	var after Place
	for n := 0; limit == 0 || n < limit; n += loadPage {
		page, err := b.set.Store.Incidents(ctx, statuses, after, loadPage)
		if err != nil {
			return err
		}
		for _, in := range page {
			b.put(b.card(in))
		}
		if len(page) < loadPage {
			return nil
		}
		last := page[len(page)-1]
		after = Place{last.Updated, last.ID}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.floor = max(b.floor, after.Updated) // there may be more
	return nil
}

// card is the card of an incident, with the owner that the routes say.
func (b *Board) card(in *incident.Incident) *Card {
	c := CardOf(in, b.set.Zones)
	if b.set.Owner != nil {
		c.Owner, c.Route = b.set.Owner(c)
		c.subject.Owner, c.Measured.Team = c.Owner, c.Owner
	}
	return c
}

// Show puts changes on the board that are certain and may not have been recorded yet.
func (b *Board) Show(changes []incident.Change) {
	for i := range changes {
		c := &changes[i]
		card := b.card(c.Incident)
		card.Kind, card.Sequence = c.Kind, triage.SequenceOf(c)
		b.put(card)
	}
}

// Publish takes over changes that have been recorded, in their order. Those that the board has already do nothing.
func (b *Board) Publish(changes []incident.Change) {
	if len(changes) == 0 {
		return
	}
	b.Show(changes)
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := triage.SequenceOf(&changes[len(changes)-1]); b.last.Less(at) {
		b.last = at
	}
}

// Last is the sequence of the last change on the board: where a stream goes on from a page that was made of it.
func (b *Board) Last() triage.Sequence {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// Follow takes over the changes that other processes have recorded since; it gives them to tell, too, in order.
func (b *Board) Follow(ctx context.Context, tell func([]incident.Change)) error {
	for {
		page, err := b.set.Store.Changes(ctx, b.Last(), followPage)
		if err != nil || len(page) == 0 {
			return err
		}
		b.Publish(page)
		if tell != nil {
			tell(page)
		}
	}
}

// put adds a card, unless the board has that revision or a later one.
func (b *Board) put(c *Card) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.cards[c.ID]
	if old != nil && old.Revision >= c.Revision {
		return
	}
	b.words.note(c)
	b.own()
	if old != nil {
		b.remove(old)
	}
	i, _ := slices.BinarySearchFunc(b.order, c, byUpdate)
	b.order = slices.Insert(b.order, i, c)
	b.cards[c.ID] = c
	if !c.subject.Open {
		b.past++
		b.forget()
	}
}

// own makes order ours alone; b.mu is held.
func (b *Board) own() {
	if b.lent {
		b.order, b.lent = slices.Clone(b.order), false
	}
}

// remove takes a card off the board; b.mu is held and order ours.
func (b *Board) remove(c *Card) {
	if i, found := slices.BinarySearchFunc(b.order, c, byUpdate); found {
		b.order = slices.Delete(b.order, i, i+1)
	}
	delete(b.cards, c.ID)
	if !c.subject.Open {
		b.past--
	}
}

// forget takes the oldest closed ones off the board once there are a few too many; b.mu is held and order ours.
func (b *Board) forget() {
	surplus := b.past - b.set.Keep
	if surplus < 1+b.set.Keep/16 {
		return
	}
	b.order = slices.DeleteFunc(b.order, func(c *Card) bool {
		if surplus == 0 || c.subject.Open {
			return false
		}
		surplus--
		b.past--
		b.floor = max(b.floor, c.Updated)
		delete(b.cards, c.ID)
		return true
	})
}

// Of is the card of an incident at the revision that a change made.
func (b *Board) Of(c *incident.Change) *Card {
	if card := b.Get(c.Incident.ID); card != nil && card.Revision == c.Incident.Revision {
		return card
	}
	return b.card(c.Incident)
}

// Get is the card of an incident; nil if the board does not have it.
func (b *Board) Get(id event.ID) *Card {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cards[id]
}

// Cards lists the cards by update, merged ones included. The slice and the cards must not be changed.
func (b *Board) Cards() []*Card { return b.lend() }

// lend gives the cards by update; they must not be changed.
func (b *Board) lend() []*Card {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lent = true
	return b.order
}
