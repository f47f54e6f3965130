package format

import (
	"encoding/binary"
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
	if !hasCapital(s) {
		return s
	}
	return textOf(appendLower(make([]byte, 0, len(s)), s))
}

// hasCapital reports whether s has a capital of ASCII.
func hasCapital(s string) bool {
	for len(s) >= 8 {
		if capitals(eightOf(s)) != 0 {
			return true
		}
		s = s[8:]
	}
	for i := range len(s) {
		if s[i]-'A' < 26 {
			return true
		}
	}
	return false
}

// appendLower appends s with the capitals of ASCII made small.
func appendLower(dst []byte, s string) []byte {
	for len(s) >= 8 {
		w := eightOf(s)
		dst = binary.LittleEndian.AppendUint64(dst, w|capitals(w)>>2)
		s = s[8:]
	}
	for i := range len(s) {
		c := s[i]
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// eightOf is the first eight bytes of s.
func eightOf(s string) uint64 {
	s = s[:8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// capitals is the high bit of each of eight bytes that is a capital of ASCII: one from A on carries into its high bit, one beyond Z in both sums.
func capitals(w uint64) uint64 {
	const each, high = 0x0101010101010101, 0x8080808080808080
	seven := w &^ high
	return (seven + (0x80-'A')*each) &^ (seven + (0x80-'Z'-1)*each) &^ w & high
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
