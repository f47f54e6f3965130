package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// migration is one numbered file of the schema.
type migration struct {
	number   int
	name     string
	text     string
	checksum string // SHA-256 of the text, hexadecimal, before names are filled in.
}

// migrations lists the schema's files in order; their numbers are 1, 2, 3 …
func migrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "schema/*.sql")
	if err != nil {
		return nil, err
	}
	list := make([]migration, 0, len(names))
	for i, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		base := strings.TrimPrefix(name, "schema/")
		digits, _, _ := strings.Cut(base, "_")
		n, err := strconv.Atoi(digits)
		if err != nil || len(digits) != 4 || n != i+1 {
			return nil, fmt.Errorf("schema file %s: want number %04d in front, without gaps", base, i+1)
		}
		sum := sha256.Sum256(text)
		list = append(list, migration{number: n, name: base, text: string(text), checksum: hex.EncodeToString(sum[:])})
	}
	return list, nil
}

// durable are the settings of every table. An acknowledged insert is on the disk, also after a power loss; a part made by a merge is not
// forced there, since its sources are kept until the operating system has long written it. A block sent again after an answer that
// never came is known by its token and not inserted twice.
const durable = "fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000"

// statements fills in the names and cuts the text at semicolons that end a line.
func (m migration) statements(cfg Config) []string {
	text := m.text
	replicated := ""
	if cfg.Cluster != "" {
		replicated = "Replicated"
	}
	text = strings.NewReplacer("{database}", cfg.Database, " {cluster}", cfg.onCluster(), "{replicated}", replicated, "{durable}", durable).Replace(text)
	var list []string
	for part := range strings.SplitSeq(text, ";\n") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

func (c Config) onCluster() string {
	if c.Cluster == "" {
		return ""
	}
	return " ON CLUSTER " + c.Cluster
}

func (db *DB) onCluster() string { return db.cfg.onCluster() }

func createDatabase(cfg Config) string {
	return "CREATE DATABASE IF NOT EXISTS " + cfg.Database + cfg.onCluster()
}

func createMigrations(cfg Config) string {
	migrationsTable := migration{text: `CREATE TABLE IF NOT EXISTS {database}.schema_migrations {cluster}
(
    number    UInt32,
    name      String,
    checksum  String,
    applied   DateTime DEFAULT now()
)
ENGINE = {replicated}MergeTree
ORDER BY number`}
	return migrationsTable.statements(cfg)[0]
}

// SchemaText is the whole schema as it would be applied, for `tocsin schema print`.
func SchemaText(cfg Config) (string, error) {
	list, err := migrations(schemaFiles)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s;\n\n%s;\n", createDatabase(cfg), createMigrations(cfg))
	for _, m := range list {
		fmt.Fprintf(&b, "\n-- %s\n\n", m.name)
		for _, s := range m.statements(cfg) {
			b.WriteString(s + ";\n\n")
		}
	}
	return b.String(), nil
}

// ErrSchema means that the schema in the database is not one this program can work with.
var ErrSchema = errors.New("schema")

func (db *DB) applySchema(ctx context.Context) error {
	list, err := migrations(schemaFiles)
	if err != nil {
		return err
	}
	return db.migrate(ctx, list)
}

// migrate applies what is missing, each file's record last: a file that was cut off half way is applied again, which its statements bear.
func (db *DB) migrate(ctx context.Context, list []migration) error {
	for _, s := range []string{createDatabase(db.cfg), createMigrations(db.cfg)} {
		if err := db.conn.Exec(ctx, s); err != nil {
			return err
		}
	}
	applied, err := db.applied(ctx)
	if err != nil {
		return err
	}
	if newest := len(applied); newest > len(list) {
		return fmt.Errorf("%w: database %s has schema %d, this program knows %d: use the newer program that wrote it", ErrSchema, db.cfg.Database, newest, len(list))
	}
	for i, sum := range applied {
		if m := list[i]; sum != m.checksum {
			return fmt.Errorf("%w: file %s was applied to database %s with checksum %.12s…, now it has %.12s…: an applied file must not change, put changes into a new file", ErrSchema, m.name, db.cfg.Database, sum, m.checksum)
		}
	}
	for _, m := range list[len(applied):] {
		if err := db.apply(ctx, m); err != nil {
			return err
		}
		db.log.InfoContext(ctx, "schema file applied", "file", m.name)
	}
	return nil
}

func (db *DB) apply(ctx context.Context, m migration) error {
	lean, err := db.lean(ctx)
	if err != nil {
		return fmt.Errorf("apply schema file %s: %w", m.name, err)
	}
	for _, s := range m.statements(db.cfg) {
		s = strings.Replace(s, "CREATE TABLE ", "CREATE TABLE IF NOT EXISTS ", 1)
		s = strings.Replace(s, durable, durable+lean, 1)
		if err := db.conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("apply schema file %s: %w", m.name, err)
		}
	}
	err = db.conn.Exec(ctx, "INSERT INTO "+db.table("schema_migrations")+" (number, name, checksum) SELECT {n:UInt32}, {name:String}, {sum:String}",
		bind([]named{{"n", m.number}, {"name", m.name}, {"sum", m.checksum}})...)
	if err != nil {
		return fmt.Errorf("record schema file %s: %w", m.name, err)
	}
	return nil
}

// applied gives the checksums of the applied files, in order.
func (db *DB) applied(ctx context.Context) ([]string, error) {
	rows, err := db.rows(ctx, "SELECT number, any(checksum) FROM "+db.table("schema_migrations")+" GROUP BY number ORDER BY number")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var sums []string
	for rows.Next() {
		var n uint32
		var sum string
		if err := rows.Scan(&n, &sum); err != nil {
			return nil, err
		}
		if int(n) != len(sums)+1 {
			return nil, fmt.Errorf("%w: table schema_migrations of database %s has file %d where %d is due", ErrSchema, db.cfg.Database, n, len(sums)+1)
		}
		sums = append(sums, sum)
	}
	return sums, rows.Err()
}
