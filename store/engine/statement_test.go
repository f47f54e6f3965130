package engine

import (
	"strings"
	"testing"
)

func TestAStatementsKindFormatAndDataAreFound(t *testing.T) {
	for text, want := range map[string]struct {
		kind    kind
		format  string
		file    string // the insert with its data in the file F
		data    string
		several bool
	}{
		"SELECT 1":       {kind: kindRead},
		" (SELECT 1);; ": {kind: kindRead},
		"-- INSERT INTO t VALUES\n/* ; */ select 1 format JSON -- ; x": {kind: kindRead, format: "JSON"},
		"WITH 'FORMAT CSV' AS s SELECT s, (SELECT 1 FORMAT TSV)":       {kind: kindRead},
		"SELECT `a;b`, \"c;d\", 'e\\';f', 'g'';h', $x$;$x$, $$;$$":     {kind: kindRead},
		"SELECT 1; SELECT 2":                 {kind: kindRead, several: true},
		"SET a = 1":                          {kind: kindSession},
		"use x":                              {kind: kindSession},
		"CREATE OR REPLACE TEMPORARY TABLE":  {kind: kindSession},
		"CREATE TABLE temporary_x (a Int8)":  {kind: kindOther},
		"":                                   {kind: kindOther},
		"INSERT INTO t SELECT 1 FORMAT Null": {kind: kindOther, format: "Null"},
		"INSERT INTO t (a) SELECT 1; DROP TABLE t":  {kind: kindOther, several: true},
		"INSERT INTO t (a, b) WITH 1 AS x SELECT x": {kind: kindOther},
		"INSERT INTO t FROM INFILE 'x' FORMAT CSV":  {kind: kindOther, format: "CSV"},
		"INSERT INTO t VALUES (1), ('; FORMAT')": {
			kind: kindInsert, format: "Values", data: " (1), ('; FORMAT')", file: "INSERT INTO t  FROM INFILE 'F'  FORMAT Values",
		},
		"insert into table d.`values` (format, `select`) settings a = 'FORMAT x' format Native \n\x01\x02": {
			kind: kindInsert, format: "Native", data: "\x01\x02",
			file: "insert into table d.`values` (format, `select`)  FROM INFILE 'F' settings a = 'FORMAT x'  FORMAT Native",
		},
		"INSERT INTO values FORMAT CSV;\r\n1,2": {
			kind: kindInsert, format: "CSV", data: "1,2", file: "INSERT INTO values  FROM INFILE 'F'  FORMAT CSV",
		},
		"INSERT INTO a.format FORMAT VALUES(1)": {
			kind: kindInsert, format: "Values", data: "(1)", file: "INSERT INTO a.format  FROM INFILE 'F'  FORMAT Values",
		},
		"INSERT INTO FUNCTION remote('x', 'FORMAT') FORMAT TSV\n\n": {
			kind: kindInsert, format: "TSV", data: "\n", file: "INSERT INTO FUNCTION remote('x', 'FORMAT')  FROM INFILE 'F'  FORMAT TSV",
		},
		"INSERT INTO t (a)": {kind: kindInsert, format: "Values", file: "INSERT INTO t (a) FROM INFILE 'F'  FORMAT Values"},
	} {
		got := readStatement(text)
		if got.kind != want.kind || got.format != want.format || got.several != want.several {
			t.Errorf("%q: kind %d format %q several %v, want %d %q %v", text, got.kind, got.format, got.several, want.kind, want.format, want.several)
			continue
		}
		if got.kind != kindInsert {
			continue
		}
		if file := got.fromFile(text, "F"); file != want.file {
			t.Errorf("%q: becomes %q, want %q", text, file, want.file)
		}
		if data := text[got.dataAt:]; data != want.data {
			t.Errorf("%q: data %q, want %q", text, data, want.data)
		}
	}
}

func FuzzReadStatement(f *testing.F) {
	for _, seed := range []string{"", "'", "$", "$a$", "/*", "--", "INSERT INTO t FORMAT", "INSERT INTO t VALUES ('\\", "SELECT $$", "(((", "INSERT . SETTINGS"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		st := readStatement(text)
		if st.kind != kindInsert {
			return
		}
		if st.splice > st.clauseAt || st.clauseAt > st.dataAt || st.dataAt > len(text) {
			t.Fatalf("%q: splice %d clause %d data %d", text, st.splice, st.clauseAt, st.dataAt)
		}
		if !strings.HasSuffix(text, text[st.dataAt:]) {
			t.Fatalf("%q: data is not its end", text)
		}
	})
}
