package syslog_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/tocsin-siem/tocsin/ingest/format/syslog"
)

// FuzzParse holds the reader of RFC 5424 against an independent strict one, and every message within its line.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`<165>1 2026-03-01T02:11:09.003Z robot-7 planner 8710 ID47 [ex@32473 iut="3" e="\]\"\\"] moved`,
		"<38>Mar  1 02:11:09 console sshd[712]: x", "<187>12345: router1: 000050: Feb 10 12:34:56.789 UTC: %LINK-3-UPDOWN: down",
		"<134>1 1772331069.123456789 MX84 flows", "2026 Mar  1 02:11:09 UTC: %X", `<1>1 - - - - - [a x="1"][b]`, "<13>Feb 29 00:00:00 h",
	} {
		f.Add(s)
	}
	strict := rfc5424.NewParser()
	f.Fuzz(func(t *testing.T, line string) {
		m, err := syslog.Parse([]byte(line), syslog.Context{Received: received})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(line, string(m.Body)) || m.Timestamp.IsZero() != (m.TimeSource == syslog.TimeNone) && m.Timestamp.Year() != 1 {
			t.Errorf("%q: body %q, time %v from %v", line, m.Body, m.Timestamp, m.TimeSource)
		}
		for p := range m.Structured.Params() {
			if p.ID == "" || p.Name == "" {
				t.Errorf("%q: parameter %+v", line, p)
			}
		}
		ref, err := strict.Parse([]byte(line))
		if err != nil {
			return
		}
		want := ref.(*rfc5424.SyslogMessage)
		if want.Version > 999 {
			return
		}
		compareStrict(t, line, want, &m)
	})
}

func compareStrict(t *testing.T, line string, want *rfc5424.SyslogMessage, m *syslog.Message) {
	type fields struct {
		Pri                  int
		Host, App, Proc, Msg string
		Unix                 int64
	}
	str := func(p *string) string {
		if p == nil || *p == "-" {
			return ""
		}
		return *p
	}
	w := fields{-1, str(want.Hostname), str(want.Appname), str(want.ProcID), str(want.MsgID), 0}
	if want.Priority != nil {
		w.Pri = int(*want.Priority)
	}
	if want.Timestamp != nil {
		w.Unix = want.Timestamp.UnixNano()
	}
	g := fields{m.Priority, m.Hostname, m.App, m.ProcID, m.MsgID, 0}
	if !m.Timestamp.IsZero() {
		g.Unix = m.Timestamp.UnixNano()
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("%q: %s", line, diff)
	}
	if want.StructuredData == nil {
		return
	}
	for id, params := range *want.StructuredData {
		for name := range params {
			if _, ok := m.Structured.Get(id, name); !ok {
				t.Errorf("%q: no parameter %s of %s", line, name, id)
			}
		}
	}
}

func frames(r io.Reader, limit int) (out []string, err error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, limit+16), limit+16)
	sc.Split(syslog.Frames(limit))
	for sc.Scan() {
		out = append(out, sc.Text())
	}
	return out, sc.Err()
}

func TestFramesMixCountsAndLines(t *testing.T) {
	stream := "<1>one\r\n\n9 <2>two\nxy<3>three\n\x0010 <4>12345678 no count\n123 is text\n4 <5>x<6>end"
	// The frame counted as 10 bytes is followed by text that is a line of its own.
	stream = strings.Replace(stream, "10 <4>12345678", "10 <4>1234567", 1)
	want := []string{"<1>one", "<2>two\nxy", "<3>three", "<4>1234567", " no count", "123 is text", "<5>x", "<6>end"}
	for _, r := range []io.Reader{strings.NewReader(stream), iotest.OneByteReader(strings.NewReader(stream))} {
		got, err := frames(r, 64)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestFramesLoseNothingAndStopWhereFramingIsLost(t *testing.T) {
	got, err := frames(strings.NewReader(strings.Repeat("x", 25)+"\nshort\n"), 10)
	if diff := cmp.Diff([]string{"xxxxxxxxxx", "xxxxxxxxxx", "xxxxx", "short"}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := frames(strings.NewReader("99 <1>x"), 10); !errors.Is(err, syslog.ErrFrame) {
		t.Errorf("a count over the limit: %v", err)
	}
	if _, err := frames(strings.NewReader("9 <1>x"), 10); !errors.Is(err, syslog.ErrFrame) {
		t.Errorf("a cut frame: %v", err)
	}
}

func FuzzFramesEndAndStayInBounds(f *testing.F) {
	f.Add([]byte("<1>one\n7 <2>two!<3>x"))
	f.Add([]byte("12"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		got, err := frames(bytes.NewReader(stream), 50)
		if err != nil && !errors.Is(err, syslog.ErrFrame) {
			t.Fatalf("%v", err)
		}
		for _, fr := range got {
			if len(fr) > 50 {
				t.Errorf("a frame of %d bytes", len(fr))
			}
		}
		slow, slowErr := frames(iotest.OneByteReader(bytes.NewReader(stream)), 50)
		if diff := cmp.Diff(got, slow); diff != "" || (err == nil) != (slowErr == nil) {
			t.Errorf("the cut of the stream matters: %v, %v %s", err, slowErr, diff)
		}
	})
}

func TestUnsynchronisedClocksAreMarked(t *testing.T) {
	for line, want := range map[string]bool{"<189>48: *Mar  1 18:46:11: %A-1-B: x": true, "<189>48: Mar  1 18:46:11: %A-1-B: x": false} {
		m, err := syslog.Parse([]byte(line), syslog.Context{Received: received})
		if err != nil || m.Unsynchronised != want || !m.HasHeader() {
			t.Errorf("%q: %v, %v", line, m.Unsynchronised, err)
		}
	}
}
