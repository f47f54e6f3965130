package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

const markerColumns = "epoch, number, received, rules, tables, hits, notes, actions, " +
	"end_source, end_partition, end_offset, end_cookie, mark_source, mark_partition, mark_newest, mark_received, mark_idle, carry, learned"

// counted is an entry with what its marker says it has.
type counted struct {
	*incident.Entry
	hits, notes, actions uint32
}

func scanMarker(rows scanner) (c counted, err error) {
	b := &event.Batch{}
	var at time.Time
	c.Entry = &incident.Entry{Batch: b}
	var endSource, endCookie, markSource []string
	var endPartition, markPartition []int32
	var endOffset, newest, received []int64
	var idle []bool
	var carry, learned string
	err = rows.Scan(&b.ID.Epoch, &b.ID.Number, &at, &c.Rules, &c.Tables, &c.hits, &c.notes, &c.actions,
		&endSource, &endPartition, &endOffset, &endCookie, &markSource, &markPartition, &newest, &received, &idle, &carry, &learned)
	if err != nil {
		return c, err
	}
	b.Received = at.UnixMicro()
	for i := range endSource {
		b.Ends = append(b.Ends, event.End{Source: endSource[i], Partition: endPartition[i], Offset: endOffset[i], Cookie: endCookie[i]})
	}
	for i := range markSource {
		b.Marks = append(b.Marks, event.Mark{Source: markSource[i], Partition: markPartition[i], Newest: newest[i], Received: received[i], Idle: idle[i]})
	}
	if b.Carry, err = decodeCarry([]byte(carry)); err != nil {
		return c, fmt.Errorf("batch %d/%d of the log: carried records: %w", b.ID.Epoch, b.ID.Number, err)
	}
	if learned != "" {
		b.Learned = []byte(learned)
	}
	return c, nil
}

// draftMarkers are the markers in the table accrued, in order. Where the table of batches is read, too, it comes afterwards: a marker that is moved
// meanwhile is found twice then, and not never.
func (db *DB) draftMarkers(ctx context.Context, where string, args ...named) (list []counted, err error) {
	names := strings.Split(markerColumns, ", ")
	err = db.readDrafts(ctx, "WHERE startsWith(into, 'batches (') AND "+where, func(x draft) error {
		return x.pieces[0].eachRow(names, func(row scanner) error {
			c, err := scanMarker(row)
			list = append(list, c)
			return err
		})
	}, args...)
	return list, err
}

// merged are markers of both places, in order, each batch once.
func merged(a, b []counted) []counted {
	list := append(slices.Clone(a), b...)
	slices.SortStableFunc(list, func(a, b counted) int { return a.Batch.ID.Compare(b.Batch.ID) })
	return slices.CompactFunc(list, func(a, b counted) bool { return a.Batch.ID == b.Batch.ID })
}

func (db *DB) markers(ctx context.Context, rest string, args ...named) ([]counted, error) {
	rows, err := db.rows(ctx, "SELECT "+markerColumns+" FROM "+db.table("batches")+" "+rest, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []counted
	for rows.Next() {
		c, err := scanMarker(rows)
		if err != nil {
			return nil, err
		}
		if n := len(list); n > 0 && list[n-1].Batch.ID == c.Batch.ID {
			continue // Written twice and not merged yet.
		}
		list = append(list, c)
	}
	return list, rows.Err()
}
