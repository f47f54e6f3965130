package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// spreadTables are the tables that a cluster of several shards may spread over them, and the expression that chooses the shard. They are nearly
// all of the volume; everything else is the log and what follows from it, which one process reads back in order and which therefore stays in
// one shard. The key is the event's id, so that an event that is written twice meets itself and is replaced.
var spreadTables = []struct{ name, shard string }{
	{"events", "cityHash64(id)"},
	{"entity_index", "cityHash64(id)"},
}

// localSuffix is what the name of a shard's own part of a spread table ends in.
const localSuffix = "_local"

// ShardedSchemaText is the schema for a cluster of several shards: as SchemaText, but with the rows of events and of the entity index in tables
// of their own in each shard, and under their usual names tables that spread them (engine Distributed). It is printed for an operator to
// apply before the first start; Open finds the tables, records the schema files and from then on knows that they are spread.
func ShardedSchemaText(cfg Config) (string, error) {
	if cfg.Cluster == "" {
		return "", errors.New("a sharded schema needs the name of a cluster: set clickhouse.cluster or give --cluster")
	}
	text, err := SchemaText(cfg)
	if err != nil {
		return "", err
	}
	for _, t := range spreadTables {
		name := cfg.Database + "." + t.name
		create := "CREATE TABLE " + name + " ON CLUSTER"
		before, rest, found := strings.Cut(text, create)
		body, after, ended := strings.Cut(rest, ";\n")
		if !found || !ended {
			return "", fmt.Errorf("%w: the schema has no table %s", ErrSchema, t.name)
		}
		text = before + "CREATE TABLE " + name + localSuffix + " ON CLUSTER" + body + ";\n\n" +
			fmt.Sprintf("%s %s AS %s%s\nENGINE = Distributed(%s, %s, %s%s, %s);\n", create, cfg.Cluster, name, localSuffix, cfg.Cluster, cfg.Database, t.name, localSuffix, t.shard) + after
	}
	return text, nil
}

// findSpread learns which tables are spread: those that have a local part.
func (db *DB) findSpread(ctx context.Context) error {
	rows, err := db.rows(ctx, "SELECT name FROM system.tables WHERE database = {db:String} AND endsWith(name, {end:String})",
		named{"db", db.cfg.Database}, named{"end", localSuffix})
	if err != nil {
		return fmt.Errorf("look for sharded tables: %w", err)
	}
	names, err := readStrings(rows)
	if err != nil {
		return fmt.Errorf("look for sharded tables: %w", err)
	}
	db.local = map[string]string{}
	for _, n := range names {
		db.local[strings.TrimSuffix(n, localSuffix)] = n
	}
	return nil
}

// stored is the name of the table that holds the rows of a table: statements that change rows or the table itself must name it, because a
// table that only spreads has neither.
func (db *DB) stored(name string) string {
	if l, spread := db.local[name]; spread {
		return l
	}
	return name
}
