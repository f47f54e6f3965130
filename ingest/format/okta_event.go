package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// idpRule is the class and activity an identity provider's event becomes. A name goes with activity 99.
type idpRule struct {
	class    uint32
	activity uint16
	name     string
}

// OCSF activities of the administration classes.
const (
	accountCreate     = 1
	accountEnable     = 2
	accountPassword   = 3
	accountReset      = 4
	accountDisable    = 5
	accountDelete     = 6
	accountLock       = 9
	accountMFAEnable  = 10
	accountMFADisable = 11
	accountUnlock     = 12

	accessAssign = 1
	accessRevoke = 2

	groupAssign  = 1
	groupRevoke  = 2
	groupAddUser = 3
	groupRemove  = 4
	groupDelete  = 5
	groupCreate  = 6

	entityCreate = 1
	entityRead   = 2
	entityUpdate = 3
	entityDelete = 4

	authTicket        = 3
	authServiceTicket = 4

	activityOther = event.ActivityOther
)

var (
	idpMFAChallenge = idpRule{event.ClassAuthentication, activityOther, event.MFAChallenge}
	idpMFAPrompt    = idpRule{event.ClassAuthentication, activityOther, promptName}
	idpFinding      = idpRule{event.ClassDetection, 1, ""}
)

// oktaRules are the event types whose meaning their name does not tell by itself; see oktaPrefixes and oktaGuess for the rest. From the
// event type catalogue of the Okta developer documentation.
var oktaRules = map[string]idpRule{
	"user.session.start":                            {event.ClassAuthentication, authLogon, ""},
	"user.session.end":                              {event.ClassAuthentication, authLogoff, ""},
	"user.session.clear":                            {event.ClassAuthentication, authLogoff, ""},
	"user.session.expire":                           {event.ClassAuthentication, authLogoff, ""},
	"user.session.access_admin_app":                 {event.ClassAuthentication, authLogon, ""},
	"user.session.impersonation.initiate":           {event.ClassAuthentication, authSwitch, ""},
	"user.session.impersonation.end":                {event.ClassAuthentication, authLogoff, ""},
	"user.session.impersonation.grant":              {event.ClassAccountChange, activityOther, "Impersonation Grant"},
	"user.session.impersonation.extend":             {event.ClassAccountChange, activityOther, "Impersonation Grant"},
	"user.session.impersonation.revoke":             {event.ClassAccountChange, activityOther, "Impersonation Revoke"},
	"user.session.context.change":                   idpFinding,
	"security.session.detect_client_roaming":        idpFinding,
	"user.authentication.sso":                       {event.ClassAuthentication, authLogon, ""},
	"user.authentication.authenticate":              {event.ClassAuthentication, authLogon, ""},
	"user.authentication.slo":                       {event.ClassAuthentication, authLogoff, ""},
	"user.authentication.universal_logout":          {event.ClassAuthentication, authLogoff, ""},
	"user.authentication.verify":                    {event.ClassAuthentication, authPreauth, ""},
	"user.authentication.auth_via_mfa":              idpMFAChallenge,
	"user.authentication.auth_unconfigured_mfa":     idpMFAChallenge,
	"user.mfa.okta_verify":                          idpMFAChallenge,
	"user.mfa.okta_verify.deny_push":                idpMFAChallenge,
	"user.mfa.okta_verify.deny_push_upgrade_needed": idpMFAChallenge,
	"user.mfa.attempt_bypass":                       idpMFAChallenge,
	"user.mfa.factor.activate":                      {event.ClassAccountChange, accountMFAEnable, ""},
	"user.mfa.factor.unsuspend":                     {event.ClassAccountChange, accountMFAEnable, ""},
	"user.mfa.factor.deactivate":                    {event.ClassAccountChange, accountMFADisable, ""},
	"user.mfa.factor.reset_all":                     {event.ClassAccountChange, accountMFADisable, ""},
	"user.mfa.factor.suspend":                       {event.ClassAccountChange, accountMFADisable, ""},
	"user.mfa.factor.update":                        {event.ClassAccountChange, activityOther, "MFA Factor Update"},
	"system.push.send_factor_verify_push":           idpMFAPrompt,
	"system.sms.send_factor_verify_message":         idpMFAPrompt,
	"system.sms.send_okta_push_verify_message":      idpMFAPrompt,
	"system.voice.send_mfa_challenge_call":          idpMFAPrompt,
	"system.voice.send_call":                        idpMFAPrompt,
	"system.email.send_factor_verify_message":       idpMFAPrompt,
	"policy.evaluate_sign_on":                       {event.ClassAuthentication, activityOther, "Sign-On Policy Evaluation"},
	"policy.auth_reevaluate.fail":                   {event.ClassAuthentication, activityOther, "Sign-On Policy Evaluation"},
	"application.policy.sign_on.deny_access":        {event.ClassAuthentication, authLogon, ""},
	"app.generic.unauth_app_access_attempt":         {event.ClassAuthentication, authLogon, ""},
	"app.oauth2.as.authorize":                       {event.ClassAuthentication, authTicket, ""},
	"app.oauth2.authorize":                          {event.ClassAuthentication, authTicket, ""},

	"user.account.lock":                                  {event.ClassAccountChange, accountLock, ""},
	"user.account.lock.limit":                            {event.ClassAccountChange, accountLock, ""},
	"user.account.unlock":                                {event.ClassAccountChange, accountUnlock, ""},
	"user.account.unlock_by_admin":                       {event.ClassAccountChange, accountUnlock, ""},
	"user.account.unlock_token":                          {event.ClassAccountChange, activityOther, "Unlock Token"},
	"user.account.update_password":                       {event.ClassAccountChange, accountPassword, ""},
	"user.account.reset_password":                        {event.ClassAccountChange, accountReset, ""},
	"user.account.expire_password":                       {event.ClassAccountChange, accountReset, ""},
	"user.account.update_profile":                        {event.ClassAccountChange, activityOther, "Profile Update"},
	"user.account.update_primary_email":                  {event.ClassAccountChange, activityOther, "Profile Update"},
	"user.account.update_secondary_email":                {event.ClassAccountChange, activityOther, "Profile Update"},
	"user.account.report_suspicious_activity_by_enduser": idpFinding,
	"user.account.privilege.grant":                       {event.ClassUserAccess, accessAssign, ""},
	"user.account.privilege.revoke":                      {event.ClassUserAccess, accessRevoke, ""},
	"iam.resourceset.bindings.add":                       {event.ClassUserAccess, accessAssign, ""},
	"iam.resourceset.bindings.delete":                    {event.ClassUserAccess, accessRevoke, ""},
	"user.account.access_super_user_app":                 {event.ClassAuthentication, authLogon, ""},
	"user.account.use_token":                             {event.ClassAuthentication, authLogon, ""},
	"user.lifecycle.create":                              {event.ClassAccountChange, accountCreate, ""},
	"user.lifecycle.activate":                            {event.ClassAccountChange, accountEnable, ""},
	"user.lifecycle.reactivate":                          {event.ClassAccountChange, accountEnable, ""},
	"user.lifecycle.unsuspend":                           {event.ClassAccountChange, accountEnable, ""},
	"user.lifecycle.deactivate":                          {event.ClassAccountChange, accountDisable, ""},
	"user.lifecycle.suspend":                             {event.ClassAccountChange, accountDisable, ""},
	"user.lifecycle.delete.initiated":                    {event.ClassAccountChange, accountDelete, ""},
	"user.lifecycle.delete.completed":                    {event.ClassAccountChange, accountDelete, ""},
	"user.credential.enroll":                             {event.ClassAccountChange, accountMFAEnable, ""},
	"user.credential.revoke":                             {event.ClassAccountChange, accountMFADisable, ""},

	"group.user_membership.add":           {event.ClassGroupManagement, groupAddUser, ""},
	"group.user_membership.rule.add":      {event.ClassGroupManagement, groupAddUser, ""},
	"group.user_membership.remove":        {event.ClassGroupManagement, groupRemove, ""},
	"group.lifecycle.create":              {event.ClassGroupManagement, groupCreate, ""},
	"group.lifecycle.delete":              {event.ClassGroupManagement, groupDelete, ""},
	"group.privilege.grant":               {event.ClassGroupManagement, groupAssign, ""},
	"group.privilege.revoke":              {event.ClassGroupManagement, groupRevoke, ""},
	"group.application_assignment.add":    {event.ClassGroupManagement, groupAssign, ""},
	"group.application_assignment.remove": {event.ClassGroupManagement, groupRevoke, ""},

	"application.user_membership.add":         {event.ClassUserAccess, accessAssign, ""},
	"application.user_membership.provision":   {event.ClassUserAccess, accessAssign, ""},
	"application.user_membership.restore":     {event.ClassUserAccess, accessAssign, ""},
	"application.user_membership.remove":      {event.ClassUserAccess, accessRevoke, ""},
	"application.user_membership.deprovision": {event.ClassUserAccess, accessRevoke, ""},
	"application.user_membership.revoke":      {event.ClassUserAccess, accessRevoke, ""},
}

// oktaPrefixes are families of event types that mean the same, longest prefix first.
var oktaPrefixes = []struct {
	prefix string
	rule   idpRule
}{
	{"user.authentication.auth_via_", idpRule{event.ClassAuthentication, authLogon, ""}},
	{"user.authentication.", idpRule{event.ClassAuthentication, authLogon, ""}},
	{"app.oauth2.as.token.grant", idpRule{event.ClassAuthentication, authServiceTicket, ""}},
	{"app.oauth2.token.grant", idpRule{event.ClassAuthentication, authServiceTicket, ""}},
	{"app.oauth2.as.authorize.", idpRule{event.ClassAuthentication, authTicket, ""}},
	{"security.threat.", idpFinding},
	{"security.attack.", idpFinding},
	{"security.request.blocked", idpFinding},
	{"security.breached_credential.", idpFinding},
	{"security.events.provider.", idpFinding},
	{"user.risk.", idpFinding},
	{"policy.entity_risk.", idpFinding},
	{"analytics.", idpFinding},
}

// oktaRuleOf finds the class and activity of an event type.
func oktaRuleOf(kind string, t *oktaTargetSet) idpRule {
	if rule, ok := oktaRules[kind]; ok {
		return rule
	}
	for i := range oktaPrefixes {
		if strings.HasPrefix(kind, oktaPrefixes[i].prefix) {
			return oktaPrefixes[i].rule
		}
	}
	return oktaGuess(kind, t)
}

// oktaGuess reads an event type as object and verb: what is done to a user is an account change, what is done to anything else that has a
// target is entity management, and the rest is a base event.
func oktaGuess(kind string, t *oktaTargetSet) idpRule {
	verb := kind[strings.LastIndexByte(kind, '.')+1:]
	switch {
	case strings.HasPrefix(kind, "user."):
		return idpRule{event.ClassAccountChange, activityOther, kind}
	case strings.HasPrefix(kind, "group.") && t.group.known():
		return idpRule{event.ClassGroupManagement, activityOther, kind}
	case t.first.known():
		activity := entityVerb(verb)
		if activity == activityOther {
			return idpRule{event.ClassEntityManagement, activity, kind}
		}
		return idpRule{event.ClassEntityManagement, activity, ""}
	}
	return idpRule{event.ClassBase, activityOther, kind}
}

// entityVerbs are the activities of entity management by the verbs that products use, the more special first.
var entityVerbs = []struct {
	verb     string
	activity uint16
}{
	{"deactivate", 11},
	{"activate", 10},
	{"disable", 9},
	{"enable", 8},
	{"unenroll", 7},
	{"enroll", 6},
	{"unsuspend", 13},
	{"resume", 13},
	{"suspend", 12},
	{"create", entityCreate},
	{"add", entityCreate},
	{"register", entityCreate},
	{"import", entityCreate},
	{"new", entityCreate},
	{"delete", entityDelete},
	{"remove", entityDelete},
	{"revoke", entityDelete},
	{"purge", entityDelete},
	{"destroy", entityDelete},
	{"wipe", entityDelete},
	{"retire", entityDelete},
	{"update", entityUpdate},
	{"change", entityUpdate},
	{"modify", entityUpdate},
	{"edit", entityUpdate},
	{"set", entityUpdate},
	{"patch", entityUpdate},
	{"rename", entityUpdate},
	{"rotate", entityUpdate},
	{"assign", entityUpdate},
	{"reset", entityUpdate},
	{"read", entityRead},
	{"get", entityRead},
	{"view", entityRead},
	{"export", entityRead},
	{"download", entityRead},
	{"list", entityRead},
	{"recover", entityRead},
}

// entityVerb is the activity of entity management for a verb in any case; 99 for one it does not know.
func entityVerb(verb string) uint16 {
	for i := range entityVerbs {
		if v := entityVerbs[i].verb; len(verb) >= len(v) && strings.EqualFold(verb[:len(v)], v) {
			return entityVerbs[i].activity
		}
	}
	return activityOther
}

// oktaTarget is one target of an event.
type oktaTarget struct{ id, kind, login, name string }

func (t *oktaTarget) known() bool { return t.id != "" || t.name != "" || t.login != "" }

// title is what administrators call the target: for applications their label, which stands in alternateId.
func (t *oktaTarget) title() string {
	if t.kind == "AppInstance" && t.login != "" {
		return t.login
	}
	if t.name != "" {
		return t.name
	}
	return t.login
}

// oktaTargetSet are the targets of an event by kind, the first of each.
type oktaTargetSet struct{ user, app, group, policy, role, device, first oktaTarget }

var oktaTargetPlan = jsonscan.Compile("id", "type", "alternateId", "displayName")

func oktaTargets(s *Scratch) (set oktaTargetSet) {
	targets := s.JSON.Value(okTarget)
	appUser := oktaTarget{}
	for v := range targets.Elements() {
		if v.Kind() != jsonscan.Object {
			continue
		}
		oktaTargetPlan.ScanValue(v, &s.Nested)
		t := oktaTarget{
			id: meant(s.Nested.Text(0)), kind: s.Nested.Str(1), login: meant(strings.TrimRight(s.Nested.Str(2), `\`)), name: meant(s.Nested.Str(3)),
		}
		place := &set.first
		switch {
		case t.kind == "User":
			place = &set.user
		case t.kind == "AppUser":
			place = &appUser
		case t.kind == "AppInstance" || t.kind == "App" || t.kind == "PublicClientApp":
			place = &set.app
		case t.kind == "UserGroup" || t.kind == "AppGroup" || t.kind == "Group":
			place = &set.group
		case strings.HasPrefix(t.kind, "Policy") || t.kind == "Rule":
			place = &set.policy
		case strings.EqualFold(t.kind, "ROLE"), t.kind == "CUSTOM_ROLE":
			place = &set.role
		case strings.HasPrefix(t.kind, "Device"):
			place = &set.device
		}
		if !place.known() {
			*place = t
		}
		if !set.first.known() {
			set.first = t
		}
	}
	if !set.user.known() {
		set.user = appUser
	}
	return set
}
