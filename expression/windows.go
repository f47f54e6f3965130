package expression

// windows remembers which windows are open for the event at hand: half of the rules about robots ask whether theirs is being maintained.
type windows struct {
	answers [4]windowAnswer
	known   int  // How many of answers there are.
	told    bool // Somebody says when the event is another one.
}

type windowAnswer struct {
	kind, entity string
	at           int64
	open         bool
}

func (w *windows) next() {
	clear(w.answers[:w.known]) // Their texts may be an event's.
	w.known, w.told = 0, true
}

// inWindow is Lookups.InWindow.
func (f *frame) inWindow(kind, entity string, at int64) bool {
	w := &f.windows
	for i := range w.known {
		if a := &w.answers[i]; a.at == at && a.entity == entity && a.kind == kind {
			return a.open
		}
	}
	open := f.look.InWindow(kind, entity, at)
	if w.told && w.known < len(w.answers) {
		w.answers[w.known] = windowAnswer{kind, entity, at, open}
		w.known++
	}
	return open
}
