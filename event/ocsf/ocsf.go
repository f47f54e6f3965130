// Package ocsf knows the OCSF 1.8.0 schema together with the Tocsin robot and
// OT extension: its classes, attributes and enumerations as tables, and a
// validator for whole events.
//
// The tables are generated from the compiled schema and from the extension's
// own files; the schema itself is not shipped. All tables are read-only and
// safe for use from several goroutines.
package ocsf

import (
	"cmp"
	"slices"
	"strings"
)

//go:generate go run ./internal/gen -extension ../../docs/ocsf-extension -out tables_gen.go

// Version is the schema version the tables were made from and the only value
// of metadata.version that validates.
const Version = "1.8.0"

// A Class is one event class.
type Class struct {
	// UID is class_uid. Extension classes are (extension*100+category)*1000+n.
	UID uint32
	// Name is the short name of the schema, such as "authentication" or
	// "robot_state". Classes of OCSF's own platform extensions keep their
	// prefix, such as "win/registry_key_activity".
	Name         string
	Caption      string
	CategoryUID  uint8
	CategoryName string
	// Extension is the name of the extension that defines the class, or "".
	Extension string
	// Activities are sorted by ID and include 0 Unknown and 99 Other.
	Activities []Activity

	structure uint16
}

// An Activity is one value of a class's activity_id.
type Activity struct {
	ID      uint8
	Caption string
	// Key is the snake-cased caption, as in "authentication.service_ticket_request".
	Key string
}

// Classes returns all classes sorted by UID. The slice is shared: read only.
func Classes() []Class { return classes[:] }

// ClassByUID finds a class by class_uid.
func ClassByUID(uid uint32) (*Class, bool) {
	i, ok := slices.BinarySearchFunc(classes[:], uid, func(c Class, uid uint32) int { return cmp.Compare(c.UID, uid) })
	if !ok {
		return nil, false
	}
	return &classes[i], true
}

// ClassByName finds a class by its short name, in the exact spelling.
func ClassByName(name string) (*Class, bool) {
	i, ok := slices.BinarySearchFunc(classesByName[:], name, func(i uint8, name string) int { return strings.Compare(classes[i].Name, name) })
	if !ok {
		return nil, false
	}
	return &classes[classesByName[i]], true
}

// TypeUID returns type_uid. It exceeds 32 bits for extension classes.
func (c *Class) TypeUID(activity uint8) int64 { return int64(c.UID)*100 + int64(activity) }

// Activity finds an activity by its ID.
func (c *Class) Activity(id uint8) (Activity, bool) {
	i, ok := slices.BinarySearchFunc(c.Activities, id, func(a Activity, id uint8) int { return cmp.Compare(a.ID, id) })
	if !ok {
		return Activity{}, false
	}
	return c.Activities[i], true
}

// ActivityByKey finds an activity by its snake-cased caption.
func (c *Class) ActivityByKey(key string) (Activity, bool) {
	for _, a := range c.Activities {
		if a.Key == key {
			return a, true
		}
	}
	return Activity{}, false
}

// Allows reports whether the class defines the top-level attribute. An
// attribute that a profile brings is allowed only in events that name the
// profile; Attribute tells which.
func (c *Class) Allows(attr string) bool {
	_, ok := find(&structures[c.structure], attr)
	return ok
}

// Attribute resolves a dotted path such as "src_endpoint.ip" from the class.
// Arrays are walked through without an index: "resources.uid".
func (c *Class) Attribute(path string) (Attribute, bool) {
	return resolve(&structures[c.structure], path)
}

// Attributes returns the class's top-level attributes sorted by name. It
// allocates; use it for documentation and construction, not per event.
func (c *Class) Attributes() []Attribute { return structures[c.structure].list() }

// Objects returns the names of all objects, sorted.
func Objects() []string {
	names := make([]string, len(objectsByName))
	for i, s := range objectsByName {
		names[i] = structures[s].name
	}
	return names
}

// ObjectAttribute resolves a dotted path from an object, such as ("device",
// "os.type_id").
func ObjectAttribute(object, path string) (Attribute, bool) {
	i, ok := findObject(object)
	if !ok {
		return Attribute{}, false
	}
	return resolve(&structures[i], path)
}

// ObjectAttributes returns the attributes of an object sorted by name, or nil
// for an object the schema does not define. It allocates.
func ObjectAttributes(object string) []Attribute {
	i, ok := findObject(object)
	if !ok {
		return nil
	}
	return structures[i].list()
}

func findObject(name string) (uint16, bool) {
	i, ok := slices.BinarySearchFunc(objectsByName[:], name, func(i uint16, name string) int { return strings.Compare(structures[i].name, name) })
	if !ok {
		return 0, false
	}
	return objectsByName[i], true
}

// An Attribute is what the schema says about one member of a class or object.
type Attribute struct {
	Name string
	// Type is the dictionary type, such as "string_t" or "ip_t", or "object_t".
	Type string
	// Object is the object's name where Type is "object_t".
	Object string
	// Array says that the value is an array of Type.
	Array       bool
	Required    bool
	Recommended bool
	// Sibling names the attribute that carries the caption of an enumeration.
	Sibling string
	// Observable is the observable type_id of the value, or 0.
	Observable uint8
	// Profiles lists the profiles that bring the attribute; empty means that it
	// belongs to the class or object itself.
	Profiles []string
	// Deprecated is the schema's advice for a deprecated attribute, or "".
	Deprecated string
	// Enum holds the values of an integer enumeration; it is empty otherwise.
	Enum Enum
}

// An Enum is an integer enumeration, sorted by ID.
type Enum []EnumValue

// An EnumValue is one value of an enumeration.
type EnumValue struct {
	ID         int64
	Caption    string
	Deprecated string
}

// Caption returns the caption of an id.
func (e Enum) Caption(id int64) (string, bool) {
	if i, ok := e.find(id); ok {
		return e[i].Caption, true
	}
	return "", false
}

// ID returns the id of a caption, compared without case.
func (e Enum) ID(caption string) (int64, bool) {
	for i := range e {
		if strings.EqualFold(e[i].Caption, caption) {
			return e[i].ID, true
		}
	}
	return 0, false
}

func (e Enum) find(id int64) (int, bool) {
	if id >= 0 && id < int64(len(e)) && e[id].ID == id {
		return int(id), true
	}
	return slices.BinarySearchFunc(e, id, func(v EnumValue, id int64) int { return cmp.Compare(v.ID, id) })
}
