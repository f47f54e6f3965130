package enrich

import (
	"slices"
	"time"
)

// ScheduleInfo is one window: once (From, To) or every week, for assets, zones or sites. Its slices are shared: do not change them.
type ScheduleInfo struct {
	ID     string   // Name of the window, such as a ticket number.
	Kind   string   // What rules ask for: window("maintenance", …). maintenance where the file says nothing.
	Assets []string // Ids of the inventory, without the kind; * for every entity.
	Zones  []string // Zone names.
	Sites  []string // Plants.
	From   int64    // Microseconds; 0 for weekly windows.
	To     int64    // Microseconds, exclusive.
	Note   string   // Why; not used.

	weekly []*hours
}

func scheduleColumns() []column[ScheduleInfo] {
	return []column[ScheduleInfo]{
		name("id", func(s *ScheduleInfo) *string { return &s.ID }),
		name("kind", func(s *ScheduleInfo) *string { return &s.Kind }),
		names("assets", func(s *ScheduleInfo) *[]string { return &s.Assets }),
		names("zones", func(s *ScheduleInfo) *[]string { return &s.Zones }),
		names("sites", func(s *ScheduleInfo) *[]string { return &s.Sites }),
		instant("from", func(s *ScheduleInfo) *int64 { return &s.From }),
		instant("to", func(s *ScheduleInfo) *int64 { return &s.To }),
		{name: "weekly", list: true, set: setWeekly},
		text("note", func(s *ScheduleInfo) *string { return &s.Note }),
	}
}

func instant(label string, at func(*ScheduleInfo) *int64) column[ScheduleInfo] {
	return column[ScheduleInfo]{name: label, set: func(s *ScheduleInfo, v []string) fault {
		t, err := time.Parse(time.RFC3339, v[0])
		if err != nil {
			return fault{quote(v[0]) + " is not a time with its zone", "write it as 2026-11-21T22:00:00+01:00"}
		}
		*at(s) = t.UnixMicro()
		return fault{}
	}}
}

func setWeekly(s *ScheduleInfo, vs []string) fault {
	for _, v := range vs {
		h, f := parseHours(v)
		if f != (fault{}) {
			return f
		}
		s.weekly = append(s.weekly, h)
	}
	return fault{}
}

// contains reports whether the instant, in microseconds, is inside the window.
func (s *ScheduleInfo) contains(at int64) bool {
	if s.To != 0 {
		return at >= s.From && at < s.To
	}
	return anyContains(s.weekly, at)
}

// scope says what the windows of one kind are for: an asset (canonical id or, where the inventory is empty, the bare one), zone, site or everything.
type scope uint8

// The scopes of a window.
const (
	scopeAsset scope = iota
	scopeZone
	scopeSite
	scopeAll
	scopes
)

// windows are those of one kind: by scope and name the places of their schedules.
type windows [scopes]map[string][]int32

// addSchedules builds the windows. Zones and assets must have been added before.
func (b *builder) addSchedules(rows []placed[ScheduleInfo], rep *report) {
	ids := newIndex[string]("id")
	b.t.windows = map[string]*windows{}
	for i := range rows {
		s, line := rows[i].row, rows[i].line
		rep.muted = rows[i].bad
		if s.Kind == "" {
			s.Kind = "maintenance"
		}
		if !b.completeSchedule(&s, line, rep) {
			continue
		}
		at := int32(len(b.t.schedules))
		ids.add(rep, claim{at, line, s.ID}, "id", s.ID)
		for _, a := range s.Assets {
			b.openWindow(at, s.Kind, scopeAsset, a)
		}
		for _, z := range s.Zones {
			b.openWindow(at, s.Kind, scopeZone, z)
		}
		for _, p := range s.Sites {
			b.openWindow(at, s.Kind, scopeSite, p)
		}
		b.t.schedules = append(b.t.schedules, s)
	}
}

func (b *builder) openWindow(at int32, kind string, of scope, name string) {
	if name == "*" {
		of = scopeAll
	}
	if n, ok := b.t.assetNames[name]; ok && of == scopeAsset {
		name = b.t.assets[n].ID
	}
	w := b.t.windows[kind]
	if w == nil {
		w = &windows{}
		b.t.windows[kind] = w
	}
	if w[of] == nil {
		w[of] = map[string][]int32{}
	}
	w[of][name] = append(w[of][name], at)
}

func (b *builder) completeSchedule(s *ScheduleInfo, line int, rep *report) bool {
	once := s.From != 0 || s.To != 0
	switch {
	case s.ID == "":
		rep.add(line, "id", "is missing", "give every window an id, such as a ticket number")
	case len(s.Assets)+len(s.Zones)+len(s.Sites) == 0:
		rep.add(line, "assets", "window "+s.ID+" is for nothing", "write assets, zones or sites; assets: \"*\" for everything")
	case once == (len(s.weekly) > 0):
		rep.add(line, "weekly", "window "+s.ID+" must be either once or weekly", "write from and to, or weekly")
	case once && (s.From == 0 || s.To == 0 || s.To <= s.From):
		rep.add(line, "to", "window "+s.ID+" has no end after its start", "write both from and to, the earlier one first")
	default:
		return b.knownScope(s, line, rep)
	}
	return false
}

// knownScope refuses a window for something no table knows: a typo would silently excuse nothing.
func (b *builder) knownScope(s *ScheduleInfo, line int, rep *report) bool {
	ok := true
	for _, a := range s.Assets {
		if _, known := b.t.assetNames[a]; b.assetsKnown && a != "*" && !known {
			rep.add(line, "assets", quote(a)+" is not in the inventory", nearHint(a, b.assetIDs()))
			ok = false
		}
	}
	for _, z := range s.Zones {
		if b.zonesKnown && z != "*" && !b.hasZone(z) {
			rep.add(line, "zones", quote(z)+" is not in the zones file", oneOf(z, b.zoneNames()))
			ok = false
		}
	}
	for _, p := range s.Sites {
		if b.assetsKnown && p != "*" && !slices.Contains(b.sites, p) {
			rep.add(line, "sites", "no asset stands at site "+quote(p), oneOf(p, b.sites))
			ok = false
		}
	}
	return ok
}

func nearHint(s string, words []string) string {
	if near := nearest(s, words); near != "" {
		return "did you mean " + near + "?"
	}
	return "add it there or correct the id"
}

func (b *builder) assetIDs() []string {
	var out []string
	for i := range b.t.assets {
		out = append(out, bareID(b.t.assets[i].ID))
	}
	return out
}
