package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// securityLaunch fills a process that started (4688). The names that Sysmon gives the same things stand among the raw fields too, so that one rule
// reads both.
func securityLaunch(e *event.Event) {
	subject(e)
	if said(e, "TargetUserName") != "" {
		target(e)
	}
	p := sysmonProcess(e, "NewProcessName", "NewProcessId", "")
	p.CmdLine, p.CreatedAt, p.ParentPID = said(e, "CommandLine"), e.Time, winInt(e, "ProcessId")
	p.User = e.Actor.User.Name
	e.Process = p
	parent := sysmonProcess(e, "ParentProcessName", "ProcessId", "")
	p.ParentName = parent.Name
	e.Actor.Extend().Process = parent
	user, domain := said(e, "SubjectUserName"), said(e, "SubjectDomainName")
	if user != "" && domain != "" {
		user = domain + `\` + user
	}
	alias(e, "Image", p.Path, "ParentImage", parent.Path, "User", user, "IntegrityLevel", integrityLevel(said(e, "MandatoryLabel")))
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

func securityTerminate(e *event.Event) {
	subject(e)
	e.Process = sysmonProcess(e, "ProcessName", "ProcessId", "")
	e.Actor.Extend().Process = e.Process
}

// logon fills an account that was or was not let in (4624, 4625).
func logon(e *event.Event) {
	subject(e)
	target(e)
	kind, _ := winNumber(said(e, "LogonType"))
	e.LogonTypeID = logonType(kind)
	if kind == 3 || kind == 8 || kind == 10 || kind == 12 {
		e.IsRemote = event.True
	}
	e.IsCleartext = event.Unknown
	if kind == 8 {
		e.IsCleartext = event.True
	}
	logonSource(e, "WorkstationName")
	authPackage(e, said(e, "AuthenticationPackageName"), said(e, "LmPackageName"))
	e.Session.UID = logonSession(e, "TargetLogonId")
	e.DstEndpoint.Hostname = e.Device.Hostname
	callingProcess(e)
	machineOf(e, &e.User)
	if e.ActivityID == authLogon && said(e, "SubStatus") != "" || said(e, "Status") != "" {
		ntStatus(e, said(e, "SubStatus"), said(e, "Status"))
	} else if e.StatusID == 0 {
		e.StatusID = statusSuccess
	}
}

// logonFailed is logon for 4625, whatever the keywords say.
func logonFailed(e *event.Event) {
	e.StatusID = statusFailure
	logon(e)
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
func logonSource(e *event.Event, workstation string) {
	ip := said(e, "IpAddress")
	if ip == "" {
		ip = said(e, "ClientAddress")
	}
	winEnd(&e.SrcEndpoint, ip, said(e, workstation), said(e, "IpPort"))
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
func callingProcess(e *event.Event) {
	if said(e, "ProcessName") != "" {
		e.Actor.Extend().Process = sysmonProcess(e, "ProcessName", "ProcessId", "")
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

func logoff(e *event.Event) {
	target(e)
	if e.User.Name == "" && e.User.UID == "" {
		setWinUser(&e.User, said(e, "SubjectUserName"), said(e, "SubjectDomainName"), said(e, "SubjectUserSid"))
	}
	kind, _ := winNumber(said(e, "LogonType"))
	e.LogonTypeID = logonType(kind)
	e.Session.UID = logonSession(e, "TargetLogonId")
	e.DstEndpoint.Hostname = e.Device.Hostname
}

// explicitLogon fills a logon with credentials other than one's own (4648).
func explicitLogon(e *event.Event) {
	subject(e)
	target(e)
	logonSource(e, "")
	callingProcess(e)
	setHostname(&e.DstEndpoint, said(e, "TargetServerName"))
	if e.DstEndpoint.Hostname == "localhost" {
		e.DstEndpoint.Hostname = e.Device.Hostname
	}
	e.LogonTypeID = 9
}

// specialPrivileges fills a logon that came with far-reaching rights (4672).
func specialPrivileges(e *event.Event) {
	setWinUser(&e.User, said(e, "SubjectUserName"), said(e, "SubjectDomainName"), said(e, "SubjectUserSid"))
	e.Session.UID = logonSession(e, "SubjectLogonId")
	if list := strings.Fields(said(e, "PrivilegeList")); len(list) > 0 {
		e.Access = &event.Access{Privileges: list[:min(len(list), 64)]}
	}
}

// kerberos fills a ticket that was asked for (4768, 4769, 4770, 4771).
func kerberos(e *event.Event) {
	target(e)
	if at := strings.IndexByte(e.User.Name, '@'); at > 0 {
		e.User.Name, e.User.Email = e.User.Name[:at], "" // name@REALM; the realm is the domain
	}
	logonSource(e, "")
	e.AuthProtocolID = protocolKerberos
	e.Service.Name, e.Service.UID = said(e, "ServiceName"), winServiceSID(said(e, "ServiceSid"))
	e.DstEndpoint.Hostname = e.Device.Hostname
	machineOf(e, &e.User)
	if status := said(e, "Status"); status != "" {
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
func ntlm(e *event.Event) {
	target(e)
	setHostname(&e.SrcEndpoint, said(e, "Workstation"))
	authPackage(e, said(e, "PackageName"), "")
	e.DstEndpoint.Hostname = e.Device.Hostname
	machineOf(e, &e.User)
	ntStatus(e, said(e, "Status"))
}

// remoteDesktop fills a session that was taken up again or left (4778, 4779).
func remoteDesktop(e *event.Event) {
	setWinUser(&e.Actor.User, said(e, "AccountName"), said(e, "AccountDomain"), "")
	winEnd(&e.SrcEndpoint, said(e, "ClientAddress"), said(e, "ClientName"), "")
	e.DstEndpoint.Hostname = e.Device.Hostname
	e.Actor.Session.UID = logonSession(e, "LogonID")
	e.Connection.DirectionID = 1
}
