package adapter

import (
	"fmt"
	"strconv"
	"strings"
)

// cefWorth is CEF's severity, 0 to 10, and syslog's, by ours.
var cefWorth = map[string]struct{ cef, syslog int }{
	"informational": {1, 6}, "low": {3, 5}, "medium": {5, 4}, "high": {7, 3}, "critical": {9, 2}, "fatal": {10, 1},
}

// facility is local0.
const facility = 16

// cef is one line for each revision: CEF version 0 within a syslog message of RFC 5424, without the count of octets that goes in front.
func cef(l *Letter, o Options) Parcel {
	in := l.about()
	worth := cefWorth[in.Severity]
	if worth.syslog == 0 {
		worth = cefWorth["informational"]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<%d>1 %s %s tocsin - %s - ", facility*8+worth.syslog, moment(l.Time).UTC().Format("2006-01-02T15:04:05.000Z"), syslogName(o.Host, 255), syslogName(l.kind(), 32))
	b.WriteString("CEF:0|Tocsin|Tocsin|" + cefHeader(o.Version, 31) + "|" + cefHeader(l.kind(), 63) + "|" + cefHeader(in.Title, 512) + "|" + strconv.Itoa(worth.cef) + "|")
	for i, f := range cefFields(l, in) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(f.key + "=" + cefValue(f.value, f.bound))
	}
	return Parcel{Body: []byte(b.String()), Key: in.ID}
}

type cefField struct {
	key, value string
	bound      int // characters, by the dictionary of CEF
}

// cefFields are what there is to say, without what is empty.
func cefFields(l *Letter, in *Incident) []cefField {
	var users, robots, devices string
	for _, e := range in.Entities {
		switch e.Type {
		case "user":
			users = words(",", users, e.ID)
		case "robot":
			robots = words(",", robots, e.ID)
		case "device":
			devices = words(",", devices, e.ID)
		}
	}
	all := []cefField{
		{"externalId", in.ID, 40},
		{"act", l.kind(), 63},
		{"cat", "incident", 1023},
		{"outcome", in.Verdict, 63},
		{"rt", cefTime(l.Time), 0},
		{"start", cefTime(in.FirstEvent), 0},
		{"end", cefTime(in.LastEvent), 0},
		{"cnt", number(in.Counts.Events), 0},
		{"suser", users, 1023},
		{"shost", devices, 1023},
		{"dhost", robots, 1023},
		{"request", in.URL, 1023},
		{"cs1", in.Status, 4000},
		{"cs1Label", "status", 1023},
		{"cs2", in.Assessment.Kind, 4000},
		{"cs2Label", "assessment", 1023},
		{"cs3", ruleNames(in), 4000},
		{"cs3Label", "rules", 1023},
		{"cs4", in.OwnerTeam, 4000},
		{"cs4Label", "ownerTeam", 1023},
		{"cn1", number(int(in.Revision)), 0},
		{"cn1Label", "revision", 1023},
		{"cn2", number(in.Counts.Findings), 0},
		{"cn2Label", "findings", 1023},
		{"msg", in.Summary.Text, 1023},
	}
	var out []cefField
	for _, f := range all {
		if f.value != "" {
			out = append(out, f)
		}
	}
	return out
}

func cefTime(text string) string {
	t := moment(text)
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

// cefHeader escapes a field of the header: on one line, with \ and | behind a backslash.
func cefHeader(s string, bound int) string {
	return strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(clip(line(s), bound))
}

// cefValue escapes a value of the extension: \ and = behind a backslash, line ends as \n.
func cefValue(s string, bound int) string {
	s = shown(s)
	if bound > 0 {
		s = clip(s, bound)
	}
	return strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`).Replace(s)
}

// syslogName is a name of a syslog header: printable ASCII without spaces, - for none.
func syslogName(s string, bound int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), bound)]
}

// FrameSyslog puts the count of octets in front, as RFC 6587 section 3.4.1 has it.
func FrameSyslog(message []byte) []byte {
	return append([]byte(strconv.Itoa(len(message))+" "), message...)
}
