package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// suricata decodes Suricata's EVE JSON. Source: Suricata User Guide, EVE JSON Format, versions 3 to 8.
func suricata() Format {
	return Format{
		Name: "suricata", Title: "Suricata EVE", Domain: "network",
		Classes: []string{
			"authentication", "base_event", "detection_finding.create", "dhcp_activity", "dns_activity.query", "dns_activity.response",
			"http_activity", "network_activity", "ot_command", "ssh_activity.open",
		},
		Doc: "EVE JSON lines of Suricata 3 to 8 from a file, syslog body or Kafka. Alerts become detection findings, flows network activity, " +
			"DNS (versions 1 to 3), HTTP, DHCP and SSH transactions their OCSF classes, MQTT connects, Kerberos and NTLM logons authentications, " +
			"MQTT publications, Modbus, DNP3 and ENIP transactions OT commands, and everything else network activity under its protocol's name. " +
			"Passwords and communities are redacted.",
		Framing:  Lines,
		Append:   appendSuricata,
		Unmapped: func(rec *event.Record) []string { paths, _ := jsonscan.Unmapped(rec.Value, suricataPlan); return paths },
	}
}

// Slots of suricataPlan, in groups by event type.
const (
	suTime = iota
	suType
	suFlowID
	suTxID
	suSrcIP
	suSrcPort
	suDstIP
	suDstPort
	suProto
	suAppProto
	suCommunity
	suVLAN
	suHost
	suDirection
	suVerdict

	suAlertAction
	suAlertGID
	suAlertSID
	suAlertName
	suAlertCategory
	suAlertSeverity
	suAlertTactics
	suAlertTechniques
	suAlertConfidence
	suDropReason

	suFlowPktsOut
	suFlowPktsIn
	suFlowBytesOut
	suFlowBytesIn
	suFlowStart
	suFlowEnd
	suFlowState
	suFlowReason
	suTCPState
	suNetflow

	suAnomalyType
	suAnomalyEvent
	suAnomalyCode
	suAnomalyProto

	suHTTPHost
	suHTTPURL
	suHTTPAgent
	suHTTPType
	suHTTPReferrer
	suHTTPMethod
	suHTTPProtocol
	suHTTPStatus
	suHTTPLength

	suTLSSubject
	suTLSIssuer
	suTLSSerial
	suTLSSNI
	suTLSVersion
	suTLSNotAfter
	suTLSJA3
	suTLSJA3S

	suSSHVersion
	suSSHClientHASSH
	suSSHServerHASSH

	suFileName
	suFileSize
	suFileMD5
	suFileSHA1
	suFileSHA256
	suFiles

	suDHCPKind
	suDHCPMessage
	suDHCPMAC
	suDHCPAssigned
	suDHCPClient
	suDHCPRequested
	suDHCPHost
	suDHCPLease

	suKRBMessage
	suKRBClient
	suKRBRealm
	suKRBServer
	suKRBError
	suKRBFailed

	suRDPEvent
	suRDPCookie

	suSMB
	suFTPCommand
	suFTPData
	suSNMPCommunity
	suPOPCommand
	suPOPArgs
	suSMTPHelo
	suMailFrom
	suMailTo
	suMailSubject

	suDNS
	suMQTT
	suModbus
	suDNP3
	suENIP
	suStats
	suEngine
)

var suricataPlan = jsonscan.Compile([]string{
	suTime: "timestamp", suType: "event_type", suFlowID: "flow_id", suTxID: "tx_id", suSrcIP: "src_ip", suSrcPort: "src_port",
	suDstIP: "dest_ip", suDstPort: "dest_port", suProto: "proto", suAppProto: "app_proto", suCommunity: "community_id",
	suVLAN: "vlan", suHost: "host", suDirection: "direction", suVerdict: "verdict.action",

	suAlertAction: "alert.action", suAlertGID: "alert.gid", suAlertSID: "alert.signature_id",
	suAlertName: "alert.signature", suAlertCategory: "alert.category", suAlertSeverity: "alert.severity",
	suAlertTactics: "alert.metadata.mitre_tactic_id", suAlertTechniques: "alert.metadata.mitre_technique_id",
	suAlertConfidence: "alert.metadata.confidence", suDropReason: "drop.reason",

	suFlowPktsOut: "flow.pkts_toserver", suFlowPktsIn: "flow.pkts_toclient", suFlowBytesOut: "flow.bytes_toserver",
	suFlowBytesIn: "flow.bytes_toclient", suFlowStart: "flow.start", suFlowEnd: "flow.end", suFlowState: "flow.state",
	suFlowReason: "flow.reason", suTCPState: "tcp.state", suNetflow: "netflow",

	suAnomalyType: "anomaly.type", suAnomalyEvent: "anomaly.event", suAnomalyCode: "anomaly.code", suAnomalyProto: "anomaly.app_proto",

	suHTTPHost: "http.hostname", suHTTPURL: "http.url", suHTTPAgent: "http.http_user_agent", suHTTPType: "http.http_content_type",
	suHTTPReferrer: "http.http_refer", suHTTPMethod: "http.http_method", suHTTPProtocol: "http.protocol", suHTTPStatus: "http.status",
	suHTTPLength: "http.length",

	suTLSSubject: "tls.subject", suTLSIssuer: "tls.issuerdn", suTLSSerial: "tls.serial", suTLSSNI: "tls.sni", suTLSVersion: "tls.version",
	suTLSNotAfter: "tls.notafter", suTLSJA3: "tls.ja3.hash", suTLSJA3S: "tls.ja3s.hash",

	suSSHVersion: "ssh.client.proto_version", suSSHClientHASSH: "ssh.client.hassh.hash", suSSHServerHASSH: "ssh.server.hassh.hash",

	suFileName: "fileinfo.filename", suFileSize: "fileinfo.size", suFileMD5: "fileinfo.md5", suFileSHA1: "fileinfo.sha1",
	suFileSHA256: "fileinfo.sha256", suFiles: "files",

	suDHCPKind: "dhcp.type", suDHCPMessage: "dhcp.dhcp_type", suDHCPMAC: "dhcp.client_mac", suDHCPAssigned: "dhcp.assigned_ip",
	suDHCPClient: "dhcp.client_ip", suDHCPRequested: "dhcp.requested_ip", suDHCPHost: "dhcp.hostname", suDHCPLease: "dhcp.lease_time",

	suKRBMessage: "krb5.msg_type", suKRBClient: "krb5.cname", suKRBRealm: "krb5.realm", suKRBServer: "krb5.sname",
	suKRBError: "krb5.error_code", suKRBFailed: "krb5.failed_request",

	suRDPEvent: "rdp.event_type", suRDPCookie: "rdp.cookie",

	suSMB: "smb", suFTPCommand: "ftp.command", suFTPData: "ftp.command_data", suSNMPCommunity: "snmp.community",
	suPOPCommand: "pop3.request.command", suPOPArgs: "pop3.request.args",
	suSMTPHelo: "smtp.helo", suMailFrom: "email.from", suMailTo: "email.to", suMailSubject: "email.subject",

	suDNS: "dns", suMQTT: "mqtt", suModbus: "modbus", suDNP3: "dnp3", suENIP: "enip", suStats: "stats", suEngine: "engine",
}...)

func appendSuricata(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	if err := scanObject(s, suricataPlan, rec.Value); err != nil {
		return dst, err
	}
	r := &s.JSON
	kind := r.Str(suType)
	if kind == "" || !r.Exists(suTime) {
		return dst, Rejectf("wrong_format", "an EVE record has event_type and timestamp; this one lacks one of them")
	}
	if !r.Exists(suFlowID) && !r.Exists(suSrcIP) && !r.Exists(suStats) && !r.Exists(suEngine) {
		return dst, Rejectf("wrong_format", "an EVE record has flow_id, src_ip, stats or engine; this %q has none of them", clip(kind, 40))
	}
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	suricataCommon(e, r, rec, kind)
	suricataKind(s, e, rec, kind)
	suricataNative(e, r, kind)
	suricataRedact(e, s, rec)
	if needsEnd(e.ClassUID) && e.SrcEndpoint.IP == "" && e.DstEndpoint.IP == "" && e.SrcEndpoint.MAC == "" {
		// These classes need an endpoint; a record that names none, such as one of an ARP or decoder event, stays a plain event.
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, 0, ""
	}
	return dst, nil
}

// suricataCommon fills what every event type has.
func suricataCommon(e *event.Event, r *jsonscan.Result, rec *event.Record, kind string) {
	e.SeverityID = 1
	e.Metadata.Product, e.Metadata.Vendor = "Suricata", "OISF"
	e.Metadata.LogName, e.Metadata.EventCode = kind, kind
	setStamp(e, r.Text(suTime), rec.Location)
	e.SrcEndpoint.IP, e.DstEndpoint.IP = plainIP(r.Str(suSrcIP)), plainIP(r.Str(suDstIP))
	if n, ok := r.LooseInt64(suSrcPort); ok {
		e.SrcEndpoint.Port = port16(n)
	}
	if n, ok := r.LooseInt64(suDstPort); ok {
		e.DstEndpoint.Port = port16(n)
	}
	e.Connection.Protocol = lowerWord(r.Str(suProto))
	e.Connection.UID = r.Text(suFlowID)
	e.Connection.CommunityUID = r.Str(suCommunity)
	for v := range r.Each(suVLAN) {
		e.SrcEndpoint.VLAN = v.Text()
		break
	}
	if app := r.Str(suAppProto); app != "failed" && !event.Placeholder(app) {
		e.AppProtocol = lowerWord(app)
	}
	if host := r.Str(suHost); host != "" {
		e.Metadata.Extend().Reporter.Hostname = lowerWord(host)
	}
	if r.Exists(suFlowBytesOut) || r.Exists(suFlowPktsOut) {
		suricataTraffic(e, r)
	}
}

// suricataTraffic reads the counters of the flow. They are counted from the client's side; the addresses of an alert on a packet to the
// client are the packet's, so there the two directions change places.
func suricataTraffic(e *event.Event, r *jsonscan.Result) {
	t := &event.Traffic{
		BytesOut: flagInt(r.Int64(suFlowBytesOut)), BytesIn: flagInt(r.Int64(suFlowBytesIn)),
		PacketsOut: flagInt(r.Int64(suFlowPktsOut)), PacketsIn: flagInt(r.Int64(suFlowPktsIn)),
	}
	if r.Str(suDirection) == "to_client" {
		t.BytesOut, t.BytesIn = t.BytesIn, t.BytesOut
		t.PacketsOut, t.PacketsIn = t.PacketsIn, t.PacketsOut
	}
	if t.BytesIn.Known && t.BytesOut.Known {
		t.Bytes = event.IntOf(t.BytesIn.V + t.BytesOut.V)
	}
	if t.PacketsIn.Known && t.PacketsOut.Known {
		t.Packets = event.IntOf(t.PacketsIn.V + t.PacketsOut.V)
	}
	e.Traffic = t
	e.StartTime = stampMicros(r.Str(suFlowStart), nil)
	e.EndTime = stampMicros(r.Str(suFlowEnd), nil)
}

func suricataKind(s *Scratch, e *event.Event, rec *event.Record, kind string) {
	r := &s.JSON
	e.ClassUID, e.ActivityID = event.ClassNetwork, 6
	if e.AppProtocol == "" && appEvent(kind) {
		e.AppProtocol = kind
	}
	switch kind {
	case "alert":
		suricataAlert(s, e)
	case "flow":
		suricataFlow(e, r)
	case "netflow":
		suricataNetflow(s, e)
	case "drop":
		e.ActivityID, e.ActionID, e.DispositionID = 5, 2, 6
		e.StatusID, e.StatusDetail = 2, r.Str(suDropReason)
	case "anomaly":
		e.ActivityID, e.Activity = event.ActivityOther, "Anomaly"
		suricataAnomaly(e, r)
	case "dns":
		suricataDNS(s, e)
	case "http", "http2":
		e.AppProtocol = "http"
		suricataHTTP(e, r)
	case "tls":
		e.ActivityID = 1
		suricataTLS(e, r)
	case "ssh":
		e.ClassUID, e.ActivityID = event.ClassSSH, 1
		suricataSSH(e, r)
	case "fileinfo":
		suricataFile(e, r)
	case "dhcp":
		suricataDHCP(e, r)
	case "krb5":
		suricataKerberos(e, r)
	case "smb":
		suricataSMB(s, e)
	case "rdp":
		suricataRDP(e, r)
	case "ftp", "ftp_data":
		suricataFTP(e, r)
	case "smtp", "email":
		suricataMail(e, r)
	case "mqtt":
		suricataMQTT(s, e)
	case "modbus":
		suricataModbus(s, e)
	case "dnp3":
		suricataDNP3(s, e)
	case "enip":
		suricataENIP(s, e)
	case "stats":
		e.ClassUID, e.ActivityID = event.ClassBase, 0
		suricataStats(e, r.Value(suStats))
	case "engine":
		e.ClassUID, e.ActivityID = event.ClassBase, 0
		v := r.Value(suEngine)
		e.Message, e.StatusDetail = v.Get("message").Str(), v.Get("error").Str()
	}
}

// appEvent reports whether an event type is named after its application protocol.
func appEvent(kind string) bool {
	switch kind {
	case "alert", "flow", "netflow", "drop", "anomaly", "fileinfo", "stats", "engine", "frame", "packet", "ftp_data", "metadata":
		return false
	}
	return true
}

// suricataNative gives the event an id where the record has a flow: EVE has no event id, but flow, transaction, time and what was seen
// name one record.
func suricataNative(e *event.Event, r *jsonscan.Result, kind string) {
	if e.Connection.UID == "" {
		return
	}
	what := r.Text(suAlertSID)
	switch kind {
	case "anomaly":
		what = r.Str(suAnomalyEvent)
	case "fileinfo":
		what = r.Str(suFileName)
	case "dns", "mqtt", "smb", "modbus", "dnp3", "enip":
		// Several of them share a packet; their own object tells them apart.
		what = string(r.Raw(suDNS)) + string(r.Raw(suMQTT)) + string(r.Raw(suSMB)) + string(r.Raw(suModbus)) + string(r.Raw(suDNP3)) + string(r.Raw(suENIP))
	}
	e.Envelope.ID = event.NewID("suricata", e.Connection.UID, kind, r.Text(suTxID), r.Text(suTime), what)
}

// lowerWord is a word in lower case; nearly all are already.
func lowerWord(s string) string {
	switch s {
	case "TCP":
		return "tcp"
	case "UDP":
		return "udp"
	case "ICMP":
		return "icmp"
	case "IPv6-ICMP":
		return "ipv6-icmp"
	}
	return strings.ToLower(s)
}
