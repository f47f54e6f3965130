package correlate

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// FirstSeen begins the What of a note that only says which value an attribute had when it was first seen. Such notes keep the register
// rebuildable from the log; they are not changes and are not shown as such (Changes leaves them out).
const FirstSeen = "first_seen."

// Changes are the notes that tell of a change.
func Changes(notes []event.Note) []event.Note {
	if !slices.ContainsFunc(notes, func(n event.Note) bool { return strings.HasPrefix(n.What, FirstSeen) }) {
		return notes
	}
	out := make([]event.Note, 0, len(notes))
	for _, n := range notes {
		if !strings.HasPrefix(n.What, FirstSeen) {
			out = append(out, n)
		}
	}
	return out
}

// watched is an attribute whose changes are noted. An event with a value and an entity says that the attribute of the entity has that value.
type watched struct {
	what   string
	entity func(*event.Event) string
	value  func(*event.Event) string
	prev   func(*event.Event) string // Value before, where the event says; nil: it never does.
}

// robotAttributes are read from every event that carries a robot.
var robotAttributes = []watched{
	{what: "mode", entity: robotOf, value: func(e *event.Event) string { return modeName(e.Robot.ModeID) }, prev: func(e *event.Event) string { return modeName(e.Robot.PrevModeID) }},
	{what: "firmware", entity: robotOf, value: func(e *event.Event) string { return e.Robot.Firmware }},
	{what: "program", entity: robotOf, value: func(e *event.Event) string { return e.Robot.ProgramUID }},
	{what: "map", entity: robotOf, value: func(e *event.Event) string { return e.Robot.MapUID }},
	{what: "safety_checksum", entity: robotOf, value: func(e *event.Event) string { return e.Robot.SafetyChecksum }},
	{what: "safety", entity: robotOf, value: func(e *event.Event) string {
		return event.Caption("robot", "safety_state_id", int(e.Robot.SafetyStateID))
	}},
}

// postureAttributes are read from events with a posture.
var postureAttributes = []watched{
	{
		what: "posture", entity: deviceOf, value: func(e *event.Event) string { return levelName(e.Posture.SecurityLevelID) },
		prev: func(e *event.Event) string { return levelName(e.Posture.PrevSecurityLevelID) },
	},
}

// deviceAttributes are read from inventory and state of devices and from what network access decided.
var deviceAttributes = []watched{
	{what: "compliance", entity: deviceOf, value: func(e *event.Event) string {
		return [...]string{"", "not compliant", "compliant"}[e.Device.Compliant]
	}},
	{what: "vlan", entity: attachedOf, value: func(e *event.Event) string {
		return cmp.Or(e.DstEndpoint.VLAN, e.SrcEndpoint.VLAN, e.Device.VLAN)
	}},
	{what: "policy", entity: attachedOf, value: func(e *event.Event) string {
		if e.Policy == nil {
			return ""
		}
		return cmp.Or(e.Policy.Name, e.Policy.UID)
	}},
}

// deviceClasses are the classes from which deviceAttributes are read.
var deviceClasses = []uint32{event.ClassAuthentication, event.ClassDeviceConfigChange, event.ClassInventory, event.ClassCompliance, event.ClassDHCP}

// act is an event that is a change by itself.
type act struct {
	class      uint32
	activities []uint16 // None: all.
	what       string
	entity     func(*event.Event) string
	value      func(*event.Event) string
}

// acts are the events that change something, by class.
var acts = []act{
	{class: event.ClassGroupManagement, activities: []uint16{1, 2, 3, 4, 7, 8}, what: "role", entity: changedUser, value: groupName},
	{class: event.ClassUserAccess, what: "role", entity: changedUser, value: privileges},
	{class: event.ClassAuthorizeSession, activities: []uint16{1, 2}, what: "role", entity: changedUser, value: privileges},
	{class: event.ClassAccountChange, what: "account", entity: changedUser, value: activity},
	{class: event.ClassEntityManagement, activities: []uint16{1, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13}, what: "policy", entity: managedEntity, value: managed},
	{class: event.ClassChangeTicket, what: "ticket", entity: ticketed, value: ticket},
	{class: event.ClassRobotControl, activities: []uint16{4}, what: "program", entity: robotOf, value: command},
	{class: event.ClassRobotControl, activities: []uint16{7}, what: "map", entity: robotOf, value: command},
	{class: event.ClassRobotControl, activities: []uint16{8, 9, 14}, what: "configuration", entity: robotOf, value: command},
	{class: event.ClassRobotControl, activities: []uint16{12}, what: "control", entity: controlled, value: command},
	{class: event.ClassRobotControl, activities: []uint16{16}, what: "safety", entity: robotOf, value: command},
	{class: event.ClassRobotControl, activities: []uint16{18}, what: "firmware", entity: robotOf, value: command},
	{class: event.ClassOTCommand, activities: []uint16{6, 8, 9}, what: "program", entity: commanded, value: activity},
	{class: event.ClassOTCommand, activities: []uint16{5, 11}, what: "mode", entity: commanded, value: activity},
	{class: event.ClassOTCommand, activities: []uint16{12}, what: "firmware", entity: commanded, value: activity},
}

func robotOf(e *event.Event) string  { return e.PrimaryEntity(event.EntityRobot, event.RoleNone) }
func deviceOf(e *event.Event) string { return e.PrimaryEntity(event.EntityDevice, event.RoleNone) }

// attachedOf is what was let into the network: the device, else its hardware address.
func attachedOf(e *event.Event) string {
	for _, role := range []event.Role{event.RoleSubject, event.RoleSource} {
		for _, kind := range []event.EntityKind{event.EntityDevice, event.EntityMAC} {
			if id := e.PrimaryEntity(kind, role); id != "" {
				return id
			}
		}
	}
	return ""
}

// changedUser is the account that was changed; the actor only where the event names nobody else.
func changedUser(e *event.Event) string {
	return cmp.Or(e.PrimaryEntity(event.EntityUser, event.RoleTarget), e.PrimaryEntity(event.EntityUser, event.RoleNone))
}

// managedEntity is what was managed if it is one of ours, else who managed it.
func managedEntity(e *event.Event) string {
	return cmp.Or(e.PrimaryEntity(event.EntityDevice, event.RoleNone), e.PrimaryEntity(event.EntityUser, event.RoleTarget), e.PrimaryEntity(event.EntityUser, event.RoleActor))
}

func ticketed(e *event.Event) string {
	return cmp.Or(robotOf(e), deviceOf(e), e.PrimaryEntity(event.EntityUser, event.RoleNone))
}

func commanded(e *event.Event) string {
	return cmp.Or(robotOf(e), e.PrimaryEntity(event.EntityDevice, event.RoleDestination), deviceOf(e), e.PrimaryEntity(event.EntityIP, event.RoleDestination))
}

// controlled is the robot whose control changed; none where the event states the mode, which is noted as such.
func controlled(e *event.Event) string {
	if e.Robot != nil && e.Robot.ModeID != 0 {
		return ""
	}
	return robotOf(e)
}

func modeName(id uint8) string  { return event.Caption("robot", "operating_mode_id", int(id)) }
func levelName(id uint8) string { return event.Caption("", "security_level_id", int(id)) }

func activity(e *event.Event) string {
	return strings.ReplaceAll(event.ActivityKey(e.ClassUID, e.ActivityID, e.Activity), "_", " ")
}

func groupName(e *event.Event) string {
	if e.Group == nil {
		return activity(e)
	}
	return activity(e) + " " + cmp.Or(e.Group.Name, e.Group.UID)
}

func privileges(e *event.Event) string {
	if e.Access == nil || len(e.Access.Privileges) == 0 {
		return groupName(e)
	}
	return activity(e) + " " + strings.Join(e.Access.Privileges, ", ")
}

func managed(e *event.Event) string {
	if e.Entity == nil {
		return activity(e)
	}
	return strings.TrimSpace(activity(e) + " " + e.Entity.Type + " " + cmp.Or(e.Entity.Name, e.Entity.UID))
}

func ticket(e *event.Event) string {
	if e.ChangeTicket == nil {
		return activity(e)
	}
	return cmp.Or(e.ChangeTicket.UID, e.ChangeTicket.Title) + " " + activity(e)
}

func command(e *event.Event) string {
	if c := e.Command; c != nil {
		return cmp.Or(c.ProgramUID, c.MapUID, c.Name, activity(e))
	}
	return activity(e)
}
