package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// Activities of the classes that Windows events fall into.
const (
	processLaunch    = 1
	processTerminate = 2
	processOpen      = 3
	processInject    = 4

	fileCreate        = 1
	fileRead          = 2
	fileDelete        = 4
	fileSetAttributes = 6
	fileOpen          = 14

	keyCreate   = 1
	keyRead     = 2
	keyModify   = 3
	keyDelete   = 4
	keyRename   = 5
	valueSet    = 2
	valueDelete = 4

	moduleLoad = 1
	dnsQuery   = 1

	fileExecutable = 8
	filePipe       = 6
)

// sysmonLaunch fills a process that started (1).
func sysmonLaunch(e *event.Event) {
	p := sysmonProcess(e, "Image", "ProcessId", "ProcessGuid")
	p.CmdLine, p.User, p.CreatedAt = said(e, "CommandLine"), said(e, "User"), e.Time
	p.MD5, _, p.SHA256 = winHashes(said(e, "Hashes"))
	p.ParentPID, p.ParentName, p.ParentCmd = winInt(e, "ParentProcessId"), lastName(said(e, "ParentImage")), said(e, "ParentCommandLine")
	e.Process = p
	setWinLogin(&e.Actor.User, said(e, "User"))
	e.Actor.Session.UID = logonSession(e, "LogonId")
	if image := said(e, "ParentImage"); image != "" {
		parent := sysmonProcess(e, "ParentImage", "ParentProcessId", "ParentProcessGuid")
		parent.CmdLine = p.ParentCmd
		e.Actor.Extend().Process = parent
	}
}

// sysmonProcess makes a process of the fields of those names.
func sysmonProcess(e *event.Event, image, pid, guid string) *event.Process {
	p := &event.Process{Path: said(e, image), PID: winInt(e, pid), UID: winGUID(said(e, guid))}
	p.Name = lastName(p.Path)
	return p
}

func sysmonTerminate(e *event.Event) {
	e.Process = sysmonProcess(e, "Image", "ProcessId", "ProcessGuid")
	setWinLogin(&e.Actor.User, said(e, "User"))
	e.Actor.Extend().Process = e.Process
}

// sysmonActor fills the process that acted and its user.
func sysmonActor(e *event.Event) {
	if said(e, "Image") != "" || said(e, "ProcessId") != "" {
		e.Actor.Extend().Process = sysmonProcess(e, "Image", "ProcessId", "ProcessGuid")
	}
	setWinLogin(&e.Actor.User, said(e, "User"))
}

// sysmonTwo fills a process that reached into another (8, 10).
func sysmonTwo(e *event.Event) {
	e.Process = sysmonProcess(e, "TargetImage", "TargetProcessId", "TargetProcessGuid")
	source := sysmonProcess(e, "SourceImage", "SourceProcessId", "SourceProcessGuid")
	if e.Process.UID == "" {
		e.Process.UID, source.UID = winGUID(said(e, "TargetProcessGUID")), winGUID(said(e, "SourceProcessGUID")) // As event 10 spells them.
	}
	e.Process.User = said(e, "TargetUser")
	e.Actor.Extend().Process = source
	setWinLogin(&e.Actor.User, said(e, "SourceUser"))
}

func sysmonTamper(e *event.Event) {
	sysmonActor(e)
	e.Process = sysmonProcess(e, "Image", "ProcessId", "ProcessGuid")
	e.StatusDetail = said(e, "Type")
}

// sysmonFile fills what was done to a file.
func sysmonFile(e *event.Event) {
	sysmonActor(e)
	e.File = winFile(said(e, "TargetFilename"))
	hashes := said(e, "Hashes")
	if hashes == "" {
		hashes = said(e, "Hash")
	}
	e.File.MD5, e.File.SHA1, e.File.SHA256 = winHashes(hashes)
	if said(e, "IsExecutable") == "true" {
		e.File.TypeID = fileExecutable
	}
}

// sysmonBlocked is sysmonFile for what Sysmon forbade.
func sysmonBlocked(e *event.Event) {
	sysmonFile(e)
	e.ActionID, e.DispositionID, e.StatusID = 2, 2, statusFailure
}

func sysmonRawRead(e *event.Event) {
	sysmonActor(e)
	e.File = winFile(said(e, "Device"))
}

func sysmonPipe(e *event.Event) {
	sysmonActor(e)
	e.File = winFile(said(e, "PipeName"))
	e.File.TypeID = filePipe
}

// sysmonModule fills a library or a driver that was loaded.
func sysmonModule(e *event.Event) {
	sysmonActor(e)
	e.File = winFile(said(e, "ImageLoaded"))
	e.File.MD5, e.File.SHA1, e.File.SHA256 = winHashes(said(e, "Hashes"))
}

// sysmonRegistry fills what was done to a key (12, 14) or a value (12, 13): only EventType tells which.
func sysmonRegistry(e *event.Event) {
	sysmonActor(e)
	path, s := said(e, "TargetObject"), &event.System{}
	e.System = s
	switch kind := said(e, "EventType"); kind {
	case "CreateKey":
		e.ActivityID = keyCreate
	case "DeleteKey":
		e.ActivityID = keyDelete
	case "RenameKey", "RenameValue":
		e.ActivityID, s.PrevRegKey = keyRename, path
		path = said(e, "NewName")
	case "SetValue":
		regValue(e, path, valueSet)
	case "DeleteValue":
		regValue(e, path, valueDelete)
	}
	if e.ClassUID == event.ClassRegistryValue && s.RegValuePath == "" {
		regValue(e, path, valueSet)
	}
	if s.RegValuePath == "" {
		s.RegKey = path
	}
	s.RegValueData = said(e, "Details")
}

// regValue makes the event one about a value.
func regValue(e *event.Event, path string, activity uint16) {
	e.ClassUID, e.ActivityID = event.ClassRegistryValue, activity
	s := e.System
	s.RegValuePath, s.RegValueName = path, lastName(path)
	if n := len(path) - len(s.RegValueName) - 1; n > 0 {
		s.RegValuePath = path[:n]
	}
}

// sysmonConnection fills a connection (3). Who opened it is the source.
func sysmonConnection(e *event.Event) {
	sysmonActor(e)
	winEnd(&e.SrcEndpoint, said(e, "SourceIp"), said(e, "SourceHostname"), said(e, "SourcePort"))
	winEnd(&e.DstEndpoint, said(e, "DestinationIp"), said(e, "DestinationHostname"), said(e, "DestinationPort"))
	e.Connection.Protocol = strings.ToLower(said(e, "Protocol"))
	e.Connection.DirectionID = 1
	if strings.EqualFold(said(e, "Initiated"), "true") {
		e.Connection.DirectionID = 2
	}
	e.AppProtocol = strings.ToLower(said(e, "DestinationPortName"))
}

// winEnd fills one end of a connection.
func winEnd(p *event.Endpoint, ip, host, port string) {
	p.IP = plainIP(ip)
	if host != "" {
		setHostname(p, host)
	}
	n, _ := winNumber(port)
	p.Port = port16(n)
}

// setHostname names an endpoint, unless the name is an address.
func setHostname(p *event.Endpoint, host string) {
	host = strings.TrimLeft(meant(host), `\`)
	if plainIP(host) == "" {
		p.Hostname = lowerASCII(host)
	}
}

// sysmonDNS fills a query with its answers (22).
func sysmonDNS(e *event.Event) {
	sysmonActor(e)
	d := &event.DNS{}
	d.Query.Hostname = strings.TrimSuffix(said(e, "QueryName"), ".")
	d.Answer.Rdata = strings.TrimSuffix(said(e, "QueryResults"), ";")
	e.DNS = d
	if status := said(e, "QueryStatus"); status != "" {
		e.StatusCode, e.StatusID = status, statusFailure
		if status == "0" {
			e.StatusID = statusSuccess
		}
	}
	e.SrcEndpoint.Hostname = e.Device.Hostname
}

func winFile(path string) *event.File { return &event.File{Path: path, Name: lastName(path)} }

// winHashes takes Sysmon's list of hashes apart: "SHA1=…,MD5=…,SHA256=…,IMPHASH=…", in any order.
func winHashes(list string) (md5, sha1, sha256 string) {
	for list != "" {
		var one string
		one, list, _ = strings.Cut(list, ",")
		name, value, _ := strings.Cut(one, "=")
		switch value = strings.TrimSpace(value); {
		case strings.Trim(value, "0") == "":
		case strings.EqualFold(name, "MD5"):
			md5 = lowerASCII(value)
		case strings.EqualFold(name, "SHA1"):
			sha1 = lowerASCII(value)
		case strings.EqualFold(name, "SHA256"):
			sha256 = lowerASCII(value)
		}
	}
	return md5, sha1, sha256
}
