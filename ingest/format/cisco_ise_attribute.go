package format

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// iseAttributes are the attributes of one message that we have a use for. The first value of an attribute wins.
type iseAttributes struct {
	count int

	userName, radiusUser, user, adminName, subject, original      string
	adminIP, adminInterface, operation                            string
	deviceIP, nasIP, deviceName, destinationIP, destinationPort   string
	calling, called, nasPort, nasPortID, framedIP, framedIPv6     string
	endpointIP, endpointMAC, chaddr, remoteAddress                string
	acsSession, cpmSession, audit, acctSession, acctStatus, cause string
	in, out, inPackets, outPackets, inGiga, outGiga, seconds      string
	profile, policyID, os, hostName, fqdn, model, requestedIP     string
	posture, postureStatus, mdmMAC, mdmOS                         string
	failure, authStatus, response, responseUser, packetType       string
	eap, eapTunnel, method, protocol, identityRule, authzRule     string
	policySet, profiles, service, vlan                            string
	command, privilege, port, objectType, objectName, change      string
	coaType, coaSource, coaReason, anc, eps                       string
	localAddress, peerAddress, peerName, connection               string
}

// read takes an attribute list apart. Profiler messages carry lists inside lists, whose commas may be escaped and have no space after them.
func (a *iseAttributes) read(s string) {
	last := ""
	for key, value := range kv.ISE(s) {
		if key == "" && (last == "OperationMessageText" || last == "FailureReason") {
			a.resume(last, value)
			continue
		}
		last = key
		if !strings.ContainsRune(value, ',') && !strings.ContainsRune(key, ',') {
			a.set(key, value)
			continue
		}
		if key != "" {
			value = key + "=" + value
		}
		a.readNested(value)
	}
}

// resume appends to a sentence that had a comma in it.
func (a *iseAttributes) resume(key, value string) {
	if dst := a.field(key); *dst != "" {
		*dst += ", " + value
	}
}

// readNested reads "Key=Value,Key=Value" where a comma followed by a space belongs to a value.
func (a *iseAttributes) readNested(s string) {
	for first := true; s != ""; first = false {
		var part string
		part, s = cutTightComma(s)
		key, value, found := strings.Cut(part, "=")
		if strings.HasPrefix(value, "chaddr=") || key == "EndpointProperty" {
			key, value, found = strings.Cut(value, "=")
		}
		if !found {
			if first {
				a.leader(part)
			}
			continue
		}
		a.set(strings.TrimSpace(key), value)
	}
}

// leader reads "02-00-5e-10-00-01:EVENT", which opens the attribute dump of an endpoint.
func (a *iseAttributes) leader(s string) {
	if mac, ok := kv.MAC(s); ok {
		a.keep(&a.endpointMAC, mac)
	}
}

func cutTightComma(s string) (before, after string) {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == ',' && s[i+1] != ' ' {
			return s[:i], s[i+1:]
		}
	}
	return strings.TrimSuffix(s, ","), ""
}

func (a *iseAttributes) keep(dst *string, value string) {
	if *dst == "" {
		*dst = value
	}
}

func (a *iseAttributes) set(key, value string) {
	value = strings.TrimSpace(value)
	if rest, found := strings.CutPrefix(key, "#01"); found && len(rest) > 2 {
		key = strings.TrimLeft(rest[1:], " ") // The end of a segment, spelled out by a relay.
	}
	if key == "" || value == "" {
		return
	}
	a.count++
	switch key {
	case "cisco-av-pair":
		a.setPair(value)
	case "Response":
		a.setResponse(value)
	case "EndpointProperty":
		k, v, _ := strings.Cut(value, "=")
		a.set(k, v)
	default:
		if dst := a.field(key); dst != nil && !kv.Placeholder(value) {
			a.keep(dst, value)
		}
	}
}

// unmappedISE lists the attributes of a message that decoding does not read, each once.
func unmappedISE(rec *event.Record) []string {
	h, body, err := readHeader(rec)
	if err != nil {
		return nil
	}
	p, ok := readISEHeader(&h, trimRelayEnd(body))
	if !ok {
		return nil
	}
	var a iseAttributes
	var keys []string
	for key := range kv.ISE(p.attributes) {
		switch {
		case key == "", key == "cisco-av-pair", key == "Response", key == "EndpointProperty", strings.ContainsRune(key, ','), a.field(key) != nil:
		case !slices.Contains(keys, key):
			keys = append(keys, key)
		}
	}
	return keys
}

// setPair reads the value of a Cisco attribute-value pair, itself "key=value".
func (a *iseAttributes) setPair(s string) {
	key, value, _ := strings.Cut(s, "=")
	switch key {
	case "audit-session-id":
		a.keep(&a.audit, value)
	case "vlan-id":
		a.keep(&a.vlan, value)
	case "method":
		a.keep(&a.method, value)
	case "FQSubjectName":
		_, name, _ := strings.Cut(value, "#")
		a.keep(&a.subject, name)
	case "mdm-tlv":
		key, value, _ = strings.Cut(value, "=")
		switch key {
		case "device-mac":
			a.keep(&a.mdmMAC, value)
		case "device-platform":
			a.keep(&a.mdmOS, value)
		}
	}
}

// setResponse reads what ISE answered: "{RadiusPacketType=AccessReject; UserName=…; cisco-av-pair=…; }".
func (a *iseAttributes) setResponse(s string) {
	a.response = s
	for key, value := range kv.ISENested(s) {
		switch key {
		case "RadiusPacketType":
			a.keep(&a.packetType, value)
		case "UserName", "User-Name":
			a.keep(&a.responseUser, value)
		case "cisco-av-pair":
			a.setPair(value)
		case "Tunnel-Private-Group-ID", "Tunnel-Private-Group-Id":
			// "(tag=1) 310"
			if i := strings.IndexByte(value, ')'); i >= 0 {
				value = value[i+1:]
			}
			a.keep(&a.vlan, strings.TrimSpace(value))
		}
	}
}

// field finds where an attribute goes. Spellings differ between message classes and releases.
func (a *iseAttributes) field(key string) *string {
	switch key {
	case "UserName", "Username":
		return &a.userName
	case "User-Name":
		return &a.radiusUser
	case "User", "GuestUserName", "PortalUser":
		return &a.user
	case "OriginalUserName":
		return &a.original
	case "AdminName", "Admin", "OperatorName", "SponsorUserName":
		return &a.adminName
	case "AdminIPAddress", "RemoteHost", "Remote-Host":
		return &a.adminIP
	case "AdminInterface":
		return &a.adminInterface
	case "OperationMessageText":
		return &a.operation
	case "Device IP Address":
		return &a.deviceIP
	case "NAS-IP-Address", "NAS-IPv6-Address":
		return &a.nasIP
	case "NetworkDeviceName":
		return &a.deviceName
	case "DestinationIPAddress":
		return &a.destinationIP
	case "DestinationPort":
		return &a.destinationPort
	case "Calling-Station-ID", "Calling-Station-Id":
		return &a.calling
	case "Called-Station-ID", "Called-Station-Id":
		return &a.called
	case "NAS-Port":
		return &a.nasPort
	case "NAS-Port-Id", "NAS-Port-ID":
		return &a.nasPortID
	case "Framed-IP-Address":
		return &a.framedIP
	case "Framed-IPv6-Address":
		return &a.framedIPv6
	case "EndpointIPAddress", "EndPointIPAddress", "IpAddress", "EndpointIpAddress", "ip":
		return &a.endpointIP
	case "EndPointMACAddress", "EndpointMacAddress", "EndpointMACAddress", "MACAddress", "MacAddress":
		return &a.endpointMAC
	case "chaddr", "dhcp-client-identifier":
		return &a.chaddr
	case "Remote-Address":
		return &a.remoteAddress
	case "AcsSessionID":
		return &a.acsSession
	case "CPMSessionID":
		return &a.cpmSession
	case "Acct-Session-Id":
		return &a.acctSession
	case "Acct-Status-Type", "AcctRequest-Flags":
		return &a.acctStatus
	case "Acct-Terminate-Cause":
		return &a.cause
	}
	if dst := a.trafficField(key); dst != nil {
		return dst
	}
	return a.decisionField(key)
}

func (a *iseAttributes) trafficField(key string) *string {
	switch key {
	case "Acct-Input-Octets":
		return &a.in
	case "Acct-Output-Octets":
		return &a.out
	case "Acct-Input-Packets":
		return &a.inPackets
	case "Acct-Output-Packets":
		return &a.outPackets
	case "Acct-Input-Gigawords":
		return &a.inGiga
	case "Acct-Output-Gigawords":
		return &a.outGiga
	case "Acct-Session-Time":
		return &a.seconds
	case "ISELocalAddress":
		return &a.localAddress
	case "PeerAddress":
		return &a.peerAddress
	case "PeerName":
		return &a.peerName
	case "ConnectionStatus":
		return &a.connection
	case "host-name", "HostName", "Hostname", "dhcp-host-name", "EndpointHostName":
		return &a.hostName
	case "client-fqdn", "AD-Host-Resolved-DNs", "FQDN":
		return &a.fqdn
	case "dhcp-requested-address":
		return &a.requestedIP
	case "OperatingSystem", "operating-system", "AD-Operating-System", "PostureOS":
		return &a.os
	case "Model Name":
		return &a.model
	}
	return nil
}

func (a *iseAttributes) decisionField(key string) *string {
	switch key {
	case "EndpointMatchedPolicy", "EndPointMatchedProfile", "EndpointPolicy", "MatchedPolicy", "EndpointMatchedProfile":
		return &a.profile
	case "EndPointPolicyID", "MatchedPolicyID":
		return &a.policyID
	case "PostureAssessmentStatus":
		return &a.posture
	case "PostureStatus", "Status":
		return &a.postureStatus
	case "FailureReason":
		return &a.failure
	case "AuthenticationStatus":
		return &a.authStatus
	case "EapAuthentication":
		return &a.eap
	case "EapTunnel":
		return &a.eapTunnel
	case "AuthenticationMethod":
		return &a.method
	case "Protocol":
		return &a.protocol
	case "IdentityPolicyMatchedRule":
		return &a.identityRule
	case "AuthorizationPolicyMatchedRule", "MatchedCommandSet", "PosturePolicyMatched":
		return &a.authzRule
	case "ISEPolicySetName":
		return &a.policySet
	case "SelectedAuthorizationProfiles", "SelectedShellProfile", "SelectedCommandSet":
		return &a.profiles
	case "SelectedAccessService":
		return &a.service
	case "VLAN", "Vlan", "EndpointVLAN":
		return &a.vlan
	case "CmdSet", "CmdAV":
		return &a.command
	case "Privilege-Level":
		return &a.privilege
	case "Port":
		return &a.port
	case "ObjectType", "Object Type":
		return &a.objectType
	case "ObjectName", "Object Name":
		return &a.objectName
	case "ConfigChangeData", "ChangedData":
		return &a.change
	case "CoAType", "CoA-Type":
		return &a.coaType
	case "CoASourceComponent":
		return &a.coaSource
	case "CoAReason":
		return &a.coaReason
	case "ANCPolicy", "ANC-Policy", "ANCPolicyName":
		return &a.anc
	case "EPSStatus", "ANCStatus":
		return &a.eps
	}
	return nil
}
