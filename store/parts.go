package store

import (
	"context"
	"fmt"
)

// Parts is how much ClickHouse keeps of us, and in how many pieces.
type Parts struct {
	Parts uint64
	Most  uint64 // In one partition of a table.
	Rows  uint64
	Bytes uint64 // On disk.
}

// Parts counts the active parts of our tables on the server that answers.
func (db *DB) Parts(ctx context.Context) (p Parts, err error) {
	err = db.row(
		ctx,
		"SELECT sum(parts), max(parts), sum(n), sum(size) FROM (SELECT count() AS parts, sum(rows) AS n, sum(bytes_on_disk) AS size FROM system.parts WHERE active AND database = {db:String} GROUP BY table, partition)",
		named{"db", db.cfg.Database},
	).Scan(&p.Parts, &p.Most, &p.Rows, &p.Bytes)
	if err != nil {
		return p, fmt.Errorf("count the parts: %w", err)
	}
	return p, nil
}
