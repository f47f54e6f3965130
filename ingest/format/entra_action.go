package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// entraActions are the activities whose class their wording and target do not tell. Names in lower case, as the audit activity reference of
// Microsoft Entra lists them.
var entraActions = map[string]idpRule{
	"add user":                                   {event.ClassAccountChange, accountCreate, ""},
	"invite external user":                       {event.ClassAccountChange, accountCreate, ""},
	"create user":                                {event.ClassAccountChange, accountCreate, ""},
	"delete user":                                {event.ClassAccountChange, accountDelete, ""},
	"hard delete user":                           {event.ClassAccountChange, accountDelete, ""},
	"restore user":                               {event.ClassAccountChange, accountEnable, ""},
	"enable account":                             {event.ClassAccountChange, accountEnable, ""},
	"disable account":                            {event.ClassAccountChange, accountDisable, ""},
	"update user":                                {event.ClassAccountChange, activityOther, "Update User"},
	"change user password":                       {event.ClassAccountChange, accountPassword, ""},
	"change password (self-service)":             {event.ClassAccountChange, accountPassword, ""},
	"reset user password":                        {event.ClassAccountChange, accountReset, ""},
	"reset password (by admin)":                  {event.ClassAccountChange, accountReset, ""},
	"reset password (self-service)":              {event.ClassAccountChange, accountReset, ""},
	"set force change user password":             {event.ClassAccountChange, accountReset, ""},
	"unlock user account (self-service)":         {event.ClassAccountChange, accountUnlock, ""},
	"user registered security info":              {event.ClassAccountChange, accountMFAEnable, ""},
	"user registered all required security info": {event.ClassAccountChange, accountMFAEnable, ""},
	"admin registered security info":             {event.ClassAccountChange, accountMFAEnable, ""},
	"enable strong authentication":               {event.ClassAccountChange, accountMFAEnable, ""},
	"enable per-user mfa":                        {event.ClassAccountChange, accountMFAEnable, ""},
	"user deleted security info":                 {event.ClassAccountChange, accountMFADisable, ""},
	"admin deleted security info":                {event.ClassAccountChange, accountMFADisable, ""},
	"disable strong authentication":              {event.ClassAccountChange, accountMFADisable, ""},
	"disable per-user mfa":                       {event.ClassAccountChange, accountMFADisable, ""},
	"user changed default security info":         {event.ClassAccountChange, activityOther, "Security Info Change"},
	"admin updated security info":                {event.ClassAccountChange, activityOther, "Security Info Change"},
	"update stsrefreshtokenvalidfrom timestamp":  {event.ClassAccountChange, activityOther, "Sessions Revoked"},
	"fraud reported - user is blocked for mfa":   idpFinding,
	"fraud reported - no action taken":           idpFinding,
	"suspicious activity reported":               idpFinding,

	"add group":    {event.ClassGroupManagement, groupCreate, ""},
	"create group": {event.ClassGroupManagement, groupCreate, ""},
	"delete group": {event.ClassGroupManagement, groupDelete, ""},

	"consent to application":                 {event.ClassUserAccess, accessAssign, ""},
	"add app role assignment grant to user":  {event.ClassUserAccess, accessAssign, ""},
	"remove app role assignment from user":   {event.ClassUserAccess, accessRevoke, ""},
	"add app role assignment to group":       {event.ClassGroupManagement, groupAssign, ""},
	"remove app role assignment from group":  {event.ClassGroupManagement, groupRevoke, ""},
	"assign label to group":                  {event.ClassGroupManagement, activityOther, "Label Assignment"},
	"add owner to group":                     {event.ClassGroupManagement, groupAssign, ""},
	"remove owner from group":                {event.ClassGroupManagement, groupRevoke, ""},
	"add member to group":                    {event.ClassGroupManagement, groupAddUser, ""},
	"add member to restricted management au": {event.ClassGroupManagement, groupAddUser, ""},
	"remove member from group":               {event.ClassGroupManagement, groupRemove, ""},
}

// auditRule finds class and activity: by the activity, else by its wording, else by the kind of target and the operation type.
func auditRule(action, operation string, t *entraTargets) idpRule {
	lower := strings.ToLower(action)
	rule, ok := entraActions[lower]
	if !ok {
		rule, ok = roleRule(lower)
	}
	if !ok {
		rule = auditGuess(action, operation, t)
	}
	return rule
}

// roleRule recognises the many spellings of role assignment: permanent, eligible, scoped, PIM activation and their ends.
func roleRule(lower string) (idpRule, bool) {
	if !strings.Contains(lower, "role") || !strings.Contains(lower, "member") && !strings.Contains(lower, "role assignment") {
		return idpRule{}, false
	}
	switch {
	case strings.HasPrefix(lower, "add "), strings.HasPrefix(lower, "restore "):
		return idpRule{event.ClassUserAccess, accessAssign, ""}, true
	case strings.HasPrefix(lower, "remove "), strings.HasPrefix(lower, "deactivate "):
		return idpRule{event.ClassUserAccess, accessRevoke, ""}, true
	}
	return idpRule{event.ClassUserAccess, activityOther, "Role Setting Change"}, true
}

func auditGuess(action, operation string, t *entraTargets) idpRule {
	verb := entityVerb(operation)
	if verb == activityOther {
		verb = entityVerb(action)
	}
	rule := idpRule{event.ClassEntityManagement, verb, ""}
	switch t.first.kind {
	case "User":
		if !t.device.known() {
			rule = idpRule{event.ClassAccountChange, activityOther, action}
		}
	case "Group":
		rule = idpRule{event.ClassGroupManagement, activityOther, action}
	}
	if !t.first.known() {
		rule = idpRule{event.ClassBase, activityOther, action}
	}
	if rule.activity == activityOther && rule.name == "" {
		rule.name = action
	}
	return rule
}
