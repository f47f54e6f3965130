package syslog_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/ingest/format/syslog"
)

var received = time.Date(2026, 3, 1, 2, 30, 0, 0, time.UTC)

// view is a message in comparable form.
type view struct {
	Pri             int
	Time            string
	Source          syslog.TimeSource
	Host, App, Proc string
	Msg, Seq, SD    string
	Body            string
}

func parse(t *testing.T, line string, ctx syslog.Context) view {
	t.Helper()
	m, err := syslog.Parse([]byte(line), ctx)
	if err != nil {
		t.Fatal(err)
	}
	v := view{m.Priority, "", m.TimeSource, m.Hostname, m.App, m.ProcID, m.MsgID, m.Sequence, m.Structured.Raw(), string(m.Body)}
	if !m.Timestamp.IsZero() {
		v.Time = m.Timestamp.Format(time.RFC3339Nano)
	}
	return v
}

func TestHeadersThatArriveAreRecognised(t *testing.T) {
	const full, zone, year, none = syslog.TimeParsed, syslog.TimeInferredZone, syslog.TimeInferredYear, syslog.TimeNone
	cases := []struct {
		name, line string
		want       view
	}{
		{
			"RFC 5424", `<165>1 2026-03-01T02:11:09.003Z robot-7 planner 8710 ID47 [ex@32473 iut="3" src="a\]b"][x] ` + "\ufeff" + `moved`,
			view{165, "2026-03-01T02:11:09.003Z", full, "robot-7", "planner", "8710", "ID47", "", `[ex@32473 iut="3" src="a\]b"][x]`, "moved"},
		},
		{
			"RFC 5424 with an offset and nil values", `<0>1 2026-03-01T04:11:09+02:00 - - - - -`,
			view{0, "2026-03-01T02:11:09Z", full, "", "", "", "", "", "", ""},
		},
		{"RFC 5424 without a stamp", `<34>1 - host app - - - hello`, view{34, "", none, "host", "app", "", "", "", "", "hello"}},
		{
			"RFC 5424 with broken structured data", `<34>1 2026-03-01T02:11:09Z host app 1 m [id x=1] text`,
			view{34, "2026-03-01T02:11:09Z", full, "host", "app", "1", "m", "", "", "[id x=1] text"},
		},
		{
			"RFC 5424 cut short", `<34>1 2026-03-01T02:11:09Z host app`,
			view{34, "2026-03-01T02:11:09Z", full, "host", "app", "", "", "", "", ""},
		},
		{
			"RFC 5424 without PRI and version", `2026-03-01T03:11:09+01:00 bastion rdpproxy 4597 - - [RDP Session] user="ana"`,
			view{-1, "2026-03-01T02:11:09Z", full, "bastion", "rdpproxy", "4597", "", "", "", `[RDP Session] user="ana"`},
		},
		{
			"RFC 5424 without PRI", `1 2026-03-01T02:11:09Z h a 1 m - b`,
			view{-1, "2026-03-01T02:11:09Z", full, "h", "a", "1", "m", "", "", "b"},
		},
		{
			"RFC 3164", "<38>Mar  1 02:11:09 console sshd[712]: Accepted publickey for ana\r\n",
			view{38, "2026-03-01T02:11:09Z", year, "console", "sshd", "712", "", "", "", "Accepted publickey for ana"},
		},
		{
			"RFC 3164 with a padded day", "<38>Mar 01 02:11:09 console cron: tick",
			view{38, "2026-03-01T02:11:09Z", year, "console", "cron", "", "", "", "", "tick"},
		},
		{
			"RFC 3164 without PRI", "Mar  1 02:11:09 10.0.0.5 postfix/smtpd[9]: connect",
			view{-1, "2026-03-01T02:11:09Z", year, "10.0.0.5", "postfix/smtpd", "9", "", "", "", "connect"},
		},
		{
			"RFC 3164 without a host", "<13>Mar  1 02:11:09 sshd[712]: hello: world",
			view{13, "2026-03-01T02:11:09Z", year, "", "sshd", "712", "", "", "", "hello: world"},
		},
		{
			"RFC 3164 without a tag", `<14>Mar  1 02:11:09 sensor CEF:0|V|P|1|2|n|3|src=192.0.2.1`,
			view{14, "2026-03-01T02:11:09Z", year, "sensor", "", "", "", "", "", `CEF:0|V|P|1|2|n|3|src=192.0.2.1`},
		},
		{
			"RFC 3164 with a JSON body", `<14>Mar  1 02:11:09 sensor {"a": "b: c"}`,
			view{14, "2026-03-01T02:11:09Z", year, "sensor", "", "", "", "", "", `{"a": "b: c"}`},
		},
		{
			"a fraction", "<14>Mar  1 02:11:09.5 h x: y",
			view{14, "2026-03-01T02:11:09.5Z", year, "h", "x", "", "", "", "", "y"},
		},
		{
			"a network access controller", "<181>Mar  1 02:11:09 ise01 CISE_Failed_Attempts 0000248509 3 0 2026-03-01 03:11:09.264 +01:00 0005365098 5400 NOTICE",
			view{181, "2026-03-01T02:11:09Z", year, "ise01", "", "", "", "", "", "CISE_Failed_Attempts 0000248509 3 0 2026-03-01 03:11:09.264 +01:00 0005365098 5400 NOTICE"},
		},
		{
			"a year in the stamp", "<166>Oct 10 2018 10:20:30 fw01 : %ASA-6-302013: Built",
			view{166, "2018-10-10T10:20:30Z", zone, "fw01", "", "", "", "", "", "%ASA-6-302013: Built"},
		},
		{
			"a year in the stamp and no host", "<166>Oct 10 2018 10:20:30: %ASA-6-302013: Built",
			view{166, "2018-10-10T10:20:30Z", zone, "", "", "", "", "", "", "%ASA-6-302013: Built"},
		},
		{
			"a host with a colon", "<166>Oct 10 10:20:30 fw01: %ASA-6-302013: Built",
			view{166, "2025-10-10T10:20:30Z", year, "fw01", "", "", "", "", "", "%ASA-6-302013: Built"},
		},
		{
			"no stamp before a Cisco message", "<166>%ASA-6-302013: Built", view{166, "", none, "", "", "", "", "", "", "%ASA-6-302013: Built"},
		},
		{
			"a sequence number and an unset clock", "<189>48: *Mar  1 18:46:11.520: %SYS-5-CONFIG_I: Configured",
			view{189, "2026-03-01T18:46:11.52Z", year, "", "", "", "", "48", "", "%SYS-5-CONFIG_I: Configured"},
		},
		{
			"two sequence numbers with a host", "<187>12345: router1: 000050: Feb 10 12:34:56.789 UTC: %LINK-3-UPDOWN: down",
			view{187, "2026-02-10T12:34:56.789Z", year, "router1", "", "", "", "000050", "", "%LINK-3-UPDOWN: down"},
		},
		{
			"a device behind a relay", "<189>Mar  1 02:11:30 10.1.1.1 123: Mar  1 2026 02:11:09.123 CET: %SYS-5-CONFIG_I: x",
			view{189, "2026-03-01T02:11:09.123Z", zone, "10.1.1.1", "", "", "", "123", "", "%SYS-5-CONFIG_I: x"},
		},
		{
			"a colon before the stamp", "<189>: 2026 Mar  1 02:11:09 UTC: %ETHPORT-5-IF_UP: up",
			view{189, "2026-03-01T02:11:09Z", full, "", "", "", "", "", "", "%ETHPORT-5-IF_UP: up"},
		},
		{
			"an ISO stamp", "<14>2026-03-01T02:11:09.123Z esx01 Hostd: info hostd[1]",
			view{14, "2026-03-01T02:11:09.123Z", full, "esx01", "Hostd", "", "", "", "", "info hostd[1]"},
		},
		{
			"an ISO stamp without PRI", "2026-03-01T02:11:09.123456+01:00 gw sshd[5]: Failed password",
			view{-1, "2026-03-01T01:11:09.123456Z", full, "gw", "sshd", "5", "", "", "", "Failed password"},
		},
		{
			"an ISO stamp with a space and no zone", "<14>2026-03-01 02:11:09 gw app: x",
			view{14, "2026-03-01T02:11:09Z", zone, "gw", "app", "", "", "", "", "x"},
		},
		{
			"epoch seconds behind a version", "<134>1 1772331069.123456789 MX84 flows src=192.0.2.1",
			view{134, "2026-03-01T02:11:09.123456789Z", full, "MX84", "", "", "", "", "", "flows src=192.0.2.1"},
		},
		{
			"epoch milliseconds", "<134>1772331069123 h a: b", view{134, "2026-03-01T02:11:09.123Z", full, "h", "a", "", "", "", "", "b"},
		},
		{
			"a year at the end", "<13>Mar  1 02:11:09 2026 h a: b", view{13, "2026-03-01T02:11:09Z", zone, "h", "a", "", "", "", "", "b"},
		},
		{
			"a weekday", "Sun Mar  1 02:11:09 2026 : Auth: (0) Login OK",
			view{-1, "2026-03-01T02:11:09Z", zone, "", "Auth", "", "", "", "", "(0) Login OK"},
		},
		{"a PRI and a tag only", "<13>sshd[712]: hello", view{13, "", none, "", "sshd", "712", "", "", "", "hello"}},
		{"a PRI only", "<13>hello world", view{13, "", none, "", "", "", "", "", "", "hello world"}},
		{"a message that quotes a stamp", "<13>Mar  1 02:11:09 h app: restarted at Mar  1 02:00:00: ok", view{13, "2026-03-01T02:11:09Z", year, "h", "app", "", "", "", "", "restarted at Mar  1 02:00:00: ok"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, parse(t, c.line, syslog.Context{Received: received})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestALineWithoutAHeaderIsAllBody(t *testing.T) {
	for _, line := range []string{
		"", "\n", " Accepted publickey for ana", "pam_unix(sudo:session): session closed for user ana",
		"0000248509 3 0 2026-03-01 03:11:09.264 +01:00 0005365098 5400 NOTICE", "stm[8447]: <501093> <NOTI> Auth success",
		"2026-03-01 02:11:09,682 trackingid=\"x\" event=\"AUTHN\"", "02:12:54,239, host, audit, INFO",
		"1,2026/03/01 02:11:09,0267", `{"time":"2026-03-01T02:11:09Z"}`, "CEF:0|V|P|1|2|n|3|", "(548804) Login OK: [ana]",
		"%ASA-6-302013: Built", "time=15:51:59 devname=x", "2026-03-01T02:11:09Z level=info msg=x", "2026-03-01T02:11:09Z",
		"March madness begins", "Mar 99 02:11:09 h a: b", "Mar  1 25:11:09 h a: b", "<192>hello", "<>hello", "<abc>x", "<13", "123: hello",
		"* ", ".", "- - - - -", "1 -", "1772331069 text", "2026-03-01T02:11:09Z host text without a tag but=more [x]\n",
	} {
		want := view{Pri: -1, Body: line}
		if strings.HasPrefix(line, "2026-03-01T02:11:09Z host text") {
			// A stamp with zone and a plain word is a header: relays write such files.
			want = view{-1, "2026-03-01T02:11:09Z", syslog.TimeParsed, "host", "", "", "", "", "", "text without a tag but=more [x]"}
		}
		if diff := cmp.Diff(want, parse(t, line, syslog.Context{Received: received})); diff != "" {
			t.Errorf("%q: %s", line, diff)
		}
	}
}

func TestTheYearIsInferredAroundTheReceipt(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct{ received, stamp, want string }{
		{"2026-01-01T00:00:10Z", "Dec 31 23:59:58", "2025-12-31T23:59:58Z"},
		{"2025-12-31T23:59:58Z", "Jan  1 00:00:02", "2026-01-01T00:00:02Z"},
		{"2026-06-01T00:00:00Z", "Jun  2 00:00:00", "2026-06-02T00:00:00Z"},
		{"2026-06-01T00:00:00Z", "Jul  2 00:00:00", "2025-07-02T00:00:00Z"},
		{"2026-12-31T23:30:00Z", "Dec 31 23:00:00", "2026-12-31T23:00:00Z"},
		{"2027-03-01T00:00:00Z", "Feb 29 12:00:00", "2024-02-29T12:00:00Z"},
	} {
		v := parse(t, "<13>"+c.stamp+" h a: b", syslog.Context{Received: at(c.received)})
		if v.Time != c.want || v.Source != syslog.TimeInferredYear {
			t.Errorf("%s received %s: %s, want %s", c.stamp, c.received, v.Time, c.want)
		}
	}
	if v := parse(t, "<13>Mar  1 02:11:09 h a: b", syslog.Context{}); v.Source != syslog.TimeNone || v.Host != "h" || v.Body != "b" {
		t.Errorf("without a receive time: %+v", v)
	}
}

func TestTheZoneComesFromTheContextOnlyWhereTheTextHasNone(t *testing.T) {
	ctx := syslog.Context{Received: received, Location: time.FixedZone("", 3600)}
	for line, want := range map[string]string{
		"<13>Mar  1 02:11:09 h a: b":           "2026-03-01T01:11:09Z",
		"<13>Mar  1 02:11:09 UTC: %A-1-B: b":   "2026-03-01T02:11:09Z",
		"<13>Mar  1 02:11:09 +0300 h a: b":     "2026-02-28T23:11:09Z",
		"<13>2026-03-01 02:11:09 h a: b":       "2026-03-01T01:11:09Z",
		"<13>2026-03-01T02:11:09-0100 h a: b":  "2026-03-01T03:11:09Z",
		"<13>Mar  1 2026 02:11:09 CET: %A-1-B": "2026-03-01T01:11:09Z",
	} {
		if got := parse(t, line, ctx).Time; got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
}

func TestStructuredDataIsIteratedUnescaped(t *testing.T) {
	m, err := syslog.Parse([]byte(`<1>1 - - - - - [a x="1" y="\"q\" \\ \] \n"][empty][b x="2"] body`), syslog.Context{})
	if err != nil {
		t.Fatal(err)
	}
	var got []syslog.Param
	for p := range m.Structured.Params() {
		got = append(got, p)
	}
	want := []syslog.Param{{"a", "x", "1"}, {"a", "y", `"q" \ ] \n`}, {"b", "x", "2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if v, ok := m.Structured.Get("b", "x"); v != "2" || !ok {
		t.Errorf("b.x = %q, %v", v, ok)
	}
	if _, ok := m.Structured.Get("c", "x"); ok {
		t.Error("c.x exists")
	}
}

func TestLinesOverTheLimitAreAnError(t *testing.T) {
	line := make([]byte, syslog.MaxLine+1)
	m, err := syslog.Parse(line, syslog.Context{})
	if !errors.Is(err, syslog.ErrSize) || len(m.Body) != len(line) {
		t.Errorf("error %v, body of %d bytes", err, len(m.Body))
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	a := []byte("<38>Mar  1 02:11:09 console sshd[712]: Accepted publickey for ana")
	b := []byte(`<165>1 2026-03-01T02:11:09.003Z robot-7 planner 8710 ID47 [ex@32473 iut="3"] moved`)
	ctx := syslog.Context{Received: received}
	if n := testing.AllocsPerRun(100, func() {
		syslog.Parse(a, ctx)
		syslog.Parse(b, ctx)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParse3164(b *testing.B) {
	line := []byte("<38>Mar  1 02:11:09 console sshd[712]: Accepted publickey for ana")
	for b.Loop() {
		syslog.Parse(line, syslog.Context{Received: received})
	}
}
