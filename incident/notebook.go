package incident

import (
	"cmp"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// maxNotesKept bounds the notes remembered per entity; the oldest go first.
const maxNotesKept = 256

// notebook remembers what changed lately, by the entity that changed and by who changed it.
type notebook struct {
	byEntity map[string][]event.Note // by time
}

func (n *notebook) add(notes []event.Note) {
	for _, x := range notes {
		n.put(x.Entity, x)
		if x.Actor != "" && x.Actor != x.Entity {
			n.put(x.Actor, x)
		}
	}
}

func (n *notebook) put(entity string, x event.Note) {
	list := n.byEntity[entity]
	i, _ := slices.BinarySearchFunc(list, x, noteOrder)
	if i < len(list) && noteOrder(list[i], x) == 0 {
		return
	}
	list = slices.Insert(list, i, x)
	if len(list) > maxNotesKept {
		list = slices.Delete(list, 0, len(list)-maxNotesKept)
	}
	n.byEntity[entity] = list
}

func noteOrder(a, b event.Note) int {
	return cmp.Or(cmp.Compare(a.Ref.Time, b.Ref.Time), a.Ref.Event.Compare(b.Ref.Event), cmp.Compare(a.What, b.What), cmp.Compare(a.Entity, b.Entity))
}

// between lists the notes about the incident's users, robots, devices and sessions in [from, to], by time; the latest if there are too many.
func (n *notebook) between(in *Incident, from, to int64) []event.Note {
	var out []event.Note
	for _, m := range in.Entities {
		if m.Strength == event.Context || m.Kind > event.EntityDevice || m.Hub {
			continue
		}
		for _, x := range n.byEntity[m.ID] {
			if x.Ref.Time >= from && x.Ref.Time <= to {
				out = append(out, x)
			}
		}
	}
	slices.SortFunc(out, noteOrder)
	out = slices.CompactFunc(out, func(a, b event.Note) bool { return noteOrder(a, b) == 0 })
	return out[max(0, len(out)-MaxNotes):]
}

func (n *notebook) forget(before int64) {
	for entity, list := range n.byEntity {
		i := slices.IndexFunc(list, func(x event.Note) bool { return x.Ref.Time >= before })
		switch {
		case i < 0:
			delete(n.byEntity, entity)
		case i > 0:
			n.byEntity[entity] = slices.Delete(list, 0, i)
		}
	}
}
