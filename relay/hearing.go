package relay

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// Silence is how long something is believed after it was last said, in microseconds of our clock: a source that no frame has named for so
// long is no longer configured; and a mark so much younger than what a newer generation last said is believed, since a group that is made
// anew counts its generations from the start.
const Silence = 10 * 60 * 1_000_000

// hearing is what a partition has heard of event time: the roster of sources and the newest mark of each of their partitions. It is a fold
// of frames; nothing in it depends on a clock.
type hearing struct {
	Marks  []heardMark   // By (source, partition).
	Roster []heardSource // By source.
	Sent   []heardMember // By member: the rules its frames were matched by.
	out    []event.Mark
}

// heardMark is the greatest Newest and, of whom is believed about the rest, what they said last.
type heardMark struct {
	SentMark
	Said  int64 // Newest, as they said it.
	Frame int64 // Received of the frame in which they did, our clock.
}

type heardSource struct {
	Partitions
	Named int64 // Greatest Received of the frames that named it, our clock.
}

// heardMember is an ingest member and the rules it said it goes by.
type heardMember struct {
	Member string
	Rules  string
	Frame  int64 // Greatest Received of its frames, our clock.
}

// matched notes the rules of a frame, and forgets members that have been silent for long.
func (h *hearing) matched(f *Frame) {
	i, known := slices.BinarySearchFunc(h.Sent, f.Member, func(m heardMember, name string) int { return strings.Compare(m.Member, name) })
	if !known {
		h.Sent = slices.Insert(h.Sent, i, heardMember{Member: strings.Clone(f.Member)})
	}
	if m := &h.Sent[i]; f.Received >= m.Frame {
		m.Frame = f.Received
		if m.Rules != f.Rules {
			m.Rules = strings.Clone(f.Rules)
		}
	}
	h.Sent = slices.DeleteFunc(h.Sent, func(m heardMember) bool { return f.Received-m.Frame > Silence })
}

// behind names the members that go by other rules.
func (h *hearing) behind(rules string) (out []string) {
	for _, m := range h.Sent {
		if m.Rules != rules && m.Rules != "" {
			out = append(out, m.Member)
		}
	}
	return out
}

// hear takes in what a frame says.
func (h *hearing) hear(f *Frame) {
	h.matched(f)
	for i := range f.Roster {
		h.name(&f.Roster[i], f.Received)
	}
	for i := range f.Marks {
		h.mark(&f.Marks[i], f.Received)
	}
	gone := func(s heardSource) bool { return f.Received-s.Named > Silence }
	if slices.ContainsFunc(h.Roster, gone) {
		h.Roster = slices.DeleteFunc(h.Roster, gone)
		h.Marks = slices.DeleteFunc(h.Marks, func(m heardMark) bool {
			_, known := h.source(m.Source)
			return !known
		})
	}
}

func (h *hearing) source(name string) (int, bool) {
	return slices.BinarySearchFunc(h.Roster, name, func(s heardSource, name string) int { return strings.Compare(s.Source, name) })
}

// name notes that a source is configured. Topics grow and never shrink, so that of two counts the greater is the later.
func (h *hearing) name(p *Partitions, received int64) {
	i, known := h.source(p.Source)
	if !known {
		h.Roster = slices.Insert(h.Roster, i, heardSource{Partitions: Partitions{Source: strings.Clone(p.Source)}})
	}
	s := &h.Roster[i]
	s.Count, s.Named = max(s.Count, p.Count), max(s.Named, received)
}

// mark merges a mark with what was known of its partition. The greatest Newest ever said holds, whoever said it: a member has sent every hit
// up to it before. Whether the partition is idle is for the newest speaker to say.
func (h *hearing) mark(m *SentMark, received int64) {
	i, known := slices.BinarySearchFunc(h.Marks, m, func(a heardMark, b *SentMark) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), cmp.Compare(a.Partition, b.Partition))
	})
	if !known {
		x := heardMark{SentMark: *m, Said: m.Newest, Frame: received}
		x.Source = strings.Clone(m.Source)
		h.Marks = slices.Insert(h.Marks, i, x)
		return
	}
	last := &h.Marks[i]
	if m.later(last, received) {
		last.Idle, last.Generation, last.Said, last.Frame = m.Idle, m.Generation, m.Newest, received
	}
	if m.Newest > last.Newest {
		last.Newest, last.Received = m.Newest, m.Received
	}
}

// later reports whether m speaks after what was heard last: frames may come again, and from members that no longer own the partition.
func (m *SentMark) later(last *heardMark, received int64) bool {
	if m.Generation != last.Generation {
		return m.Generation > last.Generation || received-last.Frame > Silence
	}
	return cmp.Or(cmp.Compare(m.Newest, last.Said), cmp.Compare(received, last.Frame)) >= 0
}

// marks are the marks of all partitions in the roster, for Engine.Fold; nil, which holds event time where it is, while one is missing. The
// result is valid until the next call.
func (h *hearing) marks() []event.Mark {
	h.out = h.out[:0]
	next := 0
	for _, s := range h.Roster {
		have := int32(0)
		for ; next < len(h.Marks) && h.Marks[next].Source <= s.Source; next++ {
			if m := &h.Marks[next]; m.Source == s.Source {
				h.out = append(h.out, m.Mark)
				if m.Partition >= 0 && m.Partition < s.Count {
					have++
				}
			}
		}
		if have < s.Count {
			return nil
		}
	}
	return h.out
}

// missing names the partitions in the roster that nobody has spoken for, at most limit of them.
func (h *hearing) missing(limit int) (out []event.Position) {
	for _, s := range h.Roster {
		for n := int32(0); n < s.Count && len(out) < limit; n++ {
			if !slices.ContainsFunc(h.Marks, func(m heardMark) bool { return m.Source == s.Source && m.Partition == n }) {
				out = append(out, event.Position{Source: s.Source, Partition: n})
			}
		}
	}
	return out
}
