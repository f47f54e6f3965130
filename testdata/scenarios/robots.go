package scenarios

import (
	"fmt"
	"time"
)

// mobileRobots are the VDA 5050 messages of the mobile robots: a state a minute, orders, connections that break in a dead spot, low
// batteries, and on AMR 08 the firmware update that ticket CHG0001050 covers.
func mobileRobots(p *plant) []line {
	for _, r := range nordwerk {
		p.mobileRobot(r, "Nordwerk", "2.0.0")
	}
	for _, r := range acme {
		p.mobileRobot(r, "Acme", "2.1.0")
	}
	return p.lines
}

func (p *plant) mobileRobot(r machine, maker, version string) {
	header, orders, battery := p.between(1000, 9000), p.between(100, 200), p.between(60, 95)
	head := func(at time.Time) string {
		header++
		return fmt.Sprintf(`"headerId":%d,"timestamp":"%s","version":"%s","manufacturer":"%s","serialNumber":"%s"`, header, iso(at), version, maker, r.serial)
	}
	// The bridge stamps what it takes on: a few hundredths of a second later as a rule, and half a second and more where the radio is poor.
	bridged := func(at time.Time) string {
		delay := 20 + header*7919%97
		switch {
		case header%29 == 0:
			delay += 900
		case header%13 == 0:
			delay += 400
		}
		return iso(at.Add(time.Duration(delay) * time.Millisecond))
	}
	topic := func(name string) string { return fmt.Sprintf("uagv/v2/%s/%s/%s", maker, r.serial, name) }
	service := r.name == "amr-08"
	start, end := p.from.Add(90*time.Minute), p.from.Add(150*time.Minute)
	p.every(time.Duration(p.between(0, 55))*time.Second, time.Minute, 2*time.Second, func(at time.Time) {
		if battery--; battery < 20 {
			battery = 95
		}
		mode, errors := "AUTOMATIC", "[]"
		if service && at.After(start) && at.Before(end) {
			mode = "SERVICE"
		}
		if battery < 24 {
			errors = `[{"errorType":"batteryLow","errorLevel":"WARNING","errorDescription":"charge soon","errorReferences":[]}]`
		}
		p.say(at, `{"topic":"%s","timestamp":"%s","payload":{%s,"orderId":"o-%d","orderUpdateId":0,"lastNodeId":"n%d","lastNodeSequenceId":%d,"nodeStates":[],"edgeStates":[],"driving":%t,`+
			`"paused":false,"actionStates":[],"batteryState":{"batteryCharge":%d.5,"charging":false},"operatingMode":"%s","errors":%s,"information":[],`+
			`"safetyState":{"eStop":"NONE","fieldViolation":false},"agvPosition":{"x":%d.25,"y":%d.5,"theta":0.78,"mapId":"hall3","positionInitialized":true}}}`,
			topic("state"), bridged(at), head(at), orders, p.between(1, 40), p.between(0, 20)*2, mode == "AUTOMATIC", battery, mode, errors, p.between(0, 80), p.between(0, 40))
	})
	p.every(4*time.Minute, 7*time.Minute, time.Minute, func(at time.Time) {
		if service && at.After(start) && at.Before(end) {
			return
		}
		orders++
		p.say(at, `{"topic":"%s","payload":{%s,"orderId":"o-%d","orderUpdateId":0,"nodes":[{"nodeId":"n1","sequenceId":0,"released":true,"nodePosition":{"x":3.0,"y":4.0,"mapId":"hall3"},`+
			`"actions":[]},{"nodeId":"n9","sequenceId":2,"released":true,"actions":[{"actionType":"pick","actionId":"a%d","blockingType":"HARD","actionParameters":[]}]}],`+
			`"edges":[{"edgeId":"e1","sequenceId":1,"released":true,"startNodeId":"n1","endNodeId":"n9","actions":[]}]}}`,
			topic("order"), head(at), orders, p.next())
	})
	p.every(time.Duration(p.between(20, 90))*time.Minute, 2*time.Hour, 20*time.Minute, func(at time.Time) {
		for i, word := range []string{"CONNECTIONBROKEN", "ONLINE"} {
			at = at.Add(time.Duration(i*25) * time.Second)
			p.say(at, `{"topic":"%s","payload":{%s,"connectionState":"%s"}}`, topic("connection"), head(at), word)
		}
	})
	if service && end.Before(p.until) {
		p.say(start.Add(time.Minute), `{"topic":"%s","payload":{%s,"actions":[{"actionType":"updateFirmware","actionId":"fw-1","blockingType":"HARD","actionParameters":`+
			`[{"key":"downloadLink","value":"https://updates.acme-robotics.example/a1200-5.2.1.bin"}]}]}}`, topic("instantActions"), head(start.Add(time.Minute)))
	}
}

// robotControllers are the cobots' controllers: states, program starts and stops, one protective stop each that is unlocked at the pendant, and
// on cobot 01 the program that ticket CHG0001052 covers.
func robotControllers(p *plant) []line {
	programs := map[string]string{"cobot-01": "screwing_l3.urp", "cobot-02": "palletizing_l1.urp", "cobot-03": "welding_cell.urp"}
	sums := map[string]string{"cobot-01": "4C1F88D2", "cobot-02": "A07714BE", "cobot-03": "9F3A21C4"}
	for _, r := range cobots {
		handedOver := p.from.Add(4*time.Hour + 5*time.Minute)
		attacked := func(at time.Time) bool { return r.name == "cobot-03" && at.After(handedOver) } // From then on its log is told by hand.
		p.every(time.Duration(p.between(0, 100))*time.Second, 2*time.Minute, 10*time.Second, func(at time.Time) {
			if !attacked(at) {
				p.say(at, `{"timestamp":"%s","type":"state","serial":"%s","robot":"%s","ip":"%s","robotMode":"RUNNING","safetyMode":"NORMAL","operationalMode":"AUTOMATIC",`+
					`"programState":"PLAYING","loadedProgram":"%s","safetyChecksum":"%s"}`, iso(at), r.serial, r.name, r.ip, programs[r.name], sums[r.name])
			}
		})
		p.every(time.Duration(p.between(3, 9))*time.Minute, 15*time.Minute, 3*time.Minute, func(at time.Time) {
			if attacked(at) {
				return
			}
			for i, word := range []string{"STOPPED", "STARTED"} {
				at = at.Add(time.Duration(i*20) * time.Second)
				p.say(at, `{"timestamp":"%s","robotMessageType":7,"serial":"%s","robot":"%s","timestampUs":%d,"robotMessageCode":0,"robotMessageArgument":0,"title":"PROGRAM_XXX_%s","text":"%s"}`,
					iso(at), r.serial, r.name, at.Sub(p.from).Microseconds(), word, programs[r.name])
			}
		})
		p.say(p.from.Add(30*time.Second), `{"timestamp":"%s","robotMessageType":3,"serial":"%s","robot":"%s","timestampUs":1,"projectName":"PolyScope","majorVersion":5,"minorVersion":17,"bugfixVersion":0,"buildNumber":128}`,
			iso(p.from.Add(30*time.Second)), r.serial, r.name)
		stop := p.from.Add(time.Duration(p.between(30, 60)) * time.Minute)
		p.say(stop, "%s : C159A1 : PolyScope : Protective Stop: a person reached into the field of %s : %s", "<30>1 "+stamp(stop)+" "+r.name+".plant.example polyscope - - - "+stop.UTC().Format("2006-01-02 15:04:05.000"), r.name, "null")
	}
	change := p.from.Add(70 * time.Minute)
	if change.Add(time.Minute).Before(p.until) && p.until.Sub(p.from) > 4*time.Hour {
		for i, command := range []string{"stop", "load /programs/screwing_l4.urp", "play"} {
			at := change.Add(time.Duration(i*20) * time.Second)
			p.say(at, `{"timestamp":"%s","type":"dashboard","serial":"20195500101","robot":"cobot-01","command":"%s","client":"10.30.5.1","response":"done"}`, iso(at), command)
		}
	}
	return p.lines
}
