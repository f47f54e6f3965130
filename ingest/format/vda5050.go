package format

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// vda5050 decodes the messages of VDA 5050. Source: VDA 5050, versions 1.1, 2.0, 2.1 and 3.0, section 6 (topics and messages).
func vda5050() Format {
	return Format{
		Name: "vda5050", Title: "VDA 5050", Domain: "robot",
		Classes: []string{
			"inventory_info.collect", "robot_control", "robot_state.connection_state", "robot_state.fault", "robot_state.state_report",
		},
		Doc: "MQTT messages of VDA 5050 1.1 to 3.0, one JSON object each, plain or inside a bridge's {topic, payload}, the payload as object, text or " +
			"base64. The topic may also come as record key, in a header whose name ends in topic or as the name of the Kafka topic; without one the " +
			"message is told by its keys. A state gives a state report and a fault " +
			"per error, an order a dispatch and a control event per action, instant actions a control event each, a factsheet an inventory " +
			"event. Optional fields may be null. Deviations from the schema set the schema-odd flag and lose nothing.",
		Framing:  JSONValues,
		Append:   appendVDA5050,
		Unmapped: func(rec *event.Record) []string { paths, _ := jsonscan.Unmapped(rec.Value, vdaPlan); return paths },
	}
}

// Slots of vdaPlan. Where versions differ, the older name comes first.
const (
	vdTopic = iota
	vdPayload
	vdPublished
	vdReceivedAt
	vdRetain
	vdRetained
	vdRetainFlag

	vdHeaderID
	vdTimestamp
	vdVersion
	vdManufacturer
	vdSerial

	vdConnection

	vdMode
	vdEStop
	vdActiveEStop
	vdField
	vdBattery
	vdCharge
	vdX
	vdY
	vdTheta
	vdMap
	vdInitialized
	vdRobotX
	vdRobotY
	vdRobotTheta
	vdRobotMap
	vdLocalized
	vdMaps
	vdErrors
	vdDriving
	vdPosition
	vdRobotPosition
	vdVelocity
	vdActionStates

	vdOrder
	vdOrderUpdate
	vdNodes
	vdEdges
	vdInstantActions
	vdActions

	vdSpec
	vdSeries
	vdSeriesText
	vdVersions
	vdRobotVersions
	vdLocalIP
	vdRobotLocalIP

	vdZoneSet
	vdResponses
)

var vdaPaths = []string{
	vdTopic: "topic", vdPayload: "payload", vdPublished: "publish_received_at", vdReceivedAt: "receivedAt", vdRetain: "retain", vdRetained: "retained",
	vdRetainFlag: "flags.retain",

	vdHeaderID: "headerId", vdTimestamp: "timestamp", vdVersion: "version", vdManufacturer: "manufacturer", vdSerial: "serialNumber",

	vdConnection: "connectionState",

	vdMode: "operatingMode", vdEStop: "safetyState.eStop", vdActiveEStop: "safetyState.activeEmergencyStop", vdField: "safetyState.fieldViolation",
	vdBattery: "batteryState.batteryCharge", vdCharge: "powerSupply.stateOfCharge",
	vdX: "agvPosition.x", vdY: "agvPosition.y", vdTheta: "agvPosition.theta", vdMap: "agvPosition.mapId", vdInitialized: "agvPosition.positionInitialized",
	vdRobotX: "mobileRobotPosition.x", vdRobotY: "mobileRobotPosition.y", vdRobotTheta: "mobileRobotPosition.theta",
	vdRobotMap: "mobileRobotPosition.mapId", vdLocalized: "mobileRobotPosition.localized", vdMaps: "maps", vdErrors: "errors", vdDriving: "driving",
	vdPosition: "agvPosition", vdRobotPosition: "mobileRobotPosition", vdVelocity: "velocity", vdActionStates: "actionStates",

	vdOrder: "orderId", vdOrderUpdate: "orderUpdateId", vdNodes: "nodes", vdEdges: "edges", vdInstantActions: "instantActions", vdActions: "actions",

	vdSpec: "typeSpecification", vdSeries: "typeSpecification.seriesName", vdSeriesText: "typeSpecification.seriesDescription",
	vdVersions: "vehicleConfig.versions", vdRobotVersions: "mobileRobotConfiguration.versions",
	vdLocalIP: "vehicleConfig.network.localIpAddress", vdRobotLocalIP: "mobileRobotConfiguration.network.localIpAddress",

	vdZoneSet: "zoneSet", vdResponses: "responses",
}

var (
	vdaPlan = jsonscan.Compile(vdaPaths...)
	// vdaWrappedPlan has them once more below the payload, so that a wrapped message is read once.
	vdaWrappedPlan = jsonscan.Compile(append(slices.Clone(vdaPaths), below(vdaPaths[vdPayload], vdaPaths)...)...)
)

// below are the paths of what stands at a key.
func below(key string, paths []string) []string {
	out := make([]string, len(paths))
	for i, path := range paths {
		out[i] = key + "." + path
	}
	return out
}

// vdaMessage is one message with what its topic says.
type vdaMessage struct {
	r       *jsonscan.Result
	rec     *event.Record
	topic   vdaTopic
	kind    string // Topic the message is of.
	uid     string // manufacturer/serialNumber.
	start   int    // Where its events begin in dst.
	carried int64  // When broker, bridge or Kafka took it on, in microseconds since the Unix epoch; 0: unknown, or it was kept there.
	inside  wrapped
	secrets [][]byte // What must not be kept, as it stands in the message.
}

func appendVDA5050(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	if err := scanObject(s, vdaWrappedPlan, rec.Value); err != nil {
		return dst, err
	}
	m := vdaMessage{r: &s.JSON, rec: rec, start: len(dst)}
	m.topic = vdaRecordTopic(rec)
	m.carried = vdaCarried(&s.JSON, rec)
	if err := m.unwrap(); err != nil {
		return dst, err
	}
	r := m.r
	if (r.Str(vdManufacturer) == "" || r.Text(vdSerial) == "") && m.topic.serial == "" {
		return dst, Rejectf("wrong_format", "the message names no manufacturer and serialNumber, and no topic that does")
	}
	if m.kind = m.topic.topic; m.kind == "" {
		if m.kind = m.kindByKeys(); m.kind == "" {
			return dst, Rejectf("unknown_message", "the message has none of the fields that tell a state, connection, order, instantActions, factsheet or visualization")
		}
	}
	dst = m.append(s, dst)
	m.inside.redact(dst[m.start:], rec, m.secrets)
	return dst, nil
}

// vdaRecordTopic is the MQTT topic the record came by, where a bridge kept it: in a header, as the record's key, or as the name of the Kafka topic.
func vdaRecordTopic(rec *event.Record) vdaTopic {
	for i := range rec.Headers {
		h := &rec.Headers[i]
		if !topicHeader(h.Key) {
			continue
		}
		if t, ok := vdaTopicOf(keyText(h.Value)); ok {
			return t
		}
	}
	if t, ok := vdaTopicOf(keyText(rec.Key)); ok {
		return t
	}
	t, _ := vdaTopicOf(kafkaTopic(rec.Position.Source))
	return t
}

// vdaCarried is when the message was taken on behind the robot's radio: as the bridge's envelope says (publish_received_at of EMQX, receivedAt, or its
// own timestamp), else as Kafka does. A message that the broker retained says nothing of the way.
func vdaCarried(r *jsonscan.Result, rec *event.Record) int64 {
	for _, slot := range [...]int{vdRetain, vdRetained, vdRetainFlag} {
		if kept, ok := r.LooseBool(slot); ok && kept {
			return 0
		}
	}
	stamps := [...]int{vdPublished, vdReceivedAt, vdTimestamp}
	of := stamps[:]
	if !r.Exists(vdPayload) { // What is not wrapped has the robot's own timestamp there.
		of = stamps[:2]
	}
	for _, slot := range of {
		if micros := stampMicros(r.Text(slot), rec.Location); micros != 0 {
			return micros
		}
	}
	return rec.Carried
}

// unwrap goes into the payload where a bridge wrapped the message as {topic, payload}.
func (m *vdaMessage) unwrap() (err error) {
	r := m.r
	if t, ok := vdaTopicOf(r.Str(vdTopic)); ok {
		m.topic = t
	}
	switch r.Kind(vdPayload) {
	case jsonscan.Object:
		r.Enter(vdPayload, len(vdaPaths))
	case jsonscan.String:
		var ok bool
		if m.inside, ok, err = unwrapString(vdaPlan, r, vdPayload); err == nil && !ok {
			err = Rejectf("json_payload", "the payload is text, but neither a JSON object nor one in base64")
		}
	}
	return err
}

// kindByKeys tells a message by the fields that only it has, be they null.
func (m *vdaMessage) kindByKeys() string {
	r := m.r
	switch {
	case r.Exists(vdConnection):
		return "connection"
	case r.Exists(vdSpec):
		return "factsheet"
	case r.Exists(vdMode), r.Exists(vdDriving), r.Exists(vdActionStates):
		return "state"
	case r.Exists(vdNodes), r.Exists(vdEdges):
		return "order"
	case r.Exists(vdInstantActions), r.Exists(vdActions):
		return "instantActions"
	case r.Exists(vdZoneSet):
		return "zoneSet"
	case r.Exists(vdResponses):
		return "responses"
	case r.Exists(vdPosition), r.Exists(vdRobotPosition), r.Exists(vdVelocity):
		return "visualization"
	}
	return ""
}

// append adds the message's events.
func (m *vdaMessage) append(s *Scratch, dst []event.Event) []event.Event {
	switch m.kind {
	case "state":
		return m.state(dst)
	case "connection":
		return m.connection(dst)
	case "order":
		return m.order(s, dst)
	case "instantActions":
		return m.instantActions(s, dst)
	case "factsheet":
		return m.factsheet(dst)
	case "zoneSet":
		return m.zoneSet(dst)
	case "responses":
		return m.responses(dst)
	default:
		return m.visualization(dst)
	}
}

// next adds an event with what all events of the message share.
func (m *vdaMessage) next(dst []event.Event, class uint32, activity uint16) []event.Event {
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	index := len(dst) - 1 - m.start
	e.ClassUID, e.ActivityID, e.SeverityID = class, activity, 1
	e.Metadata.Product, e.Metadata.LogName, e.Metadata.EventCode = "VDA 5050", m.kind, m.kind
	e.Envelope.Index = uint16(index)
	m.identify(e)
	e.Metadata.Vendor = e.Robot.Vendor
	setStamp(e, m.r.Str(vdTimestamp), m.rec.Location)
	if e.Time != 0 && m.carried != 0 {
		e.Metadata.LoggedTime = m.carried
		e.Robot.Latency = event.IntOf((m.carried - e.Time) / 1000)
	}
	if !m.r.Exists(vdHeaderID) || m.r.Str(vdVersion) == "" {
		e.Envelope.Quality |= event.SchemaOdd
	}
	if e.Time != 0 && e.Robot.HeaderID.Known {
		e.Envelope.ID = event.NewID("vda5050", m.uid, m.kind, m.r.Text(vdHeaderID), m.r.Str(vdTimestamp), strconv.Itoa(index))
	}
	return dst
}

// identify names the robot. Where the topic and the header of the message disagree the topic counts, since it is what a broker can check a
// client against; the robot that the header names is kept beside it, and the record is flagged.
func (m *vdaMessage) identify(e *event.Event) {
	r := m.r
	vendor, serial := r.Str(vdManufacturer), r.Text(vdSerial)
	if t := m.topic; t.serial != "" {
		if vendor != "" && serial != "" && (!sameLevel(t.manufacturer, vendor) || !sameLevel(t.serial, serial)) {
			e.Envelope.Quality |= event.SchemaOdd
			e.StatusDetail = "the header names " + clip(vendor, 64) + "/" + clip(serial, 64) + ", the topic " + t.manufacturer + "/" + t.serial
			e.AddEntity(event.EntityRobot, event.RoleContext, event.Context, event.ObjectExtra, vendor+"/"+serial)
			vendor, serial = t.manufacturer, t.serial
		}
		if vendor == "" || serial == "" {
			vendor, serial = t.manufacturer, t.serial
		}
	}
	if m.uid == "" {
		m.uid = vendor + "/" + serial
	}
	e.Robot = &event.Robot{UID: m.uid, Serial: serial, Vendor: vendor, Protocol: r.Str(vdVersion), HeaderID: flagInt(r.LooseInt64(vdHeaderID))}
}

// sameLevel compares a topic level with a name, of which a topic cannot carry every character: '/', '+', '#', '$' and blanks.
func sameLevel(level, name string) bool {
	return strings.EqualFold(level, name) || strings.EqualFold(topicWord(level), topicWord(name))
}

func topicWord(s string) string {
	return strings.Map(func(c rune) rune {
		switch c {
		case '/', '+', '#', '$', ' ', '_', '-', '.':
			return -1
		}
		return c
	}, s)
}
