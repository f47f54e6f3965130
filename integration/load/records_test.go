package load_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// stream is one source: what it says is made once and only told again with other times and numbers, so that the producer takes little of the
// processor that is being measured.
type stream struct {
	name, format string
	share        int // Of 20 records.
	line         func(i int, dice *rand.Rand) string
	machines     int // So many speak here in turn, each with its own key, so that what one says stays in order; 0: nobody's.
}

// streams are 1,000 bytes a record in the mean. Stand-ins in the text (see patches) become times and numbers.
var streams = []stream{
	{"okta", "okta", 5, oktaLine, 0},
	{"suricata", "suricata", 5, suricataLine, 0},
	{"zeek", "zeek", 5, zeekLine, 0},
	{"vda5050", "vda5050", 4, vdaLine, robots},
	{"cobots", "universal_robots", 1, cobotLine, cobots},
}

const (
	people = 3000
	robots = 400
	cobots = 3
	kept   = 1200 // Texts of each source; the robots' must divide it.
)

// patches are what is put into a text when it is sent, for stand-ins of the same length.
var patches = []struct {
	standIn string
	layout  string // "": a number of its own.
}{
	{"@MILLI@@@@@@@@@@@@@@@@@@", "2006-01-02T15:04:05.000Z"},
	{"@MICRO@@@@@@@@@@@@@@@@@@@@@@@@@", "2006-01-02T15:04:05.000000-0700"},
	{"@UNIX@@@@@@@@@@@@", ""}, // Seconds with six decimals.
	{"@NUMBER@@@@@", ""},      // Twelve digits.
	{"@COUNT@@@@@@", ""},      // Twelve digits: how often this machine has spoken.
}

// text is a record to be told again and again.
type text struct {
	bytes []byte
	holes []hole
}

type hole struct{ at, kind int }

func newText(line string) text {
	t := text{bytes: []byte(line)}
	for kind, p := range patches {
		stand := strings.ReplaceAll(line, p.standIn, "\x00"+p.standIn[1:])
		for at := range len(stand) {
			if stand[at] == 0 {
				t.holes = append(t.holes, hole{at, kind})
			}
		}
	}
	return t
}

// stamps are the values for one moment, by patch.
type stamps [4][]byte

func (s *stamps) set(now time.Time) {
	now = now.UTC()
	for kind, p := range patches {
		if p.layout != "" {
			s[kind] = now.AppendFormat(s[kind][:0], p.layout)
		}
	}
	s[2] = fmt.Appendf(s[2][:0], "%010d.%06d", now.Unix(), now.Nanosecond()/1000)
}

// tell makes a record of the text. number is the record's own, count that of its machine.
func (t *text) tell(s *stamps, number, count int64) []byte {
	b := bytes.Clone(t.bytes)
	for _, h := range t.holes {
		n := number
		switch h.kind {
		case 4:
			n = count
		case 3:
		default:
			copy(b[h.at:], s[h.kind])
			continue
		}
		for i := 11; i >= 0; i, n = i-1, n/10 {
			b[h.at+i] = '0' + byte(n%10)
		}
	}
	return b
}

var probeName = regexp.MustCompile(`probe-\d+-\d+`)

// probeIn finds the name of a probe: a number, and when it was made.
func probeIn(text string) string { return probeName.FindString(text) }

// probeTime is when a probe was made, in microseconds since the Unix epoch.
func probeTime(name string) int64 {
	n, _ := strconv.ParseInt(name[strings.LastIndexByte(name, '-')+1:], 10, 64)
	return n
}

// probe is a refused sign-in of somebody who appears once only, from an address of their own: the rule of this test fires for it, and what it
// fires has nothing in common with any other incident.
func probe(n int64, now time.Time) []byte {
	name := fmt.Sprintf("probe-%d-%d", n, now.UnixMicro())
	var s stamps
	s.set(now)
	t := newText(fmt.Sprintf(`{"uuid":"5b1e0a52-11f1-4b6e-9d01-@NUMBER@@@@@","published":"@MILLI@@@@@@@@@@@@@@@@@@","eventType":"user.session.start","version":"0","severity":"WARN",`+
		`"displayMessage":"User login to Okta","actor":{"id":"00p%s","type":"User","alternateId":"%s@plant.example","displayName":"%s"},`+
		`"client":{"ipAddress":"198.%d.%d.%d"},"outcome":{"result":"FAILURE","reason":"INVALID_CREDENTIALS"},"target":null,"transaction":{"type":"WEB","id":"Zp@NUMBER@@@@@","detail":{}}}`,
		name, name, name, 18+n>>16&1, n>>8&255, n&255))
	return t.tell(&s, n, 0)
}

// probeRule fires for a probe.
const probeRule = `id: t-0201
version: 1
title: A probe came through
description: For the load test.
severity: medium
match:
  event:
    id: refused
    class: authentication.logon
    where: status == "Failure" and user.name startsWith "probe-"
    bind: {person: user}
tests:
  - name: it fires
    events:
      - {at: 0m, class: authentication.logon, status: Failure, user: {name: probe-1-1}}
    fires: [{at: 0m, vars: {person: probe-1-1}}]
  - name: it stays silent
    events:
      - {at: 0m, class: authentication.logon, status: Success, user: {name: probe-1-1}}
    fires: []
`

func robotIP(i int) string  { return fmt.Sprintf("10.20.%d.%d", 100+i/200, 1+i%200) }
func robotMAC(i int) string { return fmt.Sprintf("00:00:5e:00:%02x:%02x", 0x60+i/200, i%200) }

func officeIP(dice *rand.Rand) string {
	return fmt.Sprintf("10.10.%d.%d", 4+dice.IntN(12), 1+dice.IntN(250))
}

// robotRows are the robots as the inventory has them.
func robotRows() string {
	var b strings.Builder
	for i := range robots {
		fmt.Fprintf(&b, "load-amr-%03d,amr,Acme,A-1200,L1200-%04d,load-amr-%03d.plant.example,,%s,%s,werk-1,robots,,2,5.2.0,yes,no\n", i, i, i, robotIP(i), robotMAC(i))
	}
	return b.String()
}
