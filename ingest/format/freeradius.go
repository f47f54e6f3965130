package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// freeRADIUS reads radius.log of FreeRADIUS 2 and 3 and its detail files.
func freeRADIUS() Format {
	return Format{
		Name:   "freeradius",
		Title:  "FreeRADIUS",
		Domain: "network_access",
		Classes: []string{
			"application_lifecycle", "authentication", "base_event", "device_config_state_change.log", "network_activity",
		},
		Doc: "Lines of radius.log, from the file or through syslog, and attribute blocks of detail files (Framing by indentation). Login verdicts " +
			"become Authentication, accounting Network Activity, changes of authorization Device Config State Change. Passwords in the log are left out.",
		Framing:  LinesDense,
		Append:   appendFreeRADIUS,
		Unmapped: unmappedRADIUS,
	}
}

func appendFreeRADIUS(_ *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	if text := textOf(rec.Value); isRADIUSDetail(text) {
		return appendRADIUSDetail(dst, rec, text)
	}
	h, body, err := readHeader(rec)
	if err != nil {
		return dst, err
	}
	program, level := h.App, ""
	if isRADIUSLevel(program) {
		program, level = "", program // The stamp and level of radius.log read like a syslog header.
	}
	if program == "" {
		if p, _, rest, ok := cutTag(body); ok && isRADIUSProgram(p) {
			program, body = p, rest
		}
	}
	if program != "" && !isRADIUSProgram(program) {
		return dst, Rejectf("wrong_program", "the line is from %q, not from radiusd or freeradius", clip(program, 40))
	}
	if binaryText(body) {
		return dst, Rejectf("not_text", "the message has control characters")
	}
	var e event.Event
	setHeaderTime(&e, &h)
	e.Metadata.Product, e.Metadata.Vendor = "FreeRADIUS", "FreeRADIUS"
	e.SeverityID = severityInfo

	l := radiusLine{level: level, server: h.Hostname, text: strings.TrimLeft(body, " ")}
	l.cutStamp(&e, rec)
	l.cutLevel()
	l.cutRequest(&e)
	if !l.read(&e, rec) {
		if program == "" && l.level == "" {
			return dst, Rejectf("unknown_message", "no message of FreeRADIUS begins with %q", clip(l.text, 40))
		}
		l.other(&e)
	}
	l.setServer(&e)
	return append(dst, e), nil
}

func isRADIUSProgram(p string) bool { return p == "radiusd" || p == "freeradius" || p == "radius" }

// radiusLine is what is left to read of one line of radius.log.
type radiusLine struct {
	level  string // Auth, Info, Error, Warning, Proxy, Acct, Debug; "" where the line has none.
	server string // Host that the syslog header names.
	text   string
}

func isRADIUSLevel(s string) bool {
	switch s {
	case "Auth", "Info", "Error", "Warning", "Warn", "Proxy", "Acct", "Debug", "ERROR", "WARNING":
		return true
	}
	return false
}

// setServer names the RADIUS server: the end that was asked, where somebody asked, else the one that reports.
func (l *radiusLine) setServer(e *event.Event) {
	switch {
	case event.Placeholder(l.server):
	case e.ClassUID == event.ClassAuthentication || e.ClassUID == event.ClassNetwork:
		setHost(&e.DstEndpoint, strings.ToLower(l.server))
	default:
		setReporterHost(e, l.server)
	}
}

// cutStamp takes "Sat Nov 21 02:04:11 2026 : " off.
func (l *radiusLine) cutStamp(e *event.Event, rec *event.Record) {
	stamp, rest, found := strings.Cut(l.text, " : ")
	if !found || len(stamp) < 20 || len(stamp) > 40 {
		return
	}
	micros, zoned, ok := kv.TimeIn(stamp, rec.Location)
	if !ok {
		return
	}
	l.text, e.Time, e.Envelope.TimeSource = rest, micros, event.TimeZoneless
	if zoned {
		e.Envelope.TimeSource = event.TimeParsed
	}
}

func (l *radiusLine) cutLevel() {
	level, rest, found := strings.Cut(l.text, ": ")
	if !found {
		return
	}
	if isRADIUSLevel(level) {
		l.level, l.text = level, strings.TrimLeft(rest, " ")
	}
}

// cutRequest takes the number of the request, "(12345) ", off.
func (l *radiusLine) cutRequest(e *event.Event) {
	rest, found := strings.CutPrefix(l.text, "(")
	n := leadingDigits(rest)
	if !found || n == 0 || n > 18 || !strings.HasPrefix(rest[n:], ") ") {
		return
	}
	sequence, _ := strconv.ParseInt(rest[:n], 10, 64)
	e.Metadata.Extend().Sequence = event.IntOf(sequence)
	l.text = strings.TrimLeft(rest[n+2:], " ")
}

func (l *radiusLine) read(e *event.Event, rec *event.Record) bool {
	for _, v := range [...]struct {
		text   string
		status uint8
	}{
		{"Login OK", statusSuccess},
		{"Login incorrect", statusFailure},
		{"Invalid user", statusFailure},
		{"Multiple logins", statusFailure},
		{"Rejected in post-auth", statusFailure},
	} {
		if rest, found := strings.CutPrefix(l.text, v.text); found {
			e.Metadata.EventCode, e.StatusID = v.text, v.status
			return l.verdict(e, rec, rest)
		}
	}
	for _, k := range radiusNotices {
		if at := strings.Index(l.text, k.contains); at >= 0 && (at == 0 || l.level != "") {
			e.Metadata.EventCode, e.ClassUID, e.ActivityID, e.StatusID, e.SeverityID = k.code, k.class, k.activity, k.status, k.severity
			e.Message = l.text
			if k.class == event.ClassNetwork {
				readRADIUSPeer(e, l.text)
			}
			if k.class == event.ClassAppLifecycle {
				e.App = &event.Product{Name: "radiusd", Vendor: "FreeRADIUS"}
			}
			return true
		}
	}
	return false
}

// verdict reads "[ (REASON)]: [USER[/PASSWORD]] (from client NAME port N[ cli STATION][ via TLS tunnel])[ REPLY]".
func (l *radiusLine) verdict(e *event.Event, rec *event.Record, rest string) bool {
	reason, rest, found := strings.Cut(rest, ": [")
	if !found {
		return false
	}
	account, origin, _ := cutLast(rest, "] (from client ")
	if origin == "" {
		account, origin, _ = cutLast(rest, "]")
	}
	reason = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(reason), "("), ")")
	e.ClassUID, e.ActivityID = event.ClassAuthentication, authLogon
	e.StatusDetail = reason
	e.Service.Name = "RADIUS"
	e.AuthProtocolID, e.AppProtocol, e.LogonTypeID = 10, "radius", 3
	if e.StatusID == statusFailure {
		e.ActionID = 2
	}
	login, secret, note := cutPassword(account)
	e.Message = l.text
	if secret != "" {
		redactRaw(e, rec, bytesOf(secret))
		e.Message = e.Metadata.EventCode + ": [" + login + "] (from client " + origin
	}
	if _, how, found := strings.Cut(note, "Auth-Type = "); found {
		e.AuthProtocol = strings.TrimSuffix(how, ">")
		if strings.HasPrefix(strings.ToLower(e.AuthProtocol), "eap") {
			e.AuthProtocolID = 9
		}
	}
	setRADIUSUser(e, login)
	setBypass(e)
	readRADIUSOrigin(e, origin)
	return true
}

// cutPassword splits "USER/PASSWORD" and "USER/<note>". A user name with a slash cannot be told from a password, so only the account of
// a machine, host/NAME, keeps its slash.
func cutPassword(s string) (login, secret, note string) {
	from := 0
	if strings.HasPrefix(s, "host/") {
		from = len("host/")
	}
	i := strings.IndexByte(s[from:], '/')
	if i < 0 {
		return s, "", ""
	}
	login, note = s[:from+i], s[from+i+1:]
	if strings.HasPrefix(note, "<") && strings.HasSuffix(note, ">") {
		return login, "", note
	}
	return login, note, ""
}

// setBypass recognises MAC authentication bypass: the switch sends the station's address as the account, and nothing is proven by it.
func setBypass(e *event.Event) {
	if _, ok := kv.MAC(e.User.Name); ok && len(e.User.Name) <= 17 && e.AuthProtocolID == 10 {
		e.User.TypeID, e.AuthProtocol = userSystem, "MAB"
	}
}

// setRADIUSUser fills the user; the account of a machine also names the device.
func setRADIUSUser(e *event.Event, login string) {
	machine := setAccount(&e.User, login)
	if e.User.Domain != "" {
		e.AddEntity(event.EntityDomain, event.RoleContext, event.Context, event.ObjectExtra, e.User.Domain)
	}
	if !machine {
		return
	}
	host := strings.TrimSuffix(strings.TrimPrefix(e.User.Name, "host/"), "$")
	setDeviceHost(&e.Device, host)
	e.SrcEndpoint.Hostname = e.Device.Hostname
}

// readRADIUSOrigin reads "NAME port N cli STATION via TLS tunnel)": the access server that asked, its port, and the station behind it.
func readRADIUSOrigin(e *event.Event, s string) {
	s, _, _ = strings.Cut(s, ")")
	client, rest, _ := strings.Cut(s, " port ")
	client = strings.TrimSpace(client)
	if client != "" {
		r := &e.Metadata.Extend().Reporter
		r.Name = client
		if ip := plainIP(client); ip != "" {
			r.Name, r.IP = "", ip
		}
	}
	port, rest, _ := strings.Cut(rest, " ")
	if port != "" && port != "0" {
		// The port of the access server that the station is attached to.
		e.SrcEndpoint.Extend().Interface = port
		e.SrcEndpoint.Port = portText(port)
	}
	if _, station, found := strings.Cut(" "+rest, " cli "); found {
		station, _, _ = strings.Cut(station, " via ")
		setStation(e, strings.TrimSpace(station))
	}
	if strings.Contains(rest, "via TLS tunnel") {
		e.AppProtocol, e.AuthProtocolID = "tls", 9
	}
}

// setStation fills the end that wants in from a calling station: a hardware address, an IP address of a VPN client, or a name.
func setStation(e *event.Event, station string) {
	if ip := plainIP(station); ip != "" {
		e.SrcEndpoint.IP = ip
		return
	}
	setMAC(&e.SrcEndpoint, station)
	if e.SrcEndpoint.MAC != "" {
		e.Device.MAC = e.SrcEndpoint.MAC
		return
	}
	if !event.Placeholder(station) && len(station) <= 253 && strings.IndexByte(station, ' ') < 0 {
		e.SrcEndpoint.Name = station
	}
}

// radiusNotices are the server's other messages that mean something to us.
var radiusNotices = []struct {
	contains string
	code     string
	class    uint32
	activity uint16
	status   uint8
	severity uint8
}{
	{"from unknown client ", "unknown_client", event.ClassNetwork, netRefuse, statusFailure, severityMedium},
	{"Shared secret is incorrect", "bad_secret", event.ClassNetwork, netRefuse, statusFailure, severityMedium},
	{"invalid Message-Authenticator", "bad_secret", event.ClassNetwork, netRefuse, statusFailure, severityMedium},
	{"Received conflicting packet from client", "conflicting_packet", event.ClassBase, 0, statusFailure, severityLow},
	{"Discarding duplicate request from client", "duplicate_request", event.ClassBase, 0, 0, severityInfo},
	{"Dropping packet without response because of error", "packet_dropped", event.ClassNetwork, netRefuse, statusFailure, severityLow},
	{"Ready to process requests", "server_started", event.ClassAppLifecycle, 3, statusSuccess, severityInfo},
	{"Exiting normally", "server_stopped", event.ClassAppLifecycle, 4, statusSuccess, severityInfo},
	{"Signalled to terminate", "server_stopped", event.ClassAppLifecycle, 4, statusSuccess, severityInfo},
	{"Received HUP", "server_restarted", event.ClassAppLifecycle, 5, statusSuccess, severityInfo},
	{"HUP - ", "server_restarted", event.ClassAppLifecycle, 5, statusSuccess, severityInfo},
	{"TLS Alert", "tls_alert", event.ClassBase, 0, statusFailure, severityLow},
	{"TLS_accept", "tls_alert", event.ClassBase, 0, statusFailure, severityLow},
	{"Marking home server ", "home_server", event.ClassBase, 0, 0, severityLow},
	{"No Auth-Type found: rejecting the user", "rejected", event.ClassBase, 0, statusFailure, severityInfo},
	{"rlm_", "module", event.ClassBase, 0, 0, severityInfo},
}

// readRADIUSPeer finds the address in "… from unknown client ADDRESS port N …", "… from ADDRESS with …" and "… from host ADDRESS port N".
// Without one the event has no end, and stays a base event.
func readRADIUSPeer(e *event.Event, text string) {
	words := strings.Fields(clip(text, 400))
	for i, w := range words {
		ip := plainIP(strings.Trim(w, "[](),:;"))
		if ip == "" || i == 0 || words[i-1] == "address" || words[i-1] == "to" {
			continue
		}
		e.SrcEndpoint.IP = ip
		if i+2 < len(words) && words[i+1] == "port" {
			e.SrcEndpoint.Port = portText(strings.TrimRight(words[i+2], ",.:"))
		}
		e.AppProtocol = "radius"
		return
	}
	e.ClassUID, e.ActivityID = event.ClassBase, 0
}

// other keeps a message we do not know.
func (l *radiusLine) other(e *event.Event) {
	e.ClassUID, e.Metadata.EventCode, e.Message = event.ClassBase, "other", l.text
	switch l.level {
	case "Error", "ERROR":
		e.StatusID, e.SeverityID = statusFailure, severityLow
	case "Warning", "Warn", "WARNING":
		e.SeverityID = severityLow
	}
}
