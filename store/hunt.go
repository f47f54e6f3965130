package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
)

// Hunt is a search by a person: which events, and what columns cannot decide about them.
type Hunt struct {
	EventFilter
	// Keep decides about the events that pass the filter what the filter cannot; nil: nothing is left to decide. It is called by one goroutine
	// at a time and keeps nothing of the event.
	Keep func(*event.Event) bool
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
	examinedStep = 2_000
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
	if h.Text != "" && h.Entity == "" && h.Keep == nil && !h.Forward {
		return db.huntText(ctx, h)
	}
	var page Hunted
	limit := h.Limit
	h.NoRaw, h.Limit = true, limit+1
	if h.Keep != nil {
		h.Limit = max(examinedStep, limit+1)
	}
	for {
		n := 0
		for e, err := range db.Events(bounded(ctx), h.EventFilter) {
			if err != nil {
				return page, tooMuch(err)
			}
			n++
			if len(page.Events) == limit { // One more than was asked for: the page has a successor.
				page.Next = placeOf(page.Events[limit-1])
				return page, nil
			}
			h.After = placeOf(e)
			if h.Keep == nil || h.Keep(e) {
				page.Events = append(page.Events, e)
			}
		}
		if h.Keep == nil || n < h.Limit {
			page.Examined += n
			return page, nil
		}
		if page.Examined += n; page.Examined >= maxExamined {
			page.Next, page.Cut = h.After, true
			return page, nil
		}
	}
}

// A search for text looks at the newest hours first, and then at stretches that grow as much each time.
const (
	textHours  = 6
	textGrowth = 4
)

// huntText finds text without reading all that there is where the newest events fill the page. What it finds is what one search would find.
func (db *DB) huntText(ctx context.Context, h Hunt) (page Hunted, err error) {
	oldest, newest, err := db.hours(ctx)
	if err != nil {
		return page, err
	}
	limit := h.Limit
	part := h.EventFilter
	part.NoRaw = true
	end := newest + 1
	if until := cmp.Or(h.After.Time, h.To); until != 0 {
		end = min(end, int64(hourOf(until))+1)
	}
	for width := int64(textHours); ; width *= textGrowth {
		begin := end - width
		last := begin <= oldest || begin*hourMicros <= h.From
		part.Limit, part.From = limit+1-len(page.Events), h.From
		if !last {
			part.From = begin * hourMicros
		}
		for e, err := range db.Events(bounded(ctx), part) {
			if err != nil {
				return page, tooMuch(err)
			}
			if page.Examined++; len(page.Events) == limit {
				page.Next = placeOf(page.Events[limit-1])
				return page, nil
			}
			page.Events = append(page.Events, e)
		}
		if last {
			return page, nil
		}
		end, part.To = begin, part.From
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

func placeOf(e *event.Event) EventCursor { return EventCursor{e.Time, e.Envelope.ID} }

// kept streams the newest events that pass, at most maxExamined of them examined; cut is told if there were more.
func (db *DB) kept(ctx context.Context, h Hunt, cut *bool, oldest *int64) iter.Seq2[*event.Event, error] {
	h.NoRaw, h.Limit, h.After, h.Forward = true, maxExamined, EventCursor{}, false
	return func(yield func(*event.Event, error) bool) {
		n := 0
		for e, err := range db.Events(bounded(ctx), h.EventFilter) {
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
		*cut = n == maxExamined
	}
}
