package incident

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// Directory answers what the inventory knows of an entity. All methods are pure reads of one version of the tables.
type Directory interface {
	OwnerTeam(entity string) string  // it, ot, robot-operations, facilities or safety; "" if not known.
	Criticality(entity string) uint8 // 1 low to 4 critical; 0 if not known.
	Site(entity string) string       // The plant it belongs to; "" if not known.
}

// Config bounds stitching. Durations are microseconds of event time.
type Config struct {
	MaxGap   int64   // Longest silence between two findings of one incident.
	MaxSpan  int64   // Longest incident, from first to last evidence.
	Lookback int64   // How far before the first finding changes are listed.
	HubShare float64 // An entity in this share of an hour's findings is a hub …
	HubMin   int     // … if it is in at least so many.
	Flood    Flood   // The breaker of rules that have none of their own; Findings 0: none.
	Reopen   bool    // New evidence reopens a closed incident; otherwise it starts a new one.

	// Compile makes a suppression's expression into what tells the findings it is about. The same finding must get the same answer from it, in
	// every process that folds the log. nil: there are no suppressions.
	Compile func(expression string) (func(*Finding) bool, error)
}

// DefaultConfig suits a plant with tens of findings an hour.
func DefaultConfig() Config {
	const hour = 3600 * 1_000_000
	return Config{MaxGap: 2 * hour, MaxSpan: 24 * hour, Lookback: hour, HubShare: 0.25, HubMin: 8, Reopen: true}
}

// What sharing an entity weighs; a link joins at 1. A strong key alone joins, weak ones only together, and the further apart in time the
// less they count. A hub counts a quarter.
const (
	joinWeight = 1.0
	weakWeight = 0.4
	hubFactor  = 0.25
)

// tie is an entity a finding can be joined by.
type tie struct {
	id       string
	kind     event.EntityKind
	strength event.Strength
}

// ties are the joinable entities of a finding, by id: never sensors, shared accounts or context.
func ties(f *Finding) []tie {
	var out []tie
	if f.Digest != nil {
		return nil // It stands for many, and alone.
	}
	for _, ev := range f.Evidence {
		for _, x := range ev.Event.Entities {
			if x.Strength == event.Context || x.Role >= event.RoleReporter || x.Kind > event.EntityMAC {
				continue
			}
			i, found := slices.BinarySearchFunc(out, x.ID, func(t tie, id string) int { return cmp.Compare(t.id, id) })
			if found {
				out[i].strength = max(out[i].strength, x.Strength)
				continue
			}
			out = slices.Insert(out, i, tie{id: x.ID, kind: kindOf(x), strength: x.Strength})
		}
	}
	return out
}

// kindOf is the kind of what an entity turned out to be: the host name of a robot, or the hardware address of a laptop, carries the canonical
// id of the robot or the laptop, and counts as that.
func kindOf(x event.EntityRef) event.EntityKind {
	prefix, _, _ := strings.Cut(x.ID, ":")
	return cmp.Or(event.EntityKindOf(prefix), x.Kind)
}

// weight is what sharing t counts when the two findings lie gap apart.
func (t tie) weight(gap, maxGap int64) float64 {
	near := 1 - 0.5*float64(gap)/float64(max(maxGap, 1))
	switch {
	case t.kind == event.EntityIP || t.kind == event.EntityMAC:
		return weakWeight * near
	case t.strength == event.Strong:
		return joinWeight
	case t.strength == event.Medium && (t.kind == event.EntityUser || t.kind == event.EntityRobot):
		return joinWeight
	case t.strength == event.Medium:
		return 0.7 * near
	default:
		return weakWeight * near
	}
}

// gapBetween is the silence between two findings; 0 if they overlap.
func gapBetween(a, b *Finding) int64 { return max(0, a.First-b.Time, b.First-a.Time) }

// linkOf is the link of two findings, a pure function of both and of which entities are hubs; ok is false if they do not belong together.
func linkOf(a, b *Finding, ta, tb []tie, cfg Config, hub func(id string) bool) (Link, bool) {
	gap := gapBetween(a, b)
	if gap > cfg.MaxGap {
		return Link{}, false
	}
	l := Link{A: a.ID, B: b.ID}
	if a.Time > b.Time || a.Time == b.Time && a.ID.Compare(b.ID) > 0 {
		l.A, l.B = b.ID, a.ID
	}
	for i, j := 0, 0; i < len(ta) && j < len(tb); {
		switch c := cmp.Compare(ta[i].id, tb[j].id); {
		case c < 0:
			i++
		case c > 0:
			j++
		default:
			t := ta[i]
			t.strength = min(t.strength, tb[j].strength)
			s := Shared{ID: t.id, Kind: t.kind, Weight: t.weight(gap, cfg.MaxGap), Hub: hub(t.id)}
			if s.Hub {
				s.Weight *= hubFactor
			}
			l.Weight += s.Weight
			l.Shared = append(l.Shared, s)
			i++
			j++
		}
	}
	return l, l.Weight >= joinWeight
}

// hubs counts how often entities occur in the findings of each event-time hour.
type hubs struct {
	Hours []hubHour // ascending
}

type hubHour struct {
	Hour   int64
	Total  int
	Counts map[string]int
}

const hour = 3600 * 1_000_000

func (h *hubs) at(n int64) *hubHour {
	i, found := slices.BinarySearchFunc(h.Hours, n, func(x hubHour, n int64) int { return cmp.Compare(x.Hour, n) })
	if !found {
		return nil
	}
	return &h.Hours[i]
}

// total counts a finding in its hour.
func (h *hubs) total(f *Finding) {
	n := f.Time / hour
	i, found := slices.BinarySearchFunc(h.Hours, n, func(x hubHour, n int64) int { return cmp.Compare(x.Hour, n) })
	if !found {
		h.Hours = slices.Insert(h.Hours, i, hubHour{Hour: n, Counts: map[string]int{}})
	}
	h.Hours[i].Total++
	if len(h.Hours) > 50 {
		h.Hours = slices.Delete(h.Hours, 0, 1)
	}
}

// count adds by to how often an entity occurs in the hour of a finding, if that is still remembered.
func (h *hubs) count(f *Finding, id string, by int) {
	x := h.at(f.Time / hour)
	if x == nil {
		return
	}
	if x.Counts[id] += by; x.Counts[id] <= 0 {
		delete(x.Counts, id)
	}
}

// is reports whether id was a hub in the last complete hour before t.
func (h *hubs) is(id string, t int64, cfg Config) bool {
	x := h.at(t/hour - 1)
	return x != nil && x.Counts[id] >= cfg.HubMin && float64(x.Counts[id]) >= cfg.HubShare*float64(x.Total)
}
