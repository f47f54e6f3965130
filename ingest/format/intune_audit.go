package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// Slots of intuneAuditPlan.
const (
	iaDate = iota
	iaStatus
	iaType
	iaApplication
	iaApplicationName
	iaActorID
	iaActorName
	iaActorUPN
	iaActorType
	iaEventID
	iaTargetNames
	iaTargetIDs
	iaTargets
	iaDetails
)

var intuneAuditPlan = jsonscan.Compile(
	"ActivityDate", "ActivityResultStatus", "ActivityType", "Actor.Application", "Actor.ApplicationName", "Actor.ObjectId", "Actor.Name",
	"Actor.UPN", "Actor.ActorType", "AuditEventId", "TargetDisplayNames[]", "TargetObjectIds[]", "Targets", "AdditionalDetails",
)

var (
	intuneTargetPlan = jsonscan.Compile("Name", "ModifiedProperties")
	intuneChangePlan = jsonscan.Compile("Name", "New", "Old")
)

// intuneAudit fills what an administrator, an application or the service itself changed.
func intuneAudit(d *intuneRecord, s *Scratch, e *event.Event) bool {
	r := &s.Nested
	if !r.Exists(iaEventID) && !r.Exists(iaType) && !r.Exists(iaDate) {
		return false
	}
	setMicrosoftTime(e, d.time, r.Str(iaDate))
	d.outcome(e)
	if e.StatusID == 0 {
		switch r.Text(iaStatus) {
		case "1":
			e.StatusID = statusSuccess
		case "2", "3":
			e.StatusID = statusFailure
		}
	}
	if id := meant(r.Str(iaEventID)); id != "" {
		e.Metadata.OriginalUID = id
		e.Envelope.ID = event.NewID("intune", id)
	}
	intuneActor(e, r.Str(iaActorUPN), r.Str(iaActorID), r.Str(iaActorName), r.Str(iaApplicationName), r.Str(iaApplication))
	if e.Actor.User.Name == "" && isEmail(d.identity) {
		setPrincipal(&e.Actor.User, d.identity)
	}
	name, id := meant(r.Str(iaTargetNames)), meant(r.Str(iaTargetIDs))
	targets := r.Value(iaTargets)
	for v := range targets.Elements() {
		intuneTargetPlan.ScanValue(v, &s.Nested)
		if name == "" {
			name = meant(s.Nested.Str(0))
		}
		intuneChanges(s, e, s.Nested.Value(1))
	}
	intuneEntity(e, d.operation, name, id)
	return true
}

// intuneActor: a person where one is named, else the application; an application that a person used is noted beside the person.
func intuneActor(e *event.Event, principal, id, name, application, applicationID string) {
	u := &e.Actor.User
	setPrincipal(u, meant(principal))
	u.UID = meant(id)
	if name = meant(name); name != "" && name != u.Name {
		u.FullName = name
	}
	if u.Name == "" && u.UID != "" && u.FullName != "" {
		u.Name = u.FullName
	}
	if u.Name == "" && u.UID == "" {
		u.FullName = ""
		if application == "" {
			application = name
		}
	}
	if application, applicationID = meant(application), meant(applicationID); application != "" || applicationID != "" {
		more := e.Actor.Extend()
		more.AppName, more.AppUID = application, applicationID
	}
}

func intuneChanges(s *Scratch, e *event.Event, changes jsonscan.Value) {
	for v := range changes.Elements() {
		if v.Kind() != jsonscan.Object || len(e.Unmapped) >= 24 {
			continue
		}
		intuneChangePlan.ScanValue(v, &s.JSON) // The envelope has been read.
		name, value := s.JSON.Str(0), meant(s.JSON.Text(1))
		switch {
		case name == "" || value == "" || len(value) > 256:
		case secretValue(name, value):
			e.Envelope.Quality |= event.Redacted
		default:
			e.Unmapped = append(e.Unmapped, event.Attribute{Key: "ModifiedProperties." + name, Value: value})
			if strings.EqualFold(name, "deviceID") && e.Device.UID == "" {
				e.Device.UID = meant(value)
			}
		}
	}
}

// intuneEntity reads the operation as verb and kind of object: "Create ClientCertificate", "Rename device ManagedDevice".
func intuneEntity(e *event.Event, operation, name, id string) {
	verb, kind := operation, ""
	if i := strings.IndexByte(operation, ' '); i > 0 {
		verb, kind = operation[:i], operation[strings.LastIndexByte(operation, ' ')+1:]
	}
	e.ClassUID, e.ActivityID = event.ClassEntityManagement, entityVerb(verb)
	if e.ActivityID == activityOther {
		e.Activity = operation
	}
	device := strings.EqualFold(kind, "ManagedDevice") || strings.EqualFold(kind, "Device")
	if device && id != "" {
		e.Device.UID, e.Device.Name, e.Device.Hostname = id, name, strings.ToLower(name)
	}
	e.Entity = &event.Entity{UID: id, Name: name, Type: kind}
	switch {
	case device:
		e.Entity.TypeID = 1
	case strings.Contains(kind, "Policy"), strings.Contains(kind, "Configuration"):
		e.Entity.TypeID = 5
	case kind != "":
		e.Entity.TypeID = 99
	}
	if id == "" && name == "" {
		e.Entity.Name = kind
	}
	if e.Entity.UID == "" && e.Entity.Name == "" {
		e.Entity = nil
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, operation
	}
	if device && intuneWipes(verb) {
		e.SeverityID = severityMedium
	}
}

// intuneWipes reports whether a device action takes the device out of management or destroys what is on it.
func intuneWipes(verb string) bool {
	return strings.EqualFold(verb, "wipe") || strings.EqualFold(verb, "retire") || strings.EqualFold(verb, "delete")
}

// intuneGraphAuditPlan follows the auditEvent resource of Microsoft Graph; it is short enough to be read by number.
var intuneGraphAuditPlan = jsonscan.Compile(
	"id", "displayName", "activityType", "activityDateTime", "activityOperationType", "activityResult", "correlationId",
	"actor.userPrincipalName", "actor.userId", "actor.applicationDisplayName", "actor.applicationId", "actor.ipAddress", "resources", "componentName",
)

var intuneResourcePlan = jsonscan.Compile("displayName", "type", "resourceId", "modifiedProperties")

var intuneGraphChangePlan = jsonscan.Compile("displayName", "newValue", "oldValue")

// intuneGraphAudit fills an auditEvent of Microsoft Graph's device management.
func intuneGraphAudit(d *intuneRecord, s *Scratch, e *event.Event) bool {
	r := &s.Nested
	setMicrosoftTime(e, r.Str(3))
	d.result = meant(r.Str(5))
	d.outcome(e)
	if id := meant(r.Str(0)); id != "" {
		e.Metadata.OriginalUID = id
		e.Envelope.ID = event.NewID("intune", id)
	}
	if id := meant(r.Str(6)); id != "" {
		e.Metadata.Extend().Correlation = id
	}
	operation := firstOf(r, "Audit", 2, 1)
	e.Metadata.EventCode, e.Message = operation, firstOf(r, "", 1)
	intuneActor(e, r.Str(7), r.Str(8), "", r.Str(9), r.Str(10))
	e.SrcEndpoint.IP = plainIP(r.Str(11))
	name, kind, id := "", "", ""
	resources := r.Value(12)
	for v := range resources.Elements() {
		intuneResourcePlan.ScanValue(v, &s.Nested)
		if name == "" && id == "" {
			name, kind, id = meant(s.Nested.Str(0)), meant(s.Nested.Str(1)), meant(s.Nested.Str(2))
		}
		for change := range s.Nested.Value(3).Elements() {
			intuneGraphChangePlan.ScanValue(change, &s.JSON)
			key, value := s.JSON.Str(0), meant(s.JSON.Text(1))
			if secretValue(key, value) {
				e.Envelope.Quality |= event.Redacted
			} else if value != "" && len(value) <= 256 && len(e.Unmapped) < 24 {
				e.Unmapped = append(e.Unmapped, event.Attribute{Key: "modifiedProperties." + key, Value: value})
			}
		}
	}
	if kind != "" && !strings.Contains(operation, kind) {
		operation += " " + kind
	}
	intuneEntity(e, operation, name, id)
	return true
}

// Slots of intuneOperationalPlan.
const (
	ioAADDevice = iota
	ioDevice
	ioUserID
	ioMessageID
	ioCategory
	ioEnrollmentTime
	ioOSVersion
	ioOS
	ioEnrollmentType
	ioFailureReason
	ioFailureCategory
	ioAlertName
	ioAlertType
	ioDescription
	ioDNSDomain
	ioHostName
	ioDeviceName
	ioNetBIOS
	ioSystem
	ioStart
	ioUserName
	ioSuffix
	ioDisplayName
	ioScenario
)

var intuneOperationalPlan = jsonscan.Compile(
	"AADDeviceId", "IntuneDeviceId", "IntuneUserId", "MessageId", "OperationalLogCategory", "EnrollmentTimeUTC", "OsVersion", "Os", "EnrollmentType",
	"FailureReason", "FailureCategory", "AlertDisplayName", "AlertType", "Description", "DeviceDnsDomain", "DeviceHostName", "DeviceName",
	"DeviceNetBiosName", "DeviceOperatingSystem", "StartTimeUtc", "UserName", "UPNSuffix", "UserDisplayName", "ScenarioName",
)

// intuneOperational fills what happened to a device: it was enrolled, or found not to comply.
func intuneOperational(d *intuneRecord, s *Scratch, e *event.Event) bool {
	r := &s.Nested
	if !r.Exists(ioCategory) && !r.Exists(ioScenario) && !r.Exists(ioDevice) {
		return false
	}
	setMicrosoftTime(e, r.Str(ioStart), r.Str(ioEnrollmentTime), d.time)
	e.Metadata.LoggedTime = microsoftMicros(d.time)
	d.outcome(e)
	dev := &e.Device
	dev.UID = meant(r.Str(ioDevice))
	dev.Name = firstOf(r, "", ioDeviceName)
	dev.Hostname = strings.ToLower(firstOf(r, "", ioHostName, ioNetBIOS))
	if dev.Name == "" {
		dev.Name = firstOf(r, "", ioHostName, ioNetBIOS)
	}
	known := dev.UID != "" || dev.Name != "" || dev.Hostname != ""
	if aad := meant(r.Str(ioAADDevice)); aad != "" {
		if dev.UID == "" {
			dev.UID, known = aad, true
		} else {
			dev.Extend().AltUID = aad
		}
	}
	if known {
		more := dev.Extend()
		more.OS, more.OSVersion, more.Domain = firstOf(r, "", ioOS), firstOf(r, "", ioOSVersion), firstOf(r, "", ioDNSDomain)
		if system := firstOf(r, "", ioSystem); system != "" {
			more.OS, more.OSVersion, _ = strings.Cut(system, " ")
		}
		dev.Managed = event.True
	}
	u := &e.User
	u.UID = meant(r.Str(ioUserID))
	u.Name, u.Domain, u.FullName = firstOf(r, "", ioUserName), firstOf(r, "", ioSuffix), firstOf(r, "", ioDisplayName)
	if u.Name != "" && u.Domain != "" {
		if mail := strings.ToLower(u.Name + "@" + u.Domain); isEmail(mail) {
			u.Email = mail
		}
	}
	if u.Name == "" && u.UID == "" {
		u.Domain, u.FullName = "", ""
	}
	switch {
	case !known:
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, d.operation
	case r.Str(ioCategory) == "DeviceCompliance" || r.Exists(ioAlertType):
		intuneAlert(r, e)
	default:
		intuneEnrollment(r, e, d)
	}
	return true
}

// intuneAlert fills a compliance finding. The description names the setting, what was wanted and what was found, with || between.
func intuneAlert(r *jsonscan.Result, e *event.Event) {
	e.ClassUID, e.ActivityID, e.StatusID, e.SeverityID = event.ClassCompliance, 1, 1, severityMedium
	description := firstOf(r, "", ioDescription)
	setting, _, _ := strings.Cut(description, "||||")
	control, _, _ := strings.Cut(setting, "_IID_")
	title := firstOf(r, "Managed Device Not Compliant", ioAlertName, ioAlertType)
	e.StatusDetail = description
	e.Finding = &event.Finding{UID: e.Device.UID + "/" + control, Title: title, Desc: description, AnalyticName: control, AnalyticUID: setting, IsAlert: event.True}
	e.Compliance = &event.Compliance{StatusID: 3, Control: control, Desc: description}
	e.Device.Compliant = event.False
	if code := firstOf(r, "", ioAlertType); code != "" {
		e.Metadata.EventCode = code
	}
}

// intuneEnrollment fills an enrolment, or a failed one.
func intuneEnrollment(r *jsonscan.Result, e *event.Event, d *intuneRecord) {
	e.ClassUID, e.ActivityID = event.ClassEntityManagement, 6
	if !strings.Contains(d.operation, "nroll") {
		e.ActivityID, e.Activity = activityOther, d.operation
	}
	e.Entity = &event.Entity{UID: e.Device.UID, Name: e.Device.Name, Type: "Device", TypeID: 1}
	if e.Entity.UID == "" && e.Entity.Name == "" {
		e.Entity.Name = e.Device.Hostname
	}
	reason := firstOf(r, "", ioFailureReason, ioFailureCategory)
	if e.StatusID == 0 && reason != "" {
		e.StatusID = statusFailure
	}
	if e.StatusID == statusFailure {
		e.Device.Managed = event.Unknown
	}
	if reason != "" {
		e.StatusDetail = reason
	}
	if id := meant(r.Str(ioMessageID)); id != "" {
		e.Metadata.OriginalUID = id
		e.Envelope.ID = event.NewID("intune", id)
	}
}
