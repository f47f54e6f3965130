package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
)

// stream runs a query when it is ranged over. An error is yielded once, last. Breaking off ends the query.
func stream[T any](ctx context.Context, db *DB, what string, q query, scan func(driver.Rows) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		rows, err := db.rows(ctx, q.String(), q.args...)
		if err != nil {
			yield(none, fmt.Errorf("%s: %w", what, err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			v, err := scan(rows)
			if err != nil {
				yield(none, fmt.Errorf("%s: %w", what, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(none, fmt.Errorf("%s: %w", what, err))
		}
	}
}

// first is the only value of a stream; found is false if it has none.
func first[T any](seq iter.Seq2[T, error]) (v T, found bool, err error) {
	for v, err := range seq {
		return v, err == nil, err
	}
	return v, false, nil
}

// query is a SELECT in the making. Values never become part of its text: they are bound.
type query struct {
	head  string // SELECT … FROM …
	where []string
	tail  string // ORDER BY … LIMIT …
	args  []named
}

func (q query) String() string {
	s := q.head
	if len(q.where) > 0 {
		s += " WHERE " + strings.Join(q.where, " AND ")
	}
	return s + " " + q.tail
}

// and adds a condition; each ? in it stands for the next value, given with its ClickHouse type.
func (q *query) and(condition string, values ...typed) {
	q.where = append(q.where, q.fill(condition, values...))
}

func (q *query) fill(text string, values ...typed) string {
	for _, v := range values {
		name := fmt.Sprintf("p%d", len(q.args))
		q.args = append(q.args, named{name, v.value})
		text = strings.Replace(text, "?", "{"+name+":"+v.kind+"}", 1)
	}
	return text
}

type typed struct {
	kind  string
	value any
}

func str(s string) typed    { return typed{"String", s} }
func num(n int64) typed     { return typed{"Int64", n} }
func uns(n uint64) typed    { return typed{"UInt64", n} }
func strs(s []string) typed { return typed{"Array(String)", s} }

// hexID is an id as unhex takes it.
func hexID(id event.ID) typed { return str(hex.EncodeToString(id[:])) }

// idSet is a subquery of ids, given as hexIDs.
const idSet = "SELECT toFixedString(unhex(arrayJoin(?)), 16)"

func hexIDs(ids []event.ID) typed {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = hex.EncodeToString(id[:])
	}
	return strs(list)
}

// moment is a bound event time.
const moment = "fromUnixTimestamp64Micro(?, 'UTC')"

// between bounds a time column: from inclusive, to exclusive, in microseconds, 0 for no bound.
func (q *query) between(column string, from, to int64) {
	if from != 0 {
		q.and(column+" >= "+moment, num(from))
	}
	if to != 0 {
		q.and(column+" < "+moment, num(to))
	}
}

// equal adds column = value unless value is empty.
func (q *query) equal(column, value string) {
	if value != "" {
		q.and(column+" = ?", str(value))
	}
}

func limit(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" LIMIT %d", n)
}

// idOf reads a FixedString(16).
func idOf(s string) (id event.ID, err error) {
	if len(s) != len(id) {
		return id, fmt.Errorf("%w: an id of %d bytes", errCorrupt, len(s))
	}
	return event.ID([]byte(s)), nil
}
