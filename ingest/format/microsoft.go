package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// microsoftStamp reads a time as Microsoft's cloud logs write it: RFC 3339 with up to seven fraction digits, the same without a zone, or
// the American 3/24/2022 2:42:35 PM. All are UTC. ok is false for anything else and for sentinels such as 9999-12-31.
func microsoftStamp(s string) (micros int64, ok bool) {
	if micros, _, ok = kv.Time(s); ok {
		return micros, true
	}
	date, clock, found := strings.Cut(s, " ")
	month, rest, slashed := strings.Cut(date, "/")
	day, year, again := strings.Cut(rest, "/")
	if !found || !slashed || !again || len(year) != 4 || len(month) > 2 || len(day) > 2 || len(s) > 32 {
		return 0, false
	}
	clock, half, _ := strings.Cut(clock, " ")
	hour, tail, timed := strings.Cut(clock, ":")
	if !timed || len(hour) == 0 || len(hour) > 2 || len(month) == 0 || len(day) == 0 {
		return 0, false
	}
	hour = twelveHour(hour, half)
	if hour == "" {
		return 0, false
	}
	var buf [40]byte
	b := append(buf[:0], year...)
	b = appendPadded(append(b, '-'), month)
	b = appendPadded(append(b, '-'), day)
	b = appendPadded(append(b, ' '), hour)
	b = append(append(append(b, ':'), tail...), 'Z')
	micros, _, ok = kv.Time(string(b))
	return micros, ok
}

func appendPadded(b []byte, digits string) []byte {
	if len(digits) == 1 {
		b = append(b, '0')
	}
	return append(b, digits...)
}

var afternoon = [...]string{"12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "23"}

// twelveHour is the hour of the day for an hour of the clock and its half; "" for what is no hour.
func twelveHour(hour, half string) string {
	n := 0
	for i := range len(hour) {
		if hour[i]-'0' > 9 {
			return ""
		}
		n = n*10 + int(hour[i]-'0')
	}
	switch {
	case half == "" && n < 24:
		return hour
	case n < 1 || n > 12:
		return ""
	case strings.EqualFold(half, "PM"):
		return afternoon[n%12]
	case strings.EqualFold(half, "AM") && n == 12:
		return "0"
	case strings.EqualFold(half, "AM"):
		return hour
	}
	return ""
}

// setMicrosoftTime sets the time of an event: the first of the stamps that reads. Without one the time stays unknown.
func setMicrosoftTime(e *event.Event, stamps ...string) {
	for _, stamp := range stamps {
		if stamp == "" {
			continue
		}
		if micros, ok := microsoftStamp(stamp); ok {
			e.Time, e.Envelope.TimeSource = micros, event.TimeParsed
			return
		}
	}
	e.Envelope.Quality |= event.SchemaOdd
}

// microsoftMicros is a time that need not be there; 0 where it is not.
func microsoftMicros(s string) int64 {
	if s == "" {
		return 0
	}
	micros, _ := microsoftStamp(s)
	return micros
}
