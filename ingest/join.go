package ingest

import (
	"bytes"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// How long a message waits for the rest of its segments, and how many messages may wait at once.
const (
	segmentPatience = 30_000_000 // microseconds of receive time
	maxSplit        = 1024
)

// joiner puts messages together again that a source split over several records, such as Cisco ISE's. What waits travels in every batch
// as Carry, so a restart loses nothing.
type joiner struct {
	segment format.Segment
	open    []*split // oldest first
}

type split struct {
	key   string
	total int
	have  int
	parts []event.Record // by segment index; Value nil where missing
	since int64
}

// join replaces segments in records[from:] by whole messages; a message stands where its last segment stood.
func (j *joiner) join(records []event.Record, from int) []event.Record {
	out := records[:from]
	for _, r := range records[from:] {
		key, index, total, _, ok := j.segment(&r)
		if !ok || total <= 1 || index < 0 || index >= total || total > 256 {
			out = append(out, r)
			continue
		}
		if whole, ok := j.add(&r, key, index, total); ok {
			out = append(out, whole)
		}
	}
	return out
}

func (j *joiner) add(r *event.Record, key string, index, total int) (event.Record, bool) {
	i := slices.IndexFunc(j.open, func(s *split) bool { return s.key == key && s.total == total })
	if i < 0 {
		j.open = append(j.open, &split{key: key, total: total, parts: make([]event.Record, total), since: r.Received})
		i = len(j.open) - 1
	}
	s := j.open[i]
	if s.parts[index].Value == nil {
		s.have++
	}
	s.parts[index] = *r
	if s.have < total {
		return event.Record{}, false
	}
	j.open = slices.Delete(j.open, i, i+1)
	return j.whole(s), true
}

// whole is the message of a split: the first segment's record with the bodies of the others added.
func (j *joiner) whole(s *split) event.Record {
	var out event.Record
	var text bytes.Buffer
	missing := false
	for i := range s.parts {
		p := &s.parts[i]
		if p.Value == nil {
			missing = true
			continue
		}
		if text.Len() == 0 {
			out = *p
			text.Write(p.Value)
			continue
		}
		_, _, _, body, _ := j.segment(p)
		text.Write(body)
	}
	out.Value = text.Bytes()
	out.Partial = out.Partial || missing
	return out
}

// expire gives up on messages that waited too long at now, or on all of them, and appends what there is of them, marked Partial.
func (j *joiner) expire(dst []event.Record, now int64, all bool) []event.Record {
	for len(j.open) > 0 && (all || now-j.open[0].since > segmentPatience || len(j.open) > maxSplit) {
		dst = append(dst, j.whole(j.open[0]))
		j.open = j.open[1:]
	}
	return dst
}

// carry appends the segments that wait.
func (j *joiner) carry(dst []event.Record) []event.Record {
	for _, s := range j.open {
		for i := range s.parts {
			if s.parts[i].Value != nil {
				dst = append(dst, s.parts[i])
			}
		}
	}
	return dst
}
