package format

import (
	"net/netip"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// plainIP is the canonical text of an address, "" for anything else. Text that is canonical already, as nearly all is, is returned itself.
func plainIP(s string) string {
	if s == "" || len(s) > 64 || !startsAddress(s[0]) {
		return ""
	}
	if _, ok := event.IPv4(s); ok {
		return s
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	var buf [64]byte
	if text := a.AppendTo(buf[:0]); string(text) != s {
		return string(text)
	}
	return s
}

// startsAddress spares ParseAddr, whose errors allocate, most host names.
func startsAddress(c byte) bool {
	return c-'0' <= 9 || c == ':' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// setHost fills an end of a connection from an address or, failing that, a host name.
func setHost(p *event.Endpoint, s string) {
	if ip := plainIP(s); ip != "" {
		p.IP = ip
	} else if !event.Placeholder(s) {
		p.Hostname = strings.ToLower(s)
	}
}

// setMAC fills a hardware address in canonical form; the all-zero and broadcast addresses name nobody and are left out.
func setMAC(p *event.Endpoint, s string) {
	if mac, ok := event.MAC(s); ok && !kv.NoMAC(mac) {
		p.MAC = mac
	}
}

// port16 is a port number, 0 where it is out of range.
func port16(n int64) uint16 {
	if n < 0 || n > 65535 {
		return 0
	}
	return uint16(n)
}

// flagInt is a known number, unless ok is false.
func flagInt(n int64, ok bool) event.Int {
	if !ok {
		return event.Int{}
	}
	return event.IntOf(n)
}

// setStamp reads the time of an event from text; without one the time stays unknown and the record is flagged as odd.
func setStamp(e *event.Event, text string, zone *time.Location) {
	micros, zoned, ok := kv.TimeIn(text, zone)
	if !ok {
		e.Envelope.Quality |= event.SchemaOdd
		return
	}
	e.Time = micros
	e.Envelope.TimeSource = event.TimeZoneless
	if zoned {
		e.Envelope.TimeSource = event.TimeParsed
	}
}

// stampMicros is a time that need not be there; 0 where it is not.
func stampMicros(text string, zone *time.Location) int64 {
	micros, _, ok := kv.TimeIn(text, zone)
	if !ok {
		return 0
	}
	return micros
}

// scanObject reads a record that must be one JSON object. The error is a *Reject whose code is that of the scanner.
func scanObject(s *Scratch, plan *jsonscan.Plan, value []byte) error {
	err := plan.Scan(value, &s.JSON)
	if err == nil {
		for _, c := range value {
			if c > ' ' {
				if c == '{' {
					return nil
				}
				break
			}
		}
		return Rejectf("wrong_format", "the record is JSON but not an object")
	}
	if e, ok := err.(*jsonscan.Error); ok { //nolint:errorlint // Scan returns nothing else, unwrapped.
		return Rejectf(string(e.Code), "the record is not one strict JSON document: %s", e.Error())
	}
	return Rejectf("json_syntax", "%s", err.Error())
}

// clip bounds a text that an outsider may make as long as a record, at a character's border.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
