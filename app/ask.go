package app

import (
	"context"

	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// SQL runs one reading statement against the configured store and hands its rows to show. The service may run meanwhile.
func SQL(ctx context.Context, cfg Config, statement string, progress func(engine.Progress), show func(columns []string, rows func(func([]any, error) bool)) error) error {
	db, err := openBeside(ctx, cfg, progress)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	result, err := db.Query(ctx, statement)
	if err != nil {
		return err
	}
	defer func() { _ = result.Close() }()
	return show(result.Columns, result.Rows)
}

// SchemaText is the schema as SQL.
func SchemaText(cfg Config) (string, error) {
	c, err := cfg.ClickHouse.store()
	if err != nil {
		return "", err
	}
	return store.SchemaText(c)
}

// ShardedSchemaText is the schema as SQL for a cluster of several shards.
func ShardedSchemaText(cfg Config) (string, error) {
	c, err := cfg.ClickHouse.store()
	if err != nil {
		return "", err
	}
	return store.ShardedSchemaText(c)
}
