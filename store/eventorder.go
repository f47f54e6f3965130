package store

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// eventOrder puts events into the order of the sorting key of the table of events: hour, class, time, id. The server looks whether rows are in order
// before it sorts them; where they are not, it writes every column once more.
type eventOrder struct {
	keys  []orderKey
	order []int32
}

type orderKey struct {
	group uint64 // Hour and class.
	time  int64
	at    int32
}

// of says in which order events go into the table. It holds until the next call.
func (o *eventOrder) of(events []event.Event) []int32 {
	o.keys, o.order = o.keys[:0], o.order[:0]
	for i := range events {
		x := &events[i]
		o.keys = append(o.keys, orderKey{uint64(hourOf(x.Time))<<32 | uint64(x.ClassUID), x.Time, int32(i)})
	}
	slices.SortFunc(o.keys, func(a, b orderKey) int {
		if a.group != b.group {
			return cmp.Compare(a.group, b.group)
		}
		if a.time != b.time {
			return cmp.Compare(a.time, b.time)
		}
		if c := bytes.Compare(events[a.at].Envelope.ID[:], events[b.at].Envelope.ID[:]); c != 0 {
			return c
		}
		return cmp.Compare(a.at, b.at)
	})
	for _, k := range o.keys {
		o.order = append(o.order, k.at)
	}
	return o.order
}
