package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// securityLaunch fills a process that started (4688). The names that Sysmon gives the same things stand among the raw fields too, so that one rule
// reads both.
func securityLaunch(w *winRecord, e *event.Event) {
	subject(w, e)
	if w.said("TargetUserName") != "" {
		target(w, e)
	}
	made := new(launchedProcess)
	p, parent := &made.child, &made.process
	w.setProgram(p, "NewProcessName", "NewProcessId", "")
	p.CmdLine, p.CreatedAt, p.ParentPID = w.said("CommandLine"), e.Time, w.number("ProcessId")
	p.User = e.Actor.User.Name
	e.Process = p
	w.setProgram(parent, "ParentProcessName", "ProcessId", "")
	p.ParentName = parent.Name
	made.place(e)
	user, domain := w.said("SubjectUserName"), w.said("SubjectDomainName")
	if user != "" && domain != "" {
		user = domain + `\` + user
	}
	alias(e, "Image", p.Path, "ParentImage", parent.Path, "User", user, "IntegrityLevel", integrityLevel(w.said("MandatoryLabel")))
}

// alias adds raw fields, given as names and values, where the record has none of that name and there is a value.
func alias(e *event.Event, pairs ...string) {
	fields := e.Raw
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fields = append(fields, event.RawField{Name: pairs[i], Value: pairs[i+1]})
		}
	}
	e.SetRaw(fields) // The record's own come first, and of a name the first stays.
}

// integrityLevel is the word for a mandatory label.
func integrityLevel(label string) string {
	switch label {
	case "S-1-16-4096":
		return "Low"
	case "S-1-16-8192":
		return "Medium"
	case "S-1-16-12288":
		return "High"
	case "S-1-16-16384":
		return "System"
	}
	return ""
}

func securityTerminate(w *winRecord, e *event.Event) {
	subject(w, e)
	e.Process = w.program("ProcessName", "ProcessId", "")
	e.Actor.Extend().Process = e.Process
}

// logon fills an account that was or was not let in (4624, 4625).
func logon(w *winRecord, e *event.Event) {
	subject(w, e)
	target(w, e)
	kind, _ := winNumber(w.said("LogonType"))
	e.LogonTypeID = logonType(kind)
	if kind == 3 || kind == 8 || kind == 10 || kind == 12 {
		e.IsRemote = event.True
	}
	e.IsCleartext = event.Unknown
	if kind == 8 {
		e.IsCleartext = event.True
	}
	logonSource(w, e, "WorkstationName")
	authPackage(e, w.said("AuthenticationPackageName"), w.said("LmPackageName"))
	e.Session.UID = w.logonSession(e, "TargetLogonId")
	e.DstEndpoint.Hostname = e.Device.Hostname
	callingProcess(w, e)
	machineOf(e, &e.User)
	if e.ActivityID == authLogon && w.said("SubStatus") != "" || w.said("Status") != "" {
		ntStatus(e, w.said("SubStatus"), w.said("Status"))
	} else if e.StatusID == 0 {
		e.StatusID = statusSuccess
	}
}

// logonFailed is logon for 4625, whatever the keywords say.
func logonFailed(w *winRecord, e *event.Event) {
	e.StatusID = statusFailure
	logon(w, e)
	e.StatusID = statusFailure
}

// logonType is the OCSF logon type of Windows' number.
func logonType(kind int64) uint8 {
	if kind >= 2 && kind <= 13 && kind != 6 {
		return uint8(kind)
	}
	return 0
}

// logonSource fills where a logon came from.
func logonSource(w *winRecord, e *event.Event, workstation string) {
	ip := w.said("IpAddress")
	if ip == "" {
		ip = w.said("ClientAddress")
	}
	winEnd(&e.SrcEndpoint, ip, w.said(workstation), w.said("IpPort"))
}

// authPackage fills the protocol of an authentication.
func authPackage(e *event.Event, name, lm string) {
	switch {
	case name == "":
	case strings.EqualFold(name, "NTLM"), strings.HasPrefix(name, "MICROSOFT_AUTHENTICATION_PACKAGE"):
		e.AuthProtocolID = protocolNTLM
	case strings.EqualFold(name, "Kerberos"):
		e.AuthProtocolID = protocolKerberos
	case strings.HasPrefix(lm, "NTLM"):
		e.AuthProtocolID = protocolNTLM
	default:
		e.AuthProtocolID, e.AuthProtocol = activityOther, name
	}
}

// callingProcess fills the process that asked for a logon or an access.
func callingProcess(w *winRecord, e *event.Event) {
	if w.said("ProcessName") != "" {
		w.setActing(e, "ProcessName", "ProcessId", "")
	}
}

// ntStatus sets the result from status codes, the more exact first.
func ntStatus(e *event.Event, codes ...string) {
	for _, code := range codes {
		if code = lowerASCII(code); code == "" || strings.Trim(code, "0x") == "" {
			continue
		}
		e.StatusID, e.StatusCode = statusFailure, code
		e.StatusDetail = ntReasons[code]
		return
	}
	e.StatusID = statusSuccess
}

// ntReasons are what status codes of refused logons say.
var ntReasons = map[string]string{
	"0xc0000064": "No such account", "0xc000006a": "Wrong password", "0xc000006d": "Wrong name or password", "0xc000006e": "Account restriction",
	"0xc000006f": "Outside the hours allowed", "0xc0000070": "Workstation not allowed", "0xc0000071": "Password expired", "0xc0000072": "Account disabled",
	"0xc0000133": "Clocks too far apart", "0xc000015b": "Logon type not granted", "0xc0000193": "Account expired", "0xc0000224": "Password must change",
	"0xc0000234": "Account locked", "0xc0000413": "Not allowed to sign in here",
	"0x6": "No such account", "0x7": "No such service", "0x12": "Account disabled, expired or locked", "0x17": "Password expired", "0x18": "Wrong password",
	"0x19": "Preauthentication required", "0x20": "Ticket expired", "0x25": "Clocks too far apart",
}

func logoff(w *winRecord, e *event.Event) {
	target(w, e)
	if e.User.Name == "" && e.User.UID == "" {
		setWinUser(&e.User, w.said("SubjectUserName"), w.said("SubjectDomainName"), w.said("SubjectUserSid"))
	}
	kind, _ := winNumber(w.said("LogonType"))
	e.LogonTypeID = logonType(kind)
	e.Session.UID = w.logonSession(e, "TargetLogonId")
	e.DstEndpoint.Hostname = e.Device.Hostname
}

// explicitLogon fills a logon with credentials other than one's own (4648).
func explicitLogon(w *winRecord, e *event.Event) {
	subject(w, e)
	target(w, e)
	logonSource(w, e, "")
	callingProcess(w, e)
	setHostname(&e.DstEndpoint, w.said("TargetServerName"))
	if e.DstEndpoint.Hostname == "localhost" {
		e.DstEndpoint.Hostname = e.Device.Hostname
	}
	e.LogonTypeID = 9
}

// specialPrivileges fills a logon that came with far-reaching rights (4672).
func specialPrivileges(w *winRecord, e *event.Event) {
	setWinUser(&e.User, w.said("SubjectUserName"), w.said("SubjectDomainName"), w.said("SubjectUserSid"))
	e.Session.UID = w.logonSession(e, "SubjectLogonId")
	if list := strings.Fields(w.said("PrivilegeList")); len(list) > 0 {
		e.Access = &event.Access{Privileges: list[:min(len(list), 64)]}
	}
}

// kerberos fills a ticket that was asked for (4768, 4769, 4770, 4771).
func kerberos(w *winRecord, e *event.Event) {
	target(w, e)
	if at := strings.IndexByte(e.User.Name, '@'); at > 0 {
		e.User.Name, e.User.Email = e.User.Name[:at], "" // name@REALM; the realm is the domain
	}
	logonSource(w, e, "")
	e.AuthProtocolID = protocolKerberos
	e.Service.Name, e.Service.UID = w.said("ServiceName"), winServiceSID(w.said("ServiceSid"))
	e.DstEndpoint.Hostname = e.Device.Hostname
	machineOf(e, &e.User)
	if status := w.said("Status"); status != "" {
		ntStatus(e, status)
	}
}

func winServiceSID(sid string) string {
	if strings.HasPrefix(sid, "S-1-5-21-") {
		return sid
	}
	return ""
}

// ntlm fills credentials that a domain controller or the machine itself checked (4776).
func ntlm(w *winRecord, e *event.Event) {
	target(w, e)
	setHostname(&e.SrcEndpoint, w.said("Workstation"))
	authPackage(e, w.said("PackageName"), "")
	e.DstEndpoint.Hostname = e.Device.Hostname
	machineOf(e, &e.User)
	ntStatus(e, w.said("Status"))
}

// remoteDesktop fills a session that was taken up again or left (4778, 4779).
func remoteDesktop(w *winRecord, e *event.Event) {
	setWinUser(&e.Actor.User, w.said("AccountName"), w.said("AccountDomain"), "")
	winEnd(&e.SrcEndpoint, w.said("ClientAddress"), w.said("ClientName"), "")
	e.DstEndpoint.Hostname = e.Device.Hostname
	e.Actor.Session.UID = w.logonSession(e, "LogonID")
	e.Connection.DirectionID = 1
}
