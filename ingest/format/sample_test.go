package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// received is the receive time of every test record: years that a source leaves out are chosen around it.
var received = time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)

// samplesDir is where <format>/<case>.in stand.
var samplesDir = filepath.Join("..", "..", "testdata", "formats")

// readSample reads a sample file into records. It may begin with directives, one per line: `@received <RFC 3339>`, `@zone <IANA name>`,
// `@carried <RFC 3339>` (the transport's stamp), `@key <record key>`, `@source <that of the position>` and `@header <name>=<value>` (repeated) apply to all its records. Leading lines with #
// are column headers (Context) for formats with the Columns framing, else a first line that does not begin with { or [ is. A line of four
// dashes separates records.
func readSample(f *format.Format, file string) ([]event.Record, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	proto := event.Record{Format: f.Name, Received: received.UnixMicro(), Position: event.Position{Source: "sample"}}
	for bytes.HasPrefix(text, []byte("@")) {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		if err := directive(&proto, string(line)); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		text = rest
	}
	if f.Framing == format.Columns {
		proto.Context, text = columnHeader(text)
	}
	var records []event.Record
	for i, value := range bytes.Split(text, []byte("\n----\n")) {
		rec := proto
		rec.Value = bytes.TrimSuffix(value, []byte("\n"))
		rec.Position.Offset = int64(i)
		records = append(records, rec)
	}
	return joinSegments(f, records), nil
}

func directive(rec *event.Record, line string) error {
	name, value, _ := strings.Cut(line, " ")
	switch name {
	case "@received":
		t, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return err
		}
		rec.Received = t.UnixMicro()
	case "@zone":
		loc, err := time.LoadLocation(value)
		if err != nil {
			return err
		}
		rec.Location = loc
	case "@key":
		rec.Key = []byte(value)
	case "@source":
		rec.Position.Source = value
	case "@carried":
		t, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return err
		}
		rec.Carried = t.UnixMicro()
	case "@header":
		k, v, _ := strings.Cut(value, "=")
		rec.Headers = append(rec.Headers, event.Header{Key: k, Value: []byte(v)})
	default:
		return fmt.Errorf("unknown directive %s", name)
	}
	return nil
}

func columnHeader(text []byte) (context, rest []byte) {
	end := 0
	for bytes.HasPrefix(text[end:], []byte("#")) {
		n := bytes.IndexByte(text[end:], '\n')
		if n < 0 {
			return text, nil
		}
		end += n + 1
	}
	if end == 0 && len(text) > 0 && text[0] != '{' && text[0] != '[' {
		end = bytes.IndexByte(text, '\n') + 1
	}
	return bytes.TrimSuffix(text[:end], []byte("\n")), text[end:]
}

// joinSegments puts split messages together where all their parts are among the records, in place of the part that came last.
func joinSegments(f *format.Format, records []event.Record) []event.Record {
	if f.Join == nil {
		return records
	}
	type message struct {
		parts [][]byte
		have  int
	}
	open := map[string]*message{}
	var out []event.Record
	for _, rec := range records {
		key, index, total, body, ok := f.Join(&rec)
		if !ok || total <= 1 || index < 0 || index >= total || total > 100 {
			out = append(out, rec)
			continue
		}
		m := open[key]
		if m == nil {
			m = &message{parts: make([][]byte, total)}
			open[key] = m
		}
		if index < len(m.parts) && m.parts[index] == nil {
			m.parts[index] = body
			m.have++
		}
		if m.have == len(m.parts) {
			rec.Value = bytes.Join(m.parts, nil)
			out = append(out, rec)
			delete(open, key)
		}
	}
	return out
}

// decode runs one record through a format as the pipeline does, entities included. It also holds the format to the contract of Append.
func decode(t testing.TB, f *format.Format, s *format.Scratch, rec *event.Record) ([]event.Event, error) {
	t.Helper()
	before := []event.Event{{Message: "before"}}
	got, err := f.Append(s, before, rec)
	if len(got) == 0 || got[0].Message != "before" {
		t.Fatalf("%s does not keep what dst had, for %.200q", f.Name, rec.Value)
	}
	got = got[1:]
	if err != nil {
		if len(got) != 0 {
			t.Errorf("%s gives an error and %d events, for %.200q", f.Name, len(got), rec.Value)
		}
		if r, ok := errors.AsType[*format.Reject](err); !ok || r.Code == "" || r.Reason == "" {
			t.Errorf("%s gives %v, which is not a reject with code and reason, for %.200q", f.Name, err, rec.Value)
		}
		return nil, err
	}
	if len(got) == 0 {
		t.Errorf("%s gives neither event nor reject for %.200q", f.Name, rec.Value)
	}
	for i := range got {
		got[i].FindEntities()
		if key := got[i].ClassKey(); !listed(f, &got[i]) {
			t.Errorf("%s emits %s, which its Classes do not list", f.Name, key)
		}
	}
	return got, nil
}

// listed reports whether a format's Classes name the event's class or class and activity.
func listed(f *format.Format, e *event.Event) bool {
	for _, c := range f.Classes {
		if c == e.ClassKey() || c == event.ClassName(e.ClassUID) {
			return true
		}
	}
	return false
}

// samples lists the sample files of a format.
func samples(t testing.TB, f *format.Format) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(samplesDir, f.Name, "*.in"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}
