package format

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// Slots of crowdAlertPlan.
const (
	alComposite = iota
	alName
	alDisplay
	alDesc
	alSeverity
	alSeverityName
	alConfidence
	alTime
	alCreated
	alUpdated
	alStatus
	alProduct
	alKind
	alPattern
	alObjective
	alTactic
	alTechnique
	alTacticID
	alTechniqueID
	alMitre
	alLink
	alDisposition
	alActions
	alAgent
	alDeviceID
	alHost
	alLocalIP
	alExternalIP
	alMAC
	alOS
	alPlatform
	alDomain
	alUser
	alUserUID
	alUserSID
	alUserUPN
	alUserDomain
	alFile
	alPath
	alCommand
	alSHA256
	alSHA1
	alMD5
	alPID
	alProcessID
	alParentFile
	alParentCommand
	alParentPID
	alParentPath
	alSourceUser
	alSourceSID
	alSourceUPN
	alSourceDomain
	alSourceHost
	alSourceIP
	alTargetUser
	alTargetDomain
	alTargetHost
	alTargetIP
	alCountry
)

// crowdAlertPlan follows the alert entity of the Falcon alerts interface, version 2, whose fields differ by product: endpoint alerts describe a
// process on a device, identity alerts an account at a source and at a target.
var crowdAlertPlan = jsonscan.Compile(
	"composite_id", "name", "display_name", "description", "severity", "severity_name", "confidence", "timestamp", "created_timestamp",
	"updated_timestamp", "status", "product", "type", "pattern_id", "objective", "tactic", "technique", "tactic_id", "technique_id", "mitre_attack",
	"falcon_host_link", "pattern_disposition_description", "pattern_disposition_details", "agent_id", "device.device_id", "device.hostname", "device.local_ip",
	"device.external_ip", "device.mac_address", "device.os_version", "device.platform_name", "device.machine_domain", "user_name", "user_id",
	"user_sid", "user_principal", "logon_domain", "filename", "filepath", "cmdline", "sha256", "sha1", "md5", "local_process_id", "process_id",
	"parent_details.filename", "parent_details.cmdline", "parent_details.local_process_id", "parent_details.filepath", "source_account_name",
	"source_account_object_sid", "source_account_upn", "source_account_domain", "source_endpoint_host_name", "source_endpoint_address_ip4",
	"target_account_name", "target_account_domain", "target_endpoint_host_name", "target_endpoint_address_ip4", "location_country_code",
)

// crowdAlert appends the finding that an alert document describes. Each new version of an alert is an event of the same finding.
func crowdAlert(s *Scratch, dst []event.Event) []event.Event {
	r := &s.Nested
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	e.ClassUID, e.ActivityID, e.StatusID = event.ClassDetection, 1, 1
	crowdAlertState(r, e)
	number, ok := r.LooseInt64(alSeverity)
	e.SeverityID = crowdSeverity(r.Str(alSeverityName), number, ok)
	m := &e.Metadata
	m.Product, m.Vendor, m.LogName, m.EventCode = "Falcon", "CrowdStrike", "Alerts", firstOf(r, "alert", alKind)
	m.OriginalUID = r.Str(alComposite)
	created, updated := crowdMicros(r, alCreated), crowdMicros(r, alUpdated)
	if updated == created {
		e.ActivityID = 1 // The first version, whatever was done with it at once.
	}
	e.Time, m.LoggedTime = firstMicros(r, alTime, alCreated), max(created, updated)
	if e.ActivityID != 1 && updated != 0 {
		e.Time = updated
	}
	if e.Time != 0 {
		e.Envelope.TimeSource = event.TimeParsed
	}
	e.Envelope.ID = event.NewID("crowdstrike", "alert", m.OriginalUID, r.Str(alUpdated), r.Str(alStatus))
	e.Message = firstOf(r, "", alDesc, alDisplay, alName)
	e.Finding = &event.Finding{
		UID: m.OriginalUID, Title: firstOf(r, "alert", alDisplay, alName), Desc: e.Message, SrcURL: firstOf(r, "", alLink),
		AnalyticUID: firstOf(r, "", alPattern), AnalyticName: firstOf(r, "alert", alName, alDisplay), AnalyticType: 1, IsAlert: event.True,
		CreatedAt: created,
	}
	if types := firstOf(r, "", alObjective, alProduct); types != "" {
		e.Finding.Types = []string{types}
	}
	crowdAlertPeople(r, e)
	crowdAlertDevice(r, e)
	crowdAlertProcess(r, e)
	crowdAlertAttacks(s, e)
	return dst
}

// crowdAlertState reads how far the handling of an alert is, and what Falcon did.
func crowdAlertState(r *jsonscan.Result, e *event.Event) {
	e.StatusCode, e.StatusDetail = r.Str(alStatus), firstOf(r, "", alDisposition)
	switch e.StatusCode {
	case "in_progress", "reopened":
		e.ActivityID, e.StatusID = 2, 2
	case "closed", "true_positive", "false_positive", "ignored":
		e.ActivityID, e.StatusID = 3, 4
	}
	prevented := strings.HasPrefix(e.StatusDetail, "Prevention") && !strings.Contains(e.StatusDetail, "would have")
	switch {
	case prevented && lowerContains(e.StatusDetail, "quarantine"):
		e.DispositionID, e.ActionID = 3, actionDenied
	case prevented:
		e.DispositionID, e.ActionID = 2, actionDenied
	case e.StatusDetail != "":
		e.DispositionID, e.ActionID = 15, 3 // Detected, observed.
	}
}

func crowdAlertPeople(r *jsonscan.Result, e *event.Event) {
	u := &e.Actor.User
	setLogin(u, firstOf(r, "", alSourceUPN, alUserUPN, alUser, alSourceUser))
	u.UID = firstOf(r, "", alSourceSID, alUserSID, alUserUID)
	if u.Name != "" || u.UID != "" {
		u.Domain = firstOf(r, "", alSourceDomain, alUserDomain)
	}
	if name := firstOf(r, "", alTargetUser); name != "" {
		setLogin(&e.User, name)
		e.User.Domain = firstOf(r, "", alTargetDomain)
	}
}

func crowdAlertDevice(r *jsonscan.Result, e *event.Event) {
	d := &e.Device
	setCrowdHost(d, firstOf(r, "", alDeviceID, alAgent), r.Str(alHost), r.Str(alLocalIP), r.Str(alMAC))
	if os, version := firstOf(r, "", alPlatform), firstOf(r, "", alOS); (os != "" || version != "") && knownDevice(d) {
		d.Extend().OS, d.More.OSVersion, d.More.Domain = os, version, firstOf(r, "", alDomain)
	}
	e.AddEntity(event.EntityIP, event.RoleContext, event.Context, event.ObjectExtra, r.Str(alExternalIP))
	e.SrcEndpoint.Hostname, e.SrcEndpoint.IP = strings.ToLower(firstOf(r, "", alSourceHost)), plainIP(r.Str(alSourceIP))
	if country := countryCode(firstOf(r, "", alCountry)); country != "" && e.SrcEndpoint.IP != "" {
		e.SrcEndpoint.Extend().Location.Country = country
	}
	e.DstEndpoint.Hostname, e.DstEndpoint.IP = strings.ToLower(firstOf(r, "", alTargetHost)), plainIP(r.Str(alTargetIP))
}

func crowdAlertProcess(r *jsonscan.Result, e *event.Event) {
	file, command, image := firstOf(r, "", alFile), firstOf(r, "", alCommand), crowdImage(r.Str(alPath), r.Str(alFile))
	if file == "" && command == "" && image == "" {
		return
	}
	p := &event.Process{
		Name: file, CmdLine: command, Path: image, SHA256: strings.ToLower(firstOf(r, "", alSHA256)), MD5: strings.ToLower(firstOf(r, "", alMD5)),
		SHA1: strings.ToLower(firstOf(r, "", alSHA1)), UID: firstOf(r, "", alProcessID), ParentName: firstOf(r, "", alParentFile), ParentCmd: firstOf(r, "", alParentCommand),
	}
	p.ParentPath = crowdImage(r.Str(alParentPath), p.ParentName)
	if p.Name == "" {
		p.Name = baseName(image)
	}
	if pid, ok := r.LooseInt64(alPID); ok && pid > 0 {
		p.PID = event.IntOf(pid)
	}
	if pid, ok := r.LooseInt64(alParentPID); ok && pid > 0 {
		p.ParentPID = event.IntOf(pid)
	}
	e.Process = p
	e.AddEntity(event.EntityHash, event.RoleContext, event.Context, event.ObjectExtra, r.Str(alSHA1))
}

var crowdAlertAttackPlan = jsonscan.Compile("tactic", "technique_id")

func crowdAlertAttacks(s *Scratch, e *event.Event) {
	r, f := &s.Nested, e.Finding
	note := func(list *[]string, text string) {
		if text = meant(text); text != "" && !slices.Contains(*list, text) && len(*list) < 32 {
			*list = append(*list, text)
		}
	}
	note(&f.Tactics, firstOf(r, "", alTactic, alTacticID))
	note(&f.Techniques, firstOf(r, "", alTechniqueID, alTechnique))
	attacks := r.Value(alMitre)
	for v := range attacks.Elements() {
		crowdAlertAttackPlan.ScanValue(v, &s.JSON) // Of the envelope all has been read.
		note(&f.Tactics, s.JSON.Str(0))
		note(&f.Techniques, s.JSON.Str(1))
	}
}
