package event

import (
	"cmp"
	"strconv"
	"strings"
	"unicode"
)

// maxSaid bounds how much of one value of the source a summary repeats, in bytes.
const maxSaid = 80

// Summary is one line of our own words with the event's values. Values come from the source, shortened and without control characters; who
// shows the line still has to escape it.
func (e *Event) Summary() string {
	s := sentence{}
	if say := summaries[e.ClassUID]; say != nil {
		say(&s, e)
	} else {
		s.say(strings.ReplaceAll(ClassName(e.ClassUID), "_", " "))
		s.with("", e.activity())
		s.with("of", e.subject())
		s.with("by", e.who())
	}
	return s.String()
}

// summaries say what an event of a class means.
var summaries = map[uint32]func(*sentence, *Event){
	ClassAuthentication: sayAuthentication, ClassAccountChange: sayAccountChange, ClassAuthorizeSession: sayAccess, ClassUserAccess: sayAccess,
	ClassGroupManagement: sayGroup, ClassEntityManagement: sayEntity, ClassAPI: sayAPI,
	ClassDeviceConfigChange: sayPosture, ClassInventory: sayInventory, ClassCompliance: sayCompliance, ClassVulnerability: sayVulnerability,
	ClassDetection: sayDetection, ClassNetwork: sayNetwork, ClassHTTP: sayHTTP, ClassDNS: sayDNS, ClassSSH: sayNetwork, ClassDHCP: sayDHCP,
	ClassProcess: sayProcess, ClassFile: sayFile, ClassAppLifecycle: sayApplication,
	ClassRobotState: sayRobotState, ClassRobotControl: sayRobotControl, ClassOTCommand: sayOT, ClassChangeTicket: sayTicket,
}

func sayAuthentication(s *sentence, e *Event) {
	s.say(cmp.Or(e.person(&e.User), e.who(), e.endpoint(&e.SrcEndpoint), e.subject(), "Someone"))
	failed := e.StatusID == 2
	switch {
	case e.ActivityID == ActivityOther && e.Activity == MFAChallenge && failed:
		s.say("failed a second-factor challenge")
	case e.ActivityID == ActivityOther && e.Activity == MFAChallenge && e.StatusID == 1:
		s.say("passed a second-factor challenge")
	case e.ActivityID == ActivityOther && e.Activity == MFAChallenge:
		s.say("was asked for a second factor")
	case e.ActivityID == 2:
		s.say("signed out")
	case e.ActivityID == 1 && failed:
		s.say("failed to sign in")
	case e.ActivityID == 1:
		s.say("signed in")
	default:
		s.say("authentication")
		s.with("", e.activity())
		s.outcome(e)
	}
	s.with("to", cmp.Or(e.Service.Name, e.Service.UID, e.robot(), e.endpoint(&e.DstEndpoint), e.device()))
	s.with("from", e.endpoint(&e.SrcEndpoint))
	if m := e.SrcEndpoint.More; m != nil {
		s.aside(m.Location.Country)
	}
	s.with("on VLAN", e.DstEndpoint.VLAN)
	if failed {
		s.with("because of", cmp.Or(e.StatusDetail, e.StatusCode))
	}
}

func sayAccountChange(s *sentence, e *Event) {
	s.say(cmp.Or(e.who(), "Someone"))
	s.say("changed the account of")
	s.say(cmp.Or(e.person(&e.User), "someone"))
	s.aside(e.activity())
	s.outcome(e)
}

func sayAccess(s *sentence, e *Event) {
	s.say(cmp.Or(e.who(), "The system"))
	s.say(map[bool]string{true: "took privileges from", false: "gave privileges to"}[e.ClassUID == ClassUserAccess && e.ActivityID == 2])
	s.say(cmp.Or(e.person(&e.User), "someone"))
	if e.Access != nil {
		s.aside(strings.Join(e.Access.Privileges, ", "))
		s.with("on", cmp.Or(e.Access.Resource.Name, e.Access.Resource.UID))
	}
	s.outcome(e)
}

func sayGroup(s *sentence, e *Event) {
	s.say(cmp.Or(e.who(), "Someone"))
	s.say("changed group")
	if e.Group != nil {
		s.say(cmp.Or(e.Group.Name, e.Group.UID))
	}
	s.aside(e.activity())
	s.with("for", e.person(&e.User))
	s.outcome(e)
}

func sayEntity(s *sentence, e *Event) {
	s.say(cmp.Or(e.who(), "Someone"))
	s.say("managed")
	if e.Entity != nil {
		s.say(e.Entity.Type)
		s.say(cmp.Or(e.Entity.Name, e.Entity.UID))
	}
	s.aside(e.activity())
	s.outcome(e)
}

func sayAPI(s *sentence, e *Event) {
	s.say(cmp.Or(e.who(), "Someone"))
	s.say("called")
	if e.API != nil {
		s.say(e.API.Operation)
		s.with("of", e.API.Service)
	}
	s.with("from", e.endpoint(&e.SrcEndpoint))
	s.outcome(e)
}

func sayPosture(s *sentence, e *Event) {
	s.say("Device")
	s.say(cmp.Or(e.device(), "unknown"))
	s.say("reported its state")
	if p := e.Posture; p != nil {
		s.with("posture", Caption("", "security_level_id", int(p.SecurityLevelID)))
		s.with("was", Caption("", "prev_security_level_id", int(p.PrevSecurityLevelID)))
		s.with("because of", cmp.Or(p.SecurityState.Name, Caption("security_state", "state_id", int(p.SecurityState.ID))))
	}
	s.with("compliant", tri(e.Device.Compliant))
	if e.Policy != nil {
		s.with("under policy", e.Policy.Name)
	}
}

func sayInventory(s *sentence, e *Event) {
	s.say("Inventory of")
	s.say(cmp.Or(e.robot(), e.device(), "a device"))
	s.with("managed", tri(e.Device.Managed))
	s.with("compliant", tri(e.Device.Compliant))
	s.with("user", e.person(&e.User))
}

func sayCompliance(s *sentence, e *Event) {
	s.say("Compliance of")
	s.say(cmp.Or(e.device(), e.robot(), "a device"))
	if c := e.Compliance; c != nil {
		s.with("is", cmp.Or(c.Status, Caption("compliance", "status_id", int(c.StatusID))))
		s.with("for", c.Control)
	}
}

func sayVulnerability(s *sentence, e *Event) {
	s.say("Vulnerability")
	if v := e.Vulnerability; v != nil {
		s.say(cmp.Or(v.CVE, v.Title))
		s.with("in", v.Package)
	}
	s.with("on", cmp.Or(e.device(), e.robot()))
}

func sayDetection(s *sentence, e *Event) {
	s.say(cmp.Or(e.Metadata.Product, e.Envelope.Format, "A sensor"))
	s.say("raised")
	if f := e.Finding; f != nil {
		s.quote(cmp.Or(f.Title, f.AnalyticName, f.AnalyticUID))
	}
	s.with("on", cmp.Or(e.device(), e.robot()))
	s.flow(e)
	s.with("user", cmp.Or(e.person(&e.User), e.who()))
}

func sayNetwork(s *sentence, e *Event) {
	s.say(cmp.Or(e.AppProtocol, e.Connection.Protocol, "Network"))
	s.say("connection")
	s.aside(e.activity())
	s.flow(e)
	if t := e.Traffic; t != nil && t.BytesOut.Known {
		s.with("sending", strconv.FormatInt(t.BytesOut.V, 10)+" bytes")
	}
}

func sayHTTP(s *sentence, e *Event) {
	s.say("HTTP")
	if r := e.HTTPRequest; r != nil {
		s.say(r.Method)
		s.say(cmp.Or(r.URL, r.Host+r.Path))
	}
	s.flow(e)
}

func sayDNS(s *sentence, e *Event) {
	s.say(cmp.Or(e.endpoint(&e.SrcEndpoint), "A host"))
	s.say("asked DNS for")
	if e.DNS != nil {
		s.say(e.DNS.Query.Hostname)
		s.with("and got", cmp.Or(e.DNS.Rcode, e.DNS.Answer.Rdata))
	}
}

func sayDHCP(s *sentence, e *Event) {
	s.say("DHCP")
	s.with("", e.activity())
	s.with("for", cmp.Or(e.SrcEndpoint.MAC, e.SrcEndpoint.Hostname))
	s.with("address", e.SrcEndpoint.IP)
}

func sayProcess(s *sentence, e *Event) {
	s.say(cmp.Or(e.who(), "Someone"))
	s.say(cmp.Or(map[uint16]string{1: "started", 2: "ended"}[e.ActivityID], "ran"))
	if e.Process != nil {
		s.say(cmp.Or(e.Process.Name, e.Process.CmdLine, e.Process.Path))
	}
	s.with("on", e.device())
}

func sayFile(s *sentence, e *Event) {
	s.say("File")
	if e.File != nil {
		s.say(cmp.Or(e.File.Path, e.File.Name))
	}
	s.with("", e.activity())
	s.with("by", e.who())
	s.with("on", e.device())
}

func sayApplication(s *sentence, e *Event) {
	s.say(map[bool]string{true: "Software", false: "Application"}[e.ActivityID == 1 || e.ActivityID == 8])
	if e.App != nil {
		s.say(cmp.Or(e.App.Name, e.App.UID))
		s.say(e.App.Version)
		s.with("was", e.App.PrevVersion)
	}
	s.with("", e.activity())
	s.with("on", cmp.Or(e.robot(), e.device()))
	s.with("by", e.who())
	s.outcome(e)
}

func sayRobotState(s *sentence, e *Event) {
	s.say("Robot")
	s.say(cmp.Or(e.robot(), "unknown"))
	s.say("reported")
	s.say(e.activity())
	if r := e.Robot; r != nil {
		s.with("mode", Caption("robot", "operating_mode_id", int(r.ModeID)))
		s.with("was", Caption("robot", "operating_mode_id", int(r.PrevModeID)))
		s.with("safety", Caption("robot", "safety_state_id", int(r.SafetyStateID)))
		s.with("connection", Caption("robot", "connection_state_id", int(r.ConnectionID)))
	}
	if f := e.Fault; f != nil {
		s.with("fault", cmp.Or(f.Name, f.Code))
	}
}

func sayRobotControl(s *sentence, e *Event) {
	s.say(cmp.Or(e.who(), e.endpoint(&e.SrcEndpoint), "Someone"))
	s.say("sent")
	s.say(cmp.Or(e.robot(), "a robot"))
	if c := e.Command; c != nil {
		s.say(c.Name)
	}
	s.aside(e.activity())
	s.outcome(e)
}

func sayOT(s *sentence, e *Event) {
	s.say(cmp.Or(e.endpoint(&e.SrcEndpoint), "A host"))
	s.say("sent")
	if o := e.OT; o != nil {
		s.say(o.Protocol)
		s.say(cmp.Or(o.Function, e.activity()))
		s.with("address", o.Address)
		s.with("value", o.Value)
	}
	s.with("to", cmp.Or(e.endpoint(&e.DstEndpoint), e.device()))
	s.outcome(e)
}

func sayTicket(s *sentence, e *Event) {
	s.say("Change ticket")
	t := e.ChangeTicket
	if t == nil {
		t = &ChangeTicket{}
	}
	s.say(t.UID)
	s.say("was")
	s.say(cmp.Or(e.activity(), t.State))
	s.quote(t.Title)
	s.with("for", strings.Join(t.Resources, ", "))
	s.with("approved by", t.Approver)
}

// sentence builds a summary word by word; unknown values leave no trace.
type sentence struct{ b strings.Builder }

// String is the sentence.
func (s *sentence) String() string { return s.b.String() }

// say adds words of ours or a value of the source.
func (s *sentence) say(words string) { s.put(said(words)) }

func (s *sentence) put(text string) {
	if text != "" {
		if s.b.Len() > 0 {
			s.b.WriteByte(' ')
		}
		s.b.WriteString(text)
	}
}

func (s *sentence) with(word, value string) {
	if value != "" {
		s.say(word)
		s.say(value)
	}
}

func (s *sentence) aside(value string) {
	if value != "" {
		s.put("(" + said(value) + ")")
	}
}

func (s *sentence) quote(value string) {
	if value != "" {
		s.put(strconv.Quote(said(value)))
	}
}

func (s *sentence) outcome(e *Event) {
	if e.StatusID == 2 {
		s.say("and failed")
		s.with("because of", cmp.Or(e.StatusDetail, e.StatusCode))
	}
}

func (s *sentence) flow(e *Event) {
	s.with("from", e.endpoint(&e.SrcEndpoint))
	to := e.endpoint(&e.DstEndpoint)
	if to != "" && e.DstEndpoint.Port != 0 {
		to += " port " + strconv.Itoa(int(e.DstEndpoint.Port))
	}
	s.with("to", to)
}

// said is a value of the source as a summary repeats it: valid, without control characters, and not long.
func said(v string) string {
	v = strings.ToValidUTF8(strings.TrimSpace(v), "?")
	if strings.ContainsFunc(v, unspeakable) {
		v = strings.Map(func(r rune) rune {
			if unspeakable(r) {
				return ' '
			}
			return r
		}, v)
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

// unspeakable are characters that could change how the rest of a line is read.
func unspeakable(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

func (e *Event) activity() string {
	return strings.ReplaceAll(ActivityKey(e.ClassUID, e.ActivityID, e.Activity), "_", " ")
}

func (e *Event) person(u *User) string { return cmp.Or(u.Email, u.Name, u.FullName, u.UID) }

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

func tri(b Bool) string { return [...]string{"", "no", "yes"}[b] }
