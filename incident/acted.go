package incident

import (
	"maps"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// What was done is remembered for so long, so that an action that comes twice is carried out once; by the times of the actions themselves, in
// microseconds, since this follows from the log alone. A repeat that comes later still names a revision that the incident has left.
const (
	actedFor   = 30 * actedSweep
	actedSweep = 24 * 60 * 60 * 1_000_000
)

// acted are the ids of the actions that were carried out, each with its time.
type acted struct {
	at            map[event.ID]int64
	latest, swept int64
}

func (x *acted) has(id event.ID) bool {
	_, there := x.at[id]
	return there
}

// note remembers an action, and once a day forgets the old ones.
func (x *acted) note(id event.ID, at int64) {
	if x.at == nil {
		x.at = map[event.ID]int64{}
	}
	x.at[id], x.latest = at, max(x.latest, at)
	if x.latest-x.swept < actedSweep {
		return
	}
	x.swept = x.latest
	maps.DeleteFunc(x.at, func(_ event.ID, at int64) bool { return at < x.latest-actedFor })
}

// actedState is what a snapshot keeps: ids in order, and their times.
type actedState struct {
	Times         []int64 `json:",omitempty"`
	Latest, Swept int64   `json:",omitzero"`
}

func (x *acted) state() ([]event.ID, actedState) {
	ids := slices.SortedFunc(maps.Keys(x.at), event.ID.Compare)
	st := actedState{Latest: x.latest, Swept: x.swept}
	for _, id := range ids {
		st.Times = append(st.Times, x.at[id])
	}
	return ids, st
}

// restore takes what state gave. Snapshots of before times were kept have none: those actions count as done when the newest incident changed.
func (x *acted) restore(ids []event.ID, st actedState, incidents []*Incident) {
	*x = acted{at: make(map[event.ID]int64, len(ids)), latest: st.Latest, swept: st.Swept}
	newest := int64(0)
	for _, in := range incidents {
		newest = max(newest, in.Updated)
	}
	for i, id := range ids {
		x.at[id] = newest
		if len(st.Times) == len(ids) {
			x.at[id] = st.Times[i]
		}
	}
}
