package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// zeekOT reads the logs of industrial protocols; false where the log is none of them.
func zeekOT(e *event.Event, z *zeekRow) bool {
	// The ICSNPP analysers also give the direction of the single message; the connection's ends say who commands whom.
	if e.SrcEndpoint.IP == "" {
		setHost(&e.SrcEndpoint, z.str(zSourceH))
		setHost(&e.DstEndpoint, z.str(zDestH))
	}
	switch path := z.path; {
	case strings.HasPrefix(path, "modbus"):
		zeekModbus(e, z)
	case strings.HasPrefix(path, "dnp3"):
		zeekDNP3(e, z)
	case path == "cotp":
		e.AppProtocol, e.Metadata.EventCode = "cotp", z.known(zPDUName)
	case strings.HasPrefix(path, "s7comm"):
		zeekS7(e, z)
	case strings.HasPrefix(path, "opcua"):
		zeekOPCUA(e, z)
	case strings.HasPrefix(path, "cip"), strings.HasPrefix(path, "enip"):
		zeekCIP(e, z)
	case strings.HasPrefix(path, "bacnet"):
		zeekBACnet(e, z)
	case strings.HasPrefix(path, "profinet"), strings.HasPrefix(path, "ecat"), strings.HasPrefix(path, "ge_srtp"), strings.HasPrefix(path, "hart_ip"),
		strings.HasPrefix(path, "synchrophasor"), strings.HasPrefix(path, "genisys"), strings.HasPrefix(path, "bsap"), strings.HasPrefix(path, "roc_plus"):
		e.AppProtocol, _, _ = strings.Cut(path, "_")
	default:
		return false
	}
	return true
}

// modbusExceptions are the exception codes: Modbus Application Protocol V1.1b3, section 7, under the names Zeek gives.
var modbusExceptions = []otFunction{
	{1, "ILLEGAL_FUNCTION", 0},
	{2, "ILLEGAL_DATA_ADDRESS", 0},
	{3, "ILLEGAL_DATA_VALUE", 0},
	{4, "SLAVE_DEVICE_FAILURE", 0},
	{5, "ACKNOWLEDGE", 0},
	{6, "SLAVE_DEVICE_BUSY", 0},
	{8, "MEMORY_PARITY_ERROR", 0},
	{10, "GATEWAY_PATH_UNAVAILABLE", 0},
	{11, "GATEWAY_TARGET_DEVICE_FAILED_TO_RESPOND", 0},
}

func zeekModbus(e *event.Event, z *zeekRow) {
	e.AppProtocol = "modbus"
	name := z.known(zFunc)
	if name == "" {
		return
	}
	plain, failed := strings.CutSuffix(name, "_EXCEPTION")
	f, known := functionByName(modbusFunctions, plain)
	e.OT = &event.OTCommand{Protocol: "modbus", UnitUID: z.known(zUnit), Quantity: z.count(zQuantity)}
	setFunction(e, f, known, plain, event.Int{})
	e.Metadata.EventCode = name
	e.OT.Address = firstCell(z, zAddress, zWriteAddress, zObjectID)
	e.OT.Value = firstJoined(z, zReqValues, zValues, zWriteRegisters, zRespValues, zObjectValue)
	if mask := z.known(zAndMask); mask != "" {
		e.OT.Value = "and " + mask + " or " + z.known(zOrMask)
	}
	exception := z.known(zException)
	switch {
	case exception != "" || failed:
		e.StatusID, e.StatusCode = 2, exception
		if x, ok := functionByName(modbusExceptions, exception); ok {
			e.OT.ExceptionCode = event.IntOf(x.code)
		}
	case z.str(zPDUType) == "RESP" || z.str(zReqResp) == "RESPONSE":
		e.StatusID = 1
	}
}

func firstCell(z *zeekRow, fields ...zeekField) string {
	for _, f := range fields {
		if s := z.known(f); s != "" {
			return s
		}
	}
	return ""
}

func firstJoined(z *zeekRow, fields ...zeekField) string {
	for _, f := range fields {
		if z.has(f) {
			if s := z.joined(f); s != "" {
				return clip(s, maxPayload)
			}
		}
	}
	return ""
}

func zeekDNP3(e *event.Event, z *zeekRow) {
	e.AppProtocol = "dnp3"
	e.OT = &event.OTCommand{Protocol: "dnp3"}
	name := firstCell(z, zFCRequest, zFunctionCode, zFCReply)
	f, known := functionByName(dnp3Functions, name)
	setFunction(e, f, known, name, event.Int{})
	e.Metadata.EventCode = name
	if z.known(zFCReply) != "" && z.known(zFCRequest) != "" {
		e.StatusID = 1
	}
	e.StatusCode = firstCell(z, zIIN, zDNPStatus)
	switch {
	case z.has(zIndexNumber):
		e.OT.Address = z.known(zIndexNumber)
		e.OT.Value = strings.TrimSpace(z.known(zOperationType) + " " + z.known(zTripControl))
	case z.has(zObjectType):
		e.OT.Address, e.OT.Quantity = z.known(zObjectType), z.count(zObjectCount)
		if low := z.known(zRangeLow); low != "" {
			e.OT.Address += ":" + low
		}
	}
}

// zeekS7 reads S7comm and S7comm-plus: the subfunction, where there is one, says more than the function.
func zeekS7(e *event.Event, z *zeekRow) {
	e.AppProtocol = z.path
	if strings.HasPrefix(z.path, "s7comm_") && z.path != "s7comm_plus" {
		e.AppProtocol = "s7comm"
	}
	e.OT = &event.OTCommand{Protocol: strings.ReplaceAll(e.AppProtocol, "_", "-")}
	e.AppProtocol = e.OT.Protocol
	name := firstCell(z, zSubfunctionName, zFunctionName, zOpcodeName)
	f, known := functionByName(s7Functions, name)
	if !known {
		f, known = functionByName(s7Functions, z.known(zFunctionName))
		f.name = name
	}
	code := event.Int{}
	if n, err := strconv.ParseInt(z.str(zFunctionCode), 0, 32); err == nil {
		code = event.IntOf(n)
	}
	setFunction(e, f, known, name, code)
	e.Metadata.EventCode = name
	e.OT.Address = z.known(zFilename)
	if class := z.known(zErrorClass); class != "" {
		e.StatusID, e.StatusCode, e.StatusDetail = 2, z.known(zErrorCode), class
		if class == "No error" {
			e.StatusID = 1
		}
	}
}

// opcuaServices are the services of OPC UA (OPC 10000-4) without Request and Response.
var opcuaServices = []otFunction{
	{0, "Read", otRead},
	{0, "Write", otWrite},
	{0, "Call", otRun},
	{0, "HistoryRead", otRead},
	{0, "HistoryUpdate", otWrite},
	{0, "AddNodes", otModify},
	{0, "AddReferences", otModify},
	{0, "DeleteNodes", otDelete},
	{0, "DeleteReferences", otDelete},
	{0, "Browse", otRead},
	{0, "BrowseNext", otRead},
	{0, "TranslateBrowsePathsToNodeIds", otRead},
	{0, "GetEndpoints", otRead},
	{0, "FindServers", otRead},
	{0, "RegisterServer", otWrite},
	{0, "CreateSession", otConnect},
	{0, "ActivateSession", otConnect},
	{0, "OpenSecureChannel", otConnect},
	{0, "CloseSession", otDisconnect},
	{0, "CloseSecureChannel", otDisconnect},
	{0, "CreateSubscription", otRead},
	{0, "ModifySubscription", otRead},
	{0, "DeleteSubscriptions", otRead},
	{0, "CreateMonitoredItems", otRead},
	{0, "ModifyMonitoredItems", otRead},
	{0, "DeleteMonitoredItems", otRead},
	{0, "Publish", otRead},
	{0, "Republish", otRead},
	{0, "SetPublishingMode", otRead},
}

// opcuaPaths are the services of the logs beside the main one.
var opcuaPaths = []struct{ prefix, service string }{
	{"opcua_binary_activate_session", "ActivateSession"},
	{"opcua_binary_create_session", "CreateSession"},
	{"opcua_binary_close_session", "CloseSession"},
	{"opcua_binary_opensecure_channel", "OpenSecureChannel"},
	{"opcua_binary_get_endpoints", "GetEndpoints"},
	{"opcua_binary_browse", "Browse"},
	{"opcua_binary_create_subscription", "CreateSubscription"},
	{"opcua_binary_create_monitored_items", "CreateMonitoredItems"},
	{"opcua_binary_read", "Read"},
	{"opcua_binary_write", "Write"},
	{"opcua_binary_status_code", "StatusCode"},
}

// zeekOPCUA reads the logs of OPC UA. An activated session with a user name is an authentication; its password is never kept.
func zeekOPCUA(e *event.Event, z *zeekRow) {
	e.AppProtocol = "opcua"
	service := z.known(zIdentifier)
	for _, p := range opcuaPaths {
		if service == "" && strings.HasPrefix(z.path, p.prefix) {
			service = p.service
		}
	}
	if service == "" {
		service = z.known(zMsgType)
	}
	plain, answered := strings.CutSuffix(service, "Response")
	plain = strings.TrimSuffix(plain, "Request")
	e.Metadata.EventCode = service
	if user := z.known(zTokenUser); user != "" {
		e.ClassUID, e.ActivityID = event.ClassAuthentication, 1
		e.AuthProtocolID, e.AuthProtocol = event.ActivityOther, "OPC UA"
		setAccount(&e.User, user)
		e.Service.Name = "opcua"
		e.IsRemote = event.True
		return
	}
	f, known := functionByName(opcuaServices, plain)
	if !known {
		// Transport messages, such as HEL and ACK, and details of answers command nothing.
		e.StatusCode, e.StatusDetail = z.known(zError), firstCell(z, zReason, zEndpointURL)
		return
	}
	e.OT = &event.OTCommand{Protocol: "opcua"}
	setFunction(e, f, true, plain, event.Int{})
	e.OT.Address = opcuaNode(z)
	if e.OT.Address == "" {
		e.OT.Address = firstCell(z, zEndpointURL, zSessionName)
	}
	if name := z.known(zAttributeName); name != "" && name != "Value" {
		e.OT.Address += "/" + name
	}
	if uri := z.known(zApplicationURI); uri != "" && service == "CreateSession" {
		e.SrcEndpoint.UID = clip(uri, 256) // The client names itself; robots and controllers are known by such a URI.
	}
	e.Session.UID = firstCell(z, zSessionGUID, zSessionNumeric)
	if answered {
		e.StatusID = 1
	}
}

// opcuaNode is a node id in the notation of OPC 10000-6, 5.3.1.10.
func opcuaNode(z *zeekRow) string {
	id := ""
	switch {
	case z.known(zNodeString) != "":
		id = "s=" + z.known(zNodeString)
	case z.known(zNodeGUID) != "":
		id = "g=" + z.known(zNodeGUID)
	case z.known(zNodeNumeric) != "":
		id = "i=" + z.known(zNodeNumeric)
	default:
		return ""
	}
	if ns := z.known(zNodeNamespace); ns != "" && ns != "0" {
		return "ns=" + ns + ";" + id
	}
	return id
}

// zeekCIP reads EtherNet/IP and CIP.
func zeekCIP(e *event.Event, z *zeekRow) {
	e.AppProtocol, _, _ = strings.Cut(z.path, "_")
	name := firstCell(z, zCIPService, zENIPCommand)
	if name == "" {
		return
	}
	e.OT = &event.OTCommand{Protocol: e.AppProtocol, Address: z.known(zClassName)}
	f, known := functionByName(cipFunctions, strings.ReplaceAll(name, " ", "_"))
	if !known {
		f, known = functionByName(cipFunctions, strings.ReplaceAll(name, " ", ""))
	}
	setFunction(e, f, known, name, event.Int{})
	e.Metadata.EventCode = name
	if status := firstCell(z, zCIPStatus, zENIPStatus); status != "" {
		e.StatusCode, e.StatusID = status, 2
		if strings.EqualFold(status, "success") {
			e.StatusID = 1
		}
	}
}

// bacnetServices are the services of BACnet (ASHRAE 135) that change something or manage a device; the others read.
var bacnetServices = []otFunction{
	{0, "read_property", otRead},
	{0, "read_property_multiple", otRead},
	{0, "read_range", otRead},
	{0, "who_is", otRead},
	{0, "i_am", otRead},
	{0, "who_has", otRead},
	{0, "i_have", otRead},
	{0, "subscribe_cov", otRead},
	{0, "write_property", otWrite},
	{0, "write_property_multiple", otWrite},
	{0, "write_group", otWrite},
	{0, "create_object", otModify},
	{0, "delete_object", otDelete},
	{0, "reinitialize_device", otRestart},
	{0, "device_communication_control", otStop},
	{0, "time_synchronization", otSetTime},
	{0, "utc_time_synchronization", otSetTime},
	{0, "atomic_write_file", otDownload},
	{0, "atomic_read_file", otUpload},
}

func zeekBACnet(e *event.Event, z *zeekRow) {
	e.AppProtocol = "bacnet"
	name := z.known(zBACnetService)
	if name == "" {
		return
	}
	e.OT = &event.OTCommand{Protocol: "bacnet", Address: z.known(zObjectType)}
	f, known := functionByName(bacnetServices, name)
	setFunction(e, f, known, name, event.Int{})
	e.Metadata.EventCode = name
}
