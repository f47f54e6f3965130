package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// iseKind is what a message is about.
type iseKind uint8

const (
	iseUnknown iseKind = iota
	isePassed
	iseFailed
	isePartOfLogon // A segment of a verdict that does not say which.
	iseAccounting
	iseDeviceAccounting
	iseCommand
	iseAdminLogin
	iseConfiguration
	isePassword
	iseGuest
	iseCoA
	isePosture
	iseProfiler
	isePeer
	iseProcess
	iseOther
)

// iseCodes are ranges of message codes, inclusive, from the Cisco ISE syslog message catalogue.
var iseCodes = []struct {
	from, to int
	kind     iseKind
}{
	{3000, 3002, iseAccounting},
	{3300, 3399, iseDeviceAccounting},
	{5202, 5203, iseCommand},
	{5204, 5204, isePassword},
	{5205, 5205, iseCoA},
	{5232, 5233, iseOther}, // Access lists and TrustSec data fetched by network devices.
	{5200, 5299, isePassed},
	{5407, 5409, iseCommand},
	{5415, 5415, isePassword},
	{5417, 5417, iseCoA},
	{5413, 5413, iseOther}, // An accounting request was dropped; nobody tried to get in.
	{5419, 5421, iseOther},
	{5400, 5499, iseFailed},
	{51116, 51116, isePassword},
	{51000, 51999, iseAdminLogin},
	{52000, 52999, iseConfiguration},
	{58001, 58005, iseProcess},
	{60080, 60083, iseAdminLogin},
	{60093, 60094, iseAdminLogin},
	{60107, 60107, iseAdminLogin},
	{60115, 60118, iseAdminLogin},
	{61025, 61026, isePeer},
	{80000, 80999, iseProfiler},
	{86000, 86999, iseGuest},
	{87000, 87999, isePosture},
}

// iseCategories decide where the code does not.
var iseCategories = []struct {
	category string
	kind     iseKind
}{
	{"CISE_Passed_Authentications", isePassed},
	{"CISE_Failed_Attempts", iseFailed},
	{"CISE_RADIUS_Accounting", iseAccounting},
	{"CISE_TACACS_Accounting", iseDeviceAccounting},
	{"CISE_Posture_and_Client_Provisioning_Audit", isePosture},
	{"CISE_Profiler", iseProfiler},
	{"CISE_Guest", iseGuest},
}

// iseKindOf goes by what the header says.
func iseKindOf(p *iseHeader) iseKind {
	if lowerContains(p.text, "quarantine") || lowerContains(p.text, "adaptive network control") || strings.HasPrefix(p.class, "EPS") {
		return iseCoA
	}
	if code, err := strconv.Atoi(p.code); err == nil {
		for _, c := range iseCodes {
			if code >= c.from && code <= c.to {
				return c.kind
			}
		}
	}
	for _, c := range iseCategories {
		if p.category == c.category {
			return c.kind
		}
	}
	switch p.class {
	case "Passed-Authentication":
		return isePassed
	case "Failed-Attempt":
		return iseFailed
	case "Configuration-Changes":
		return iseConfiguration
	case "Administrator-Login":
		return iseAdminLogin
	case "Profiler":
		return iseProfiler
	case "Guest":
		return iseGuest
	case "Posture", "Posture-Client":
		return isePosture
	}
	if p.code != "" {
		return iseOther
	}
	return iseUnknown
}

// kindOf goes by the attributes, for segments without a header.
func (a *iseAttributes) kindOf(p *iseHeader) iseKind {
	switch {
	case a.authStatus == "AuthenticationPassed":
		return isePassed
	case a.failure != "", a.packetType == "AccessReject":
		return iseFailed
	case a.acctStatus != "":
		return iseAccounting
	case a.identityRule != "", a.authzRule != "", a.response != "" && a.responseUser != "":
		return isePartOfLogon
	case a.objectType != "" && a.adminName != "":
		return iseConfiguration
	case a.policyID != "", a.chaddr != "", a.hostName != "", a.requestedIP != "":
		return iseProfiler
	}
	return iseOther
}

func iseProcessActivity(text string) uint16 {
	switch {
	case lowerContains(text, "restart"):
		return 5
	case lowerContains(text, "stop"):
		return 4
	}
	return 3
}

// outcome judges by the wording, where the code does not say.
func (a *iseAttributes) outcome(e *event.Event, p *iseHeader) {
	switch {
	case lowerContains(p.text, "fail"), lowerContains(p.text, "reject"), lowerContains(p.text, "denied"), lowerContains(p.text, "locked"),
		lowerContains(p.text, "invalid"), lowerContains(p.text, "error"), a.failure != "":
		e.StatusID = statusFailure
	case lowerContains(p.text, "succe"), lowerContains(p.text, "logged"), lowerContains(p.text, "change"), lowerContains(p.text, "added"),
		lowerContains(p.text, "deleted"), lowerContains(p.text, "created"):
		e.StatusID = statusSuccess
	}
	if a.failure != "" {
		e.StatusDetail = a.failure
	}
}

// adminLogin is a logon to ISE itself, by web console or command line.
func (a *iseAttributes) adminLogin(e *event.Event, p *iseHeader) {
	e.ClassUID, e.ActivityID = event.ClassAuthentication, authLogon
	a.outcome(e, p)
	if a.adminName != "" {
		e.User = event.User{}
		setLogin(&e.User, a.adminName)
	}
	e.User.TypeID = userAdmin
	switch {
	case lowerContains(p.text, "logged off"), lowerContains(p.text, "logged out"), lowerContains(p.text, "session timeout"):
		e.ActivityID, e.StatusID = authLogoff, statusSuccess
	case p.code == "51099", p.code == "51006", p.code == "51007", p.code == "51008":
		e.ClassUID, e.ActivityID, e.StatusID = event.ClassAccountChange, 9, statusSuccess
	}
	e.SrcEndpoint = event.Endpoint{IP: plainIP(a.adminIP)}
	e.Device = event.Device{}
	e.Service.Name = "Cisco ISE"
	if a.adminInterface != "" {
		e.Service.Name = "Cisco ISE " + a.adminInterface
	}
	if e.StatusID == statusFailure {
		e.ActionID = 2
	}
}

// configuration is a setting that an administrator added, changed or removed.
func (a *iseAttributes) configuration(e *event.Event, p *iseHeader) {
	e.ClassUID, e.ActivityID, e.StatusID = event.ClassEntityManagement, 3, statusSuccess
	switch {
	case lowerContains(p.text, "added"), lowerContains(p.text, "created"):
		e.ActivityID = 1
	case lowerContains(p.text, "deleted"), lowerContains(p.text, "removed"), lowerContains(p.text, "deregister"):
		e.ActivityID = 4
	case lowerContains(p.text, "fail"):
		e.StatusID = statusFailure
	}
	e.Entity = &event.Entity{Name: a.objectName, Type: a.objectType, TypeID: iseObjectType(a.objectType)}
	if e.Entity.Name == "" && e.Entity.Type == "" {
		e.Entity.Name = p.text
	}
	if a.adminName != "" {
		e.User = event.User{}
		setLogin(&e.User, a.adminName)
	}
	a.actingUser(e)
	e.SrcEndpoint = event.Endpoint{IP: plainIP(a.adminIP)}
	e.StatusDetail = a.change
	if e.StatusDetail == "" {
		e.StatusDetail = a.operation
	}
}

// iseObjectType is OCSF managed_entity.type_id of an ISE object type.
func iseObjectType(s string) uint8 {
	switch {
	case s == "":
		return 0
	case lowerContains(s, "group"):
		return 3
	case lowerContains(s, "user"), lowerContains(s, "administrator"):
		return 2
	case lowerContains(s, "polic"), lowerContains(s, "rule"), lowerContains(s, "profile"), lowerContains(s, "condition"):
		return 5
	case lowerContains(s, "device"), lowerContains(s, "endpoint"):
		return 1
	}
	return event.ActivityOther
}

// iseGuestChanges are the codes of changes to a visitor's account, and the activities of OCSF Account Change.
var iseGuestChanges = []struct {
	code     string
	activity uint16
	name     string
}{
	{"86002", 5, ""},
	{"86003", 2, ""},
	{"86004", 3, ""},
	{"86006", 1, ""},
	{"86007", event.ActivityOther, "Update"},
	{"86008", 6, ""},
}

// guest is about an account of a visitor.
func (a *iseAttributes) guest(e *event.Event, p *iseHeader) {
	a.outcome(e, p)
	for _, c := range iseGuestChanges {
		if p.code == c.code {
			e.ClassUID, e.ActivityID, e.Activity, e.StatusID = event.ClassAccountChange, c.activity, c.name, statusSuccess
			setLogin(&e.Actor.User, a.adminName)
			return
		}
	}
	if lowerContains(p.text, "authentication") || lowerContains(p.text, "not found") || lowerContains(p.text, "not enabled") {
		e.ClassUID, e.ActivityID = event.ClassAuthentication, authLogon
		e.Service.Name = "Guest portal"
		if e.StatusID == 0 {
			e.StatusID = statusFailure
		}
		return
	}
	a.base(e, p)
}

func (a *iseAttributes) base(e *event.Event, p *iseHeader) {
	e.ClassUID, e.ActivityID = event.ClassBase, 0
	a.outcome(e, p)
	a.actingUser(e)
}
