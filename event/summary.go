package event

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Bounds of a summary: of one value of the source that it repeats, in bytes, and of the whole, in characters.
const (
	maxSaid    = 80
	maxSummary = 160
)

// Summary is one line of our own words with the event's values. Values come from the source, shortened and without control characters; who
// shows the line still has to escape it.
func (e *Event) Summary() string {
	s := newSentence()
	s.tell(e)
	text := string(s.b)
	s.done()
	return text
}

// tell says the whole of it.
func (s *sentence) tell(e *Event) {
	if say := summaries[e.ClassUID]; say != nil {
		say(s, e)
	} else {
		sayAny(s, e)
	}
	s.cut()
}

// summaries say what an event of a class means.
var summaries = map[uint32]func(*sentence, *Event){
	ClassAuthentication: sayAuthentication, ClassAccountChange: sayAccountChange, ClassAuthorizeSession: sayAccess, ClassUserAccess: sayAccess,
	ClassGroupManagement: sayGroup, ClassEntityManagement: sayEntity, ClassAPI: sayAPI,
	ClassDeviceConfigChange: sayPosture, ClassInventory: sayInventory, ClassCompliance: sayCompliance, ClassVulnerability: sayVulnerability,
	ClassDetection: sayDetection, ClassNetwork: sayNetwork, ClassHTTP: sayHTTP, ClassDNS: sayDNS, ClassDHCP: sayDHCP,
	ClassRDP: sayNetwork, ClassSMB: sayNetwork, ClassSSH: sayNetwork,
	ClassProcess: sayProcess, ClassFile: sayFile, ClassAppLifecycle: sayApplication,
	ClassRobotState: sayRobotState, ClassRobotControl: sayRobotControl, ClassOTCommand: sayOT, ClassChangeTicket: sayTicket,
}

// sayAny tells of a class without words of its own.
func sayAny(s *sentence, e *Event) {
	if e.Message != "" {
		s.say(cmp.Or(e.Metadata.Product, e.Envelope.Format, "A source"))
		s.say("logged:")
		s.say(e.Message)
		return
	}
	if e.ClassUID == ClassBase || !Modelled(e.ClassUID) {
		s.say(cmp.Or(e.Metadata.Product, e.Envelope.Format, "A source"))
		s.say("reported an event")
	} else {
		s.say(strings.ReplaceAll(ClassName(e.ClassUID), "_", " "))
	}
	if a := e.activity(); a != "unknown" && a != "other" {
		s.aside(a)
	}
	s.with("of", e.subject())
	s.with("by", e.who())
}

// sentence builds a summary word by word; unknown values leave no trace.
type sentence struct{ b []byte }

// sentences are used again: every hit's event has one.
var sentences = sync.Pool{New: func() any { return &sentence{b: make([]byte, 0, 1<<10)} }}

func newSentence() *sentence {
	s := sentences.Get().(*sentence)
	s.b = s.b[:0]
	return s
}

// done gives the sentence back.
func (s *sentence) done() {
	if cap(s.b) <= 1<<14 {
		sentences.Put(s)
	}
}

// cut shortens the sentence if it is too long.
func (s *sentence) cut() {
	if len(s.b) <= maxSummary || utf8.RuneCount(s.b) <= maxSummary {
		return
	}
	at := 0
	for range maxSummary - 1 {
		_, size := utf8.DecodeRune(s.b[at:])
		at += size
	}
	s.b = append(bytes.TrimRight(s.b[:at], " ,:"), "…"...)
}

// say adds words of ours or a value of the source.
func (s *sentence) say(words string) { s.put(said(words)) }

func (s *sentence) put(text string) {
	if text != "" {
		if len(s.b) > 0 {
			s.b = append(s.b, ' ')
		}
		s.b = append(s.b, text...)
	}
}

func (s *sentence) with(word, value string) {
	if value != "" {
		s.say(word)
		s.say(value)
	}
}

// clause adds words behind a comma.
func (s *sentence) clause(words string) { s.behind(", ", words) }

// because adds the source's own words behind a colon.
func (s *sentence) because(words string) { s.behind(": ", words) }

func (s *sentence) behind(mark, words string) {
	if words = said(words); words != "" {
		s.b = append(append(s.b, mark...), words...)
	}
}

func (s *sentence) aside(value string) {
	if value = said(value); value != "" {
		s.put("(" + value + ")")
	}
}

func (s *sentence) quote(value string) {
	if value != "" {
		s.put(strconv.Quote(said(value)))
	}
}

// outcome tells of what did not succeed; success goes without saying.
func (s *sentence) outcome(e *Event) {
	if e.StatusID != 2 {
		return
	}
	s.clause(map[bool]string{true: "but was denied", false: "but failed"}[e.ActionID == 2])
	s.because(e.reason())
}

func (s *sentence) flow(e *Event) {
	s.with("from", e.endpoint(&e.SrcEndpoint))
	to := e.endpoint(&e.DstEndpoint)
	if to != "" && e.DstEndpoint.Port != 0 {
		to += " port " + strconv.Itoa(int(e.DstEndpoint.Port))
	}
	s.with("to", to)
}

// reason is why the source says it failed. Codes that only say that it did are no reason.
func (e *Event) reason() string {
	for _, r := range [...]string{e.StatusDetail, e.StatusCode} {
		switch strings.ToLower(r) {
		case "", "success", "succeeded", "ok", "fail", "failed", "failure", "error", "deny", "denied", "reject", "rejected", "no", "false", "0", "1":
		default:
			return r
		}
	}
	return ""
}

// plainly is a name of an enumeration as words: no underscores, and small letters where all are capitals.
func plainly(name string) string {
	name = strings.ReplaceAll(name, "_", " ")
	for i := range len(name) {
		if name[i]-'a' < 26 {
			return name
		}
	}
	if name == strings.ToUpper(name) {
		return strings.ToLower(name)
	}
	return name
}

// volume is a number of bytes as people read it.
func volume(n int64) string {
	if n < 1000 {
		return counted(n, "byte")
	}
	units := [...]string{"kB", "MB", "GB", "TB", "PB", "EB"}
	v, unit := float64(n)/1000, 0
	for v >= 999.95 && unit < len(units)-1 {
		v, unit = v/1000, unit+1
	}
	digits := 1
	if unit == 0 && v >= 10 {
		digits = 0
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', digits, 64), ".0") + " " + units[unit]
}

func counted(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.FormatInt(n, 10) + " " + what
}

// said is a value of the source as a summary repeats it: valid, without control characters, and not long.
func said(v string) string {
	if asSaid(v) {
		return v
	}
	v = strings.ToValidUTF8(strings.TrimSpace(v), "?")
	if strings.ContainsFunc(v, unspeakable) {
		v = strings.Map(func(r rune) rune {
			if unspeakable(r) {
				return ' '
			}
			return r
		}, v)
		v = strings.TrimSpace(v)
	}
	if n := len(v); n > maxSaid {
		cut := maxSaid
		for cut > 0 && v[cut]&0xc0 == 0x80 {
			cut--
		}
		v = v[:cut] + "…"
	}
	return v
}

// asSaid reports whether v is short, of printable ASCII, and without white space at its ends: said leaves it as it is.
func asSaid(v string) bool {
	n := len(v)
	if n == 0 || n > maxSaid || v[0] == ' ' || v[n-1] == ' ' {
		return n == 0
	}
	for i := range n {
		if v[i]-' ' >= 0x7f-' ' {
			return false
		}
	}
	return true
}

// unspeakable are characters that could change how the rest of a line is read.
func unspeakable(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// of gives the word for a number, "" if there is none.
func of(words []string, n int) string {
	if n < len(words) {
		return words[n]
	}
	return ""
}

func (e *Event) activity() string {
	return strings.ReplaceAll(ActivityKey(e.ClassUID, e.ActivityID, e.Activity), "_", " ")
}

func (e *Event) person(u *User) string {
	return cmp.Or(oneWord(u.Email), oneWord(u.Name), u.FullName, u.UID)
}

// oneWord quotes a login name with spaces: whoever signs in chooses it, and it could read on as a part of the sentence.
func oneWord(name string) string {
	if asSaid(name) && strings.IndexByte(name, ' ') < 0 {
		return name
	}
	if strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unspeakable(r) }) {
		return strconv.Quote(said(name))
	}
	return name
}

// who is the acting account, or the application that acted.
func (e *Event) who() string {
	if p := e.person(&e.Actor.User); p != "" {
		return p
	}
	if m := e.Actor.More; m != nil {
		return m.AppName
	}
	return ""
}

func (e *Event) endpoint(p *Endpoint) string { return cmp.Or(p.Hostname, p.Name, p.IP, p.MAC, p.UID) }

func (e *Event) device() string {
	d := &e.Device
	return cmp.Or(d.Hostname, d.Name, d.Asset, d.IP, d.MAC, d.UID, d.Serial)
}

func (e *Event) robot() string {
	if r := e.Robot; r != nil {
		return cmp.Or(r.Name, r.UID, r.Serial, r.Hostname, r.IP)
	}
	return ""
}

// subject is what the event is about.
func (e *Event) subject() string {
	return cmp.Or(e.robot(), e.device(), e.endpoint(&e.DstEndpoint), e.person(&e.User))
}
