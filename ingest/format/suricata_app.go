package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// httpMethods gives http_activity its activity.
var httpMethods = map[string]uint16{
	"CONNECT": 1, "DELETE": 2, "GET": 3, "HEAD": 4, "OPTIONS": 5, "POST": 6, "PUT": 7, "TRACE": 8, "PATCH": 9,
}

// httpActivity is the activity of a request method.
func httpActivity(e *event.Event, method string) {
	if id, ok := httpMethods[method]; ok {
		e.ActivityID = id
		return
	}
	e.ActivityID = 0
	if method != "" {
		e.ActivityID, e.Activity = event.ActivityOther, clip(method, 32)
	}
}

func suricataHTTP(e *event.Event, r *jsonscan.Result) {
	e.HTTPRequest, e.HTTPResponse = suricataHTTPParts(r)
	if e.HTTPRequest == nil && e.HTTPResponse == nil {
		return // Of HTTP/2 only the frames: network activity.
	}
	e.ClassUID = event.ClassHTTP
	httpActivity(e, r.Str(suHTTPMethod))
	if e.HTTPResponse != nil {
		e.StatusID = 1
		if e.HTTPResponse.Code.V >= 400 {
			e.StatusID = 2
		}
	}
}

// suricataHTTPParts reads request and response; each is nil where the record has nothing of it.
func suricataHTTPParts(r *jsonscan.Result) (*event.HTTPRequest, *event.HTTPResponse) {
	q := event.HTTPRequest{
		Method: r.Str(suHTTPMethod), Host: strings.ToLower(r.Str(suHTTPHost)), UserAgent: r.Str(suHTTPAgent), Referrer: r.Str(suHTTPReferrer),
		Version: strings.TrimPrefix(r.Str(suHTTPProtocol), "HTTP/"),
	}
	setURL(&q, r.Str(suHTTPURL))
	var request *event.HTTPRequest
	if q != (event.HTTPRequest{}) {
		request = &q
	}
	code, ok := r.LooseInt64(suHTTPStatus)
	if !ok {
		return request, nil
	}
	return request, &event.HTTPResponse{Code: event.IntOf(code), ContentType: r.Str(suHTTPType), Length: flagInt(r.Int64(suHTTPLength))}
}

// setURL fills the target of a request, which is a path with query or, at proxies, a whole URL.
func setURL(q *event.HTTPRequest, target string) {
	if target == "" {
		return
	}
	q.URL, q.Path = target, target
	if scheme, rest, ok := strings.Cut(target, "://"); ok && len(scheme) < 8 {
		host, path, _ := strings.Cut(rest, "/")
		q.Scheme, q.Path = scheme, rest[len(rest)-len(path)-min(len(path), 1):]
		if q.Host == "" {
			q.Host = strings.ToLower(host)
		}
	}
	if path, query, ok := strings.Cut(q.Path, "?"); ok {
		q.Path, q.Query = path, query
	}
}

func suricataTLS(e *event.Event, r *jsonscan.Result) {
	e.TLS = &event.TLS{
		Version: r.Str(suTLSVersion), SNI: strings.ToLower(r.Str(suTLSSNI)), Subject: r.Str(suTLSSubject), Issuer: r.Str(suTLSIssuer), Serial: r.Str(suTLSSerial),
		JA3: r.Str(suTLSJA3), JA3S: r.Str(suTLSJA3S), NotAfter: stampMicros(r.Str(suTLSNotAfter), nil),
	}
	if t := e.TLS; t.Subject != "" && t.Issuer != "" {
		t.SelfSigned = event.BoolOf(t.Subject == t.Issuer)
	}
}

func suricataSSH(e *event.Event, r *jsonscan.Result) {
	e.SSH = &event.SSH{Version: r.Str(suSSHVersion), ClientHASSH: r.Str(suSSHClientHASSH), ServerHASSH: r.Str(suSSHServerHASSH)}
}

// suricataFile reads a file seen on the wire; one of HTTP comes with its transaction.
func suricataFile(e *event.Event, r *jsonscan.Result) {
	e.File = suricataFileParts(r)
	if e.AppProtocol == "http" || e.AppProtocol == "http2" {
		suricataHTTP(e, r)
	}
}

func suricataFileParts(r *jsonscan.Result) *event.File {
	f := &event.File{
		Path: r.Str(suFileName), TypeID: 1, Size: flagInt(r.Int64(suFileSize)),
		MD5: r.Str(suFileMD5), SHA1: r.Str(suFileSHA1), SHA256: r.Str(suFileSHA256),
	}
	f.Name = f.Path[strings.LastIndexAny(f.Path, `/\`)+1:]
	if f.Name == "" {
		f.Name = f.Path
	}
	return f
}

// dhcpMessages gives dhcp_activity its activity.
var dhcpMessages = map[string]uint16{
	"discover": 1, "offer": 2, "request": 3, "decline": 4, "ack": 5, "nak": 6, "release": 7, "inform": 8,
}

// suricataDHCP makes the client the source whichever way the packet went, since leases bind the client's addresses.
func suricataDHCP(e *event.Event, r *jsonscan.Result) {
	e.ClassUID, e.ActivityID = event.ClassDHCP, dhcpMessages[r.Str(suDHCPMessage)]
	if r.Str(suDHCPKind) == "reply" {
		e.SrcEndpoint, e.DstEndpoint = e.DstEndpoint, e.SrcEndpoint
	}
	for _, ip := range [...]string{r.Str(suSrcIP), r.Str(suDstIP), r.Str(suDHCPAssigned), r.Str(suDHCPClient), r.Str(suDHCPRequested)} {
		e.AddEntity(event.EntityIP, event.RoleContext, event.Context, event.ObjectExtra, ip)
	}
	setMAC(&e.SrcEndpoint, r.Str(suDHCPMAC))
	setLease(e, r.Str(suDHCPAssigned), r.Str(suDHCPClient), r.Str(suDHCPRequested))
	if host := r.Str(suDHCPHost); !event.Placeholder(host) {
		e.SrcEndpoint.Hostname = strings.ToLower(host)
	}
	if n, ok := r.Int64(suDHCPLease); ok && n > 0 && n < 1<<31 {
		e.LeaseDur = int32(n)
	}
	switch e.ActivityID {
	case 5:
		e.StatusID = 1
	case 4, 6:
		e.StatusID = 2
	}
}

// setLease gives the client the first address that is one; addresses of the whole network and of nobody are not.
func setLease(e *event.Event, addresses ...string) {
	for _, s := range addresses {
		if event.CanonicalKey(event.EntityIP, s) != "" && s != "255.255.255.255" {
			e.SrcEndpoint.IP = plainIP(s)
			return
		}
	}
	if ip := e.SrcEndpoint.IP; ip == "0.0.0.0" || ip == "255.255.255.255" {
		e.SrcEndpoint.IP = ""
	}
}

// suricataKerberos turns a Kerberos exchange with a client name into an authentication.
func suricataKerberos(e *event.Event, r *jsonscan.Result) {
	kind := r.Str(suKRBMessage)
	e.Metadata.EventCode = kind
	client := r.Str(suKRBClient)
	if event.Placeholder(client) || client == "<empty>" || e.DstEndpoint.IP == "" {
		return
	}
	e.ClassUID, e.AuthProtocolID, e.AuthProtocol = event.ClassAuthentication, 2, "Kerberos"
	e.User.Name, e.User.Domain = client, r.Str(suKRBRealm)
	if e.User.Domain == "<empty>" {
		e.User.Domain = ""
	}
	if name := r.Str(suKRBServer); name != "<empty>" {
		e.Service.Name = name
	}
	request := kind
	if failed := r.Str(suKRBFailed); failed != "" {
		request = failed
	}
	e.ActivityID = 0
	switch {
	case strings.Contains(request, "_AS_"):
		e.ActivityID = 3
	case strings.Contains(request, "_TGS_"):
		e.ActivityID = 4
	}
	e.StatusID = 1
	if kind == "KRB_ERROR" {
		e.StatusID, e.StatusCode = 2, r.Text(suKRBError)
	}
}

// suricataSMB reads one SMB command; a session setup that names a user is an NTLM logon.
func suricataSMB(s *Scratch, e *event.Event) {
	v := s.JSON.Value(suSMB)
	command := v.Get("command").Str()
	if command != "" {
		e.Metadata.EventCode = command
	}
	e.StatusCode = v.Get("status").Str()
	if e.StatusCode != "" {
		e.StatusID = 2
		if e.StatusCode == "STATUS_SUCCESS" {
			e.StatusID = 1
		}
	}
	if strings.HasSuffix(command, "SESSION_SETUP") && setNTLM(&e.User, v) {
		e.ClassUID, e.ActivityID = event.ClassAuthentication, 1
		e.AuthProtocolID, e.AuthProtocol, e.LogonTypeID = 1, "NTLM", 3
		e.IsRemote = event.True
		e.Service.Name = "smb"
		e.SrcEndpoint.Name = strings.ToLower(v.Get("ntlmssp", "host").Str())
		return
	}
	setNTLM(&e.Actor.User, v)
	if name := v.Get("filename").Str(); name != "" {
		e.File = &event.File{Path: name, Name: name[strings.LastIndexAny(name, `/\`)+1:], TypeID: 1}
		if e.File.Name == "" {
			e.File.Name = name
		}
	}
	e.Message = v.Get("share").Str()
}

// setNTLM reads the account of an NTLMSSP exchange, if one is named.
func setNTLM(u *event.User, smb jsonscan.Value) bool {
	name := smb.Get("ntlmssp", "user").Str()
	if event.Placeholder(name) {
		return false
	}
	u.Name = name
	if domain := smb.Get("ntlmssp", "domain").Str(); !event.Placeholder(domain) {
		u.Domain = domain
	}
	return true
}

// suricataRDP reads one step of an RDP opening. The cookie of the first carries the account the client offers.
func suricataRDP(e *event.Event, r *jsonscan.Result) {
	step := r.Str(suRDPEvent)
	e.ActivityID = 1
	if step != "" {
		e.Metadata.EventCode = step
	}
	if cookie := r.Str(suRDPCookie); !event.Placeholder(cookie) {
		e.Actor.User.Name = clip(cookie, 256)
	}
}

// ftpTransfers are the FTP commands whose argument is a file.
var ftpTransfers = map[string]bool{
	"STOR": true, "APPE": true, "STOU": true, "RETR": true, "DELE": true, "RNFR": true, "RNTO": true, "SIZE": true, "MDTM": true,
}

// suricataFTP reads one FTP command. The argument of PASS is a password and is left out.
func suricataFTP(e *event.Event, r *jsonscan.Result) {
	e.AppProtocol = "ftp"
	command := strings.ToUpper(clip(r.Str(suFTPCommand), 16))
	if command == "" {
		return
	}
	e.Metadata.EventCode = command
	data := r.Str(suFTPData)
	switch {
	case command == "USER":
		e.Actor.User.Name = clip(data, 256)
	case ftpTransfers[command] && data != "":
		e.File = &event.File{Path: data, Name: data[strings.LastIndexByte(data, '/')+1:], TypeID: 1}
	}
}

// dnsCodes are the response codes Suricata and Zeek write as words.
var dnsCodes = map[string]int64{
	"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5, "YXDOMAIN": 6, "YXRRSET": 7, "NXRRSET": 8,
	"NOTAUTH": 9, "NOTZONE": 10,
}

// suricataDNS reads a query or an answer of any of the three versions of the log.
func suricataDNS(s *Scratch, e *event.Event) {
	e.ClassUID, e.ActivityID = event.ClassDNS, 1
	switch s.JSON.Value(suDNS).Get("type").Str() {
	case "answer", "response":
		e.ActivityID = 2
	}
	e.AppProtocol = "dns"
	e.DNS = suricataDNSParts(s, e)
	if e.DNS == nil {
		e.ClassUID, e.ActivityID = event.ClassNetwork, 6
		return
	}
	if e.ActivityID == 2 && e.DNS.RcodeID.Known {
		e.StatusID, e.StatusCode = 1, e.DNS.Rcode
		if e.DNS.RcodeID.V != 0 {
			e.StatusID = 2
		}
	}
}

var dnsPlan = jsonscan.Compile("rrname", "rrtype", "rcode", "rdata", "ttl", "opcode", "answers", "queries[0].rrname", "queries[0].rrtype",
	"query[0].rrname", "query[0].rrtype", "answer.rrname", "answer.rrtype", "answer.rcode", "answer.answers")

// suricataDNSParts reads names and answers. Version 1 has one record per answer, version 2 lists them, version 3 lists the queries too; in
// alerts of the older versions query and answer stand one level deeper.
func suricataDNSParts(s *Scratch, e *event.Event) *event.DNS {
	r := &s.Nested
	dnsPlan.ScanValue(s.JSON.Value(suDNS), r)
	d := &event.DNS{}
	d.Query.Hostname = strings.ToLower(firstText(r, 0, 7, 9, 11))
	d.Query.Type = firstText(r, 1, 8, 10, 12)
	if d.Query.Hostname == "" {
		return nil
	}
	d.Query.OpcodeID = flagInt(r.Int64(5))
	if code := firstText(r, 2, 13); code != "" {
		d.Rcode = code
		n, ok := dnsCodes[strings.ToUpper(code)]
		if !ok {
			u, err := strconv.ParseUint(code, 10, 16)
			n, ok = int64(u), err == nil
		}
		d.RcodeID = dnsCode(n, ok)
	}
	if data := r.Str(3); data != "" {
		d.Answer = event.DNSAnswer{Rdata: data, Type: d.Query.Type, TTL: flagInt(r.Int64(4))}
		addAnswer(e, data)
	}
	slot := 6
	if !r.Exists(slot) {
		slot = 14
	}
	suricataAnswers(e, d, r, slot)
	return d
}

func suricataAnswers(e *event.Event, d *event.DNS, r *jsonscan.Result, slot int) {
	n := 0
	for v := range r.Each(slot) {
		data := v.Get("rdata").Str()
		if data == "" {
			continue
		}
		if n++; n > maxNames {
			e.Envelope.Quality |= event.Truncated
			return
		}
		addAnswer(e, data)
		if d.Answer.Rdata != "" {
			d.Answer.Rdata += "," + data
			continue
		}
		d.Answer = event.DNSAnswer{Rdata: data, Type: v.Get("rrtype").Str(), TTL: flagInt(v.Get("ttl").Int64())}
	}
}

// addAnswer notes what a name was resolved to, an address or another name: the connection that follows names only it. Text of TXT and
// the like is left alone.
func addAnswer(e *event.Event, data string) {
	if ip := plainIP(data); ip != "" {
		e.AddEntity(event.EntityIP, event.RoleContext, event.Context, event.ObjectExtra, ip)
	} else if len(data) < 256 && strings.IndexByte(data, '.') > 0 && !strings.ContainsAny(data, " =:/\"\\") {
		e.AddEntity(event.EntityDomain, event.RoleContext, event.Context, event.ObjectExtra, data)
	}
}

// suricataMail notes who wrote to whom; OCSF's class for e-mail is not modelled.
func suricataMail(e *event.Event, r *jsonscan.Result) {
	e.Message = clip(r.Str(suMailSubject), 256)
	for _, slot := range [...]int{suMailFrom, suMailTo} {
		for _, who := range textList(r, slot) {
			if i := strings.LastIndexByte(who, '<'); i >= 0 {
				who = who[i+1:]
			}
			if who = strings.Trim(who, "<> "); strings.IndexByte(who, '@') > 0 {
				e.AddEntity(event.EntityUser, event.RoleContext, event.Context, event.ObjectExtra, clip(who, 256))
			}
		}
	}
	e.AddEntity(event.EntityDomain, event.RoleContext, event.Context, event.ObjectExtra, clip(r.Str(suSMTPHelo), 255))
}

// firstText is the text of the first of the slots that has one.
func firstText(r *jsonscan.Result, slots ...int) string {
	for _, i := range slots {
		if t := r.Text(i); t != "" {
			return t
		}
	}
	return ""
}
