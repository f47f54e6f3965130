package enrich

import (
	"slices"
	"strings"
	"time"
)

// hours is a weekly recurring time range on the wall clock of one zone, such as "Mon-Fri 06:00-14:00 Europe/Berlin". A range that ends
// at or before its start runs into the next day and belongs to the day it starts on.
type hours struct {
	days       [7]bool // By time.Weekday.
	start, end int     // Seconds of the day; end may be 86,400.
	zone       *time.Location
	text       string
}

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

const hoursHint = `write it as "Mon-Fri 06:00-14:00 Europe/Berlin", "Sat,Sun 22:00-06:00 UTC" or "daily 02:00-04:00 UTC"`

func parseHours(s string) (*hours, fault) {
	parts := strings.Fields(s)
	if len(parts) != 3 {
		return nil, fault{quote(s) + " is not days, hours and a time zone", hoursHint}
	}
	h := &hours{text: s}
	if !h.parseDays(strings.ToLower(parts[0])) {
		return nil, fault{quote(parts[0]) + " are not days", hoursHint}
	}
	from, to, ok := strings.Cut(parts[1], "-")
	start, okStart := clock(from)
	end, okEnd := clock(to)
	if !ok || !okStart || !okEnd || start == 86_400 || start == end {
		return nil, fault{quote(parts[1]) + " are not hours", hoursHint}
	}
	h.start, h.end = start, end
	zone, f := parseZone(parts[2])
	h.zone = zone
	return h, f
}

// parseZone finds an IANA time zone. Local is refused: it would differ between machines.
func parseZone(s string) (*time.Location, fault) {
	if s == "Local" {
		return nil, fault{`"Local" depends on the machine`, "name the zone, such as Europe/Berlin"}
	}
	zone, err := time.LoadLocation(s)
	if err != nil {
		return nil, fault{quote(s) + " is not a time zone this machine knows", "use a name such as Europe/Berlin or UTC; check that the machine has time zone data"}
	}
	return zone, fault{}
}

func (h *hours) parseDays(s string) bool {
	if s == "daily" {
		h.days = [7]bool{true, true, true, true, true, true, true}
		return true
	}
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, last := slices.Index(dayNames, from), slices.Index(dayNames, from)
		if isRange {
			last = slices.Index(dayNames, to)
		}
		if first < 0 || last < 0 {
			return false
		}
		for d := first; ; d = (d + 1) % 7 {
			h.days[d] = true
			if d == last {
				break
			}
		}
	}
	return true
}

// clock reads HH:MM as seconds of the day, up to 24:00.
func clock(s string) (int, bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, false
	}
	for _, i := range []int{0, 1, 3, 4} {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	hour, minute := int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
	if minute > 59 || hour > 24 || hour == 24 && minute != 0 {
		return 0, false
	}
	return hour*3600 + minute*60, true
}

// contains reports whether the instant, in microseconds, falls into the range on the zone's wall clock; start inclusive, end exclusive.
func (h *hours) contains(at int64) bool {
	t := time.UnixMicro(at).In(h.zone)
	day := t.Weekday()
	second := t.Hour()*3600 + t.Minute()*60 + t.Second()
	if h.start < h.end {
		return h.days[day] && second >= h.start && second < h.end
	}
	yesterday := (day + 6) % 7
	return h.days[day] && second >= h.start || h.days[yesterday] && second < h.end
}

func anyContains(ranges []*hours, at int64) bool {
	for _, h := range ranges {
		if h.contains(at) {
			return true
		}
	}
	return false
}
