package correlate

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// maxNotes bounds the notes of one batch; what is beyond is not noted, and the register keeps the old value, so that the next report of it is.
const maxNotes = 4096

// watchKey is one attribute of one entity.
type watchKey struct{ entity, what string }

// watchValue is what it was last seen to be, and since when: what notes tell, so that notes can rebuild it.
type watchValue struct {
	value string
	time  int64
}

// watchlist is the register of changes. It is state of the engine: part of the checkpoint, rebuilt from logged notes in between.
type watchlist struct {
	limit   int
	seen    map[watchKey]watchValue
	dropped int64 // Attributes not watched for want of room.
	out     []event.Note
	former  []event.Note // What judge gave before.
	refs    lastRef
}

func newWatchlist(limit int) *watchlist {
	return &watchlist{limit: limit, seen: map[watchKey]watchValue{}}
}

// judge gives the notes that follow from statements, in their order. They are valid until the call after the next.
func (w *watchlist) judge(list []statement) []event.Note {
	w.out, w.former = w.former, w.out
	clear(w.out)
	w.out = w.out[:0]
	for i := range list {
		if len(w.out) >= maxNotes {
			break
		}
		if s := &list[i]; s.stated {
			w.set(s)
		} else {
			w.note(s, s.what, s.prev, s.value)
		}
	}
	w.refs = lastRef{}
	return w.out
}

// set compares a value with the one last seen. Events older than its first sight are left alone: they say nothing about now.
func (w *watchlist) set(s *statement) {
	k := watchKey{s.entity, s.what}
	last, known := w.seen[k]
	if known && (s.time() < last.time || last.value == s.value) {
		return
	}
	if known && s.what == "program" && sameProgram(last.value, s.value) {
		if len(s.value) > len(last.value) {
			w.seen[k] = watchValue{strings.Clone(s.value), s.time()}
			w.note(s, FirstSeen+s.what, "", s.value)
		}
		return
	}
	if !known {
		if len(w.seen) >= w.limit {
			w.dropped++
			return
		}
		k = watchKey{strings.Clone(s.entity), strings.Clone(s.what)}
	}
	w.seen[k] = watchValue{strings.Clone(s.value), s.time()}
	switch {
	case known:
		w.note(s, s.what, last.value, s.value)
	case s.prev != "" && s.prev != s.value:
		w.note(s, s.what, s.prev, s.value)
	default:
		w.note(s, FirstSeen+s.what, "", s.value)
	}
}

// sameProgram reports whether one name is the other without (part of) its folder: a robot's state often names only the file of what was
// loaded by its path. Files of one name in two folders differ.
func sameProgram(a, b string) bool {
	if len(a) < len(b) {
		a, b = b, a
	}
	folder, within := strings.CutSuffix(a, b)
	return within && b != "" && (strings.HasSuffix(folder, "/") || strings.HasSuffix(folder, "\\"))
}

func (w *watchlist) note(s *statement, what, prev, value string) {
	w.out = append(w.out, s.note(&w.refs, what, prev, value))
}

// learn takes logged notes in, as if their events had been looked at again.
func (w *watchlist) learn(notes []event.Note) {
	for i := range notes {
		n := &notes[i]
		what := strings.TrimPrefix(n.What, FirstSeen)
		k := watchKey{n.Entity, what}
		last, known := w.seen[k]
		if n.Ref == nil || !registered(what) || n.Prev == "" && what == n.What || !known && len(w.seen) >= w.limit || known && n.Ref.Time < last.time {
			continue
		}
		w.seen[k] = watchValue{n.Value, n.Ref.Time}
	}
}

// registered reports whether notes of that name are about a value that is remembered.
func registered(what string) bool {
	is := func(a watched) bool { return a.what == what }
	return strings.HasPrefix(what, "software ") || slices.ContainsFunc(robotAttributes, is) || slices.ContainsFunc(postureAttributes, is) || slices.ContainsFunc(deviceAttributes, is)
}
