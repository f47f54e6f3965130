package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// universalRobots decodes what a Universal Robots controller says: messages of the primary interface as a bridge forwards them, and lines
// of the PolyScope log. Source: Universal Robots, Primary and Secondary Interfaces guide; Dashboard Server guide; docs/robot-formats.md lists
// the accepted shapes.
func universalRobots() Format {
	return Format{
		Name: "universal_robots", Title: "Universal Robots", Domain: "robot",
		Classes: []string{
			"inventory_info.collect", "robot_control", "robot_state",
		},
		Doc: "One JSON object per message of the primary interface (port 30001), as a bridge forwards it: robotMessageType by number or name " +
			"(text, label, popup, version, safety mode, error code, key, request value, runtime exception) with the fields of the interface guide in " +
			"camelCase or snake_case, and robot, serial, host or ip to say which robot, else the MQTT topic, the " +
			"record's key or the Kafka topic; a state object with robotMode, safetyMode, operationalMode, " +
			"programState, loadedProgram or safetyChecksum; a dashboard command with command and client; or a PolyScope log line with a stamp and a " +
			"code such as C153A1, bare or in syslog. The controller's own microsecond count becomes the time only where it counts from 1970.",
		Framing:  Lines,
		Append:   appendUR,
		Unmapped: urUnmapped,
	}
}

// Slots of urPlan. Every name is read in the two spellings of urNames.
const (
	urType = iota
	urTypeName
	urMicros
	urTime
	urAtTime
	urReceived
	urSource

	urSerial
	urSerialNumber
	urRobot
	urModel
	urHost
	urIP

	urText
	urTitle
	urCode
	urArgument
	urLevel
	urMode
	urMessageMode
	urReportText
	urScriptLine
	urScriptColumn
	urWarning
	urError
	urMajor
	urMinor
	urBugfix
	urBuild
	urProject

	urRobotMode
	urSafetyMode
	urOperational
	urProgramState
	urProgram
	urChecksum
	urRemote
	urCommand
	urClient
	urResponse
	urUser
	urEStop
	urProtective

	urTopic
	urPayload

	urSlots
)

var urNames = [urSlots]string{
	urType: "robotMessageType", urTypeName: "type", urMicros: "timestampUs", urTime: "timestamp", urAtTime: "@timestamp", urReceived: "receivedAt",
	urSource: "source",
	urSerial: "serial", urSerialNumber: "serialNumber", urRobot: "robot", urModel: "model", urHost: "host", urIP: "ip",
	urText: "text", urTitle: "title", urCode: "robotMessageCode", urArgument: "robotMessageArgument", urLevel: "reportLevel",
	urMode: "safetyModeType", urMessageMode: "mode", urReportText: "message", urScriptLine: "scriptLineNumber", urScriptColumn: "scriptColumnNumber",
	urWarning: "warning", urError: "error",
	urMajor: "majorVersion", urMinor: "minorVersion", urBugfix: "bugfixVersion", urBuild: "buildNumber", urProject: "projectName",
	urRobotMode: "robotMode", urSafetyMode: "safetyMode", urOperational: "operationalMode", urProgramState: "programState", urProgram: "loadedProgram",
	urChecksum: "safetyChecksum", urRemote: "remoteControl", urCommand: "command", urClient: "client", urResponse: "response", urUser: "user",
	urEStop: "isEmergencyStopped", urProtective: "isProtectiveStopped",
	urTopic: "topic", urPayload: "payload",
}

// urPlan wants each name in camelCase and, urSlots further, in snake_case.
var urPlan = func() *jsonscan.Plan {
	paths := make([]string, 0, 2*urSlots)
	for _, name := range urNames {
		paths = append(paths, name)
	}
	for _, name := range urNames {
		snake := snakeCase(name)
		if snake == name {
			snake += "_" // A path of its own that no sender writes.
		}
		paths = append(paths, snake)
	}
	return jsonscan.Compile(paths...)
}()

func snakeCase(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
			b.WriteByte(c + 'a' - 'A')
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func urUnmapped(rec *event.Record) []string {
	if i := firstVisible(rec.Value); i < 0 || rec.Value[i] != '{' {
		return nil
	}
	paths, _ := jsonscan.Unmapped(rec.Value, urPlan)
	return paths
}

// urDoc reads a slot in whichever spelling the sender uses.
type urDoc struct {
	r     *jsonscan.Result
	outer *urOuter // nil where no bridge wrapped the message.
}

func (d urDoc) slot(i int) int {
	if d.r.Exists(i) {
		return i
	}
	return i + urSlots
}

func (d urDoc) has(i int) bool                  { return d.r.Exists(d.slot(i)) && !d.r.IsNull(d.slot(i)) }
func (d urDoc) text(i int) string               { return d.r.Text(d.slot(i)) }
func (d urDoc) num(i int) (int64, bool)         { return d.r.LooseInt64(d.slot(i)) }
func (d urDoc) truth(i int) (value, known bool) { return d.r.LooseBool(d.slot(i)) }

func appendUR(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	if i := firstVisible(rec.Value); i < 0 || rec.Value[i] != '{' {
		return appendURLine(dst, rec)
	}
	if err := scanObject(s, urPlan, rec.Value); err != nil {
		return dst, err
	}
	d := urDoc{r: &s.JSON}
	if err := d.unwrap(); err != nil {
		return dst, err
	}
	kind := d.kind()
	if kind == "" {
		return dst, Rejectf("wrong_format", "the object has no robotMessageType, no robot state and no dashboard command")
	}
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	d.common(e, rec, kind)
	d.message(e, kind)
	return dst, nil
}

// urOuter is what stands beside a wrapped message.
type urOuter struct {
	robot event.Robot
	topic string // Of MQTT.
}

// unwrap goes into the payload where a bridge wrapped the message as {topic, payload}, the payload as object, text or base64.
func (d *urDoc) unwrap() error {
	kind := d.r.Kind(urPayload)
	if kind != jsonscan.Object && kind != jsonscan.String {
		return nil
	}
	outer := &urOuter{d.robot(), d.r.Str(urTopic)}
	if kind == jsonscan.Object {
		urPlan.ScanValue(d.r.Value(urPayload), d.r)
	} else if _, ok, err := unwrapString(urPlan, d.r, urPayload); !ok {
		return err
	}
	d.outer = outer
	return nil
}

// urKinds are the kinds of message: by the numbers of the interface guide, and by the words bridges use, without case and separators.
var urKinds = []struct {
	number int64
	kind   string
	words  []string
}{
	{0, "text", []string{"text", "textmessage"}},
	{1, "label", []string{"label", "programlabel", "programlabelmessage", "labelmessage"}},
	{2, "popup", []string{"popup", "popupmessage"}},
	{3, "version", []string{"version", "versionmessage"}},
	{5, "safety_mode", []string{"safetymode", "safetymodemessage"}},
	{6, "error_code", []string{"errorcode", "errorcodemessage", "robotcomm", "robotcommmessage"}},
	{7, "key", []string{"key", "keymessage"}},
	{9, "request_value", []string{"request", "requestvalue", "requestvaluemessage", "globalvariablessetup"}},
	{10, "runtime_exception", []string{"runtimeexception", "runtimeexceptionmessage"}},
	{14, "text", []string{"threadedtext"}},
	{16, "state", []string{"state", "robotstate", "robotstatemessage", "status"}},
	{-1, "dashboard", []string{"dashboard", "dashboardcommand"}},
	{-1, "log", []string{"log", "polyscopelog"}},
}

// kind tells what message it is: by its type, else by fields that only one kind has.
func (d urDoc) kind() string {
	for _, slot := range [...]int{urType, urTypeName} {
		n, isNumber := d.num(slot)
		word := plainWord(d.text(slot))
		for _, k := range urKinds {
			if isNumber && n == k.number {
				return k.kind
			}
			for _, w := range k.words {
				if w == word {
					return k.kind
				}
			}
		}
		if slot == urType && isNumber {
			return "unknown"
		}
	}
	switch {
	case d.has(urCommand) && (d.has(urClient) || d.has(urResponse) || plainWord(d.text(urSource)) == "dashboard"):
		return "dashboard"
	case d.has(urRobotMode), d.has(urOperational), d.has(urProgramState), d.has(urChecksum), d.has(urSafetyMode):
		return "state"
	}
	return ""
}

// plainWord is a name without case and separators: ERROR_CODE and errorCode are one.
func plainWord(s string) string {
	if len(s) > 64 {
		return ""
	}
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		}
		return -1
	}, s)
}

// common fills what every message has.
func (d urDoc) common(e *event.Event, rec *event.Record, kind string) {
	e.ClassUID, e.ActivityID, e.SeverityID = event.ClassRobotState, stateLog, 1
	urProduct(e, kind)
	b := new(d.robot())
	if d.outer != nil && urNameless(b) {
		*b = d.outer.robot
	}
	if urNameless(b) {
		b.Name = d.carrier(rec)
	}
	b.Vendor = "Universal Robots"
	e.Robot = b
	urIdentify(b)
	d.time(e, rec)
	if kind != "state" && kind != "dashboard" && d.has(urMicros) {
		// The controller's count tells messages apart; with it a repeated one has the same id.
		e.Envelope.ID = event.NewID("universal_robots", b.UID, kind, d.text(urMicros), d.text(urCode), d.text(urArgument), d.text(urTitle), d.text(urText))
	}
}

// robot is what the object says of the robot.
func (d urDoc) robot() event.Robot {
	b := event.Robot{Model: d.text(urModel), Name: d.text(urRobot), Serial: d.text(urSerial)}
	if b.Serial == "" {
		b.Serial = d.text(urSerialNumber)
	}
	for _, slot := range [...]int{urIP, urHost} {
		host := d.text(slot)
		if ip := plainIP(host); ip != "" {
			b.IP = ip
		} else if !event.Placeholder(host) {
			b.Hostname = strings.ToLower(host)
		}
	}
	return b
}

func urNameless(b *event.Robot) bool {
	return b.Serial == "" && b.Name == "" && b.Hostname == "" && b.IP == ""
}

// carrier is the robot by the MQTT topic beside the message, else by the transport.
func (d urDoc) carrier(rec *event.Record) string {
	if d.outer != nil && strings.IndexByte(d.outer.topic, '/') >= 0 {
		if name := robotLevel(d.outer.topic, '/'); name != "" {
			return name
		}
	}
	return carrierName(rec)
}

func urProduct(e *event.Event, kind string) {
	e.Metadata.Product, e.Metadata.Vendor = "PolyScope", "Universal Robots"
	e.Metadata.LogName, e.Metadata.EventCode = kind, kind
}

// urIdentify gives the robot the best id it has: its serial number under the maker's name, else its name or host.
func urIdentify(b *event.Robot) {
	switch {
	case b.Serial != "":
		b.UID = "universal_robots/" + b.Serial
	case b.Name != "":
		b.UID = b.Name
	case b.Hostname != "":
		b.UID = b.Hostname
	}
}

// time prefers the bridge's stamp to the controller's count, which begins anew with each boot on most versions.
func (d urDoc) time(e *event.Event, rec *event.Record) {
	for _, slot := range [...]int{urTime, urAtTime, urReceived} {
		if micros, zoned, ok := kv.TimeIn(d.text(slot), rec.Location); ok {
			e.Time, e.Envelope.TimeSource = micros, event.TimeZoneless
			if zoned {
				e.Envelope.TimeSource = event.TimeParsed
			}
			return
		}
	}
	const from2000 = 946_684_800_000_000
	if n, ok := d.num(urMicros); ok && n > from2000 && n < 8*from2000 {
		e.Time, e.Envelope.TimeSource = n, event.TimeParsed
	}
}
