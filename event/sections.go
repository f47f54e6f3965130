package event

// The sections in this file sit behind pointers because most events have none of them.

// Group is OCSF group.
type Group struct {
	UID    string `ocsf:"uid,1"`
	Name   string `ocsf:"name,2,taint"`
	Domain string `ocsf:"domain,3"`
	Type   string `ocsf:"type,4"`
}

// Entity is OCSF managed_entity: what an administrator created, changed or removed.
type Entity struct {
	UID    string `ocsf:"uid,1"`
	Name   string `ocsf:"name,2,taint"`
	Type   string `ocsf:"type,3"`
	TypeID uint8  `ocsf:"type_id,4,enum"`
}

// API is OCSF api.
type API struct {
	Operation    string `ocsf:"operation,1,taint"`              // The verb or method called.
	Service      string `ocsf:"service.name,2"`                 // The service called.
	Version      string `ocsf:"version,3"`                      // Its version.
	RequestUID   string `ocsf:"request.uid,4"`                  // Identifier of the request.
	ResponseCode Int    `ocsf:"response.code,5"`                // Numeric result.
	Error        string `ocsf:"response.error,6"`               // Error name.
	ErrorMessage string `ocsf:"response.error_message,7,taint"` // Error text.
}

// Product is OCSF product, used for the application of application_lifecycle. PrevVersion is ours.
type Product struct {
	UID         string `ocsf:"uid,1"`
	Name        string `ocsf:"name,2,taint"`
	Vendor      string `ocsf:"vendor_name,3"`
	Version     string `ocsf:"version,4"`
	Path        string `ocsf:"path,5,taint"`
	PrevVersion string `ocsf:"prev_version,6,enrich"` // Version before the change, where the source says.
	Hash        string `ocsf:"hash,7,enrich"`         // Digest of the installed package, where the source says.
	Signed      Bool   `ocsf:"is_signed,8,enrich"`    // The package's signature was verified.
}

// HTTPRequest is OCSF http_request.
type HTTPRequest struct {
	Method    string `ocsf:"http_method,1,taint"`
	URL       string `ocsf:"url.url_string,2,taint"`
	Host      string `ocsf:"url.hostname,3,taint"`
	Path      string `ocsf:"url.path,4,taint"`
	Query     string `ocsf:"url.query_string,5,taint"`
	Scheme    string `ocsf:"url.scheme,6"`
	UserAgent string `ocsf:"user_agent,7,taint"`
	Referrer  string `ocsf:"referrer,8,taint"`
	Version   string `ocsf:"version,9,taint"`
	UID       string `ocsf:"uid,10"`
}

// HTTPResponse is OCSF http_response.
type HTTPResponse struct {
	Code        Int    `ocsf:"code,1"`
	Status      string `ocsf:"status,2"`
	ContentType string `ocsf:"content_type,3,taint"`
	Length      Int    `ocsf:"length,4"`
}

// DNSQuery is OCSF dns_query.
type DNSQuery struct {
	Hostname string `ocsf:"hostname,1,taint"`
	Type     string `ocsf:"type,2"`
	Class    string `ocsf:"class,3"`
	OpcodeID Int    `ocsf:"opcode_id,4"`
}

// DNS holds the attributes that dns_activity has at top level.
type DNS struct {
	Query   DNSQuery  `ocsf:"query,1"`
	Answer  DNSAnswer `ocsf:"answers,2,list"`
	RcodeID Int       `ocsf:"rcode_id,3"` // Response code of the query.
	Rcode   string    `ocsf:"rcode,4"`    // Response code in words.
}

// DNSAnswer is OCSF dns_answer; further answers are joined by commas in Rdata's order of arrival.
type DNSAnswer struct {
	Rdata string `ocsf:"rdata,1,taint"`
	Type  string `ocsf:"type,2"`
	TTL   Int    `ocsf:"ttl,3"`
}

// TLS is OCSF tls.
type TLS struct {
	Version    string `ocsf:"version,1"`
	Cipher     string `ocsf:"cipher,2"`
	SNI        string `ocsf:"sni,3,taint"`
	Subject    string `ocsf:"certificate.subject,4,taint"`
	Issuer     string `ocsf:"certificate.issuer,5,taint"`
	Serial     string `ocsf:"certificate.serial_number,6"`
	NotAfter   int64  `ocsf:"certificate.expiration_time,7,time"`
	SelfSigned Bool   `ocsf:"certificate.is_self_signed,8"`
	JA3        string `ocsf:"ja3_hash.value,9"`
	JA3S       string `ocsf:"ja3s_hash.value,10"`
}

// SSH holds the attributes that ssh_activity has at top level.
type SSH struct {
	ClientHASSH string `ocsf:"client_hassh.fingerprint.value,1"`
	ServerHASSH string `ocsf:"server_hassh.fingerprint.value,2"`
	Version     string `ocsf:"protocol_ver,3,taint"`
	AuthTypeID  uint8  `ocsf:"auth_type_id,4,enum"`
	AuthType    string `ocsf:"auth_type,5"`
}

// Process is OCSF process.
type Process struct {
	PID        Int    `ocsf:"pid,1"`
	UID        string `ocsf:"uid,2"`
	Name       string `ocsf:"name,3,taint"`
	CmdLine    string `ocsf:"cmd_line,4,taint"`
	Path       string `ocsf:"file.path,5,taint"`
	SHA256     string `ocsf:"file.sha256,6"` // Written as file.hashes[].
	MD5        string `ocsf:"file.md5,7"`
	User       string `ocsf:"user.name,8,taint"`
	ParentPID  Int    `ocsf:"parent_process.pid,9"`
	ParentName string `ocsf:"parent_process.name,10,taint"`
	ParentCmd  string `ocsf:"parent_process.cmd_line,11,taint"`
	CreatedAt  int64  `ocsf:"created_time,12,time"`
	EndedAt    int64  `ocsf:"terminated_time,13,time"`
	FileName   string `ocsf:"file.name,14,taint"` // Only where there is no path to read it from.
	SHA1       string `ocsf:"file.sha1,15"`
	UserUID    string `ocsf:"user.uid,16"`
	ParentUID  string `ocsf:"parent_process.uid,17"`
	ParentPath string `ocsf:"parent_process.file.path,18,taint"`
}

// File is OCSF file.
type File struct {
	Name   string `ocsf:"name,1,taint"`
	Path   string `ocsf:"path,2,taint"`
	Size   Int    `ocsf:"size,3"`
	TypeID uint8  `ocsf:"type_id,4,enum"`
	SHA256 string `ocsf:"sha256,5"` // Written as hashes[].
	SHA1   string `ocsf:"sha1,6"`
	MD5    string `ocsf:"md5,7"`
}

// System holds what the classes of an operating system's own parts have at top level: registry, scripts, scheduled jobs, services, event logs. The
// file of a module, a driver, a script or a job is Event.File, and is written where the class has it.
type System struct {
	RegKey       string `ocsf:"reg_key.path,1,taint"`                    // Registry key.
	RegValuePath string `ocsf:"reg_value.path,2,taint"`                  // Registry key that holds the value.
	RegValueName string `ocsf:"reg_value.name,3,taint"`                  // Name of the registry value.
	RegValueData string `ocsf:"reg_value.data,4,taint"`                  // What was written into it.
	PrevRegKey   string `ocsf:"prev_reg_key.path,5,taint"`               // The key's path before it was renamed.
	Script       string `ocsf:"script.script_content.value,6,taint"`     // Text of the script that ran.
	ScriptType   string `ocsf:"script.type,7"`                           // Its language.
	Job          string `ocsf:"job.name,8,taint"`                        // Scheduled job or task.
	JobCmd       string `ocsf:"job.cmd_line,9,taint"`                    // What it runs.
	Service      string `ocsf:"win_service.name,10,taint"`               // Windows service.
	ServiceCmd   string `ocsf:"win_service.cmd_line,11,taint"`           // What it runs.
	ServiceUser  string `ocsf:"win_service.service_start_name,12,taint"` // The account it runs under.
	LogName      string `ocsf:"log_name,13"`                             // The event log that the event is about.
	LogProvider  string `ocsf:"log_provider,14"`                         // Who writes to that log.
}

// Finding is OCSF finding_info with the attributes that detection_finding has beside it.
type Finding struct {
	UID          string   `ocsf:"uid,1"`
	Title        string   `ocsf:"title,2,taint"`
	Desc         string   `ocsf:"desc,3,taint"`
	Types        []string `ocsf:"types,4"`
	AnalyticUID  string   `ocsf:"analytic.uid,5"`
	AnalyticName string   `ocsf:"analytic.name,6"`
	AnalyticType uint8    `ocsf:"analytic.type_id,7,enum"` // 1 rule, 2 behavioural, 4 learning …
	SrcURL       string   `ocsf:"src_url,8,taint"`
	CreatedAt    int64    `ocsf:"created_time,9,time"`
	ModifiedAt   int64    `ocsf:"modified_time,10,time"`
	Techniques   []string `ocsf:"techniques,11"` // ATT&CK technique ids; written as attacks[].technique.uid.
	Tactics      []string `ocsf:"tactics,12"`    // ATT&CK tactic names or ids.
	IsAlert      Bool     `ocsf:"is_alert,13"`
	Related      []string `ocsf:"related,14"` // Ids of related events or parents.
}

// Compliance is OCSF compliance.
type Compliance struct {
	StatusID  uint8    `ocsf:"status_id,1,enum"` // 1 pass, 2 warning, 3 fail.
	Status    string   `ocsf:"status,2"`
	Control   string   `ocsf:"control,3"`
	Desc      string   `ocsf:"desc,4,taint"`
	Standards []string `ocsf:"standards,5"`
}

// Vulnerability is OCSF vulnerability.
type Vulnerability struct {
	CVE         string `ocsf:"cve.uid,1"`
	Title       string `ocsf:"title,2,taint"`
	Severity    string `ocsf:"severity,3"`
	Exploitable Bool   `ocsf:"is_exploit_available,4"`
	Package     string `ocsf:"affected_packages.name,5,list,taint"`
	PackageVer  string `ocsf:"affected_packages.version,6,list"`
}

// Robot is the extension's robot object: the machine and the state it reports.
type Robot struct {
	UID            string `ocsf:"uid,1"`                          // manufacturer/serialNumber, or the best id the source gives.
	Name           string `ocsf:"name,2"`                         // Fleet or node name.
	Hostname       string `ocsf:"hostname,3"`                     // DNS name.
	IP             string `ocsf:"ip,4"`                           // Address in canonical text form.
	MAC            string `ocsf:"mac,5"`                          // Hardware address.
	Serial         string `ocsf:"hw_info.serial_number,6"`        // Serial number.
	Vendor         string `ocsf:"vendor_name,7"`                  // Manufacturer.
	Model          string `ocsf:"model,8"`                        // Model or series.
	Fleet          string `ocsf:"fleet,9"`                        // Fleet it belongs to.
	ModeID         uint8  `ocsf:"operating_mode_id,10,enum"`      // 1 automatic, 2 semi-automatic, 3 manual, 4 service, 5 teach-in, 6 startup, 7 intervened.
	PrevModeID     uint8  `ocsf:"prev_operating_mode_id,11,enum"` // The mode before, where the source says.
	SafetyStateID  uint8  `ocsf:"safety_state_id,12,enum"`        // 1 normal, 2 reduced, 3 protective stop, 6 and 7 emergency stops …
	ConnectionID   uint8  `ocsf:"connection_state_id,13,enum"`    // 1 online, 2 offline, 3 connection broken, 4 hibernating.
	EStopKindID    uint8  `ocsf:"estop_kind_id,14,enum"`          // 1 none, 2 manual, 3 remote, 4 auto-acknowledge.
	EStopped       Bool   `ocsf:"is_estopped,15"`                 // An emergency stop is active.
	FieldViolated  Bool   `ocsf:"is_field_violated,16"`           // A protective field is violated.
	SafetyChecksum string `ocsf:"safety_checksum,17"`             // Checksum of the safety configuration.
	ProgramUID     string `ocsf:"program_uid,18,taint"`           // Program loaded.
	OrderUID       string `ocsf:"order_uid,19,taint"`             // Order or mission carried out.
	OrderUpdate    Int    `ocsf:"order_update_id,20"`             // Its update number.
	MapUID         string `ocsf:"map_uid,21,taint"`               // Map in use.
	Battery        Float  `ocsf:"battery_pct,22"`                 // State of charge in per cent.
	Pose           *Pose  `ocsf:"pose,23"`                        // Where it stands.
	Firmware       string `ocsf:"controller_fw,24"`               // Controller firmware version.
	Protocol       string `ocsf:"protocol_version,25"`            // Version of the robot protocol.
	HeaderID       Int    `ocsf:"header_id,26"`                   // Message counter of the robot.
	Asset          string `ocsf:"asset,27,enrich"`                // Canonical asset id.
	Site           string `ocsf:"site,28,enrich"`                 // Plant.
	Zone           string `ocsf:"zone,29"`                        // Zone or cell.
	Critical       uint8  `ocsf:"criticality,30,enrich"`          // 1 low to 4 critical.
	HumansNear     Bool   `ocsf:"humans_near,31,enrich"`          // People work beside it.
	Restricted     Bool   `ocsf:"restricted_area,32,enrich"`      // It stands in a restricted area.
	Latency        Int    `ocsf:"latency,33"`                     // Milliseconds from its own stamp of a message to when the transport took it on; below 0: its clock is ahead.
}

// Pose is a planar pose: metres and radians in the frame of the map.
type Pose struct {
	X     Float  `ocsf:"x,1"`
	Y     Float  `ocsf:"y,2"`
	Theta Float  `ocsf:"theta,3"`
	Map   string `ocsf:"map_uid,4,taint"`
}

// Command is the extension's robot_command.
type Command struct {
	UID         string `ocsf:"uid,1"`                // Identifier of the action or order.
	Name        string `ocsf:"name,2,taint"`         // Verb as sent, such as startPause or updateCertificate.
	Type        string `ocsf:"type,3"`               // Class of command, such as instantAction.
	Args        string `ocsf:"args,4,taint"`         // Parameters as text.
	Sequence    Int    `ocsf:"sequence,5"`           // Counter of the sender.
	SessionUID  string `ocsf:"session_uid,6"`        // Boot or session the counter belongs to.
	Hash        string `ocsf:"checksum,7"`           // Digest of the payload.
	SafetyClass Int    `ocsf:"safety_class,8"`       // 0 harmless to 3 dangerous.
	URL         string `ocsf:"src_url,9,taint"`      // Download link the command carries.
	MapUID      string `ocsf:"map_uid,10,taint"`     // Map the command refers to.
	ProgramUID  string `ocsf:"program_uid,11,taint"` // Program the command refers to.
}

// Fault is the extension's robot_fault.
type Fault struct {
	Code    string   `ocsf:"fault_code,1"`
	Name    string   `ocsf:"name,2,taint"`
	LevelID uint8    `ocsf:"level_id,3,enum"` // 1 info, 2 warning, 3 urgent, 4 critical, 5 fatal.
	Desc    string   `ocsf:"desc,4,taint"`
	Source  string   `ocsf:"source,5"`
	Refs    []string `ocsf:"refs,6"`
}

// OTCommand is the extension's ot_command object.
type OTCommand struct {
	Protocol      string `ocsf:"protocol_name,1"`    // modbus, dnp3, s7comm, opcua …
	FunctionCode  Int    `ocsf:"function_code,2"`    // Number of the function.
	Function      string `ocsf:"function_name,3"`    // Name of the function.
	Address       string `ocsf:"address,4"`          // Register, tag or node.
	Quantity      Int    `ocsf:"quantity,5"`         // How many.
	Value         string `ocsf:"value,6,taint"`      // Value written or read.
	PrevValue     string `ocsf:"prev_value,7,taint"` // Value before.
	UnitUID       string `ocsf:"unit_uid,8"`         // Unit or slave id.
	ExceptionCode Int    `ocsf:"exception_code,9"`   // Exception returned.
	IsWrite       Bool   `ocsf:"is_write,10"`        // It changes something.
}

// ChangeTicket is the extension's change_ticket object: an approved change or maintenance window.
type ChangeTicket struct {
	UID       string   `ocsf:"uid,1"`
	Title     string   `ocsf:"title,2,taint"`
	State     string   `ocsf:"state,3"`
	Scope     string   `ocsf:"scope,4"` // robot, device, network, identity …
	Start     int64    `ocsf:"start_time,5,time"`
	End       int64    `ocsf:"end_time,6,time"`
	Requester string   `ocsf:"requester.name,7"`
	Approver  string   `ocsf:"approver.name,8"`
	Resources []string `ocsf:"resource_uids,9"` // Robots or devices the change is for.
	Site      string   `ocsf:"site,10"`
	Zone      string   `ocsf:"zone,11"`
}

// EndpointMore holds the rarer attributes of an endpoint.
type EndpointMore struct {
	Interface   string   `ocsf:"interface_name,9"`     // Interface or switch port.
	Domain      string   `ocsf:"domain,11,taint"`      // DNS or Windows domain.
	ServiceName string   `ocsf:"svc_name,12"`          // Service at the endpoint.
	OS          string   `ocsf:"os.name,13"`           // Operating system.
	Location    Location `ocsf:"location,14"`          // Where in the world.
	AS          AS       `ocsf:"autonomous_system,15"` // Autonomous system of the address.
}

// DeviceMore holds the rarer attributes of a device.
type DeviceMore struct {
	AltUID    string `ocsf:"uid_alt,2"`              // A second identifier of the same device.
	IMEI      string `ocsf:"imei_list,8,list"`       // IMEI.
	UDID      string `ocsf:"udid,9"`                 // Apple unique device id.
	Model     string `ocsf:"model,10,taint"`         // Model.
	Vendor    string `ocsf:"vendor_name,11"`         // Manufacturer.
	OS        string `ocsf:"os.name,14"`             // Operating system.
	OSVersion string `ocsf:"os.version,15"`          // Its version.
	Domain    string `ocsf:"domain,16"`              // Domain joined.
	Owner     string `ocsf:"owner.name,17,taint"`    // Owner as reported, usually a UPN.
	AgentUID  string `ocsf:"agent_list.uid,18,list"` // EDR or MDM agent on the device.
}

// ActorMore holds the rarer attributes of an actor.
type ActorMore struct {
	AppName string   `ocsf:"app_name,3,taint"` // The application that acted.
	AppUID  string   `ocsf:"app_uid,4"`        // Identifier of that application.
	IdP     IdP      `ocsf:"idp,5"`            // The identity provider that vouched.
	Process *Process `ocsf:"process,6"`        // The process that acted.
}

// MetadataMore holds the rarer attributes of metadata.
type MetadataMore struct {
	Feature     string   `ocsf:"product.feature.name,4"` // Part of the product.
	Correlation string   `ocsf:"correlation_uid,8"`      // The product's own correlation id.
	Reporter    Reporter `ocsf:"reporter,10"`            // The sensor, collector or appliance; never a join key.
	Sequence    Int      `ocsf:"sequence,11"`            // The product's own sequence number.
	Labels      []string `ocsf:"labels,12"`              // Labels given by the source.
}

// Posture holds the attributes that device_config_state_change has at top level.
type Posture struct {
	SecurityLevelID     uint8         `ocsf:"security_level_id,30,enum"`      // Posture now: 1 secure, 2 at risk, 3 compromised.
	PrevSecurityLevelID uint8         `ocsf:"prev_security_level_id,31,enum"` // Posture before.
	ConfigStateID       uint8         `ocsf:"state_id,32,enum"`               // Configuration state of device_config_state_change.
	SecurityState       SecurityState `ocsf:"security_states,33,list"`        // Why the posture is what it is.
	PrevSecurityState   SecurityState `ocsf:"prev_security_states,34,list"`   // Why the posture was what it was.
}

// Access holds what was acted on and the rights at stake.
type Access struct {
	Resource   Resource `ocsf:"resources,47,list"` // The object acted on.
	Privileges []string `ocsf:"privileges,48"`     // Privileges granted or removed.
}

// Extend gives the rarer attributes, made if absent.
func (p *Endpoint) Extend() *EndpointMore {
	if p.More == nil {
		p.More = new(EndpointMore)
	}
	return p.More
}

// Extend gives the rarer attributes, made if absent.
func (d *Device) Extend() *DeviceMore {
	if d.More == nil {
		d.More = new(DeviceMore)
	}
	return d.More
}

// Extend gives the rarer attributes, made if absent.
func (a *Actor) Extend() *ActorMore {
	if a.More == nil {
		a.More = new(ActorMore)
	}
	return a.More
}

// Extend gives the rarer attributes, made if absent.
func (m *Metadata) Extend() *MetadataMore {
	if m.More == nil {
		m.More = new(MetadataMore)
	}
	return m.More
}
