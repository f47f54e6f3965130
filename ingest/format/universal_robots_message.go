package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// message reads one message by its kind.
func (d urDoc) message(e *event.Event, kind string) {
	text := clip(d.text(urText), maxPayload)
	if text == "" {
		text = clip(d.text(urReportText), maxPayload)
	}
	e.Message = text
	switch kind {
	case "text", "log":
		urPhrase(e, text)
	case "popup":
		d.popup(e, text)
	case "version":
		d.version(e)
	case "safety_mode":
		d.safetyMode(e)
	case "error_code":
		d.errorCode(e, text)
	case "key":
		d.key(e, text)
	case "runtime_exception":
		d.exception(e, text)
	case "state":
		d.state(e)
	case "dashboard":
		d.dashboard(e)
	}
}

// popup is a message box on the pendant; a program or an attacker can raise one.
func (d urDoc) popup(e *event.Event, text string) {
	title := clip(d.text(urTitle), 256)
	e.Message = strings.TrimPrefix(title+": "+text, ": ")
	e.Fault = &event.Fault{Name: "popup", Desc: text, Source: title, LevelID: 1}
	if v, _ := d.truth(urWarning); v {
		e.Fault.LevelID, e.SeverityID = 2, 2
	}
	if v, _ := d.truth(urError); v {
		e.Fault.LevelID, e.SeverityID = 3, 3
	}
}

// version is the controller's software, said on every connection: what shows a change of firmware.
func (d urDoc) version(e *event.Event) {
	e.ClassUID, e.ActivityID = event.ClassInventory, 2
	b, dev := e.Robot, &e.Device
	major, ok := d.num(urMajor)
	if ok {
		minor, _ := d.num(urMinor)
		b.Firmware = strconv.FormatInt(major, 10) + "." + strconv.FormatInt(minor, 10)
		for _, slot := range [...]int{urBugfix, urBuild} {
			if n, ok := d.num(slot); ok {
				b.Firmware += "." + strconv.FormatInt(n, 10)
			}
		}
	}
	dev.UID, dev.Serial, dev.Name, dev.Hostname, dev.IP = b.UID, b.Serial, b.Name, b.Hostname, b.IP
	dev.TypeID, dev.Type = event.ActivityOther, "Robot"
	more := dev.Extend()
	more.Vendor, more.Model, more.OS, more.OSVersion = b.Vendor, b.Model, "PolyScope", b.Firmware
	e.Message = d.text(urProject)
}

// urSafetyModes are the safety modes by number and name (Primary and Secondary Interfaces guide, safety mode).
var urSafetyModes = []struct {
	number int64
	word   string
	state  uint8
}{
	{1, "NORMAL", 1},
	{2, "REDUCED", 2},
	{3, "PROTECTIVESTOP", 3},
	{4, "RECOVERY", 4},
	{5, "SAFEGUARDSTOP", 5},
	{6, "SYSTEMEMERGENCYSTOP", 6},
	{7, "ROBOTEMERGENCYSTOP", 7},
	{8, "VIOLATION", 8},
	{9, "FAULT", 9},
	{10, "VALIDATEJOINTID", 4},
	{12, "AUTOMATICMODESAFEGUARDSTOP", 5},
	{13, "SYSTEMTHREEPOSITIONENABLINGSTOP", 5},
}

// urSafety is the safety state of a mode given by number or name, such as 3, PROTECTIVE_STOP or SAFETYMODE_PROTECTIVE_STOP.
func urSafety(s string) uint8 {
	word := strings.TrimPrefix(strings.ToUpper(plainWord(s)), "SAFETYMODE")
	for _, m := range urSafetyModes {
		if word == m.word || word == strconv.FormatInt(m.number, 10) {
			return m.state
		}
	}
	if word == "EMERGENCYSTOP" {
		return 7
	}
	return 0
}

// setSafety gives the event the safety state, with the activity that goes with it where the message is about the state.
func setSafety(e *event.Event, state uint8, isChange bool) {
	e.Robot.SafetyStateID = state
	e.Robot.EStopped = event.BoolOf(state == 6 || state == 7)
	activity := stateSafety
	switch state {
	case 0:
		e.Robot.EStopped = event.Unknown
		e.Envelope.Quality |= event.UnmappedEnum
	case 3:
		activity, e.SeverityID = stateProtective, max(e.SeverityID, 2)
	case 5:
		e.SeverityID = max(e.SeverityID, 2)
	case 6, 7:
		activity, e.SeverityID = stateEStopSet, max(e.SeverityID, 3)
	case 8, 9:
		e.SeverityID = max(e.SeverityID, 4)
	}
	if isChange {
		e.ClassUID, e.ActivityID = event.ClassRobotState, activity
	}
}

func (d urDoc) safetyMode(e *event.Event) {
	word := ""
	for _, slot := range [...]int{urMode, urSafetyMode, urMessageMode} {
		if word = d.text(slot); word != "" {
			break
		}
	}
	e.StatusCode = word
	setSafety(e, urSafety(word), true)
	d.code(e)
	if sum := d.text(urChecksum); sum != "" {
		e.Robot.SafetyChecksum = sum
	}
}

// code writes the report code as PolyScope shows it: C153A1.
func (d urDoc) code(e *event.Event) string {
	code, ok := d.num(urCode)
	if !ok {
		return ""
	}
	name := "C" + strconv.FormatInt(code, 10)
	if argument, ok := d.num(urArgument); ok {
		name += "A" + strconv.FormatInt(argument, 10)
	}
	e.Metadata.EventCode = name
	return name
}

// urLevels are the report levels with their fault level and severity.
var urLevels = map[string]struct{ level, severity uint8 }{
	"0": {1, 1}, "debug": {1, 1}, "1": {1, 1}, "info": {1, 1}, "2": {2, 2}, "warning": {2, 2}, "3": {4, 3}, "violation": {4, 3},
	"4": {5, 4}, "fault": {5, 4}, "critical": {5, 4}, "128": {1, 1}, "129": {1, 1}, "130": {2, 2}, "131": {4, 3}, "132": {5, 4},
}

func (d urDoc) errorCode(e *event.Event, text string) {
	name := d.code(e)
	level := urLevels[plainWord(d.text(urLevel))]
	urReport(e, name, text, level.level, level.severity)
}

// urReport reads a report code with its text. Codes from 150 to 159 are protective stops (Universal Robots, Error Codes).
func urReport(e *event.Event, name, text string, level, severity uint8) {
	e.SeverityID = max(1, severity)
	urPhrase(e, text)
	if e.ClassUID != event.ClassRobotState {
		return
	}
	number, _, _ := strings.Cut(strings.TrimPrefix(name, "C"), "A")
	n, _ := strconv.Atoi(number)
	if n > 0 || level >= 2 {
		e.Fault = &event.Fault{Code: name, Desc: text, LevelID: level}
	}
	switch {
	case e.ActivityID != stateLog:
	case n >= 150 && n <= 159:
		setSafety(e, 3, true)
	case level >= 2:
		e.ActivityID = stateFault
	}
}

// key is the message that the start and end of a program give: title PROGRAM_XXX_STARTED, text its name.
func (d urDoc) key(e *event.Event, text string) {
	title := clip(d.text(urTitle), 128)
	d.code(e)
	if title != "" {
		e.Metadata.EventCode = title
	}
	word := strings.ToUpper(title)
	if !strings.HasPrefix(word, "PROGRAM") {
		e.Message = strings.TrimPrefix(title+": "+text, ": ")
		urPhrase(e, e.Message)
		return
	}
	switch {
	case strings.HasSuffix(word, "STARTED"):
		urProgramEvent(e, controlStart, title, text)
	case strings.HasSuffix(word, "STOPPED"):
		urProgramEvent(e, controlStop, title, text)
	case strings.HasSuffix(word, "LOADED"):
		urProgramEvent(e, controlLoad, title, text)
	default:
		e.ActivityID, e.StatusCode = stateProgram, title
		e.Robot.ProgramUID = text
	}
}

// urProgramEvent makes the event one of control: a program was loaded, started or stopped.
func urProgramEvent(e *event.Event, activity uint16, name, program string) {
	e.ClassUID, e.ActivityID = event.ClassRobotControl, activity
	e.Robot.ProgramUID = program
	e.Command = &event.Command{Name: name, Type: "program", ProgramUID: program}
}

func (d urDoc) exception(e *event.Event, text string) {
	e.ActivityID, e.SeverityID = stateFault, 3
	e.Fault = &event.Fault{Code: "runtime_exception", Name: "runtime exception", Desc: text, LevelID: 3}
	if line := d.text(urScriptLine); line != "" {
		e.Fault.Source = "line " + line + " column " + d.text(urScriptColumn)
	}
}

// state is a snapshot of the controller's modes.
func (d urDoc) state(e *event.Event) {
	e.ActivityID = stateReport
	b := e.Robot
	b.ModeID = urOperatingMode(d.text(urOperational), d.text(urRobotMode))
	if word := d.text(urSafetyMode); word != "" {
		setSafety(e, urSafety(word), false)
	}
	if v, ok := d.truth(urEStop); ok {
		b.EStopped = event.BoolOf(v)
	}
	if v, ok := d.truth(urProtective); ok && v && b.SafetyStateID <= 1 {
		b.SafetyStateID = 3
	}
	b.ProgramUID, b.SafetyChecksum = d.text(urProgram), d.text(urChecksum)
	e.StatusCode, e.StatusDetail = d.text(urRobotMode), d.text(urProgramState)
	if v, ok := d.truth(urRemote); ok {
		e.Unmapped = append(e.Unmapped, event.Attribute{Key: "remoteControl", Value: strconv.FormatBool(v)})
	}
}

// urOperatingMode is the operating mode: of the operational mode where the installation uses it, else of the robot mode while starting or updating.
func urOperatingMode(operational, robot string) uint8 {
	switch plainWord(operational) {
	case "automatic", "2":
		return 1
	case "manual", "1":
		return 3
	}
	switch strings.TrimPrefix(plainWord(robot), "robotmode") {
	case "booting", "2", "poweron", "4", "confirmsafety", "1":
		return 6
	case "updatingfirmware", "8":
		return 4
	case "backdrive", "6":
		return 5
	}
	return 0
}

// urCommands are the commands of the dashboard server and what they do (Dashboard Server guide); the longest prefix counts.
var urCommands = []struct {
	prefix   string
	activity uint16
}{
	{"load installation", controlParameter},
	{"load", controlLoad},
	{"play", controlStart},
	{"stop", controlStop},
	{"pause", controlStop},
	{"quit", 0},
	{"shutdown", controlShutdown},
	{"power off", controlShutdown},
	{"power on", controlMotion},
	{"brake release", controlMotion},
	{"unlock protective stop", controlSafetyReset},
	{"close safety popup", controlSafetyReset},
	{"restart safety", controlSafetyReset},
	{"set operational mode", controlAuthority},
	{"clear operational mode", controlAuthority},
	{"set user role", controlAuthority},
	{"popup", controlInstant},
	{"close popup", controlInstant},
	{"addtolog", controlInstant},
	{"generate", controlInstant},
}

// dashboard is a command given to the dashboard server, which asks for no password.
func (d urDoc) dashboard(e *event.Event) {
	command := clip(strings.TrimSpace(d.text(urCommand)), maxPayload)
	e.ClassUID, e.ActivityID = event.ClassRobotControl, controlInstant
	verb, args := command, ""
	lower := strings.ToLower(command)
	for _, c := range urCommands {
		if strings.HasPrefix(lower, c.prefix) {
			verb, args = c.prefix, strings.TrimSpace(command[len(c.prefix):])
			if c.activity != 0 {
				e.ActivityID = c.activity
			}
			break
		}
	}
	e.Metadata.EventCode = verb
	e.Command = &event.Command{Name: verb, Type: "dashboard", Args: args}
	if e.ActivityID == controlLoad {
		e.Command.ProgramUID, e.Robot.ProgramUID = args, args
	}
	if e.ActivityID == controlAuthority {
		e.SeverityID = 2
		e.Robot.ModeID = urOperatingMode(args, "")
	}
	setHost(&e.SrcEndpoint, d.text(urClient))
	e.Actor.User.Name = d.text(urUser)
	e.StatusDetail = clip(d.text(urResponse), 256)
	switch answer := strings.ToLower(e.StatusDetail); {
	case answer == "":
	case strings.Contains(answer, "fail"), strings.Contains(answer, "error"), strings.Contains(answer, "could not"), strings.Contains(answer, "not found"),
		strings.Contains(answer, "cannot"):
		e.StatusID = 2
	default:
		e.StatusID = 1
	}
}
