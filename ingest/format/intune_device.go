package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// Slots of intuneDevicePlan.
const (
	idDevice = iota
	idName
	idUPN
	idUserID
	idUserName
	idUserEmail
	idState
	idStateText
	idCompliant
	idOS
	idOSText
	idOSVersion
	idOSDescription
	idOwner
	idOwnerText
	idOwnership
	idLastContact
	idIMEI
	idSerial
	idGrace
	idThreat
	idThreatText
	idManagement
	idManager
	idModel
	idManufacturer
	idReference
	idJailbroken
	idEncrypted
	idWiFiMAC
	idEthernetMAC
	idJoinType
	idPrimaryUser
	idBatch
	idUDID
)

// intuneDevicePlan holds the columns of the IntuneDeviceComplianceOrg and IntuneDevices tables.
var intuneDevicePlan = jsonscan.Compile(
	"DeviceId", "DeviceName", "UPN", "UserId", "UserName", "UserEmail", "ComplianceState", "ComplianceState_loc", "CompliantState",
	"OS", "OS_loc", "OSVersion", "OSDescription", "OwnerType", "OwnerType_loc", "Ownership", "LastContact", "IMEI", "SerialNumber",
	"InGracePeriodUntil", "DeviceHealthThreatLevel", "DeviceHealthThreatLevel_loc", "ManagementAgents_loc", "ManagedBy", "Model", "Manufacturer",
	"ReferenceId", "JailBroken", "EncryptionStatusString", "WifiMacAddress", "EthernetMacAddress", "JoinType", "PrimaryUser", "BatchId", "UDID",
)

// intuneDeviceOf fills the device and the person it belongs to; it is false where the record names no device.
func intuneDeviceOf(r *jsonscan.Result, e *event.Event) bool {
	d := &e.Device
	d.UID, d.Name = meant(r.Str(idDevice)), firstOf(r, "", idName)
	d.Hostname = strings.ToLower(d.Name)
	d.Serial = firstOf(r, "", idSerial)
	if d.UID == "" && d.Name == "" {
		return false
	}
	d.LastSeen = microsoftMicros(r.Str(idLastContact))
	d.Managed = event.True
	switch owner := strings.ToLower(firstOf(r, "", idOwnerText, idOwnership)); owner {
	case "company", "corporate":
		d.Personal = event.False
	case "personal":
		d.Personal = event.True
	}
	if mac, ok := event.MAC(firstOf(r, "", idWiFiMAC, idEthernetMAC)); ok && !kv.NoMAC(mac) {
		d.MAC = mac
	}
	more := d.Extend()
	more.OS, more.OSVersion = firstOf(r, "", idOSDescription, idOSText, idOS), firstOf(r, "", idOSVersion)
	more.Model, more.Vendor = firstOf(r, "", idModel), firstOf(r, "", idManufacturer)
	more.IMEI, more.UDID = firstOf(r, "", idIMEI), firstOf(r, "", idUDID)
	if reference := meant(r.Str(idReference)); reference != "" && reference != d.UID {
		more.AltUID = reference // The directory's id of the same device.
	}
	intuneOwner(e, firstOf(r, "", idUPN, idUserEmail), meant(firstOf(r, "", idUserID, idPrimaryUser)), firstOf(r, "", idUserName))
	return true
}

// intuneOwner names the person a device belongs to: by the principal name, and by what the source calls the user's name.
func intuneOwner(e *event.Event, principal, id, name string) {
	u := &e.User
	setPrincipal(u, principal)
	if u.UID = id; strings.EqualFold(id, principal) {
		u.UID = ""
	}
	if u.Name != "" {
		e.Device.Extend().Owner = u.Name
	}
	if name != "" {
		u.Name = name
	}
}

// intuneState reads a compliance state in any of Intune's spellings.
func intuneState(text string) (status uint8, compliant event.Bool) {
	var folded [24]byte
	n := 0
	for i := 0; i < len(text) && n < len(folded); i++ {
		if c := text[i] | 0x20; c >= 'a' && c <= 'z' {
			folded[n] = c
			n++
		}
	}
	switch string(folded[:n]) {
	case "compliant":
		return 1, event.True
	case "notcompliant", "noncompliant":
		return 3, event.False
	case "ingraceperiod":
		return 2, event.False
	case "conflict", "error":
		return 3, event.False
	case "configmanager", "managedbyconfigmgr":
		return 99, event.Unknown
	}
	return 0, event.Unknown
}

// intuneCompliance fills the compliance state of one device, which the service exports once a day and on change.
func intuneCompliance(d *intuneRecord, s *Scratch, e *event.Event) bool {
	r := &s.Nested
	if !intuneDeviceOf(r, e) {
		return false
	}
	setMicrosoftTime(e, d.time)
	state := firstOf(r, "", idStateText, idState)
	e.ClassUID, e.ActivityID, e.StatusID = event.ClassCompliance, 2, 1
	status, compliant := intuneState(state)
	e.Compliance = &event.Compliance{StatusID: status, Status: state, Control: "Intune compliance policies"}
	e.Device.Compliant = compliant
	e.StatusCode = state
	switch status {
	case 3:
		e.SeverityID = severityMedium
	case 2:
		e.SeverityID = severityLow
	case 1:
		e.StatusID = 4 // Resolved: nothing to do.
	}
	if grace := microsoftMicros(r.Str(idGrace)); grace != 0 {
		e.EndTime = grace
	}
	e.RiskLevelID = intuneThreat(firstOf(r, "", idThreatText, idThreat))
	key := e.Device.UID
	if key == "" {
		key = e.Device.Name
	}
	e.Finding = &event.Finding{UID: "compliance/" + key, Title: "Device compliance: " + state, AnalyticName: "Intune compliance policies", AnalyticType: 1}
	if state == "" {
		e.Finding.Title = "Device compliance"
	}
	e.Finding.IsAlert = event.BoolOf(status == 3)
	if batch := meant(r.Str(idBatch)); batch != "" {
		e.Envelope.ID = event.NewID("intune", "compliance", batch, key, state, r.Str(idLastContact))
	}
	return true
}

func intuneThreat(level string) uint8 {
	if strings.EqualFold(level, "secured") {
		return 0
	}
	return riskLevel(level)
}

// intuneInventory fills one device of the inventory. A jailbroken or rooted device is a posture event.
func intuneInventory(d *intuneRecord, s *Scratch, e *event.Event) bool {
	r := &s.Nested
	if !intuneDeviceOf(r, e) {
		return false
	}
	setMicrosoftTime(e, d.time)
	e.ClassUID, e.ActivityID = event.ClassInventory, 2
	state := firstOf(r, "", idCompliant, idStateText)
	_, e.Device.Compliant = intuneState(state)
	e.StatusCode = state
	if join := firstOf(r, "", idJoinType); join != "" {
		e.Device.Trusted = event.BoolOf(strings.Contains(strings.ToLower(join), "joined"))
	}
	if batch := meant(r.Str(idBatch)); batch != "" {
		e.Envelope.ID = event.NewID("intune", "device", batch, e.Device.UID, e.Device.Name)
	}
	intuneRooted(e, firstOf(r, "", idJailbroken))
	return true
}

// intuneRooted turns the inventory of a jailbroken device into a posture event.
func intuneRooted(e *event.Event, jailbroken string) {
	if !strings.EqualFold(jailbroken, "true") && !strings.EqualFold(jailbroken, "jailbroken") {
		return
	}
	e.ClassUID, e.ActivityID, e.SeverityID = event.ClassDeviceConfigChange, 2, severityHigh
	e.Posture = &event.Posture{SecurityLevelID: 3, SecurityState: event.SecurityState{ID: 21, Name: "jailbroken"}}
}

// Slots of intuneManagedPlan.
const (
	imID = iota
	imName
	imManagedName
	imUPN
	imUserID
	imUserName
	imMail
	imState
	imOS
	imOSVersion
	imOwner
	imLastSync
	imEnrolled
	imIMEI
	imSerial
	imGrace
	imThreat
	imModel
	imManufacturer
	imDirectoryID
	imJailbroken
	imEncrypted
	imWiFiMAC
	imEthernetMAC
	imAgent
	imRegistered
	imUDID
	imCollected
)

// intuneManagedPlan follows the managedDevice resource of Microsoft Graph. collected_at is not of it: collectors add it.
var intuneManagedPlan = jsonscan.Compile(
	"id", "deviceName", "managedDeviceName", "userPrincipalName", "userId", "userDisplayName", "emailAddress", "complianceState",
	"operatingSystem", "osVersion", "managedDeviceOwnerType", "lastSyncDateTime", "enrolledDateTime", "imei", "serialNumber",
	"complianceGracePeriodExpirationDateTime", "partnerReportedThreatState", "model", "manufacturer", "azureADDeviceId", "jailBroken",
	"isEncrypted", "wiFiMacAddress", "ethernetMacAddress", "managementAgent", "azureADRegistered", "udid", "collected_at",
)

// intuneManaged fills a managed device as Graph gives it: a state without a time, unless the collector noted one.
func intuneManaged(_ *intuneRecord, s *Scratch, e *event.Event) bool {
	r := &s.Nested
	d := &e.Device
	d.UID, d.Name = meant(r.Str(imID)), firstOf(r, "", imName, imManagedName)
	if d.UID == "" && d.Name == "" {
		return false
	}
	d.Hostname = strings.ToLower(d.Name)
	d.Serial = firstOf(r, "", imSerial)
	d.LastSeen = microsoftMicros(r.Str(imLastSync))
	d.Managed = event.True
	switch strings.ToLower(r.Str(imOwner)) {
	case "company":
		d.Personal = event.False
	case "personal":
		d.Personal = event.True
	}
	if mac, ok := event.MAC(firstOf(r, "", imWiFiMAC, imEthernetMAC)); ok && !kv.NoMAC(mac) {
		d.MAC = mac
	}
	more := d.Extend()
	more.OS, more.OSVersion = firstOf(r, "", imOS), firstOf(r, "", imOSVersion)
	more.Model, more.Vendor = firstOf(r, "", imModel), firstOf(r, "", imManufacturer)
	more.IMEI, more.UDID = firstOf(r, "", imIMEI), firstOf(r, "", imUDID)
	more.AltUID = meant(r.Str(imDirectoryID))
	intuneOwner(e, firstOf(r, "", imUPN, imMail), meant(r.Str(imUserID)), firstOf(r, "", imUserName))
	state := firstOf(r, "", imState)
	_, d.Compliant = intuneState(state)
	e.StatusCode = state
	e.ClassUID, e.ActivityID = event.ClassInventory, 2
	e.Metadata.EventCode, e.Message = "managedDevice", ""
	if collected := microsoftMicros(r.Str(imCollected)); collected != 0 {
		e.Time, e.Envelope.TimeSource = collected, event.TimeParsed
		e.Envelope.ID = event.NewID("intune", "managedDevice", d.UID, d.Name, r.Str(imCollected))
	}
	intuneRooted(e, r.Text(imJailbroken))
	return true
}
