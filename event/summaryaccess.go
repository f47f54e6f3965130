package event

import (
	"cmp"
	"slices"
	"strings"
)

// sayAuthentication tells of sign-ins, of second factors and of what was let onto the network.
func sayAuthentication(s *sentence, e *Event) {
	if e.admission() {
		sayAdmission(s, e)
		return
	}
	s.say(cmp.Or(e.person(&e.User), e.who(), "Someone"))
	failed, challenge := e.StatusID == 2, e.ActivityID == ActivityOther && e.Activity == MFAChallenge
	reason := ""
	if failed {
		reason = e.reason()
	}
	to := "to"
	switch {
	case challenge && failed && answered(e) && declined(e):
		s.say("refused a " + prompts[e.AuthFactor.TypeID])
		to, reason = "for", ""
	case challenge:
		sayChallenge(s, e)
		to = "for"
	case e.ActivityID == 2:
		s.say("signed out")
		to = "of"
	case e.ActivityID == 1 && failed:
		s.say("failed to sign in")
	case e.ActivityID == 1:
		s.say("signed in")
	case e.ActivityID == 7:
		s.say(map[bool]string{true: "failed to switch account", false: "switched account"}[failed])
		to = "with"
	default:
		s.say(map[bool]string{true: "failed", false: "asked"}[failed])
		s.say(cmp.Or(of(tickets, int(e.ActivityID)), "to authenticate"))
		if e.ActivityID == ActivityOther {
			s.aside(e.activity())
		}
		if of(tickets, int(e.ActivityID)) != "" {
			to = "for"
		}
	}
	s.with(to, cmp.Or(e.Service.Name, e.Service.UID, e.robot(), e.endpoint(&e.DstEndpoint), e.device()))
	s.with("from", e.endpoint(&e.SrcEndpoint))
	if m := e.SrcEndpoint.More; m != nil {
		s.aside(m.Location.Country)
	}
	s.with("on VLAN", e.DstEndpoint.VLAN)
	s.because(reason)
}

// tickets are the steps of an authentication that someone asks or fails to take, by activity.
var tickets = []string{3: "to get an authentication ticket", 4: "to get a service ticket", 5: "to renew a service ticket"}

// prompts are the second factors, by factor_type_id.
var prompts = map[uint8]string{
	1: "SMS code", 2: "security question", 3: "phone call", 4: "biometric check", 5: "push prompt", 6: "hardware token", 7: "one-time code", 8: "code by e-mail",
	9: "security key", 10: "security key", 11: "password prompt",
}

// answered reports whether the factor is one that a person only has to approve.
func answered(e *Event) bool { return e.AuthFactor.TypeID == 3 || e.AuthFactor.TypeID == 5 }

// declined reports whether the source says that the person refused, and nothing more that an analyst should read.
func declined(e *Event) bool {
	detail := strings.ToLower(e.StatusDetail)
	has := func(word string) bool { return strings.Contains(detail, word) }
	return (has("reject") || has("declin") || has("refus")) && !has("fraud") && !has("report")
}

func sayChallenge(s *sentence, e *Event) {
	factor := prompts[e.AuthFactor.TypeID]
	switch {
	case e.StatusID == 1 && answered(e):
		s.say("approved a " + factor)
		return
	case e.StatusID == 2 && answered(e):
		s.say("did not approve a " + factor)
		return
	case e.StatusID == 1:
		s.say("passed a second-factor challenge")
	case e.StatusID == 2:
		s.say("failed a second-factor challenge")
	default:
		s.say("was asked for a second factor")
	}
	s.aside(factor)
}

// admission reports whether the event is about being let onto a network, not about signing in to something.
func (e *Event) admission() bool {
	return e.ActivityID == 1 && (e.AuthProtocolID == 9 || e.AuthProtocolID == 10 || strings.EqualFold(e.AuthProtocol, "MAB"))
}

// hexDigits is a hardware address without what stands between its digits.
func hexDigits(mac string) string {
	return strings.ToLower(strings.NewReplacer(":", "", "-", "", ".", "").Replace(mac))
}

func sayAdmission(s *sentence, e *Event) {
	mac := cmp.Or(e.SrcEndpoint.MAC, e.Device.MAC)
	who := cmp.Or(e.person(&e.User), e.who())
	if mac != "" && hexDigits(who) == hexDigits(mac) {
		who = ""
	}
	switch {
	case who != "":
		s.say(who)
	case mac != "":
		s.say("Device " + mac)
	default:
		s.say(cmp.Or(e.endpoint(&e.SrcEndpoint), e.device(), "A device"))
	}
	switch e.StatusID {
	case 1:
		s.say("was let onto")
	case 2:
		s.say("was refused")
	default:
		s.say("asked for")
	}
	if vlan := cmp.Or(e.DstEndpoint.VLAN, e.SrcEndpoint.VLAN, e.Device.VLAN); vlan != "" && e.StatusID == 1 {
		s.say("VLAN " + vlan)
	} else {
		s.say(map[bool]string{true: "the network", false: "network access"}[e.StatusID == 1])
	}
	if e.Policy != nil {
		s.with("by rule", cmp.Or(e.Policy.Name, e.Policy.UID))
	}
	s.aside(e.Metadata.Product)
	if who != "" {
		s.with("from MAC", mac)
	}
	if e.StatusID == 2 {
		s.because(e.reason())
	}
}

var accountDeeds = []string{
	1: "created", 2: "enabled", 3: "changed the password of", 4: "reset the password of", 5: "disabled", 6: "deleted", 7: "attached a policy to", 8: "detached a policy from",
	9: "locked", 10: "added a second factor to", 11: "removed a second factor from", 12: "unlocked",
}

func sayAccountChange(s *sentence, e *Event) {
	who, whose := e.who(), e.person(&e.User)
	s.say(cmp.Or(who, "Someone"))
	did := of(accountDeeds, int(e.ActivityID))
	s.say(cmp.Or(did, "changed"))
	switch {
	case whose == "":
		s.say("an account")
	case whose == who:
		s.say("their own account")
	default:
		s.say("account " + whose)
	}
	if did == "" && e.Activity != "" {
		s.aside(e.activity())
	}
	s.outcome(e)
}

func sayAccess(s *sentence, e *Event) {
	s.say(cmp.Or(e.who(), "The system"))
	s.say(map[bool]string{true: "took privileges from", false: "gave privileges to"}[e.ClassUID == ClassUserAccess && e.ActivityID == 2])
	s.say(cmp.Or(e.person(&e.User), "someone"))
	if e.Access != nil {
		s.aside(strings.Join(e.Access.Privileges, ", "))
		if on := cmp.Or(e.Access.Resource.Name, e.Access.Resource.UID); !slices.Contains(e.Access.Privileges, on) {
			s.with("on", on)
		}
	}
	s.outcome(e)
}

// groupDeeds are what was done to a group, by activity: the verb, and the word before the group where a user stands between.
var groupDeeds = map[uint16][2]string{
	1: {"gave privileges to", ""}, 2: {"took privileges from", ""}, 3: {"added", "to"}, 4: {"removed", "from"}, 5: {"deleted", ""}, 6: {"created", ""},
	7: {"added a subgroup to", ""}, 8: {"removed a subgroup from", ""},
}

func sayGroup(s *sentence, e *Event) {
	s.say(cmp.Or(e.who(), "Someone"))
	did, known := groupDeeds[e.ActivityID]
	if !known {
		did[0] = "changed"
	}
	s.say(did[0])
	if did[1] != "" {
		s.say(cmp.Or(e.person(&e.User), "someone"))
		s.say(did[1])
	}
	s.say("group")
	if e.Group != nil {
		s.say(cmp.Or(e.Group.Name, e.Group.UID))
	}
	if !known && e.Activity != "" {
		s.aside(e.activity())
	}
	s.outcome(e)
}

var entityDeeds = []string{
	1: "created", 2: "read", 3: "changed", 4: "deleted", 5: "moved", 6: "enrolled", 7: "unenrolled", 8: "enabled", 9: "disabled", 10: "activated", 11: "deactivated",
	12: "suspended", 13: "resumed",
}

func sayEntity(s *sentence, e *Event) {
	s.say(cmp.Or(e.who(), "Someone"))
	did := of(entityDeeds, int(e.ActivityID))
	s.say(cmp.Or(did, "managed"))
	if e.Entity != nil {
		s.say(strings.ReplaceAll(e.Entity.Type, "_", " "))
		s.say(cmp.Or(e.Entity.Name, e.Entity.UID))
	}
	if did == "" && e.Activity != "" {
		s.aside(e.activity())
	}
	s.outcome(e)
}

func sayAPI(s *sentence, e *Event) {
	s.say(cmp.Or(e.who(), "Someone"))
	ran := e.ActivityID == ActivityOther && e.Activity == "Command"
	s.say(map[bool]string{true: "ran", false: "called"}[ran])
	switch {
	case e.API == nil:
	case ran:
		s.quote(e.API.Operation)
	default:
		s.say(e.API.Operation)
		s.with("of", e.API.Service)
	}
	s.with("on", e.device())
	s.with("from", e.endpoint(&e.SrcEndpoint))
	s.outcome(e)
}

func sayTicket(s *sentence, e *Event) {
	t := e.ChangeTicket
	if t == nil {
		t = &ChangeTicket{}
	}
	s.say("Change ticket")
	s.say(t.UID)
	s.quote(t.Title)
	s.with("for", strings.Join(t.Resources, ", "))
	s.say("was")
	done := e.activity()
	s.say(done)
	if done == "approved" {
		s.with("by", t.Approver)
		return
	}
	if t.Approver != "" {
		s.clause("approved by " + t.Approver)
	}
}
