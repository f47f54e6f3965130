package event

import (
	"cmp"
	"strings"
)

// sayRobotState tells what a robot went through, or else what it reports.
func sayRobotState(s *sentence, e *Event) {
	s.say(cmp.Or(e.robot(), "A robot"))
	r := e.Robot
	if r == nil {
		r = &Robot{}
	}
	mode, safety := Caption("robot", "operating_mode_id", int(r.ModeID)), Caption("robot", "safety_state_id", int(r.SafetyStateID))
	switch e.ActivityID {
	case 1:
		s.say("changed operating mode")
		s.with("from", Caption("robot", "operating_mode_id", int(r.PrevModeID)))
		s.with("to", cmp.Or(mode, plainly(strings.TrimPrefix(e.StatusCode, "ROBOT_MODE_"))))
	case 2:
		s.say("went into emergency stop")
		s.aside(unlike(safety, "System Emergency Stop", "Robot Emergency Stop"))
		sayFault(s, e)
	case 3:
		s.say("left emergency stop")
		if safety != "" {
			s.clause("safety " + safety)
		}
	case 4:
		s.say("went into protective stop")
		s.aside(unlike(safety, "Protective Stop"))
		sayFault(s, e)
	case 5:
		s.say("changed its safety configuration")
		if r.SafetyChecksum != "" {
			s.clause("checksum " + r.SafetyChecksum)
		}
	case 6:
		s.say(cmp.Or(of([]string{1: "is online", 2: "went offline", 3: "lost its connection", 4: "is hibernating"}, int(r.ConnectionID)), "reports its connection"))
	case 7:
		s.say("reported fault")
		sayFault(s, e)
	case 8:
		s.say("lost its position")
		sayFault(s, e)
	case 10:
		s.say("reports program")
		s.say(r.ProgramUID)
		s.say(plainly(strings.TrimPrefix(cmp.Or(e.StatusCode, e.StatusDetail), "PROGRAM_XXX_")))
	case 11:
		s.say("changed safety state")
		s.with("to", safety)
	case 12:
		s.say("logged")
		s.because(cmp.Or(e.Message, e.StatusDetail))
	default:
		sayReport(s, r, mode, safety)
	}
}

// sayReport tells the state that a robot reports of itself.
func sayReport(s *sentence, r *Robot, mode, safety string) {
	connection := Caption("robot", "connection_state_id", int(r.ConnectionID))
	if mode == "" && safety == "" && connection == "" && r.ProgramUID == "" {
		s.say("reports its state")
		return
	}
	s.say("reports")
	first := true
	for _, x := range [...][2]string{{"mode", mode}, {"safety", safety}, {"connection", connection}, {"program", r.ProgramUID}} {
		switch {
		case x[1] == "":
		case first:
			s.with(x[0], x[1])
			first = false
		default:
			s.clause(x[0] + " " + x[1])
		}
	}
}

// sayFault adds the name or code of a fault and what it is about.
func sayFault(s *sentence, e *Event) {
	f := e.Fault
	if f == nil {
		return
	}
	named := e.ActivityID == 7
	if named {
		s.say(cmp.Or(f.Code, f.Name))
	}
	about := f.Desc
	if about == "" && f.Code != "" && named {
		about = f.Name
	}
	if said := "protective stop: "; e.ActivityID == 4 && len(about) > len(said) && strings.EqualFold(about[:len(said)], said) {
		about = about[len(said):]
	}
	if !strings.EqualFold(about, cmp.Or(f.Code, f.Name)) {
		s.because(about)
	}
}

// unlike is v unless it is one of the words that have just been said.
func unlike(v string, words ...string) string {
	for _, w := range words {
		if v == w {
			return ""
		}
	}
	return v
}

// order is how a command to a robot is told: "started program P on R" where the actor is known, "program P on R was started" where not.
type order struct {
	verb, article, thing, to string
	named                    bool // The command's own name says more than our words.
}

// orders are the commands by activity.
var orders = map[uint16]order{
	1: {verb: "dispatched", article: "an", thing: "order", to: "to"}, 2: {verb: "cancelled", article: "the", thing: "order", to: "of"},
	3: {verb: "sent", article: "an", thing: "instant action", to: "to", named: true},
	4: {verb: "loaded", article: "a", thing: "program", to: "on"}, 5: {verb: "started", article: "the", thing: "program", to: "on"},
	6: {verb: "stopped", article: "the", thing: "program", to: "on"}, 7: {verb: "changed", article: "the", thing: "map", to: "of", named: true},
	8: {verb: "changed", article: "a", thing: "parameter", to: "of", named: true}, 9: {verb: "updated", article: "a", thing: "certificate", to: "of"},
	10: {verb: "started", article: "the", thing: "teleoperation", to: "of"}, 11: {verb: "stopped", article: "the", thing: "teleoperation", to: "of"},
	12: {verb: "changed", article: "the", thing: "control authority", to: "over", named: true}, 13: {verb: "attempted", article: "a", thing: "pairing", to: "with"},
	14: {verb: "changed", article: "the", thing: "pairing mode", to: "of", named: true}, 15: {verb: "sent", article: "a", thing: "motion command", to: "to", named: true},
	16: {verb: "cleared", article: "a", thing: "safety stop", to: "of", named: true}, 17: {verb: "ordered", article: "a", thing: "shutdown", to: "of"},
	18: {verb: "sent", article: "a", thing: "firmware update", to: "to"},
}

func sayRobotControl(s *sentence, e *Event) {
	c := e.Command
	if c == nil {
		c = &Command{}
	}
	o, known := orders[e.ActivityID]
	if !known {
		o = order{verb: "sent", article: "a", thing: "command", to: "to", named: true}
	}
	mode := ""
	if e.ActivityID == 12 && e.Robot != nil && (e.Robot.ModeID != 0 || strings.Contains(strings.ToLower(c.Name), "mode")) {
		o.thing, o.to, mode = "operating mode", "of", Caption("robot", "operating_mode_id", int(e.Robot.ModeID))
	}
	which, robot := e.ordered(c), cmp.Or(e.robot(), "a robot")
	if which == "" {
		o.thing = o.article + " " + o.thing
	}
	actor := cmp.Or(e.who(), e.endpoint(&e.SrcEndpoint))
	if actor != "" {
		s.say(actor)
		s.say(o.verb)
		s.say(o.thing)
	} else {
		s.say(strings.ToUpper(o.thing[:1]) + o.thing[1:])
	}
	s.say(which)
	s.with(o.to, robot)
	if actor == "" {
		s.say("was " + o.verb)
	}
	s.with("to", mode)
	if o.named && e.ActivityID == 8 {
		s.aside(c.Name)
	} else if o.named {
		s.aside(plainly(c.Name))
	}
	if c.URL != "" {
		s.clause("link " + c.URL)
	}
	s.outcome(e)
}

// ordered names the order, program or map that a command is about.
func (e *Event) ordered(c *Command) string {
	r := e.Robot
	if r == nil {
		r = &Robot{}
	}
	switch e.ActivityID {
	case 1:
		return cmp.Or(r.OrderUID, unlike(c.UID, c.Name))
	case 2:
		return r.OrderUID
	case 4, 5, 6:
		return cmp.Or(c.ProgramUID, r.ProgramUID)
	case 7:
		return c.MapUID
	}
	return ""
}

func sayOT(s *sentence, e *Event) {
	s.say(cmp.Or(e.endpoint(&e.SrcEndpoint), e.who(), "A host"))
	s.say("sent")
	o := e.OT
	if o == nil {
		o = &OTCommand{}
	}
	s.say(o.Protocol)
	s.say(plainly(cmp.Or(o.Function, e.activity())))
	s.with("to", cmp.Or(e.endpoint(&e.DstEndpoint), e.device(), e.robot()))
	if o.Address != "" {
		s.clause("address " + o.Address)
	}
	if o.Value != "" {
		s.clause("value " + o.Value)
		if o.PrevValue != "" && o.PrevValue != o.Value {
			s.aside("was " + o.PrevValue)
		}
	}
	s.outcome(e)
}
