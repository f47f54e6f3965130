package store

import (
	"context"
	"fmt"
	"strings"
)

// mergeBase is how many times the size of its largest part ClickHouse wants a merge to have: 5 unless a table says otherwise. Each merge rewrites
// every column of its rows, and a row is rewritten about once for each power of this number that its day's parts grow by. 10 takes a third of the
// rewriting away, and leaves about a third more parts for a reader to look into: 13 instead of 10 in a day that is being written.
const mergeBase = "merge_selector_base = 10"

// leanSettings are settings of tables that newer servers have and older ones may not. Newer servers also count the distinct values of every column
// anew at each merge, to plan joins by; we join nothing, and our sorting keys find what we look for.
var leanSettings = []string{"auto_statistics_types = ''", mergeBase}

// lean are those of leanSettings that this server has, as they stand behind others in a CREATE TABLE.
func (db *DB) lean(ctx context.Context) (string, error) {
	var b strings.Builder
	for _, s := range leanSettings {
		known, err := db.knowsTableSetting(ctx, settingOf(s))
		if err != nil {
			return "", err
		}
		if known {
			b.WriteString(", " + s)
		}
	}
	return b.String(), nil
}

func settingOf(assignment string) string {
	name, _, _ := strings.Cut(assignment, " ")
	return name
}

func (db *DB) knowsTableSetting(ctx context.Context, name string) (bool, error) {
	var n uint64
	err := db.row(ctx, "SELECT count() FROM system.merge_tree_settings WHERE name = {name:String}", named{"name", name}).Scan(&n)
	return n > 0, err
}

// applyMerging gives mergeBase to tables that were made without it: by an earlier program, by an older server, or by hand. A table that has a value
// already keeps it. It is about cost and nothing else, so a user who may not alter tables is told and served.
func (db *DB) applyMerging(ctx context.Context) error {
	known, err := db.knowsTableSetting(ctx, settingOf(mergeBase))
	if err != nil {
		return fmt.Errorf("ask for the settings of tables: %w", err)
	}
	if !known {
		return nil
	}
	rows, err := db.rows(ctx, "SELECT name FROM system.tables WHERE database = {db:String} AND engine LIKE '%MergeTree' AND name != 'schema_migrations' AND position(engine_full, {name:String}) = 0 ORDER BY name",
		named{"db", db.cfg.Database}, named{"name", settingOf(mergeBase)})
	if err != nil {
		return fmt.Errorf("look for tables without %s: %w", settingOf(mergeBase), err)
	}
	tables, err := readStrings(rows)
	if err != nil {
		return fmt.Errorf("look for tables without %s: %w", settingOf(mergeBase), err)
	}
	for _, name := range tables {
		if err := db.conn.Exec(ctx, "ALTER TABLE "+db.table(name)+db.onCluster()+" MODIFY SETTING "+mergeBase); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			db.log.WarnContext(ctx, "merges of a table stay as they are, which costs more processor time", "table", name, "setting", mergeBase, "err", err)
		}
	}
	return nil
}
