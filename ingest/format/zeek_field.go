package format

import "github.com/tocsin-siem/tocsin/ingest/format/jsonscan"

// zeekField numbers the fields that are read of any log. A name means the same in every log that has it.
type zeekField uint8

const (
	// Of every log.
	zPath zeekField = iota
	zTS
	zUID
	zOrigH
	zOrigP
	zRespH
	zRespP
	zProto
	zSystem
	zCommunity
	// Of conn.
	zService
	zDuration
	zOrigBytes
	zRespBytes
	zConnState
	zLocalOrig
	zLocalResp
	zHistory
	zMissed
	zOrigPkts
	zRespPkts
	zVLAN
	// Of dns.
	zQuery
	zQClass
	zQType
	zRcode
	zRcodeName
	zAnswers
	zTTLs
	zRejected
	// Of http.
	zMethod
	zHost
	zURI
	zReferrer
	zVersion
	zUserAgent
	zRespLen
	zStatusCode
	zStatusMsg
	zUsername
	zPassword
	zRespMime
	// Of ssl and x509.
	zCipher
	zSNI
	zEstablished
	zAlert
	zValidation
	zSubject
	zIssuer
	zJA3
	zJA3S
	zCertSubject
	zCertIssuer
	zCertSerial
	zCertNotAfter
	zFingerprint
	// Of ssh.
	zAuthSuccess
	zAuthAttempts
	zDirection
	zHASSH
	zHASSHServer
	zKexAlg
	// Of notice and weird.
	zNote
	zMsg
	zSub
	zSrc
	zDst
	zPort
	zName
	zAddl
	zPeer
	zPeerDescr
	// Of modbus.
	zFunc
	zException
	zPDUType
	zUnit
	zReqResp
	zAddress
	zQuantity
	zValues
	zReqValues
	zRespValues
	zWriteAddress
	zWriteRegisters
	zAndMask
	zOrMask
	zObjectID
	zObjectValue
	// Of dnp3.
	zFCRequest
	zFCReply
	zIIN
	zFunctionCode
	zIndexNumber
	zOperationType
	zTripControl
	zDNPStatus
	zObjectType
	zObjectCount
	zRangeLow
	// Of dhcp.
	zClientAddr
	zServerAddr
	zMAC
	zHostName
	zClientFQDN
	zRequestedAddr
	zAssignedAddr
	zLeaseTime
	zMsgTypes
	// Of radius, kerberos and ntlm.
	zFramedAddr
	zTunnelClient
	zRemoteIP
	zReplyMsg
	zResult
	zConnectInfo
	zRequestType
	zClient
	zSuccess
	zErrorMsg
	zHostnameField
	zDomainName
	// Of known_* and software.
	zPortNum
	zPortProto
	zDHCPHostName
	zDeviceType
	zIssuerSubject
	zSerial
	zSoftwareType
	zUnparsed
	// Of mqtt.
	zClientID
	zConnectStatus
	zWillTopic
	zFromClient
	zTopic
	zTopics
	zPayload
	zAction
	zStatus
	// Of files, smb, ftp and rdp.
	zFUID
	zTxHosts
	zRxHosts
	zConnUIDs
	zSource
	zMimeType
	zFilename
	zTotalBytes
	zSeenBytes
	zMD5
	zSHA1
	zSHA256
	zSMBPath
	zUser
	zCommand
	zArg
	zReplyCode
	zCookie
	zTunnelType
	zCommunityString
	// Of s7comm, opcua and other OT.
	zIsOrig
	zSourceH
	zDestH
	zRosctrName
	zFunctionName
	zSubfunctionName
	zErrorClass
	zErrorCode
	zOpcodeName
	zSystemName
	zModuleName
	zModuleSerial
	zPDUName
	zMsgType
	zIdentifier
	zReason
	zError
	zEndpointURL
	zTokenType
	zTokenUser
	zTokenPassword
	zTokenData
	zNodeNamespace
	zNodeNumeric
	zNodeString
	zNodeGUID
	zAttributeName
	zApplicationURI
	zSessionName
	zSessionNumeric
	zSessionGUID
	zCIPService
	zCIPStatus
	zENIPCommand
	zENIPStatus
	zClassName
	zBACnetService

	zFields
)

// zeekNames are the fields as logs name them: Zeek 3 to 7 and the ICSNPP analysers.
var zeekNames = [zFields]string{
	zPath: "_path", zTS: "ts", zUID: "uid", zOrigH: "id.orig_h", zOrigP: "id.orig_p", zRespH: "id.resp_h", zRespP: "id.resp_p",
	zProto: "proto", zSystem: "_system_name", zCommunity: "community_id",
	zService: "service", zDuration: "duration", zOrigBytes: "orig_bytes", zRespBytes: "resp_bytes", zConnState: "conn_state",
	zLocalOrig: "local_orig", zLocalResp: "local_resp", zHistory: "history", zMissed: "missed_bytes", zOrigPkts: "orig_pkts", zRespPkts: "resp_pkts",
	zVLAN:  "vlan",
	zQuery: "query", zQClass: "qclass_name", zQType: "qtype_name", zRcode: "rcode", zRcodeName: "rcode_name", zAnswers: "answers",
	zTTLs: "TTLs", zRejected: "rejected",
	zMethod: "method", zHost: "host", zURI: "uri", zReferrer: "referrer", zVersion: "version", zUserAgent: "user_agent",
	zRespLen: "response_body_len", zStatusCode: "status_code", zStatusMsg: "status_msg", zUsername: "username",
	zPassword: "password", zRespMime: "resp_mime_types",
	zCipher: "cipher", zSNI: "server_name", zEstablished: "established", zAlert: "last_alert", zValidation: "validation_status",
	zSubject: "subject", zIssuer: "issuer", zJA3: "ja3", zJA3S: "ja3s", zCertSubject: "certificate.subject",
	zCertIssuer: "certificate.issuer", zCertSerial: "certificate.serial", zCertNotAfter: "certificate.not_valid_after",
	zFingerprint: "fingerprint",
	zAuthSuccess: "auth_success", zAuthAttempts: "auth_attempts", zDirection: "direction", zHASSH: "hassh",
	zHASSHServer: "hasshServer", zKexAlg: "kex_alg",
	zNote: "note", zMsg: "msg", zSub: "sub", zSrc: "src", zDst: "dst", zPort: "p", zName: "name", zAddl: "addl", zPeer: "peer",
	zPeerDescr: "peer_descr",
	zFunc:      "func", zException: "exception", zPDUType: "pdu_type", zUnit: "unit", zReqResp: "request_response", zAddress: "address",
	zQuantity: "quantity", zValues: "values", zReqValues: "request_values", zRespValues: "response_values",
	zWriteAddress: "write_start_address", zWriteRegisters: "write_registers", zAndMask: "and_mask", zOrMask: "or_mask",
	zObjectID: "object_id", zObjectValue: "object_value",
	zFCRequest: "fc_request", zFCReply: "fc_reply", zIIN: "iin", zFunctionCode: "function_code", zIndexNumber: "index_number",
	zOperationType: "operation_type", zTripControl: "trip_control_code", zDNPStatus: "status_code_name", zObjectType: "object_type",
	zObjectCount: "object_count", zRangeLow: "range_low",
	zClientAddr: "client_addr", zServerAddr: "server_addr", zMAC: "mac", zHostName: "host_name", zClientFQDN: "client_fqdn",
	zRequestedAddr: "requested_addr", zAssignedAddr: "assigned_addr", zLeaseTime: "lease_time", zMsgTypes: "msg_types",
	zFramedAddr: "framed_addr", zTunnelClient: "tunnel_client", zRemoteIP: "remote_ip", zReplyMsg: "reply_msg", zResult: "result",
	zConnectInfo: "connect_info", zRequestType: "request_type", zClient: "client", zSuccess: "success", zErrorMsg: "error_msg",
	zHostnameField: "hostname", zDomainName: "domainname",
	zPortNum: "port_num", zPortProto: "port_proto", zDHCPHostName: "dhcp_host_name", zDeviceType: "device_type",
	zIssuerSubject: "issuer_subject", zSerial: "serial", zSoftwareType: "software_type", zUnparsed: "unparsed_version",
	zClientID: "client_id", zConnectStatus: "connect_status", zWillTopic: "will_topic", zFromClient: "from_client", zTopic: "topic", zTopics: "topics",
	zPayload: "payload", zAction: "action", zStatus: "status",
	zFUID: "fuid", zTxHosts: "tx_hosts", zRxHosts: "rx_hosts", zConnUIDs: "conn_uids", zSource: "source", zMimeType: "mime_type",
	zFilename: "filename", zTotalBytes: "total_bytes", zSeenBytes: "seen_bytes", zMD5: "md5", zSHA1: "sha1", zSHA256: "sha256",
	zSMBPath: "path", zUser: "user", zCommand: "command", zArg: "arg", zReplyCode: "reply_code", zCookie: "cookie",
	zTunnelType: "tunnel_type", zCommunityString: "community",
	zIsOrig: "is_orig", zSourceH: "source_h", zDestH: "destination_h",
	zRosctrName: "rosctr_name", zFunctionName: "function_name", zSubfunctionName: "subfunction_name", zErrorClass: "error_class",
	zErrorCode: "error_code", zOpcodeName: "opcode_name", zSystemName: "automation_system_name", zModuleName: "module_name",
	zModuleSerial: "module_serial", zPDUName: "pdu_name", zMsgType: "msg_type", zIdentifier: "identifier_str", zReason: "reason",
	zError: "error", zEndpointURL: "endpoint_url", zTokenType: "ext_obj_type_id_str",
	zTokenUser: "ext_obj_user_name", zTokenPassword: "ext_obj_password", zTokenData: "ext_obj_token_data",
	zNodeNamespace: "node_id_namespace_idx", zNodeNumeric: "node_id_numeric", zNodeString: "node_id_string",
	zNodeGUID: "node_id_guid", zAttributeName: "attribute_id_str", zApplicationURI: "application_uri", zSessionName: "session_name",
	zSessionNumeric: "session_id_numeric", zSessionGUID: "session_id_guid",
	zCIPService: "cip_service", zCIPStatus: "cip_status", zENIPCommand: "enip_command", zENIPStatus: "enip_status",
	zClassName: "class_name", zBACnetService: "pdu_service",
}

// zeekByName finds the field of a column.
var zeekByName = func() map[string]zeekField {
	m := make(map[string]zeekField, zFields)
	for i, name := range zeekNames {
		m[name] = zeekField(i)
	}
	return m
}()

// The plan has, after the fields as they are written by default, the parts of an id that is an object of its own.
const zNestedID = int(zFields)

var zeekPlan = func() *jsonscan.Plan {
	var paths []string
	for _, name := range zeekNames {
		paths = append(paths, jsonscan.Escape(name))
	}
	return jsonscan.Compile(append(paths, "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p")...)
}()
