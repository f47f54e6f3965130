package correlate

import (
	"iter"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// layout remembers how the raw fields of one kind of event and those of an index go together: events of one kind have the same names.
type layout struct {
	x       *index
	names   []string     // Of the event's fields; not its memory.
	own     []int32      // By field of the event: the place in index.raws; −1: none.
	absent  []int32      // Postings that fields hold by being absent.
	repeats []recurrence // By field of the event.
	events  uint32
	credit  int8 // Rises with every event of the kind and falls with every other one that comes to this slot.
}

// Events of more fields than maxLayout have no layout: their names may differ every time.
const (
	layoutSlots = 256
	maxLayout   = 128
	maxCredit   = 16
)

// layoutOf is the layout for an event's raw fields; nil where there is none, or one of another kind that is still in use.
func (c *candidates) layoutOf(x *index, raw []event.RawField) *layout {
	if len(raw) > maxLayout {
		return nil
	}
	if c.layouts == nil {
		c.layouts = make([]layout, layoutSlots)
	}
	hash := uint32(len(x.targets))*31 + uint32(len(x.postings))
	for _, name := range [...]string{raw[0].Name, raw[len(raw)/2].Name, raw[len(raw)*3/4].Name, raw[len(raw)-1].Name} {
		hash = (hash + uint32(len(name))) * 0x9E3779B1
		if name != "" {
			hash += uint32(name[0])<<8 + uint32(name[len(name)-1])
		}
	}
	hash = (hash + uint32(len(raw))) * 0x9E3779B1
	l := &c.layouts[hash>>24%layoutSlots]
	if l.fits(x, raw) {
		l.credit = min(l.credit+1, maxCredit)
		return l
	}
	if l.credit--; l.credit >= 0 {
		return nil
	}
	l.learn(x, raw)
	return l
}

func (l *layout) fits(x *index, raw []event.RawField) bool {
	if l.x != x || len(l.names) != len(raw) {
		return false
	}
	for i := range raw {
		if l.names[i] != raw[i].Name {
			return false
		}
	}
	return true
}

func (l *layout) learn(x *index, raw []event.RawField) {
	*l = layout{x: x, names: l.names[:0], own: l.own[:0], absent: l.absent[:0], repeats: l.repeats[:0]}
	for j, at := range pairs(x.raws, raw) {
		if j >= 0 {
			l.names, l.own = append(l.names, strings.Clone(raw[j].Name)), append(l.own, int32(at))
			l.repeats = append(l.repeats, mayRecur)
			continue
		}
		l.absent = x.raws[at].absent(l.absent)
	}
}

// pairs goes through the raw fields of an index and those of an event together; both are sorted by name. It yields the places of a field in the event
// and in the index, −1 for one that it is not in.
func pairs(raws []textIndex, raw []event.RawField) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		i := 0
		for j := range raw {
			at := -1
			for ; i < len(raws); i++ {
				order := strings.Compare(raws[i].name, raw[j].Name)
				if order < 0 {
					if !yield(-1, i) {
						return
					}
					continue
				}
				if order == 0 {
					at = i
					i++
				}
				break
			}
			if !yield(j, at) {
				return
			}
		}
		for ; i < len(raws); i++ {
			if !yield(-1, i) {
				return
			}
		}
	}
}
