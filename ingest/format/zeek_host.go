package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// zeekFiles reads a file seen on the wire. Older versions name the hosts in sets, newer ones give the connection.
func zeekFiles(e *event.Event, z *zeekRow) {
	source := strings.ToLower(z.known(zSource))
	if e.SrcEndpoint.IP == "" {
		setHost(&e.SrcEndpoint, z.first(zTxHosts))
		setHost(&e.DstEndpoint, z.first(zRxHosts))
	}
	if e.Connection.UID == "" {
		e.Connection.UID = z.first(zConnUIDs)
	}
	e.AppProtocol = source
	if source == "ftp_data" {
		e.AppProtocol = "ftp"
	}
	name := z.known(zFilename)
	e.File = &event.File{
		Path: name, Name: name[strings.LastIndexAny(name, `/\`)+1:], TypeID: 1, Size: z.count(zTotalBytes),
		MD5: z.known(zMD5), SHA1: z.known(zSHA1), SHA256: z.known(zSHA256),
	}
	if e.File.Name == "" {
		e.File.Name = z.known(zFUID)
	}
	if !e.File.Size.Known {
		e.File.Size = z.count(zSeenBytes)
	}
	e.StatusDetail = z.known(zMimeType)
}

// zeekDHCP reads a whole DHCP exchange; the last message of the client's choice decides the activity.
func zeekDHCP(e *event.Event, z *zeekRow) {
	e.ClassUID, e.ActivityID, e.AppProtocol = event.ClassDHCP, 0, "dhcp"
	discovered := false
	for kind := range z.each(zMsgTypes) {
		if id := dhcpMessages[strings.ToLower(kind)]; id != 0 {
			e.ActivityID = id
			discovered = discovered || id == 1
		}
	}
	switch e.ActivityID {
	case 5:
		e.StatusID = 1
		e.IsRenewal = event.BoolOf(!discovered)
	case 4, 6:
		e.StatusID = 2
	}
	setMAC(&e.SrcEndpoint, z.str(zMAC))
	setLease(e, z.str(zAssignedAddr), z.str(zClientAddr), z.str(zRequestedAddr))
	setHost(&e.DstEndpoint, z.known(zServerAddr))
	host := z.known(zClientFQDN)
	if host == "" {
		host = z.known(zHostName)
	}
	e.SrcEndpoint.Hostname = strings.ToLower(host)
	if d, ok := decimalMicros(z.str(zLeaseTime)); ok && d/1e6 < 1<<31 {
		e.LeaseDur = int32(d / 1e6)
	}
}

// zeekRADIUS reads a RADIUS exchange: the supplicant is the source, the server that answered the destination, and the access device, which
// is the packets' sender, the reporter.
func zeekRADIUS(e *event.Event, z *zeekRow) {
	e.AppProtocol = "radius"
	user := z.known(zUsername)
	nad := e.SrcEndpoint.IP
	if user == "" && z.known(zMAC) == "" {
		return
	}
	e.SrcEndpoint = event.Endpoint{}
	if nad != "" {
		e.Metadata.Extend().Reporter.IP = nad
	}
	setMAC(&e.SrcEndpoint, z.str(zMAC))
	for _, f := range [...]zeekField{zFramedAddr, zRemoteIP, zTunnelClient} {
		if ip := plainIP(z.str(f)); ip != "" && e.SrcEndpoint.IP == "" {
			e.SrcEndpoint.IP = ip
		}
	}
	if user == "" {
		user = e.SrcEndpoint.MAC
	}
	setAccount(&e.User, user)
	e.ClassUID, e.ActivityID = event.ClassAuthentication, 1
	e.AuthProtocolID, e.AuthProtocol = 10, "RADIUS"
	e.Service.Name = "RADIUS"
	e.StatusDetail = z.known(zReplyMsg)
	switch e.StatusCode = z.known(zResult); strings.ToLower(e.StatusCode) {
	case "success", "accept", "access-accept":
		e.StatusID = 1
	case "failed", "reject", "access-reject":
		e.StatusID = 2
	}
	e.LogonType = z.known(zConnectInfo)
}

func zeekKerberos(e *event.Event, z *zeekRow) {
	e.AppProtocol = "kerberos"
	client := z.known(zClient)
	if client == "" || e.DstEndpoint.IP == "" {
		return
	}
	e.ClassUID, e.AuthProtocolID, e.AuthProtocol = event.ClassAuthentication, 2, "Kerberos"
	name, realm, _ := strings.Cut(client, "/")
	if name == "" {
		name = client
	}
	e.User.Name, e.User.Domain = name, realm
	e.Service.Name = z.known(zService)
	e.ActivityID = 0
	switch z.known(zRequestType) {
	case "AS":
		e.ActivityID = 3
	case "TGS":
		e.ActivityID = 4
	}
	zeekSuccess(e, z)
	e.StatusCode = z.known(zErrorMsg)
}

func zeekSuccess(e *event.Event, z *zeekRow) {
	switch z.truth(zSuccess) {
	case event.True:
		e.StatusID = 1
	case event.False:
		e.StatusID = 2
	}
}

func zeekNTLM(e *event.Event, z *zeekRow) {
	e.AppProtocol = "ntlm"
	user := z.known(zUsername)
	if user == "" || e.DstEndpoint.IP == "" {
		return
	}
	e.ClassUID, e.ActivityID = event.ClassAuthentication, 1
	e.AuthProtocolID, e.AuthProtocol, e.LogonTypeID, e.IsRemote = 1, "NTLM", 3, event.True
	e.User.Name, e.User.Domain = user, z.known(zDomainName)
	e.SrcEndpoint.Name = strings.ToLower(z.known(zHostnameField))
	zeekSuccess(e, z)
}

// zeekInventory reads what Zeek learned of a local host: the logs known_* and software.
func zeekInventory(e *event.Event, z *zeekRow) {
	e.ClassUID, e.ActivityID = event.ClassInventory, 1
	e.Device.IP = plainIP(z.str(zHost))
	switch z.path {
	case "known_services":
		e.AppProtocol = strings.ToLower(z.joined(zService))
		e.Message = z.known(zPortProto) + " port " + z.known(zPortNum)
	case "known_devices":
		if mac, ok := event.MAC(z.str(zMAC)); ok {
			e.Device.MAC = mac
		}
		e.Device.Hostname = strings.ToLower(z.known(zDHCPHostName))
	case "known_modbus":
		e.Device.TypeID, e.Device.Type = event.ActivityOther, strings.TrimPrefix(z.known(zDeviceType), "Known::")
	case "software":
		e.Message = strings.TrimSpace(z.known(zSoftwareType) + " " + z.known(zName) + " " + z.known(zUnparsed))
	case "s7comm_known_devices":
		e.Device.IP, e.Device.Name, e.Device.Serial = e.DstEndpoint.IP, z.known(zSystemName), z.known(zModuleSerial)
		e.Device.TypeID, e.Device.Type = event.ActivityOther, "PLC"
		more := e.Device.Extend()
		more.Model, more.Vendor = z.known(zModuleName), "Siemens"
	}
	if d := &e.Device; d.IP == "" && d.Hostname == "" && d.Name == "" {
		// OCSF wants a name or an address of a device; a bare MAC is its name then.
		if d.Name = d.MAC; d.Name == "" {
			e.ClassUID, e.ActivityID = event.ClassBase, 0
		}
	}
}

// zeekMQTT reads the three logs of MQTT. The client is always the originator; a message the broker delivers has the broker as source.
func zeekMQTT(e *event.Event, z *zeekRow) {
	switch z.path {
	case "mqtt_connect":
		mqttConnect(e, z.known(zClientID), "", z.known(zWillTopic))
		e.StatusCode = z.known(zConnectStatus)
		switch {
		case strings.Contains(e.StatusCode, "Accepted"):
			e.StatusID = 1
		case e.StatusCode != "":
			e.StatusID = 2
		}
	case "mqtt_publish":
		activity, function := otWrite, "publish"
		if z.truth(zFromClient) == event.False {
			activity, function = otRead, "deliver"
			e.SrcEndpoint, e.DstEndpoint = e.DstEndpoint, e.SrcEndpoint
		}
		mqttMessage(e, activity, function, z.known(zTopic), z.str(zPayload))
		e.StatusCode = z.known(zStatus)
	case "mqtt_subscribe":
		function := "subscribe"
		if strings.HasSuffix(z.str(zAction), "UNSUBSCRIBE") {
			function = "unsubscribe"
		}
		mqttMessage(e, otRead, function, z.joined(zTopics), "")
	}
	e.Metadata.EventCode = z.path
}

// zeekFTP reads one command with its reply. The argument of PASS is left out.
func zeekFTP(e *event.Event, z *zeekRow) {
	e.AppProtocol = "ftp"
	command := strings.ToUpper(clip(z.known(zCommand), 16))
	if command != "" {
		e.Metadata.EventCode = command
	}
	if user := z.known(zUser); user != "<unknown>" {
		e.Actor.User.Name = clip(user, 256)
	}
	if path := z.known(zArg); path != "" && ftpTransfers[command] {
		e.File = &event.File{Path: path, Name: path[strings.LastIndexByte(path, '/')+1:], TypeID: 1}
		if e.File.Name == "" {
			e.File.Name = path
		}
	}
	if code, ok := z.num(zReplyCode); ok {
		e.StatusCode, e.StatusID = z.str(zReplyCode), 1
		if code >= 400 {
			e.StatusID = 2
		}
	}
}

func zeekSMB(e *event.Event, z *zeekRow) {
	e.AppProtocol = "smb"
	if action := z.known(zAction); action != "" {
		e.Metadata.EventCode = action
	}
	e.Message = z.known(zSMBPath)
	if name := z.known(zName); name != "" {
		e.File = &event.File{Path: name, Name: name[strings.LastIndexAny(name, `/\`)+1:], TypeID: 1}
		if e.File.Name == "" {
			e.File.Name = name
		}
	}
}
