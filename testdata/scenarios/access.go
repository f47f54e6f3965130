package scenarios

import (
	"fmt"
	"strings"
	"time"
)

// accessControl is Cisco ISE: robots that roam between access points and are known by their address, laptops that sign in at the shift
// change, first as machine and then as user, and one phone that is refused.
func accessControl(p *plant) []line {
	for _, r := range robots() {
		p.every(time.Duration(p.between(0, 900))*time.Second, 20*time.Minute, 10*time.Minute, func(at time.Time) {
			p.byAddress(at, r, fmt.Sprintf("ap-hall%d", p.between(1, 4)))
		})
	}
	for i, l := range laptops {
		for _, change := range []time.Duration{2 * time.Minute, 7*time.Hour + 32*time.Minute} {
			at := p.from.Add(change + time.Duration(i*61)*time.Second)
			p.admitted(at, l, "host/"+l.name+".plant.example", "Office_Machines", "10")
			p.admitted(at.Add(20*time.Second), l, people[i].email, "Office_Users", "10")
		}
		p.every(time.Hour, 90*time.Minute, 20*time.Minute, func(at time.Time) { p.admitted(at, l, people[i].email, "Office_Users", "10") })
	}
	p.every(50*time.Minute, 2*time.Hour, 30*time.Minute, func(at time.Time) {
		n := p.next()
		p.say(at, "<181>1 %s ise-psn-1 CISE_Failed_Attempts - - - %010d 1 0 %s %010d 5434 NOTICE Failed-Attempt: Endpoint conducted several failed "+
			"authentications of the same scenario, Device IP Address=10.10.0.3, UserName=00-00-5E-00-53-C1, Protocol=Radius, NetworkDeviceName=ap-canteen, "+
			"Calling-Station-ID=00-00-5E-00-53-C1, AuthenticationMethod=Lookup, SelectedAuthorizationProfiles=DenyAccess, "+
			"FailureReason=15039 Rejected per authorization profile, AuthorizationPolicyMatchedRule=Default, UserType=Host,",
			stamp(at), n, at.In(berlin).Format("2006-01-02 15:04:05.000 -07:00"), 7_000_000+n)
	})
	return p.lines
}

func dashes(mac string) string { return strings.ToUpper(strings.ReplaceAll(mac, ":", "-")) }

func (p *plant) byAddress(at time.Time, r machine, ap string) {
	n := p.next()
	p.say(at, "<181>1 %s ise-psn-1 CISE_Passed_Authentications - - - %010d 1 0 %s %010d 5200 NOTICE Passed-Authentication: Authentication succeeded, "+
		"Device IP Address=10.20.0.%d, UserName=%s, Protocol=Radius, NetworkDeviceName=%s, NAS-Port-Type=Wireless - IEEE 802.11, Calling-Station-ID=%s, "+
		"AuthenticationMethod=Lookup, SelectedAuthorizationProfiles=Robot_VLAN, AuthenticationStatus=AuthenticationPassed, AuthorizationPolicyMatchedRule=Robots, "+
		"EndPointMACAddress=%s, EndPointMatchedProfile=Robot, ISEPolicySetName=Wireless_Plant, UserType=Host, "+
		"Response={Tunnel-Type=(tag=1) VLAN; Tunnel-Private-Group-ID=(tag=1) 20; },",
		stamp(at), n, at.In(berlin).Format("2006-01-02 15:04:05.000 -07:00"), 7_000_000+n, p.between(3, 6), dashes(r.mac), ap, dashes(r.mac), dashes(r.mac))
}

func (p *plant) admitted(at time.Time, l machine, user, rule, vlan string) {
	n := p.next()
	p.say(at, "<181>1 %s ise-psn-1 CISE_Passed_Authentications - - - %010d 1 0 %s %010d 5200 NOTICE Passed-Authentication: Authentication succeeded, "+
		"Device IP Address=10.10.0.3, UserName=%s, Protocol=Radius, NetworkDeviceName=sw-office, NAS-Port-Type=Ethernet, Calling-Station-ID=%s, "+
		"SelectedAuthorizationProfiles=Office_VLAN, EapTunnel=PEAP, EapAuthentication=EAP-TLS, AuthenticationStatus=AuthenticationPassed, "+
		"AuthorizationPolicyMatchedRule=%s, EndPointMACAddress=%s, PostureAssessmentStatus=Compliant, EndPointMatchedProfile=Windows11-Workstation, "+
		"ISEPolicySetName=Wired_Office, Response={Tunnel-Type=(tag=1) VLAN; Tunnel-Private-Group-ID=(tag=1) %s; },",
		stamp(at), n, at.In(berlin).Format("2006-01-02 15:04:05.000 -07:00"), 7_000_000+n, user, dashes(l.mac), rule, dashes(l.mac), vlan)
}

// leases is the DHCP server: everything renews every twenty minutes or so.
func leases(p *plant) []line {
	for _, m := range append(robots(), laptops...) {
		relay := "10.20.0.1"
		if strings.HasPrefix(m.ip, "10.10.") {
			relay = "10.10.0.1"
		}
		p.every(time.Duration(p.between(0, 1200))*time.Second, 30*time.Minute, 5*time.Minute, func(at time.Time) {
			p.say(at, "<30>1 %s dhcp-1 dhcpd 611 - - DHCPREQUEST for %s from %s (%s) via %s", stamp(at), m.ip, m.mac, m.name, relay)
			p.say(at.Add(4*time.Millisecond), "<30>1 %s dhcp-1 dhcpd 611 - - DHCPACK on %s to %s (%s) via %s", stamp(at.Add(4*time.Millisecond)), m.ip, m.mac, m.name, relay)
		})
	}
	return p.lines
}

// endpointAgents are the host documents of CrowdStrike, collected every hour, and one detection on an office laptop that was blocked.
func endpointAgents(p *plant) []line {
	hosts := append(append(append([]machine{}, stations...), panels...), laptops...)
	p.every(10*time.Minute, time.Hour, 0, func(at time.Time) {
		for i, h := range hosts {
			seen := at.Add(-time.Duration(p.between(20, 600)) * time.Second)
			p.say(at.Add(time.Duration(i)*time.Millisecond), `{"collected_at":"%s","device_id":"c0ffee%026d","cid":"4e0d7a2c9b1f4a6d8c3e5f7091a2b3c4","agent_version":"7.28.20205.0",`+
				`"hostname":"%s","mac_address":"%s","local_ip":"%s","first_seen":"2025-02-01T07:00:00Z","last_seen":"%s","platform_name":"Windows","os_version":"Windows 11",`+
				`"product_type":"1","product_type_desc":"Workstation","provision_status":"Provisioned","serial_number":"%s","status":"normal","reduced_functionality_mode":"no",`+
				`"machine_domain":"plant.example","modified_timestamp":"%s","device_policies":{"prevention":{"policy_type":"prevention","policy_id":"pp-1","applied":true}}}`,
				iso(at.Add(time.Duration(i)*time.Millisecond)), i+1, h.name, strings.ReplaceAll(h.mac, ":", "-"), h.ip, iso(seen), h.serial, iso(seen))
		}
	})
	at := p.from.Add(8 * time.Minute)
	p.say(at, `{"metadata":{"customerIDString":"4e0d7a2c9b1f4a6d8c3e5f7091a2b3c4","offset":48100,"eventType":"DetectionSummaryEvent","eventCreationTime":%d,"version":"1.0"},`+
		`"event":{"ProcessStartTime":%d,"ComputerName":"lt-jonas","UserName":"jweber","DetectName":"Adware blocked","DetectDescription":"A bundled installer was blocked.",`+
		`"Severity":2,"SeverityName":"Low","FileName":"setup.exe","SensorId":"c0ffee00000000000000000000000006","LocalIP":"10.10.4.22","MACAddress":"00-00-5e-00-53-83",`+
		`"PatternDispositionDescription":"Prevention, process was blocked from execution.","Tactic":"Execution","Technique":"User Execution","DetectId":"ldt:c0ffee:48100"}}`,
		at.UnixMilli(), at.Unix())
	return p.lines
}

// jumpHost is the SSH log of the robots: automation from the jump host, and the vulnerability scanner that is refused.
func jumpHost(p *plant) []line {
	for i, r := range append(append([]machine{}, acme...), cobots...) {
		p.every(time.Duration(i*4)*time.Minute, time.Hour, 3*time.Minute, func(at time.Time) {
			p.sshd(at, r, "Accepted publickey for svc-fleet from 10.40.1.10 port %d ssh2: ED25519 SHA256:q8Zt0nB3mVf0h6u1m3Qy0b0dT7oD7nK2vYpXwE4uZ5s", p.between(40000, 60000))
			p.sshd(at.Add(3*time.Second), r, "Disconnected from user svc-fleet 10.40.1.10 port %d", p.between(40000, 60000))
		})
		scan := p.from.Add(3*time.Hour + time.Duration(i*20)*time.Second)
		for n := range 12 {
			p.sshd(scan.Add(time.Duration(n)*time.Second), r, "Failed password for invalid user scan%d from 10.10.0.50 port %d ssh2", n, 50000+n)
		}
	}
	return p.lines
}

func (p *plant) sshd(at time.Time, r machine, format string, args ...any) {
	p.say(at, "<38>1 %s %s.plant.example sshd %d - - %s", stamp(at), r.name, p.between(2000, 30000), fmt.Sprintf(format, args...))
}
