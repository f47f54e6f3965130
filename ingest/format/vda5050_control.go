package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// Activities of robot_control.
const (
	controlOrder       uint16 = 1
	controlCancel      uint16 = 2
	controlInstant     uint16 = 3
	controlLoad        uint16 = 4
	controlStart       uint16 = 5
	controlStop        uint16 = 6
	controlMap         uint16 = 7
	controlParameter   uint16 = 8
	controlCertificate uint16 = 9
	controlTeleopStart uint16 = 10
	controlTeleopStop  uint16 = 11
	controlAuthority   uint16 = 12
	controlMotion      uint16 = 15
	controlSafetyReset uint16 = 16
	controlShutdown    uint16 = 17
	controlFirmware    uint16 = 18
)

// vdaActions are the predefined actions that are more than an instant action: 6.8.2 of version 2.1, and of version 3.
var vdaActions = map[string]uint16{
	"cancelorder": controlCancel,
	"downloadmap": controlMap, "enablemap": controlMap, "deletemap": controlMap,
	"downloadzoneset": controlMap, "enablezoneset": controlMap, "deletezoneset": controlMap,
	"updatecertificate": controlCertificate,
	"shutdown":          controlShutdown, "starthibernation": controlShutdown,
}

// vdaActivity is what an action does. Manufacturers add actions of their own, which are told by the words in their names.
func vdaActivity(name string, otherwise uint16) uint16 {
	word := strings.ToLower(name)
	if id, ok := vdaActions[word]; ok {
		return id
	}
	has := func(s string) bool { return strings.Contains(word, s) }
	switch {
	case has("firmware"), has("software") && (has("update") || has("install")), has("ota" + "update"):
		return controlFirmware
	case has("certificate"):
		return controlCertificate
	case has("teleop"), has("remotecontrol"):
		if has("stop") || has("end") {
			return controlTeleopStop
		}
		return controlTeleopStart
	case has("program") && (has("load") || has("upload")):
		return controlLoad
	case has("program") && (has("start") || has("run") || has("exec")):
		return controlStart
	case has("program") && has("stop"):
		return controlStop
	case has("safety") && (has("reset") || has("ack") || has("clear")), has("acknowledgeestop"), has("resetestop"):
		return controlSafetyReset
	case has("parameter"), has("config"), has("setmaxspeed"), has("setspeed"):
		return controlParameter
	case has("reboot"), has("restart"), has("poweroff"):
		return controlShutdown
	}
	return otherwise
}

func (m *vdaMessage) instantActions(s *Scratch, dst []event.Event) []event.Event {
	slot := vdActions
	if !m.r.Exists(slot) {
		slot = vdInstantActions // Version 1.1.
	}
	dst = m.actions(s, dst, m.r.Value(slot), "instantAction")
	if len(dst) == m.start {
		dst = m.next(dst, event.ClassRobotControl, controlInstant)
		e := &dst[len(dst)-1]
		e.Command = &event.Command{Type: "instantAction"}
		e.Envelope.Quality |= event.SchemaOdd
	}
	return dst
}

// order gives a dispatch and an event for each action on its way.
func (m *vdaMessage) order(s *Scratch, dst []event.Event) []event.Event {
	r := m.r
	dst = m.next(dst, event.ClassRobotControl, controlOrder)
	e := &dst[len(dst)-1]
	id := r.Text(vdOrder)
	e.Robot.OrderUID, e.Robot.OrderUpdate = id, flagInt(r.LooseInt64(vdOrderUpdate))
	nodes, edges, place := 0, 0, ""
	for node := range r.Each(vdNodes) {
		nodes++
		if place == "" {
			place = node.Get("nodePosition", "mapId").Text()
		}
	}
	for range r.Each(vdEdges) {
		edges++
	}
	e.Command = &event.Command{
		UID: id, Name: "order", Type: "order", Sequence: e.Robot.OrderUpdate, MapUID: place,
		Args: "nodes=" + strconv.Itoa(nodes) + " edges=" + strconv.Itoa(edges),
	}
	if id == "" || nodes == 0 {
		e.Envelope.Quality |= event.SchemaOdd
	}
	order, update := e.Robot.OrderUID, e.Robot.OrderUpdate
	first := len(dst)
	for node := range r.Each(vdNodes) {
		dst = m.actions(s, dst, node.Get("actions"), "nodeAction")
	}
	for edge := range r.Each(vdEdges) {
		dst = m.actions(s, dst, edge.Get("actions"), "edgeAction")
	}
	for i := first; i < len(dst); i++ {
		dst[i].Robot.OrderUID, dst[i].Robot.OrderUpdate = order, update
	}
	return dst
}

// actions adds an event for each action of a list.
func (m *vdaMessage) actions(s *Scratch, dst []event.Event, list jsonscan.Value, kind string) []event.Event {
	for v := range list.Elements() {
		if v.Kind() != jsonscan.Object {
			continue
		}
		if len(dst)-m.start > maxNames {
			dst[m.start].Envelope.Quality |= event.Truncated
			break
		}
		dst = m.next(dst, event.ClassRobotControl, controlInstant)
		m.action(s, &dst[len(dst)-1], v, kind)
	}
	return dst
}

// Slots of vdaActionPlan.
const (
	vaType = iota
	vaName
	vaID
	vaBlocking
	vaDescription
	vaDescriptor
	vaParameters
)

var vdaActionPlan = jsonscan.Compile("actionType", "actionName", "actionId", "blockingType", "actionDescription", "actionDescriptor", "actionParameters")

func (m *vdaMessage) action(s *Scratch, e *event.Event, v jsonscan.Value, kind string) {
	r := &s.Nested
	vdaActionPlan.ScanValue(v, r)
	c := &event.Command{UID: r.Text(vaID), Name: firstText(r, vaType, vaName), Type: kind, Sequence: e.Robot.HeaderID}
	e.Command = c
	if kind == "instantAction" {
		e.ActivityID = vdaActivity(c.Name, controlInstant)
	} else if e.ActivityID = vdaActivity(c.Name, event.ActivityOther); e.ActivityID == event.ActivityOther {
		e.Activity = "Order Action"
	}
	if c.Name == "" {
		e.Envelope.Quality |= event.SchemaOdd
	} else {
		e.Metadata.EventCode = c.Name
	}
	e.Message = firstText(r, vaDescription, vaDescriptor)
	switch e.ActivityID {
	case controlCertificate, controlFirmware, controlSafetyReset, controlTeleopStart:
		e.SeverityID = 2
	}
	m.parameters(e, r.Value(vaParameters))
}

// parameters writes the parameters of an action as key=value and picks out those with a meaning of their own. Secrets are left out.
func (m *vdaMessage) parameters(e *event.Event, list jsonscan.Value) {
	c := e.Command
	for p := range list.Elements() {
		key, v := p.Get("key").Text(), p.Get("value")
		value := v.Text()
		if value == "" {
			value = textOf(v.Raw())
		}
		word := strings.ToLower(key)
		if secretWord(word) && value != "" {
			m.secrets = append(m.secrets, v.Raw())
			value = "[redacted]"
		}
		if len(c.Args) < maxPayload {
			if c.Args != "" {
				c.Args += " "
			}
			c.Args = clip(c.Args+key+"="+value, maxPayload)
		}
		if v.Kind() == jsonscan.Object || v.Kind() == jsonscan.Array {
			continue
		}
		switch {
		case c.URL == "" && strings.Contains(value, "://"):
			c.URL = clip(value, maxPayload)
			addURLHost(e, value)
		case word == "mapid" || word == "zonesetid":
			c.MapUID = clip(value, 256)
		case strings.Contains(word, "hash"), strings.Contains(word, "checksum"), strings.Contains(word, "sha256"):
			c.Hash = clip(value, 256)
		case strings.HasPrefix(word, "program"):
			c.ProgramUID = clip(value, 256)
		}
	}
}

// secretWord reports whether a key names a credential.
func secretWord(word string) bool {
	for _, part := range [...]string{"password", "passwd", "secret", "token", "privatekey", "private_key", "apikey", "api_key", "credential"} {
		if strings.Contains(word, part) {
			return true
		}
	}
	return false
}

// addURLHost notes the host a link leads to: the connection that follows names only it.
func addURLHost(e *event.Event, link string) {
	_, rest, _ := strings.Cut(link, "://")
	host, _, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		host = host[at+1:]
	}
	if !strings.HasPrefix(host, "[") {
		host, _, _ = strings.Cut(host, ":")
	}
	host = strings.Trim(host, "[]")
	if ip := plainIP(host); ip != "" {
		e.AddEntity(event.EntityIP, event.RoleContext, event.Context, event.ObjectExtra, ip)
		return
	}
	e.AddEntity(event.EntityDomain, event.RoleContext, event.Context, event.ObjectExtra, clip(host, 255))
}

// zoneSet is the transfer of a set of zones (version 3): where the robot may drive changes.
func (m *vdaMessage) zoneSet(dst []event.Event) []event.Event {
	dst = m.next(dst, event.ClassRobotControl, controlMap)
	e := &dst[len(dst)-1]
	v := m.r.Value(vdZoneSet)
	zones := 0
	for range v.Get("zones").Elements() {
		zones++
	}
	e.Command = &event.Command{
		UID: v.Get("zoneSetId").Text(), Name: "zoneSet", Type: "zoneSet", MapUID: v.Get("mapId").Text(), Args: "zones=" + strconv.Itoa(zones),
	}
	return dst
}

// responses are the answers of fleet control to requests for zones and edges (version 3).
func (m *vdaMessage) responses(dst []event.Event) []event.Event {
	for v := range m.r.Each(vdResponses) {
		if len(dst)-m.start >= maxNames {
			dst[m.start].Envelope.Quality |= event.Truncated
			break
		}
		dst = m.next(dst, event.ClassRobotControl, controlAuthority)
		e := &dst[len(dst)-1]
		e.Command = &event.Command{UID: v.Get("requestId").Text(), Name: "response", Type: "response"}
		e.StatusCode = v.Get("grantType").Str()
		switch e.StatusCode {
		case "GRANTED":
			e.StatusID = 1
		case "REJECTED", "REVOKED":
			e.StatusID = 2
		}
	}
	if len(dst) == m.start {
		dst = m.next(dst, event.ClassRobotControl, controlAuthority)
		dst[len(dst)-1].Command = &event.Command{Name: "response", Type: "response"}
	}
	return dst
}
