package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// mqttKinds are the packet types EVE names its objects after, in the order in which the first found decides.
var mqttKinds = [...]string{
	"connect", "publish", "subscribe", "connack", "disconnect", "unsubscribe", "auth", "puback", "pubrec", "pubrel", "pubcomp",
	"suback", "unsuback", "pingreq", "pingresp",
}

// suricataMQTT reads one MQTT transaction: a packet with its answer.
func suricataMQTT(s *Scratch, e *event.Event) {
	v := s.JSON.Value(suMQTT)
	for _, kind := range mqttKinds {
		p := v.Get(kind)
		if !p.Exists() {
			continue
		}
		e.Metadata.EventCode = "mqtt_" + kind
		switch kind {
		case "connect":
			mqttConnect(e, p.Get("client_id").Str(), p.Get("username").Str(), p.Get("will", "topic").Str())
			e.IsCleartext = event.True
			if code, ok := v.Get("connack", "return_code").Int64(); ok {
				mqttOutcome(e, code)
			}
		case "connack":
			if code, ok := p.Get("return_code").Int64(); ok {
				mqttOutcome(e, code)
			}
		case "publish":
			mqttMessage(e, otWrite, "publish", p.Get("topic").Str(), p.Get("message").Str())
		case "subscribe", "unsubscribe":
			mqttMessage(e, otRead, kind, topicList(p.Get("topics")), "")
		case "disconnect":
			e.ActivityID = 2
			e.StatusCode = p.Get("reason_code").Text()
		}
		return
	}
}

// topicList joins the filters of a subscription.
func topicList(topics jsonscan.Value) string {
	list := ""
	for v := range topics.Elements() {
		t := v.Str()
		if t == "" {
			t = v.Get("topic").Str()
		}
		if t == "" || len(list) > maxPayload {
			continue
		}
		if list != "" {
			list += ","
		}
		list += t
	}
	return list
}

// suricataMQTTContext gives a finding the packet it was raised on.
func suricataMQTTContext(e *event.Event, v jsonscan.Value) {
	e.AppProtocol = "mqtt"
	if p := v.Get("publish"); p.Exists() {
		topic := p.Get("topic").Str()
		e.OT = &event.OTCommand{Protocol: "mqtt", Function: "publish", Address: clip(topic, maxPayload), Value: clip(p.Get("message").Str(), maxPayload)}
		if t, ok := vdaTopicOf(topic); ok {
			e.Robot = &event.Robot{UID: t.manufacturer + "/" + t.serial, Serial: t.serial, Vendor: t.manufacturer}
		}
	}
	if p := v.Get("connect"); p.Exists() {
		if id := p.Get("client_id").Str(); !event.Placeholder(id) {
			e.SrcEndpoint.UID = id
		}
		e.Actor.User.Name = clip(p.Get("username").Str(), 256)
	}
}

// Slots of modbusPlan.
const (
	mbFunction = iota
	mbUnit
	mbReadAddress
	mbReadQuantity
	mbWriteAddress
	mbWriteQuantity
	mbWriteData
	mbSubFunction
	mbResponseFunction
	mbException
	mbExceptionText
	mbReadData
	mbErrorFlags
	mbResponseUnit
)

var modbusPlan = jsonscan.Compile([]string{
	mbFunction: "request.function_raw", mbUnit: "request.unit_id", mbReadAddress: "request.read.address", mbReadQuantity: "request.read.quantity",
	mbWriteAddress: "request.write.address", mbWriteQuantity: "request.write.quantity", mbWriteData: "request.write.data",
	mbSubFunction: "request.diagnostic.raw", mbResponseFunction: "response.function_raw", mbException: "response.exception.raw",
	mbExceptionText: "response.exception.code", mbReadData: "response.read.data", mbErrorFlags: "request.error_flags",
	mbResponseUnit: "response.unit_id",
}...)

// suricataModbus reads a Modbus transaction.
func suricataModbus(s *Scratch, e *event.Event) {
	e.AppProtocol = "modbus"
	r := &s.Nested
	ot := suricataModbusParts(s, e)
	if ot == nil {
		return
	}
	e.OT = ot
	code := ot.FunctionCode
	f, known := functionByCode(modbusFunctions, code.V)
	setFunction(e, f, known, "", code)
	if known && f.code == 8 && r.Text(mbSubFunction) == "1" {
		e.ActivityID, ot.IsWrite = otRestart, event.True
	}
	e.Metadata.EventCode = ot.Function
	if r.Exists(mbResponseFunction) {
		e.StatusID = 1
	}
	if ot.ExceptionCode.Known {
		e.StatusID, e.StatusCode, e.StatusDetail = 2, strconv.FormatInt(ot.ExceptionCode.V, 10), r.Str(mbExceptionText)
	}
}

// suricataModbusParts is the command of a Modbus transaction; nil where the record names no function.
func suricataModbusParts(s *Scratch, e *event.Event) *event.OTCommand {
	r := &s.Nested
	modbusPlan.ScanValue(s.JSON.Value(suModbus), r)
	code, ok := r.Int64(mbFunction)
	if !ok {
		if code, ok = r.Int64(mbResponseFunction); !ok {
			return nil
		}
	}
	code &= 0x7f // The top bit marks an exception.
	o := &event.OTCommand{Protocol: "modbus", FunctionCode: event.IntOf(code), UnitUID: firstText(r, mbUnit, mbResponseUnit)}
	if f, known := functionByCode(modbusFunctions, code); known {
		o.Function, o.IsWrite = f.name, changes(f.activity)
	}
	o.Address = firstText(r, mbWriteAddress, mbReadAddress)
	if o.Quantity = flagInt(r.Int64(mbWriteQuantity)); !o.Quantity.Known && !r.Exists(mbWriteAddress) {
		o.Quantity = flagInt(r.Int64(mbReadQuantity))
	}
	o.Value = clip(firstText(r, mbWriteData, mbReadData), maxPayload)
	o.ExceptionCode = flagInt(r.Int64(mbException))
	if r.Str(mbErrorFlags) != "" && r.Str(mbErrorFlags) != "NONE" {
		e.Envelope.Quality |= event.SchemaOdd
	}
	return o
}

// suricataDNP3 reads a DNP3 message; some versions put it under request or response.
func suricataDNP3(s *Scratch, e *event.Event) {
	e.AppProtocol = "dnp3"
	v := s.JSON.Value(suDNP3)
	answered := false
	for _, side := range [...]string{"request", "response"} {
		if inner := v.Get(side); inner.Kind() == jsonscan.Object {
			v, answered = inner, side == "response"
			break
		}
	}
	e.OT = &event.OTCommand{Protocol: "dnp3"}
	app := v.Get("application")
	code := flagInt(app.Get("function_code").Int64())
	f, known := functionByCode(dnp3Functions, code.V)
	setFunction(e, f, known && code.Known, v.Get("type").Str(), code)
	e.Metadata.EventCode = e.OT.Function
	// The addresses are those of the link layer; the outstation's is the one a master writes to.
	e.OT.UnitUID = v.Get("dst").Text()
	for object := range app.Get("objects").Elements() {
		e.OT.Address = "g" + object.Get("group").Text() + "v" + object.Get("variation").Text()
		if start := object.Get("start").Text(); start != "" {
			e.OT.Address += ":" + start
		}
		e.OT.Quantity = flagInt(object.Get("count").Int64())
		for point := range object.Get("points").Elements() {
			e.OT.Value = clip(textOf(point.Raw()), maxPayload)
			break
		}
		break
	}
	if answered {
		e.StatusID = 1
	}
}

// suricataENIP reads an EtherNet/IP transaction with the CIP service inside.
func suricataENIP(s *Scratch, e *event.Event) {
	e.AppProtocol = "enip"
	v := s.JSON.Value(suENIP)
	request := v.Get("request")
	name := request.Get("cip", "service").Text()
	e.OT = &event.OTCommand{Protocol: "enip", Address: request.Get("cip", "class_name").Str()}
	if name == "" {
		name = request.Get("command").Text()
	} else {
		e.OT.Protocol = "cip"
	}
	f, known := functionByName(cipFunctions, strings.ReplaceAll(name, " ", "_"))
	setFunction(e, f, known, name, event.Int{})
	e.Metadata.EventCode = name
	status := v.Get("response", "cip", "status").Text()
	if status == "" {
		status = v.Get("response", "status").Text()
	}
	if status != "" {
		e.StatusID, e.StatusCode = 2, status
		if strings.EqualFold(status, "success") || status == "0" {
			e.StatusID = 1
		}
	}
}

// cipFunctions are the commands of EtherNet/IP and the common services of CIP (ODVA CIP Volume 1, appendix A), under Suricata's names.
var cipFunctions = []otFunction{
	{0, "ListServices", otRead},
	{0, "ListIdentity", otRead},
	{0, "ListInterfaces", otRead},
	{0, "RegisterSession", otConnect},
	{0, "UnregisterSession", otDisconnect},
	{0, "SendRRData", otRead},
	{0, "SendUnitData", otRead},
	{0x01, "Get_Attributes_All", otRead},
	{0x02, "Set_Attributes_All", otWrite},
	{0x03, "Get_Attribute_List", otRead},
	{0x04, "Set_Attribute_List", otWrite},
	{0x05, "Reset", otRestart},
	{0x06, "Start", otRun},
	{0x07, "Stop", otStop},
	{0x08, "Create", otModify},
	{0x09, "Delete", otDelete},
	{0x0a, "Multiple_Service_Packet", otRead},
	{0x0d, "Apply_Attributes", otWrite},
	{0x0e, "Get_Attribute_Single", otRead},
	{0x10, "Set_Attribute_Single", otWrite},
	{0x4b, "Execute_PCCC", otWrite},
	{0x4c, "Read_Tag", otRead},
	{0x4d, "Write_Tag", otWrite},
	{0x4e, "Read_Modify_Write_Tag", otWrite},
	{0x52, "Unconnected_Send", otRead},
	{0x52, "Read_Tag_Fragmented", otRead},
	{0x53, "Write_Tag_Fragmented", otWrite},
	{0x54, "Forward_Open", otConnect},
	{0x4e, "Forward_Close", otDisconnect},
	{0x5b, "Large_Forward_Open", otConnect},
}

// suricataRedact takes secrets out of the copy of the record that is kept: EVE writes passwords as they went over the wire.
func suricataRedact(e *event.Event, s *Scratch, rec *event.Record) {
	r := &s.JSON
	switch {
	case r.Kind(suMQTT) == jsonscan.Object:
		redactRaw(e, rec, r.Value(suMQTT).Get("connect", "password").Raw())
	case r.Exists(suFTPData) && strings.EqualFold(r.Str(suFTPCommand), "PASS"):
		redactRaw(e, rec, r.Raw(suFTPData))
	case r.Exists(suPOPArgs) && isPassword(r.Str(suPOPCommand)):
		redactRaw(e, rec, r.Raw(suPOPArgs))
	case r.Exists(suSNMPCommunity):
		redactRaw(e, rec, r.Raw(suSNMPCommunity))
	}
}

func isPassword(command string) bool {
	return strings.EqualFold(command, "PASS") || strings.EqualFold(command, "AUTH") || strings.EqualFold(command, "APOP")
}
