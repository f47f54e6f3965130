package ingest_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

var lines = &format.Format{Name: "lines", Framing: format.Lines}

func clock() int64 { return 1_795_000_000_000_000 }

func open(t *testing.T, path string, follow bool, from event.End) *ingest.File {
	t.Helper()
	s, err := ingest.OpenFile(ingest.FileConfig{Name: "f", Path: path, Follow: follow, Format: lines, From: from, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// drain fetches until nothing comes.
func drain(t *testing.T, s ingest.Source) (values []string, offsets []int64) {
	t.Helper()
	for {
		records, err := s.Fetch(context.Background(), nil, 2, 10*time.Millisecond)
		for _, r := range records {
			values, offsets = append(values, string(r.Value)), append(offsets, r.Position.Offset)
		}
		if errors.Is(err, io.EOF) {
			return values, offsets
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			return values, offsets
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestAFileIsReadOnceWithTheOffsetsOfItsRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	write(t, path, "one\n\ntwo\nlast without newline")
	values, offsets := drain(t, open(t, path, false, event.End{}))
	if d := cmp.Diff([]string{"one", "two", "last without newline"}, values); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int64{0, 5, 9}, offsets); d != "" {
		t.Error(d)
	}
}

func TestAFollowedFileSurvivesRenamingTruncationAndRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	write(t, path, "one\ntwo\nthr")
	s := open(t, path, true, event.End{})
	first, _ := drain(t, s)
	write(t, path, "ee\n")
	second, _ := drain(t, s)
	if d := cmp.Diff([]string{"one", "two", "three"}, append(first, second...)); d != "" {
		t.Fatal(d)
	}
	write(t, path, "in the old file\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, path, "in the new file\n")
	var got []string
	for range 3 {
		more, _ := drain(t, s)
		got = append(got, more...)
	}
	if d := cmp.Diff([]string{"in the old file", "in the new file"}, got); d != "" {
		t.Fatal(d)
	}
	end := s.Ends()[0]
	write(t, path, "after the stop\n")
	if got, _ := drain(t, open(t, path, true, end)); len(got) != 1 || got[0] != "after the stop" {
		t.Errorf("after a restart: %q", got)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	write(t, path, "new\n")
	got = nil
	for range 3 {
		more, _ := drain(t, s)
		got = append(got, more...)
	}
	if len(got) == 0 || got[len(got)-1] != "new" {
		t.Errorf("after truncation: %q", got)
	}
}

func TestARestartAfterRotationFirstReadsWhatTheOldFileStillHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	write(t, path, "one\n")
	s := open(t, path, true, event.End{})
	drain(t, s)
	end := s.Ends()[0]
	write(t, path, "missed\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, path, "fresh\n")
	again := open(t, path, true, end)
	var got []string
	for range 3 {
		more, _ := drain(t, again)
		got = append(got, more...)
	}
	if d := cmp.Diff([]string{"missed", "fresh"}, got); d != "" {
		t.Error(d)
	}
}

func TestAMissingFileSaysWhatToCheck(t *testing.T) {
	_, err := ingest.OpenFile(ingest.FileConfig{Name: "okta", Path: "/nowhere/x.log", Format: lines, Clock: clock})
	if err == nil || !strings.Contains(err.Error(), "source okta: open /nowhere/x.log: no such file") || !strings.Contains(err.Error(), "check the path") {
		t.Errorf("got %v", err)
	}
}
