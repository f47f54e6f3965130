package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// Slots of entraAuditPlan.
const (
	auID = iota
	auActivity
	auActivityTime
	auCategory
	auCorrelation
	auResult
	auReason
	auService
	auOperationType
	auUserID
	auUserName
	auUserDisplay
	auUserIP
	auAppName
	auAppID
	auAppServiceID
	auTargets
	auDetails
	auUserAgent
)

// entraAuditPlan follows the directoryAudit resource of Microsoft Graph, which the properties of AuditLogs share.
var entraAuditPlan = jsonscan.Compile(
	"id", "activityDisplayName", "activityDateTime", "category", "correlationId", "result", "resultReason", "loggedByService", "operationType",
	"initiatedBy.user.id", "initiatedBy.user.userPrincipalName", "initiatedBy.user.displayName", "initiatedBy.user.ipAddress",
	"initiatedBy.app.displayName", "initiatedBy.app.appId", "initiatedBy.app.servicePrincipalId",
	"targetResources", "additionalDetails", "userAgent",
)

var (
	entraTargetPlan = jsonscan.Compile("id", "displayName", "type", "userPrincipalName", "modifiedProperties", "groupType")
	entraChangePlan = jsonscan.Compile("displayName", "newValue", "oldValue")
	entraDetailPlan = jsonscan.Compile("key", "value")
)

// entraTarget is one target resource of an audit record.
type entraTarget struct{ id, name, kind, principal string }

func (t *entraTarget) known() bool { return t.id != "" || t.name != "" || t.principal != "" }

// entraTargets are the targets by kind, the first of each, and what the record says was changed.
type entraTargets struct {
	user, group, device, role, first, second entraTarget
	roleName, groupName                      string // From the modified properties.
}

// audit fills an audit record whose fields are in s.Nested.
func (d *entraRecord) audit(s *Scratch, e *event.Event) error {
	r := &s.Nested
	action := strings.TrimSpace(r.Str(auActivity))
	if action == "" && !r.Exists(auService) {
		return Rejectf("wrong_format", "an AuditLogs record without activityDisplayName and loggedByService is not of Entra ID")
	}
	if action == "" {
		action = d.operation
	}
	setMicrosoftTime(e, r.Str(auActivityTime), d.time)
	d.note(e, r.Str(auID), r.Str(auCorrelation))
	e.Metadata.EventCode, e.Message = action, action
	if service := meant(r.Str(auService)); service != "" {
		e.Metadata.Extend().Feature = service
	}
	result := r.Str(auResult)
	e.StatusCode, e.StatusDetail = result, meant(r.Str(auReason))
	switch {
	case strings.EqualFold(result, "success"):
		e.StatusID = statusSuccess
	case strings.EqualFold(result, "failure"), strings.EqualFold(result, "timeout"), strings.EqualFold(result, "clientError"):
		e.StatusID = statusFailure
	}
	d.auditActor(e, r)
	operation := r.Str(auOperationType)
	auditDetails(s, e)
	t := auditTargets(s, e)
	rule := auditRule(action, operation, &t)
	e.ClassUID, e.ActivityID, e.Activity = rule.class, rule.activity, rule.name
	auditObjects(e, action, &t)
	return nil
}

func (d *entraRecord) auditActor(e *event.Event, r *jsonscan.Result) {
	u := &e.Actor.User
	u.UID = meant(r.Str(auUserID))
	setPrincipal(u, r.Str(auUserName))
	name := meant(r.Str(auUserDisplay))
	if name != "" && name != u.Name {
		u.FullName = name
		e.AddEntity(event.EntityUser, event.RoleContext, event.Context, event.ObjectExtra, name)
	}
	if u.UID == "" && u.Name == "" && name != "" {
		u.Name, u.FullName = name, ""
	}
	app := meant(r.Str(auAppName))
	appID := meant(r.Str(auAppID))
	if appID == "" {
		appID = meant(r.Str(auAppServiceID))
	}
	if app != "" || appID != "" {
		more := e.Actor.Extend()
		more.AppName, more.AppUID = app, appID
	}
	if e.SrcEndpoint.IP = plainIP(meant(r.Str(auUserIP))); e.SrcEndpoint.IP == "" {
		e.SrcEndpoint.IP = d.caller
	}
	if agent := meant(r.Str(auUserAgent)); agent != "" {
		e.HTTPRequest = &event.HTTPRequest{UserAgent: agent}
	}
}

// auditDetails reads the key-value list beside the targets.
func auditDetails(s *Scratch, e *event.Event) {
	count := 0
	for v := range s.Nested.Value(auDetails).Elements() {
		if count++; v.Kind() != jsonscan.Object || count > 16 {
			continue
		}
		entraDetailPlan.ScanValue(v, &s.JSON)
		key, value := s.JSON.Str(0), meant(s.JSON.Text(1))
		if value == "" || len(value) > 512 {
			continue
		}
		if secretValue(key, value) {
			e.Envelope.Quality |= event.Redacted
			continue
		}
		switch key {
		case "User-Agent":
			if e.HTTPRequest == nil {
				e.HTTPRequest = &event.HTTPRequest{UserAgent: value}
			}
		default:
			e.Unmapped = append(e.Unmapped, event.Attribute{Key: "additionalDetails." + key, Value: value})
		}
	}
}

// auditTargets sorts the target resources by kind, and keeps what was changed as unmapped attributes, secrets left out.
func auditTargets(s *Scratch, e *event.Event) (t entraTargets) {
	number := 0
	for v := range s.Nested.Value(auTargets).Elements() {
		if number++; v.Kind() != jsonscan.Object || number > 64 {
			continue
		}
		entraTargetPlan.ScanValue(v, &s.JSON)
		x := entraTarget{id: meant(s.JSON.Text(0)), name: meant(s.JSON.Str(1)), kind: s.JSON.Str(2), principal: meant(s.JSON.Str(3))}
		place := &t.second
		switch x.kind {
		case "User":
			place = &t.user
		case "Group":
			place = &t.group
		case "Device":
			place = &t.device
		case "Role", "DirectoryRole", "RoleDefinition":
			place = &t.role
		}
		if !place.known() {
			*place = x
		}
		if !t.first.known() {
			t.first = x
		}
		auditChanges(s, e, &t, s.JSON.Value(4))
	}
	return t
}

func auditChanges(s *Scratch, e *event.Event, t *entraTargets, changes jsonscan.Value) {
	for v := range changes.Elements() {
		if v.Kind() != jsonscan.Object {
			continue
		}
		entraChangePlan.ScanValue(v, &s.JSON)
		name, value := s.JSON.Str(0), plainChange(s.JSON.Str(1))
		if value == "" {
			value = plainChange(s.JSON.Str(2))
		}
		switch name {
		case "Role.DisplayName":
			t.roleName = value
		case "Group.DisplayName":
			t.groupName = value
		}
		switch {
		case name == "" || len(e.Unmapped) >= 24:
		case secretValue(name, value):
			e.Envelope.Quality |= event.Redacted
		case value != "" && len(value) <= 256:
			e.Unmapped = append(e.Unmapped, event.Attribute{Key: "modifiedProperties." + name, Value: value})
		}
	}
}

// plainChange takes the JSON quoting off a modified property, which is written as "\"value\"" or "[\"value\"]".
func plainChange(s string) string {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, `["`) && strings.HasSuffix(s, `"]`) && strings.Count(s, `"`) == 2 {
		s = s[1 : len(s)-1]
	}
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	if s == "[]" || s == "{}" {
		return ""
	}
	return meant(s)
}

// auditObjects fills what was acted on, and falls back to a class whose requirements the record meets.
func auditObjects(e *event.Event, action string, t *entraTargets) {
	if t.user.known() {
		e.User.UID, e.User.FullName = t.user.id, t.user.name
		setPrincipal(&e.User, t.user.principal)
		if e.User.UID == "" && e.User.Name == "" {
			e.User.Name = t.user.name
		}
	}
	if t.device.known() {
		e.Device.UID, e.Device.Name, e.Device.Hostname = t.device.id, t.device.name, strings.ToLower(t.device.name)
	}
	user := e.User.UID != "" || e.User.Name != ""
	switch e.ClassUID {
	case event.ClassUserAccess:
		role := entraTarget{id: t.role.id, name: t.roleName, kind: "Role"}
		if role.name == "" {
			role.name = t.role.name
		}
		if role.name == "" && t.first.kind != "User" {
			role = t.first
		}
		if role.name == "" {
			role.name = action
		}
		if user {
			e.Access = &event.Access{Privileges: []string{role.name}, Resource: event.Resource{UID: role.id, Name: role.name, Type: role.kind}}
			return
		}
	case event.ClassGroupManagement:
		if t.groupName != "" && t.group.name == "" {
			t.group.name = t.groupName
		}
		if t.group.known() {
			e.Group = &event.Group{UID: t.group.id, Name: t.group.name, Type: "Group"}
			return
		}
	case event.ClassAccountChange:
		if user {
			return
		}
		if e.Actor.User.UID != "" || e.Actor.User.Name != "" {
			e.User = e.Actor.User
			return
		}
	case event.ClassDetection:
		auditFinding(e, action)
		return
	}
	auditEntity(e, action, t)
}

func auditFinding(e *event.Event, action string) {
	e.StatusID, e.SeverityID = 1, severityHigh
	e.Finding = &event.Finding{UID: e.Metadata.OriginalUID, Title: action, AnalyticName: action, AnalyticUID: action, IsAlert: event.True}
	if e.Finding.UID == "" {
		e.Finding.UID = action
	}
}

// auditEntity makes an event entity management, or a base event where the record names no target.
func auditEntity(e *event.Event, action string, t *entraTargets) {
	if !t.first.known() {
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, action
		return
	}
	if e.ClassUID != event.ClassEntityManagement {
		e.ClassUID, e.ActivityID, e.Activity = event.ClassEntityManagement, entityVerb(action), ""
		if e.ActivityID == activityOther {
			e.Activity = action
		}
	}
	x := &t.first
	if t.device.known() && x.kind == "User" {
		x = &t.device
	}
	e.Entity = &event.Entity{UID: x.id, Name: x.name, Type: x.kind, TypeID: 99}
	if x.name == "" {
		e.Entity.Name = x.principal
	}
	switch x.kind {
	case "Device":
		e.Entity.TypeID = 1
	case "User":
		e.Entity.TypeID = 2
	case "Group":
		e.Entity.TypeID = 3
	case "Policy":
		e.Entity.TypeID = 5
	case "":
		e.Entity.TypeID = 0
	}
}
