package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Result is the answer to a statement of a person.
type Result struct {
	Columns []string
	Types   []string // ClickHouse's, by column.
	// Rows yields one slice per row, with Go values as clickhouse-go maps them; the slice is the caller's. It can be ranged over once; an
	// error comes last. Close must be called if it is not.
	Rows  iter.Seq2[[]any, error]
	Close func() error
}

// Query runs one statement that only reads, for `tocsin sql`. The server is told to refuse everything else, so a statement that writes, or
// that reads files or other machines, is an error of the server. Tables need no database before their name, and a row
// that was written twice is seen once.
func (db *DB) Query(ctx context.Context, statement string) (Result, error) {
	// The embedded engine takes this clause even where it is told to read only, and would write the file.
	if strings.Contains(strings.ToUpper(statement), "OUTFILE") {
		return Result{}, errors.New("run the statement: INTO OUTFILE is not allowed: redirect the output instead")
	}
	if err := db.delta.caughtUp(ctx, nil); err != nil {
		return Result{}, fmt.Errorf("run the statement: %w", err)
	}
	// The store's own connection is of no database, since it creates it.
	options, err := db.cfg.options()
	if err != nil {
		return Result{}, err
	}
	options.Auth.Database = db.cfg.Database
	conn, err := clickhouse.Open(options)
	if err != nil {
		return Result{}, fmt.Errorf("open clickhouse: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	cancel := func() {
		stop()
		_ = conn.Close()
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"final": 1, "readonly": 1}))
	rows, err := conn.Query(ctx, statement)
	if err != nil {
		cancel()
		return Result{}, fmt.Errorf("run the statement: %w", err)
	}
	r := Result{Columns: rows.Columns(), Close: func() error {
		defer cancel()
		return rows.Close()
	}}
	types := rows.ColumnTypes()
	for _, t := range types {
		r.Types = append(r.Types, t.DatabaseTypeName())
	}
	r.Rows = func(yield func([]any, error) bool) {
		defer cancel()
		defer rows.Close()
		for rows.Next() {
			cells := make([]any, len(types))
			for i, t := range types {
				cells[i] = reflect.New(t.ScanType()).Interface()
			}
			err := rows.Scan(cells...)
			for i := range cells {
				cells[i] = reflect.ValueOf(cells[i]).Elem().Interface()
			}
			if !yield(cells, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, fmt.Errorf("run the statement: %w", err))
		}
	}
	return r, nil
}
