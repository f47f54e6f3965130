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

// maxNotes bounds the notes of one batch; what is beyond is not noted, and the register keeps the old value, so that the next report of it is.
const maxNotes = 4096

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

// watchKey is one attribute of one entity.
type watchKey struct{ entity, what string }

// watchValue is what it was last seen to be, and since when: what notes tell, so that notes can rebuild it.
type watchValue struct {
	value string
	time  int64
}

// watchlist is the register of changes. It is state of the engine: part of the checkpoint, rebuilt from logged notes in between.
type watchlist struct {
	limit   int
	seen    map[watchKey]watchValue
	dropped int64 // Attributes not watched for want of room.
	out     []event.Note
	ref     *event.Ref // Of the event at hand, made when needed.
}

func newWatchlist(limit int) *watchlist {
	return &watchlist{limit: limit, seen: map[watchKey]watchValue{}}
}

// notes looks through the events of a batch in their order.
func (w *watchlist) notes(b *event.Batch) []event.Note {
	w.out = w.out[:0]
	for _, i := range b.Sorted {
		if len(w.out) >= maxNotes {
			break
		}
		w.look(&b.Events[i])
	}
	w.ref = nil
	return w.out
}

func (w *watchlist) look(e *event.Event) {
	w.ref = nil
	if e.Envelope.Quality&event.Future != 0 || e.StatusID == 2 {
		return
	}
	if e.Robot != nil {
		w.each(e, robotAttributes)
	}
	if e.Posture != nil {
		w.each(e, postureAttributes)
	}
	if slices.Contains(deviceClasses, e.ClassUID) {
		w.each(e, deviceAttributes)
	}
	if e.ClassUID == event.ClassAppLifecycle {
		w.software(e)
	}
	for i := range acts {
		a := &acts[i]
		if a.class == e.ClassUID && (len(a.activities) == 0 || slices.Contains(a.activities, e.ActivityID)) {
			if entity := a.entity(e); entity != "" {
				w.note(e, entity, a.what, "", a.value(e))
			}
		}
	}
}

func (w *watchlist) each(e *event.Event, attributes []watched) {
	for i := range attributes {
		a := &attributes[i]
		value := a.value(e)
		if value == "" {
			continue
		}
		prev := ""
		if a.prev != nil {
			prev = a.prev(e)
		}
		w.set(e, a.entity(e), a.what, prev, value)
	}
}

// software notes versions: of a robot's own software as firmware, of others under the name of the application.
func (w *watchlist) software(e *event.Event) {
	if e.App == nil || e.App.Version == "" || e.ActivityID != 1 && e.ActivityID != 8 {
		return
	}
	if robot := robotOf(e); robot != "" {
		w.set(e, robot, "firmware", e.App.PrevVersion, e.App.Version)
		return
	}
	w.set(e, deviceOf(e), "software "+cmp.Or(e.App.Name, e.App.UID), e.App.PrevVersion, e.App.Version)
}

// set compares a value with the one last seen. Events older than its first sight are left alone: they say nothing about now.
func (w *watchlist) set(e *event.Event, entity, what, prev, value string) {
	if entity == "" {
		return
	}
	k := watchKey{entity, what}
	last, known := w.seen[k]
	if known && (e.Time < last.time || last.value == value) {
		return
	}
	if known && what == "program" && sameProgram(last.value, value) {
		if len(value) > len(last.value) {
			w.seen[k] = watchValue{strings.Clone(value), e.Time}
			w.note(e, entity, FirstSeen+what, "", value)
		}
		return
	}
	if !known {
		if len(w.seen) >= w.limit {
			w.dropped++
			return
		}
		k = watchKey{strings.Clone(entity), what}
	}
	value = strings.Clone(value)
	w.seen[k] = watchValue{value, e.Time}
	switch {
	case known:
		w.note(e, entity, what, last.value, value)
	case prev != "" && prev != value:
		w.note(e, entity, what, prev, value)
	default:
		w.note(e, entity, FirstSeen+what, "", value)
	}
}

// sameProgram reports whether one name is the other without (part of) its folder: a robot's state often names only the file of what was
// loaded by its path. Files of one name in two folders differ.
func sameProgram(a, b string) bool {
	if len(a) < len(b) {
		a, b = b, a
	}
	folder, within := strings.CutSuffix(a, b)
	return within && b != "" && (strings.HasSuffix(folder, "/") || strings.HasSuffix(folder, "\\"))
}

func (w *watchlist) note(e *event.Event, entity, what, prev, value string) {
	if w.ref == nil {
		w.ref = event.RefOf(e)
	}
	w.out = append(w.out, event.Note{
		Entity: strings.Clone(entity), What: what, Prev: strings.Clone(prev), Value: strings.Clone(value),
		Actor: strings.Clone(e.PrimaryEntity(event.EntityUser, event.RoleActor)), Ref: w.ref,
	})
}

// learn takes logged notes in, as if their events had been looked at again.
func (w *watchlist) learn(notes []event.Note) {
	for i := range notes {
		n := &notes[i]
		what := strings.TrimPrefix(n.What, FirstSeen)
		k := watchKey{n.Entity, what}
		last, known := w.seen[k]
		if n.Ref == nil || !registered(what) || n.Prev == "" && what == n.What || !known && len(w.seen) >= w.limit || known && n.Ref.Time < last.time {
			continue
		}
		w.seen[k] = watchValue{n.Value, n.Ref.Time}
	}
}

// registered reports whether notes of that name are about a value that is remembered.
func registered(what string) bool {
	is := func(a watched) bool { return a.what == what }
	return strings.HasPrefix(what, "software ") || slices.ContainsFunc(robotAttributes, is) || slices.ContainsFunc(postureAttributes, is) || slices.ContainsFunc(deviceAttributes, is)
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
