package store_test

import (
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/store"
)

func TestTheShardedSchemaSpreadsEventsByTheirID(t *testing.T) {
	cfg := freshConfig(t)
	cfg.Cluster = "plant"
	text, err := store.ShardedSchemaText(cfg)
	must(t, err)
	plain, err := store.SchemaText(cfg)
	must(t, err)
	for _, table := range []string{"events", "entity_index"} {
		want := "CREATE TABLE " + cfg.Database + "." + table + " ON CLUSTER plant AS " + cfg.Database + "." + table + "_local\n" +
			"ENGINE = Distributed(plant, " + cfg.Database + ", " + table + "_local, cityHash64(id));"
		if strings.Count(text, want) != 1 || strings.Count(text, "CREATE TABLE "+cfg.Database+"."+table+"_local ON CLUSTER plant\n(") != 1 {
			t.Errorf("table %s is not spread:\n%s", table, text)
		}
	}
	if more := strings.Count(text, "CREATE TABLE") - strings.Count(plain, "CREATE TABLE"); more != 2 {
		t.Errorf("%d more tables than in the schema of one shard, want 2", more)
	}
	conn := admin(t, cfg)
	for statement := range strings.SplitSeq(text, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		rows, err := conn.Query(t.Context(), "EXPLAIN AST "+statement)
		if err != nil {
			t.Errorf("%v in\n%s", err, statement)
			continue
		}
		must(t, rows.Close())
	}
	cfg.Cluster = ""
	if _, err := store.ShardedSchemaText(cfg); err == nil || !strings.Contains(err.Error(), "--cluster") {
		t.Errorf("without a cluster: got %v, want an error that says what to give", err)
	}
}

// spread makes the tables of events as an operator would on a cluster, but of one engine: what passes rows on is a Buffer that
// holds none back, which like a Distributed table has no life times and no mutations of its own.
func spread(t *testing.T, cfg store.Config) {
	t.Helper()
	conn := admin(t, cfg)
	text, err := store.SchemaText(cfg)
	must(t, err)
	must(t, conn.Exec(t.Context(), "CREATE DATABASE "+cfg.Database))
	for _, table := range []string{"events", "entity_index"} {
		name := cfg.Database + "." + table
		_, rest, found := strings.Cut(text, "CREATE TABLE "+name+"\n")
		body, _, ended := strings.Cut(rest, ";\n")
		if !found || !ended {
			t.Fatalf("the schema has no table %s:\n%s", name, text)
		}
		must(t, conn.Exec(t.Context(), "CREATE TABLE "+name+"_local\n"+body))
		must(t, conn.Exec(t.Context(), "CREATE TABLE "+name+" AS "+name+"_local ENGINE = Buffer("+cfg.Database+", "+table+"_local, 1, 0, 1, 0, 0, 0, 0)"))
	}
}

func TestTheStoreWorksOnSpreadTables(t *testing.T) {
	cfg := freshConfig(t)
	spread(t, cfg)
	db := open(t, cfg)
	conn := admin(t, cfg)
	for _, table := range []string{"events_local", "entity_index_local"} {
		var ddl string
		must(t, conn.QueryRow(t.Context(), "SELECT create_table_query FROM system.tables WHERE database = '"+cfg.Database+"' AND name = '"+table+"'").Scan(&ddl))
		if !strings.Contains(ddl, "TTL written + toIntervalDay(90)") {
			t.Errorf("%s has no life time:\n%s", table, ddl)
		}
	}
	must(t, appendTo(t.Context(), db, entry(1, 1, 0, 20)))
	must(t, appendTo(t.Context(), db, entry(1, 2, 20, 20)))
	// The marker of the second batch goes, as if the process had died before it: the next one removes its rows.
	must(t, conn.Exec(t.Context(), "DELETE FROM "+cfg.Database+".batches WHERE number = 2"))
	again := open(t, cfg)
	must(t, appendTo(t.Context(), again, entry(2, 1, 20, 30)))
	var rows uint64
	must(t, conn.QueryRow(t.Context(), "SELECT count() FROM "+cfg.Database+".events_local").Scan(&rows))
	if rows != 50 {
		t.Errorf("%d rows, want 50: those of the unfinished batch are to be removed where they are", rows)
	}
	if got := offsets(collect(t, again.Events(t.Context(), store.EventFilter{}))); len(got) != 50 {
		t.Errorf("%d events found, want 50", len(got))
	}
}
