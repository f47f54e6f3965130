package format

import (
	"bytes"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// zeek decodes the logs of Zeek, as JSON or as columns. Source: Zeek documentation, Log Files; cisagov/icsnpp-* for the OT analysers.
func zeek() Format {
	return Format{
		Name: "zeek", Title: "Zeek", Domain: "network",
		Classes: []string{
			"authentication", "base_event", "detection_finding.create", "dhcp_activity", "dns_activity", "http_activity", "inventory_info.log",
			"network_activity", "ot_command", "ssh_activity",
		},
		Doc: "Logs of Zeek 3 to 7: JSON lines, or TSV with its # lines. A JSON line is told by _path, else by its keys. conn, dns, http, ssl, " +
			"x509, ssh, notice, weird, files, dhcp, radius, kerberos, ntlm, known_*, software, mqtt_*, modbus, dnp3 and the ICSNPP logs of " +
			"Modbus, DNP3, S7comm, OPC UA, EtherNet/IP and BACnet are read field by field; any other log becomes network activity or a base event.",
		Framing:  Columns,
		Append:   appendZeek,
		Unmapped: zeekUnmapped,
	}
}

func appendZeek(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	text := bytes.TrimRight(rec.Value, "\r\n")
	if i := firstVisible(text); i >= 0 && text[i] == '{' {
		return appendZeekJSON(s, dst, rec)
	}
	header, entries := rec.Context, text
	if len(text) > 0 && text[0] == '#' {
		header, entries = cutHeader(text)
		if len(bytes.TrimSpace(entries)) == 0 {
			return dst, Rejectf("no_event", "a header line of a Zeek log holds no event")
		}
	}
	if len(bytes.TrimSpace(entries)) == 0 {
		return dst, Rejectf("no_event", "the record is empty")
	}
	if !s.columns.use(header) {
		return dst, Rejectf("no_header", "the line is not JSON and has no #fields line before it, so its columns have no names")
	}
	return appendZeekColumns(s, dst, rec, textOf(entries))
}

// maxEntries bounds the entries of one record: a record usually is one, and a whole file in one is a mistake of whoever sent it.
const maxEntries = 10_000

func appendZeekColumns(s *Scratch, dst []event.Event, rec *event.Record, entries string) ([]event.Event, error) {
	start, h := len(dst), &s.columns.header
	for entries != "" {
		var line string
		line, entries, _ = strings.Cut(entries, "\n")
		line = strings.TrimSuffix(line, "\r")
		if line == "" || line[0] == '#' {
			continue
		}
		if len(dst)-start == maxEntries {
			return dst[:start], Rejectf("too_many", "the record holds more than %d entries of a log", maxEntries)
		}
		if strings.IndexByte(line, h.separator) < 0 || h.separator == '\t' && binaryText(line) {
			return dst[:start], Rejectf("wrong_format", "the line does not have the columns that the header names")
		}
		z := zeekRow{cells: &s.columns.cells}
		whole := z.read(&s.columns, line)
		dst = zeekEvent(s, dst, &z, rec)
		if !whole {
			dst[len(dst)-1].Envelope.Quality |= event.SchemaOdd
		}
		e := &dst[len(dst)-1]
		if len(line) < len(rec.Value)-2 {
			e.Envelope.Raw = bytesOf(line) // One entry of several, or below its header.
		}
		zeekRedactLine(e, &z, line)
	}
	if len(dst) == start {
		return dst, Rejectf("no_event", "the record holds only header lines")
	}
	return dst, nil
}

func appendZeekJSON(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	if err := scanObject(s, zeekPlan, rec.Value); err != nil {
		return dst, err
	}
	z := zeekRow{json: &s.JSON}
	z.path = z.known(zPath)
	if z.path == "" && !z.has(zTS) {
		// Zeek's Kafka writer can wrap the entry: {"conn": {…}}.
		if path, inner := onlyMember(rec.Value); inner.Kind() == jsonscan.Object && inner.Get("ts").Exists() {
			zeekPlan.ScanValue(inner, &s.JSON)
			z.path = path
		} else {
			return dst, Rejectf("wrong_format", "the object has neither _path nor ts, as entries of Zeek logs have")
		}
	}
	if z.path == "" {
		if z.path = zeekLogOf(&z); z.path == "" {
			return dst, Rejectf("unknown_log", "the entry has no _path, and its keys are those of no known log")
		}
	}
	dst = zeekEvent(s, dst, &z, rec)
	e := &dst[len(dst)-1]
	r := &s.JSON
	for _, f := range zeekSecrets {
		if r.Exists(int(f)) && z.secret(f) {
			redactRaw(e, rec, r.Raw(int(zPassword)), r.Raw(int(zTokenPassword)), r.Raw(int(zTokenData)), r.Raw(int(zCommunityString)), z.passArgument())
			break
		}
	}
	return dst, nil
}

// zeekSecrets are the fields that may hold a credential.
var zeekSecrets = [...]zeekField{zPassword, zTokenPassword, zTokenData, zCommunityString, zArg}

// secret reports whether the field holds a credential in this entry. Zeek writes <hidden> for passwords it was told not to log.
func (z *zeekRow) secret(f zeekField) bool {
	s := z.str(f)
	return s != "" && s != "<hidden>" && (f != zArg || strings.EqualFold(z.str(zCommand), "PASS"))
}

// passArgument is the raw argument of an FTP PASS in a JSON entry.
func (z *zeekRow) passArgument() []byte {
	if z.secret(zArg) {
		return z.json.Raw(int(zArg))
	}
	return nil
}

// zeekRedactLine overwrites credentials in the kept copy of a line of columns. The row keeps the cells of secrets as they stand there.
func zeekRedactLine(e *event.Event, z *zeekRow, line string) {
	var parts [len(zeekSecrets)][]byte
	for i, f := range zeekSecrets {
		if z.secret(f) {
			parts[i] = bytesOf(z.cells[f])
		}
	}
	redactRaw(e, &event.Record{Value: bytesOf(line)}, parts[:]...)
}

// firstVisible is the index of the first byte that is no white space, -1 if there is none.
func firstVisible(b []byte) int {
	for i, c := range b {
		if c > ' ' {
			return i
		}
	}
	return -1
}

// onlyMember is the single member of a checked object.
func onlyMember(doc []byte) (key string, v jsonscan.Value) {
	root, err := jsonscan.Parse(doc)
	if err != nil {
		return "", v
	}
	n := 0
	for k, member := range root.Members() {
		if n++; n > 1 {
			return "", jsonscan.Value{}
		}
		key, v = k, member
	}
	return key, v
}

// zeekLogOf tells a log by keys that only it has. The order matters where a log has the keys of another among its own.
func zeekLogOf(z *zeekRow) string {
	for _, sign := range zeekSigns {
		all := true
		for _, f := range sign.keys {
			all = all && z.has(f)
		}
		if all {
			return sign.log
		}
	}
	if z.has(zOrigH) || z.json.Exists(zNestedID) {
		return "unknown"
	}
	return ""
}

var zeekSigns = []struct {
	log  string
	keys []zeekField
}{
	{"conn", []zeekField{zConnState}},
	{"dns", []zeekField{zQType}},
	{"dns", []zeekField{zQuery, zRejected}},
	{"ssh", []zeekField{zKexAlg}},
	{"ssh", []zeekField{zAuthAttempts}},
	{"ssh", []zeekField{zHASSH}},
	{"http", []zeekField{zMethod, zURI}},
	{"http", []zeekField{zStatusCode, zRespLen}},
	{"notice", []zeekField{zNote}},
	{"x509", []zeekField{zCertSubject}},
	{"ssl", []zeekField{zEstablished, zVersion}},
	{"ssl", []zeekField{zSNI}},
	{"ssl", []zeekField{zCipher, zEstablished}},
	{"files", []zeekField{zFUID, zSeenBytes}},
	{"dhcp", []zeekField{zMsgTypes}},
	{"dhcp", []zeekField{zMAC, zLeaseTime}},
	{"dnp3", []zeekField{zFCRequest}},
	{"dnp3", []zeekField{zFCReply}},
	{"dnp3_control", []zeekField{zFunctionCode, zIndexNumber}},
	{"dnp3_objects", []zeekField{zFunctionCode, zObjectType}},
	{"modbus_read_write_multiple_registers", []zeekField{zFunc, zWriteAddress}},
	{"modbus_detailed", []zeekField{zFunc, zReqResp}},
	{"modbus", []zeekField{zFunc}},
	{"mqtt_connect", []zeekField{zConnectStatus}},
	{"mqtt_connect", []zeekField{zClientID}},
	{"mqtt_publish", []zeekField{zTopic, zFromClient}},
	{"mqtt_subscribe", []zeekField{zTopics}},
	{"s7comm", []zeekField{zRosctrName}},
	{"s7comm_plus", []zeekField{zOpcodeName}},
	{"s7comm_known_devices", []zeekField{zModuleName}},
	{"opcua_binary_activate_session", []zeekField{zTokenType}},
	{"opcua_binary_write", []zeekField{zAttributeName}},
	{"opcua_binary", []zeekField{zIdentifier}},
	{"opcua_binary", []zeekField{zMsgType, zEndpointURL}},
	{"cotp", []zeekField{zPDUName}},
	{"kerberos", []zeekField{zRequestType}},
	{"ntlm", []zeekField{zDomainName}},
	{"radius", []zeekField{zUsername, zResult}},
	{"radius", []zeekField{zFramedAddr}},
	{"known_devices", []zeekField{zMAC, zDHCPHostName}},
	{"known_services", []zeekField{zHost, zPortNum, zPortProto}},
	{"known_certs", []zeekField{zHost, zIssuerSubject}},
	{"known_modbus", []zeekField{zHost, zDeviceType}},
	{"software", []zeekField{zSoftwareType}},
	{"tunnel", []zeekField{zTunnelType}},
	{"ftp", []zeekField{zCommand, zArg}},
	{"rdp", []zeekField{zCookie}},
	{"smb_files", []zeekField{zAction, zSMBPath}},
	{"weird", []zeekField{zName, zPeer}},
	{"known_hosts", []zeekField{zHost}},
}

// zeekUnmapped lists the fields of an entry that no log reads.
func zeekUnmapped(rec *event.Record) []string {
	if i := firstVisible(rec.Value); i >= 0 && rec.Value[i] == '{' {
		paths, _ := jsonscan.Unmapped(rec.Value, zeekPlan)
		return paths
	}
	h, _ := readZeekHeader(textOf(rec.Context))
	var out []string
	for name := range strings.SplitSeq(h.fields, string(rune(h.separator))) {
		if _, ok := zeekByName[name]; !ok && name != "" {
			out = append(out, name)
		}
	}
	return out
}
