package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tocsin-siem/tocsin/store"
)

// admin speaks to the database behind the store's back.
func admin(t *testing.T, cfg store.Config) clickhouse.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{Protocol: clickhouse.HTTP, Addr: cfg.Addr, Auth: clickhouse.Auth{Username: cfg.Username, Password: string(cfg.Password)}})
	must(t, err)
	t.Cleanup(func() { must(t, conn.Close()) })
	return conn
}

func TestTheSchemaIsAppliedOnceAndKept(t *testing.T) {
	cfg := freshConfig(t)
	open(t, cfg)
	open(t, cfg)
	var n uint64
	must(t, admin(t, cfg).QueryRow(t.Context(), "SELECT count() FROM "+cfg.Database+".schema_migrations").Scan(&n))
	if n != 10 {
		t.Errorf("%d schema files are recorded, want 10", n)
	}
}

func TestAChangedOrNewerSchemaIsRefused(t *testing.T) {
	for want, tamper := range map[string]string{
		"an applied file must not change":  "ALTER TABLE db.schema_migrations UPDATE checksum = 'other' WHERE number = 2 SETTINGS mutations_sync = 2",
		"use the newer program that wrote": "INSERT INTO db.schema_migrations (number, name, checksum) VALUES (11, '0011_next.sql', 'x')",
		"has file 2 where 1 is due":        "ALTER TABLE db.schema_migrations DELETE WHERE number = 1 SETTINGS mutations_sync = 2",
	} {
		cfg := freshConfig(t)
		open(t, cfg)
		must(t, admin(t, cfg).Exec(t.Context(), strings.ReplaceAll(tamper, "db.", cfg.Database+".")))
		_, err := store.Open(t.Context(), cfg, store.Settings{})
		if !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestASchemaFileThatWasCutOffIsAppliedAgain(t *testing.T) {
	cfg := freshConfig(t)
	open(t, cfg)
	conn := admin(t, cfg)
	must(t, conn.Exec(t.Context(), "ALTER TABLE "+cfg.Database+".schema_migrations DELETE WHERE number >= 2 SETTINGS mutations_sync = 2"))
	must(t, conn.Exec(t.Context(), "DROP TABLE "+cfg.Database+".bindings, "+cfg.Database+".accrued"))
	open(t, cfg)
	must(t, conn.Exec(t.Context(), "SELECT count() FROM "+cfg.Database+".bindings"))
	must(t, conn.Exec(t.Context(), "ALTER TABLE "+cfg.Database+".schema_migrations DELETE WHERE number = 10 SETTINGS mutations_sync = 2"))
	open(t, cfg) // The last was whole but for its record.
}

func TestTablesHaveTheSettingsThatMakeMergesCheapWhereTheServerHasThem(t *testing.T) {
	cfg := freshConfig(t)
	open(t, cfg)
	conn := admin(t, cfg)
	for _, setting := range []string{"auto_statistics_types = \\'\\'", "merge_selector_base = 10"} {
		name, _, _ := strings.Cut(setting, " ")
		var tables, with, known uint64
		must(t, conn.QueryRow(t.Context(), "SELECT countIf(engine LIKE '%MergeTree' AND name != 'schema_migrations'), countIf(position(engine_full, '"+setting+"') > 0) FROM system.tables WHERE database = '"+cfg.Database+"'").Scan(&tables, &with))
		must(t, conn.QueryRow(t.Context(), "SELECT count() FROM system.merge_tree_settings WHERE name = '"+name+"'").Scan(&known))
		if tables == 0 || with != tables*known {
			t.Errorf("%d of %d tables have %s; the server knows %d setting of that name", with, tables, setting, known)
		}
	}
}

func TestTablesOfAnEarlierProgramAreMergedAsNewOnesUnlessTheyHaveAValueOfTheirOwn(t *testing.T) {
	cfg := freshConfig(t)
	open(t, cfg)
	conn := admin(t, cfg)
	must(t, conn.Exec(t.Context(), "ALTER TABLE "+cfg.Database+".events RESET SETTING merge_selector_base"))
	must(t, conn.Exec(t.Context(), "ALTER TABLE "+cfg.Database+".hits MODIFY SETTING merge_selector_base = 7"))
	open(t, cfg)
	for table, want := range map[string]string{"events": "merge_selector_base = 10", "hits": "merge_selector_base = 7", "audit": "merge_selector_base = 10"} {
		var engine string
		must(t, conn.QueryRow(t.Context(), "SELECT engine_full FROM system.tables WHERE database = '"+cfg.Database+"' AND name = '"+table+"'").Scan(&engine))
		if strings.Count(engine, "merge_selector_base") != 1 || !strings.Contains(engine, want) {
			t.Errorf("table %s is without %s: %s", table, want, engine)
		}
	}
}

// The statements for a cluster cannot be run here; the engine's parser reads them.
func TestThePrintedSchemaIsWhatTheEngineParses(t *testing.T) {
	cfg := freshConfig(t)
	conn := admin(t, cfg)
	for _, cluster := range []string{"", "plant"} {
		cfg.Cluster = cluster
		text, err := store.SchemaText(cfg)
		must(t, err)
		if strings.ContainsAny(text, "{}") {
			t.Errorf("a placeholder is left in the schema")
		}
		n := 0
		for statement := range strings.SplitSeq(text, ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			n++
			rows, err := conn.Query(t.Context(), "EXPLAIN AST "+statement)
			if err != nil {
				t.Errorf("cluster %q: %v in\n%s", cluster, err, statement)
				continue
			}
			must(t, rows.Close())
		}
		if n < 15 {
			t.Errorf("cluster %q: only %d statements", cluster, n)
		}
		if cluster != "" && (strings.Count(text, "ON CLUSTER plant") != n-strings.Count(text, "\nINSERT INTO ") || strings.Count(text, " ReplicatedReplacingMergeTree")+strings.Count(text, " ReplicatedMergeTree") != strings.Count(text, "CREATE TABLE")) {
			t.Errorf("a table is not made on the cluster, or not replicated:\n%s", text)
		}
	}
}

func TestRetentionFollowsTheConfiguration(t *testing.T) {
	cfg := freshConfig(t)
	open(t, cfg)
	cfg.Retention.Events, cfg.Retention.Classes = 7*24*time.Hour, map[string]time.Duration{"robot_state": 24 * time.Hour, "authentication": 400 * 24 * time.Hour}
	open(t, cfg)
	var ddl string
	must(t, admin(t, cfg).QueryRow(t.Context(), "SHOW CREATE TABLE "+cfg.Database+".events").Scan(&ddl))
	if want := "TTL written + toIntervalDay(multiIf((class_uid IN (99908002)), 1, (class_uid IN (3002)), 400, 7))"; !strings.Contains(ddl, want) {
		t.Errorf("the table of events lacks %q:\n%s", want, ddl)
	}
}

func TestAWrongConfigurationSaysWhatToWrite(t *testing.T) {
	for want, edit := range map[string]func(*store.Config){
		`clickhouse.addr "localhost"`:                           func(c *store.Config) { c.Addr = []string{"localhost"} },
		"clickhouse.protocol is \"grpc\"":                       func(c *store.Config) { c.Protocol = "grpc" },
		"the embedded engine speaks http only":                  func(c *store.Config) { c.Protocol = "native" },
		"clickhouse.database is \"a; DROP\"":                    func(c *store.Config) { c.Database = "a; DROP" },
		"clickhouse.cluster is \"x y\"":                         func(c *store.Config) { c.Cluster = "x y" },
		"clickhouse.tls.cert and tls.key":                       func(c *store.Config) { c.TLS.Cert = "a" },
		"clickhouse.retention.events is 1h0m0s":                 func(c *store.Config) { c.Retention.Events = time.Hour },
		`clickhouse.retention.classes: "robots" is not a class`: func(c *store.Config) { c.Retention.Classes["robots"] = 24 * time.Hour },
	} {
		cfg := store.DefaultConfig()
		edit(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if err := store.DefaultConfig().Validate(); err != nil {
		t.Errorf("the default configuration: %v", err)
	}
}
