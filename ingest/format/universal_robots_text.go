package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// appendURLine reads a line of the PolyScope log, bare or in syslog: an up-time or nothing, a stamp, then columns separated by colons, among
// them a report code, and the text last. A line in syslog may leave the stamp to its header.
func appendURLine(dst []event.Event, rec *event.Record) ([]event.Event, error) {
	m, body, err := readHeader(rec)
	if err != nil {
		return dst, err
	}
	if body == "" || binaryText(body) {
		return dst, Rejectf("wrong_format", "the record is neither JSON nor a line of text")
	}
	line := urCut(body)
	if line.code == "" && (line.stamp == "" || line.text != "" && !line.columns) && !urSpeaks(line.text) {
		return dst, Rejectf("wrong_format", "the line has no columns after a stamp, no report code such as C153A1 and no event of PolyScope in words")
	}
	if line.text == "" && line.code == "" {
		return dst, Rejectf("no_event", "the log line has a stamp and nothing else")
	}
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	e.ClassUID, e.ActivityID, e.SeverityID = event.ClassRobotState, stateLog, 1
	urProduct(e, "log")
	e.Robot = &event.Robot{Vendor: "Universal Robots"}
	if host := m.Hostname; !event.Placeholder(host) {
		if ip := plainIP(host); ip != "" {
			e.Robot.IP = ip
		} else {
			e.Robot.Hostname = strings.ToLower(host)
		}
	}
	if e.Robot.Hostname == "" && e.Robot.IP == "" {
		e.Robot.Name = carrierName(rec)
	}
	urIdentify(e.Robot)
	if line.stamp != "" {
		setStamp(e, line.stamp, rec.Location)
	} else {
		setHeaderTime(e, &m)
	}
	e.Message = clip(line.text, maxPayload)
	if line.code != "" {
		e.Metadata.EventCode = line.code
	}
	urReport(e, line.code, e.Message, line.level, line.severity)
	return dst, nil
}

// urLine is a log line taken apart.
type urLine struct {
	stamp, code, text string
	level, severity   uint8
	columns           bool // A colon ends one of the columns before the text, or follows the stamp.
}

func urCut(s string) (l urLine) {
	s = strings.TrimSpace(s)
	if before, after, ok := strings.Cut(s, " :"); ok && urUptime(before) {
		s = strings.TrimLeft(after, " :")
	}
	if n := urStampLen(s); n > 0 {
		rest := strings.TrimLeft(s[n:], " \t")
		l.columns = strings.HasPrefix(rest, ":")
		l.stamp, s = s[:n], strings.TrimLeft(rest, " :\t")
	}
	for {
		word, rest, column := urFirstColumn(s)
		switch {
		case urCodeWord(word) && l.code == "":
			l.code = strings.ToUpper(word)
		case l.level == 0 && l.severity == 0 && urLevelWord(word):
			v := urLevels[plainWord(word)]
			l.level, l.severity = v.level, v.severity
		case column && urFiller(word):
			l.columns = true
		default:
			l.text = strings.TrimSpace(s)
			return l
		}
		if rest == "" {
			return l
		}
		s = rest
	}
}

// urFirstColumn is the first word of a line; column says that a colon ends it.
func urFirstColumn(s string) (word, rest string, column bool) {
	end := strings.IndexAny(s, ": \t")
	if end < 0 {
		return s, "", false
	}
	rest = strings.TrimLeft(s[end:], ": \t")
	return s[:end], rest, strings.IndexByte(s[end:len(s)-len(rest)], ':') >= 0
}

// urUptime reports whether s is the time since boot, such as 0d13h36m25.792s.
func urUptime(s string) bool {
	s = strings.TrimSpace(s)
	return len(s) > 1 && len(s) < 32 && s[0]-'0' <= 9 && strings.HasSuffix(s, "s") && strings.Trim(s, "0123456789.dhms") == ""
}

// urStampLen is the length of a stamp at the start of s: date, blank or T, clock time with an optional fraction and zone.
func urStampLen(s string) int {
	if len(s) < len("2006-01-02 15:04:05") || s[4] != '-' && s[4] != '/' || s[13] != ':' || s[16] != ':' {
		return 0
	}
	n := len("2006-01-02 15:04:05")
	for n < len(s) && (s[n] == '.' || s[n] == ',' || s[n]-'0' <= 9) {
		n++
	}
	for _, zone := range [...]string{"Z", " UTC", "UTC"} {
		if strings.HasPrefix(s[n:], zone) {
			n += len(zone)
			break
		}
	}
	if _, _, ok := kv.Time(s[:n]); !ok {
		return 0
	}
	return n
}

// urCodeWord reports whether a column is a report code: C, digits, and A with digits where there is an argument.
func urCodeWord(s string) bool {
	if len(s) < 2 || len(s) > 12 || s[0] != 'C' && s[0] != 'c' {
		return false
	}
	number, argument, cut := strings.Cut(s[1:], "A")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return digits(number) && (!cut || digits(argument))
}

func urLevelWord(s string) bool {
	switch strings.ToUpper(strings.Trim(s, "[]")) {
	case "DEBUG", "INFO", "WARNING", "VIOLATION", "FAULT", "CRITICAL":
		return true
	}
	return false
}

// urFiller reports whether a column says nothing by itself: numbers, null, and the name of the log.
func urFiller(s string) bool {
	switch strings.ToLower(strings.Trim(s, "[]")) {
	case "", "null", "-", "polyscope", "robot", "controller", "ursafety", "urcontrol":
		return true
	}
	return strings.Trim(s, "-0123456789") == ""
}

// urSpeaks reports whether words alone tell an event of PolyScope.
func urSpeaks(text string) bool {
	var e event.Event
	e.ClassUID, e.ActivityID, e.Robot = event.ClassRobotState, stateLog, &event.Robot{}
	urPhrase(&e, text)
	return e.ClassUID != event.ClassRobotState || e.ActivityID != stateLog
}

// urPhrase tells what a text of the log is about, and leaves the event a log message where it says nothing known.
func urPhrase(e *event.Event, text string) {
	word := strings.ToLower(text)
	has := func(parts ...string) bool {
		for _, p := range parts {
			if !strings.Contains(word, p) {
				return false
			}
		}
		return true
	}
	switch {
	case has("checksum") && has("safety"):
		e.ActivityID, e.SeverityID = stateSafetyConfig, max(e.SeverityID, 2)
		e.Robot.SafetyChecksum = lastWord(text)
	case has("safety configuration"), has("safety parameters"), has("safety installation"):
		e.ActivityID, e.SeverityID = stateSafetyConfig, max(e.SeverityID, 2)
	case has("safety mode"), has("safetymode"):
		urSafetyPhrase(e, word)
	case has("unlock", "protective stop"):
		e.ClassUID, e.ActivityID = event.ClassRobotControl, controlSafetyReset
		e.Command = &event.Command{Name: "unlock protective stop", Type: "pendant"}
	case has("emergency stop") && (has("release") || has("clear") || has("reset")):
		e.ActivityID = stateEStopCleared
		e.Robot.EStopped = event.False
	case has("emergency stop"), has("emergency-stop"):
		setSafety(e, 7, true)
	case has("protective stop"):
		setSafety(e, 3, true)
	case has("operational mode"):
		e.ActivityID = stateModeChange
		e.Robot.ModeID = urModeIn(word)
	case has("changed to mode"), has("robot mode"), has("robot changed mode"):
		e.ActivityID, e.StatusCode = stateModeChange, lastWord(text)
		e.Robot.ModeID = urOperatingMode("", e.StatusCode)
	case has("firmware", "updat"):
		e.ClassUID, e.ActivityID = event.ClassRobotControl, controlFirmware
		e.Command = &event.Command{Name: "firmware update", Type: "pendant"}
		e.SeverityID = max(e.SeverityID, 2)
	case strings.HasPrefix(word, "program "), strings.HasPrefix(word, "program_"), has("program", "loaded"), has("loaded", ".urp"):
		urProgramPhrase(e, text, word)
	}
}

// urSafetyPhrase reads the mode a text names after the words "safety mode".
func urSafetyPhrase(e *event.Event, word string) {
	at := strings.LastIndex(word, "mode")
	state := urSafety(lastWord(word[at+len("mode"):]))
	if state == 0 {
		plain := strings.ToUpper(plainWord(clip(word[at+len("mode"):], 60)))
		for _, m := range urSafetyModes {
			if strings.HasSuffix(plain, m.word) {
				state = m.state // Of names that end alike the longest comes last.
			}
		}
	}
	setSafety(e, state, true)
}

func urModeIn(word string) uint8 {
	switch {
	case strings.Contains(word, "automatic"):
		return 1
	case strings.Contains(word, "manual"):
		return 3
	}
	return 0
}

// urProgramPhrase reads "Program NAME started", "Program started: NAME", "Loaded program NAME" and their like.
func urProgramPhrase(e *event.Event, text, word string) {
	for _, verb := range [...]struct {
		word     string
		activity uint16
	}{{"started", controlStart}, {"starting", controlStart}, {"stopped", controlStop}, {"loaded", controlLoad}, {"paused", 0}, {"resumed", 0}} {
		at := strings.Index(word, verb.word)
		if at < 0 || len(word) != len(text) {
			continue
		}
		name := strings.Trim(text[at+len(verb.word):], ` :"'`)
		name = strings.Trim(strings.TrimPrefix(strings.TrimPrefix(name, "program"), "Program"), ` :"'`)
		if name == "" {
			name = strings.Trim(strings.TrimPrefix(strings.TrimPrefix(text[:at], "Program"), "program"), ` :"'`)
		}
		if verb.activity == 0 {
			e.ActivityID, e.StatusCode = stateProgram, verb.word
			e.Robot.ProgramUID = clip(name, 256)
			return
		}
		urProgramEvent(e, verb.activity, "program "+verb.word, clip(name, 256))
		return
	}
}

// lastWord is the last word of a text, without quotes and punctuation.
func lastWord(s string) string {
	s = strings.TrimRight(s, " .:\t")
	if i := strings.LastIndexAny(s, " :\t"); i >= 0 {
		s = s[i+1:]
	}
	return clip(strings.Trim(s, `"'()[]`), 128)
}
