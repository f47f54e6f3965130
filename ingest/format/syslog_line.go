package format

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/event"
)

func anySyslog() Format {
	return Format{
		Name: "syslog", Title: "Syslog and Linux audit", Domain: "any",
		Classes: []string{"base_event"},
		Doc: "Any syslog line (RFC 3164, RFC 5424 or without a header), for rules over raw fields: hostname, program, pid, message, and structured data as id.name. Records of " +
			"the Linux audit daemon, with a syslog header or without, have their fields under their own names. A program that has a format of its own is better read by that.",
		Framing: Lines,
		Append:  appendSyslog,
	}
}

func appendSyslog(_ *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	m, body, err := readHeader(rec)
	if err != nil {
		return dst, err
	}
	body = strings.TrimLeft(body, " ")
	program, pid := m.App, m.ProcID
	if program == "" {
		if p, id, rest, ok := cutTag(body); ok {
			program, pid, body = p, id, rest
		}
	}
	switch {
	case body == "":
		return dst, Rejectf("no_event", "the line has no message")
	case binaryText(strings.ReplaceAll(body, auditSeparator, " ")):
		return dst, Rejectf("not_text", "the message has control characters")
	}
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, "Log Message"
	setHeaderTime(e, &m)
	e.SeverityID = syslogSeverity(m.Severity)
	e.Metadata.Product, e.Metadata.LogName = "Syslog", program
	e.Metadata.EventCode = m.MsgID
	setDeviceHost(&e.Device, m.Hostname)
	e.Message = clip(body, 512)
	fields := make([]event.RawField, 0, 8)
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, event.RawField{Name: name, Value: value})
		}
	}
	if fields, program = auditFields(e, fields, body, program); program == "auditd" {
		e.Metadata.Product, e.Metadata.LogName, e.Activity = "Linux audit", program, "Audit Record"
	}
	add("message", body)
	add("program", program)
	add("pid", pid)
	add("hostname", m.Hostname)
	for p := range m.Structured.Params() {
		if len(fields) < event.MaxRawFields {
			add(p.ID+"."+p.Name, p.Value)
		}
	}
	e.SetRaw(fields)
	return dst, nil
}

// syslogSeverity is the OCSF severity of a syslog one.
func syslogSeverity(severity int) uint8 {
	switch {
	case severity < 0 || severity >= 5:
		return severityInfo
	case severity == 4:
		return severityLow
	case severity == 3:
		return severityMedium
	}
	return severityHigh
}

// auditSeparator stands in enriched audit records before the fields that the daemon added.
const auditSeparator = "\x1d"

// auditFields adds the fields of a record of the audit daemon: type=SYSCALL msg=audit(1700532000.123:456): key=value …; the program then is
// auditd. Other lines have none.
func auditFields(e *event.Event, fields []event.RawField, body, program string) ([]event.RawField, string) {
	start := strings.Index(body, "type=")
	if start != 0 && !(start > 0 && strings.HasPrefix(body, "node=")) {
		return fields, program
	}
	at := strings.Index(body, "msg=audit(")
	if at < 0 {
		return fields, program
	}
	stamp, rest, ok := strings.Cut(body[at+len("msg=audit("):], "):")
	if !ok {
		return fields, program
	}
	seconds, serial, _ := strings.Cut(stamp, ":")
	if t, err := strconv.ParseFloat(seconds, 64); err == nil && t > 0 && t < 1<<33 {
		e.Time, e.Envelope.TimeSource = int64(t*1000+0.5)*1000, event.TimeParsed
	}
	fields = append(fields, event.RawField{Name: "audit_serial", Value: serial})
	a := auditRecord{fields: fields, execve: strings.Contains(body[:at], "type=EXECVE")}
	a.read(body[:at], true)
	a.read(rest, true)
	fields = a.fields
	for i := range fields {
		if fields[i].Name == "node" && e.Device.Hostname == "" {
			setDeviceHost(&e.Device, fields[i].Value)
		}
		if fields[i].Name == "type" {
			e.Metadata.EventCode = fields[i].Value
		}
	}
	e.Metadata.OriginalUID = serial
	return fields, "auditd"
}

// auditRecord is an audit record being read.
type auditRecord struct {
	fields []event.RawField
	execve bool // a0, a1 … are arguments, not the numbers of a system call.
}

// read adds the key=value pairs of a text. The one in single quotes after msg is a list of pairs itself.
func (a *auditRecord) read(s string, outer bool) {
	for len(a.fields) < event.MaxRawFields {
		s = strings.TrimLeft(s, " ,"+auditSeparator)
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			return
		}
		if space := strings.LastIndexAny(name, " "+auditSeparator); space >= 0 {
			name = name[space+1:] // A word between the pairs.
		}
		value := ""
		if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
			end := strings.IndexByte(rest[1:], rest[0])
			if end < 0 {
				end = len(rest) - 1
			}
			value, s = rest[1:1+end], rest[min(len(rest), end+2):]
			if rest[0] == '\'' && outer {
				a.read(value, false)
				continue
			}
		} else {
			end := strings.IndexAny(rest, " "+auditSeparator)
			if end < 0 {
				end = len(rest)
			}
			value, s = a.text(name, rest[:end]), rest[end:]
		}
		a.fields = append(a.fields, event.RawField{Name: name, Value: value})
	}
}

// text decodes a value that was written in hexadecimal because it holds a space, a quote or a control character: of those that otherwise stand in
// quotes. NUL between arguments becomes a space.
func (a *auditRecord) text(name, value string) string {
	switch name {
	case "proctitle", "exe", "comm", "cwd", "name", "cmd", "data", "acct", "key":
	default:
		if !a.execve || len(name) < 2 || name[0] != 'a' || strings.Trim(name[1:], "0123456789") != "" {
			return value
		}
	}
	if len(value) < 2 || len(value)%2 != 0 {
		return value
	}
	out := make([]byte, len(value)/2)
	for i := range out {
		high, low := hexDigit(value[2*i]), hexDigit(value[2*i+1])
		if high == 255 || low == 255 {
			return value
		}
		if out[i] = high<<4 | low; out[i] == 0 {
			out[i] = ' '
		}
	}
	if !utf8.Valid(out) {
		return value
	}
	return textOf(out)
}
