package ingest

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// How far ahead an event may be stamped before it is flagged future (contracts N1), and how many must agree for a file's frontier to jump.
const (
	aheadOfClock  = 5 * 60 * 1_000_000  // microseconds ahead of the receive time
	aheadOfSource = 60 * 60 * 1_000_000 // microseconds ahead of a file's own frontier
	agreement     = 10
)

// frontier follows the newest event time of one source.
type frontier struct {
	mark   event.Mark
	isFile bool
	ahead  []int64 // times of the file's events that are ahead, while fewer than ten agree
}

// observe moves the frontier by one event and flags the event if it is ahead of what can be believed.
func (f *frontier) observe(e *event.Event) {
	if f.isFile {
		f.observeFile(e)
		return
	}
	if e.Time > e.Envelope.Received+aheadOfClock {
		e.Envelope.Quality |= event.Future
		return
	}
	f.mark.Newest = max(f.mark.Newest, e.Time)
}

func (f *frontier) observeFile(e *event.Event) {
	if f.mark.Newest == 0 || e.Time <= f.mark.Newest+aheadOfSource {
		f.mark.Newest = max(f.mark.Newest, e.Time)
		return
	}
	if len(f.ahead) > 0 && (e.Time < f.ahead[0]-aheadOfSource || e.Time > f.ahead[0]+aheadOfSource) {
		f.ahead = f.ahead[:0]
	}
	f.ahead = append(f.ahead, e.Time)
	if len(f.ahead) < agreement {
		e.Envelope.Quality |= event.Future
		return
	}
	f.mark.Newest = slices.Max(f.ahead)
	f.ahead = f.ahead[:0]
}

// marks are the frontiers of all inputs, by name.
func marks(inputs []*input) []event.Mark {
	out := make([]event.Mark, len(inputs))
	for i, in := range inputs {
		out[i] = in.frontier.mark
	}
	slices.SortFunc(out, func(a, b event.Mark) int { return strings.Compare(a.Source, b.Source) })
	return out
}
