package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// Slots of crowdHostPlan.
const (
	chID = iota
	chCustomer
	chHostname
	chLocalIP
	chExternalIP
	chConnectionIP
	chMAC
	chConnectionMAC
	chAgentVersion
	chFirstSeen
	chLastSeen
	chModified
	chOS
	chOSVersion
	chPlatform
	chProductType
	chProductTypeText
	chChassis
	chStatus
	chRFM
	chSerial
	chManufacturer
	chModel
	chDomain
	chUser
	chTags
	chGroups
	chPolicyID
	chPolicyApplied
	chPolicyKind
	chFilesystem
	chCollected
	chTimestamp
	chProvision
	chSite
)

// crowdHostPlan follows the device entity of the Falcon hosts interface. collected_at and timestamp are not of it: collectors add them.
var crowdHostPlan = jsonscan.Compile(
	"device_id", "cid", "hostname", "local_ip", "external_ip", "connection_ip", "mac_address", "connection_mac_address", "agent_version",
	"first_seen", "last_seen", "modified_timestamp", "os_product_name", "os_version", "platform_name", "product_type", "product_type_desc",
	"chassis_type_desc", "status", "reduced_functionality_mode", "serial_number", "system_manufacturer", "system_product_name",
	"machine_domain", "last_login_user", "tags", "groups", "device_policies.prevention.policy_id", "device_policies.prevention.applied",
	"device_policies.prevention.policy_type", "filesystem_containment_status", "collected_at", "timestamp", "provision_status", "site_name",
)

// crowdHost appends what a host document says: the inventory of the host, or a change of its posture when it is contained or its agent works
// with reduced functionality. The document does not say when it was asked for; without a collector's stamp the event has no time of its own,
// since the agent's last sign of life is what the time is measured against.
func crowdHost(r *jsonscan.Result, dst []event.Event) []event.Event {
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	e.ClassUID, e.ActivityID, e.SeverityID = event.ClassInventory, 2, severityInfo
	m := &e.Metadata
	m.Product, m.Vendor, m.LogName = "Falcon", "CrowdStrike", "Hosts"
	m.EventCode = "host"
	stamp := firstOf(r, "", chCollected, chTimestamp)
	if micros := stampMicros(stamp, nil); micros != 0 {
		e.Time, e.Envelope.TimeSource = micros, event.TimeParsed
		e.Envelope.ID = event.NewID("crowdstrike", "host", r.Str(chCustomer), r.Str(chID), stamp)
	}
	m.LoggedTime = stampMicros(r.Str(chModified), nil)
	crowdHostDevice(r, e)
	crowdHostPosture(r, e)
	if id := meant(r.Str(chPolicyID)); id != "" {
		e.Policy = &event.Policy{UID: id, Name: meant(r.Str(chPolicyKind)), IsApplied: triBool(r, chPolicyApplied)}
	}
	for v := range r.Each(chTags) {
		if tag := meant(v.Str()); tag != "" && len(m.Extend().Labels) < 32 {
			m.More.Labels = append(m.More.Labels, tag)
		}
	}
	for v := range r.Each(chGroups) {
		e.AddEntity(event.EntityGroup, event.RoleContext, event.Context, event.ObjectExtra, v.Str())
	}
	return dst
}

func crowdHostDevice(r *jsonscan.Result, e *event.Event) {
	d := &e.Device
	setCrowdHost(d, r.Str(chID), r.Str(chHostname), firstOf(r, "", chLocalIP, chConnectionIP), firstOf(r, "", chMAC, chConnectionMAC))
	d.Serial = meant(r.Str(chSerial))
	d.LastSeen = stampMicros(r.Str(chLastSeen), nil)
	d.Managed = event.True
	d.TypeID, d.Type = crowdHostType(r.Text(chProductType), r.Str(chProductTypeText), r.Str(chChassis))
	more := d.Extend()
	more.OS = firstOf(r, "", chOS, chPlatform)
	more.OSVersion = meant(r.Str(chOSVersion))
	more.Vendor, more.Model = meant(r.Str(chManufacturer)), meant(r.Str(chModel))
	more.Domain, more.Owner = meant(r.Str(chDomain)), meant(r.Str(chUser))
	e.Metadata.Version = meant(r.Str(chAgentVersion))
	e.AddEntity(event.EntityIP, event.RoleContext, event.Context, event.ObjectExtra, r.Str(chExternalIP))
}

// crowdHostType reads the kind of host from its product type (1 workstation, 2 domain controller, 3 server) and its chassis.
func crowdHostType(product, text, chassis string) (id uint8, name string) {
	switch lower := strings.ToLower(chassis); {
	case strings.Contains(lower, "laptop"), strings.Contains(lower, "notebook"):
		return 3, "Laptop"
	case strings.Contains(lower, "tablet"):
		return 4, "Tablet"
	}
	switch {
	case product == "2", product == "3", strings.EqualFold(text, "Server"), strings.EqualFold(text, "Domain Controller"):
		return 1, "Server"
	case strings.EqualFold(text, "Mobile"):
		return 5, "Mobile"
	case product == "1", strings.EqualFold(text, "Workstation"):
		return 2, "Desktop"
	}
	return 0, ""
}

// crowdHostPosture turns the document into a posture event where it says that the host is contained or its protection reduced.
func crowdHostPosture(r *jsonscan.Result, e *event.Event) {
	status := r.Str(chStatus)
	e.StatusCode = status
	reduced := strings.EqualFold(r.Text(chRFM), "yes") || strings.EqualFold(r.Text(chRFM), "true")
	switch {
	case status == "contained" || status == "containment_pending":
		crowdContainment(e, status, false)
	case status == "lift_containment_pending":
		crowdContainment(e, status, true)
	case reduced:
		e.Posture = &event.Posture{SecurityLevelID: 2, SecurityState: event.SecurityState{ID: 5, Name: "reduced functionality mode"}}
		e.SeverityID = severityLow
	default:
		return
	}
	e.ClassUID, e.ActivityID = event.ClassDeviceConfigChange, 1
	if status == "containment_pending" || status == "lift_containment_pending" {
		e.StatusID = 99
	}
}
