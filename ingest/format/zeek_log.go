package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// zeekEvent appends the event of one entry.
func zeekEvent(s *Scratch, dst []event.Event, z *zeekRow, rec *event.Record) []event.Event {
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	zeekCommon(e, z, rec)
	zeekLog(e, z)
	if needsEnd(e.ClassUID) && e.SrcEndpoint == (event.Endpoint{}) && e.DstEndpoint == (event.Endpoint{}) {
		// These classes need an endpoint; an entry that names none stays a plain event.
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, 0, ""
	}
	if uid := e.Connection.UID; uid != "" && e.Time != 0 {
		e.Envelope.ID = event.NewID("zeek", uid, z.path, z.str(zTS), zeekDiscriminator(s, z))
	}
	return dst
}

// needsEnd reports whether OCSF wants an endpoint in events of the class: those of networks, HTTP apart, and OT commands.
func needsEnd(class uint32) bool {
	return class/1000 == 4 && class != event.ClassHTTP || class == event.ClassOTCommand
}

// zeekDiscriminator tells entries apart that one connection gives at one instant. The text lies in the scratch.
func zeekDiscriminator(s *Scratch, z *zeekRow) string {
	switch z.path {
	case "conn", "http", "ssl", "ssh", "radius", "dhcp":
		return z.str(zURI)
	}
	b := s.Buf[:0]
	for _, f := range [...]zeekField{
		zQuery, zQType, zNote, zMsg, zName, zFunc, zReqResp, zPDUType, zAddress, zValues, zReqValues, zRespValues, zFCRequest, zFCReply, zFunctionName,
		zFunctionCode, zSubfunctionName, zIndexNumber, zObjectType, zTopic, zPayload, zFUID, zIsOrig, zIdentifier, zNodeNumeric, zNodeString,
		zAction, zFilename, zCommand, zArg, zFingerprint, zOpcodeName, zPDUName,
	} {
		b = append(append(b, z.str(f)...), 0)
	}
	s.Buf = b[:0]
	return textOf(b)
}

// zeekCommon fills what every log has.
func zeekCommon(e *event.Event, z *zeekRow, rec *event.Record) {
	e.SeverityID = 1
	e.Metadata.Product, e.Metadata.Vendor = "Zeek", "Zeek Project"
	e.Metadata.LogName, e.Metadata.EventCode = z.path, z.path
	setStamp(e, z.str(zTS), rec.Location)
	if name := z.known(zSystem); name != "" {
		e.Metadata.Extend().Reporter.Name = name
	}
	e.Connection.UID = z.known(zUID)
	e.Metadata.OriginalUID = e.Connection.UID
	e.Connection.Protocol = z.known(zProto)
	e.Connection.CommunityUID = communityID(z)
	setHost(&e.SrcEndpoint, z.str(zOrigH))
	setHost(&e.DstEndpoint, z.str(zRespH))
	if n, ok := z.num(zOrigP); ok {
		e.SrcEndpoint.Port = port16(n)
	}
	if n, ok := z.num(zRespP); ok {
		e.DstEndpoint.Port = port16(n)
	}
	e.SrcEndpoint.VLAN = z.known(zVLAN)
	e.Connection.DirectionID = zeekDirection(z)
}

// communityID leaves out the community of SNMP, which is a password and stands in a field of nearly the same name.
func communityID(z *zeekRow) string {
	if s := z.known(zCommunity); strings.HasPrefix(s, "1:") {
		return s
	}
	return ""
}

// zeekDirection follows from which ends are in the networks Zeek was told are local.
func zeekDirection(z *zeekRow) uint8 {
	switch orig, resp := z.truth(zLocalOrig), z.truth(zLocalResp); {
	case orig == event.True && resp == event.True:
		return 3
	case orig == event.True && resp == event.False:
		return 2
	case orig == event.False && resp == event.True:
		return 1
	}
	switch z.str(zDirection) {
	case "INBOUND":
		return 1
	case "OUTBOUND":
		return 2
	}
	return 0
}

// zeekLog reads what the log has of its own.
func zeekLog(e *event.Event, z *zeekRow) {
	e.ClassUID, e.ActivityID = event.ClassNetwork, 6
	switch z.path {
	case "conn", "conn_long":
		zeekConn(e, z)
	case "dns":
		zeekDNS(e, z)
	case "http":
		zeekHTTP(e, z)
	case "ssl", "tls":
		zeekSSL(e, z)
	case "x509", "known_certs":
		zeekCertificate(e, z)
	case "ssh":
		zeekSSH(e, z)
	case "notice", "notice_alarm":
		zeekNotice(e, z)
	case "weird":
		zeekWeird(e, z)
	case "files":
		zeekFiles(e, z)
	case "dhcp":
		zeekDHCP(e, z)
	case "radius":
		zeekRADIUS(e, z)
	case "kerberos":
		zeekKerberos(e, z)
	case "ntlm":
		zeekNTLM(e, z)
	case "known_hosts", "known_services", "known_devices", "known_modbus", "software", "s7comm_known_devices":
		zeekInventory(e, z)
	case "mqtt_connect", "mqtt_publish", "mqtt_subscribe":
		zeekMQTT(e, z)
	case "ftp":
		zeekFTP(e, z)
	case "rdp":
		e.ActivityID, e.AppProtocol = 1, "rdp"
		e.Actor.User.Name = clip(z.known(zCookie), 256)
		e.StatusDetail = z.known(zResult)
	case "smb_files", "smb_mapping":
		zeekSMB(e, z)
	case "tunnel":
		e.AppProtocol = strings.ToLower(strings.TrimPrefix(z.known(zTunnelType), "Tunnel::"))
		e.StatusDetail = z.known(zAction)
	case "snmp", "smtp", "sip", "irc", "syslog", "ntp", "dpd", "ldap", "ldap_search", "quic", "websocket", "socks", "mysql", "rfb", "dce_rpc",
		"pe", "ocsp", "analyzer", "telnet", "rdp_session", "known_domains", "traceroute":
		e.AppProtocol = zeekProtocol(z.path)
	case "capture_loss", "stats", "reporter", "loaded_scripts", "packet_filter", "cluster", "broker", "telemetry", "config", "print":
		e.ClassUID, e.ActivityID = event.ClassBase, 0
		e.Message = z.known(zMsg)
	default:
		if !zeekOT(e, z) {
			e.AppProtocol = z.known(zService)
		}
	}
}

// zeekProtocol is the protocol a log is named after, if it is.
func zeekProtocol(path string) string {
	switch path {
	case "dpd", "analyzer", "pe", "ocsp", "known_domains", "traceroute", "syslog":
		return ""
	case "ldap_search":
		return "ldap"
	}
	return path
}

// zeekConn reads a connection's summary. Attempts that no one answered are failures; all others carry their volume as traffic, however
// they ended (Zeek documentation, conn_state).
func zeekConn(e *event.Event, z *zeekRow) {
	e.AppProtocol = z.known(zService)
	e.StatusCode = z.known(zConnState)
	e.Connection.Flags = z.known(zHistory)
	switch e.StatusCode {
	case "REJ":
		e.ActivityID, e.StatusID = 5, 2
	case "S0", "SH", "SHR", "RSTOS0", "RSTRH":
		e.ActivityID, e.StatusID = 4, 2
	case "SF", "S1", "S2", "S3", "RSTO", "RSTR":
		e.StatusID = 1
	}
	t := &event.Traffic{
		BytesOut: z.count(zOrigBytes), BytesIn: z.count(zRespBytes), PacketsOut: z.count(zOrigPkts), PacketsIn: z.count(zRespPkts),
		Missed: z.count(zMissed),
	}
	if t.BytesOut.Known || t.BytesIn.Known {
		t.Bytes = event.IntOf(t.BytesOut.V + t.BytesIn.V)
	}
	if t.PacketsOut.Known || t.PacketsIn.Known {
		t.Packets = event.IntOf(t.PacketsOut.V + t.PacketsIn.V)
	}
	if t.Bytes.Known || t.Packets.Known || t.Missed.V > 0 {
		e.Traffic = t
	}
	e.StartTime = e.Time
	if d, ok := decimalMicros(z.str(zDuration)); ok && e.Time != 0 {
		e.EndTime = e.Time + d
	}
}

// decimalMicros reads seconds with a decimal fraction, up to a year.
func decimalMicros(s string) (int64, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	if s == "" || len(whole) > 8 || len(fraction) > 32 {
		return 0, false
	}
	n := int64(0)
	for i := range len(whole) {
		if whole[i]-'0' > 9 {
			return 0, false
		}
		n = n*10 + int64(whole[i]-'0')
	}
	micros := int64(0)
	for i := range 6 {
		micros *= 10
		if i < len(fraction) {
			if fraction[i]-'0' > 9 {
				return 0, false
			}
			micros += int64(fraction[i] - '0')
		}
	}
	return n*1e6 + micros, true
}

func zeekDNS(e *event.Event, z *zeekRow) {
	e.AppProtocol = "dns"
	name := strings.ToLower(z.known(zQuery))
	if name == "" {
		return
	}
	e.ClassUID, e.ActivityID = event.ClassDNS, 1
	d := &event.DNS{Query: event.DNSQuery{Hostname: name, Type: z.known(zQType), Class: z.known(zQClass)}}
	e.DNS = d
	if d.Rcode = z.known(zRcodeName); d.Rcode != "" {
		e.ActivityID = 6
		e.StatusCode = d.Rcode
		d.RcodeID = dnsCode(z.num(zRcode))
	}
	if d.RcodeID.Known {
		e.StatusID = 1
		if d.RcodeID.V != 0 {
			e.StatusID = 2
		}
	}
	if z.truth(zRejected) == event.True {
		e.StatusID = 2
	}
	for data := range z.each(zAnswers) {
		addAnswer(e, data)
	}
	if answers := z.joined(zAnswers); answers != "" {
		d.Answer = event.DNSAnswer{Rdata: answers, Type: d.Query.Type}
		if ttl, ok := decimalMicros(z.first(zTTLs)); ok {
			d.Answer.TTL = event.IntOf(ttl / 1e6)
		}
	}
}

// dnsCode is a response code as OCSF has it: 99 for those it has no caption for.
func dnsCode(n int64, ok bool) event.Int {
	switch {
	case !ok:
		return event.Int{}
	case n < 0 || n > 23 || n > 11 && n < 16:
		return event.IntOf(event.ActivityOther)
	}
	return event.IntOf(n)
}

func zeekHTTP(e *event.Event, z *zeekRow) {
	e.AppProtocol = "http"
	method := z.known(zMethod)
	q := event.HTTPRequest{
		Method: method, Host: strings.ToLower(z.known(zHost)), UserAgent: z.known(zUserAgent), Referrer: z.known(zReferrer), Version: z.known(zVersion),
	}
	setURL(&q, z.str(zURI))
	if q != (event.HTTPRequest{}) {
		e.HTTPRequest = &q
	}
	if code, ok := z.num(zStatusCode); ok {
		e.HTTPResponse = &event.HTTPResponse{Code: event.IntOf(code), Status: z.known(zStatusMsg), Length: z.count(zRespLen), ContentType: z.first(zRespMime)}
		e.StatusID = 1
		if code >= 400 {
			e.StatusID = 2
		}
	}
	e.Actor.User.Name = clip(z.known(zUsername), 256)
	if e.HTTPRequest == nil && e.HTTPResponse == nil {
		return
	}
	e.ClassUID = event.ClassHTTP
	httpActivity(e, method)
}

func zeekSSL(e *event.Event, z *zeekRow) {
	e.AppProtocol, e.ActivityID = "tls", 1
	e.TLS = &event.TLS{
		Version: z.known(zVersion), Cipher: z.known(zCipher), SNI: strings.ToLower(z.known(zSNI)), Subject: z.known(zSubject), Issuer: z.known(zIssuer),
		JA3: z.known(zJA3), JA3S: z.known(zJA3S),
	}
	e.StatusDetail = z.known(zValidation)
	if t := e.TLS; t.Subject != "" && t.Issuer != "" || e.StatusDetail != "" {
		t.SelfSigned = event.BoolOf(t.Subject != "" && t.Subject == t.Issuer || strings.HasPrefix(e.StatusDetail, "self signed"))
	}
	switch z.truth(zEstablished) {
	case event.True:
		e.StatusID = 1
	case event.False:
		e.StatusID, e.ActivityID = 2, 4
		if alert := z.known(zAlert); alert != "" {
			e.StatusCode = alert
		}
	}
}

// zeekCertificate reads a certificate that was seen: of x509 without a connection, of known_certs at a local host.
func zeekCertificate(e *event.Event, z *zeekRow) {
	t := &event.TLS{
		Subject: z.known(zCertSubject), Issuer: z.known(zCertIssuer), Serial: z.known(zCertSerial),
		NotAfter: stampMicros(z.str(zCertNotAfter), nil),
	}
	if t.Subject == "" {
		t.Subject, t.Issuer, t.Serial = z.known(zSubject), z.known(zIssuerSubject), z.known(zSerial)
	}
	if t.Subject != "" && t.Issuer != "" {
		t.SelfSigned = event.BoolOf(t.Subject == t.Issuer)
	}
	e.TLS = t
	e.Message = t.Subject
	setHost(&e.DstEndpoint, z.str(zHost))
	if n, ok := z.num(zPortNum); ok {
		e.DstEndpoint.Port = port16(n)
	}
	e.AddEntity(event.EntityHash, event.RoleContext, event.Context, event.ObjectExtra, z.str(zFingerprint))
}

func zeekSSH(e *event.Event, z *zeekRow) {
	e.ClassUID, e.ActivityID, e.AppProtocol = event.ClassSSH, 1, "ssh"
	e.SSH = &event.SSH{Version: z.known(zVersion), ClientHASSH: z.known(zHASSH), ServerHASSH: z.known(zHASSHServer)}
	switch z.truth(zAuthSuccess) {
	case event.True:
		e.StatusID = 1
	case event.False:
		e.StatusID, e.ActivityID = 2, 4
	}
	if n, ok := z.num(zAuthAttempts); ok && n > 1 && n < 1<<31 {
		e.Count = int32(n)
	}
	e.StatusDetail = z.known(zClient)
}

// zeekNotice reads a notice, Zeek's own finding.
func zeekNotice(e *event.Event, z *zeekRow) {
	note := z.known(zNote)
	e.ClassUID, e.ActivityID, e.SeverityID = event.ClassDetection, 1, 3
	switch group, _, _ := strings.Cut(note, "::"); group {
	case "CaptureLoss", "PacketFilter", "Stats", "Reporter", "Software", "SSL", "Weird":
		e.SeverityID = 2
	}
	e.Metadata.EventCode = note
	e.Message = z.known(zMsg)
	if e.SrcEndpoint.IP == "" {
		setHost(&e.SrcEndpoint, z.known(zSrc))
	}
	if e.DstEndpoint.IP == "" {
		setHost(&e.DstEndpoint, z.known(zDst))
	}
	if n, ok := z.num(zPort); ok && e.DstEndpoint.Port == 0 {
		e.DstEndpoint.Port = port16(n)
	}
	if peer := z.known(zPeerDescr); peer != "" {
		e.Metadata.Extend().Reporter.Name = peer
	}
	e.Finding = &event.Finding{
		UID: e.Connection.UID + ":" + note + ":" + z.str(zTS) + ":" + e.SrcEndpoint.IP, Title: note, Desc: z.known(zSub), AnalyticUID: note,
		AnalyticName: note, AnalyticType: 1, IsAlert: event.True, CreatedAt: e.Time,
	}
}

func zeekWeird(e *event.Event, z *zeekRow) {
	e.ActivityID, e.Activity, e.SeverityID = event.ActivityOther, "Protocol Anomaly", 2
	e.Metadata.EventCode, e.Message = z.known(zName), z.known(zName)
	e.StatusDetail = z.known(zAddl)
}
