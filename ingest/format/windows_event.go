package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// winSource is a writer of events whose numbers are known.
type winSource uint8

const (
	winOther winSource = iota
	winSysmon
	winSecurity
	winEventLog
	winServices
	winPowerShell
	winTasks
	winDefender
)

// winSources are the writers by provider, and by channel where a shipper gives no provider.
var winSources = map[string]winSource{
	"Microsoft-Windows-Sysmon": winSysmon, "Microsoft-Windows-Sysmon/Operational": winSysmon, "Linux-Sysmon": winSysmon, "Linux-Sysmon/Operational": winSysmon,
	"Microsoft-Windows-Security-Auditing": winSecurity, "Security": winSecurity,
	"Microsoft-Windows-Eventlog":   winEventLog,
	"Service Control Manager":      winServices,
	"Microsoft-Windows-PowerShell": winPowerShell, "Microsoft-Windows-PowerShell/Operational": winPowerShell, "PowerShellCore": winPowerShell, "PowerShellCore/Operational": winPowerShell,
	"Microsoft-Windows-TaskScheduler": winTasks, "Microsoft-Windows-TaskScheduler/Operational": winTasks,
	"Microsoft-Windows-Windows Defender": winDefender, "Microsoft-Windows-Windows Defender/Operational": winDefender,
}

// winKey is a kind of event.
type winKey struct {
	source winSource
	id     uint32
}

// winKind is what becomes of a kind of event; fill sets what is special to it and may change class and activity.
type winKind struct {
	class    uint32
	activity uint16
	fill     func(w *winRecord, e *event.Event)
}

// append makes the event of what was read.
func (w *winRecord) append(dst []event.Event, rec *event.Record, sender string) ([]event.Event, error) {
	if w.id == "" {
		return dst, Rejectf("no_event", "the event has no EventID")
	}
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	e.SetSortedRaw(w.sorted())
	w.raw = e.Raw
	source, ok := winSources[w.provider]
	w.envelope(e, rec, sender, source == winSysmon)
	if !ok {
		source = winSources[w.channel]
	}
	number, err := strconv.ParseUint(w.id, 10, 32)
	kind, known := winKinds[winKey{source, uint32(number)}]
	if err != nil || !known {
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, "Windows Event"
		anyActor(w, e)
		return dst, nil
	}
	e.ClassUID, e.ActivityID = kind.class, kind.activity
	if source == winSecurity || source == winEventLog {
		w.outcome(e)
	}
	kind.fill(w, e)
	return dst, nil
}

// envelope sets what every event has: product, log, record, time, severity and the machine. Sysmon says whether its provider is.
func (w *winRecord) envelope(e *event.Event, rec *event.Record, sender string, sysmon bool) {
	m := &e.Metadata
	m.Product, m.Vendor, m.LogName, m.EventCode, m.OriginalUID = "Windows", "Microsoft", w.channel, w.id, w.record
	if sysmon {
		m.Product = "Sysmon"
	}
	if n, err := strconv.ParseInt(w.record, 10, 64); err == nil && n >= 0 {
		m.Extend().Sequence = event.IntOf(n)
	}
	w.setTime(e, rec)
	e.SeverityID = winSeverity(w.level)
	setDeviceHost(&e.Device, w.computer)
	if host := w.agent; host != "" && !sameHost(host, w.computer) {
		setReporterHost(e, host)
	} else if sender != "" && !sameHost(sender, w.computer) {
		setReporterHost(e, sender)
	}
	if e.Message = w.message; e.Message != "" {
		line, _, _ := strings.Cut(e.Message, "\n")
		e.Message = clip(strings.TrimSpace(line), 512)
	}
	if w.record != "" && w.computer != "" && w.channel != "" && w.time != "" {
		e.Envelope.ID = event.NewID("windows", w.computer, w.channel, w.record, w.time)
	}
}

// sameHost reports whether two names may be one machine's, with a domain or without.
func sameHost(a, b string) bool {
	a, _, _ = strings.Cut(a, ".")
	b, _, _ = strings.Cut(b, ".")
	return strings.EqualFold(a, b)
}

// clockSlack is how far the time of Sysmon and the time of the log may lie apart, in microseconds, to be one event's.
const clockSlack = 3600e6

// setTime sets the time. Sysmon says in UtcTime when a thing happened, and the log when it was written: the former is the event's time, unless they
// lie so far apart that the clock was set in between.
func (w *winRecord) setTime(e *event.Event, rec *event.Record) {
	setStamp(e, w.time, rec.Location)
	happened, ok := w.value("UtcTime")
	if !ok {
		return
	}
	micros, _, ok := kv.Time(happened)
	if !ok || e.Time != 0 && (micros-e.Time > clockSlack || e.Time-micros > clockSlack) {
		return
	}
	if e.Time == 0 {
		e.Envelope.Quality &^= event.SchemaOdd
	}
	e.Metadata.LoggedTime = e.Time
	e.Time, e.Envelope.TimeSource = micros, event.TimeParsed
}

// winSeverity is the OCSF severity of a level, by number or in the words of shippers.
func winSeverity(level string) uint8 {
	switch level {
	case "1", "critical", "Critical", "CRITICAL":
		return severityHigh
	case "2", "error", "Error", "ERROR":
		return severityMedium
	case "3", "warning", "Warning", "WARNING":
		return severityLow
	}
	return severityInfo
}

// The bits of Keywords that tell how an audited access ended.
const (
	auditFailure = 1 << 52
	auditSuccess = 1 << 53
)

// outcome sets the status that the audit keywords tell.
func (w *winRecord) outcome(e *event.Event) {
	kind, _ := w.value("EventType")
	switch {
	case strings.Contains(w.keywords, "Audit Failure"), kind == "AUDIT_FAILURE":
		e.StatusID = statusFailure
		return
	case strings.Contains(w.keywords, "Audit Success"), kind == "AUDIT_SUCCESS":
		e.StatusID = statusSuccess
		return
	}
	bits := winBits(w.keywords)
	switch {
	case bits&auditFailure != 0:
		e.StatusID = statusFailure
	case bits&auditSuccess != 0:
		e.StatusID = statusSuccess
	}
}

// anyActor fills who acted, from the fields that most logs share.
func anyActor(w *winRecord, e *event.Event) {
	switch {
	case w.said("SubjectUserName") != "":
		subject(w, e)
	case strings.Contains(w.said("User"), `\`):
		setWinLogin(&e.Actor.User, w.said("User"))
	default:
		setWinUser(&e.Actor.User, "", "", w.said("Security_UserID"))
	}
}

// winBits is a mask as Windows writes it: in hexadecimal, or as a decimal number that may be negative; 0 for anything else.
func winBits(s string) uint64 {
	if digits, hex := strings.CutPrefix(s, "0x"); hex {
		bits, _ := strconv.ParseUint(digits, 16, 64)
		return bits
	}
	if s == "" || s[0] != '-' && s[0]-'0' > 9 {
		return 0
	}
	if bits, err := strconv.ParseUint(s, 10, 64); err == nil {
		return bits
	}
	signed, _ := strconv.ParseInt(s, 10, 64)
	return uint64(signed)
}

// winNumber is a number as Windows writes it, in decimal or 0x hexadecimal.
func winNumber(s string) (int64, bool) {
	base := 10
	if digits, hex := strings.CutPrefix(s, "0x"); hex {
		s, base = digits, 16
	}
	if s == "" || hexDigit(s[0]) == 255 && s[0] != '-' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, base, 64)
	return n, err == nil
}

// winGUID is a GUID without braces; "" for the one that is all zeros.
func winGUID(s string) string {
	return meant(strings.TrimSuffix(strings.TrimPrefix(meant(s), "{"), "}"))
}
