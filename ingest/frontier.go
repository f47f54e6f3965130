package ingest

import (
	"cmp"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// How far ahead an event may be stamped before it is flagged future (docs/rules.md, N1), and how many must agree for a file's frontier to jump.
const (
	aheadOfClock  = 5 * 60 * 1_000_000  // microseconds ahead of the receive time
	aheadOfSource = 60 * 60 * 1_000_000 // microseconds ahead of a file's own frontier
	agreement     = 10
)

// frontier follows the newest event time of one partition of a source.
type frontier struct {
	mark    event.Mark // Received is our clock at the last record.
	isFile  bool
	ahead   []int64 // times of the file's events that are ahead, while fewer than ten agree
	round   int     // of frontiers, when the partition was last owned
	drained bool    // nothing more was there when the partition was last read
	end     int64   // where reading has come to
}

// partition names a partition: Source as in positions.
type partition struct {
	source string
	number int32
}

// frontiers are those of one input. An input without partitions has one, under its own name and number 0.
type frontiers struct {
	known   map[partition]*frontier // every partition there ever was: one that comes back has not forgotten its event time
	owned   []*frontier             // those that have marks, by source and number
	last    *frontier               // the one looked up last: records of a partition come in runs
	lastKey partition
	round   int
	changed bool // other partitions are owned than were
}

// follow makes the frontiers of owned the ones that have marks. What is new starts silent at now, with the event time of the last run's mark.
func (f *frontiers) follow(in *Input, owned []event.End, before []event.Mark, now int64) {
	f.changed = f.changed || len(f.owned) != len(owned)
	f.owned = f.owned[:0]
	f.round++
	for _, e := range owned {
		x := f.get(in, partition{e.Source, e.Partition}, before, now)
		if x.round != f.round-1 { // Somebody else may have read it until now.
			x.mark.Received, f.changed = now, true
		}
		if e.Offset < x.end && e.Offset >= 0 { // It is read again, for it was given up before it was durable: its event time has not been reached yet.
			x.mark.Newest, x.ahead = 0, nil
		}
		x.round, x.drained, x.end = f.round, e.Drained, e.Offset
		f.owned = append(f.owned, x)
	}
	slices.SortFunc(f.owned, func(a, b *frontier) int { return compareMarks(a.mark, b.mark) })
}

// get is the frontier of a partition, made if there is none.
func (f *frontiers) get(in *Input, key partition, before []event.Mark, now int64) *frontier {
	if f.last != nil && f.lastKey == key {
		return f.last
	}
	x := f.known[key]
	if x == nil {
		x = &frontier{isFile: in.IsFile, mark: event.Mark{Source: key.source, Partition: key.number, Received: now}}
		for _, m := range before {
			if m.Source == key.source && m.Partition == key.number {
				x.mark.Newest = m.Newest
			}
		}
		if f.known == nil {
			f.known = map[partition]*frontier{}
		}
		f.known[key] = x
	}
	f.last, f.lastKey = x, key
	return x
}

// newest is how far the input has come as a whole: the least of what it owns.
func (f *frontiers) newest() int64 {
	if len(f.owned) == 0 {
		return 0
	}
	return slices.MinFunc(f.owned, func(a, b *frontier) int { return cmp.Compare(a.mark.Newest, b.mark.Newest) }).mark.Newest
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

// marks are the frontiers of all inputs, by source and partition.
func marks(inputs []*input) []event.Mark {
	var out []event.Mark
	for _, in := range inputs {
		for _, f := range in.frontiers.owned {
			out = append(out, f.mark)
		}
	}
	slices.SortFunc(out, compareMarks)
	return out
}

func compareMarks(a, b event.Mark) int {
	return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Partition, b.Partition))
}
