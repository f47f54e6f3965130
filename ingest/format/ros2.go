package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// ros2 decodes what a ROS 2 system says of itself. Source: rcl_interfaces/msg/Log, ParameterEvent; lifecycle_msgs/msg/TransitionEvent; the
// rcutils console format; OMG DDS Security 1.1, 8.6 and 9.6 (logging plugin).
func ros2() Format {
	return Format{
		Name: "ros2", Title: "ROS 2", Domain: "robot",
		Classes: []string{
			"authentication.logon", "robot_control.parameter_change", "robot_state.fault", "robot_state.log_message", "robot_state.program_state_change",
		},
		Doc: "JSON of /rosout (rcl_interfaces/Log), /parameter_events, lifecycle transition events and the DDS-Security log topic, plain or inside a " +
			"bridge's {topic, msg} or {topic, payload}; lines of log files and consoles: [INFO] [1700000000.123456789] [node]: text, also behind a launch prefix or in " +
			"syslog; DDS-Security log lines in syslog. ROS names no machine: the robot is taken from robot, robot_id, serial, host or namespace " +
			"beside the message, from a syslog host, a name space, the MQTT topic, the record's key or the Kafka topic. Errors become faults, authentication and access failures " +
			"of participants failed logons.",
		Framing: LinesDense,
		Append:  appendROS2,
		Unmapped: func(rec *event.Record) []string {
			paths, _ := jsonscan.Unmapped(rec.Value, rosPlan)
			return paths
		},
	}
}

// Slots of rosPlan.
const (
	roTopic = iota
	roMsg
	roMessage
	roData
	roPayload

	roRobot
	roRobotID
	roSerial
	roHost
	roHostname
	roIP
	roNamespace

	roSec
	roNanosec
	roSecs
	roNsecs
	roHeaderSec
	roHeaderNanosec
	roHeaderSecs
	roHeaderNsecs
	roStamp
	roTimestamp
	roTimeSec
	roTimeNanosec

	roLevel
	roName
	roFile
	roFunction
	roLine

	roNode
	roNew
	roChanged
	roDeleted

	roTransition
	roTransitionID
	roStart
	roGoal

	roFacility
	roSeverity
	roHostIP
	roAppName
	roStructured
	roPluginClass
	roPluginMethod
	roGUID
	roDomainID
	roCategory
)

var rosPlan = jsonscan.Compile([]string{
	roTopic: "topic", roMsg: "msg", roMessage: "message", roData: "data", roPayload: "payload",

	roRobot: "robot", roRobotID: "robot_id", roSerial: "serial", roHost: "host", roHostname: "hostname", roIP: "ip", roNamespace: "namespace",

	roSec: "stamp.sec", roNanosec: "stamp.nanosec", roSecs: "stamp.secs", roNsecs: "stamp.nsecs", roHeaderSec: "header.stamp.sec",
	roHeaderNanosec: "header.stamp.nanosec", roHeaderSecs: "header.stamp.secs", roHeaderNsecs: "header.stamp.nsecs", roStamp: "stamp",
	roTimestamp: "timestamp", roTimeSec: "timestamp.sec", roTimeNanosec: "timestamp.nanosec",

	roLevel: "level", roName: "name", roFile: "file", roFunction: "function", roLine: "line",

	roNode: "node", roNew: "new_parameters", roChanged: "changed_parameters", roDeleted: "deleted_parameters",

	roTransition: "transition.label", roTransitionID: "transition.id", roStart: "start_state.label", roGoal: "goal_state.label",

	roFacility: "facility", roSeverity: "severity", roHostIP: "hostip", roAppName: "appname",
	roStructured: "structured_data", roPluginClass: "plugin_class", roPluginMethod: "plugin_method", roGUID: "guid", roDomainID: "domain_id",
	roCategory: "category",
}...)

// rosMessage is one message with what stands around it.
type rosMessage struct {
	r      *jsonscan.Result
	rec    *event.Record
	robot  event.Robot // As the bridge names it.
	topic  string
	inside wrapped
}

func appendROS2(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	if i := firstVisible(rec.Value); i < 0 || rec.Value[i] != '{' {
		return appendROSLine(dst, rec)
	}
	if err := scanObject(s, rosPlan, rec.Value); err != nil {
		return dst, err
	}
	m := rosMessage{r: &s.JSON, rec: rec}
	m.names()
	if err := m.unwrap(); err != nil {
		return dst, err
	}
	r := m.r
	switch {
	case r.Exists(roChanged), r.Exists(roNew), r.Exists(roDeleted):
		return m.parameters(dst), nil
	case r.Exists(roGoal), r.Exists(roTransition):
		return m.transition(dst), nil
	case m.isSecurityLog():
		return m.security(dst), nil
	case m.isLog():
		return m.log(dst), nil
	}
	return dst, Rejectf("wrong_format", "the object is no rcl_interfaces/Log, ParameterEvent, TransitionEvent or DDS-Security log message")
}

// isLog tells rcl_interfaces/Log from the logs of other programs, which have a level and a message too: it has a stamp of seconds, comes by
// the topic of logs, or names its node and where in the source it was written.
func (m *rosMessage) isLog() bool {
	r := m.r
	if !r.Exists(roLevel) || r.Kind(roMsg) != jsonscan.String {
		return false
	}
	if strings.HasSuffix(m.topic, "rosout") || strings.HasSuffix(m.topic, "rosout_agg") {
		return true
	}
	for _, pair := range rosTimes {
		if r.Exists(pair[0]) {
			return true
		}
	}
	return r.Str(roName) != "" && (r.Exists(roFunction) || r.Exists(roLine) || r.Exists(roStamp) || r.Exists(roTimestamp))
}

// names reads which robot the message is from. The names stand beside the message; one deeper level is looked at after the outer.
func (m *rosMessage) names() {
	r, b := m.r, &m.robot
	set := func(p *string, s string) {
		if *p == "" && !event.Placeholder(s) {
			*p = s
		}
	}
	set(&b.Serial, r.Text(roSerial))
	set(&b.Name, r.Str(roRobot))
	set(&b.Name, r.Text(roRobotID))
	for _, slot := range [...]int{roIP, roHostIP, roHost, roHostname} {
		host := r.Str(slot)
		if ip := plainIP(host); ip != "" {
			set(&b.IP, ip)
		} else {
			set(&b.Hostname, strings.ToLower(host))
		}
	}
	if b.Name == "" {
		set(&b.Name, strings.Trim(r.Str(roNamespace), "/"))
	}
	if t := r.Str(roTopic); t != "" {
		m.topic = t
	}
}

// unwrap goes into the message where a bridge put it under msg, message or data (rosbridge's "op": "publish", Foxglove, Zenoh), or under payload
// (MQTT bridges), there also as text or base64.
func (m *rosMessage) unwrap() error {
	for _, slot := range [...]int{roMsg, roMessage, roData, roPayload} {
		if m.r.Kind(slot) == jsonscan.Object {
			rosPlan.ScanValue(m.r.Value(slot), m.r)
			m.names()
			return nil
		}
	}
	w, ok, err := unwrapString(rosPlan, m.r, roPayload)
	if ok {
		m.inside = w
		m.names()
	}
	return err
}

// next adds an event with what all events of the message share. node is the node that speaks, "" where none is named.
func (m *rosMessage) next(dst []event.Event, class uint32, activity uint16, kind, node string) []event.Event {
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	e.ClassUID, e.ActivityID, e.SeverityID = class, activity, 1
	rosProduct(e, kind)
	b := m.robot
	e.Robot = &b
	rosNode(e, node)
	if b.Name == "" && b.Serial == "" && b.Hostname == "" && b.IP == "" {
		b.Name = m.carrier()
	}
	rosIdentify(e.Robot)
	m.time(e)
	return dst
}

// carrier is the robot by the topic beside the message, which is a bridge's of MQTT if it has levels, else by the transport.
func (m *rosMessage) carrier() string {
	if strings.IndexByte(m.topic, '/') >= 0 {
		if name := robotLevel(m.topic, '/'); name != "" {
			return name
		}
	}
	return carrierName(m.rec)
}

func rosProduct(e *event.Event, kind string) {
	e.Metadata.Product, e.Metadata.Vendor = "ROS 2", "Open Robotics"
	e.Metadata.LogName, e.Metadata.EventCode = kind, kind
}

// rosNode notes the node that speaks. Nodes of the same name run on every robot of a model, so it never names the robot; a name space
// before it usually does.
func rosNode(e *event.Event, node string) {
	if node == "" {
		return
	}
	e.Actor.Extend().AppName = clip(node, 256)
	space, _, cut := strings.Cut(strings.TrimPrefix(node, "/"), "/")
	if cut && e.Robot.Name == "" && strings.HasPrefix(node, "/") {
		e.Robot.Name = clip(space, 128)
	}
}

func rosIdentify(b *event.Robot) {
	for _, s := range [...]string{b.Serial, b.Name, b.Hostname} {
		if s != "" && b.UID == "" {
			b.UID = s
		}
	}
}

// rosTimes are the places of seconds and nanoseconds.
var rosTimes = [...][2]int{
	{roSec, roNanosec}, {roSecs, roNsecs}, {roHeaderSec, roHeaderNanosec}, {roHeaderSecs, roHeaderNsecs}, {roTimeSec, roTimeNanosec},
}

// time reads builtin_interfaces/Time, of ROS 1 too, or a stamp as text or count.
func (m *rosMessage) time(e *event.Event) {
	for _, pair := range rosTimes {
		sec, ok := m.r.LooseInt64(pair[0])
		if !ok {
			continue
		}
		nano, _ := m.r.LooseInt64(pair[1])
		// A robot on simulated time counts from 0: no clock of this world.
		if sec > 1e8 && sec < 1e11 && nano >= 0 && nano < 1e9 {
			e.Time, e.Envelope.TimeSource = sec*1e6+nano/1e3, event.TimeParsed
		} else {
			e.Envelope.Quality |= event.SchemaOdd
		}
		return
	}
	for _, slot := range [...]int{roTimestamp, roStamp} {
		if t := m.r.Text(slot); t != "" {
			setStamp(e, t, m.rec.Location)
			return
		}
	}
}

// rosLevels are the levels of rcl_interfaces/Log (10 to 50), of ROS 1 (1 to 16), and their names, with fault level and severity.
var rosLevels = map[string]struct {
	name            string
	level, severity uint8
}{
	"10": {"DEBUG", 1, 1}, "20": {"INFO", 1, 1}, "30": {"WARN", 2, 2}, "40": {"ERROR", 3, 3}, "50": {"FATAL", 5, 4},
	"1": {"DEBUG", 1, 1}, "2": {"INFO", 1, 1}, "4": {"WARN", 2, 2}, "8": {"ERROR", 3, 3}, "16": {"FATAL", 5, 4},
	"DEBUG": {"DEBUG", 1, 1}, "INFO": {"INFO", 1, 1}, "WARN": {"WARN", 2, 2}, "WARNING": {"WARN", 2, 2}, "ERROR": {"ERROR", 3, 3},
	"FATAL": {"FATAL", 5, 4}, "CRITICAL": {"FATAL", 5, 4},
}

func (m *rosMessage) log(dst []event.Event) []event.Event {
	r := m.r
	node := r.Str(roName)
	dst = m.next(dst, event.ClassRobotState, stateLog, "rosout", node)
	e := &dst[len(dst)-1]
	source := r.Str(roFile)
	if line := r.Text(roLine); source != "" && line != "" {
		source += ":" + line
	}
	if f := r.Str(roFunction); f != "" {
		source = strings.TrimSpace(source + " " + f)
	}
	rosLog(e, strings.ToUpper(r.Text(roLevel)), node, r.Str(roMsg), source)
	return dst
}

// rosLog fills a log message; from error upwards it is a fault.
func rosLog(e *event.Event, level, node, text, source string) {
	l, ok := rosLevels[level]
	if !ok {
		e.Envelope.Quality |= event.UnmappedEnum
		l.name = clip(level, 16)
	}
	e.StatusCode, e.SeverityID = l.name, max(1, l.severity)
	e.Message = clip(text, 4*maxPayload)
	if l.level >= 3 {
		e.ActivityID = stateFault
	}
	if l.level >= 2 {
		e.Fault = &event.Fault{Name: clip(node, 256), Desc: e.Message, LevelID: l.level, Source: clip(source, 512)}
	}
	if strings.Contains(text, "SECURITY ERROR") {
		// What rcl says where a node's enclave or its keys are missing or wrong.
		e.Metadata.EventCode = "security_error"
		e.SeverityID = max(e.SeverityID, 3)
	}
}

// parameters gives an event for each parameter changed or deleted; those a node declares at its start come as one.
func (m *rosMessage) parameters(dst []event.Event) []event.Event {
	node := m.r.Str(roNode)
	start := len(dst)
	var secrets [][]byte
	for _, list := range [...]struct {
		slot int
		kind string
	}{{roChanged, "changed_parameter"}, {roDeleted, "deleted_parameter"}} {
		for v := range m.r.Each(list.slot) {
			if v.Kind() != jsonscan.Object {
				continue
			}
			if len(dst)-start == maxNames {
				dst[start].Envelope.Quality |= event.Truncated
				break
			}
			dst = m.next(dst, event.ClassRobotControl, controlParameter, "parameter_events", node)
			e := &dst[len(dst)-1]
			name := v.Get("name").Text()
			value, secret := rosValue(v)
			if secret != nil {
				secrets = append(secrets, secret)
			}
			e.Metadata.EventCode = list.kind
			e.Command = &event.Command{Name: clip(name, 256), Type: list.kind}
			if list.slot == roChanged {
				e.Command.Args = clip(name+"="+value, maxPayload)
			}
		}
	}
	dst = m.declared(dst, node, &secrets)
	if len(dst) == start {
		dst = m.next(dst, event.ClassRobotControl, controlParameter, "parameter_events", node)
		dst[start].Command = &event.Command{Name: "no parameters", Type: "parameter_event"}
	}
	m.inside.redact(dst[start:], m.rec, secrets)
	return dst
}

// declared adds the event for the new parameters.
func (m *rosMessage) declared(dst []event.Event, node string, secrets *[][]byte) []event.Event {
	args, n := "", 0
	for v := range m.r.Each(roNew) {
		if v.Kind() != jsonscan.Object {
			continue
		}
		n++
		value, secret := rosValue(v)
		if secret != nil {
			*secrets = append(*secrets, secret)
		}
		if len(args) < maxPayload {
			args = clip(strings.TrimSpace(args+" "+v.Get("name").Text()+"="+value), maxPayload)
		}
	}
	if n == 0 {
		return dst
	}
	dst = m.next(dst, event.ClassRobotControl, controlParameter, "parameter_events", node)
	e := &dst[len(dst)-1]
	e.Metadata.EventCode = "new_parameters"
	e.Command = &event.Command{Name: "new_parameters", Type: "new_parameters", Args: args}
	if n > 1 {
		e.Count = int32(min(n, 1<<20))
	}
	return dst
}

// rosValue is a rcl_interfaces/ParameterValue as text; a secret's is not told, but where it stands.
func rosValue(v jsonscan.Value) (text string, secret []byte) {
	value := v.Get("value")
	field := ""
	kind, _ := value.Get("type").Int64()
	switch kind {
	case 1:
		field = "bool_value"
	case 2:
		field = "integer_value"
	case 3:
		field = "double_value"
	case 4:
		field = "string_value"
	case 5:
		field = "byte_array_value"
	case 6:
		field = "bool_array_value"
	case 7:
		field = "integer_array_value"
	case 8:
		field = "double_array_value"
	case 9:
		field = "string_array_value"
	}
	if field != "" {
		value = value.Get(field)
	}
	if secretWord(strings.ToLower(v.Get("name").Text())) && value.Exists() {
		return "[redacted]", value.Raw()
	}
	if text = value.Text(); text == "" {
		text = textOf(value.Raw())
	}
	return clip(text, maxPayload), nil
}

// transition is a managed node's change of state: ROS 2 design, managed nodes.
func (m *rosMessage) transition(dst []event.Event) []event.Event {
	r := m.r
	node := r.Str(roNode)
	if node == "" {
		node = strings.TrimSuffix(m.topic, "/transition_event")
	}
	dst = m.next(dst, event.ClassRobotState, stateProgram, "transition_event", node)
	e := &dst[len(dst)-1]
	from, to := r.Str(roStart), r.Str(roGoal)
	e.StatusCode = to
	e.StatusDetail = r.Str(roTransition)
	if e.StatusDetail == "" {
		e.StatusDetail = r.Text(roTransitionID)
	}
	e.Message = strings.TrimSpace(node + " " + from + " to " + to)
	e.Robot.ProgramUID = node
	switch to {
	case "errorprocessing":
		e.SeverityID, e.StatusID = 3, 2
	case "finalized", "shuttingdown":
		e.SeverityID = 2
	}
	e.Metadata.EventCode = strconv.Quote(to)
	if to != "" {
		e.Metadata.EventCode = to
	}
	return dst
}
