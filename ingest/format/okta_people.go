package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// oktaPeople fills actor and user. A person who signs in is the user; one who does something to an account is the actor. The system itself
// and client applications are no people: joining on them would glue everything together, so they stand as the acting application.
func oktaPeople(e *event.Event, r *jsonscan.Result, t *oktaTargetSet) {
	actor := event.User{}
	id, login, name := meant(r.Str(okActorID)), meant(strings.TrimRight(r.Str(okActorLogin), `\`)), meant(r.Str(okActorName))
	kind := r.Str(okActorType)
	switch kind {
	case "User", "AppUser", "":
		oktaUser(&actor, id, login, name)
	case "SystemPrincipal", "PublicClientApp", "Client", "ServicePrincipal":
		if name != "" || id != "" {
			more := e.Actor.Extend()
			more.AppName, more.AppUID = name, id
		}
		e.AddEntity(event.EntityUser, event.RoleContext, event.Context, event.ObjectExtra, login)
	default:
		oktaUser(&actor, id, login, name)
		actor.Type = kind
	}
	target := event.User{}
	oktaUser(&target, t.user.id, t.user.login, t.user.name)
	if e.ClassUID != event.ClassAuthentication {
		e.Actor.User, e.User = actor, target
		return
	}
	switch {
	case target.UID == "" && target.Name == "":
		e.User = actor
	case actor.UID == "" && actor.Name == "":
		e.User = target
	case actor.UID == target.UID || actor.Name != "" && actor.Name == target.Name || t.user.kind == "AppUser":
		e.User = actor
		if e.User.Email == "" {
			e.User.Email = target.Email
		}
	default:
		e.Actor.User, e.User = actor, target
	}
	if e.User.UID == "" && e.User.Name == "" && (kind == "PublicClientApp" || kind == "Client" || kind == "ServicePrincipal") {
		e.User = event.User{UID: id, Name: name, Type: kind, TypeID: userService}
	}
}

func oktaUser(u *event.User, id, login, name string) {
	u.UID = id
	setLogin(u, login)
	if name != "" && name != login {
		u.FullName = name
	}
	if u.UID == "" && u.Name == "" {
		u.Name = name
	}
}

// oktaObjects fills what was signed in to, or acted on.
func oktaObjects(e *event.Event, r *jsonscan.Result, t *oktaTargetSet) {
	if t.policy.known() && (e.ClassUID == event.ClassAuthentication || e.ClassUID == event.ClassDetection) {
		e.Policy = &event.Policy{UID: t.policy.id, Name: t.policy.title(), IsApplied: event.True}
	}
	switch e.ClassUID {
	case event.ClassAuthentication:
		e.Service = event.Service{UID: t.app.id, Name: t.app.title()}
		if !t.app.known() {
			e.Service = event.Service{Name: "Okta"}
		}
		if provider := meant(r.Str(okAuthProvider)); provider != "" {
			e.Actor.Extend().IdP.Name = provider
		}
	case event.ClassUserAccess:
		e.Access = &event.Access{Privileges: oktaPrivileges(r, t)}
		what := &t.app
		if !what.known() {
			what = &t.role
		}
		if what.known() {
			e.Access.Resource = event.Resource{UID: what.id, Name: what.title(), Type: what.kind}
		}
	case event.ClassGroupManagement:
		e.Group = &event.Group{UID: t.group.id, Name: t.group.title(), Type: t.group.kind}
		if e.ActivityID == groupAssign || e.ActivityID == groupRevoke {
			e.Access = &event.Access{Privileges: oktaPrivileges(r, t)}
		}
	case event.ClassEntityManagement:
		e.Entity = &event.Entity{UID: t.first.id, Name: t.first.title(), Type: t.first.kind, TypeID: oktaEntityType(t.first.kind)}
	case event.ClassDetection:
		e.Finding = &event.Finding{
			UID: e.Metadata.OriginalUID, Title: e.Message, Types: []string{e.Metadata.EventCode},
			AnalyticName: e.Metadata.EventCode, AnalyticUID: e.Metadata.EventCode, AnalyticType: 1, IsAlert: event.True,
		}
		if e.Finding.Title == "" {
			e.Finding.Title = e.Metadata.EventCode
		}
	}
}

// oktaPrivileges are the rights granted or taken: the named roles, else access to the application.
func oktaPrivileges(r *jsonscan.Result, t *oktaTargetSet) []string {
	if text := meant(r.Str(okPrivilege)); text != "" && len(text) <= 1024 {
		var out []string
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
		return out
	}
	if t.role.known() {
		return []string{t.role.title()}
	}
	if t.app.known() {
		return []string{"Access to " + t.app.title()}
	}
	return nil
}

func oktaEntityType(kind string) uint8 {
	switch {
	case strings.HasPrefix(kind, "Device"):
		return 1
	case kind == "User" || kind == "AppUser":
		return 2
	case kind == "UserGroup" || kind == "AppGroup":
		return 3
	case strings.HasPrefix(kind, "Policy") || kind == "Rule":
		return 5
	case strings.Contains(kind, "Zone"):
		return 7
	}
	return 99
}

// oktaFit changes the class where the record lacks what OCSF requires of it.
func oktaFit(e *event.Event, r *jsonscan.Result) {
	user := e.User.UID != "" || e.User.Name != ""
	switch e.ClassUID {
	case event.ClassAccountChange:
		if !user {
			e.User = e.Actor.User
			user = e.User.UID != "" || e.User.Name != ""
		}
		if user {
			return
		}
	case event.ClassAuthentication:
		if user {
			return
		}
	case event.ClassUserAccess:
		if user && len(e.Access.Privileges) > 0 {
			return
		}
		e.Access = nil
	case event.ClassGroupManagement:
		if e.Group.UID != "" || e.Group.Name != "" {
			return
		}
		e.Group = nil
	case event.ClassDetection:
		if e.Finding.UID != "" {
			return
		}
		e.Finding.UID = e.Finding.Title + "/" + r.Str(okPublished)
		return
	default:
		return
	}
	e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, e.Metadata.EventCode
	if user {
		e.ClassUID = event.ClassAccountChange
	}
}
