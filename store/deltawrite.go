package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/klauspost/compress/s2"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// deltaEncoder makes drafts, and the block of the table accrued. Its buffers are used again.
type deltaEncoder struct {
	block
	entry      entryKey
	into, data *text
	rows       *fixed

	plain, packed []byte
}

func newDeltaEncoder() *deltaEncoder {
	e := &deltaEncoder{block: block{table: "accrued"}}
	e.entry = addEntryKey(&e.block)
	e.into = add(&e.block, "into", &text{})
	e.rows = add(&e.block, "rows", newFixed("UInt32", 4))
	e.data = add(&e.block, "data", &text{})
	return e
}

// add puts the rows of blocks into a draft. The blocks may be used again.
func (e *deltaEncoder) add(x *draft, blocks ...*block) error {
	for _, b := range blocks {
		if b.rows() == 0 {
			continue
		}
		if err := b.seal(); err != nil {
			return fmt.Errorf("%w: %w", errBlock, err)
		}
		e.plain = e.plain[:0]
		for _, p := range b.parts {
			e.plain = append(e.plain, p...)
		}
		e.packed = s2.Encode(e.packed[:cap(e.packed)], e.plain)
		p := piece{table: b.table, into: b.into(), rows: b.rows(), data: bytes.Clone(e.packed)}
		e.entry.add(x.id, len(x.pieces), x.written)
		e.into.add(p.into)
		e.rows.add32(uint32(p.rows))
		e.data.addBytes(p.data)
		x.pieces = append(x.pieces, p)
		x.bytes += len(p.data)
	}
	return nil
}

// appendDraft puts all there is of a batch into the table accrued: the rows are made ready while what follows from the batch is found out.
func (db *DB) appendDraft(ctx context.Context, what string, e *incident.Entry, written uint32, settled func() error, follows func() incident.Outcome) (x draft, err error) {
	if x, err = db.draftRows(e, written); err != nil {
		return x, err
	}
	if err := settled(); err != nil {
		return x, err
	}
	out, enc := follows(), db.enc
	found, err := outcomeBlocks(e.Batch.ID, out, db.now().UnixMicro())
	if err != nil {
		return x, fmt.Errorf("%s: %w", what, err)
	}
	enc.marker.encode(e, written)
	if err := enc.delta.add(&x, found.findings, found.incidents, found.changes, &enc.marker.block); err != nil {
		return x, err
	}
	x.changes, x.lengths = out.Changes, found.lengths
	return x, db.begin(ctx, what, &enc.delta.block, tokenOf(x.id, "delta", 0))
}

// draftRows begins a draft with the rows of an entry. Only the marker, and what follows, are missing.
func (db *DB) draftRows(e *incident.Entry, written uint32) (x draft, err error) {
	id, enc := e.Batch.ID, db.enc
	x = draft{id: id, written: written, records: len(e.Batch.Events) + len(e.Batch.Rejects)}
	enc.delta.reset()
	for rest := enc.events.order.of(e.Batch.Events); len(rest) > 0; {
		enc.events.block.reset()
		enc.events.index.reset()
		rest = rest[enc.events.encode(e.Batch.Events, rest, id, written):]
		if err := enc.delta.add(&x, &enc.events.block, &enc.events.index); err != nil {
			return x, err
		}
	}
	for rest := e.Batch.Rejects; len(rest) > 0; {
		rest = rest[enc.rejects.encode(rest, id, written):]
		if err := enc.delta.add(&x, &enc.rejects.block); err != nil {
			return x, err
		}
	}
	if err := enc.actions.encode(e.Actions, id, written); err != nil {
		return x, err
	}
	enc.hits.encode(e.Hits, id, written)
	enc.notes.encode(e.Notes, id, written)
	return x, enc.delta.add(&x, &enc.hits.block, &enc.notes.block, &enc.actions.block)
}

// moveDrafts moves drafts to their tables whenever it is due, until ctx ends or the server refuses them for good.
func (db *DB) moveDrafts(ctx context.Context) {
	d := db.delta
	for {
		select {
		case <-d.wake:
		case <-db.asked:
			d.hurry()
		case <-ctx.Done():
			d.done(0, ctx.Err())
			return
		}
		taken := d.take()
		if len(taken) == 0 {
			continue
		}
		err := db.move(ctx, taken)
		d.done(len(taken), err)
		if err != nil {
			return
		}
	}
}

// move puts the rows of drafts into their tables and takes them out of the table accrued. Transient errors are retried until ctx ends.
func (db *DB) move(ctx context.Context, list []draft) error {
	for len(list) > 0 {
		n := sameDay(list)
		if err := db.moveTogether(ctx, list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

const secondsOfDay = 24 * 60 * 60

// sameDay is how many drafts at the beginning of a list go into the same partitions. One insert then makes one part, all of which is there or none.
func sameDay(list []draft) int {
	n := 1
	for n < len(list) && list[n].written/secondsOfDay == list[0].written/secondsOfDay {
		n++
	}
	return n
}

// movePriority is ClickHouse's setting for the statements that move drafts: what somebody waits for, whose priority is 1 if it has any, goes first.
const movePriority = 10

func (db *DB) moveTogether(ctx context.Context, list []draft) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"priority": movePriority}))
	first, last := list[0].id, list[len(list)-1].id
	what := fmt.Sprintf("move the rows of batches %d/%d to %d/%d to their tables", first.Epoch, first.Number, last.Epoch, last.Number)
	for _, table := range draftTables {
		if err := db.insertPieces(ctx, what, piecesOf(list, table), fmt.Sprintf("%d-%d-%d-%s-moved", last.Epoch, first.Number, last.Number, table)); err != nil {
			return err
		}
	}
	ids := make([]event.BatchID, len(list))
	for i := range list {
		ids[i] = list[i].id
	}
	return db.dropDrafts(ctx, ids)
}

func piecesOf(list []draft, table string) (pieces []*piece) {
	for i := range list {
		for j := range list[i].pieces {
			if p := &list[i].pieces[j]; p.table == table {
				pieces = append(pieces, p)
			}
		}
	}
	return pieces
}

// insertPieces inserts pieces of one table at once.
func (db *DB) insertPieces(ctx context.Context, what string, pieces []*piece, token string) error {
	if len(pieces) == 0 {
		return nil
	}
	rows := 0
	for _, p := range pieces {
		rows += p.rows
	}
	b := stored{table: pieces[0].table, into: pieces[0].into, rows: rows, blocks: len(pieces), open: func() io.Reader { return &bodies{pieces: pieces} }}
	return db.retry(ctx, what, func() error { return db.insertStored(ctx, b, token) })
}

// dropBatches is how many partitions are dropped by one statement.
const dropBatches = 100

// dropDrafts takes batches out of the table accrued.
func (db *DB) dropDrafts(ctx context.Context, ids []event.BatchID) error {
	for len(ids) > 0 {
		n := min(len(ids), dropBatches)
		commands := make([]string, n)
		for i, id := range ids[:n] {
			commands[i] = fmt.Sprintf("DROP PARTITION (%d, %d)", id.Epoch, id.Number)
		}
		statement := "ALTER TABLE " + db.table("accrued") + " " + strings.Join(commands, ", ")
		if err := db.retry(ctx, "take moved rows out of the table accrued", func() error { return db.conn.Exec(ctx, statement) }); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// bodies reads the blocks of pieces one after the other; each is decompressed when it is its turn.
type bodies struct {
	pieces      []*piece
	block, rest []byte
}

// Read implements io.Reader.
func (b *bodies) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if len(b.pieces) == 0 {
			return 0, io.EOF
		}
		block, err := b.pieces[0].plain(b.block)
		if err != nil {
			return 0, err
		}
		b.pieces, b.block, b.rest = b.pieces[1:], block, block
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// plain gives the block, in buf if it has room.
func (p *piece) plain(buf []byte) ([]byte, error) {
	block, err := s2.Decode(buf[:cap(buf)], p.data)
	if err != nil {
		return nil, fmt.Errorf("%w: rows for table %s do not decompress: %w", errCorrupt, p.table, err)
	}
	return block, nil
}
