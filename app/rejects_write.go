package app

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// reasonWidth bounds a reason in a table, in characters.
const reasonWidth = 100

// RejectLine is a reject as one row of a table, its cells separated by tabs.
func RejectLine(r RejectRow) string {
	code := plain(r.Code)
	if r.Events > 0 {
		code += " (replayed)"
	}
	reason := []rune(plain(r.Reason))
	if len(reason) > reasonWidth {
		reason = append(reason[:reasonWidth], '…')
	}
	return strings.Join([]string{
		r.ID, r.Received.Format(time.DateTime), plain(r.Source), fmt.Sprintf("%d/%d", r.Partition, r.Offset), plain(r.Format), code, string(reason),
	}, "\t")
}

// WriteReject writes a reject whole, for people.
func WriteReject(w io.Writer, r RejectRow) error {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%-10s %s\n", name, value) }
	fmt.Fprintln(&b, r.ID)
	line("source", plain(r.Source))
	line("place", fmt.Sprintf("partition %d, offset %d", r.Partition, r.Offset))
	line("received", r.Received.Format(time.RFC3339Nano))
	line("format", plain(r.Format))
	line("code", plain(r.Code))
	line("reason", plain(r.Reason))
	if r.Tried != nil {
		became := "it is a reject still"
		if r.Events > 0 {
			became = "it gave " + Count(r.Events, "event")
		}
		line("tried", r.Tried.Format(time.RFC3339Nano)+": "+became)
	}
	if len(r.Key) > 0 {
		line("key", shownBytes(r.Key))
	}
	for _, h := range r.Headers {
		line("header", plain(h.Key)+": "+shownBytes(h.Value))
	}
	line("bytes", Count(len(r.Bytes), "byte"))
	if utf8.Valid(r.Bytes) {
		for text := range strings.Lines(string(r.Bytes)) {
			fmt.Fprintf(&b, "  %s\n", plain(strings.TrimSuffix(text, "\n")))
		}
	} else {
		b.WriteString(hex.Dump(r.Bytes))
	}
	_, err := io.WriteString(w, b.String()+"\n")
	return err
}

// shownBytes is short text as it is, and everything else in hexadecimal.
func shownBytes(b []byte) string {
	if utf8.Valid(b) {
		return plain(string(b))
	}
	return "0x" + hex.EncodeToString(b)
}

// Plain makes text that comes from outside safe for a terminal.
func Plain(s string) string { return plain(s) }
