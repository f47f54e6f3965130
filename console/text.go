package console

import (
	"fmt"
	"html/template"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/triage"
)

// functions are what templates may call.
var functions = template.FuncMap{
	"bare":     bare,
	"clip":     clip,
	"stamp":    func(micros int64) string { return stamp(micros, dateTime) },
	"clock":    func(micros int64) string { return stamp(micros, timeOfDay) },
	"until":    until,
	"iso":      func(micros int64) string { return stamp(micros, time.RFC3339Nano) },
	"ago":      ago,
	"long":     func(now, then int64) string { return long(max(0, now-then)) },
	"icon":     func(domain string) string { return icons[domain] },
	"words":    func(s string) string { return strings.ReplaceAll(s, "_", " ") },
	"list":     func(s []string) string { return strings.Join(s, ", ") },
	"lane":     laneTitle,
	"weight":   func(w float64) string { return fmt.Sprintf("%.2f", w) },
	"split":    strings.Fields,
	"add":      func(a, b int) int { return a + b },
	"mul":      func(a, b int) int { return a * b },
	"sum":      func(a, b int64) int64 { return a + b },
	"finding":  func(id event.ID) string { return event.FormatID(event.FindingPrefix, id) },
	"fullname": triage.AuthorityTitle,
	"incident": func(id event.ID) string { return event.FormatID(event.IncidentPrefix, id) },
	"lasting":  lasting,
	"percent":  percent,

	"suppression": func(id event.ID) string { return event.FormatID(event.SuppressionPrefix, id) },
}

// icons stand beside the names of domains.
var icons = map[string]string{
	"identity": "☻", "network_access": "⇥", "endpoint": "▣", "device_management": "⚒", "network": "⇄", "ot": "⚡", "robot": "⚙", "change": "✎",
}

const (
	dateTime  = "2006-01-02 15:04:05"
	timeOfDay = "15:04:05"
)

// stamp is a time in UTC; a dash for none.
func stamp(micros int64, layout string) string {
	if micros == 0 {
		return "–"
	}
	return time.UnixMicro(micros).UTC().Format(layout)
}

// until is the second of two times that are shown together: without its date where that is the first one's.
func until(first, second int64) string {
	if stamp(first, time.DateOnly) == stamp(second, time.DateOnly) {
		return stamp(second, timeOfDay)
	}
	return stamp(second, dateTime)
}

// ago is how long then lies back, in one unit.
func ago(now, then int64) string {
	switch {
	case then == 0:
		return "–"
	case now-then < time.Minute.Microseconds():
		return "just now"
	}
	return long(now-then) + " ago"
}

// long is a duration in words, in the one unit that says most.
func long(micros int64) string {
	switch d := time.Duration(micros) * time.Microsecond; {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d d", int(d.Hours()/24))
	}
}

// bare is an entity id without its kind; what is no entity id stays as it is.
func bare(id string) string {
	if kind, name, ok := strings.Cut(id, ":"); ok && event.EntityKindOf(kind) != event.EntityNone {
		return name
	}
	return id
}

// choices are the values of a list as an error names them: 1, 4 or 12.
func choices[T any](list []T) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = fmt.Sprint(v)
	}
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// clip is the first n characters of s, for places where the whole stands elsewhere.
func clip(n int, s string) string {
	for i := range s {
		if n == 0 {
			return s[:i] + "…"
		}
		n--
	}
	return s
}

// visible spells out what a reader could not see in b: control characters other than line feed and tab, characters that change the reading
// direction or take no room, and bytes that are not UTF-8. The spelling is JSON's (\u202e), so a JSON document stays the same document, and
// its characters mean nothing to HTML. b is returned as it is where there is nothing to do.
func visible(b []byte) []byte {
	i := firstHidden(b)
	if i == len(b) {
		return b
	}
	out := append(make([]byte, 0, len(b)+64), b[:i]...)
	for i < len(b) {
		r, n := utf8.DecodeRune(b[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			out = fmt.Appendf(out, `\x%02x`, b[i])
		case !hidden(r):
			out = append(out, b[i:i+n]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += n
	}
	return out
}

func firstHidden(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if hidden(r) || r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(b)
}

func hidden(r rune) bool {
	switch {
	case r >= ' ' && r < 0x7f, r == '\n', r == '\t':
		return false
	case r < 0xa0:
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
