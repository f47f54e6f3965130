package cef

// dictionary is the keys the formats define themselves; any of them may also carry the suffix "Label".
//
// Sources: ArcSight Common Event Format, extension dictionary, short and full names; IBM QRadar LEEF,
// predefined event attributes.
var dictionary = [...]string{
	// CEF, short names
	"act", "app", "c6a1", "c6a2", "c6a3", "c6a4", "cat", "cfp1", "cfp2", "cfp3", "cfp4", "cn1", "cn2", "cn3", "cnt",
	"cs1", "cs2", "cs3", "cs4", "cs5", "cs6", "destinationDnsDomain", "destinationServiceName",
	"destinationTranslatedAddress", "destinationTranslatedPort", "deviceCustomDate1", "deviceCustomDate2",
	"deviceDirection", "deviceDnsDomain", "deviceExternalId", "deviceFacility", "deviceInboundInterface",
	"deviceNtDomain", "deviceOutboundInterface", "devicePayloadId", "deviceProcessName", "deviceTranslatedAddress",
	"dhost", "dlat", "dlong", "dmac", "dntdom", "dpid", "dpriv", "dproc", "dpt", "dst", "dtz", "duid", "duser", "dvc",
	"dvchost", "dvcmac", "dvcpid", "end", "externalId", "fileCreateTime", "fileHash", "fileId", "fileModificationTime",
	"filePath", "filePermission", "fileType", "flexDate1", "flexNumber1", "flexNumber2", "flexString1", "flexString2",
	"flexString3", "fname", "fsize", "in", "msg", "oldFileCreateTime", "oldFileHash", "oldFileId",
	"oldFileModificationTime", "oldFileName", "oldFilePath", "oldFilePermission", "oldFileSize", "oldFileType", "out",
	"outcome", "proto", "reason", "request", "requestClientApplication", "requestContext", "requestCookies",
	"requestMethod", "rt", "shost", "slat", "slong", "smac", "sntdom", "sourceDnsDomain", "sourceServiceName",
	"sourceTranslatedAddress", "sourceTranslatedPort", "spid", "spriv", "sproc", "spt", "src", "start", "suid", "suser",
	"type",
	// CEF, full names and the keys of connectors
	"agentAddress", "agentDnsDomain", "agentHostName", "agentId", "agentMacAddress", "agentNtDomain",
	"agentReceiptTime", "agentTimeZone", "agentTranslatedAddress", "agentType", "agentVersion", "agentZoneURI", "agt",
	"ahost", "aid", "amac", "applicationProtocol", "art", "at", "atz", "av", "baseEventCount", "bytesIn", "bytesOut",
	"customerURI", "destinationAddress", "destinationHostName", "destinationMacAddress", "destinationNtDomain",
	"destinationPort", "destinationProcessId", "destinationProcessName", "destinationUserId", "destinationUserName",
	"destinationUserPrivileges", "destinationZoneURI", "deviceAction", "deviceAddress", "deviceEventCategory",
	"deviceHostName", "deviceMacAddress", "deviceProcessId", "deviceReceiptTime", "deviceTimeZone", "deviceZoneURI",
	"endTime", "eventId", "eventOutcome", "fileName", "fileSize", "message", "name", "priority", "rawEvent",
	"receiptTime", "requestUrl", "severity", "sourceAddress", "sourceHostName", "sourceMacAddress", "sourceNtDomain",
	"sourcePort", "sourceProcessId", "sourceProcessName", "sourceUserId", "sourceUserName", "sourceUserPrivileges",
	"sourceZoneURI", "startTime", "transportProtocol",
	// LEEF
	"accountName", "calCountryOrRegion", "calLanguage", "devTime", "devTimeFormat", "domain", "dstBytes", "dstMAC",
	"dstPackets", "dstPort", "dstPostNAT", "dstPostNATPort", "dstPreNAT", "dstPreNATPort", "groupID", "identGrpName",
	"identHostName", "identMAC", "identNetBios", "identSrc", "isLoginEvent", "isLogoutEvent", "policy", "realm",
	"resource", "role", "sev", "srcBytes", "srcMAC", "srcPackets", "srcPort", "srcPostNAT", "srcPostNATPort",
	"srcPreNAT", "srcPreNATPort", "totalPackets", "url", "usrName", "vSrc", "vSrcName",
}
