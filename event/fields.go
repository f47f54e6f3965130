package event

import (
	"strings"
	"sync"
)

// derived are the fields that follow from others: names of the class, envelope and entities.
var derived = []Field{
	{Path: "class_name", Kind: KindString, Doc: "Short name of the class, such as authentication.", Flags: Derived, Str: func(e *Event) string { return ClassName(e.ClassUID) }},
	{Path: "type_uid", Kind: KindInt, Doc: "class_uid × 100 + activity_id.", Flags: Derived, Num: func(e *Event) (int64, bool) { return e.TypeUID(), true }},
	{Path: "source", Kind: KindString, Doc: "Configured source the record came from.", Flags: Derived, Str: func(e *Event) string { return e.Envelope.Position.Source }},
	{Path: "format", Kind: KindString, Doc: "Format that decoded the record.", Flags: Derived, Str: func(e *Event) string { return e.Envelope.Format }},
	{Path: "site", Kind: KindString, Doc: "Plant the source belongs to.", Flags: Derived, Str: func(e *Event) string { return e.Envelope.Site }},
	{Path: "entities.user", Kind: KindString, Doc: "Canonical id of the primary user.", Flags: Derived, Str: primary(EntityUser)},
	{Path: "entities.robot", Kind: KindString, Doc: "Canonical id of the primary robot.", Flags: Derived, Str: primary(EntityRobot)},
	{Path: "entities.device", Kind: KindString, Doc: "Canonical id of the primary device.", Flags: Derived, Str: primary(EntityDevice)},
	{Path: "entities.ip", Kind: KindString, Doc: "Primary address.", Flags: Derived, Str: primary(EntityIP)},
	{Path: "entities.session", Kind: KindString, Doc: "Canonical id of the primary session.", Flags: Derived, Str: primary(EntitySession)},
}

func primary(kind EntityKind) func(*Event) string {
	return func(e *Event) string { return e.PrimaryEntity(kind, RoleNone) }
}

var index = sync.OnceValue(func() map[string]*Field {
	all := Fields()
	m := make(map[string]*Field, len(all))
	for i := range all {
		m[all[i].Path] = &all[i]
	}
	return m
})

var all = sync.OnceValue(func() []Field { return append(fieldTable[:len(fieldTable):len(fieldTable)], derived...) })

// Fields lists every field in the order of the struct, then the derived ones. The slice is shared: do not change it.
func Fields() []Field { return all() }

// FieldByPath finds a field; nil if there is none.
func FieldByPath(path string) *Field { return index()[path] }

// TypeUID is OCSF type_uid. It needs 64 bits: extension classes exceed 32.
func (e *Event) TypeUID() int64 { return int64(e.ClassUID)*100 + int64(e.ActivityID) }

// ClassKey names class and activity as rules do, such as authentication.logon or robot_state.mode_change.
func (e *Event) ClassKey() string {
	return strings.TrimSuffix(ClassName(e.ClassUID)+"."+ActivityKey(e.ClassUID, e.ActivityID, e.Activity), ".")
}
