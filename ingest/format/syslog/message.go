// Package syslog recognises the syslog headers that really arrive: RFC 5424, RFC 3164, and what network
// devices, hypervisors and relays make of it. It never refuses a line for its shape: what is not a header
// is body, so that bare bodies can be fed as well.
//
// Strings and slices of a Message alias the line, which must not change while they are in use.
// Everything is pure and safe for concurrent use.
package syslog

import (
	"errors"
	"strconv"
	"time"
	"unsafe"
)

// MaxLine is the longest line Parse accepts, in bytes.
const MaxLine = 1 << 20

// ErrSize is returned for lines over MaxLine; its text is the reject code.
var ErrSize = errors.New("syslog_size")

// Context is what a line does not say about itself.
type Context struct {
	// Received is when the line arrived. A stamp without a year gets the latest year that does not put it
	// more than a week after this. With the zero value such stamps stay unresolved (TimeNone).
	Received time.Time
	// Location is the zone of stamps without one; nil means UTC.
	Location *time.Location
}

// TimeSource tells how much of a message's Timestamp was in the text.
type TimeSource uint8

const (
	TimeNone         TimeSource = iota // no usable stamp; Timestamp is zero
	TimeParsed                         // date, time and zone were in the text
	TimeInferredZone                   // the zone came from the Context
	TimeInferredYear                   // the year came from the receive time (the zone too, unless the text had one)
)

// Message is one syslog line.
type Message struct {
	Priority int // PRI value 0 to 191, or -1 where the line had none
	Facility int // 0 to 23, or -1
	Severity int // 0 (emergency) to 7 (debug), or -1

	Timestamp  time.Time
	TimeSource TimeSource
	// Unsynchronised is set where the device marked its clock as not set (a leading * on Cisco devices).
	Unsynchronised bool

	Hostname, App, ProcID, MsgID string // "" where missing or the nil value
	// Sequence is the message counter some network devices put before or after the host name.
	Sequence string

	Structured Structured
	// Body is the text after the header, without a byte order mark and without trailing line ends.
	// For a line without a header it is the whole line, line ends included.
	Body []byte
}

// HasHeader reports whether any syslog header was recognised.
func (m *Message) HasHeader() bool {
	return m.Priority >= 0 || m.TimeSource != TimeNone || m.Hostname != ""
}

// Parse splits a line into header and body.
//
// Recognised, each with or without PRI: RFC 5424 (without PRI only with its version or structured data
// field); "Jan  2 15:04:05", also with "02", fraction, year before or after the time, weekday, zone;
// RFC 3339; and with PRI also "2006-01-02 15:04:05" and epoch seconds. After the stamp: host and tag, a tag without a host, a
// host and a colon, Cisco's "%FACILITY-SEVERITY-MNEMONIC" (which stays part of the body), Cisco's
// sequence numbers, and a relay's header before the device's own. Where a line carries two stamps, the
// inner one, of the device itself, wins.
//
// The only error is ErrSize. RFC 5424 section 6, RFC 3164 sections 4 and 5.
func Parse(line []byte, ctx Context) (Message, error) {
	m := Message{Priority: -1, Facility: -1, Severity: -1, Body: line}
	if len(line) > MaxLine {
		return m, ErrSize
	}
	s := trimLineEnd(text(line))
	rest, pri := priority(s)
	if pri >= 0 {
		m.Priority, m.Facility, m.Severity = pri, pri/8, pri%8
	}
	if m.rfc5424(rest, pri >= 0) || m.rfc3164(rest, pri >= 0, ctx) {
		return m, nil
	}
	if pri >= 0 {
		m.Body = bytesOf(rest)
	}
	return m, nil
}

// priority reads <0> to <191>; -1 where there is none. RFC 5424 section 6.2.1.
func priority(s string) (rest string, pri int) {
	if len(s) < 3 || s[0] != '<' {
		return s, -1
	}
	n := countDigits(s[1:])
	if n == 0 || n > 3 || 1+n >= len(s) || s[1+n] != '>' {
		return s, -1
	}
	pri, _ = strconv.Atoi(s[1 : 1+n])
	if pri > 191 {
		return s, -1
	}
	return s[2+n:], pri
}

func trimLineEnd(s string) string {
	n := len(s)
	for n > 0 && (s[n-1] == '\n' || s[n-1] == '\r' || s[n-1] == 0) {
		n--
	}
	return s[:n]
}

func countDigits(s string) int {
	n := 0
	for n < len(s) && s[n]-'0' <= 9 {
		n++
	}
	return n
}

func text(b []byte) string    { return unsafe.String(unsafe.SliceData(b), len(b)) }
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
