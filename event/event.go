// Package event is the vocabulary of Tocsin: records as they arrive, the canonical event they become, the entities an event names and
// the batch that carries them. It imports nothing else of this project but the OCSF tables beneath it.
//
// An Event is OCSF 1.8.0 (plus the robot and OT extension, docs/ocsf-extension) as one plain Go struct. From its tags the generator
// in internal/gen derives the field table (fields_gen.go) that rules are checked and compiled against, and the compact binary form
// (codec_gen.go) that the store keeps. Tags read `ocsf:"name,number[,option…]"`: number identifies the field inside its struct in the
// compact form and is never reused. Options: taint (an outsider can write it), time (microseconds here, OCSF milliseconds outside),
// enum (a number with a caption), list (OCSF wants an array; we keep its first element), enrich (added by enrichment; written to OCSF as
// an enrichment). Unknown is the zero value throughout: it is never written and never equals a known false or a known 0.
package event

//go:generate go run ./internal/gen

// Event is one normalised occurrence. The zero value of every field means unknown. Strings may alias the record the event was decoded
// from; they are valid as long as the batch is. An Event is not safe for concurrent modification.
type Event struct {
	Envelope Envelope `ocsf:"-"`

	ClassUID   uint32 `ocsf:"class_uid,1"`        // OCSF class, such as 3002 for Authentication.
	ActivityID uint16 `ocsf:"activity_id,2"`      // Activity within the class.
	Activity   string `ocsf:"activity_name,3"`    // Caption of the activity; set only where activity_id is 99 (Other).
	SeverityID uint8  `ocsf:"severity_id,4,enum"` // 1 informational, 2 low, 3 medium, 4 high, 5 critical, 6 fatal.
	StatusID   uint8  `ocsf:"status_id,5,enum"`   // 1 success, 2 failure.

	Time      int64 `ocsf:"time,6,time"`       // When it happened.
	StartTime int64 `ocsf:"start_time,7,time"` // Start of the period the event is about.
	EndTime   int64 `ocsf:"end_time,8,time"`   // End of the period the event is about.

	StatusCode    string `ocsf:"status_code,9"`          // The source's own result code.
	StatusDetail  string `ocsf:"status_detail,10,taint"` // The source's own words for the result.
	Message       string `ocsf:"message,11,taint"`       // The source's own description.
	Count         int32  `ocsf:"count,12"`               // How many occurrences the event stands for, if more than one.
	ActionID      uint8  `ocsf:"action_id,13,enum"`      // 1 allowed, 2 denied.
	DispositionID uint8  `ocsf:"disposition_id,14,enum"` // Outcome of a control: 2 blocked, 3 quarantined, 4 isolated …
	RiskLevelID   uint8  `ocsf:"risk_level_id,15,enum"`  // Risk as the source rates it.
	ConfidenceID  uint8  `ocsf:"confidence_id,16,enum"`  // Confidence as the source rates it.
	RiskScore     Int    `ocsf:"risk_score,17"`          // Risk score as the source gives it.

	AuthProtocolID uint8      `ocsf:"auth_protocol_id,20,enum"` // 4 OIDC, 5 SAML, 9 EAP, 10 RADIUS …
	LogonTypeID    uint8      `ocsf:"logon_type_id,21,enum"`    // 2 interactive, 3 network …
	IsMFA          Bool       `ocsf:"is_mfa,22"`                // A second factor was used.
	IsRemote       Bool       `ocsf:"is_remote,23"`             // The logon came over the network.
	IsCleartext    Bool       `ocsf:"is_cleartext,24"`          // Credentials were readable on the wire.
	AuthProtocol   string     `ocsf:"auth_protocol,25"`         // The protocol in the source's words, such as EAP-TLS.
	LogonType      string     `ocsf:"logon_type,26"`            // The logon type in the source's words.
	AuthFactor     AuthFactor `ocsf:"auth_factors,27,list"`     // The factor used or asked for.

	Policy *Policy `ocsf:"policy,35"` // The policy that decided.

	Actor       Actor    `ocsf:"actor,40"`        // Who did it.
	User        User     `ocsf:"user,41"`         // Who it was done to, or who signed in.
	SrcEndpoint Endpoint `ocsf:"src_endpoint,42"` // Where it came from.
	DstEndpoint Endpoint `ocsf:"dst_endpoint,43"` // Where it went to.
	Device      Device   `ocsf:"device,44"`       // The device it is about.
	Session     Session  `ocsf:"session,45"`      // The session it belongs to.
	Service     Service  `ocsf:"service,46"`      // The service signed in to.

	Connection  Connection `ocsf:"connection_info,50"`   // The network connection.
	Traffic     *Traffic   `ocsf:"traffic,51"`           // Its volume; nil if unknown.
	AppProtocol string     `ocsf:"app_protocol_name,52"` // Application protocol, lower case, such as modbus or ssh.
	LeaseDur    int32      `ocsf:"lease_dur,53"`         // DHCP lease time in seconds.
	IsRenewal   Bool       `ocsf:"is_renewal,54"`        // The DHCP lease was renewed.

	Metadata Metadata `ocsf:"metadata,60"` // The product that reported it.

	// Rare sections: nil when the event has nothing to say about them.
	Posture       *Posture       `ocsf:"-,68,flat"`
	Access        *Access        `ocsf:"-,69,flat"`
	Group         *Group         `ocsf:"group,70"`
	Entity        *Entity        `ocsf:"entity,71"`
	API           *API           `ocsf:"api,72"`
	App           *Product       `ocsf:"app,73"`
	HTTPRequest   *HTTPRequest   `ocsf:"http_request,74"`
	HTTPResponse  *HTTPResponse  `ocsf:"http_response,75"`
	DNS           *DNS           `ocsf:"-,76,flat"`
	TLS           *TLS           `ocsf:"tls,78"`
	SSH           *SSH           `ocsf:"-,79,flat"`
	Process       *Process       `ocsf:"process,80"`
	File          *File          `ocsf:"file,81"`
	Finding       *Finding       `ocsf:"finding_info,82"`
	Compliance    *Compliance    `ocsf:"compliance,83"`
	Vulnerability *Vulnerability `ocsf:"vulnerabilities,84,list"`
	Robot         *Robot         `ocsf:"robot,85"`
	Command       *Command       `ocsf:"robot_command,86"`
	Fault         *Fault         `ocsf:"fault,87"`
	OT            *OTCommand     `ocsf:"ot,88"`
	ChangeTicket  *ChangeTicket  `ocsf:"change_ticket,89"`
	System        *System        `ocsf:"-,91,flat"`

	// Raw holds the source's own fields of formats that have more of them than the model (SetRaw). Expressions read them by raw(name).
	Raw []RawField `ocsf:"-,90,raw"`
	// Unmapped holds what the model has no field for, in source order. Rules do not see it.
	Unmapped []Attribute `ocsf:"-"`
	// Entities are the identities the event names, with the canonical ids that enrichment gave them.
	Entities []EntityRef `ocsf:"-"`
}

// Attribute is one leftover of the source that OCSF has no place for.
type Attribute struct{ Key, Value string }

// AuthFactor is OCSF auth_factor.
type AuthFactor struct {
	TypeID uint8  `ocsf:"factor_type_id,1,enum"` // 1 SMS, 5 push notification, 7 OTP, 10 WebAuthn, 11 password.
	Type   string `ocsf:"factor_type,2"`         // The factor in the source's words.
}

// SecurityState is OCSF security_state.
type SecurityState struct {
	ID   uint8  `ocsf:"state_id,1,enum"` // 3 in network quarantine, 9 reboot pending, 21 rooted, 23 compliance failure …
	Name string `ocsf:"state,2"`         // The state in the source's words.
}

// Policy is OCSF policy.
type Policy struct {
	UID       string `ocsf:"uid,1"`        // Identifier of the policy.
	Name      string `ocsf:"name,2"`       // Name of the policy or rule that decided.
	IsApplied Bool   `ocsf:"is_applied,4"` // The policy took effect.
}

// User is OCSF user, with what the identity file adds.
type User struct {
	UID        string   `ocsf:"uid,1"`                  // Identifier at the source, such as an object id or SID.
	Name       string   `ocsf:"name,2,taint"`           // Login name.
	Email      string   `ocsf:"email_addr,3,taint"`     // E-mail address or UPN, lower case.
	Domain     string   `ocsf:"domain,4,taint"`         // Windows or Kerberos domain.
	FullName   string   `ocsf:"full_name,5,taint"`      // Display name.
	Type       string   `ocsf:"type,6"`                 // Account type in the source's words.
	TypeID     uint8    `ocsf:"type_id,7,enum"`         // 1 user, 2 admin, 3 system, 4 service …
	HasMFA     Bool     `ocsf:"has_mfa,8"`              // A second factor is enrolled.
	CredUID    string   `ocsf:"credential_uid,9"`       // Credential used, such as a certificate serial.
	Roles      []string `ocsf:"roles,10,enrich"`        // Roles from the identity file.
	Kind       string   `ocsf:"kind,11,enrich"`         // employee, contractor, service, vendor.
	Country    string   `ocsf:"home_country,12,enrich"` // ISO 3166 alpha-2 of the home country.
	Privileged Bool     `ocsf:"privileged,14,enrich"`   // The account has far-reaching rights.
	Departed   Bool     `ocsf:"departed,15,enrich"`     // The person has left.
	OnShift    Bool     `ocsf:"on_shift,13,enrich"`     // The event fell into the person's working hours.
}

// Actor is OCSF actor.
type Actor struct {
	User    User       `ocsf:"user,1"`    // The acting account.
	Session Session    `ocsf:"session,2"` // The session it acted in.
	More    *ActorMore `ocsf:"-,10,flat"` // The rest; nil if nothing of it is known.
}

// IdP is OCSF idp.
type IdP struct {
	UID  string `ocsf:"uid,1"`
	Name string `ocsf:"name,2"`
}

// Session is OCSF session.
type Session struct {
	UID    string `ocsf:"uid,1"`    // Identifier, unique within one source family.
	Issuer string `ocsf:"issuer,2"` // Who issued it.
}

// Service is OCSF service.
type Service struct {
	UID  string `ocsf:"uid,1"`
	Name string `ocsf:"name,2"`
}

// Endpoint is OCSF network_endpoint, with what enrichment adds.
type Endpoint struct {
	UID      string        `ocsf:"uid,1"`                  // Identifier at the source.
	Name     string        `ocsf:"name,2,taint"`           // Short name.
	Hostname string        `ocsf:"hostname,3,taint"`       // Host name, lower case, as reported.
	IP       string        `ocsf:"ip,4"`                   // Address in canonical text form.
	MAC      string        `ocsf:"mac,5"`                  // Hardware address, lower case with colons.
	Port     uint16        `ocsf:"port,6"`                 // TCP or UDP port.
	TypeID   uint8         `ocsf:"type_id,7,enum"`         // OCSF endpoint type.
	Type     string        `ocsf:"type,8"`                 // The type in words: PLC, Robot, HMI …
	VLAN     string        `ocsf:"vlan_uid,10"`            // VLAN number or name.
	Zone     string        `ocsf:"zone,16"`                // Network zone, from the source or the zones file.
	Purdue   Float         `ocsf:"purdue_level,17,enrich"` // Purdue level of the zone, 0 to 5.
	Kind     string        `ocsf:"kind,18,enrich"`         // Asset kind from the inventory: plc, hmi, robot, workstation …
	Asset    string        `ocsf:"asset,19,enrich"`        // Canonical asset id.
	Critical uint8         `ocsf:"criticality,20,enrich"`  // 1 low to 4 critical, from the inventory.
	More     *EndpointMore `ocsf:"-,30,flat"`              // The rest; nil if nothing of it is known.
}

// Location is OCSF location.
type Location struct {
	Country string `ocsf:"country,1"` // ISO 3166 alpha-2.
	City    string `ocsf:"city,2"`
	Region  string `ocsf:"region,3"`
}

// AS is OCSF autonomous_system.
type AS struct {
	Number uint32 `ocsf:"number,1"`
	Name   string `ocsf:"name,2"`
}

// Device is OCSF device, with what the inventory adds.
type Device struct {
	UID       string      `ocsf:"uid,1"`                       // EDR agent id, MDM id or directory id.
	Name      string      `ocsf:"name,3,taint"`                // Name as reported.
	Hostname  string      `ocsf:"hostname,4,taint"`            // Host name, lower case.
	IP        string      `ocsf:"ip,5"`                        // Address in canonical text form.
	MAC       string      `ocsf:"mac,6"`                       // Hardware address, lower case with colons.
	Serial    string      `ocsf:"hw_info.serial_number,7"`     // Serial number.
	TypeID    uint8       `ocsf:"type_id,12,enum"`             // OCSF device type; 99 for robots and PLCs on core classes.
	Type      string      `ocsf:"type,13"`                     // The type in words: Robot, PLC, Laptop …
	LastSeen  int64       `ocsf:"last_seen_time,19,time"`      // When the agent was last heard of.
	Compliant Bool        `ocsf:"is_compliant,20"`             // MDM compliance.
	Managed   Bool        `ocsf:"is_managed,21"`               // Enrolled in management.
	Trusted   Bool        `ocsf:"is_trusted,22"`               // Trusted by the directory.
	Personal  Bool        `ocsf:"is_personal,23"`              // Privately owned.
	Zone      string      `ocsf:"zone,24"`                     // Network zone.
	VLAN      string      `ocsf:"vlan_uid,25"`                 // VLAN number or name.
	Asset     string      `ocsf:"asset,26,enrich"`             // Canonical asset id.
	Kind      string      `ocsf:"kind,27,enrich"`              // Asset kind from the inventory.
	Critical  uint8       `ocsf:"criticality,28,enrich"`       // 1 low to 4 critical.
	AgeHours  Float       `ocsf:"posture_age_hours,29,enrich"` // Hours since the agent was last heard of, at the event's time.
	More      *DeviceMore `ocsf:"-,40,flat"`                   // The rest; nil if nothing of it is known.
}

// Resource is OCSF resource_details.
type Resource struct {
	UID  string `ocsf:"uid,1"`
	Name string `ocsf:"name,2,taint"`
	Type string `ocsf:"type,3"`
}

// Connection is OCSF network_connection_info.
type Connection struct {
	UID          string `ocsf:"uid,1"`               // Flow identifier of the sensor.
	CommunityUID string `ocsf:"community_uid,2"`     // Community id of the flow.
	Protocol     string `ocsf:"protocol_name,3"`     // tcp, udp, icmp.
	ProtocolNum  Int    `ocsf:"protocol_num,4"`      // IANA number.
	DirectionID  uint8  `ocsf:"direction_id,5,enum"` // 1 inbound, 2 outbound, 3 lateral.
	Flags        string `ocsf:"flag_history,6"`      // State history of the connection.
}

// Traffic is OCSF network_traffic. All counts cover the event's period.
type Traffic struct {
	Bytes      Int `ocsf:"bytes,1"`        // Bytes both ways.
	BytesIn    Int `ocsf:"bytes_in,2"`     // Bytes received by the source.
	BytesOut   Int `ocsf:"bytes_out,3"`    // Bytes sent by the source.
	Packets    Int `ocsf:"packets,4"`      // Packets both ways.
	PacketsIn  Int `ocsf:"packets_in,5"`   // Packets received by the source.
	PacketsOut Int `ocsf:"packets_out,6"`  // Packets sent by the source.
	Missed     Int `ocsf:"bytes_missed,7"` // Bytes that should have been there and were not seen: lost on the way, or by the sensor.
}

// Metadata is OCSF metadata as far as the source determines it.
type Metadata struct {
	Product     string        `ocsf:"product.name,1"`        // Product that reported the event.
	Vendor      string        `ocsf:"product.vendor_name,2"` // Its vendor.
	Version     string        `ocsf:"product.version,3"`     // Its version.
	LogName     string        `ocsf:"log_name,5"`            // Log or stream within the product.
	EventCode   string        `ocsf:"event_code,6"`          // The product's own event id or type.
	OriginalUID string        `ocsf:"original_event_uid,7"`  // The product's unique id of this event.
	LoggedTime  int64         `ocsf:"logged_time,9,time"`    // When the product wrote the record.
	More        *MetadataMore `ocsf:"-,20,flat"`             // The rest; nil if nothing of it is known.
}

// Reporter is OCSF reporter.
type Reporter struct {
	UID      string `ocsf:"uid,1"`
	Name     string `ocsf:"name,2"`
	Hostname string `ocsf:"hostname,3"`
	IP       string `ocsf:"ip,4"`
}
