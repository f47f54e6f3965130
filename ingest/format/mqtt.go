package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// maxPayload bounds what is kept of a message an outsider wrote.
const maxPayload = 1024

// mqttOutcome reads the code of a CONNACK: 0 accepted; 1 to 5 are the refusals of MQTT 3.1.1 (section 3.2.2.3), from 128 those of MQTT 5.
func mqttOutcome(e *event.Event, code int64) {
	e.StatusID, e.StatusCode = 1, strconv.FormatInt(code, 10)
	if code == 0 {
		return
	}
	e.StatusID = 2
	switch code {
	case 1, 132:
		e.StatusDetail = "unacceptable protocol version"
	case 2, 133:
		e.StatusDetail = "client identifier not valid"
	case 3, 136:
		e.StatusDetail = "server unavailable"
	case 4, 134:
		e.StatusDetail = "bad user name or password"
	case 5, 135:
		e.StatusDetail = "not authorized"
	case 138:
		e.StatusDetail = "banned"
	case 140:
		e.StatusDetail = "bad authentication method"
	}
}

// mqttConnect makes a CONNECT an authentication of its user name, or of the client id where it offers none; without either it is a
// connection like any other. The client id also identifies the source: it is what a robot is known by to its broker. The last will of a robot is
// the broken connection on its own topic (VDA 5050 section 6.14), so the will names the robot that the client claims to be.
func mqttConnect(e *event.Event, client, user, will string) {
	e.AppProtocol = "mqtt"
	if t, ok := vdaTopicOf(will); ok && t.topic == "connection" {
		e.Robot = &event.Robot{UID: t.manufacturer + "/" + t.serial, Serial: t.serial, Vendor: t.manufacturer}
	}
	if !event.Placeholder(client) {
		e.SrcEndpoint.UID = client
	}
	switch {
	case !event.Placeholder(user):
		e.User.Name = user
	case !event.Placeholder(client):
		e.User.Name, e.User.Type = client, "MQTT client id"
	default:
		e.ClassUID, e.ActivityID = event.ClassNetwork, 1
		return
	}
	e.ClassUID, e.ActivityID = event.ClassAuthentication, 1
	e.Service.Name, e.AuthProtocol = "mqtt", "MQTT"
	e.AuthProtocolID = event.ActivityOther
	e.IsRemote = event.True
}

// mqttMessage makes a publication or subscription an OT command on its topic. The topics of VDA 5050 name the robot.
func mqttMessage(e *event.Event, activity uint16, function, topic, payload string) {
	e.ClassUID, e.ActivityID = event.ClassOTCommand, activity
	e.AppProtocol = "mqtt"
	e.OT = &event.OTCommand{
		Protocol: "mqtt", Function: function, Address: clip(topic, maxPayload), Value: clip(payload, maxPayload), IsWrite: changes(activity),
	}
	if t, ok := vdaTopicOf(topic); ok {
		e.Robot = &event.Robot{UID: t.manufacturer + "/" + t.serial, Serial: t.serial, Vendor: t.manufacturer}
	}
}

// vdaTopic is a topic of VDA 5050: interface/major/manufacturer/serial/topic (6.5 of version 2.1).
type vdaTopic struct{ manufacturer, serial, topic string }

// vdaTopicOf takes a topic apart. The interface name may itself have levels, so it is read from the end; some brokers' bridges write dots
// for slashes.
func vdaTopicOf(s string) (vdaTopic, bool) {
	if strings.IndexByte(s, '/') < 0 && strings.Count(s, ".") >= 4 {
		return vdaTopicBy(s, '.')
	}
	return vdaTopicBy(s, '/')
}

func vdaTopicBy(s string, sep byte) (t vdaTopic, ok bool) {
	var levels [4]string
	for i := range levels {
		cut := strings.LastIndexByte(s, sep)
		if cut < 0 {
			return t, false
		}
		levels[i], s = s[cut+1:], s[:cut]
	}
	t = vdaTopic{manufacturer: levels[2], serial: levels[1], topic: levels[0]}
	major := levels[3]
	digits := strings.TrimLeft(major, "vV")
	if len(digits) != len(major)-1 || digits == "" || strings.Trim(digits, "0123456789") != "" || !vdaKnownTopic(t.topic) ||
		t.manufacturer == "" || t.serial == "" || strings.ContainsAny(t.manufacturer+t.serial, "+#,") {
		return vdaTopic{}, false
	}
	return t, true
}

// vdaKnownTopic reports whether VDA 5050 has a topic of that name.
func vdaKnownTopic(name string) bool {
	switch name {
	case "order", "instantActions", "state", "visualization", "connection", "factsheet", "zoneSet", "responses":
		return true
	}
	return false
}
