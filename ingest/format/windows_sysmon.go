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
func sysmonLaunch(w *winRecord, e *event.Event) {
	made := new(launchedProcess)
	p, parent, image := &made.child, &made.process, w.said("ParentImage")
	w.setProgram(p, "Image", "ProcessId", "ProcessGuid")
	user := w.said("User")
	p.CmdLine, p.User, p.CreatedAt = w.said("CommandLine"), user, e.Time
	p.MD5, p.SHA1, p.SHA256 = w.hashes(w.said("Hashes"))
	p.ParentPID, p.ParentName, p.ParentCmd = w.number("ParentProcessId"), lastName(image), w.said("ParentCommandLine")
	p.ParentPath, p.ParentUID = image, winGUID(w.said("ParentProcessGuid"))
	e.Process = p
	setWinLogin(&e.Actor.User, user)
	e.Actor.Session.UID = w.logonSession(e, "LogonId")
	if image != "" {
		w.setProgram(parent, "ParentImage", "ParentProcessId", "ParentProcessGuid")
		parent.CmdLine = p.ParentCmd
		made.place(e)
	}
}

// program makes a process of the fields of those names.
func (w *winRecord) program(image, pid, guid string) *event.Process {
	p := new(event.Process)
	w.setProgram(p, image, pid, guid)
	return p
}

func (w *winRecord) setProgram(p *event.Process, image, pid, guid string) {
	p.Path, p.PID, p.UID = w.said(image), w.number(pid), winGUID(w.said(guid))
	p.Name = lastName(p.Path)
}

// setActing makes the process that acts of the fields of those names.
func (w *winRecord) setActing(e *event.Event, image, pid, guid string) {
	made := new(actingProcess)
	w.setProgram(&made.process, image, pid, guid)
	made.place(e)
}

// actingProcess is one piece of memory for a process that acts and its place in an event.
type actingProcess struct {
	more    event.ActorMore
	process event.Process
}

// place makes the process the one that acts.
func (a *actingProcess) place(e *event.Event) {
	if e.Actor.More == nil {
		e.Actor.More = &a.more
	}
	e.Actor.More.Process = &a.process
}

// launchedProcess is one piece of memory for a process that started, and its parent.
type launchedProcess struct {
	actingProcess
	child event.Process
}

func sysmonTerminate(w *winRecord, e *event.Event) {
	e.Process = w.program("Image", "ProcessId", "ProcessGuid")
	setWinLogin(&e.Actor.User, w.said("User"))
	e.Actor.Extend().Process = e.Process
}

// sysmonActor fills the process that acted and its user.
func sysmonActor(w *winRecord, e *event.Event) {
	if w.said("Image") != "" || w.said("ProcessId") != "" {
		w.setActing(e, "Image", "ProcessId", "ProcessGuid")
	}
	setWinLogin(&e.Actor.User, w.said("User"))
}

// sysmonTwo fills a process that reached into another (8, 10).
func sysmonTwo(w *winRecord, e *event.Event) {
	e.Process = w.program("TargetImage", "TargetProcessId", "TargetProcessGuid")
	source := w.program("SourceImage", "SourceProcessId", "SourceProcessGuid")
	if e.Process.UID == "" {
		e.Process.UID, source.UID = winGUID(w.said("TargetProcessGUID")), winGUID(w.said("SourceProcessGUID")) // As event 10 spells them.
	}
	e.Process.User = w.said("TargetUser")
	e.Actor.Extend().Process = source
	setWinLogin(&e.Actor.User, w.said("SourceUser"))
}

func sysmonTamper(w *winRecord, e *event.Event) {
	sysmonActor(w, e)
	e.Process = w.program("Image", "ProcessId", "ProcessGuid")
	e.StatusDetail = w.said("Type")
}

// sysmonFile fills what was done to a file.
func sysmonFile(w *winRecord, e *event.Event) {
	sysmonActor(w, e)
	e.File = winFile(w.said("TargetFilename"))
	hashes := w.said("Hashes")
	if hashes == "" {
		hashes = w.said("Hash")
	}
	e.File.MD5, e.File.SHA1, e.File.SHA256 = w.hashes(hashes)
	if w.said("IsExecutable") == "true" {
		e.File.TypeID = fileExecutable
	}
}

// sysmonBlocked is sysmonFile for what Sysmon forbade.
func sysmonBlocked(w *winRecord, e *event.Event) {
	sysmonFile(w, e)
	e.ActionID, e.DispositionID, e.StatusID = 2, 2, statusFailure
}

func sysmonRawRead(w *winRecord, e *event.Event) {
	sysmonActor(w, e)
	e.File = winFile(w.said("Device"))
}

func sysmonPipe(w *winRecord, e *event.Event) {
	sysmonActor(w, e)
	e.File = winFile(w.said("PipeName"))
	e.File.TypeID = filePipe
}

// sysmonModule fills a library or a driver that was loaded.
func sysmonModule(w *winRecord, e *event.Event) {
	sysmonActor(w, e)
	e.File = winFile(w.said("ImageLoaded"))
	e.File.MD5, e.File.SHA1, e.File.SHA256 = w.hashes(w.said("Hashes"))
}

// sysmonRegistry fills what was done to a key (12, 14) or a value (12, 13): only EventType tells which.
func sysmonRegistry(w *winRecord, e *event.Event) {
	sysmonActor(w, e)
	path, s := w.said("TargetObject"), &event.System{}
	e.System = s
	switch kind := w.said("EventType"); kind {
	case "CreateKey":
		e.ActivityID = keyCreate
	case "DeleteKey":
		e.ActivityID = keyDelete
	case "RenameKey", "RenameValue":
		e.ActivityID, s.PrevRegKey = keyRename, path
		path = w.said("NewName")
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
	s.RegValueData = w.said("Details")
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
func sysmonConnection(w *winRecord, e *event.Event) {
	sysmonActor(w, e)
	winEnd(&e.SrcEndpoint, w.said("SourceIp"), w.said("SourceHostname"), w.said("SourcePort"))
	winEnd(&e.DstEndpoint, w.said("DestinationIp"), w.said("DestinationHostname"), w.said("DestinationPort"))
	e.Connection.Protocol = strings.ToLower(w.said("Protocol"))
	e.Connection.DirectionID = 1
	if strings.EqualFold(w.said("Initiated"), "true") {
		e.Connection.DirectionID = 2
	}
	e.AppProtocol = strings.ToLower(w.said("DestinationPortName"))
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
func sysmonDNS(w *winRecord, e *event.Event) {
	sysmonActor(w, e)
	d := &event.DNS{}
	d.Query.Hostname = strings.TrimSuffix(w.said("QueryName"), ".")
	d.Answer.Rdata = strings.TrimSuffix(w.said("QueryResults"), ";")
	e.DNS = d
	if status := w.said("QueryStatus"); status != "" {
		e.StatusCode, e.StatusID = status, statusFailure
		if status == "0" {
			e.StatusID = statusSuccess
		}
	}
	e.SrcEndpoint.Hostname = e.Device.Hostname
}

func winFile(path string) *event.File { return &event.File{Path: path, Name: lastName(path)} }

// hashes takes Sysmon's list of hashes apart: "SHA1=…,MD5=…,SHA256=…,IMPHASH=…", in any order.
func (w *winRecord) hashes(list string) (md5, sha1, sha256 string) {
	for list != "" {
		var one string
		one, list, _ = strings.Cut(list, ",")
		name, value, _ := strings.Cut(one, "=")
		value = strings.TrimSpace(value)
		if value == "" || value[0] == '0' && strings.Trim(value, "0") == "" {
			continue
		}
		switch {
		case strings.EqualFold(name, "MD5"):
			md5 = w.lower(value)
		case strings.EqualFold(name, "SHA1"):
			sha1 = w.lower(value)
		case strings.EqualFold(name, "SHA256"):
			sha256 = w.lower(value)
		}
	}
	return md5, sha1, sha256
}
