package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
	"github.com/tocsin-siem/tocsin/ingest/format/syslog"
)

// ciscoISE reads the syslog messages of Cisco Identity Services Engine 2 and 3.
func ciscoISE() Format {
	return Format{
		Name:   "cisco_ise",
		Title:  "Cisco ISE",
		Domain: "network_access",
		Classes: []string{
			"account_change", "api_activity", "application_lifecycle", "authentication", "base_event", "device_config_state_change.log",
			"entity_management", "inventory_info.collect", "network_activity",
		},
		Doc: "Remote syslog targets of ISE, segmented messages joined by message id. Passed and failed authentications become Authentication, accounting " +
			"Network Activity, posture, profile change, change of authorization and quarantine Device Config State Change, administrators' changes Entity " +
			"Management, commands on network devices API Activity. The network device is the reporter, except where it is what is administered.",
		Join:     iseSegment,
		Append:   appendISE,
		Unmapped: unmappedISE,
	}
}

// iseHeader is what stands before the attributes of a message: "CATEGORY MSGID TOTAL NUMBER STAMP ZONE SEQUENCE CODE SEVERITY CLASS: TEXT,".
// Segments after the first, and messages that lost their beginning, have the first four at most (Cisco ISE Syslogs, "Message format").
type iseHeader struct {
	host          string // From the syslog header.
	category      string // CISE_Failed_Attempts …; "" where the line does not say.
	id            string // Number of the message, the same in all its segments.
	total, number int
	stamp         string
	sequence      string
	code          string
	severity      string
	class         string // Failed-Attempt, Radius-Accounting …
	text          string // Authentication failed …
	attributes    string
}

// readISEHeader takes the headers off a line; ok is false where it has none of ISE's.
func readISEHeader(h *syslog.Message, body string) (p iseHeader, ok bool) {
	p.host = h.Hostname
	body = strings.TrimLeft(body, " ")
	if i := strings.Index(body, "CISE_"); i >= 0 && i < 120 {
		before := strings.Fields(body[:i])
		if p.host == "" && len(before) > 0 {
			p.host = before[len(before)-1]
		}
		p.category, body, _ = strings.Cut(body[i:], " ")
		body = strings.TrimLeft(body, " ")
	}
	rest, isSegment := p.segment(body)
	if !isSegment {
		p.attributes = body
		return p, p.category != ""
	}
	p.first(rest)
	return p, true
}

// segment reads "MSGID TOTAL NUMBER ".
func (p *iseHeader) segment(s string) (rest string, ok bool) {
	id, rest, _ := strings.Cut(s, " ")
	total, rest, _ := strings.Cut(rest, " ")
	number, rest, _ := strings.Cut(rest, " ")
	if number == "" || len(id) < 6 || len(id) > 20 || leadingDigits(id) != len(id) {
		return s, false
	}
	var err error
	if p.total, err = strconv.Atoi(total); err != nil || p.total < 1 || p.total > maxISESegments {
		return s, false
	}
	if p.number, err = strconv.Atoi(number); err != nil || p.number < 0 || p.number >= p.total {
		return s, false
	}
	p.id = id
	return rest, true
}

// maxISESegments bounds how many parts a message may claim to have.
const maxISESegments = 100

// first reads what only the first segment has, from the stamp to the text.
func (p *iseHeader) first(s string) {
	p.attributes = s
	if len(s) < 30 || s[0]-'0' > 9 || s[4] != '-' {
		return
	}
	date, rest, _ := strings.Cut(s, " ")
	clock, rest, _ := strings.Cut(rest, " ")
	zone, rest, found := strings.Cut(rest, " ")
	end := len(date) + 1 + len(clock) + 1 + len(zone)
	if !found || end > len(s) {
		return
	}
	p.stamp = s[:end]
	p.sequence, rest, _ = strings.Cut(rest, " ")
	p.code, rest, _ = strings.Cut(rest, " ")
	p.severity, rest, _ = strings.Cut(strings.TrimLeft(rest, " "), " ")
	text, attributes, _ := strings.Cut(strings.TrimLeft(rest, " "), ",")
	p.class, p.text, found = strings.Cut(text, ": ")
	if !found {
		p.class, p.text = "", text
	}
	p.text = strings.TrimSpace(p.text)
	p.attributes = attributes
}

// iseSegment recognises a part of a segmented message. The first part keeps its headers, the others give their attributes only.
func iseSegment(rec *event.Record) (key string, index, total int, body []byte, ok bool) {
	h, text, err := readHeader(rec)
	if err != nil {
		return "", 0, 0, nil, false
	}
	p, ok := readISEHeader(&h, text)
	if !ok || p.id == "" || p.total < 2 {
		return "", 0, 0, nil, false
	}
	key = p.host + "\x00" + p.category + "\x00" + p.id
	if p.number == 0 {
		return key, 0, p.total, bytesOf(trimRelayEnd(textOf(rec.Value))), true
	}
	return key, p.number, p.total, bytesOf(" " + trimRelayEnd(strings.TrimLeft(p.attributes, " "))), true
}

// trimRelayEnd drops line ends, also those that a relay spelled out.
func trimRelayEnd(s string) string {
	for {
		t := strings.TrimRight(s, "\r\n\x00 ")
		for _, end := range [...]string{"#015", "#012", "#15", "#12"} {
			t = strings.TrimSuffix(t, end)
		}
		if t == s {
			return s
		}
		s = t
	}
}

func appendISE(_ *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	h, body, err := readHeader(rec)
	if err != nil {
		return dst, err
	}
	body = trimRelayEnd(body)
	p, ok := readISEHeader(&h, body)
	if !ok {
		if text, found := cutConfigurationChange(h.App, body); found {
			p.text, p.code, p.attributes, ok = "Configuration Changed", "", strings.ReplaceAll(text, "; ", ", "), true
			p.class = "Configuration-Changes"
		}
	}
	if !ok {
		return dst, Rejectf("unknown_message", "the line has neither an ISE category nor the numbers of a segment: %q", clip(body, 60))
	}
	if binaryText(body) {
		return dst, Rejectf("not_text", "the message has control characters")
	}
	var a iseAttributes
	a.read(p.attributes)
	if p.stamp == "" && a.count == 0 {
		return dst, Rejectf("no_event", "the message has no attributes")
	}
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	p.setTime(e, &h, rec)
	p.describe(e, &a, body)
	a.setEnds(e, &p)
	a.setClass(e, rec, &p)
	return dst, nil
}

// cutConfigurationChange recognises the short notice of a changed setting: "INFO: Configuration Changed: Admin=…; Object Type=…; …".
func cutConfigurationChange(app, body string) (attributes string, ok bool) {
	if app == "" {
		if level, rest, found := strings.Cut(body, ": "); found && len(level) < 8 && strings.IndexByte(level, ' ') < 0 {
			body = rest
		}
	}
	return strings.CutPrefix(strings.TrimLeft(body, " "), "Configuration Changed: ")
}

// setTime prefers ISE's own stamp, which names its zone, over the syslog header's.
func (p *iseHeader) setTime(e *event.Event, h *syslog.Message, rec *event.Record) {
	if micros, zoned, ok := kv.TimeIn(p.stamp, rec.Location); ok {
		e.Time, e.Envelope.TimeSource = micros, event.TimeZoneless
		if zoned {
			e.Envelope.TimeSource = event.TimeParsed
		}
		return
	}
	setHeaderTime(e, h)
}

// describe fills what every message has.
func (p *iseHeader) describe(e *event.Event, a *iseAttributes, body string) {
	e.Metadata.Product, e.Metadata.Vendor = "Cisco ISE", "Cisco"
	e.Metadata.EventCode, e.Metadata.LogName = p.code, p.category
	if p.code == "" {
		e.Metadata.EventCode = p.text
	}
	e.Message = p.text
	if p.text == "" {
		e.Message = body
	}
	if p.number > 0 {
		// A part whose message was never put together.
		e.Envelope.Quality |= event.Truncated
	}
	if p.category != "" && p.id == "" {
		e.Envelope.Quality |= event.Recovered
	}
	if p.stamp != "" && p.id != "" && p.number == 0 {
		e.Envelope.ID = event.NewID("cisco_ise", p.host, p.id, p.stamp, p.sequence)
		e.Metadata.OriginalUID = p.id
	}
	e.SeverityID = iseSeverity(p.severity)
	if a.acsSession != "" {
		e.Metadata.Extend().Correlation = a.acsSession
	}
}

func iseSeverity(s string) uint8 {
	switch s {
	case "WARN":
		return severityLow
	case "ERROR":
		return severityMedium
	case "FATAL":
		return 5
	}
	return severityInfo
}
