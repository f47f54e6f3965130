package app

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
)

// Counters of sources slide over ten slots of half a minute.
const (
	slots     = 10
	slotWidth = 30 * time.Second
)

// sourceCounts is what a source sent lately. It is counted batch by batch, behind the pipeline.
type sourceCounts struct {
	slots   [slots]slotCounts
	began   time.Time // When it was first seen.
	last    time.Time // When something came last.
	newest  int64     // The newest event time, microseconds.
	events  int64     // Since the start, as are rejects.
	rejects int64
}

// slotCounts is half a minute of a source.
type slotCounts struct {
	number        int64 // Which half minute since 1970.
	events        int64
	rejects       int64
	least, lately int64 // The least delay between event and receipt, and that of the last event, microseconds.
}

// slot is the one of an instant, emptied if it was of an earlier round.
func (c *sourceCounts) slot(now time.Time) *slotCounts {
	n := now.UnixNano() / int64(slotWidth)
	s := &c.slots[n%slots]
	if s.number != n {
		*s = slotCounts{number: n, least: math.MaxInt64}
	}
	return s
}

// count adds a batch to the counters of its sources; the caller holds the board's lock. Events of a source stand together, so the map is
// rarely asked.
func (h *healthBoard) count(b *event.Batch, now time.Time) {
	var name string
	var c *sourceCounts
	var s *slotCounts
	of := func(source string) {
		if c == nil || source != name {
			name, c = source, h.counts[source]
			if c == nil {
				c = &sourceCounts{began: now}
				h.counts[strings.Clone(source)] = c
			}
			s = c.slot(now)
			c.last = now
		}
	}
	for i := range b.Events {
		e := &b.Events[i]
		of(e.Envelope.Position.Source)
		s.events++
		c.events++
		delay := e.Envelope.Received - e.Time
		s.least, s.lately = min(s.least, delay), delay
		c.newest = max(c.newest, e.Time)
	}
	for i := range b.Rejects {
		of(b.Rejects[i].Position.Source)
		s.rejects++
		c.rejects++
	}
}

// tell sums up a source as of an instant.
func (c *sourceCounts) tell(name string, now time.Time) console.SourceHealth {
	x := console.SourceHealth{Name: name, Events: c.events, Rejects: c.rejects, Seen: c.last.UnixMicro(), Newest: c.newest}
	oldest := now.UnixNano()/int64(slotWidth) - slots + 1
	least := int64(math.MaxInt64)
	var lately slotCounts
	for _, s := range c.slots {
		if s.number < oldest {
			continue
		}
		x.LateEvents += s.events
		x.LateRejects += s.rejects
		least = min(least, s.least)
		if s.events > 0 && s.number >= lately.number {
			lately = s
		}
	}
	if span := min(now.Sub(c.began), slots*slotWidth).Seconds(); span >= 1 {
		x.Rate = float64(x.LateEvents) / span
	}
	if least != math.MaxInt64 {
		x.Lag, x.Skew, x.Timed = lately.lately, -least, true
	}
	return x
}

// sourceHealth is what the health page tells of each source, by name: those of the configuration too that never sent anything.
func (s *Service) sourceHealth() []console.SourceHealth {
	now := time.Now()
	h := s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []console.SourceHealth
	for name, c := range h.counts {
		out = append(out, c.tell(name, now))
	}
	for _, c := range s.cfg.Sources {
		if h.counts[c.Name] == nil {
			out = append(out, console.SourceHealth{Name: c.Name})
		}
	}
	idle := map[string]bool{}
	for _, m := range h.marks {
		if was, seen := idle[m.Source]; !seen || was {
			idle[m.Source] = m.Idle
		}
	}
	for i := range out {
		out[i].Idle = idle[out[i].Name]
	}
	slices.SortFunc(out, func(a, b console.SourceHealth) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// partsPace is how often ClickHouse is asked for its parts.
const partsPace = 30 * time.Second

// watchParts keeps the count of ClickHouse's parts for the health page until ctx ends.
func (s *Service) watchParts(ctx context.Context) {
	tick := time.NewTicker(partsPace)
	defer tick.Stop()
	for {
		if p, err := s.db.Parts(ctx); err == nil {
			s.health.mu.Lock()
			s.health.parts = p
			s.health.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// manyParts is how many parts of one partition are a sign that merges do not keep up: ClickHouse slows inserts down at a thousand.
const manyParts = 600

// partsCheck is the line about ClickHouse's parts; the caller holds the board's lock.
func (h *healthBoard) partsCheck() []console.Check {
	p := h.parts
	if p.Parts == 0 {
		return nil
	}
	c := console.Check{Name: "parts", Good: p.Most < manyParts, Detail: fmt.Sprintf("%s in ClickHouse, at most %d in one partition; %d rows in %.1f GB", Count(int(p.Parts), "part"), p.Most, p.Rows, float64(p.Bytes)/1e9)}
	if !c.Good {
		c.Detail += ": merges do not keep up; inserts are slowed down at 1000"
	}
	return []console.Check{c}
}
