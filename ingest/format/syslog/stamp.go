package syslog

import (
	"strings"
	"time"
)

// stampForm is the family of a stamp.
type stampForm uint8

const (
	formNamed stampForm = iota // the month is spelled
	formISO
	formEpoch
)

// stamp is a time as it was written.
type stamp struct {
	form                 stampForm
	year, month, day     int // year 0: not in the text
	hour, minute, second int
	nanos                int
	offset               int // seconds east of UTC, where zoned
	zoned                bool
	unsynchronised       bool
	epoch                time.Time
}

// readStamp reads a stamp from the start of s. What follows it begins with a space or a colon.
func readStamp(s string, hasPRI bool) (st stamp, rest string, ok bool) {
	if len(s) > 1 && (s[0] == '*' || s[0] == '.') {
		st.unsynchronised = true
		s = strings.TrimLeft(s[1:], " ")
	}
	switch {
	case s == "":
		return st, s, false
	case s[0]-'0' > 9:
		rest, ok = st.named(s)
	default:
		if rest, ok = st.iso(s, hasPRI); !ok {
			rest, ok = st.yearFirst(s)
		}
		if !ok && hasPRI {
			rest, ok = st.fromEpoch(s)
		}
	}
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != ':' {
		return st, s, false
	}
	return st, rest, true
}

// iso reads 2006-01-02T15:04:05 with fraction and zone, both optional; with a space for the T if allowed.
func (st *stamp) iso(s string, space bool) (rest string, ok bool) {
	if len(s) < 19 || s[4] != '-' || s[7] != '-' || s[10] != 'T' && (!space || s[10] != ' ') {
		return s, false
	}
	year, ok1 := digits(s, 4)
	month, ok2 := digits(s[5:], 2)
	day, ok3 := digits(s[8:], 2)
	rest, ok4 := st.clock(s[11:])
	if !ok1 || !ok2 || !ok3 || !ok4 || year == 0 {
		return s, false
	}
	st.form, st.year, st.month, st.day = formISO, year, month, day
	rest, ok = st.isoZone(rest)
	return rest, ok && st.valid(year)
}

func (st *stamp) isoZone(s string) (rest string, ok bool) {
	if s == "" {
		return s, true
	}
	switch s[0] {
	case 'Z':
		st.zoned = true
		return s[1:], true
	case '+', '-':
		return st.offsetZone(s)
	}
	return s, true
}

// offsetZone reads +01:00 and +0100.
func (st *stamp) offsetZone(s string) (rest string, ok bool) {
	hours, ok1 := digits(s[1:], 2)
	if !ok1 {
		return s, false
	}
	rest = strings.TrimPrefix(s[3:], ":")
	minutes, ok2 := digits(rest, 2)
	if !ok2 || hours > 23 || minutes > 59 {
		return s, false
	}
	st.offset, st.zoned = hours*3600+minutes*60, true
	if s[0] == '-' {
		st.offset = -st.offset
	}
	return rest[2:], true
}

// named reads "[Mon ]Jan  2 [2006 ]15:04:05[.000][ 2006][ zone]".
func (st *stamp) named(s string) (rest string, ok bool) {
	if len(s) > 4 && monthNumber(s) == 0 && isWeekday(s) {
		s = strings.TrimLeft(strings.TrimPrefix(s[3:], ","), " ")
	}
	if st.month = monthNumber(s); st.month == 0 || len(s) < 5 || s[3] != ' ' {
		return s, false
	}
	s = strings.TrimLeft(s[3:], " ")
	n := countDigits(s)
	if n == 0 || n > 2 {
		return s, false
	}
	st.day, _ = digits(s, n)
	s = strings.TrimLeft(s[n:], " ")
	s = strings.TrimLeft(st.cutYear(s), " ")
	if s, ok = st.clock(s); !ok {
		return s, false
	}
	if st.year == 0 && strings.HasPrefix(s, " ") {
		if after := st.cutYear(s[1:]); st.year != 0 {
			s = after
		}
	}
	return st.namedZone(s), st.valid(st.year)
}

// yearFirst reads "2006 Jan  2 15:04:05", as some switches write it.
func (st *stamp) yearFirst(s string) (rest string, ok bool) {
	rest = st.cutYear(s)
	if st.year == 0 {
		return s, false
	}
	return st.named(strings.TrimLeft(rest, " "))
}

// cutYear takes a year off s if there is one.
func (st *stamp) cutYear(s string) (rest string) {
	if countDigits(s) != 4 || len(s) > 4 && s[4] != ' ' && s[4] != ':' {
		return s
	}
	year, _ := digits(s, 4)
	if year < 1970 || year > 2199 {
		return s
	}
	st.year = year
	return s[4:]
}

// namedZone takes a zone off s: UTC, GMT, Z, an offset, or, only before a colon, any other abbreviation, which
// does not fix the zone.
func (st *stamp) namedZone(s string) (rest string) {
	t := strings.TrimPrefix(s, " ")
	if len(t) > 5 && (t[0] == '+' || t[0] == '-') {
		if rest, ok := st.offsetZone(t); ok {
			return rest
		}
		return s
	}
	n := 0
	for n < len(t) && t[n] >= 'A' && t[n] <= 'Z' {
		n++
	}
	ends := n == len(t) || t[n] == ' ' || t[n] == ':'
	switch {
	case ends && (t[:n] == "UTC" || t[:n] == "GMT" || t[:n] == "Z"):
		st.zoned = true
		return t[n:]
	case n >= 2 && n <= 5 && n < len(t) && t[n] == ':':
		return t[n:]
	}
	return s
}

// fromEpoch reads seconds since the epoch with an optional fraction, or milliseconds.
func (st *stamp) fromEpoch(s string) (rest string, ok bool) {
	n := countDigits(s)
	if n != 10 && n != 13 {
		return s, false
	}
	count, _ := digits(s, n)
	rest = s[n:]
	st.form, st.zoned = formEpoch, true
	if n == 13 {
		st.epoch = time.UnixMilli(int64(count)).UTC()
		return rest, true
	}
	rest = st.fraction(rest)
	st.epoch = time.Unix(int64(count), int64(st.nanos)).UTC()
	return rest, true
}

// clock reads 15:04:05 with an optional fraction after '.' or ','.
func (st *stamp) clock(s string) (rest string, ok bool) {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' {
		return s, false
	}
	var ok1, ok2, ok3 bool
	st.hour, ok1 = digits(s, 2)
	st.minute, ok2 = digits(s[3:], 2)
	st.second, ok3 = digits(s[6:], 2)
	return st.fraction(s[8:]), ok1 && ok2 && ok3
}

func (st *stamp) fraction(s string) (rest string) {
	if len(s) < 2 || s[0] != '.' && s[0] != ',' {
		return s
	}
	n := countDigits(s[1:])
	if n == 0 {
		return s
	}
	st.nanos = 0
	for i := range 9 {
		st.nanos *= 10
		if i < n {
			st.nanos += int(s[1+i] - '0')
		}
	}
	return s[1+n:]
}

// valid checks the ranges; without a year, 29 February is a day.
func (st *stamp) valid(year int) bool {
	if year == 0 {
		year = 2000
	}
	last := time.Date(year, time.Month(st.month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return st.month >= 1 && st.month <= 12 && st.day >= 1 && st.day <= last &&
		st.hour < 24 && st.minute < 60 && st.second <= 60
}

// instant is the time of a stamp that has a year and a zone, in UTC.
func (st *stamp) instant() time.Time {
	if st.form == formEpoch {
		return st.epoch
	}
	return st.in(st.year, time.UTC).Add(-time.Duration(st.offset) * time.Second)
}

func (st *stamp) in(year int, loc *time.Location) time.Time {
	return time.Date(year, time.Month(st.month), st.day, st.hour, st.minute, st.second, st.nanos, loc)
}

// latestAhead is how far in the future of its receipt a stamp without a year may lie.
const latestAhead = 7 * 24 * time.Hour

func (m *Message) setTime(st stamp, ctx Context) {
	m.Unsynchronised = st.unsynchronised
	loc := ctx.Location
	if loc == nil {
		loc = time.UTC
	}
	switch {
	case st.form == formEpoch || st.year != 0 && st.zoned:
		m.Timestamp, m.TimeSource = st.instant(), TimeParsed
	case st.year != 0:
		m.Timestamp, m.TimeSource = st.in(st.year, loc).UTC(), TimeInferredZone
	case ctx.Received.IsZero():
		m.Timestamp, m.TimeSource = time.Time{}, TimeNone
	default:
		m.Timestamp, m.TimeSource = st.inferYear(ctx.Received, loc), TimeInferredYear
	}
}

// inferYear finds the latest year, up to the one after the receipt, that does not put the stamp more than a
// week after it. 29 February goes back to a leap year.
func (st *stamp) inferYear(received time.Time, loc *time.Location) time.Time {
	if st.zoned {
		loc = time.UTC
	}
	limit := received.Add(latestAhead)
	year := received.In(loc).Year() + 1
	for ; ; year-- {
		t := st.in(year, loc).Add(-time.Duration(st.offset) * time.Second)
		if !t.After(limit) && st.valid(year) {
			return t.UTC()
		}
	}
}

// digits reads exactly n digits.
func digits(s string, n int) (int, bool) {
	if len(s) < n {
		return 0, false
	}
	v := 0
	for i := range n {
		if s[i]-'0' > 9 {
			return 0, false
		}
		v = v*10 + int(s[i]-'0')
	}
	return v, true
}

const (
	monthNames   = "JanFebMarAprMayJunJulAugSepOctNovDec"
	weekdayNames = "SunMonTueWedThuFriSat"
)

// monthNumber reads the abbreviation of a month at the start of s; 0 where there is none.
func monthNumber(s string) int { return 1 + inTriples(monthNames, s) }

func isWeekday(s string) bool { return inTriples(weekdayNames, s) >= 0 }

func inTriples(names, s string) int {
	if len(s) < 3 {
		return -1
	}
	for i := 0; i < len(names); i += 3 {
		if s[:3] == names[i:i+3] {
			return i / 3
		}
	}
	return -1
}
