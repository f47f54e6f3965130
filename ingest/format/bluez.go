package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
	"github.com/tocsin-siem/tocsin/ingest/format/syslog"
)

// blueZ reads the Bluetooth lines of a robot's syslog: bluetoothd of BlueZ 5, its command line tools, the kernel's Bluetooth stack, and
// the sudo calls with which people open pairing.
func blueZ() Format {
	return Format{
		Name:   "bluez",
		Title:  "BlueZ on a robot",
		Domain: "robot",
		Classes: []string{
			"robot_control.pairing_attempt", "robot_control.pairing_mode_change", "robot_state.log_message",
		},
		Doc: "Bluetooth lines of a robot's syslog. The robot is the host of the header, the peer's address is src_endpoint.mac. metadata.event_code says " +
			"what happened: pair_request, pair_failed, pair_success, pairing_mode_opened, pairing_mode_closed, device_connected, device_disconnected, new_device.",
		Append: appendBlueZ,
	}
}

func appendBlueZ(_ *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	h, body, err := readHeader(rec)
	if err != nil {
		return dst, err
	}
	body = strings.TrimLeft(body, " ")
	program := h.App
	if program == "" {
		if p, _, rest, ok := cutTag(body); ok && isBluetoothProgram(p) {
			program, body = p, rest
		}
	}
	if program != "" && !isBluetoothProgram(program) {
		return dst, Rejectf("wrong_program", "the line is from %q, not from bluetoothd, its tools or the kernel", clip(program, 40))
	}
	if binaryText(strings.ReplaceAll(body, "\x01", "")) {
		return dst, Rejectf("not_text", "the message has control characters")
	}
	m := bluetoothMessage{text: cutColours(body)}
	switch program {
	case "sudo":
		if !m.readSudo() {
			return dst, Rejectf("no_event", "the sudo call does not touch Bluetooth")
		}
	case "kernel":
		if !strings.Contains(body, "Bluetooth") && !strings.Contains(body, "hci") {
			return dst, Rejectf("no_event", "the kernel line is not about Bluetooth")
		}
		m.text = body[max(0, strings.Index(body, "Bluetooth")):]
		m.read()
	default:
		if known := m.read(); program == "" && (!known || !m.bare()) {
			return dst, Rejectf("unknown_message", "no Bluetooth message begins with %q", clip(body, 40))
		}
	}
	dst = append(dst, event.Event{})
	m.fill(&dst[len(dst)-1], rec, &h, program)
	return dst, nil
}

func isBluetoothProgram(p string) bool {
	switch p {
	case "bluetoothd", "bluetoothctl", "btmgmt", "bluetooth", "kernel", "sudo", "bt-agent", "hciconfig", "hcid", "bluetooth-agent", "bluetooth-meshd", "btmon":
		return true
	}
	return false
}

// bluetoothMessage is what one line says.
type bluetoothMessage struct {
	text     string
	code     string
	activity uint16
	status   uint8
	severity uint8
	reason   string
	mac      string // The peer.
	user     string // Who opened or closed pairing, where a person did.
	args     string
	isState  bool // A state of the robot rather than something done to it.
	secrets  []string
}

// cutColours drops the terminal colours that bluetoothctl writes, and the marks of line editing around them.
func cutColours(s string) string {
	if strings.IndexByte(s, 0x1b) < 0 && strings.IndexByte(s, 1) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == 1 || s[i] == 2:
		case s[i] == 0x1b && i+1 < len(s) && s[i+1] == '[':
			for i += 2; i < len(s) && (s[i] < '@' || s[i] > '~'); i++ {
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return strings.TrimSpace(b.String())
}

// read finds the first meaning whose words the line has. Without one the line stays a log message of the robot.
func (m *bluetoothMessage) read() bool {
	low := lowerASCII(clip(m.text, 1000))
	m.mac = peerMAC(m.text)
	for _, w := range bluetoothWords {
		if !containsAll(low, w.words) {
			continue
		}
		m.code, m.activity, m.status, m.severity, m.isState = w.code, w.activity, w.status, w.severity, w.state
		m.setReason(low)
		if i := strings.Index(low, " by user "); i >= 0 && m.activity == controlPairingMode {
			m.user, _, _ = strings.Cut(strings.TrimLeft(m.text[i+len(" by user "):], " "), " ")
		} else if i := strings.Index(low, " by operator "); i >= 0 && m.activity == controlPairingMode {
			m.user, _, _ = strings.Cut(strings.TrimLeft(m.text[i+len(" by operator "):], " "), " ")
		}
		return true
	}
	m.code, m.activity, m.isState = "other", stateLogMessage, true
	return strings.Contains(low, "bluetooth") || strings.Contains(low, "hci")
}

// bare reports whether a line without a program's name is about Bluetooth for sure.
func (m *bluetoothMessage) bare() bool {
	if m.text == "" || m.text[0] == '{' || len(m.text) > 1000 {
		return false
	}
	low := lowerASCII(m.text)
	for _, word := range [...]string{"bluetooth", "bluez", "hci", "pairing", "pairable", "paired", "pair ", "bonding", "bonded", "discoverable", "[new] device", "[chg] device", "[del] device"} {
		if strings.Contains(low, word) {
			return true
		}
	}
	return m.mac != "" && m.activity != stateLogMessage && len(m.text) < maxBareBluetooth
}

// maxBareBluetooth bounds lines that only an address and a word such as "authentication failed" tell; no message of BlueZ is longer.
const maxBareBluetooth = 160

func containsAll(s string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(s, w) {
			return false
		}
	}
	return true
}

// setReason keeps what the line says of a failure, and refines what a status code says.
func (m *bluetoothMessage) setReason(low string) {
	if m.code == "bonding" {
		m.code, m.status = "pair_success", statusSuccess
		if i := strings.Index(low, "status 0x"); i >= 0 && strings.TrimRight(firstField(low[i+len("status 0x"):]), "0") != "" {
			m.code, m.status = "pair_failed", statusFailure
		}
	}
	if i := strings.Index(low, "org.bluez.error."); i >= 0 {
		m.reason = firstField(m.text[i:])
	} else if i := strings.Index(low, "status "); i >= 0 {
		m.reason = m.text[i:]
	} else if i := strings.Index(low, "reason "); i >= 0 {
		m.reason = m.text[i:]
	} else if m.status == statusFailure {
		m.reason = m.text
	}
	if strings.Contains(low, "passkey") || strings.Contains(low, "pin code") || strings.Contains(low, "pincode") {
		m.hidePasskey()
	}
}

func firstField(s string) string {
	s, _, _ = strings.Cut(s, " ")
	return strings.Trim(s, ",;:()")
}

// hidePasskey masks runs of four digits and more: they let whoever reads the log finish the pairing. Addresses keep theirs.
func (m *bluetoothMessage) hidePasskey() {
	fields := strings.Fields(m.text)
	for i, f := range fields {
		if n := strings.Trim(f, ",.;:()"); len(n) >= 4 && len(n) <= 16 && leadingDigits(n) == len(n) {
			fields[i] = "[redacted]"
			m.secrets = append(m.secrets, n)
		}
	}
	if len(m.secrets) > 0 {
		m.text = strings.Join(fields, " ")
		if m.reason != "" {
			m.reason = m.text
		}
	}
}

// peerMAC finds the peer's address; of several the last that is not the adapter's own, which stands after "Controller".
func peerMAC(s string) string {
	found, previous := "", ""
	for word := range strings.FieldsSeq(clip(s, 1000)) {
		if i := strings.Index(word, "dev_"); i >= 0 {
			word = strings.ReplaceAll(word[i+len("dev_"):], "_", ":") // /org/bluez/hci0/dev_AA_BB_CC_DD_EE_FF
		}
		word = strings.Trim(word, ",.;()[]'\"")
		if i := strings.LastIndexByte(word, '='); i >= 0 {
			word = word[i+1:]
		}
		if mac, ok := event.MAC(word); ok && strings.Count(word, ":")+strings.Count(word, "-") >= 5 && !kv.NoMAC(mac) && previous != "Controller" {
			found = mac
		}
		previous = word
	}
	return found
}

// readSudo reads a sudo call of bluetoothctl, btmgmt or hciconfig that opens or closes pairing.
func (m *bluetoothMessage) readSudo() bool {
	var s sshMessage
	if !readSudo(&s, m.text) {
		return false
	}
	name, args, _ := strings.Cut(s.command, " ")
	switch name[strings.LastIndexByte(name, '/')+1:] {
	case "bluetoothctl", "btmgmt", "hciconfig", "bt-agent":
	default:
		return false
	}
	m.user, m.args, m.status, m.severity = s.by, args, s.status, severityInfo
	m.code, m.activity, m.mac = "bluetooth_command", controlPairingMode, peerMAC(args)
	for _, c := range bluetoothCommands {
		if strings.Contains(args, c.words) {
			m.code, m.activity, m.severity = c.code, c.activity, severityLow
			break
		}
	}
	return true
}

// fill makes the event: the robot is the host that wrote the line.
func (m *bluetoothMessage) fill(e *event.Event, rec *event.Record, h *syslog.Message, program string) {
	setHeaderTime(e, h)
	e.Metadata.Product, e.Metadata.Vendor, e.Metadata.LogName = "BlueZ", "BlueZ", program
	e.Metadata.EventCode = m.code
	e.Message, e.StatusDetail, e.StatusID = m.text, m.reason, m.status
	e.SeverityID = max(m.severity, severityInfo)
	redactWords(e, rec, m.secrets)
	e.Robot = &event.Robot{}
	if host := h.Hostname; !event.Placeholder(host) {
		if ip := plainIP(host); ip != "" {
			e.Robot.IP = ip
		} else {
			e.Robot.Hostname = strings.ToLower(host)
			e.Robot.UID = e.Robot.Hostname
		}
	}
	e.SrcEndpoint.MAC = m.mac
	e.AppProtocol = "bluetooth"
	setLogin(&e.Actor.User, m.user)
	e.ClassUID, e.ActivityID = event.ClassRobotControl, m.activity
	if m.isState {
		e.ClassUID = event.ClassRobotState
		return
	}
	e.Command = &event.Command{Name: m.code, Type: "bluetooth", Args: m.args}
}
