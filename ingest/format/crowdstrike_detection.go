package format

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// Slots of crowdDetectionPlan.
const (
	cdComputer = iota
	cdHostname
	cdHostName
	cdEndpointName
	cdEndpointIP
	cdAgent
	cdSensor
	cdHostID
	cdLocalIP
	cdLocalIPv6
	cdMAC
	cdDomain
	cdLogonDomain
	cdUser
	cdUserID
	cdDetectName
	cdName
	cdDetectDesc
	cdDesc
	cdSeverity
	cdSeverityName
	cdFile
	cdPath
	cdCommand
	cdSHA256
	cdSHA1
	cdMD5
	cdLink
	cdDetectID
	cdCompositeID
	cdIncidentID
	cdIdentityID
	cdTactic
	cdTechnique
	cdTechniqueID
	cdTactics
	cdTechniqueIDs
	cdMitre
	cdPattern
	cdObjective
	cdDisposition
	cdFlags
	cdParentFile
	cdParentPath
	cdParentCommand
	cdStarted
	cdEnded
	cdPID
	cdParentPID
	cdIOCType
	cdIOCValue
	cdAssociated
	cdContext
	cdStartEpoch
	cdEndEpoch
	cdStartTime
	cdIncidentStart
	cdHashes
	cdSensors
	cdIPv4
	cdIPv6
	cdHosts
	cdUsers
	cdMails
	cdAccountName
	cdAccountDomain
	cdAccountUPN
	cdAccountSID
	cdSourceHost
	cdSourceIP
	cdSourceSensor
	cdTargetName
	cdTargetDomain
	cdTargetUPN
	cdTargetHost
	cdCountry
	cdProducts
	cdStatus
	cdState
	cdNetwork
	cdIncidentType
	cdRuleName
	cdRuleID
	cdResourceID
	cdPolicyName
	cdEndTime
	cdIncidentEnd
	cdScore
)

// crowdDetectionPlan holds the fields of the detection and incident summaries of all Falcon products, from the event streams dictionary.
var crowdDetectionPlan = jsonscan.Compile(
	"ComputerName", "Hostname", "HostName", "EndpointName", "EndpointIp", "AgentId", "SensorId", "HostID", "LocalIP", "LocalIPv6", "MACAddress",
	"MachineDomain", "LogonDomain", "UserName", "UserId", "DetectName", "Name", "DetectDescription", "Description", "Severity", "SeverityName",
	"FileName", "FilePath", "CommandLine", "SHA256String", "SHA1String", "MD5String", "FalconHostLink", "DetectId", "CompositeId", "IncidentID",
	"IdentityProtectionIncidentId", "Tactic", "Technique", "TechniqueId", "Tactics", "TechniqueIds", "MitreAttack", "PatternId", "Objective",
	"PatternDispositionDescription", "PatternDispositionFlags", "ParentImageFileName", "ParentImageFilePath", "ParentCommandLine",
	"ProcessStartTime", "ProcessEndTime", "ProcessId", "ParentProcessId", "IOCType", "IOCValue", "AssociatedFile", "ContextTimeStamp",
	"StartTimeEpoch", "EndTimeEpoch", "StartTime", "IncidentStartTime", "SHA256Hashes", "SensorIds", "IPV4Addresses", "IPV6Addresses", "HostNames",
	"UserNames", "EmailAddresses", "SourceAccountName", "SourceAccountDomain", "SourceAccountUpn", "SourceAccountObjectSid",
	"SourceEndpointHostName", "SourceEndpointIpAddress", "SourceEndpointSensorId", "TargetAccountName", "TargetAccountDomain",
	"TargetAccountUpn", "TargetEndpointHostName", "LocationCountryCode", "SourceProducts", "Status", "State", "NetworkAccesses",
	"IncidentType", "RuleName", "RuleId", "ResourceId", "PolicyStatement", "EndTime", "IncidentEndTime", "FineScore",
)

// crowdDetection fills a finding from the detection in the stream event.
func crowdDetection(s *Scratch, e *event.Event, kind string) {
	crowdDetectionPlan.ScanValue(s.JSON.Value(csEvent), &s.Nested)
	r := &s.Nested
	e.ClassUID, e.ActivityID, e.StatusID = event.ClassDetection, 1, 1
	number, ok := r.LooseInt64(cdSeverity)
	e.SeverityID = crowdSeverity(r.Str(cdSeverityName), number, ok)
	if score, known := r.LooseFloat(cdScore); known && !ok { // Incidents are scored from 0 to 10.
		e.SeverityID = crowdSeverity("", int64(score*10), true)
	}
	e.Metadata.Product = firstOf(r, "Falcon", cdProducts)
	e.Message = firstOf(r, "", cdDetectDesc, cdDesc)
	e.StartTime = firstMicros(r, cdStartEpoch, cdStarted, cdContext, cdStartTime, cdIncidentStart)
	e.EndTime = firstMicros(r, cdEndEpoch, cdEnded, cdEndTime, cdIncidentEnd)
	if e.EndTime < e.StartTime {
		e.EndTime = 0
	}
	crowdFinding(r, e, kind)
	crowdPeople(r, e)
	crowdPlaces(r, e)
	crowdProcess(r, e)
	crowdDisposition(s, e)
	crowdLists(r, e)
	crowdAttacks(s, e)
}

// firstOf is the first of the slots that says something, else other.
func firstOf(r *jsonscan.Result, other string, slots ...int) string {
	for _, slot := range slots {
		if text := meant(r.Text(slot)); text != "" {
			return text
		}
	}
	return other
}

func firstMicros(r *jsonscan.Result, slots ...int) int64 {
	for _, slot := range slots {
		if micros := crowdMicros(r, slot); micros != 0 {
			return micros
		}
	}
	return 0
}

func crowdFinding(r *jsonscan.Result, e *event.Event, kind string) {
	f := &event.Finding{
		UID:          firstOf(r, "", cdCompositeID, cdDetectID, cdIncidentID, cdIdentityID, cdResourceID),
		Title:        firstOf(r, kind, cdDetectName, cdName, cdIncidentType, cdRuleName, cdPolicyName, cdTechnique),
		Desc:         e.Message,
		SrcURL:       firstOf(r, "", cdLink),
		AnalyticUID:  firstOf(r, "", cdPattern, cdRuleID),
		AnalyticType: 1,
		IsAlert:      event.True,
	}
	if strings.Trim(f.Title, "0123456789") == "" {
		f.Title = kind // Incident types are numbers.
	}
	f.AnalyticName = f.Title
	if f.UID == "" {
		f.UID = kind + "/" + e.Metadata.OriginalUID
		if e.Metadata.OriginalUID == "" {
			f.UID = kind + "/" + strconv.FormatInt(e.Time, 10)
		}
	}
	if objective := firstOf(r, "", cdObjective); objective != "" {
		f.Types = []string{objective}
	}
	e.StatusCode = firstOf(r, "", cdStatus, cdState)
	e.Finding = f
}

// crowdPeople: identity detections name the account at the source and at the target, the others the user of the process.
func crowdPeople(r *jsonscan.Result, e *event.Event) {
	u := &e.Actor.User
	setLogin(u, firstOf(r, "", cdAccountUPN, cdUser, cdAccountName))
	u.UID = firstOf(r, "", cdAccountSID, cdUserID)
	u.Domain = firstOf(r, "", cdAccountDomain, cdLogonDomain)
	if u.Name == "" && u.UID == "" {
		u.Domain = ""
	}
	if name := firstOf(r, "", cdAccountName); name != "" && !strings.EqualFold(name, u.Name) {
		u.FullName = name
	}
	t := &e.User
	setLogin(t, firstOf(r, "", cdTargetUPN, cdTargetName))
	if t.Name != "" {
		t.Domain = firstOf(r, "", cdTargetDomain)
	}
}

func crowdPlaces(r *jsonscan.Result, e *event.Event) {
	agent := firstOf(r, "", cdAgent, cdSensor, cdHostID, cdSourceSensor)
	setCrowdHost(&e.Device, agent, firstOf(r, "", cdHostname, cdComputer, cdHostName, cdEndpointName), firstOf(r, "", cdLocalIP, cdLocalIPv6, cdEndpointIP), r.Str(cdMAC))
	known := e.Device.UID != "" || e.Device.Name != ""
	if domain := firstOf(r, "", cdDomain); domain != "" && known {
		e.Device.Extend().Domain = domain
	}
	host, ip := firstOf(r, "", cdSourceHost), plainIP(firstOf(r, "", cdSourceIP))
	e.SrcEndpoint.Hostname, e.SrcEndpoint.IP = strings.ToLower(host), ip
	if country := countryCode(firstOf(r, "", cdCountry)); country != "" && (host != "" || ip != "") {
		e.SrcEndpoint.Extend().Location.Country = country
	}
	e.DstEndpoint.Hostname = strings.ToLower(firstOf(r, "", cdTargetHost))
}

func crowdProcess(r *jsonscan.Result, e *event.Event) {
	file, command := firstOf(r, "", cdFile), firstOf(r, "", cdCommand)
	sha256, sha1, md5 := strings.ToLower(firstOf(r, "", cdSHA256)), strings.ToLower(firstOf(r, "", cdSHA1)), strings.ToLower(firstOf(r, "", cdMD5))
	image := crowdImage(r.Str(cdPath), file)
	pid, hasPID := r.LooseInt64(cdPID)
	if file != "" || command != "" || image != "" || hasPID && pid != 0 {
		p := &event.Process{Name: file, CmdLine: command, Path: image, SHA256: sha256, SHA1: sha1, MD5: md5, CreatedAt: crowdMicros(r, cdStarted), EndedAt: crowdMicros(r, cdEnded)}
		if p.Name == "" {
			p.Name = baseName(image)
		}
		if hasPID && pid != 0 {
			p.PID, p.UID = event.IntOf(pid), r.Text(cdPID)
		}
		if parent, ok := r.LooseInt64(cdParentPID); ok && parent != 0 {
			p.ParentPID = event.IntOf(parent)
		}
		if p.ParentPath = crowdImage(r.Str(cdParentPath), r.Str(cdParentFile)); p.ParentPath == "" { // Older events have the path under the other name.
			p.ParentPath = meant(r.Str(cdParentFile))
		}
		p.ParentName = baseName(firstOf(r, "", cdParentPath, cdParentFile))
		p.ParentCmd = firstOf(r, "", cdParentCommand)
		e.Process = p
	}
	associated := firstOf(r, "", cdAssociated)
	if sha256+sha1+md5+associated != "" {
		f := &event.File{Name: file, Path: image, SHA256: sha256, SHA1: sha1, MD5: md5}
		if associated != "" {
			f.Name, f.Path = baseName(associated), associated
		}
		if f.Name == "" {
			f.Name = sha256
		}
		e.File = f
	}
	if value := firstOf(r, "", cdIOCValue); value != "" {
		switch ioc := r.Str(cdIOCType); {
		case strings.HasPrefix(ioc, "hash"):
			e.AddEntity(event.EntityHash, event.RoleContext, event.Context, event.ObjectExtra, value)
		case ioc == "domain":
			e.AddEntity(event.EntityDomain, event.RoleContext, event.Context, event.ObjectExtra, value)
		case strings.HasPrefix(ioc, "ip"):
			e.AddEntity(event.EntityIP, event.RoleContext, event.Context, event.ObjectExtra, value)
		}
	}
}

// crowdFlagPlan reads the disposition flags; from the fourth on they say that something was stopped.
var crowdFlagPlan = jsonscan.Compile(
	"QuarantineMachine", "QuarantineFile", "PolicyDisabled", "ProcessBlocked", "OperationBlocked", "FsOperationBlocked",
	"RegistryOperationBlocked", "KillProcess", "KillSubProcess", "KillParent", "SuspendProcess", "SuspendParent", "ContainmentFileSystem", "KillActionFailed",
)

// crowdDisposition reads what Falcon did. Flags under a disabled policy say what it would have done.
func crowdDisposition(s *Scratch, e *event.Event) {
	r := &s.Nested
	e.StatusDetail = firstOf(r, "", cdDisposition)
	flags := r.Value(cdFlags)
	if flags.Kind() != jsonscan.Object {
		return
	}
	f := &s.JSON // The envelope has been read.
	crowdFlagPlan.ScanValue(flags, f)
	set := func(slot int) bool { v, _ := f.LooseBool(slot); return v }
	e.DispositionID, e.ActionID = 15, 3 // Detected, observed.
	switch disabled := set(2); {
	case disabled:
	case set(0):
		e.DispositionID, e.ActionID = 4, actionDenied
	case set(1):
		e.DispositionID, e.ActionID = 3, actionDenied
	default:
		for slot := 3; slot < crowdFlagPlan.Len()-1; slot++ {
			if set(slot) {
				e.DispositionID, e.ActionID = 2, actionDenied
			}
		}
	}
}

// crowdLists adds what extended detections name in comma-separated lists.
func crowdLists(r *jsonscan.Result, e *event.Event) {
	add := func(slot int, kind event.EntityKind, strength event.Strength) {
		for part := range strings.SplitSeq(clip(r.Str(slot), 4096), ",") {
			if part = meant(part); part != "" {
				e.AddEntity(kind, event.RoleContext, strength, event.ObjectExtra, part)
			}
		}
	}
	add(cdHashes, event.EntityHash, event.Context)
	add(cdSensors, event.EntityDevice, event.Strong)
	add(cdIPv4, event.EntityIP, event.Weak)
	add(cdIPv6, event.EntityIP, event.Weak)
	add(cdHosts, event.EntityDevice, event.Weak)
	add(cdUsers, event.EntityUser, event.Weak)
	add(cdMails, event.EntityUser, event.Medium)
	if sensor := r.Str(cdSensors); e.Device.UID == "" && sensor != "" && !strings.Contains(sensor, ",") {
		e.Device.UID = sensor
	}
}

var (
	crowdAttackPlan  = jsonscan.Compile("Tactic", "TechniqueID")
	crowdNetworkPlan = jsonscan.Compile("RemoteAddress", "LocalAddress", "RemotePort", "LocalPort", "ConnectionDirection", "Protocol")
)

func crowdAttacks(s *Scratch, e *event.Event) {
	r, f := &s.Nested, e.Finding
	note := func(list *[]string, text string) {
		for part := range strings.SplitSeq(clip(text, 1024), ",") {
			if part = meant(part); part != "" && !slices.Contains(*list, part) && len(*list) < 32 {
				*list = append(*list, part)
			}
		}
	}
	note(&f.Techniques, r.Str(cdTechniqueID))
	note(&f.Techniques, r.Str(cdTechniqueIDs))
	note(&f.Tactics, r.Str(cdTactic))
	note(&f.Tactics, r.Str(cdTactics))
	attacks, network := r.Value(cdMitre), r.Value(cdNetwork)
	for v := range attacks.Elements() {
		crowdAttackPlan.ScanValue(v, &s.Nested)
		note(&f.Techniques, s.Nested.Str(1))
		note(&f.Tactics, s.Nested.Str(0))
	}
	count := 0
	for v := range network.Elements() {
		if count++; count > 64 {
			return
		}
		crowdNetworkPlan.ScanValue(v, &s.Nested)
		e.AddEntity(event.EntityIP, event.RoleDestination, event.Weak, event.ObjectExtra, s.Nested.Str(0))
		e.AddEntity(event.EntityIP, event.RoleContext, event.Weak, event.ObjectExtra, s.Nested.Str(1))
	}
}
