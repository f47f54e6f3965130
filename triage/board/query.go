package board

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
)

// Sort is an order of cards. Cards that are equal in it are ordered by their last update, in the same direction, and then by id, in the other.
type Sort struct {
	By        string // One of Sorts(); "" is updated.
	Ascending bool
}

var sortKeys = map[string]func(*Card) int64{
	"updated":  func(c *Card) int64 { return c.Updated },
	"severity": func(c *Card) int64 { return int64(c.Severity)<<8 | int64(c.Score) },
	"score":    func(c *Card) int64 { return int64(c.Score) },
	"opened":   func(c *Card) int64 { return c.Opened },
	"first":    func(c *Card) int64 { return c.First },
	"last":     func(c *Card) int64 { return c.Last },
	"findings": func(c *Card) int64 { return int64(c.Findings) },
	"robots":   func(c *Card) int64 { return int64(len(c.Robots)) },
}

// Sorts lists what cards can be sorted by.
func Sorts() []string {
	return []string{"updated", "severity", "score", "opened", "first", "last", "findings", "robots"}
}

// SortOf reads a sort: a name, with - before it for the greatest first.
func SortOf(text string) (Sort, error) {
	name, descending := strings.CutPrefix(text, "-")
	if sortKeys[name] == nil {
		return Sort{}, fmt.Errorf("sort is one of %s, with - before it for the greatest first, not %.40q", strings.Join(Sorts(), ", "), text)
	}
	return Sort{name, !descending}, nil
}

// String is the sort as SortOf reads it.
func (s Sort) String() string {
	name := cmp.Or(s.By, "updated")
	if s.Ascending {
		return name
	}
	return "-" + name
}

// Cursor is a card's place in a sort; the zero value is before all.
type Cursor struct {
	key, updated int64
	id           event.ID
}

// CursorAt is a card's place in a sort.
func (s Sort) CursorAt(c *Card) Cursor {
	return Cursor{sortKeys[cmp.Or(s.By, "updated")](c), c.Updated, c.ID}
}

// String is the cursor as text, fit for a URL; "" for the zero value.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(c.key))
	b = binary.BigEndian.AppendUint64(b, uint64(c.updated))
	return base64.RawURLEncoding.EncodeToString(append(b, c.id[:]...))
}

// ParseCursor reads what String wrote.
func ParseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != 16+len(event.ID{}) {
		return Cursor{}, errors.New("this is not a cursor that an earlier answer gave")
	}
	c := Cursor{key: int64(binary.BigEndian.Uint64(b)), updated: int64(binary.BigEndian.Uint64(b[8:]))}
	copy(c.id[:], b[16:])
	return c, nil
}

func (c Cursor) compare(o Cursor) int {
	return cmp.Or(cmp.Compare(c.key, o.key), cmp.Compare(c.updated, o.updated), o.id.Compare(c.id)) // downwards by id as the store lists them
}

// Query asks for cards.
type Query struct {
	Filter *expression.Filter // nil: all.
	Person access.Person      // Who asks; sees only what belongs to its sites.
	Since  int64              // Last updated at or after, microseconds of our clock.
	Merged bool               // Also those that were merged into others.
	Sort   Sort
	After  Cursor
	Limit  int  // At most MaxLimit; 0: 100.
	Facets bool // Count the properties of all that pass.
	Memory bool // Only what the board has: the store is not asked for closed incidents that it has forgotten; Older still says that there are some.
}

// The most cards of one page, and how many it has if the query does not say.
const (
	MaxLimit     = 1000
	defaultLimit = 100
)

// Page answers a query.
type Page struct {
	Cards  []*Card
	Next   Cursor // Where to go on; zero if there is no more.
	Total  int    // Cards that pass, on all pages; those of Older are not counted.
	Older  bool   // Closed incidents that passed may be missing: the board no longer has them, and in this order they come from the store.
	Facets []Facet
}

// checkEvery is how many cards are looked at between looks at the context.
const checkEvery = 1024

// List gives the cards that pass, in order. It reads one state of the board; a card that changes between two pages has the place of its new
// revision. The error is the context's.
func (b *Board) List(ctx context.Context, q Query) (Page, error) {
	now := b.set.Now()
	cards := b.lend()
	var count *tally
	if q.Facets {
		count = b.words.tally()
	}
	limit := min(cmp.Or(q.Limit, defaultLimit), MaxLimit)
	top := newPick(q.Sort, q.After, limit+1)
	var scratch expression.Subject
	var p Page
	for i, c := range slices.Backward(cards) {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return Page{}, ctx.Err()
		}
		if c.Updated < q.Since {
			break // they are in this order
		}
		if c.Status == incident.Merged && !q.Merged || !q.Person.Sees(c.subject.Sites) || !c.passes(q.Filter, now, &scratch) {
			continue
		}
		p.Total++
		if count != nil {
			count.add(c)
		}
		top.offer(c)
	}
	p.Cards = top.sorted()
	if count != nil {
		p.Facets = count.facets()
	}
	if floor := b.forgotten(); floor != 0 && floor >= q.Since && !(q.Filter != nil && q.Filter.OnlyOpen()) {
		p.Older = true
		if !q.Memory {
			if err := b.older(ctx, q, floor, limit, &p); err != nil {
				return Page{}, err
			}
		}
	}
	if len(p.Cards) > limit {
		p.Cards = p.Cards[:limit]
		p.Next = q.Sort.CursorAt(p.Cards[limit-1])
	}
	return p, nil
}

// passes reports whether a card passes a filter at a moment of our clock; nil passes all. scratch is overwritten.
func (c *Card) passes(f *expression.Filter, now int64, scratch *expression.Subject) bool {
	if f == nil {
		return true
	}
	*scratch = c.Subject(now)
	return f.Match(scratch)
}

// pick keeps the first n cards behind a cursor.
type pick struct {
	key   func(*Card) int64
	sign  int
	after Cursor
	n     int
	list  []*Card
	full  bool   // list has held n, so that only what is before worst counts
	worst Cursor // the last of them
}

func newPick(s Sort, after Cursor, n int) *pick {
	p := &pick{key: sortKeys[cmp.Or(s.By, "updated")], sign: -1, after: after, n: n}
	if s.Ascending {
		p.sign = 1
	}
	return p
}

func (p *pick) at(c *Card) Cursor { return Cursor{p.key(c), c.Updated, c.ID} }

func (p *pick) offer(c *Card) {
	at := p.at(c)
	if p.after != (Cursor{}) && p.sign*at.compare(p.after) <= 0 || p.full && p.sign*at.compare(p.worst) >= 0 {
		return
	}
	p.list = append(p.list, c)
	if len(p.list) >= 2*p.n {
		p.cut()
	}
}

// cut sorts and drops what is behind the first n.
func (p *pick) cut() {
	slices.SortFunc(p.list, func(a, b *Card) int { return p.sign * p.at(a).compare(p.at(b)) })
	if len(p.list) >= p.n {
		p.list = p.list[:p.n]
		p.full, p.worst = true, p.at(p.list[p.n-1])
	}
}

func (p *pick) sorted() []*Card {
	p.cut()
	return p.list
}
