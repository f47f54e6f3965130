package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
)

// Hunt is a search by a person: which events, and what columns cannot decide about them.
type Hunt struct {
	EventFilter
	// Keep decides about the events that pass the filter what the filter cannot; nil: nothing is left to decide. It is called by one goroutine
	// at a time and keeps nothing of the event.
	Keep  func(*event.Event) bool
	Reads []*event.Field // All that Keep looks at; nil: it may look at everything.
}

// Hunted is a page of events, with what it took to find them.
type Hunted struct {
	Events   []*event.Event
	Next     EventCursor // Where to go on; the zero value where the search is at its end.
	Examined int         // How many events Keep was asked about.
	Cut      bool        // The bound on what Keep is asked about was reached before the page was full: there may be more behind Next.
}

// The bounds of one search of a person, so that no question can take the store from the pipeline.
const (
	huntSeconds  = 15
	huntRows     = 500_000_000 // Read from disk.
	huntBytes    = 2 << 30     // Of memory.
	maxExamined  = 20_000      // Events that are decoded to be asked about.
	examinedStep = 2_000       // At once,
	firstStep    = 4           // but the first time only so many times as are wanted.
)

// ErrTooMuch means that a search reached one of its bounds.
var ErrTooMuch = errors.New("the search took too much")

// tooMuchCodes are the errors of ClickHouse about those bounds.
var tooMuchCodes = map[int32]string{
	158: "it would read more than 500 million rows",
	159: "it took longer than 15 s",
	160: "it was too slow",
	241: "it needed more than 2 GB of memory",
	191: "one of its parts is too large",
	307: "it would read too many bytes",
}

// bounded makes queries of the context keep to the bounds, and end when the context does.
func bounded(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_execution_time": huntSeconds, "max_rows_to_read": huntRows, "max_memory_usage": huntBytes, "max_rows_in_set": 20_000_000,
	}))
}

// tooMuch tells a search that reached a bound from one that failed.
func tooMuch(err error) error {
	e, ok := errors.AsType[*clickhouse.Exception](err)
	if !ok {
		return err
	}
	if why, ok := tooMuchCodes[e.Code]; ok {
		return fmt.Errorf("%w: %s; narrow the time or add a condition on a field that has a column", ErrTooMuch, why)
	}
	return err
}

// Decides reports whether columns alone decide a condition.
func Decides(w *event.Where) bool {
	if w == nil {
		return true
	}
	var q query
	_, exact := q.sift(w, true)
	return exact
}

// Hunt gives a page of at most Limit events, which must be set, in order of (time, id). Events come without raw text.
func (db *DB) Hunt(ctx context.Context, h Hunt) (Hunted, error) {
	h.NoRaw = true
	width := int64(textHours)
	if h.Keep != nil {
		width = keepHours
	}
	if h.Keep == nil && h.Text == "" || h.Entity != "" || h.Forward {
		width = 0
	}
	var page Hunted
	for part, err := range db.slices(ctx, h.EventFilter, width, widen) {
		if err != nil {
			return page, tooMuch(err)
		}
		if done, err := db.huntIn(ctx, h, part, &page); done || err != nil {
			return page, tooMuch(err)
		}
	}
	return page, nil
}

// huntIn adds to a page what is found in a slice of time; done means that the page is full, or that enough was examined.
func (db *DB) huntIn(ctx context.Context, h Hunt, part EventFilter, page *Hunted) (done bool, err error) {
	part.Limit = h.Limit + 1
	if h.Keep != nil {
		part.Limit = firstStep * part.Limit
	}
	for ; ; part.Limit = max(examinedStep, part.Limit) {
		n := 0
		for e, err := range db.examine(bounded(ctx), h, part, nil) {
			if err != nil {
				return false, err
			}
			n++
			page.Examined++
			if len(page.Events) == h.Limit { // One more than was asked for: the page has a successor.
				page.Next = placeOf(page.Events[h.Limit-1])
				return true, nil
			}
			part.After = placeOf(e)
			if h.Keep == nil || h.Keep(e) {
				page.Events = append(page.Events, e)
			}
		}
		if h.Keep != nil && page.Examined >= maxExamined {
			page.Next, page.Cut = part.After, true
			return true, nil
		}
		if n < part.Limit {
			return false, nil
		}
	}
}

// examine gives the events of a slice that may pass. Of those that a person's condition has to be asked about many are thrown away again: in a
// short slice they are read at once, where finding their places first would cost a second reading; and where some fields are enough (nil: they are not),
// only those of an event, each event in the place of the one before.
func (db *DB) examine(ctx context.Context, h Hunt, part EventFilter, enough []*event.Field) iter.Seq2[*event.Event, error] {
	if h.Keep == nil || h.Entity != "" || part.From == 0 || cmp.Or(part.After.Time, part.To)-part.From > shortHours*hourMicros {
		return db.Events(ctx, part)
	}
	q, err := db.eventSearch(part)
	if err != nil {
		return func(yield func(*event.Event, error) bool) { yield(nil, err) }
	}
	scan := scanOneEvent
	q.head = eventSelect + "'' FROM " + db.table("events")
	if enough != nil {
		q.head, scan = "SELECT id, event FROM "+db.table("events"), scanPart(event.PartOf(enough...))
	}
	q.tail += limit(part.Limit + slack)
	return db.eachOnce(ctx, q, part.Limit, scan)
}

// A search looks at the newest hours first, and then at stretches that grow at most as much each time.
const (
	textHours  = 6 // For text.
	keepHours  = 2 // For what columns do not decide.
	countHours = 4 // For counts of that, which want many events.
	shortHours = 26
	growth     = 4
)

// narrows reports whether columns, or the text of the compact form, tell which events a condition is not true of.
func narrows(w *event.Where) bool {
	if w == nil {
		return false
	}
	var q query
	sql, _ := q.sift(w, true)
	return sql != truth(true)
}

// widen is the width of a stretch that follows one of so many hours.
func widen(width int64) int64 { return width * growth }

// toFind is the width of a stretch in which so many are likely to be found, where so many were found in so many hours, the last width of them at once.
func toFind(wanted, found int, hours, width int64) int64 {
	if found == 0 {
		return widen(width)
	}
	return min(widen(width), max(1, int64(wanted)*hours*9/8/int64(found)+1))
}

// slices parts a search, newest first: one after the other they give what the whole gives. The first is of width hours, each further one as next says,
// none is left out though it were empty. A width of 0 parts nothing.
func (db *DB) slices(ctx context.Context, f EventFilter, width int64, next func(width int64) int64) iter.Seq2[EventFilter, error] {
	return func(yield func(EventFilter, error) bool) {
		if width == 0 {
			yield(f, nil)
			return
		}
		oldest, end := int64(hourOf(f.From)), int64(hourOf(cmp.Or(f.After.Time, f.To)))+1
		if f.From == 0 || f.After.Time == 0 && f.To == 0 {
			first, last, err := db.hours(ctx)
			if err != nil {
				yield(f, err)
				return
			}
			oldest = max(oldest, first)
			if end = min(end, last+1); f.After.Time == 0 && f.To == 0 {
				end = last + 1
			}
		}
		part := f
		for ; ; width = next(width) {
			begin := end - width
			last := begin <= oldest
			if part.From = begin * hourMicros; last {
				part.From = f.From
			}
			if !yield(part, nil) || last {
				return
			}
			end, part.To = begin, part.From
		}
	}
}

// hours are those of the oldest and the newest event, since 1970; 0 and 0 where there is none.
func (db *DB) hours(ctx context.Context) (oldest, newest int64, err error) {
	var span [2]int64
	span, _, err = first(stream(bounded(ctx), db, "find the span of events", query{head: "SELECT toInt64(min(hour)), toInt64(max(hour)) FROM " + db.table("events")}, func(rows driver.Rows) (s [2]int64, err error) {
		err = rows.Scan(&s[0], &s[1])
		return s, err
	}))
	return span[0], span[1], err
}

// derived reports whether a field follows from more than the compact form.
func derived(f *event.Field) bool { return f.Flags&event.Derived != 0 }

func placeOf(e *event.Event) EventCursor { return EventCursor{e.Time, e.Envelope.ID} }

// kept streams the newest events that pass, at most maxExamined of them examined; cut is told if there were more. Whoever reads them looks at time and
// class, which every part has, at what Keep looks at, and at more.
func (db *DB) kept(ctx context.Context, h Hunt, more []*event.Field, cut *bool, oldest *int64) iter.Seq2[*event.Event, error] {
	h.NoRaw, h.After, h.Forward = true, EventCursor{}, false
	enough := h.Reads
	if enough != nil {
		if enough = slices.Concat(enough, more); slices.ContainsFunc(enough, derived) {
			enough = nil
		}
	}
	width := int64(countHours)
	switch {
	case h.Entity != "":
		width = 0
	case !narrows(h.Matching): // The newest hours have enough.
		width = keepHours
	}
	return func(yield func(*event.Event, error) bool) {
		n, hours := 0, int64(0)
		enlarge := func(width int64) int64 {
			hours += width
			return toFind(maxExamined-n, n, hours, width)
		}
		for part, err := range db.slices(ctx, h.EventFilter, width, enlarge) {
			if err != nil {
				yield(nil, tooMuch(err))
				return
			}
			part.Limit = maxExamined - n
			for e, err := range db.examine(bounded(ctx), h, part, enough) {
				if err != nil {
					yield(nil, tooMuch(err))
					return
				}
				n++
				*oldest = e.Time
				if h.Keep(e) && !yield(e, nil) {
					return
				}
			}
			if *cut = n == maxExamined; *cut {
				return
			}
		}
	}
}
