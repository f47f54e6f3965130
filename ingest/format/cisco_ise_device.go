package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// authorizationChange is a change of authorization, or a quarantine set or lifted (RFC 5176; ISE's Adaptive Network Control).
func (a *iseAttributes) authorizationChange(e *event.Event, p *iseHeader) {
	e.ClassUID, e.ActivityID = event.ClassDeviceConfigChange, 1
	a.outcome(e, p)
	if p.code == "5417" {
		e.StatusID = statusFailure
	}
	a.setPolicy(e, firstKnown(a.anc, a.authzRule), "")
	if a.coaSource != "" {
		e.Actor.Extend().AppName = a.coaSource
	}
	e.StatusDetail = firstKnown(a.failure, a.coaReason, a.coaType, a.operation)
	words := strings.ToLower(strings.Join([]string{p.text, a.coaType, a.coaReason, a.anc, a.eps, a.operation, a.profiles}, " "))
	switch {
	case strings.Contains(words, "unquarantine"), strings.Contains(words, "clear"):
		e.DispositionID = 9
		e.Posture = &event.Posture{PrevSecurityState: event.SecurityState{ID: 3}}
	case strings.Contains(words, "quarantine"):
		e.DispositionID = 3
		e.Posture = &event.Posture{SecurityLevelID: 2, SecurityState: event.SecurityState{ID: 3}}
		e.SeverityID = max(e.SeverityID, severityMedium)
	case strings.Contains(words, "shutdown"), strings.Contains(words, "shut_down"):
		e.DispositionID = 4
		e.SeverityID = max(e.SeverityID, severityMedium)
	}
	if a.adminName != "" {
		e.User = event.User{}
		setLogin(&e.User, a.adminName)
	}
	a.actingUser(e)
}

func firstKnown(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// postureReport is what the agent on a station found.
func (a *iseAttributes) postureReport(e *event.Event, p *iseHeader) {
	a.outcome(e, p)
	status := firstKnown(a.postureStatus, a.posture)
	e.ClassUID, e.ActivityID = event.ClassDeviceConfigChange, 1
	e.StatusDetail = status
	a.setPolicy(e, a.authzRule, "")
	switch strings.ToLower(strings.ReplaceAll(status, "-", "")) {
	case "compliant":
		e.Posture = &event.Posture{SecurityLevelID: 1}
		e.Device.Compliant = event.True
	case "noncompliant":
		e.Posture = &event.Posture{SecurityLevelID: 2, SecurityState: event.SecurityState{ID: 23}}
		e.Device.Compliant = event.False
		e.SeverityID = max(e.SeverityID, severityLow)
	}
	a.actingUser(e)
}

// administered fills the ends of an administrator's work on a network device that asks ISE by TACACS+: the network device is what is
// administered, and the source is where the administrator sits.
func (a *iseAttributes) administered(e *event.Event, p *iseHeader) {
	e.Device = event.Device{IP: e.Metadata.More.Reporter.IP, Name: a.deviceName}
	e.Metadata.More.Reporter = event.Reporter{}
	if e.DstEndpoint.IP == "" {
		setReporterHost(e, p.host)
	}
	if a.model != "" {
		e.Device.Extend().Model = a.model
	}
	e.SrcEndpoint = event.Endpoint{IP: plainIP(a.remoteAddress)}
	if e.SrcEndpoint.IP == "" && !kv.Placeholder(a.remoteAddress) && a.remoteAddress != "async" {
		e.SrcEndpoint.Hostname = strings.ToLower(a.remoteAddress)
	}
	if a.port != "" {
		e.SrcEndpoint.Extend().Interface = a.port
	}
}

// deviceCommand is an administrator's session or command on a network device.
func (a *iseAttributes) deviceCommand(e *event.Event, rec *event.Record, p *iseHeader) {
	a.administered(e, p)
	e.AppProtocol = firstKnown(strings.ToLower(a.protocol), "tacacs")
	a.outcome(e, p)
	if a.failure == "" {
		e.StatusDetail = firstKnown(a.profiles, a.operation)
	}
	a.setPolicy(e, a.authzRule, a.policySet)
	if a.command == "" {
		a.deviceSession(e, p)
		return
	}
	e.ClassUID, e.ActivityID, e.Activity = event.ClassAPI, event.ActivityOther, "Command"
	line, secrets := maskCommand(commandLine(a.command))
	redactWords(e, rec, secrets)
	e.API = &event.API{Operation: line, Service: firstKnown(a.service, "TACACS+")}
	if a.privilege != "" {
		e.Access = &event.Access{Resource: event.Resource{Name: a.deviceName, Type: "network device"}, Privileges: []string{"privilege-level=" + a.privilege}}
	}
	if e.StatusID == 0 {
		e.StatusID = statusSuccess
	}
	if e.StatusID == statusFailure {
		e.ActionID = 2
	}
	a.actingUser(e)
}

// deviceSession is the beginning or end of an administrator's session on a network device.
func (a *iseAttributes) deviceSession(e *event.Event, p *iseHeader) {
	e.ClassUID, e.ActivityID = event.ClassAuthentication, authLogon
	if lowerContains(p.text, "stop") || a.acctStatus == "Stop" {
		e.ActivityID = authLogoff
	}
	if e.StatusID == 0 {
		e.StatusID = statusSuccess
	}
	e.Service.Name = firstKnown(a.service, "TACACS+")
	e.AuthProtocolID, e.AuthProtocol = event.ActivityOther, "TACACS+"
	e.Session.UID = a.acsSession
}

// commandLine turns "[ CmdAV=show CmdArgAV=version CmdArgAV=<cr> ]" into "show version".
func commandLine(s string) string {
	if !strings.Contains(s, "CmdAV=") && !strings.Contains(s, "CmdArgAV=") {
		return strings.Trim(s, "[] ")
	}
	var b strings.Builder
	for word := range strings.FieldsSeq(strings.Trim(s, "[] ")) {
		for _, key := range [...]string{"CmdAV=", "CmdArgAV="} {
			word = strings.TrimPrefix(word, key)
		}
		if word == "<cr>" || word == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	return b.String()
}

// peer is a TLS connection of ISE opened or closed.
func (a *iseAttributes) peer(e *event.Event, p *iseHeader) {
	a.outcome(e, p)
	e.ClassUID, e.ActivityID = event.ClassNetwork, netOpen
	if p.code == "61026" {
		e.ActivityID = netClose
	}
	if strings.HasPrefix(a.connection, "Succe") {
		e.StatusID = statusSuccess
	} else if strings.HasPrefix(a.connection, "Fail") {
		e.StatusID, e.ActivityID = statusFailure, netFail
	}
	host, port := a.localAddress, ""
	if i := strings.LastIndexByte(host, ':'); i > 0 {
		host, port = host[:i], host[i+1:]
	}
	e.SrcEndpoint = event.Endpoint{IP: plainIP(host), Port: portText(port)}
	e.DstEndpoint = event.Endpoint{Hostname: strings.ToLower(strings.TrimSpace(a.peerName))}
	if ip, ok := kv.IP(a.peerAddress); ok {
		e.DstEndpoint.IP = ip
	} else {
		setMAC(&e.DstEndpoint, a.peerAddress)
	}
	e.Device = event.Device{}
	e.AppProtocol = "tls"
	a.actingUser(e)
}
