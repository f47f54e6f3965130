package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/syslog"
)

// openSSH reads what sshd, the PAM modules it calls and sudo and su beside it write to syslog (OpenSSH 6 to 10).
func openSSH() Format {
	return Format{
		Name:   "openssh",
		Title:  "OpenSSH server",
		Domain: "endpoint",
		Classes: []string{
			"account_change.lock", "account_change.password_change", "application_lifecycle", "authentication", "base_event", "ssh_activity",
		},
		Doc: "Lines of sshd, sshd-session and sshd-auth, of PAM modules and of sudo and su, with or without a syslog header. Logons, refused " +
			"logons and sessions become Authentication; connections, key exchange and disconnects SSH Activity; the server's own state Application Lifecycle.",
		Append: appendOpenSSH,
	}
}

// sshMessage is what one line of sshd says, before it becomes an event.
type sshMessage struct {
	code     string // Our name for the kind of message, stable: metadata.event_code.
	class    uint32
	activity uint16
	status   uint8 // 1 success, 2 failure.
	severity uint8

	user    string
	by      string // Who acted, where that is another account.
	invalid bool   // The account does not exist.
	peer    string // Address or host name of the client.
	port    string
	local   string // Our end of the connection, where the line names it.
	lport   string
	method  string // How the client authenticated.
	key     string // Fingerprint of the key it used.
	detail  string // Reason.
	service string // PAM service; sshd where empty.
	command string // Command line of a sudo call.
	domain  string // A name that belongs to the client and is no host we may join on.
}

const (
	statusSuccess = 1
	statusFailure = 2
)

const (
	severityInfo   = 1
	severityLow    = 2
	severityMedium = 3
	severityHigh   = 4
)

// The activities of OCSF network classes and of authentication that lines of sshd become.
const (
	netOpen   = 1
	netClose  = 2
	netReset  = 3
	netFail   = 4
	netRefuse = 5

	authLogon   = 1
	authLogoff  = 2
	authPreauth = 6
	authSwitch  = 7
)

func appendOpenSSH(_ *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	h, body, err := readHeader(rec)
	if err != nil {
		return dst, err
	}
	body = strings.TrimLeft(body, " ")
	program, pid := h.App, h.ProcID
	if program == "" {
		if p, id, rest, ok := cutTag(body); ok && isSSHProgram(p) {
			program, pid, body = p, id, rest
		}
	}
	switch {
	case body == "":
		return dst, Rejectf("no_event", "the line has no message")
	case program == "fatal" || program == "error":
		program = "" // A bare message whose level looks like a program's name.
	case program != "" && !isSSHProgram(program):
		return dst, Rejectf("wrong_program", "the line is from %q, not from sshd, sudo or su", clip(program, 40))
	case binaryText(body):
		return dst, Rejectf("not_text", "the message has control characters")
	}
	body = strings.TrimLeft(body, " ")
	var m sshMessage
	known := readSSHProgram(&m, program, body)
	if program == "" && m.service != "" && !isSSHProgram(m.service) {
		return dst, Rejectf("wrong_program", "the line is about PAM service %q, not about sshd, sudo or su", clip(m.service, 40))
	}
	if !known {
		if program == "" {
			return dst, Rejectf("unknown_message", "no message of sshd begins with %q", clip(body, 40))
		}
		m = sshMessage{code: "other"}
	}
	dst = append(dst, event.Event{})
	m.fill(&dst[len(dst)-1], rec, &h, program, pid, body)
	return dst, nil
}

func isSSHProgram(p string) bool {
	switch p {
	case "sudo", "sudo-i", "su", "su-l", "internal-sftp", "sftp-server", "openssh", "pam_google_authenticator":
		return true
	}
	return strings.HasPrefix(p, "sshd")
}

func readSSHProgram(m *sshMessage, program, body string) bool {
	switch program {
	case "sudo":
		m.service = "sudo"
		return readSudo(m, body)
	case "su", "su-l":
		m.service = "su"
		return readSu(m, body)
	}
	return readSSH(m, body)
}

// fill makes the event.
func (m *sshMessage) fill(e *event.Event, rec *event.Record, h *syslog.Message, program, pid, body string) {
	setHeaderTime(e, h)
	e.Metadata.Product, e.Metadata.Vendor = "OpenSSH", "OpenBSD"
	e.Metadata.EventCode = m.code
	e.Metadata.LogName = program
	var secrets []string
	m.command, secrets = maskCommand(m.command)
	redactWords(e, rec, secrets)
	e.Message = maskWords(body, secrets)
	e.StatusDetail = m.detail
	e.StatusID = m.status
	e.SeverityID = max(m.severity, severityInfo)
	setDeviceHost(&e.Device, h.Hostname)

	if m.user != "" {
		setAccount(&e.User, m.user)
		if m.invalid {
			e.User.Type = "invalid"
		}
		e.User.CredUID = m.key
		// A UPN's domain is worth finding, but it is no host.
		e.AddEntity(event.EntityDomain, event.RoleContext, event.Context, event.ObjectExtra, e.User.Domain)
	}
	setHost(&e.SrcEndpoint, m.peer)
	e.SrcEndpoint.Hostname = strings.ToLower(e.SrcEndpoint.Hostname)
	e.SrcEndpoint.Port = portText(m.port)
	e.AddEntity(event.EntityDomain, event.RoleContext, event.Context, event.ObjectExtra, m.domain)
	e.DstEndpoint.IP, e.DstEndpoint.Port = plainIP(m.local), portText(m.lport)
	if e.DstEndpoint.IP == "" && e.Device.IP != "" {
		e.DstEndpoint.IP = e.Device.IP
	}
	e.DstEndpoint.Hostname = e.Device.Hostname
	m.setProgram(e, program, pid)
	m.setClass(e)
}

// setProgram names the daemon, and who acted through it.
func (m *sshMessage) setProgram(e *event.Event, program, pid string) {
	if program == "" {
		program = "sshd"
	}
	b := new(struct {
		more event.ActorMore
		proc event.Process
	})
	e.Actor.More, b.more.Process = &b.more, &b.proc
	b.proc.Name, b.proc.CmdLine = program, m.command
	if n, err := strconv.ParseUint(pid, 10, 32); err == nil {
		b.proc.PID = event.IntOf(int64(n))
	}
	if m.by != "" {
		setAccount(&e.Actor.User, m.by)
	}
}

// setClass picks the class that the line means, or the nearest whose required objects are there.
func (m *sshMessage) setClass(e *event.Event) {
	e.ClassUID, e.ActivityID = m.class, m.activity
	if m.class == event.ClassAccountChange && e.User.Name == "" {
		e.ClassUID, e.ActivityID = event.ClassBase, 0
	}
	if e.ClassUID == event.ClassSSH && !knownEndpoint(&e.SrcEndpoint) && !knownEndpoint(&e.DstEndpoint) {
		e.ClassUID, e.ActivityID = event.ClassBase, 0
	}
	switch e.ClassUID {
	case event.ClassAuthentication:
		m.setAuthentication(e)
	case event.ClassSSH:
		e.AppProtocol = "ssh"
		if e.User.Name != "" {
			e.Actor.User, e.User = e.User, event.User{}
		}
		if m.method != "" {
			e.SSH = &event.SSH{AuthTypeID: sshAuthType(m.method), AuthType: m.method}
		}
	case event.ClassAppLifecycle:
		e.App = &event.Product{Name: "sshd", Vendor: "OpenBSD"}
		e.SrcEndpoint, e.DstEndpoint = event.Endpoint{}, event.Endpoint{}
	case event.ClassBase:
		if e.User.Name != "" {
			e.Actor.User, e.User = e.User, event.User{}
		}
	}
}

func (m *sshMessage) setAuthentication(e *event.Event) {
	e.Service.Name = m.service
	if m.service == "" {
		e.Service.Name = "sshd"
		e.LogonTypeID = 3
		e.IsRemote = event.True
		e.AppProtocol = "ssh"
	}
	if m.status == statusFailure && m.activity == authLogon {
		e.ActionID = 2
	}
	e.AuthProtocol = m.method
	method, _, _ := strings.Cut(m.method, "/")
	if strings.HasPrefix(m.code, "otp_") {
		method = "google_authenticator"
	}
	switch method {
	case "":
	case "none":
		e.AuthProtocolID = 99
	case "password":
		e.AuthProtocolID, e.AuthFactor.TypeID = 99, 11
	case "google_authenticator":
		e.AuthProtocolID, e.AuthFactor.TypeID, e.IsMFA = 99, 7, event.True
	case "gssapi-with-mic", "gssapi-keyex", "gssapi":
		e.AuthProtocolID = 2
	default:
		e.AuthProtocolID = 99
		if !strings.HasPrefix(method, "pam_") {
			e.AuthFactor.TypeID, e.AuthFactor.Type = 99, m.method
		}
	}
}

// sshAuthType is OCSF ssh_activity.auth_type_id of an SSH authentication method (RFC 4252, 4256, 4462).
func sshAuthType(method string) uint8 {
	method, _, _ = strings.Cut(method, "/")
	switch method {
	case "password":
		return 5
	case "publickey":
		return 6
	case "hostbased":
		return 3
	case "keyboard-interactive":
		return 4
	case "gssapi-with-mic", "gssapi-keyex", "gssapi":
		return 2
	}
	return 99
}

func portText(s string) uint16 {
	if s == "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}
