package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Bounds of one step of Replay.
const (
	replayMarkers = 1000
	replayHits    = 50_000
)

// Replay reads the log behind a batch, in order, with hits, notes and actions and without events and rejects. Batches without a marker and void ones
// are not seen. It ends at the end of the log as it was when it got there, or with an error, after which it yields nothing. Where a batch lacks
// rows which its marker counts, or has a damaged one, reading is tried again until ctx ends, and Health names the batch: a copy may be put back. Hits of one event share its Ref within an entry. Each entry belongs to the caller.
func (db *DB) Replay(ctx context.Context, after event.BatchID) iter.Seq2[*incident.Entry, error] {
	return func(yield func(*incident.Entry, error) bool) {
		for {
			entries, err := db.replayStep(ctx, after)
			if err != nil {
				yield(nil, fmt.Errorf("replay the log after batch %d/%d: %w", after.Epoch, after.Number, err))
				return
			}
			if len(entries) == 0 {
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
			after = entries[len(entries)-1].Batch.ID
		}
	}
}

const behind = "(epoch > {ae:UInt64} OR (epoch = {ae:UInt64} AND number > {an:UInt64}))"

const upTo = "(epoch < {te:UInt64} OR (epoch = {te:UInt64} AND number <= {tn:UInt64}))"

func (db *DB) replayStep(ctx context.Context, after event.BatchID) (entries []*incident.Entry, err error) {
	err = db.retry(ctx, "read the log", func() error {
		entries, err = db.replayOnce(ctx, after)
		if errors.Is(err, errCorrupt) { // Another process may have moved drafts between two of our statements.
			entries, err = db.replayOnce(ctx, after)
		}
		return err
	})
	return entries, err
}

func (db *DB) replayOnce(ctx context.Context, after event.BatchID) ([]*incident.Entry, error) {
	args := []named{{"ae", after.Epoch}, {"an", after.Number}}
	var found []counted
	err := db.settled(ctx, func(list []void) error {
		drafts, err := db.draftMarkers(ctx, behind+" AND "+valid(list), args...)
		if err != nil {
			return err
		}
		found, err = db.markers(ctx, fmt.Sprintf("WHERE %s AND %s ORDER BY epoch, number LIMIT 1 BY epoch, number LIMIT %d", behind, valid(list), replayMarkers), args...)
		if len(found) < replayMarkers { // Else those of drafts come behind others that are not read yet.
			found = merged(found, drafts)
		}
		return err
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	n, hits := 0, uint32(0)
	for ; n < len(found) && (n == 0 || hits < replayHits); n++ {
		hits += found[n].hits
	}
	found = found[:n]
	last := found[n-1].Batch.ID
	s := replayRows{db: db, args: append(args, named{"te", last.Epoch}, named{"tn", last.Number}), found: found}
	if err := s.read(ctx); err != nil {
		return nil, err
	}
	entries := make([]*incident.Entry, n)
	for i, c := range found {
		if len(c.Hits) != int(c.hits) || len(c.Notes) != int(c.notes) || len(c.Actions) != int(c.actions) {
			return nil, fmt.Errorf("%w: batch %d/%d has %d hits, %d notes and %d actions, its marker counts %d, %d and %d", errCorrupt,
				c.Batch.ID.Epoch, c.Batch.ID.Number, len(c.Hits), len(c.Notes), len(c.Actions), c.hits, c.notes, c.actions)
		}
		entries[i] = c.Entry
	}
	return entries, nil
}

// replayRows fills entries with the rows of their batches, which come in the same order.
type replayRows struct {
	db    *DB
	args  []named
	found []counted
	at    int // The entry the last row belongs to.
	seq   int64
	refs  map[event.ID]*event.Ref // Of that entry.
	block hitReader
}

func (s *replayRows) read(ctx context.Context) error {
	for _, t := range []struct {
		table, columns string
		take           func(scanner) error
		whole          func(counted) bool
	}{
		{"hit_blocks", "hits, data", s.takeHits, hasHits},
		{"hits", "rule, version, branch, step, key, payload", s.takeHit, hasHits}, // Of an earlier program.
		{"notes", "entity, what, prev, value, actor, payload", s.takeNote, func(c counted) bool { return len(c.Notes) == int(c.notes) }},
		{"actions", "doc", s.takeAction, func(c counted) bool { return len(c.Actions) == int(c.actions) }},
	} {
		missing := func() bool { return slices.ContainsFunc(s.found, func(c counted) bool { return !t.whole(c) }) }
		if !missing() {
			continue
		}
		err := s.readTable(ctx, t.table, t.columns, t.take)
		if err == nil && missing() {
			err = s.readDrafts(ctx, t.table, t.columns, t.take, t.whole)
		}
		if err != nil {
			return fmt.Errorf("table %s: %w", t.table, err)
		}
	}
	return nil
}

func hasHits(c counted) bool { return len(c.Hits) == int(c.hits) }

func (s *replayRows) readTable(ctx context.Context, table, columns string, take func(scanner) error) error {
	s.begin()
	rows, err := s.db.rows(ctx, "SELECT epoch, number, seq, "+columns+" FROM "+s.db.table(table)+" WHERE "+behind+" AND "+upTo+" ORDER BY epoch, number, seq", s.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := take(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// readDrafts adds the rows of batches whose process has not moved them yet, or died before.
func (s *replayRows) readDrafts(ctx context.Context, table, columns string, take func(scanner) error, whole func(counted) bool) error {
	s.begin()
	names := append([]string{"epoch", "number", "seq"}, strings.Split(columns, ", ")...)
	where := "WHERE " + behind + " AND " + upTo + " AND startsWith(into, '" + table + " (')"
	return s.db.readDrafts(ctx, where, func(x draft) error {
		at := slices.IndexFunc(s.found, func(c counted) bool { return c.Batch.ID == x.id })
		if at < 0 || whole(s.found[at]) {
			return nil
		}
		return x.pieces[0].eachRow(names, take)
	}, s.args...)
}

func (s *replayRows) begin() {
	s.at, s.seq, s.refs = 0, -1, map[event.ID]*event.Ref{}
}

// scan reads a row and gives the entry it belongs to; nil for a row of a batch that does not exist, and for one read before.
func (s *replayRows) scan(rows scanner, dest ...any) (*incident.Entry, error) {
	var id event.BatchID
	var seq uint32
	if err := rows.Scan(append([]any{&id.Epoch, &id.Number, &seq}, dest...)...); err != nil {
		return nil, err
	}
	for s.at < len(s.found) && s.found[s.at].Batch.ID.Less(id) {
		s.at++
		s.seq = -1
		clear(s.refs)
	}
	if s.at == len(s.found) || s.found[s.at].Batch.ID != id || int64(seq) <= s.seq {
		return nil, nil
	}
	s.seq = int64(seq)
	return s.found[s.at].Entry, nil
}

func (s *replayRows) takeHits(rows scanner) error {
	var n uint32
	var data string
	e, err := s.scan(rows, &n, &data)
	if err != nil || e == nil {
		return err
	}
	had := len(e.Hits)
	err = s.block.read([]byte(data), n, func(h event.Hit) {
		h.Ref = s.shared(h.Ref)
		e.Hits = append(e.Hits, h)
	})
	if err != nil {
		return fmt.Errorf("block %d of the hits of batch %d/%d, behind %d of its %d: %w", s.seq, e.Batch.ID.Epoch, e.Batch.ID.Number, len(e.Hits)-had, n, err)
	}
	return nil
}

func (s *replayRows) takeHit(rows scanner) error {
	var h event.Hit
	var payload string
	e, err := s.scan(rows, &h.Rule, &h.Version, &h.Branch, &h.Step, &h.Key, &payload)
	if err != nil || e == nil {
		return err
	}
	if err := decodeHit([]byte(payload), &h); err != nil {
		return fmt.Errorf("hit %d of batch %d/%d: %w", s.seq, e.Batch.ID.Epoch, e.Batch.ID.Number, err)
	}
	h.Ref = s.shared(h.Ref)
	e.Hits = append(e.Hits, h)
	return nil
}

func (s *replayRows) takeNote(rows scanner) error {
	var n event.Note
	var payload string
	e, err := s.scan(rows, &n.Entity, &n.What, &n.Prev, &n.Value, &n.Actor, &payload)
	if err != nil || e == nil {
		return err
	}
	if n.Ref, err = decodeRef([]byte(payload)); err != nil {
		return fmt.Errorf("note %d of batch %d/%d: %w", s.seq, e.Batch.ID.Epoch, e.Batch.ID.Number, err)
	}
	n.Ref = s.shared(n.Ref)
	e.Notes = append(e.Notes, n)
	return nil
}

func (s *replayRows) takeAction(rows scanner) error {
	var doc string
	e, err := s.scan(rows, &doc)
	if err != nil || e == nil {
		return err
	}
	var a incident.Action
	if err := readDocument([]byte(doc), &a); err != nil {
		return fmt.Errorf("action %d of batch %d/%d: %w", s.seq, e.Batch.ID.Epoch, e.Batch.ID.Number, err)
	}
	e.Actions = append(e.Actions, a)
	return nil
}

func (s *replayRows) shared(r *event.Ref) *event.Ref {
	if r == nil {
		return nil
	}
	if known, ok := s.refs[r.Event]; ok {
		return known
	}
	s.refs[r.Event] = r
	return r
}
