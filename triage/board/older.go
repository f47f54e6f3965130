package board

import (
	"cmp"
	"context"
	"slices"

	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
)

// maxOlder bounds the incidents that one page reads from the store.
const maxOlder = 2000

// older adds to a page the closed incidents that the board has forgotten, where the order is that of the last update, the latest first. floor is
// the time of the latest of them. p holds one card more than limit where the board has it.
func (b *Board) older(ctx context.Context, q Query, floor int64, limit int, p *Page) error {
	if cmp.Or(q.Sort.By, "updated") != "updated" || q.Sort.Ascending || len(p.Cards) > limit && p.Cards[limit].Updated > floor {
		return nil
	}
	statuses := []incident.Status{incident.Closed}
	if q.Merged {
		statuses = append(statuses, incident.Merged)
	}
	at := Place{Updated: floor + 1}
	if c := q.After; c != (Cursor{}) && c.updated <= floor {
		at = Place{c.updated, c.id}
	}
	now := b.set.Now()
	var scratch expression.Subject
	for read := 0; ; {
		list, err := b.set.Store.Incidents(ctx, statuses, at, loadPage)
		if err != nil {
			return err
		}
		for _, in := range list {
			at = Place{in.Updated, in.ID}
			if in.Updated < q.Since || b.Get(in.ID) != nil {
				continue
			}
			c := b.card(in)
			if q.Person.Sees(in.Sites) && c.passes(q.Filter, now, &scratch) {
				p.Cards = append(p.Cards, c)
			}
		}
		place := Cursor{at.Updated, at.Updated, at.ID}
		slices.SortFunc(p.Cards, func(x, y *Card) int { return q.Sort.CursorAt(y).compare(q.Sort.CursorAt(x)) })
		read += len(list)
		switch {
		case len(list) < loadPage || at.Updated < q.Since:
			return nil
		case len(p.Cards) > limit && q.Sort.CursorAt(p.Cards[limit]).compare(place) >= 0:
			return nil
		case read >= maxOlder: // the page ends where reading did
			p.Cards = slices.DeleteFunc(p.Cards, func(c *Card) bool { return q.Sort.CursorAt(c).compare(place) < 0 })
			p.Next = place
			return nil
		}
	}
}
