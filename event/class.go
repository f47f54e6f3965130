package event

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tocsin-siem/tocsin/event/ocsf"
)

// ActivityOther is the activity whose name is in activity_name.
const ActivityOther = 99

// customActivities are the activities we report as 99 (Other) under a fixed name, because OCSF 1.8 has none for them.
var customActivities = []struct {
	class   uint32
	caption string
}{
	{ClassAuthentication, MFAChallenge},
}

// MFAChallenge is the activity name of a second-factor prompt and its answer.
const MFAChallenge = "MFA Challenge"

// The classes formats produce.
const (
	ClassBase               uint32 = 0
	ClassFile               uint32 = 1001
	ClassDriver             uint32 = 1002
	ClassModule             uint32 = 1005
	ClassJob                uint32 = 1006
	ClassProcess            uint32 = 1007
	ClassEventLog           uint32 = 1008
	ClassScript             uint32 = 1009
	ClassVulnerability      uint32 = 2002
	ClassCompliance         uint32 = 2003
	ClassDetection          uint32 = 2004
	ClassIncident           uint32 = 2005
	ClassAccountChange      uint32 = 3001
	ClassAuthentication     uint32 = 3002
	ClassAuthorizeSession   uint32 = 3003
	ClassEntityManagement   uint32 = 3004
	ClassUserAccess         uint32 = 3005
	ClassGroupManagement    uint32 = 3006
	ClassNetwork            uint32 = 4001
	ClassHTTP               uint32 = 4002
	ClassDHCP               uint32 = 4004
	ClassDNS                uint32 = 4003
	ClassRDP                uint32 = 4005
	ClassSMB                uint32 = 4006
	ClassSSH                uint32 = 4007
	ClassInventory          uint32 = 5001
	ClassDeviceConfigChange uint32 = 5019
	ClassAppLifecycle       uint32 = 6002
	ClassAPI                uint32 = 6003
	ClassAppError           uint32 = 6008
	ClassRegistryKey        uint32 = 201001
	ClassRegistryValue      uint32 = 201002
	ClassWindowsService     uint32 = 201004
	ClassChangeTicket       uint32 = 99906001
	ClassRobotControl       uint32 = 99908001
	ClassRobotState         uint32 = 99908002
	ClassOTCommand          uint32 = 99908003
)

// modelled are the classes whose attributes the event struct has; everything else is passed through as a base event.
var modelled = []uint32{
	ClassBase, ClassFile, ClassProcess, ClassVulnerability, ClassCompliance, ClassDetection, ClassAccountChange, ClassAuthentication,
	ClassAuthorizeSession, ClassEntityManagement, ClassUserAccess, ClassGroupManagement, ClassNetwork, ClassHTTP, ClassDNS, ClassDHCP, ClassRDP, ClassSMB,
	ClassSSH, ClassInventory, ClassDeviceConfigChange, ClassAppLifecycle, ClassAPI, ClassAppError, ClassChangeTicket, ClassRobotControl, ClassRobotState, ClassOTCommand,
	ClassDriver, ClassModule, ClassJob, ClassEventLog, ClassScript, ClassRegistryKey, ClassRegistryValue, ClassWindowsService,
}

// Modelled reports whether the event struct has the attributes of the class.
func Modelled(uid uint32) bool { return slices.Contains(modelled, uid) }

// ClassRef is what a rule writes as class: an OCSF class, optionally narrowed to one activity.
type ClassRef struct {
	UID      uint32
	Activity uint16 // Meaningful unless Any.
	Name     string // Name of an activity that is 99 (Other); "" otherwise.
	Any      bool   // Any activity.
}

// ParseClass reads `authentication` or `authentication.logon`. The error names what is unknown.
func ParseClass(s string) (ClassRef, error) {
	name, activity, narrowed := strings.Cut(s, ".")
	c, ok := classNamed(name)
	if !ok {
		return ClassRef{}, &ClassError{Class: s, Unknown: name}
	}
	if !narrowed {
		return ClassRef{UID: c.UID, Any: true}, nil
	}
	for _, a := range customActivities {
		if a.class == c.UID && snake(a.caption) == activity {
			return ClassRef{UID: c.UID, Activity: ActivityOther, Name: a.caption}, nil
		}
	}
	a, ok := c.ActivityByKey(activity)
	if !ok {
		return ClassRef{}, &ClassError{Class: s, Unknown: activity, Of: c.Name}
	}
	return ClassRef{UID: c.UID, Activity: uint16(a.ID)}, nil
}

// winPrefix stands before the names of OCSF's Windows classes in its own schema; here it is left out.
const winPrefix = "win/"

func classNamed(name string) (*ocsf.Class, bool) {
	if c, ok := ocsf.ClassByName(name); ok {
		return c, true
	}
	return ocsf.ClassByName(winPrefix + name)
}

// ClassError says that a class or activity does not exist. Candidates are the names that do.
type ClassError struct{ Class, Unknown, Of string }

// Error implements error.
func (e *ClassError) Error() string {
	if e.Of == "" {
		return "unknown class " + e.Unknown
	}
	return "class " + e.Of + " has no activity " + e.Unknown
}

// Candidates lists the names that could have been meant.
func (e *ClassError) Candidates() []string {
	if e.Of != "" {
		return activityNames(e.Of)
	}
	var out []string
	for _, c := range ocsf.Classes() {
		out = append(out, strings.TrimPrefix(c.Name, winPrefix))
	}
	return out
}

// ClassNames lists every class as rules write it, each followed by its activities.
func ClassNames() []string {
	var out []string
	for _, c := range ocsf.Classes() {
		name := strings.TrimPrefix(c.Name, winPrefix)
		out = append(append(out, name), activityNames(name)...)
	}
	return out
}

// activityNames lists the activities of a class as rules write them.
func activityNames(class string) []string {
	var out []string
	c, _ := classNamed(class)
	for _, a := range c.Activities {
		out = append(out, class+"."+a.Key)
	}
	for _, a := range customActivities {
		if a.class == c.UID {
			out = append(out, class+"."+snake(a.caption))
		}
	}
	return out
}

// Matches reports whether e is of the class.
func (r ClassRef) Matches(e *Event) bool {
	if e.ClassUID != r.UID {
		return false
	}
	return r.Any || e.ActivityID == r.Activity && (r.Name == "" || e.Activity == r.Name)
}

// String is the name as rules write it.
func (r ClassRef) String() string {
	if r.Any {
		return ClassName(r.UID)
	}
	return ClassName(r.UID) + "." + ActivityKey(r.UID, r.Activity, r.Name)
}

// ClassName is the short name of a class, such as authentication; base_event for what is not modelled.
func ClassName(uid uint32) string {
	if c, ok := ocsf.ClassByUID(uid); ok {
		return strings.TrimPrefix(c.Name, winPrefix)
	}
	return "base_event"
}

// ActivityKey is the snake-cased caption of an activity; for 99 that of its name.
func ActivityKey(class uint32, activity uint16, name string) string {
	if activity == ActivityOther && name != "" {
		return snake(name)
	}
	if c, ok := ocsf.ClassByUID(class); ok {
		if a, ok := c.Activity(uint8(activity)); ok {
			return a.Key
		}
	}
	return "unknown"
}

// Caption is the caption of an enumerated value of an object's attribute (object "" is the class); "" for unknown ids and for 0.
func Caption(object, attr string, id int) string {
	if id == 0 {
		return ""
	}
	s, _ := enumOf(object, attr).Caption(int64(id))
	return s
}

// CaptionID is the id behind a caption, compared without case; 0 if there is none.
func CaptionID(object, attr, caption string) int {
	id, _ := enumOf(object, attr).ID(caption)
	return int(id)
}

// Captions lists the captions of an enumerated attribute in order of their ids.
func Captions(object, attr string) []string {
	var out []string
	for _, v := range enumOf(object, attr) {
		out = append(out, v.Caption)
	}
	return out
}

// enumClasses are where an enumerated attribute of a class is looked up: attributes of the same name mean the same in all of them.
var enumClasses = []string{"detection_finding", "authentication", "device_config_state_change", "ssh_activity", "dns_activity", "compliance_finding"}

// enumMet is an enumeration that was asked for before, nil where there is none.
type enumMet struct {
	object, attr string
	enum         ocsf.Enum
}

// enumsMet are those asked for lately, by their names: every event that hits asks for some, and the schema has to be searched for each.
var enumsMet [128]atomic.Pointer[enumMet]

// enumOf is the enumeration of an attribute of an object; nil where it has none. The names are those of the schema or constants of the program.
func enumOf(object, attr string) ocsf.Enum {
	slot := &enumsMet[enumSlot(object, attr)]
	if met := slot.Load(); met != nil && met.object == object && met.attr == attr {
		return met.enum
	}
	met := &enumMet{object, attr, findEnum(object, attr)}
	slot.Store(met)
	return met.enum
}

func enumSlot(object, attr string) int {
	n := 3*len(object) + 7*len(attr)
	if attr != "" {
		n += 5*int(attr[0]) + int(attr[len(attr)/2])
	}
	return n % len(enumsMet)
}

func findEnum(object, attr string) ocsf.Enum {
	if object != "" {
		a, _ := ocsf.ObjectAttribute(object, attr)
		return a.Enum
	}
	for _, name := range enumClasses {
		if c, ok := ocsf.ClassByName(name); ok {
			if a, ok := c.Attribute(attr); ok && len(a.Enum) > 0 {
				if attr == "status_id" && name == "detection_finding" {
					continue // findings have a life cycle of their own
				}
				return a.Enum
			}
		}
	}
	return nil
}

// snake is a caption as rules write it: lower case, words joined by underscores.
func snake(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	return strings.TrimSuffix(b.String(), "_")
}
