package correlate

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// maxStatements bounds what is taken from one batch; what events after that say of watched attributes waits for the next event that says it.
const maxStatements = 1 << 17

// statement is what an event says of a watched attribute, or that it changed something. It was read from an event, whose memory it then
// shares, or came as a note.
type statement struct {
	entity, what, prev, value string
	stated                    bool // Whether it is a change is for the register to decide.
	seq                       int32
	event                     *event.Event
	from                      *event.Note
}

func (s *statement) time() int64 {
	if s.event != nil {
		return s.event.Time
	}
	return s.from.Ref.Time
}

// lastRef keeps the ref of an event for the notes that follow each other.
type lastRef struct {
	of  *event.Event
	ref *event.Ref
}

// note makes a note that shares no memory with the event.
func (s *statement) note(refs *lastRef, what, prev, value string) event.Note {
	if s.from != nil {
		return event.Note{Entity: s.entity, What: what, Prev: prev, Value: value, Actor: s.from.Actor, Ref: s.from.Ref}
	}
	if refs.of != s.event {
		*refs = lastRef{s.event, event.RefOf(s.event)}
	}
	return event.Note{
		Entity: strings.Clone(s.entity), What: what, Prev: strings.Clone(prev), Value: strings.Clone(value),
		Actor: strings.Clone(s.event.PrimaryEntity(event.EntityUser, event.RoleActor)), Ref: refs.ref,
	}
}

// statements gathers those of one batch in the order of its events. Of a run of equal values of one attribute it keeps the first and the last: the
// first is when the value came, and the last tells a register that has seen something newer than the first.
type statements struct {
	list  []statement
	runs  map[watchKey]run
	moved bool // Some stand where an earlier one of their run stood.
	seq   int32
}

// run is where the latest statement of a run of equal values stands.
type run struct {
	at    int32
	first bool // It is also the run's first.
}

// read looks through the events of a batch. The list refers to them.
func (l *statements) read(b *event.Batch) []statement {
	l.reset()
	if l.runs == nil {
		l.runs = map[watchKey]run{}
	}
	for _, i := range b.Sorted {
		if len(l.list) >= maxStatements {
			break
		}
		l.look(&b.Events[i])
	}
	if l.moved {
		slices.SortFunc(l.list, func(a, b statement) int { return cmp.Compare(a.seq, b.seq) })
	}
	return l.list
}

// observed turns observations back into statements; such as say nothing usable are left out.
func (l *statements) observed(notes []event.Note) []statement {
	l.reset()
	for i := range notes {
		n := &notes[i]
		if n.Entity == "" || n.Ref == nil || n.Stated && n.Value == "" {
			continue
		}
		l.list = append(l.list, statement{entity: n.Entity, what: n.What, prev: n.Prev, value: n.Value, stated: n.Stated, from: n})
	}
	return l.list
}

// reset lets go of the last batch. A map keeps the room it once had, and clearing it costs that: after a large batch it is made anew.
func (l *statements) reset() {
	clear(l.list)
	if len(l.runs) > 1<<14 {
		l.runs = nil
	}
	clear(l.runs)
	l.list, l.moved, l.seq = l.list[:0], false, 0
}

func (l *statements) look(e *event.Event) {
	if e.Envelope.Quality&event.Future != 0 || e.StatusID == 2 {
		return
	}
	if e.Robot != nil {
		l.each(e, robotAttributes)
	}
	if e.Posture != nil {
		l.each(e, postureAttributes)
	}
	if slices.Contains(deviceClasses, e.ClassUID) {
		l.each(e, deviceAttributes)
	}
	if e.ClassUID == event.ClassAppLifecycle {
		l.software(e)
	}
	for i := range acts {
		a := &acts[i]
		if a.class == e.ClassUID && (len(a.activities) == 0 || slices.Contains(a.activities, e.ActivityID)) {
			l.act(e, a)
		}
	}
}

func (l *statements) each(e *event.Event, attributes []watched) {
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
		l.state(e, a.entity(e), a.what, prev, value)
	}
}

// software reads versions: of a robot's own software as firmware, of others under the name of the application.
func (l *statements) software(e *event.Event) {
	if e.App == nil || e.App.Version == "" || e.ActivityID != 1 && e.ActivityID != 8 {
		return
	}
	if robot := robotOf(e); robot != "" {
		l.state(e, robot, "firmware", e.App.PrevVersion, e.App.Version)
		return
	}
	l.state(e, deviceOf(e), "software "+cmp.Or(e.App.Name, e.App.UID), e.App.PrevVersion, e.App.Version)
}

func (l *statements) act(e *event.Event, a *act) {
	if entity := a.entity(e); entity != "" {
		l.seq++
		l.list = append(l.list, statement{entity: entity, what: a.what, value: a.value(e), seq: l.seq, event: e})
	}
}

// state adds that an attribute has a value.
func (l *statements) state(e *event.Event, entity, what, prev, value string) {
	if entity == "" {
		return
	}
	l.seq++
	s := statement{entity: entity, what: what, prev: prev, value: value, stated: true, seq: l.seq, event: e}
	k := watchKey{entity, what}
	r, ok := l.runs[k]
	same := ok && l.list[r.at].value == value
	if same && !r.first {
		l.list[r.at] = s
		l.moved = true
		return
	}
	l.runs[k] = run{at: int32(len(l.list)), first: !same}
	l.list = append(l.list, s)
}
