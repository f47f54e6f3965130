package kv

import (
	"math"
	"strings"
	"time"
)

// Time reads a stamp in any common notation and returns microseconds since the Unix epoch, and whether
// the text fixed the instant: it named its zone, or counted from an epoch. Otherwise it is read as UTC.
//
// Notations: RFC 3339 and its relatives (T or space, '-' or '/' in the date, any number of fraction
// digits after '.' or ',', zone Z, UTC, GMT, +01:00, +0100, +01 or none, seconds or the whole clock time
// absent); compact 20060102150405; a named month (Jan 02 2006 15:04:05, Mon Jan  2 15:04:05 2006, 02 Jan
// 2006, 02/Jan/2006:15:04:05 -0700); and counts from the epoch, told apart by size: seconds (also with a
// fraction), milliseconds, microseconds, nanoseconds, and Windows' 100 ns since 1601 (18 digits). A zone
// given by any other abbreviation (CET) is ambiguous and counts as not named.
//
// ok is false for anything else, among it: numeric dates that do not begin with the year (day and month
// cannot be told apart), stamps without a year, and instants that mean "never", at or before 1970-01-01
// and in the year 9999.
func Time(s string) (micros int64, zoned, ok bool) { return TimeIn(s, time.UTC) }

// TimeIn is Time for stamps whose zone, where they name none, is loc (nil means UTC).
func TimeIn(s string, loc *time.Location) (micros int64, zoned, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) < 8 || len(s) > 64 {
		return 0, false, false
	}
	var c civil
	switch {
	case s[4] == '-' || s[4] == '/':
		c, ok = numericStamp(s)
	case s[0]-'0' <= 9 && (len(s) == 14 || len(s) == 15 && s[14] == 'Z') && allDigits(s[:14]):
		c, ok = compactStamp(s)
	case s[0]-'0' <= 9 && strings.Trim(s, "0123456789.") == "":
		micros, ok = epoch(s)
		return micros, ok, ok
	default:
		c, ok = namedMonthStamp(s)
	}
	if !ok || !c.valid() {
		return 0, false, false
	}
	micros = c.micros(loc)
	if micros <= 0 {
		return 0, false, false
	}
	return micros, c.zoned, true
}

// civil is a date and clock time, as read.
type civil struct {
	year, month, day     int
	hour, minute, second int
	micro                int
	offset               int // seconds east of UTC
	zoned                bool
}

func (c *civil) valid() bool {
	return c.year >= 1 && c.year < 9999 && c.month >= 1 && c.month <= 12 && c.day >= 1 &&
		c.day <= daysIn(c.year, c.month) && c.hour < 24 && c.minute < 60 && c.second <= 60
}

func daysIn(year, month int) int {
	if month == 2 {
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (month+month/8)%2
}

// micros is the instant; a leap second becomes the second after it.
func (c *civil) micros(loc *time.Location) int64 {
	if !c.zoned && loc != nil && loc != time.UTC {
		t := time.Date(c.year, time.Month(c.month), c.day, c.hour, c.minute, c.second, c.micro*1000, loc)
		return t.UnixMicro()
	}
	// Days from the civil date, with the year beginning in March so that the leap day comes last.
	y, m := c.year, c.month-3
	if m < 0 {
		y, m = y-1, m+12
	}
	days := 365*y + y/4 - y/100 + y/400 + (153*m+2)/5 + c.day - 719469
	seconds := int64(days)*86400 + int64(c.hour*3600+c.minute*60+c.second-c.offset)
	return seconds*1e6 + int64(c.micro)
}

// numericStamp reads YYYY-MM-DD[ T]hh:mm[:ss[.fff]][zone], YYYY/MM/DD likewise, and a bare date.
func numericStamp(s string) (c civil, ok bool) {
	if len(s) < 10 || s[7] != s[4] {
		return c, false
	}
	if !fourDigits(s, &c.year) || !twoDigits(s[5:], &c.month) || !twoDigits(s[8:], &c.day) {
		return c, false
	}
	if s = s[10:]; s == "" {
		return c, true
	}
	if s[0] != 'T' && s[0] != 't' && s[0] != ' ' && s[0] != ':' && s[0] != '_' {
		return c, false
	}
	s, ok = c.clock(strings.TrimLeft(s[1:], " "))
	return c, ok && c.zone(s)
}

// compactStamp reads YYYYMMDDhhmmss with an optional Z.
func compactStamp(s string) (c civil, ok bool) {
	ok = fourDigits(s, &c.year) && twoDigits(s[4:], &c.month) && twoDigits(s[6:], &c.day) &&
		twoDigits(s[8:], &c.hour) && twoDigits(s[10:], &c.minute) && twoDigits(s[12:], &c.second)
	c.zoned = len(s) == 15
	return c, ok
}

// namedMonthStamp reads the stamps that spell the month: day, month, year and clock time in any order.
func namedMonthStamp(s string) (c civil, ok bool) {
	clock := false
	for s != "" {
		ch := s[0]
		n := countDigits(s)
		switch {
		case ch == ' ' || ch == ',' || ch == '/' || ch == '-' && !clock:
			s = s[1:]
		case clock && c.year != 0:
			return c, c.day != 0 && c.month != 0 && c.zone(s)
		case isLetter(ch) && clock:
			if s, ok = c.zoneThenYear(s); !ok {
				return c, false
			}
		case isLetter(ch):
			word := s[:letters(s)]
			if m := monthNumber(word); m != 0 && c.month == 0 {
				c.month = m
			} else if !isWeekday(word) {
				return c, false
			}
			s = s[len(word):]
		case n > 0 && n <= 2 && n < len(s) && s[n] == ':' && !clock:
			if s, clock = c.clock(s); !clock {
				return c, false
			}
		case n == 4 && c.year == 0:
			c.year = number(s[:4])
			// "02/Jan/2006:15:04:05" has a colon between year and clock time.
			s = strings.TrimPrefix(s[4:], ":")
		case n > 0 && n <= 2 && c.day == 0:
			c.day = number(s[:n])
			s = s[n:]
		default:
			return c, false
		}
	}
	return c, clock && c.year != 0 && c.month != 0 && c.day != 0
}

// zoneThenYear reads "UTC 2006", the end of what date(1) prints.
func (c *civil) zoneThenYear(s string) (rest string, ok bool) {
	zone, year, found := strings.Cut(s, " ")
	if !found || !fourDigits(year, &c.year) || !c.zone(zone) {
		return s, false
	}
	return year[4:], true
}

// clock reads hh:mm[:ss[.fff]][ AM| PM] and returns what follows.
func (c *civil) clock(s string) (rest string, ok bool) {
	if rest, ok = c.clock24(s); !ok {
		return s, false
	}
	half := strings.TrimLeft(rest, " ")
	if len(half) < 2 || half[1]|0x20 != 'm' || half[0]|0x20 != 'a' && half[0]|0x20 != 'p' {
		return rest, true
	}
	if c.hour == 0 || c.hour > 12 {
		return s, false
	}
	c.hour %= 12
	if half[0]|0x20 == 'p' {
		c.hour += 12
	}
	return half[2:], true
}

func (c *civil) clock24(s string) (rest string, ok bool) {
	n := countDigits(s)
	if n == 0 || n > 2 || n == len(s) || s[n] != ':' {
		return s, false
	}
	c.hour = number(s[:n])
	if s = s[n+1:]; !twoDigits(s, &c.minute) {
		return s, false
	}
	if s = s[2:]; s == "" || s[0] != ':' {
		return s, true
	}
	if s = s[1:]; !twoDigits(s, &c.second) {
		return s, false
	}
	s = s[2:]
	if s == "" || s[0] != '.' && s[0] != ',' {
		return s, true
	}
	n = countDigits(s[1:])
	if n == 0 {
		return s, false
	}
	c.micro = fraction(s[1:1+n], 6)
	return s[1+n:], true
}

// zone reads the rest of a stamp.
func (c *civil) zone(s string) bool {
	s = strings.TrimLeft(s, " ")
	switch {
	case s == "":
		return true
	case s == "Z" || s == "z" || s == "UTC" || s == "GMT":
		c.zoned = true
		return true
	case s[0] == '+' || s[0] == '-':
		return c.numericZone(s)
	}
	return len(s) >= 2 && len(s) <= 5 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// numericZone reads +01:00, +0100 and +01.
func (c *civil) numericZone(s string) bool {
	hours, minutes := 0, 0
	ok := twoDigits(s[1:], &hours)
	switch len(s) {
	case 3:
	case 5:
		ok = ok && twoDigits(s[3:], &minutes)
	case 6:
		ok = ok && s[3] == ':' && twoDigits(s[4:], &minutes)
	default:
		return false
	}
	if !ok || hours > 18 || minutes > 59 {
		return false
	}
	c.offset, c.zoned = hours*3600+minutes*60, true
	if s[0] == '-' {
		c.offset = -c.offset
	}
	return true
}

// EpochMicros turns a count from the Unix epoch into microseconds, telling its unit by its size: seconds,
// milliseconds, microseconds, nanoseconds, or Windows' 100 ns since 1601. ok is false below 10^8, which
// no sender of our time means.
func EpochMicros(n int64) (micros int64, ok bool) {
	switch {
	case n < 1e8:
		return 0, false
	case n < 1e11:
		return n * 1e6, true
	case n < 1e14:
		return n * 1e3, true
	case n < 1e17:
		return n, true
	case n < 1e18:
		const from1601 = 11_644_473_600_000_000
		micros = n/10 - from1601
		return micros, micros > 0
	}
	return n / 1e3, true
}

// epoch reads digits with an optional fraction.
func epoch(s string) (micros int64, ok bool) {
	whole, rest, _ := strings.Cut(s, ".")
	if len(whole) > 19 || whole == "" || strings.IndexByte(rest, '.') >= 0 {
		return 0, false
	}
	n := uint64(0)
	for i := range len(whole) {
		n = n*10 + uint64(whole[i]-'0')
	}
	if n > math.MaxInt64 {
		return 0, false
	}
	micros, ok = EpochMicros(int64(n))
	switch {
	case ok && n < 1e11:
		micros += int64(fraction(rest, 6))
	case ok && n < 1e14:
		micros += int64(fraction(rest, 3))
	}
	return micros, ok
}

// fraction reads the first digits of a decimal fraction as an integer of that many digits; the rest is cut.
func fraction(s string, digits int) int {
	n := 0
	for i := range digits {
		n *= 10
		if i < len(s) {
			n += int(s[i] - '0')
		}
	}
	return n
}

func countDigits(s string) int {
	n := 0
	for n < len(s) && s[n]-'0' <= 9 {
		n++
	}
	return n
}

func number(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

func twoDigits(s string, out *int) bool {
	if len(s) < 2 || s[0]-'0' > 9 || s[1]-'0' > 9 {
		return false
	}
	*out = int(s[0]-'0')*10 + int(s[1]-'0')
	return true
}

func fourDigits(s string, out *int) bool {
	var high, low int
	if len(s) < 4 || !twoDigits(s, &high) || !twoDigits(s[2:], &low) {
		return false
	}
	*out = high*100 + low
	return true
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func letters(s string) int {
	n := 0
	for n < len(s) && isLetter(s[n]) {
		n++
	}
	return n
}

const (
	monthNames   = "janfebmaraprmayjunjulaugsepoctnovdec"
	weekdayNames = "sunmontuewedthufrisat"
)

// monthNumber reads the first three letters of a month's name; 0 where it is none.
func monthNumber(word string) int { return 1 + inTriples(monthNames, word) }

func isWeekday(word string) bool { return inTriples(weekdayNames, word) >= 0 }

func inTriples(names, word string) int {
	if len(word) < 3 {
		return -1
	}
	for i := 0; i < len(names); i += 3 {
		if word[0]|0x20 == names[i] && word[1]|0x20 == names[i+1] && word[2]|0x20 == names[i+2] {
			return i / 3
		}
	}
	return -1
}
