package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// accountChange fills what was done to an account.
func accountChange(w *winRecord, e *event.Event) {
	subject(w, e)
	target(w, e)
	if e.User.Name == "" {
		e.User.Name = w.said("NewTargetUserName")
	}
	if e.ActivityID == activityOther {
		e.Activity = "Change"
	}
}

// groupChange fills what was done to a group, or who came into it or left it.
func groupChange(w *winRecord, e *event.Event) {
	subject(w, e)
	e.Group = &event.Group{Name: w.said("TargetUserName"), Domain: w.said("TargetDomainName"), UID: w.said("TargetSid")}
	if e.ActivityID == activityOther {
		e.Activity = "Change"
	}
	name, sid := w.said("MemberName"), w.said("MemberSid")
	setWinUser(&e.User, commonName(name), "", sid)
}

// commonName is the first part of a distinguished name: CN=Ana Silva,OU=… is Ana Silva.
func commonName(dn string) string {
	rest, ok := strings.CutPrefix(dn, "CN=")
	if !ok {
		if rest, ok = strings.CutPrefix(dn, "cn="); !ok {
			return dn
		}
	}
	name, _, _ := strings.Cut(rest, ",")
	return name
}

// logCleared fills an event log that was emptied (1102 of the security log, 104 of the others).
func logCleared(w *winRecord, e *event.Event) {
	subject(w, e)
	e.System = &event.System{LogName: w.said("Channel")}
	e.SeverityID = max(e.SeverityID, severityMedium)
}

// service fills a service that was installed (4697 of the security log, 7045 of the service control manager).
func service(w *winRecord, e *event.Event) {
	s := &event.System{Service: w.said("ServiceName"), ServiceCmd: w.said("ServiceFileName"), ServiceUser: w.said("ServiceAccount")}
	if s.ServiceCmd == "" {
		s.ServiceCmd, s.ServiceUser = w.said("ImagePath"), w.said("AccountName")
	}
	e.System = s
	subject(w, e)
	if e.Actor.User.Name == "" && e.Actor.User.UID == "" {
		setWinUser(&e.Actor.User, "", "", w.said("Security_UserID"))
	}
}

// task fills a scheduled task.
func task(w *winRecord, e *event.Event) {
	s := &event.System{Job: w.said("TaskName")}
	e.System = s
	subject(w, e)
	if e.Actor.User.Name == "" {
		setWinLogin(&e.Actor.User, w.said("UserContext"))
	}
	if e.Actor.User.Name == "" {
		setWinLogin(&e.Actor.User, w.said("UserName"))
	}
	content := w.said("TaskContent")
	if content == "" {
		content = w.said("TaskContentNew")
	}
	command, arguments := between(content, "<Command>", "</Command>"), between(content, "<Arguments>", "</Arguments>")
	if s.JobCmd = command; arguments != "" {
		s.JobCmd += " " + arguments
	}
	if command != "" {
		e.File = winFile(strings.Trim(command, `"`))
	}
}

// between is the text between the first before and the after that follows it, with XML's escapes undone; "" where they are not there.
func between(s, before, after string) string {
	_, rest, ok := strings.Cut(s, before)
	if !ok {
		return ""
	}
	text, _, ok := strings.Cut(rest, after)
	if !ok {
		return ""
	}
	if plain, ok := unescapeXML(text); ok {
		return plain
	}
	return text
}

// script fills a piece of PowerShell that ran (4103, 4104).
func script(w *winRecord, e *event.Event) {
	text := w.said("ScriptBlockText")
	if text == "" {
		text = w.said("Payload")
	}
	e.System = &event.System{Script: text, ScriptType: "PowerShell"}
	if path := w.said("Path"); path != "" {
		e.File = winFile(path)
	}
	setWinUser(&e.Actor.User, "", "", w.said("Security_UserID"))
	if user := between(w.said("ContextInfo"), "User = ", "\n"); user != "" {
		e.Actor.User = event.User{}
		setWinLogin(&e.Actor.User, user)
	}
}

// objectAccess fills an access to an object (4656, 4657, 4663): by the kind of object to a file, a registry key or value, else a base event.
func objectAccess(w *winRecord, e *event.Event) {
	subject(w, e)
	callingProcess(w, e)
	name := w.said("ObjectName")
	kind := w.said("ObjectType")
	switch {
	case e.ClassUID == event.ClassRegistryValue:
		key := registryPath(name)
		value := w.said("ObjectValueName")
		e.System = &event.System{RegValuePath: key, RegValueName: value, RegValueData: w.said("NewValue")}
		alias(e, "TargetObject", key+`\`+value, "Details", e.System.RegValueData)
	case kind == "Key":
		e.ClassUID, e.ActivityID = event.ClassRegistryKey, keyRead
		e.System = &event.System{RegKey: registryPath(name)}
	case kind == "File":
		e.File = winFile(name)
	default:
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, "Object Access"
	}
}

// registryPath writes the kernel's path of a key as people do: \REGISTRY\MACHINE is HKLM, \REGISTRY\USER is HKU.
func registryPath(path string) string {
	for _, p := range [...]struct{ kernel, hive string }{{`\REGISTRY\MACHINE`, "HKLM"}, {`\REGISTRY\USER`, "HKU"}} {
		if len(path) >= len(p.kernel) && strings.EqualFold(path[:len(p.kernel)], p.kernel) {
			return p.hive + path[len(p.kernel):]
		}
	}
	return path
}

// share fills an access to a network share (5140, 5145).
func share(w *winRecord, e *event.Event) {
	subject(w, e)
	logonSource(w, e, "")
	e.DstEndpoint.Hostname = e.Device.Hostname
	path := w.said("ShareName")
	if relative := w.said("RelativeTargetName"); relative != "" {
		path += `\` + relative
	}
	e.File = winFile(path)
	e.Connection.DirectionID = 1
}

// filtering fills a connection that the filtering platform let through or not (5154 to 5159).
func filtering(w *winRecord, e *event.Event) {
	winEnd(&e.SrcEndpoint, w.said("SourceAddress"), "", w.said("SourcePort"))
	winEnd(&e.DstEndpoint, w.said("DestAddress"), "", w.said("DestPort"))
	switch w.said("Direction") {
	case "%%14592":
		e.Connection.DirectionID = 1
	case "%%14593":
		e.Connection.DirectionID = 2
	}
	if n, ok := winNumber(w.said("Protocol")); ok {
		e.Connection.ProtocolNum = event.IntOf(n)
		switch n {
		case 1:
			e.Connection.Protocol = "icmp"
		case 6:
			e.Connection.Protocol = "tcp"
		case 17:
			e.Connection.Protocol = "udp"
		}
	}
	if w.said("Application") != "" {
		e.Actor.Extend().Process = w.program("Application", "ProcessID", "")
	}
	e.ActionID = 1
	switch e.Metadata.EventCode {
	case "5155", "5157", "5159":
		e.ActionID, e.DispositionID, e.StatusID = 2, 2, statusFailure
	}
	if e.ActivityID == activityOther {
		e.Activity = "Bind"
	}
}

// defender fills malware that was found (1006, 1015, 1116) or dealt with (1117 to 1119).
func defender(w *winRecord, e *event.Event) {
	f := &event.Finding{Title: w.said("Threat Name"), UID: winGUID(w.said("Detection ID")), AnalyticUID: w.said("Threat ID"), SrcURL: w.said("FWLink"), IsAlert: event.True}
	if f.AnalyticName = f.Title; f.UID == "" {
		f.UID = e.Metadata.OriginalUID
	}
	if category := w.said("Category Name"); category != "" {
		f.Types = []string{category}
	}
	f.Desc = w.said("Error Description")
	e.Finding = f
	switch w.said("Severity Name") {
	case "Severe":
		e.SeverityID = severityHigh + 1
	case "High":
		e.SeverityID = severityHigh
	case "Moderate":
		e.SeverityID = severityMedium
	case "Low":
		e.SeverityID = severityLow
	}
	path := w.said("Path")
	for _, part := range strings.Split(path, "; ") {
		if file, ok := strings.CutPrefix(part, "file:_"); ok {
			e.File = winFile(file)
			break
		}
	}
	setWinLogin(&e.User, w.said("Detection User"))
	switch w.said("Action Name") {
	case "Quarantine":
		e.DispositionID, e.ActionID = 3, 2
	case "Remove", "Block":
		e.DispositionID, e.ActionID = 2, 2
	case "Allow":
		e.DispositionID, e.ActionID = 1, 1
	}
	if process := w.said("Process Name"); process != "" {
		e.Actor.Extend().Process = &event.Process{Path: process, Name: lastName(process)}
	}
}
