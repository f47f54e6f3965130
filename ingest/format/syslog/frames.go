package syslog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
)

// ErrFrame is wrapped by errors of Frames: the stream has lost its framing and must be closed.
var ErrFrame = errors.New("syslog_frame")

// maxCountDigits bounds the digits of an octet count.
const maxCountDigits = 8

// Frames returns a split function for a syslog stream (RFC 6587): each frame is octet-counted ("123 <34>…")
// or ends at a line feed or NUL, decided frame by frame. Line ends and empty frames are dropped. An octet count above
// maxBytes fails with ErrFrame; a line that grows beyond maxBytes is handed out in pieces, so that nothing
// is lost. The Scanner's buffer must hold maxBytes plus 16.
func Frames(maxBytes int) bufio.SplitFunc {
	return func(data []byte, atEOF bool) (advance int, frame []byte, err error) {
		for advance < len(data) && isLineEnd(data[advance]) {
			advance++
		}
		rest := data[advance:]
		if len(rest) == 0 {
			return advance, nil, nil
		}
		count, head, state := octetCount(rest)
		switch {
		case state == countUnsure && !atEOF:
			return advance, nil, nil
		case state != countFound:
			n, frame := lineFrame(rest, maxBytes, atEOF)
			return advance + n, frame, nil
		case count > maxBytes:
			return 0, nil, fmt.Errorf("%w: octet count %d, the limit is %d", ErrFrame, count, maxBytes)
		case head+count <= len(rest):
			return advance + head + count, rest[head : head+count], nil
		case atEOF:
			return 0, nil, fmt.Errorf("%w: the stream ended %d bytes into a frame of %d", ErrFrame, len(rest)-head, count)
		}
		return advance, nil, nil
	}
}

type countState uint8

const (
	countNone countState = iota
	countFound
	countUnsure // more bytes will tell
)

// octetCount reads "123 <", the beginning of an octet-counted frame, and returns where the frame begins.
func octetCount(b []byte) (count, head int, state countState) {
	n := 0
	for n < len(b) && n <= maxCountDigits && b[n]-'0' <= 9 {
		count = count*10 + int(b[n]-'0')
		n++
	}
	if n == 0 || n > maxCountDigits || b[0] == '0' {
		return 0, 0, countNone
	}
	if n == len(b) || n+1 == len(b) && b[n] == ' ' {
		return 0, 0, countUnsure
	}
	if b[n] != ' ' || b[n+1] != '<' {
		return 0, 0, countNone
	}
	return count, n + 1, countFound
}

// lineFrame returns the line at the start of b, and how many bytes it takes; 0 where more are needed.
func lineFrame(b []byte, maxBytes int, atEOF bool) (advance int, frame []byte) {
	end := bytes.IndexAny(b, "\n\x00")
	switch {
	case end >= 0 && end <= maxBytes:
		return end + 1, bytes.TrimRight(b[:end], "\r")
	case len(b) > maxBytes:
		return maxBytes, b[:maxBytes]
	case atEOF:
		return len(b), bytes.TrimRight(b, "\r")
	}
	return 0, nil
}

func isLineEnd(c byte) bool { return c == '\n' || c == '\r' || c == 0 }
