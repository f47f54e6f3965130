package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
	"github.com/tocsin-siem/tocsin/ingest/format/syslog"
)

// appendROSLine reads a line of a log file or console, bare or in syslog.
func appendROSLine(dst []event.Event, rec *event.Record) ([]event.Event, error) {
	h, body, err := readHeader(rec)
	if err != nil {
		return dst, err
	}
	if body == "" || binaryText(body) {
		return dst, Rejectf("wrong_format", "the record is neither JSON nor a line of text")
	}
	m := rosMessage{rec: rec}
	if host := h.Hostname; !event.Placeholder(host) {
		if ip := plainIP(host); ip != "" {
			m.robot.IP = ip
		} else {
			m.robot.Hostname = strings.ToLower(host)
		}
	}
	if class, ok := h.Structured.Get("DDS", "plugin_class"); ok || hasAny(body, "DDS:Security", "DDS:Auth", "DDS:Access") {
		return m.securityLine(dst, &h, class, body), nil
	}
	line, ok := rosCut(body)
	if !ok {
		return dst, Rejectf("wrong_format", "the line does not read [LEVEL] [time] [node]: text, as ROS 2 logs do")
	}
	dst = m.nextLine(dst, &h, event.ClassRobotState, stateLog, "rosout", line.node)
	e := &dst[len(dst)-1]
	if micros, _, ok := kv.Time(line.stamp); ok {
		e.Time, e.Envelope.TimeSource = micros, event.TimeParsed
	}
	rosLog(e, line.level, line.node, line.text, "")
	return dst, nil
}

// nextLine is next for a line: its robot is the syslog host or the record's key, its time the header's until the line says better.
func (m *rosMessage) nextLine(dst []event.Event, h *syslog.Message, class uint32, activity uint16, kind, node string) []event.Event {
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	e.ClassUID, e.ActivityID, e.SeverityID = class, activity, 1
	rosProduct(e, kind)
	b := m.robot
	e.Robot = &b
	rosNode(e, node)
	if b.Name == "" && b.Hostname == "" && b.IP == "" {
		b.Name = carrierName(m.rec)
	}
	rosIdentify(e.Robot)
	setHeaderTime(e, h)
	return dst
}

// rosLine is a log line taken apart.
type rosLine struct{ level, stamp, node, text string }

// rosCut reads "[LEVEL] [time] [node]: text" (rcutils), "time [LEVEL] [node]: text" (launch.log), both also behind the "[process-1]" that
// ros2 launch puts before the output of a process, and with colours.
func rosCut(s string) (l rosLine, ok bool) {
	s = withoutColours(s)
	if stamp, rest, found := strings.Cut(s, " "); found && len(stamp) > 9 && strings.HasPrefix(rest, "[") && strings.Trim(stamp, "0123456789.") == "" {
		l.stamp, s = stamp, rest
	}
	for range 4 {
		word, rest, found := bracketed(s)
		if !found {
			break
		}
		switch {
		case l.level == "" && rosLevels[word].name != "":
			l.level = word
		case l.level != "" && l.stamp == "" && strings.Trim(word, "0123456789.") == "" && word != "":
			l.stamp = word
		case l.level != "":
			l.node = word
			l.text = strings.TrimSpace(strings.TrimPrefix(rest, ":"))
			return l, l.node != ""
		}
		s = rest
	}
	return l, false
}

// bracketed takes one [word] off the front of s.
func bracketed(s string) (word, rest string, ok bool) {
	s = strings.TrimLeft(s, " \t")
	if s == "" || s[0] != '[' {
		return "", s, false
	}
	end := strings.IndexByte(s, ']')
	if end < 0 || end > 256 {
		return "", s, false
	}
	return strings.TrimSpace(s[1:end]), s[end+1:], true
}

// withoutColours drops the escapes by which consoles colour a line.
func withoutColours(s string) string {
	if strings.IndexByte(s, 0x1b) < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != 0x1b {
			b = append(b, s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '[' {
			i += 2
			for i < len(s) && (s[i] == ';' || s[i]-'0' <= 9) {
				i++
			}
		}
	}
	return string(b)
}
