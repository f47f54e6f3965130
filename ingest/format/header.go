package format

import (
	"strings"
	"time"
	"unsafe"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/syslog"
)

// readHeader takes the syslog header off a record, where it has one. The body has no line ends at its end; for a bare message it is the
// whole record.
func readHeader(rec *event.Record) (m syslog.Message, body string, err error) {
	ctx := syslog.Context{Location: rec.Location}
	if rec.Received != 0 {
		ctx.Received = time.UnixMicro(rec.Received)
	}
	m, err = syslog.Parse(rec.Value, ctx)
	if err != nil {
		return m, "", Rejectf("too_long", "the line has %d bytes; the longest syslog line read is %d", len(rec.Value), syslog.MaxLine)
	}
	return m, strings.TrimRight(textOf(m.Body), "\r\n\x00 \t"), nil
}

// textOf is b as a string that shares its memory.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// binaryText reports whether a text line holds control characters that no logger writes.
func binaryText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != 0x1b || c == 0x7f {
			return true
		}
	}
	return false
}

// lowerASCII is s with its letters A to Z in lower case, byte for byte: places found in it are places in s.
func lowerASCII(s string) string {
	at := strings.IndexFunc(s, func(r rune) bool { return r >= 'A' && r <= 'Z' })
	if at < 0 {
		return s
	}
	b := []byte(s)
	for i := at; i < len(b); i++ {
		if b[i] >= 'A' && b[i] <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return textOf(b)
}

// setHeaderTime takes the time of an event from the syslog header. A stamp before 1970 is of a clock that was never set.
func setHeaderTime(e *event.Event, m *syslog.Message) {
	if m.TimeSource != syslog.TimeNone && m.Timestamp.UnixMicro() <= 0 {
		e.Envelope.Quality |= event.SchemaOdd
		return
	}
	switch m.TimeSource {
	case syslog.TimeNone:
		return
	case syslog.TimeParsed:
		e.Envelope.TimeSource = event.TimeHeader
	case syslog.TimeInferredZone:
		e.Envelope.TimeSource = event.TimeZoneless
	case syslog.TimeInferredYear:
		e.Envelope.TimeSource = event.TimeYearless
	}
	e.Time = m.Timestamp.UnixMicro()
}

// setReporterHost notes the host of the syslog header as the one that reported, for products that observe others.
func setReporterHost(e *event.Event, host string) {
	if event.Placeholder(host) {
		return
	}
	r := &e.Metadata.Extend().Reporter
	if ip := plainIP(host); ip != "" {
		r.IP = ip
	} else {
		r.Hostname = strings.ToLower(host)
	}
}

// setDeviceHost names a device by a host name or an address.
func setDeviceHost(d *event.Device, host string) {
	if event.Placeholder(host) {
		return
	}
	if ip := plainIP(host); ip != "" {
		d.IP = ip
	} else {
		d.Hostname = strings.ToLower(host)
	}
}

// knownEndpoint reports whether anything names an endpoint.
func knownEndpoint(p *event.Endpoint) bool {
	return p.UID != "" || p.IP != "" || p.MAC != "" || p.Hostname != "" || p.Name != ""
}

// knownDevice reports whether anything names the device an event is about.
func knownDevice(d *event.Device) bool {
	return d.UID != "" || d.IP != "" || d.MAC != "" || d.Hostname != "" || d.Name != ""
}

// cutTag takes the "program[pid]: " that opens a message without a syslog header off it; ok is false where there is none.
func cutTag(s string) (program, pid, rest string, ok bool) {
	i := strings.IndexAny(s, "[: ")
	if i <= 0 || i > 40 || s[i] == ' ' {
		return "", "", s, false
	}
	program, rest = s[:i], s[i:]
	if rest[0] == '[' {
		end := strings.IndexByte(rest, ']')
		if end < 2 || end > 12 || strings.Trim(rest[1:end], "0123456789") != "" {
			return "", "", s, false
		}
		pid, rest = rest[1:end], rest[end+1:]
	}
	if !strings.HasPrefix(rest, ": ") {
		return "", "", s, false
	}
	return program, pid, rest[2:], true
}
