package engine_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/tocsin-siem/tocsin/store/engine"
)

// From the start of the child to its first answered query.
func BenchmarkStart(b *testing.B) {
	cfg := config(b.TempDir())
	cfg.LibraryPath = needLibrary(b)
	for b.Loop() {
		p, err := engine.Start(b.Context(), cfg)
		must(b, err)
		conn := dial(b, p)
		must(b, conn.Ping(b.Context()))
		b.StopTimer()
		must(b, p.Close())
		b.StartTimer()
	}
}

// One insert of 50,000 rows of about 100 bytes as a self-built Native block.
func BenchmarkInsertFormat(b *testing.B) {
	const rows = 50_000
	conn := dial(b, start(b, config(b.TempDir())))
	must(b, conn.Exec(b.Context(), "CREATE TABLE t (id UInt64, text String) ENGINE = MergeTree ORDER BY id"))
	var id proto.ColUInt64
	var text proto.ColStr
	for i := range rows {
		id.Append(uint64(i))
		text.Append(strings.Repeat("x", 92))
	}
	var buf proto.Buffer
	block := proto.Block{Columns: 2, Rows: rows}
	must(b, block.EncodeBlock(&buf, 0, []proto.InputColumn{{Name: "id", Data: &id}, {Name: "text", Data: &text}}))
	b.SetBytes(int64(len(buf.Buf)))
	for b.Loop() {
		must(b, conn.InsertFormat(b.Context(), "Native", "INSERT INTO t (id, text)", bytes.NewReader(buf.Buf)))
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkSelectOne(b *testing.B) {
	conn := dial(b, start(b, config(b.TempDir())))
	var one uint8
	for b.Loop() {
		must(b, conn.QueryRow(b.Context(), "SELECT 1").Scan(&one))
	}
}
