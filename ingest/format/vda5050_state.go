package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// Activities of robot_state.
const (
	stateModeChange   uint16 = 1
	stateEStopSet     uint16 = 2
	stateEStopCleared uint16 = 3
	stateProtective   uint16 = 4
	stateSafetyConfig uint16 = 5
	stateOnline       uint16 = 6
	stateFault        uint16 = 7
	stateReport       uint16 = 9
	stateProgram      uint16 = 10
	stateSafety       uint16 = 11
	stateLog          uint16 = 12
)

// vdaModes are the operating modes: 6.10.6 of version 2.1, with those version 3 adds and respells.
var vdaModes = map[string]uint8{
	"AUTOMATIC": 1, "SEMIAUTOMATIC": 2, "MANUAL": 3, "SERVICE": 4, "TEACHIN": 5, "TEACH_IN": 5, "STARTUP": 6, "INTERVENED": 7,
}

// vdaConnections are the connection states: 6.14 of version 2.1, and of version 3.
var vdaConnections = map[string]uint8{
	"ONLINE": 1, "OFFLINE": 2, "CONNECTIONBROKEN": 3, "CONNECTION_BROKEN": 3, "HIBERNATING": 4,
}

// vdaLevels are the error levels with their fault level and severity; version 2 knows the first and the last.
var vdaLevels = map[string]struct{ level, severity uint8 }{
	"WARNING": {2, 2}, "URGENT": {3, 3}, "CRITICAL": {4, 4}, "FATAL": {5, 4},
}

// vdaStops are the kinds of emergency stop with the safety state each means: one that acknowledges itself is a protective stop.
var vdaStops = map[string]struct{ kind, safety uint8 }{
	"NONE": {1, 1}, "MANUAL": {2, 7}, "REMOTE": {3, 6}, "AUTOACK": {4, 3},
}

// state gives a state report and a fault for each error.
func (m *vdaMessage) state(dst []event.Event) []event.Event {
	r := m.r
	dst = m.next(dst, event.ClassRobotState, stateReport)
	e := &dst[len(dst)-1]
	b := e.Robot
	b.ModeID = vdaEnum(e, "operatingMode", r.Str(vdMode), vdaModes)
	m.safety(e)
	b.OrderUID = r.Text(vdOrder)
	b.OrderUpdate = flagInt(r.LooseInt64(vdOrderUpdate))
	b.Battery = vdaFloat(r, vdBattery, vdCharge)
	m.pose(e)
	if e.Robot.ModeID == 0 || b.EStopKindID == 0 {
		e.Envelope.Quality |= event.SchemaOdd
	}
	return m.faults(dst)
}

// safety reads the safety state; a violated field alone is a protective stop.
func (m *vdaMessage) safety(e *event.Event) {
	r, b := m.r, e.Robot
	word := r.Str(vdEStop)
	if word == "" {
		word = r.Str(vdActiveEStop)
	}
	if stop, ok := vdaStops[strings.ToUpper(word)]; ok {
		b.EStopKindID, b.SafetyStateID = stop.kind, stop.safety
		b.EStopped = event.BoolOf(stop.kind != 1)
	} else if word != "" {
		e.Envelope.Quality |= event.UnmappedEnum
		e.Unmapped = append(e.Unmapped, event.Attribute{Key: "safetyState.eStop", Value: clip(word, 64)})
	}
	if v, ok := r.LooseBool(vdField); ok {
		b.FieldViolated = event.BoolOf(v)
		if v && b.SafetyStateID <= 1 {
			b.SafetyStateID = 3
		}
	}
	switch b.SafetyStateID {
	case 3:
		e.SeverityID = 2
	case 6, 7:
		e.SeverityID = 3
	}
}

// pose reads where the robot stands, and the map in use.
func (m *vdaMessage) pose(e *event.Event) {
	r, b := m.r, e.Robot
	p := event.Pose{X: vdaFloat(r, vdX, vdRobotX), Y: vdaFloat(r, vdY, vdRobotY), Theta: vdaFloat(r, vdTheta, vdRobotTheta), Map: r.Text(vdMap)}
	if p.Map == "" {
		p.Map = r.Text(vdRobotMap)
	}
	if p != (event.Pose{}) {
		b.Pose = &p
	}
	b.MapUID = p.Map
	for v := range r.Each(vdMaps) {
		if b.MapUID == "" && v.Get("mapStatus").Str() == "ENABLED" {
			b.MapUID = v.Get("mapId").Text()
		}
	}
	for _, slot := range [...]int{vdInitialized, vdLocalized} {
		if v, ok := r.LooseBool(slot); ok && !v && e.StatusDetail == "" {
			e.StatusDetail = "not localized"
		}
	}
}

// faults adds an event for each error, and gives the report the worst of them.
func (m *vdaMessage) faults(dst []event.Event) []event.Event {
	report := len(dst) - 1
	n := 0
	for v := range m.r.Each(vdErrors) {
		if v.Kind() != jsonscan.Object {
			dst[report].Envelope.Quality |= event.SchemaOdd
			continue
		}
		if n++; n > maxNames {
			dst[report].Envelope.Quality |= event.Truncated
			break
		}
		dst = m.next(dst, event.ClassRobotState, stateFault)
		e, whole := &dst[len(dst)-1], &dst[report]
		e.Robot.ModeID, e.Robot.SafetyStateID, e.Robot.EStopped = whole.Robot.ModeID, whole.Robot.SafetyStateID, whole.Robot.EStopped
		e.Robot.OrderUID, e.Robot.MapUID = whole.Robot.OrderUID, whole.Robot.MapUID
		vdaFault(e, v)
		if whole.Fault == nil || e.Fault.LevelID > whole.Fault.LevelID {
			whole.Fault = e.Fault
			whole.SeverityID = max(whole.SeverityID, e.SeverityID)
		}
	}
	return dst
}

func vdaFault(e *event.Event, v jsonscan.Value) {
	f := &event.Fault{Name: v.Get("errorType").Text(), Desc: v.Get("errorDescription").Str()}
	level := v.Get("errorLevel").Str()
	if l, ok := vdaLevels[strings.ToUpper(level)]; ok {
		f.LevelID, e.SeverityID = l.level, l.severity
	} else {
		e.Envelope.Quality |= event.UnmappedEnum
	}
	if f.Name == "" {
		e.Envelope.Quality |= event.SchemaOdd
		if f.Desc == "" {
			f.Name = "unnamed error"
		}
	}
	for ref := range v.Get("errorReferences").Elements() {
		if len(f.Refs) < maxNames {
			f.Refs = append(f.Refs, ref.Get("referenceKey").Text()+"="+clip(ref.Get("referenceValue").Text(), 256))
		}
	}
	e.Fault, e.Message = f, f.Desc
	if e.Metadata.EventCode = f.Name; f.Name == "" {
		e.Metadata.EventCode = "state"
	}
	if hint := v.Get("errorHint").Str(); hint != "" && f.Desc == "" {
		f.Desc = hint
	}
}

func (m *vdaMessage) connection(dst []event.Event) []event.Event {
	dst = m.next(dst, event.ClassRobotState, stateOnline)
	e := &dst[len(dst)-1]
	word := m.r.Str(vdConnection)
	e.Robot.ConnectionID = vdaEnum(e, "connectionState", word, vdaConnections)
	e.StatusCode = word
	if e.Robot.ConnectionID == 3 {
		e.SeverityID = 2
	}
	return dst
}

func (m *vdaMessage) visualization(dst []event.Event) []event.Event {
	dst = m.next(dst, event.ClassRobotState, stateReport)
	m.pose(&dst[len(dst)-1])
	return dst
}

// factsheet makes the robot's description of itself an inventory event; the versions it lists go into firmware where they name one.
func (m *vdaMessage) factsheet(dst []event.Event) []event.Event {
	r := m.r
	dst = m.next(dst, event.ClassInventory, 2)
	e := &dst[len(dst)-1]
	b, d := e.Robot, &e.Device
	b.Model = r.Text(vdSeries)
	b.Firmware = m.firmware(e)
	d.UID, d.Serial, d.TypeID, d.Type = b.UID, b.Serial, event.ActivityOther, "Robot"
	d.Name = b.Serial
	more := d.Extend()
	more.Vendor, more.Model = b.Vendor, b.Model
	for _, slot := range [...]int{vdLocalIP, vdRobotLocalIP} {
		if ip := plainIP(r.Str(slot)); ip != "" {
			d.IP, b.IP = ip, ip
		}
	}
	e.Message = r.Str(vdSeriesText)
	if b.Model == "" {
		e.Envelope.Quality |= event.SchemaOdd
	}
	return dst
}

// firmware is the version that the factsheet's list gives for firmware or software; the rest of the list is kept beside it.
func (m *vdaMessage) firmware(e *event.Event) string {
	slot := vdVersions
	if !m.r.Exists(slot) {
		slot = vdRobotVersions
	}
	firmware, software := "", ""
	for v := range m.r.Each(slot) {
		key, value := v.Get("key").Text(), v.Get("value").Text()
		if len(e.Unmapped) < maxNames {
			e.Unmapped = append(e.Unmapped, event.Attribute{Key: "versions." + clip(key, 64), Value: clip(value, 128)})
		}
		switch word := strings.ToLower(key); {
		case strings.Contains(word, "firmware") && firmware == "":
			firmware = value
		case strings.Contains(word, "software") && software == "":
			software = value
		}
	}
	if firmware == "" {
		return software
	}
	return firmware
}

// vdaEnum reads a word of a fixed list; another word is kept beside and flagged.
func vdaEnum(e *event.Event, field, word string, table map[string]uint8) uint8 {
	id, ok := table[word]
	if !ok {
		id, ok = table[strings.ToUpper(word)]
	}
	if !ok && word != "" {
		e.Envelope.Quality |= event.UnmappedEnum
		e.Unmapped = append(e.Unmapped, event.Attribute{Key: field, Value: clip(word, 64)})
	}
	return id
}

// vdaFloat is the number at the first of two slots that has one.
func vdaFloat(r *jsonscan.Result, slots ...int) event.Float {
	for _, slot := range slots {
		if f, ok := r.LooseFloat(slot); ok {
			return event.FloatOf(f)
		}
	}
	return event.Float{}
}
