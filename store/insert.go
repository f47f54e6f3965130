package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	clientcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// errBlock means that we built a block wrongly: a fault of this program that no retry mends.
var errBlock = errors.New("block is not consistent")

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
	start := db.now()
	err := db.send(ctx, b, token)
	db.metrics.inserted(ctx, b.table, b.rows(), db.now().Sub(start), err)
	return err
}

func (db *DB) send(ctx context.Context, b *block, token string) error {
	statement := b.statement(db.cfg.Database) + " SETTINGS async_insert = 0, optimize_on_insert = 0, distributed_foreground_insert = 1"
	if token != "" {
		statement += ", insert_deduplication_token = '" + token + "'"
	}
	if db.cfg.Protocol == "native" {
		return db.sendRows(ctx, b, statement)
	}
	return db.conn.InsertFormat(ctx, "Native", statement, b.reader())
}

func (db *DB) sendRows(ctx context.Context, b *block, statement string) error {
	decoded, err := decodeBlock(b.reader())
	if err != nil {
		return fmt.Errorf("%w: %w", errBlock, err)
	}
	batch, err := db.conn.PrepareBatch(ctx, statement)
	if err != nil {
		return err
	}
	row := make([]any, len(decoded.Columns))
	for i := range decoded.Rows() {
		for j, c := range decoded.Columns {
			row[j] = c.Row(i, false)
		}
		if err := batch.Append(row...); err != nil {
			_ = batch.Abort()
			return err
		}
	}
	return batch.Send()
}

// decodeBlock reads a Native block of revision 0 with the client's own decoder.
func decodeBlock(r io.Reader) (*proto.Block, error) {
	decoded := &proto.Block{ServerContext: &clientcolumn.ServerContext{Timezone: time.UTC}}
	return decoded, decoded.Decode(chproto.NewReader(r), 0)
}
