package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// Slots of crowdAuditPlan.
const (
	caOperation = iota
	caService
	caUser
	caIP
	caSourceIP
	caSuccess
	caTime
	caMessage
	caPairs
	caAttributes
	caSession
	caHost
	caUserName
	caStart
	caEnd
	caCommands
)

var crowdAuditPlan = jsonscan.Compile(
	"OperationName", "ServiceName", "UserId", "UserIp", "SourceIp", "Success", "UTCTimestamp", "Message", "AuditKeyValues", "Attributes",
	"SessionId", "HostnameField", "UserName", "StartTimestamp", "EndTimestamp", "Commands",
)

var (
	crowdPairPlan = jsonscan.Compile("Key", "ValueString", "Value")
	crowdCallPlan = jsonscan.Compile(
		"APIClientID", "request_method", "request_path", "status_code", "user_agent", "trace_id", "user_ip", "scopes", "client_id",
	)
)

// crowdRules are the operations of the audit events, from the event streams dictionary, in lower case.
var crowdRules = map[string]idpRule{
	"userauthenticate":             {event.ClassAuthentication, authLogon, ""},
	"saml2assert":                  {event.ClassAuthentication, authLogon, ""},
	"ssouserauthenticate":          {event.ClassAuthentication, authLogon, ""},
	"streamstarted":                {event.ClassAuthentication, authLogon, ""},
	"streamstopped":                {event.ClassAuthentication, authLogoff, ""},
	"userlogout":                   {event.ClassAuthentication, authLogoff, ""},
	"twofactorauthenticate":        idpMFAChallenge,
	"twofactorauthsuccess":         idpMFAChallenge,
	"createuser":                   {event.ClassAccountChange, accountCreate, ""},
	"activateuser":                 {event.ClassAccountChange, accountEnable, ""},
	"deactivateuser":               {event.ClassAccountChange, accountDisable, ""},
	"deleteuser":                   {event.ClassAccountChange, accountDelete, ""},
	"updateuser":                   {event.ClassAccountChange, activityOther, "Update User"},
	"changepassword":               {event.ClassAccountChange, accountPassword, ""},
	"setpassword":                  {event.ClassAccountChange, accountPassword, ""},
	"requestresetpassword":         {event.ClassAccountChange, accountReset, ""},
	"resetpassword":                {event.ClassAccountChange, accountReset, ""},
	"resetauthsecret":              {event.ClassAccountChange, accountMFADisable, ""},
	"confirmregistration":          {event.ClassAccountChange, accountEnable, ""},
	"accountlocked":                {event.ClassAccountChange, accountLock, ""},
	"grantuserroles":               {event.ClassUserAccess, accessAssign, ""},
	"grantcustomersubscriptions":   {event.ClassUserAccess, accessAssign, ""},
	"revokeuserroles":              {event.ClassUserAccess, accessRevoke, ""},
	"containment_requested":        {event.ClassDeviceConfigChange, 1, ""},
	"contain":                      {event.ClassDeviceConfigChange, 1, ""},
	"lift_containment":             {event.ClassDeviceConfigChange, 1, ""},
	"lift_containment_requested":   {event.ClassDeviceConfigChange, 1, ""},
	"host_containment":             {event.ClassDeviceConfigChange, 1, ""},
	"lift_host_containment":        {event.ClassDeviceConfigChange, 1, ""},
	"network_containment":          {event.ClassDeviceConfigChange, 1, ""},
	"lift_network_containment":     {event.ClassDeviceConfigChange, 1, ""},
	"api_client_created":           {event.ClassEntityManagement, entityCreate, ""},
	"api_client_deleted":           {event.ClassEntityManagement, entityDelete, ""},
	"reveal_maintenance_token":     {event.ClassEntityManagement, entityRead, ""},
	"bulk_maintenance_token_reset": {event.ClassEntityManagement, entityUpdate, ""},
}

// crowdPairs are the facts an audit event gives as a list of keys and values.
type crowdPairs struct {
	targetName, targetID, roles, hostID, hostName, name, client, agent string
}

// crowdAudit fills what people and clients did in the Falcon console.
func crowdAudit(s *Scratch, e *event.Event, kind string) {
	crowdAuditPlan.ScanValue(s.JSON.Value(csEvent), &s.Nested)
	r := &s.Nested
	operation, service := meant(r.Str(caOperation)), meant(r.Str(caService))
	e.Metadata.EventCode = operation
	if operation == "" {
		e.Metadata.EventCode = kind
	}
	e.Metadata.LogName = kind
	e.Message = meant(r.Str(caMessage))
	if success, ok := r.LooseBool(caSuccess); ok {
		e.StatusID = statusFailure
		if success {
			e.StatusID = statusSuccess
		}
	}
	user := event.User{UID: meant(r.Str(caUser))}
	setLogin(&user, user.UID)
	if e.SrcEndpoint.IP = plainIP(meant(r.Str(caIP))); e.SrcEndpoint.IP == "" {
		e.SrcEndpoint.IP = plainIP(meant(r.Str(caSourceIP)))
	}
	pairs := crowdReadPairs(s, e, r.Value(caPairs))
	rule, ok := crowdRules[strings.ToLower(operation)]
	if !ok {
		if verb := entityVerb(operationVerb(operation)); verb != activityOther {
			rule = idpRule{event.ClassEntityManagement, verb, ""}
		} else {
			rule = idpRule{event.ClassEntityManagement, activityOther, operation}
		}
		if operation == "" && service == "" {
			rule = idpRule{event.ClassBase, activityOther, kind}
		}
	}
	e.ClassUID, e.ActivityID, e.Activity = rule.class, rule.activity, rule.name
	if pairs.client != "" {
		e.Actor.Extend().AppUID = pairs.client
	}
	if pairs.agent != "" {
		e.HTTPRequest = &event.HTTPRequest{UserAgent: pairs.agent}
	}
	crowdAuditObjects(e, user, service, operation, &pairs)
}

// operationVerb is the verb of create_policy and the like; policyCreated and other orders end up as they are.
func operationVerb(operation string) string {
	if i := strings.LastIndexByte(operation, '_'); i >= 0 && entityVerb(operation) == activityOther {
		return operation[i+1:]
	}
	return operation
}

func crowdReadPairs(s *Scratch, e *event.Event, list jsonscan.Value) (p crowdPairs) {
	count := 0
	for v := range list.Elements() {
		if count++; count > 64 {
			break
		}
		crowdPairPlan.ScanValue(v, &s.JSON) // The envelope has been read.
		key, value := s.JSON.Str(0), meant(s.JSON.Text(1))
		if value == "" {
			value = meant(s.JSON.Text(2))
		}
		if value == "" || len(value) > 1024 {
			continue
		}
		if secretValue(key, value) {
			e.Envelope.Quality |= event.Redacted
			continue
		}
		switch key {
		case "target_name", "target_user", "target_username", "target_uid":
			p.targetName = value
		case "target_uuid", "target_user_uuid", "user_uuid":
			p.targetID = value
		case "roles", "role", "role_name":
			p.roles = value
		case "aid", "device_id", "agent_id", "host_id", "target_aid":
			p.hostID = value
		case "hostname", "host_name", "computer_name", "target_hostname":
			p.hostName = value
		case "policy_name", "group_name", "name", "rule_group_name", "rule_name", "api_client_name", "detection_id", "composite_id", "incident_id", "quarantined_file_id":
			p.name = value
		case "APIClientID", "client_id", "api_client_id":
			p.client = value
		case "user_agent":
			p.agent = value
			continue
		}
		if len(e.Unmapped) < 24 {
			e.Unmapped = append(e.Unmapped, event.Attribute{Key: key, Value: value})
		}
	}
	return p
}

// crowdAuditObjects puts people and objects where the class has them; a class whose requirements are not met becomes entity management.
func crowdAuditObjects(e *event.Event, user event.User, service, operation string, p *crowdPairs) {
	known := user.UID != "" || user.Name != ""
	target := event.User{UID: p.targetID}
	setLogin(&target, p.targetName)
	if p.hostID != "" || p.hostName != "" {
		setCrowdHost(&e.Device, p.hostID, p.hostName, "", "")
	}
	if e.ClassUID != event.ClassAuthentication {
		e.Actor.User = user
	}
	switch e.ClassUID {
	case event.ClassAuthentication:
		e.User, e.Service.Name = user, service
		if e.Service.Name == "" {
			e.Service.Name = "Falcon"
		}
		if e.Activity == event.MFAChallenge {
			e.IsMFA = event.True
		}
		if known {
			return
		}
		if p.client != "" {
			e.User = event.User{UID: p.client, TypeID: userService}
			return
		}
	case event.ClassAccountChange:
		if e.User = target; target.UID == "" && target.Name == "" {
			e.User = user
		}
		if e.User.UID != "" || e.User.Name != "" {
			return
		}
	case event.ClassUserAccess:
		if (target.UID != "" || target.Name != "") && p.roles != "" {
			e.User = target
			e.Access = &event.Access{}
			for role := range strings.SplitSeq(strings.Trim(p.roles, "[]"), ",") {
				if role = strings.Trim(role, ` "`); role != "" {
					e.Access.Privileges = append(e.Access.Privileges, role)
				}
			}
			if len(e.Access.Privileges) > 0 {
				return
			}
			e.Access = nil
		}
		if target.UID != "" || target.Name != "" {
			e.ClassUID, e.ActivityID, e.Activity = event.ClassAccountChange, activityOther, operation
			e.User = target
			return
		}
	case event.ClassDeviceConfigChange:
		if e.Device.UID != "" || e.Device.Name != "" {
			crowdContainment(e, operation, strings.HasPrefix(operation, "lift"))
			return
		}
	}
	if e.ClassUID == event.ClassBase {
		return
	}
	if e.ClassUID != event.ClassEntityManagement {
		e.ClassUID, e.ActivityID, e.Activity = event.ClassEntityManagement, activityOther, operation
	}
	e.Entity = &event.Entity{Name: p.name, UID: p.hostID, Type: service, TypeID: 99}
	if service == "" {
		e.Entity.Type, e.Entity.TypeID = "", 0
	}
	if e.Entity.Name == "" && e.Entity.UID == "" {
		if e.Entity.Name = service; service == "" {
			e.Entity.Name = operation
		}
	}
	e.User = target
}

// crowdContainment says that a host was cut off the network, or let back.
func crowdContainment(e *event.Event, words string, lifted bool) {
	e.Posture = &event.Posture{SecurityLevelID: 3, SecurityState: event.SecurityState{ID: 3, Name: words}}
	e.DispositionID, e.ActionID, e.SeverityID = 4, actionDenied, severityMedium
	if lifted {
		e.Posture = &event.Posture{SecurityLevelID: 1, PrevSecurityLevelID: 3, PrevSecurityState: event.SecurityState{ID: 3, Name: words}}
		e.DispositionID, e.ActionID = 9, actionAllowed
	}
}

// crowdAPICall fills a call of the Falcon interfaces.
func crowdAPICall(s *Scratch, e *event.Event, kind string) {
	crowdAuditPlan.ScanValue(s.JSON.Value(csEvent), &s.Nested)
	r := &s.Nested
	service, user := meant(r.Str(caService)), meant(r.Str(caUser))
	e.Message, e.Metadata.LogName = meant(r.Str(caMessage)), kind
	if success, ok := r.LooseBool(caSuccess); ok {
		e.StatusID = statusFailure
		if success {
			e.StatusID = statusSuccess
		}
	}
	ip := plainIP(meant(r.Str(caIP)))
	if ip == "" {
		ip = plainIP(meant(r.Str(caSourceIP)))
	}
	crowdCallPlan.ScanValue(r.Value(caAttributes), &s.JSON) // The envelope has been read.
	a := &s.JSON
	if ip == "" {
		ip = plainIP(meant(a.Str(6)))
	}
	e.SrcEndpoint.IP = ip
	e.Actor.User.UID = user
	setLogin(&e.Actor.User, user)
	client := firstOf(a, "", 0, 8)
	if client != "" {
		e.Actor.Extend().AppUID = client
	}
	method, path := meant(a.Str(1)), meant(a.Str(2))
	e.HTTPRequest = &event.HTTPRequest{Method: method, Path: path, UserAgent: meant(a.Str(4))}
	e.API = &event.API{Operation: strings.TrimSpace(method + " " + path), Service: service, RequestUID: meant(a.Str(5))}
	if e.API.Operation == "" {
		e.API.Operation = service
	}
	if code, ok := a.LooseInt64(3); ok {
		e.StatusCode = a.Text(3)
		e.API.ResponseCode = event.IntOf(code)
		e.HTTPResponse = &event.HTTPResponse{Code: event.IntOf(code)}
	}
	e.ClassUID = event.ClassAPI
	switch method {
	case "GET", "HEAD":
		e.ActivityID = 2
	case "POST":
		e.ActivityID = 1
	case "PATCH", "PUT":
		e.ActivityID = 3
	case "DELETE":
		e.ActivityID = 4
	default:
		e.ActivityID, e.Activity = activityOther, "Call"
	}
	if ip == "" || client == "" && user == "" || e.API.Operation == "" {
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, kind
	}
}

// crowdRemote fills the start or end of a Real Time Response session: a remote logon to the host.
func crowdRemote(s *Scratch, e *event.Event, kind string) {
	crowdAuditPlan.ScanValue(s.JSON.Value(csEvent), &s.Nested)
	r := &s.Nested
	e.ClassUID, e.ActivityID, e.StatusID = event.ClassAuthentication, authLogon, statusSuccess
	e.StartTime, e.EndTime = crowdMicros(r, caStart), crowdMicros(r, caEnd)
	if strings.HasSuffix(kind, "EndEvent") {
		e.ActivityID = authLogoff
		if e.EndTime != 0 {
			e.Time, e.Envelope.TimeSource = e.EndTime, event.TimeParsed
		}
	} else if e.StartTime != 0 {
		e.Time, e.Envelope.TimeSource = e.StartTime, event.TimeParsed
	}
	e.SeverityID = severityLow
	setLogin(&e.User, r.Str(caUserName))
	e.IsRemote = event.True
	e.Session.UID = meant(r.Text(caSession))
	e.Service.Name = "Real Time Response"
	host := meant(r.Str(caHost))
	setCrowdHost(&e.Device, "", host, "", "")
	e.DstEndpoint.Hostname = strings.ToLower(host)
	count := 0
	for v := range r.Each(caCommands) {
		if command := v.Str(); command != "" && count < 64 {
			e.Unmapped = append(e.Unmapped, event.Attribute{Key: "Commands[" + strconv.Itoa(count) + "]", Value: clip(command, 512)})
			count++
		}
	}
	if e.User.Name == "" {
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, kind
	}
}
