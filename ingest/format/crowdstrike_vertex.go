package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// Slots of crowdFirewallPlan.
const (
	cfDevice = iota
	cfHost
	cfDirection
	cfEventType
	cfLocal
	cfLocalPort
	cfRemote
	cfRemotePort
	cfProtocol
	cfAction
	cfRule
	cfRuleID
	cfGroup
	cfPolicy
	cfPolicyID
	cfImage
	cfCommand
	cfPID
	cfTime
	cfCount
	cfMonitor
)

var crowdFirewallPlan = jsonscan.Compile(
	"DeviceId", "HostName", "ConnectionDirection", "EventType", "LocalAddress", "LocalPort", "RemoteAddress", "RemotePort", "Protocol",
	"RuleAction", "RuleName", "RuleId", "RuleGroupName", "PolicyName", "PolicyID", "ImageFileName", "CommandLine", "PID", "Timestamp", "MatchCount",
	"Flags.Monitor",
)

// crowdFirewall fills a match of the host firewall: a connection that was let through or refused.
func crowdFirewall(s *Scratch, e *event.Event, kind string) {
	crowdFirewallPlan.ScanValue(s.JSON.Value(csEvent), &s.Nested)
	r := &s.Nested
	e.ClassUID, e.ActivityID, e.Metadata.LogName = event.ClassNetwork, netOpen, kind
	if code := meant(r.Str(cfEventType)); code != "" {
		e.Metadata.EventCode = code
	}
	if happened := stampMicros(r.Str(cfTime), nil); happened != 0 {
		e.Metadata.LoggedTime = e.Time
		e.Time, e.Envelope.TimeSource = happened, event.TimeParsed
	}
	if count, ok := r.LooseInt64(cfCount); ok && count > 1 && count < 1<<31 {
		e.Count = int32(count)
	}
	setCrowdHost(&e.Device, r.Str(cfDevice), r.Str(cfHost), "", "")
	local, remote := &e.SrcEndpoint, &e.DstEndpoint
	e.Connection.DirectionID = 2
	if inbound := r.Text(cfDirection); inbound == "1" {
		local, remote = remote, local
		e.Connection.DirectionID = 1
	}
	local.IP, remote.IP = plainIP(r.Str(cfLocal)), plainIP(r.Str(cfRemote))
	port, _ := r.LooseInt64(cfLocalPort)
	local.Port = port16(port)
	port, _ = r.LooseInt64(cfRemotePort)
	remote.Port = port16(port)
	if number, ok := r.LooseInt64(cfProtocol); ok {
		e.Connection.ProtocolNum = event.IntOf(number)
		switch number {
		case 1:
			e.Connection.Protocol = "icmp"
		case 6:
			e.Connection.Protocol = "tcp"
		case 17:
			e.Connection.Protocol = "udp"
		case 58:
			e.Connection.Protocol = "icmpv6"
		}
	}
	switch r.Text(cfAction) {
	case "1":
		e.ActionID, e.DispositionID = actionAllowed, 1
	case "2":
		e.ActionID, e.DispositionID, e.ActivityID = actionDenied, 2, netRefuse
	}
	if monitor, ok := r.LooseBool(cfMonitor); ok && monitor {
		more := e.Metadata.Extend()
		more.Labels = append(more.Labels, "monitor")
	}
	rule, policy := meant(r.Str(cfRule)), meant(r.Str(cfPolicy))
	if id := meant(r.Text(cfRuleID)); rule != "" || id != "" {
		e.Policy = &event.Policy{UID: id, Name: rule, IsApplied: event.True}
	}
	if policy != "" {
		e.Unmapped = append(e.Unmapped, event.Attribute{Key: "PolicyName", Value: policy})
	}
	if group := meant(r.Str(cfGroup)); group != "" {
		e.Unmapped = append(e.Unmapped, event.Attribute{Key: "RuleGroupName", Value: group})
	}
	image, command := meant(r.Str(cfImage)), meant(r.Str(cfCommand))
	if image != "" || command != "" {
		p := &event.Process{Name: baseName(image), Path: image, CmdLine: command, UID: meant(r.Text(cfPID))}
		if pid, ok := r.LooseInt64(cfPID); ok {
			p.PID = event.IntOf(pid)
		}
		e.Actor.Extend().Process = p
	}
	if local.IP == "" && remote.IP == "" {
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, kind
	}
}

// crowdReportPlan is short enough to be read by number.
var crowdReportPlan = jsonscan.Compile(
	"UserUUID", "UserID", "ExecutionID", "ReportID", "ReportName", "ReportType", "Status", "StatusMessage",
	"ExecutionMetadata.ResultCount", "ExecutionMetadata.ReportFileName", "ExecutionMetadata.ExecutionStart",
)

// crowdReport fills the notice that a scheduled search ran; its results, if any, are what it is a finding of.
func crowdReport(s *Scratch, e *event.Event, kind string) {
	crowdReportPlan.ScanValue(s.JSON.Value(csEvent), &s.Nested)
	r := &s.Nested
	e.ClassUID, e.ActivityID, e.StatusID = event.ClassDetection, 1, 1
	e.StatusCode, e.StatusDetail = r.Text(6), meant(r.Str(7))
	u := &e.Actor.User
	setLogin(u, r.Str(1))
	if u.UID = meant(r.Str(0)); u.UID == "" {
		u.UID = meant(r.Str(1))
	}
	f := &event.Finding{
		UID: firstOf(r, kind, 2, 3), Title: firstOf(r, kind, 4), AnalyticUID: firstOf(r, "", 3), AnalyticName: firstOf(r, "", 4), AnalyticType: 1,
	}
	if text := meant(r.Str(5)); text != "" {
		f.Types = []string{text}
	}
	e.Finding = f
	if count, ok := r.LooseInt64(8); ok {
		f.IsAlert = event.BoolOf(count > 0)
		if count > 0 && count < 1<<31 {
			e.Count = int32(count)
		}
	}
	if name := meant(r.Str(9)); name != "" {
		e.File = &event.File{Name: name}
	}
	e.StartTime = crowdMicros(r, 10)
}

// Slots of crowdVertexPlan.
const (
	cvID = iota
	cvDevice
	cvObject
	cvKind
	cvTime
	cvComputer
	cvAgentVersion
	cvLocalIP
	cvExternalIP
	cvMAC
	cvSerial
	cvManufacturer
	cvModel
	cvMachineDomain
	cvAgentTime
	cvContained
	cvRFM
	cvAssignedIP
	cvAssignedMAC
	cvCommand
	cvImage
	cvRawPID
	cvParentPID
	cvSHA256
	cvMD5
	cvStarted
	cvUserSID
	cvUserName
	cvLogonDomain
	cvPrincipal
	cvTerminated
	cvEnded
)

var crowdVertexPlan = jsonscan.Compile(
	"id", "device_id", "object_id", "vertex_type", "timestamp",
	"properties.ComputerName", "properties.AgentVersion", "properties.LocalAddressIP4", "properties.externalIpAddress", "properties.PhysicalAddress",
	"properties.SystemSerialNumber", "properties.SystemManufacturer", "properties.SystemProductName", "properties.MachineDomain",
	"properties.AgentLocalTime", "properties.NetworkContainmentState", "properties.RFMState",
	"edges.assigned_ipv4_address[].properties.LocalAddressIP4", "edges.assigned_ipv4_address[].properties.PhysicalAddress",
	"properties.CommandLine", "properties.ImageFileName", "properties.RawProcessId", "properties.ParentProcessId",
	"properties.SHA256HashData", "properties.MD5HashData", "properties.ProcessStartTime", "properties.UserSid", "properties.UserName",
	"properties.LogonDomain", "properties.UserPrincipal", "properties.processTerminated", "properties.ProcessEndTime",
)

// crowdVertex fills a vertex of the threat graph: a host, a process or an account that a detection is connected to.
func crowdVertex(s *Scratch, e *event.Event, kind string) {
	severity := s.JSON.Str(csVertexSeverity)
	detection := s.JSON.Str(csDetectionID)
	crowdVertexPlan.ScanValue(s.JSON.Value(csEvent), &s.Nested)
	r := &s.Nested
	e.SeverityID = crowdSeverity(severity, 0, false)
	m := &e.Metadata
	m.LogName, m.OriginalUID = "Threat Graph", r.Str(cvID)
	m.EventCode = kind
	if detection != "" {
		m.Extend().Correlation = detection
	}
	if happened := stampMicros(r.Str(cvTime), nil); happened != 0 {
		e.Time, e.Envelope.TimeSource = happened, event.TimeParsed
	}
	e.Device.UID = meant(r.Str(cvDevice))
	vertex := r.Str(cvKind)
	switch {
	case vertex == "device":
		crowdDeviceVertex(r, e)
	case vertex == "process" && e.Device.UID != "":
		crowdProcessVertex(r, e)
	default:
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, strings.TrimSpace("Vertex "+vertex)
	}
	u := &e.Actor.User
	setLogin(u, r.Str(cvPrincipal))
	if u.Name == "" {
		setLogin(u, r.Str(cvUserName))
	}
	switch sid := meant(r.Str(cvUserSID)); {
	case sid == "S-1-5-18" || sid == "S-1-5-19" || sid == "S-1-5-20": // Accounts that every Windows host has.
		u.TypeID = userSystem
		if u.Name == "" {
			u.Name = "SYSTEM"
		}
	case strings.HasPrefix(sid, "S-"):
		u.UID = sid
	}
	if u.Name != "" || u.UID != "" {
		u.Domain = meant(r.Str(cvLogonDomain))
	}
}

func crowdDeviceVertex(r *jsonscan.Result, e *event.Event) {
	e.ClassUID, e.ActivityID = event.ClassInventory, 2
	ip, mac := meant(r.Str(cvLocalIP)), meant(r.Str(cvMAC))
	for v := range r.Each(cvAssignedIP) {
		e.AddEntity(event.EntityIP, event.RoleSubject, event.Weak, event.ObjectDeviceIP, v.Str())
	}
	e.AddEntity(event.EntityIP, event.RoleSubject, event.Weak, event.ObjectDeviceIP, ip)
	e.AddEntity(event.EntityIP, event.RoleContext, event.Context, event.ObjectExtra, r.Str(cvExternalIP))
	if assigned := plainIP(r.Str(cvAssignedIP)); assigned != "" {
		ip, mac = assigned, r.Str(cvAssignedMAC)
	}
	d := &e.Device
	setCrowdHost(d, d.UID, r.Str(cvComputer), ip, mac)
	d.Serial = meant(r.Str(cvSerial))
	d.LastSeen = stampMicros(r.Str(cvAgentTime), nil)
	more := d.Extend()
	more.Vendor, more.Model, more.Domain = meant(r.Str(cvManufacturer)), meant(r.Str(cvModel)), meant(r.Str(cvMachineDomain))
	if version := meant(r.Str(cvAgentVersion)); version != "" {
		e.Metadata.Version = version
	}
	if d.UID == "" && d.Name == "" && d.IP == "" {
		d.UID = e.Metadata.OriginalUID
	}
	if d.UID == "" && d.Name == "" && d.IP == "" {
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, "Vertex device"
		return
	}
	if state := r.Text(cvContained); state != "" && state != "0" {
		e.ClassUID, e.ActivityID = event.ClassDeviceConfigChange, 1
		crowdContainment(e, "contained", false)
	}
}

func crowdProcessVertex(r *jsonscan.Result, e *event.Event) {
	e.ClassUID, e.ActivityID = event.ClassProcess, 1
	if done, ok := r.LooseBool(cvTerminated); ok && done {
		e.ActivityID = 2
	}
	image := meant(r.Str(cvImage))
	p := &event.Process{
		UID: meant(r.Str(cvObject)), Name: baseName(image), Path: image, CmdLine: meant(r.Str(cvCommand)),
		SHA256: strings.ToLower(meant(r.Str(cvSHA256))), MD5: strings.ToLower(meant(r.Str(cvMD5))), CreatedAt: crowdMicros(r, cvStarted), EndedAt: crowdMicros(r, cvEnded),
	}
	if pid, ok := r.LooseInt64(cvRawPID); ok {
		p.PID = event.IntOf(pid)
	}
	if pid, ok := r.LooseInt64(cvParentPID); ok {
		p.ParentPID = event.IntOf(pid)
	}
	e.Process = p
}
