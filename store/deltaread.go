package store

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"

	"github.com/tocsin-siem/tocsin/event"
)

// Waiting for what another process is about to move.
const (
	awaitPause = 100 * time.Millisecond
	asking     = 10                       // Looks, of which one asks for what is waited for: what was inserted just now may not be known yet as waiting.
	awaitMost  = deltaAge + 3*time.Second // Without anything happening.
)

// awaitDrafts waits until the drafts of now are moved by the process that made them, so that a command finds what the service had when it was given. A
// process that lives makes drafts and moves them, at once if it can be asked; for one that is dead, and moves nothing, it waits once for as long as that may take.
func (db *DB) awaitDrafts(ctx context.Context) error {
	end := time.NewTimer(awaitMost)
	defer end.Stop()
	last := event.BatchID{Epoch: math.MaxUint64, Number: math.MaxUint64}
	var before waiting
	for look := 0; ; look++ {
		var now waiting
		err := db.row(ctx, fmt.Sprintf("SELECT count(), countIf((epoch, number) <= (%d, %d)), max((epoch, number)).1, max((epoch, number)).2 FROM %s", last.Epoch, last.Number, db.table("accrued"))).
			Scan(&now.all, &now.ours, &now.newest.Epoch, &now.newest.Number)
		if err != nil || now.ours == 0 {
			return err
		}
		switch before {
		case waiting{}:
			last = now.newest
		case now:
		default:
			end.Reset(awaitMost)
		}
		before = now
		if db.ask != nil && look%asking == 0 {
			if err := db.ask(ctx); err != nil {
				db.log.DebugContext(ctx, "the process that writes cannot be asked to move its drafts", "err", err)
			}
		}
		select {
		case <-time.After(awaitPause):
		case <-end.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// waiting is what the table accrued held at a look: rows in all, and of the batches that are waited for.
type waiting struct {
	all, ours uint64
	newest    event.BatchID
}

// readDrafts reads rows of the table accrued by batch; each makes a draft with one piece.
func (db *DB) readDrafts(ctx context.Context, where string, take func(draft) error, args ...named) error {
	rows, err := db.rows(ctx, "SELECT epoch, number, toUnixTimestamp(written), into, rows, data FROM "+db.table("accrued")+" "+where+" ORDER BY epoch, number, seq LIMIT 1 BY epoch, number, seq", args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var x draft
		var p piece
		var n uint32
		var data string
		if err := rows.Scan(&x.id.Epoch, &x.id.Number, &x.written, &p.into, &n, &data); err != nil {
			return err
		}
		p.table, _, _ = strings.Cut(p.into, " ")
		p.rows, p.data = int(n), []byte(data)
		x.pieces, x.bytes = []piece{p}, len(p.data)
		if err := take(x); err != nil {
			return err
		}
	}
	return rows.Err()
}

// scanner is the part of driver.Rows that reads a row.
type scanner interface{ Scan(dest ...any) error }

var _ scanner = driver.Rows(nil)

// blockRow is a row of a block, of the columns asked for.
type blockRow struct {
	block   *proto.Block
	columns []int
	row     int
}

// Scan implements scanner.
func (r *blockRow) Scan(dest ...any) error {
	for i, d := range dest {
		if err := r.block.Columns[r.columns[i]].ScanRow(d, r.row); err != nil {
			return err
		}
	}
	return nil
}

// eachRow gives the rows of a piece, with columns by name.
func (p *piece) eachRow(columns []string, take func(scanner) error) error {
	reader := chproto.NewReader(&bodies{pieces: []*piece{p}})
	block, err := decodeBlock(reader)
	if err != nil {
		return fmt.Errorf("%w: rows for table %s: %w", errCorrupt, p.table, err)
	}
	r := blockRow{block: block}
	names := block.ColumnsNames()
	for _, c := range columns {
		at := slices.Index(names, c)
		if at < 0 {
			return fmt.Errorf("%w: rows for table %s lack column %s", errCorrupt, p.table, c)
		}
		r.columns = append(r.columns, at)
	}
	for ; r.row < block.Rows(); r.row++ {
		if err := take(&r); err != nil {
			return err
		}
	}
	return nil
}
