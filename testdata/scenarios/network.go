package scenarios

import (
	"fmt"
	"time"
)

// networkSensor is Zeek: telemetry of the robots to the fleet manager, updates from the maker, time and names, the controllers' Modbus, office
// traffic and the vulnerability scan.
func networkSensor(p *plant) []line {
	for _, r := range robots() {
		p.every(time.Duration(p.between(0, 300))*time.Second, 6*time.Minute, 2*time.Minute, func(at time.Time) {
			p.conn(at, r.ip, "10.20.1.10", 8883, "ssl", 300, p.between(40_000, 250_000), p.between(8_000, 40_000))
		})
		p.every(time.Duration(p.between(0, 900))*time.Second, 30*time.Minute, 10*time.Minute, func(at time.Time) {
			p.conn(at, r.ip, "198.51.100.34", 443, "ssl", 4, p.between(1_500, 6_000), p.between(4_000, 30_000))
			p.dns(at.Add(-100*time.Millisecond), r.ip, "telemetry.acme-robotics.example", "198.51.100.34")
		})
	}
	for i, c := range controllers[:2] {
		p.every(time.Duration(i)*time.Second, 2*time.Minute, 5*time.Second, func(at time.Time) {
			p.modbus(at, panels[i].ip, c.ip, "READ_HOLDING_REGISTERS")
		})
		p.every(7*time.Minute, 20*time.Minute, time.Minute, func(at time.Time) { p.modbus(at, panels[i].ip, c.ip, "WRITE_SINGLE_REGISTER") })
		p.every(11*time.Minute, 30*time.Minute, time.Minute, func(at time.Time) {
			p.conn(at, c.ip, "10.40.1.5", 5450, "-", 20, p.between(2_000, 9_000), p.between(500, 2_000))
		})
	}
	p.every(3*time.Minute, time.Minute, 50*time.Second, func(at time.Time) {
		from := laptops[p.between(0, len(laptops)-1)].ip
		p.conn(at, from, fmt.Sprintf("192.0.2.%d", p.between(10, 60)), 443, "ssl", 30, p.between(2_000, 90_000), p.between(20_000, 4_000_000))
	})
	p.every(20*time.Minute, time.Hour, 5*time.Minute, func(at time.Time) {
		p.conn(at, "10.40.1.10", cobots[p.between(0, 2)].ip, 22, "ssh", 4, 4_000, 6_000)
	})
	scan := p.from.Add(3 * time.Hour)
	for i, r := range robots() {
		for j, port := range []int{22, 23, 80, 443, 5900, 11311, 29999, 30001, 30002, 30003, 30004} {
			p.scanned(scan.Add(time.Duration(i*20+j)*time.Second), r.ip, port, j%3 == 0)
		}
	}
	return p.lines
}

func (p *plant) uid() string { return fmt.Sprintf("CB%014d", p.next()) }

func (p *plant) conn(at time.Time, from, to string, port int, service string, seconds, out, in int) {
	if service == "-" {
		service = ""
	} else {
		service = `"service":"` + service + `",`
	}
	uid := p.uid()
	missed, history := p.loss()
	p.say(at, `{"_path":"conn","ts":"%s","uid":"%s","id.orig_h":"%s","id.orig_p":%d,"id.resp_h":"%s","id.resp_p":%d,"proto":"tcp",%s"duration":%d.25,`+
		`"orig_bytes":%d,"resp_bytes":%d,"conn_state":"SF","missed_bytes":%d,"history":"%s","orig_pkts":%d,"orig_ip_bytes":%d,"resp_pkts":%d,"resp_ip_bytes":%d}`,
		iso(at), uid, from, p.between(32768, 60999), to, port, service, seconds, out, in, missed, history, out/1200+4, out+400, in/1200+4, in+400)
}

// loss is what the sensor missed of a connection, and its history: a segment now and then, and seldom ten that were sent again.
func (p *plant) loss() (missed int, history string) {
	if p.serial%17 == 0 {
		missed = 1460
	}
	switch {
	case p.serial%97 == 0:
		return missed, "ShADadTTFf"
	case p.serial%11 == 0:
		return missed, "ShADadTtFf"
	}
	return missed, "ShADadFf"
}

func (p *plant) scanned(at time.Time, to string, port int, open bool) {
	state, history := "REJ", "Sr"
	if open {
		state, history = "RSTO", "ShR"
	}
	p.say(at, `{"_path":"conn","ts":"%s","uid":"%s","id.orig_h":"10.10.0.50","id.orig_p":%d,"id.resp_h":"%s","id.resp_p":%d,"proto":"tcp","duration":0.002,`+
		`"orig_bytes":0,"resp_bytes":0,"conn_state":"%s","history":"%s","orig_pkts":2,"orig_ip_bytes":84,"resp_pkts":1,"resp_ip_bytes":40}`,
		iso(at), p.uid(), p.between(40000, 60000), to, port, state, history)
}

func (p *plant) dns(at time.Time, from, name, answer string) {
	p.say(at, `{"_path":"dns","ts":"%s","uid":"%s","id.orig_h":"%s","id.orig_p":%d,"id.resp_h":"10.10.0.10","id.resp_p":53,"proto":"udp","trans_id":%d,`+
		`"query":"%s","qclass_name":"C_INTERNET","qtype_name":"A","rcode":0,"rcode_name":"NOERROR","rejected":false,"answers":["%s"],"TTLs":[300.0]}`,
		iso(at), p.uid(), from, p.between(32768, 60999), p.between(1, 65535), name, answer)
}

func (p *plant) modbus(at time.Time, from, to, function string) {
	p.say(at, `{"_path":"modbus","ts":"%s","uid":"%s","id.orig_h":"%s","id.orig_p":%d,"id.resp_h":"%s","id.resp_p":502,"tid":%d,"unit":1,"func":"%s","pdu_type":"REQ"}`,
		iso(at), p.uid(), from, p.between(49152, 60999), to, p.between(1, 65535), function)
}

// intrusionSensor is Suricata: what the scanner sets off, and notes about protocols that mean nothing.
func intrusionSensor(p *plant) []line {
	scan := p.from.Add(3 * time.Hour)
	for i, r := range robots() {
		for j, s := range []struct {
			id       int
			name     string
			severity int
		}{
			{4100101, "PLANT SCAN service probe", 3},
			{4100102, "PLANT EXPLOIT URScript probe without exploit", 1},
			{4100103, "PLANT SCAN SSH version exchange of scanner", 3},
		} {
			p.alert(scan.Add(time.Duration(i*20+j)*time.Second), "10.10.0.50", r.ip, 22+j, s.id, s.name, s.severity)
		}
	}
	p.every(12*time.Minute, 15*time.Minute, 10*time.Minute, func(at time.Time) {
		p.alert(at, laptops[p.between(0, 1)].ip, fmt.Sprintf("192.0.2.%d", p.between(10, 60)), 443, 4100200, "PLANT INFO certificate close to its end", 4)
	})
	return p.lines
}

func (p *plant) alert(at time.Time, from, to string, port, id int, name string, severity int) {
	p.say(at, `{"timestamp":"%s","flow_id":%d,"in_iface":"mon0","event_type":"alert","src_ip":"%s","src_port":%d,"dest_ip":"%s","dest_port":%d,"proto":"TCP",`+
		`"alert":{"action":"allowed","gid":1,"signature_id":%d,"rev":1,"signature":"%s","category":"Misc activity","severity":%d},"host":"ids-hall3"}`,
		at.UTC().Format("2006-01-02T15:04:05.000000+0000"), 1_800_000_000_000_000+p.next(), from, p.between(32768, 60999), to, port, id, name, severity)
}

// plantSensor is Nozomi Guardian: new variables it learned, and the program change on PLC 04 that ticket CHG0001051 covers.
func plantSensor(p *plant) []line {
	p.every(25*time.Minute, 30*time.Minute, 12*time.Minute, func(at time.Time) {
		p.guardian(at, "VI:NEW-ARP", "New ARP", 1, panels[p.between(0, 1)].ip, controllers[p.between(0, 1)].ip, "A known node announced its address again.")
	})
	p.guardian(p.from.Add(100*time.Minute), "SIGN:PROGRAM:CHANGE", "Program changed", 8, stations[0].ip, "10.30.1.14", "The program of the controller was changed from an engineering station.")
	return p.lines
}

func (p *plant) guardian(at time.Time, id, name string, severity int, from, to, text string) {
	p.say(at, "<134>1 %s guardian-1 n2os - - - CEF:0|Nozomi Networks|N2OS|24.3.0|%s|%s|%d|app=s7 dvc=10.30.0.9 dvchost=guardian-1 cs3=6a1f0a52-0001-4820-b5ae-%012d cs3Label=Id "+
		"src=%s spt=%d dst=%s dpt=102 proto=TCP start=%d msg=%s", stamp(at), id, name, severity, p.next(), from, p.between(49152, 60999), to, at.UnixMilli(), text)
}
