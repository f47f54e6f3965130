package scenarios

import (
	"time"
)

// identityProvider is Okta: sign-ins with a second factor at both shift changes, all of them behind the plant's one egress address, single
// sign-on through the night, mistyped passwords, one prompt refused by mistake, and announced travel.
func identityProvider(p *plant) []line {
	for i, who := range people {
		for _, change := range []time.Duration{15 * time.Second, 7*time.Hour + 30*time.Minute} {
			at := p.from.Add(change + time.Duration(i*47+p.between(0, 30))*time.Second)
			if p.between(0, 3) == 0 {
				p.okta(at, who, home, "user.session.start", "FAILURE", "INVALID_CREDENTIALS", "User login to Okta", password, "")
			}
			p.okta(at.Add(9*time.Second), who, home, "user.session.start", "SUCCESS", "", "User login to Okta", password, "")
			if i == 5 {
				p.okta(at.Add(14*time.Second), who, home, "user.mfa.okta_verify.deny_push", "SUCCESS", "", "User rejected Okta push verify", push, "")
			}
			p.okta(at.Add(21*time.Second), who, home, "user.authentication.auth_via_mfa", "SUCCESS", "", "Authentication of user via MFA", push, "")
			p.okta(at.Add(25*time.Second), who, home, "user.authentication.sso", "SUCCESS", "", "User single sign on to app", "", "Shift Book")
			if i < 4 {
				p.okta(at.Add(60*time.Second), who, home, "user.authentication.sso", "SUCCESS", "", "User single sign on to app", "", "Fleet Console")
			}
		}
	}
	p.every(40*time.Minute, 5*time.Minute, 4*time.Minute, func(at time.Time) {
		p.okta(at, people[p.between(5, len(people)-1)], home, "user.authentication.sso", "SUCCESS", "", "User single sign on to app", "", "Shift Book")
	})
	travel := p.from.Add(2 * time.Hour)
	p.okta(travel, people[2], away, "user.session.start", "SUCCESS", "", "User login to Okta", password, "")
	p.okta(travel.Add(12*time.Second), people[2], away, "user.authentication.auth_via_mfa", "SUCCESS", "", "Authentication of user via MFA", push, "")
	return p.lines
}

// The factors of a sign-in.
const (
	password = "PASSWORD"
	push     = "OKTA_VERIFY_PUSH"
)

// place is where a sign-in comes from.
type place struct{ ip, city, country, org string }

var (
	home = place{"203.0.113.10", "Kassel", "Germany", "Plant Network"}
	away = place{"198.51.100.77", "Boston", "United States", "Hotel Wireless"}
)

func (p *plant) okta(at time.Time, who person, from place, kind, result, reason, message, factor, app string) {
	target := "null"
	if app != "" {
		target = `[{"id":"0oa` + app[:2] + `1","type":"AppInstance","alternateId":"` + app + `","displayName":"OpenID Connect Client","detailEntry":{"signOnModeType":"OPENID_CONNECT"}}]`
	}
	text := "null"
	if reason != "" {
		text = `"` + reason + `"`
	}
	credential, debug := "null", ""
	if factor == password {
		credential = `"PASSWORD"`
	} else if factor != "" {
		debug = `,"factor":"` + factor + `"`
	}
	n := p.next()
	p.say(at, `{"uuid":"3b0c9a10-77aa-11f1-8c00-%012d","published":"%s","eventType":"%s","version":"0","severity":"INFO","displayMessage":"%s",`+
		`"actor":{"id":"%s","type":"User","alternateId":"%s","displayName":"%s"},`+
		`"client":{"userAgent":{"rawUserAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64)","os":"Windows 11","browser":"EDGE"},"zone":"null","device":"Computer","ipAddress":"%s",`+
		`"geographicalContext":{"city":"%s","country":"%s"}},"authenticationContext":{"credentialType":%s,"authenticationStep":0,"externalSessionId":"10%s%s"},`+
		`"outcome":{"result":"%s","reason":%s},"target":%s,"transaction":{"type":"WEB","id":"t%08d"},"debugContext":{"debugData":{"requestId":"t%08d"%s}},`+
		`"securityContext":{"asNumber":64500,"asOrg":"%s","isp":"%s","isProxy":false},"request":{"ipChain":[{"ip":"%s"}]}}`,
		n, iso(at), kind, message, who.uid, who.email, who.name, from.ip, from.city, from.country, credential, who.uid[4:9], at.UTC().Format("0215"),
		result, text, target, n, n, debug, from.org, from.org, from.ip)
}

// ticketSystem is the export of the ticket system: what is approved for this night.
func ticketSystem(p *plant) []line {
	for _, t := range []struct {
		at               time.Duration
		number, title    string
		category, assets string
		from, until      time.Duration
	}{
		{5 * time.Minute, "CHG0001050", "Firmware 5.2.1 on AMR 08", "Robot", `["amr-08"]`, time.Hour, 4 * time.Hour},
		{6 * time.Minute, "CHG0001051", "New recipe block on PLC 04", "Device", `["plc-02","plc-04"]`, time.Hour, 6 * time.Hour},
		{7 * time.Minute, "CHG0001052", "Gripper program of cobot 01", "Robot", `["cobot-01"]`, 30 * time.Minute, 3 * time.Hour},
		{8 * time.Minute, "CHG0001053", "Replace switch in hall 2", "Network hardware", `["sw-hall2"]`, -4 * time.Hour, -2 * time.Hour},
	} {
		at := p.from.Add(t.at)
		p.say(at, `{"number":"%s","approved_at":"%s","short_description":"%s","state":"Scheduled","approval":"approved","type":"Normal","category":"%s","resources":%s,`+
			`"start_date":"%s","end_date":"%s","requested_by":"jonas.weber@plant.example","approved_by":"ana.silva@plant.example","sys_updated_on":"%s"}`,
			t.number, iso(at), t.title, t.category, t.assets, iso(p.from.Add(t.from)), iso(p.from.Add(t.until)), iso(at))
	}
	return p.lines
}
