package load_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

func oktaLine(_ int, dice *rand.Rand) string {
	who := dice.IntN(people)
	kind, target := "user.authentication.sso", `[{"id":"0oa7mes","type":"AppInstance","alternateId":"Production Planning","displayName":"Production Planning","detailEntry":{"signOnModeType":"SAML_2_0"}}]`
	if dice.IntN(4) == 0 {
		kind, target = "user.session.start", "null"
	}
	return fmt.Sprintf(`{"uuid":"5b1e0a52-11f1-4b6e-9d00-@NUMBER@@@@@","published":"@MILLI@@@@@@@@@@@@@@@@@@","eventType":"%s","version":"0","severity":"INFO",`+
		`"displayMessage":"User single sign on to app","actor":{"id":"00u9staff%08d","type":"User","alternateId":"staff%d@plant.example","displayName":"Staff Member %d","detailEntry":null},`+
		`"client":{"userAgent":{"rawUserAgent":"Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0","os":"Linux","browser":"FIREFOX"},`+
		`"zone":"null","device":"Computer","id":null,"ipAddress":"203.0.113.%d","geographicalContext":{"city":"Kassel","state":"Hesse","country":"Germany","postalCode":"34117","geolocation":{"lat":51.31,"lon":9.48}}},`+
		`"device":null,"authenticationContext":{"authenticationStep":0,"rootSessionId":"idx@NUMBER@@@@@","externalSessionId":"trs@NUMBER@@@@@"},"outcome":{"result":"SUCCESS","reason":null},"target":%s,`+
		`"transaction":{"type":"WEB","id":"Zl@NUMBER@@@@@","detail":{}},"debugContext":{"debugData":{"requestId":"Zl@NUMBER@@@@@","requestUri":"/app/planning/sso/saml","dtHash":"%016x","signOnMode":"SAML 2.0"}},`+
		`"securityContext":{"asNumber":64500,"asOrg":"plant network","isp":"plant network","domain":"plant.example","isProxy":false},"request":{"ipChain":[]}}`,
		kind, who, who, who, 10+who%40, target, dice.Uint64())
}

func suricataLine(i int, dice *rand.Rand) string {
	from, to, port := officeIP(dice), fmt.Sprintf("10.40.1.%d", 20+dice.IntN(100)), 443
	if dice.IntN(2) == 0 {
		from, to, port = robotIP(dice.IntN(robots)), "10.20.1.10", 8883
	}
	if i%4 != 0 {
		return fmt.Sprintf(`{"timestamp":"@MICRO@@@@@@@@@@@@@@@@@@@@@@@@@","flow_id":1@NUMBER@@@@@,"in_iface":"span2","event_type":"flow","vlan":[20],"src_ip":"%s","src_port":%d,"dest_ip":"%s","dest_port":%d,"proto":"TCP","app_proto":"tls",`+
			`"flow":{"pkts_toserver":%d,"pkts_toclient":%d,"bytes_toserver":%d,"bytes_toclient":%d,"start":"@MICRO@@@@@@@@@@@@@@@@@@@@@@@@@","end":"@MICRO@@@@@@@@@@@@@@@@@@@@@@@@@","age":9,"state":"closed","reason":"timeout","alerted":false},`+
			`"community_id":"1:Rk5vT2xVd0F4a3d5@NUMBER@@@@@=","tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed","ts_max_regions":1,"tc_max_regions":1},`+
			`"host":"ids-hall3","tenant_id":3,"ether":{"src_macs":["00:00:5e:00:90:21"],"dest_macs":["00:00:5e:00:90:22"]}}`,
			from, 32768+dice.IntN(28000), to, port, dice.IntN(400), dice.IntN(400), dice.IntN(90_000), dice.IntN(90_000))
	}
	return fmt.Sprintf(`{"timestamp":"@MICRO@@@@@@@@@@@@@@@@@@@@@@@@@","flow_id":1@NUMBER@@@@@,"in_iface":"span2","event_type":"alert","vlan":[20],"src_ip":"%s","src_port":%d,"dest_ip":"%s","dest_port":%d,"proto":"TCP","pkt_src":"wire/pcap","tx_id":0,`+
		`"community_id":"1:Rk5vT2xVd0F4a3d5@NUMBER@@@@@=","alert":{"action":"allowed","gid":1,"signature_id":29%05d,"rev":2,"signature":"PLANT INFO certificate of an internal authority number %d","category":"Misc activity","severity":3,`+
		`"metadata":{"created_at":["2026_02_10"],"updated_at":["2026_05_11"],"confidence":["Low"],"signature_severity":["Informational"]}},`+
		`"tls":{"subject":"CN=mqtt.plant.example","issuerdn":"CN=Plant Issuing CA 4","serial":"1A:2B:3C:4D:5E","sni":"mqtt.plant.example","version":"TLS 1.3","notbefore":"2026-01-01T00:00:00","notafter":"2027-01-01T00:00:00"},`+
		`"app_proto":"tls","direction":"to_server","flow":{"pkts_toserver":%d,"pkts_toclient":%d,"bytes_toserver":%d,"bytes_toclient":%d,"start":"@MICRO@@@@@@@@@@@@@@@@@@@@@@@@@"}}`,
		from, 32768+dice.IntN(28000), to, port, i%40, i%40, dice.IntN(40), dice.IntN(40), dice.IntN(9000), dice.IntN(9000))
}

func zeekLine(_ int, dice *rand.Rand) string {
	from, to, port, service := robotIP(dice.IntN(robots)), "10.20.1.10", 8883, "ssl"
	switch dice.IntN(3) {
	case 0:
		from, to, port, service = officeIP(dice), fmt.Sprintf("10.40.1.%d", 20+dice.IntN(100)), 443, "ssl"
	case 1:
		from, to, port, service = "10.30.2.11", "10.30.1.11", 502, "modbus"
	}
	return fmt.Sprintf(`{"_path":"conn","_system_name":"zeek-hall4","_node":"worker-1","_write_ts":"@MILLI@@@@@@@@@@@@@@@@@@","ts":@UNIX@@@@@@@@@@@@,"uid":"CwQ2bXy@NUMBER@@@@@","id.orig_h":"%s","id.orig_p":%d,"id.resp_h":"%s","id.resp_p":%d,`+
		`"proto":"tcp","service":"%s","duration":%d.5,"orig_bytes":%d,"resp_bytes":%d,"conn_state":"SF","local_orig":true,"local_resp":true,"missed_bytes":0,"history":"ShADadFf","orig_pkts":%d,"orig_ip_bytes":%d,"resp_pkts":%d,"resp_ip_bytes":%d,`+
		`"tunnel_parents":[],"vlan":20,"orig_l2_addr":"00:00:5e:00:90:21","resp_l2_addr":"00:00:5e:00:90:22","community_id":"1:Rk5vT2xVd0F4a3d5@NUMBER@@@@@=","orig_cc":"-","resp_cc":"-",`+
		`"geo":{"orig_zone":"hall 4, line 2","resp_zone":"control room"},"sensor":{"site":"werk-1","rack":"r%02d","capture":"span port of the hall's switch","filter":"not port 22"},"tags":["ot","hall4","mirror","conn-summary"],`+
		`"pcr":0.%04d,"app":[],"id.vlan":20}`,
		from, 32768+dice.IntN(28000), to, port, service, dice.IntN(60), dice.IntN(90_000), dice.IntN(90_000), dice.IntN(300), dice.IntN(90_000), dice.IntN(300), dice.IntN(90_000), dice.IntN(20), dice.IntN(10_000))
}

// vdaLine is a robot that goes to and fro at its place in the hall.
func vdaLine(i int, dice *rand.Rand) string {
	r := i % robots
	var nodes strings.Builder
	for k := range 3 {
		fmt.Fprintf(&nodes, `%s{"nodeId":"n%d","sequenceId":%d,"released":true,"nodePosition":{"x":%d.25,"y":%d.5,"theta":0.78,"mapId":"hall4"}}`, strings.Repeat(",", min(k, 1)), k+i%40, 2*k, dice.IntN(80), dice.IntN(40))
	}
	return fmt.Sprintf(`{"topic":"uagv/v2/Acme/L1200-%04d/state","payload":{"headerId":1@COUNT@@@@@@,"timestamp":"@MILLI@@@@@@@@@@@@@@@@@@","version":"2.1.0","manufacturer":"Acme","serialNumber":"L1200-%04d","orderId":"o-%d","orderUpdateId":0,`+
		`"zoneSetId":"zones-9","lastNodeId":"n%d","lastNodeSequenceId":%d,"nodeStates":[%s],"edgeStates":[{"edgeId":"e%d","sequenceId":1,"released":true}],"driving":%t,"paused":false,"newBaseRequest":false,`+
		`"distanceSinceLastNode":%d.5,"actionStates":[{"actionId":"a%d","actionType":"drop","actionStatus":"WAITING"}],"batteryState":{"batteryCharge":%d.5,"batteryVoltage":48.1,"charging":false,"reach":5200},`+
		`"operatingMode":"AUTOMATIC","errors":[],"information":[],"safetyState":{"eStop":"NONE","fieldViolation":false},"velocity":{"vx":0.9,"vy":0.0,"omega":0.01},`+
		`"agvPosition":{"x":%d.25,"y":%d.5,"theta":0.78,"mapId":"hall4","positionInitialized":true,"localizationScore":0.97}}}`,
		r, r, r, i%40, i%20*2, nodes.String(), i%40, dice.IntN(5) > 0, dice.IntN(9), i, 40+r%50, r%80, r/80*8+i/robots)
}

func cobotLine(i int, dice *rand.Rand) string {
	c := []struct{ name, serial, ip, program, sum string }{
		{"cobot-01", "20195500101", "10.20.4.1", "screwing_l3.urp", "4C1F88D2"},
		{"cobot-02", "20195500102", "10.20.4.2", "palletizing_l1.urp", "A07714BE"},
		{"cobot-03", "20235500103", "10.20.4.3", "welding_cell.urp", "9F3A21C4"},
	}[i%cobots]
	return fmt.Sprintf(`{"timestamp":"@MILLI@@@@@@@@@@@@@@@@@@","type":"state","serial":"%s","robot":"%s","ip":"%s","model":"UR10e","robotMode":"RUNNING","safetyMode":"NORMAL","operationalMode":"AUTOMATIC","programState":"PLAYING",`+
		`"loadedProgram":"%s","safetyChecksum":"%s","remoteControl":true,"speedScaling":1.0,"jointTemperatures":[%d.1,33.0,34.2,31.8,30.0,29.7],"toolVoltage":24,"powerOnSeconds":1@NUMBER@@@@@}`,
		c.serial, c.name, c.ip, c.program, c.sum, 30+dice.IntN(9))
}
