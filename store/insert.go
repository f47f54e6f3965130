package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	clientcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// errBlock means that we built a block wrongly: a fault of this program that no retry mends.
var errBlock = errors.New("block is not consistent")

// stored is what an insert sends: Native blocks of one table, one after the other.
type stored struct {
	table  string
	into   string // The table and its columns.
	rows   int
	blocks int
	open   func() io.Reader // From the beginning, each time.
}

// insert sends a block, once: a second call with the same block and token adds nothing. Over HTTP the block's bytes go out as they are. The native
// protocol has no way to pass them on, so there the block is decoded and its rows are appended one by one, which costs about
// six times as much of our time.
func (db *DB) insert(ctx context.Context, b *block, token string) error {
	if b.rows() == 0 {
		return nil
	}
	if err := b.seal(); err != nil {
		return fmt.Errorf("%w: %w", errBlock, err)
	}
	return db.insertStored(ctx, stored{table: b.table, into: b.into(), rows: b.rows(), blocks: 1, open: b.reader}, token)
}

func (db *DB) insertStored(ctx context.Context, b stored, token string) error {
	start := db.now()
	err := db.send(ctx, b, token)
	db.metrics.inserted(ctx, b.table, b.rows, db.now().Sub(start), err)
	return err
}

func (db *DB) send(ctx context.Context, b stored, token string) error {
	statement := "INSERT INTO " + db.cfg.Database + "." + b.into + " SETTINGS async_insert = 0, optimize_on_insert = 0, distributed_foreground_insert = 1"
	if token != "" {
		statement += ", insert_deduplication_token = '" + token + "'"
	}
	if db.cfg.Protocol == "native" {
		return db.sendRows(ctx, b, statement)
	}
	return db.conn.InsertFormat(ctx, "Native", statement, b.open())
}

func (db *DB) sendRows(ctx context.Context, b stored, statement string) error {
	batch, err := db.conn.PrepareBatch(ctx, statement)
	if err != nil {
		return err
	}
	if err := appendBlocks(batch, b.blocks, b.open()); err != nil {
		_ = batch.Abort()
		return err
	}
	return batch.Send()
}

func appendBlocks(batch driver.Batch, n int, r io.Reader) error {
	source := chproto.NewReader(r)
	for range n {
		decoded, err := decodeBlock(source)
		if err != nil {
			return fmt.Errorf("%w: %w", errBlock, err)
		}
		row := make([]any, len(decoded.Columns))
		for i := range decoded.Rows() {
			for j, c := range decoded.Columns {
				row[j] = c.Row(i, false)
			}
			if err := batch.Append(row...); err != nil {
				return err
			}
		}
	}
	return nil
}

// decodeBlock reads a Native block of revision 0 with the client's own decoder.
func decodeBlock(r *chproto.Reader) (*proto.Block, error) {
	decoded := &proto.Block{ServerContext: &clientcolumn.ServerContext{Timezone: time.UTC}}
	return decoded, decoded.Decode(r, 0)
}
