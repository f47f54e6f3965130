package event

import (
	"cmp"
	"strconv"
	"strings"
)

// sayPosture and sayInventory tell what is known of a device; what an analyst looks for first comes first.
func sayPosture(s *sentence, e *Event) {
	s.say("State of")
	s.say(cmp.Or(e.device(), e.robot(), "a device"))
	sayKnown(s, e)
}

func sayInventory(s *sentence, e *Event) {
	s.say(map[bool]string{true: "Robot record of", false: "Endpoint record of"}[e.robot() != ""])
	s.say(cmp.Or(e.robot(), e.device(), "a device"))
	sayKnown(s, e)
}

func sayKnown(s *sentence, e *Event) {
	var known []string
	add := func(words string) {
		if words != "" {
			known = append(known, words)
		}
	}
	if p := e.Posture; p != nil {
		level := strings.ToLower(Caption("", "security_level_id", int(p.SecurityLevelID)))
		if was := strings.ToLower(Caption("", "prev_security_level_id", int(p.PrevSecurityLevelID))); level != "" && was != "" && was != level {
			level += " (was " + was + ")"
		}
		add(level)
		add(cmp.Or(plainly(p.SecurityState.Name), strings.ToLower(Caption("security_state", "state_id", int(p.SecurityState.ID)))))
	}
	if e.ClassUID == ClassDeviceConfigChange {
		if did := strings.ToLower(Caption("", "disposition_id", int(e.DispositionID))); !strings.Contains(strings.Join(known, " "), strings.TrimSuffix(did, "d")) {
			add(did)
		}
	}
	d := &e.Device
	add(lastSeen(d.LastSeen, e.Time))
	if p := e.Policy; p != nil && p.IsApplied != Unknown && p.Name != "" {
		name := said(p.Name)
		if !strings.Contains(strings.ToLower(name), "policy") {
			name += " policy"
		}
		add(name + yesNo(p.IsApplied, " applied", " not applied"))
	}
	add(yesNo(d.Compliant, "compliant", "not compliant"))
	add(yesNo(d.Managed, "managed", "not managed"))
	add(yesNo(d.Trusted, "trusted", "not trusted"))
	add(yesNo(d.Personal, "privately owned", ""))
	if m := d.More; m != nil {
		add(system(m.OS, m.OSVersion))
	}
	if r := e.Robot; r != nil && r.Firmware != "" && (d.More == nil || d.More.OSVersion != r.Firmware) {
		add("firmware " + r.Firmware)
	}
	if p := e.person(&e.User); p != "" {
		add("used by " + p)
	}
	for i, words := range known {
		s.behind([...]string{": ", ", "}[min(i, 1)], words)
	}
}

// lastSeen tells how long before the event the agent was heard of; of less than an hour it says nothing of note.
func lastSeen(seen, now int64) string {
	const hour = 3600 * 1_000_000
	if seen == 0 || now == 0 || now < seen {
		return ""
	}
	switch ago := (now - seen) / hour; {
	case ago < 1:
		return "seen within the hour"
	case ago < 48:
		return "last seen " + counted(ago, "hour") + " before"
	default:
		return "last seen " + counted(ago/24, "day") + " before"
	}
}

// system joins the name and the version of an operating system, each word once.
func system(name, version string) string {
	if name == "" || strings.HasPrefix(strings.ToLower(version), strings.ToLower(name)) {
		return version
	}
	return strings.TrimSpace(name + " " + version)
}

func yesNo(b Bool, yes, no string) string { return [...]string{"", no, yes}[b] }

func sayCompliance(s *sentence, e *Event) {
	s.say(cmp.Or(e.device(), e.robot(), "A device"))
	c := e.Compliance
	if c == nil {
		c = &Compliance{}
	}
	s.say(cmp.Or(of([]string{1: "passed", 2: "got a warning from", 3: "failed"}, int(c.StatusID)), "went through"))
	s.say("the compliance check")
	s.say(c.Control)
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
	s.say(cmp.Or(of([]string{2: "updated", 3: "closed"}, int(e.ActivityID)), "raised"))
	if f := e.Finding; f != nil && cmp.Or(f.Title, f.AnalyticName, f.AnalyticUID) != "" {
		s.quote(cmp.Or(f.Title, f.AnalyticName, f.AnalyticUID))
	} else {
		s.say("an alert")
	}
	s.with("on", cmp.Or(e.device(), e.robot()))
	s.flow(e)
	if p := cmp.Or(e.person(&e.User), e.who()); p != "" {
		s.clause("user " + p)
	}
}

// ends are how a connection went, by activity.
var ends = []string{1: "opened", 2: "closed", 3: "reset", 4: "failed", 5: "refused", 7: "listening"}

func sayNetwork(s *sentence, e *Event) {
	s.say(cmp.Or(plainly(e.AppProtocol), networks[e.ClassUID], plainly(e.Connection.Protocol), "connection"))
	s.flow(e)
	if p := cmp.Or(e.who(), e.person(&e.User)); p != "" {
		s.say("as " + p)
	}
	if e.ActivityID == ActivityOther && e.Activity != "" {
		s.aside(e.activity())
	}
	s.clause(of(ends, int(e.ActivityID)))
	t := e.Traffic
	if t == nil {
		return
	}
	if t.BytesOut.V <= 0 && t.BytesIn.V <= 0 && t.Bytes.V > 0 {
		s.clause(volume(t.Bytes.V) + " exchanged")
	}
	if t.BytesOut.V > 0 {
		s.clause(volume(t.BytesOut.V) + " sent")
	}
	if t.BytesIn.V > 0 {
		s.clause(volume(t.BytesIn.V) + " received")
	}
}

// networks name the protocol that a class stands for.
var networks = map[uint32]string{ClassSSH: "ssh", ClassRDP: "rdp", ClassSMB: "smb"}

func sayHTTP(s *sentence, e *Event) {
	s.say("HTTP")
	if r := e.HTTPRequest; r != nil {
		s.say(r.Method)
		s.say(cmp.Or(r.URL, r.Host+r.Path))
	}
	s.flow(e)
	if r := e.HTTPResponse; r != nil && r.Code.Known {
		s.clause("answered " + strconv.FormatInt(r.Code.V, 10))
	}
}

func sayDNS(s *sentence, e *Event) {
	s.say(cmp.Or(e.endpoint(&e.SrcEndpoint), "A host"))
	s.say("asked DNS for")
	if e.DNS != nil {
		s.say(cmp.Or(e.DNS.Query.Hostname, "a name"))
		s.with("and got", cmp.Or(e.DNS.Answer.Rdata, e.DNS.Rcode))
	}
}

func sayDHCP(s *sentence, e *Event) {
	p := &e.SrcEndpoint
	who := cmp.Or(p.MAC, p.Hostname, "a device")
	if e.ActivityID == 5 && p.IP != "" {
		s.say("DHCP gave")
		s.say(p.IP)
		s.with("to", who)
	} else {
		s.say("DHCP")
		s.say(e.activity())
		s.with("of", who)
		s.with("for", p.IP)
	}
	if p.Hostname != "" && p.Hostname != who {
		s.aside(p.Hostname)
	}
}

func sayProcess(s *sentence, e *Event) {
	s.say(cmp.Or(e.who(), "Someone"))
	s.say(cmp.Or(of([]string{1: "started", 2: "ended", 3: "opened", 4: "injected code into"}, int(e.ActivityID)), "ran"))
	if e.Process != nil {
		s.say(cmp.Or(e.Process.Name, e.Process.CmdLine, e.Process.Path))
	}
	s.with("on", e.device())
	s.outcome(e)
}

var fileDeeds = []string{
	1: "created", 2: "read", 3: "changed", 4: "deleted", 5: "renamed", 6: "set attributes of", 7: "set the rights of", 8: "read attributes of", 9: "read the rights of",
	10: "encrypted", 11: "decrypted", 12: "mounted", 13: "unmounted", 14: "opened",
}

func sayFile(s *sentence, e *Event) {
	s.say(cmp.Or(e.who(), "Someone"))
	s.say(cmp.Or(of(fileDeeds, int(e.ActivityID)), "used"))
	s.say("file")
	if e.File != nil {
		s.say(cmp.Or(e.File.Path, e.File.Name))
	}
	s.with("on", e.device())
	s.outcome(e)
}

func sayApplication(s *sentence, e *Event) {
	s.say(map[bool]string{true: "Software", false: "Application"}[e.ActivityID == 1 || e.ActivityID == 8])
	if e.App != nil {
		s.say(cmp.Or(e.App.Name, e.App.UID))
		s.say(e.App.Version)
	}
	did := of([]string{1: "installed", 2: "removed", 3: "started", 4: "stopped", 5: "restarted", 6: "enabled", 7: "disabled", 8: "updated"}, int(e.ActivityID))
	s.say("was " + cmp.Or(did, "changed"))
	s.with("on", cmp.Or(e.robot(), e.device()))
	s.with("by", e.who())
	if e.App != nil && e.App.PrevVersion != "" {
		s.clause("before it was " + e.App.PrevVersion)
	}
	s.outcome(e)
}
