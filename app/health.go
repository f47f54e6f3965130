package app

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/enrich"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/triage"
)

// slowBatch is how long a batch may take until the health page calls the store slow.
const slowBatch = 10 * time.Second

// healthBoard remembers what the health page tells.
type healthBoard struct {
	began    atomic.Int64 // When the newest batch at work was begun, nanoseconds since 1970; 0: none is.
	mu       sync.Mutex
	last     time.Time
	batchID  event.BatchID
	events   int64
	rejects  int64
	marks    []event.Mark
	ends     map[place]event.End
	problems []enrich.Problem
	counts   map[string]*sourceCounts // by source
	parts    store.Parts
}

// place is a partition of a source.
type place struct {
	source    string
	partition int32
}

func newHealthBoard() *healthBoard {
	return &healthBoard{ends: map[place]event.End{}, counts: map[string]*sourceCounts{}}
}

// recovered shows where the log ends, until the first batch.
func (h *healthBoard) recovered(tail incident.Tail) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sources(tail.Marks, tail.Ends)
}

func (h *healthBoard) sources(marks []event.Mark, ends []event.End) {
	h.marks = marks
	for _, e := range ends {
		h.ends[place{e.Source, e.Partition}] = e
	}
}

func (h *healthBoard) batch(b *event.Batch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last, h.batchID = time.Now(), b.ID
	h.events += int64(len(b.Events))
	h.rejects += int64(len(b.Rejects))
	h.sources(b.Marks, b.Ends)
	h.count(b, h.last)
}

func (h *healthBoard) tables(problems []enrich.Problem) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.problems = problems
}

// checks is the health page.
func (s *Service) checks() []console.Check {
	h := s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []console.Check{s.storeCheck()}
	if h.last.IsZero() {
		out = append(out, console.Check{Name: "pipeline", Good: true, Detail: "no batch yet"})
	} else {
		out = append(out, console.Check{Name: "pipeline", Good: true, Detail: fmt.Sprintf("batch %d/%d %s ago; %d events and %d rejects since the start", h.batchID.Epoch, h.batchID.Number, time.Since(h.last).Round(time.Second), h.events, h.rejects)})
	}
	for _, m := range h.marks {
		detail := "no event yet"
		if m.Newest != 0 {
			detail = "newest event " + stamp(m.Newest) + " UTC"
		}
		if e, ok := h.ends[place{m.Source, m.Partition}]; ok {
			detail += fmt.Sprintf("; read to %d", e.Offset)
		}
		if m.Idle {
			detail += "; idle"
		}
		name := "source " + m.Source
		if m.Partition != 0 {
			name += fmt.Sprintf(" partition %d", m.Partition)
		}
		out = append(out, console.Check{Name: name, Good: true, Detail: detail})
	}
	out = append(out, h.partsCheck()...)
	out = append(out, s.kafkaChecks()...)
	for _, lines := range s.lines {
		out = append(out, lines()...)
	}
	if s.dead != nil {
		out = append(out, s.dead.check())
	}
	out = append(out, s.roleChecks()...)
	tables := console.Check{Name: "enrichment", Good: len(h.problems) == 0, Detail: "tables " + s.core.Live.Tables().Version()}
	if !tables.Good {
		tables.Detail = "the files were refused and the old tables stay: " + h.problems[0].String()
	}
	loaded := s.keeper.check()
	loaded.Detail += s.filling.detail()
	out = append(out, tables, loaded)
	out = append(out, s.metrics.rules.check(s.cfg.Correlate.Tries)...)
	if s.model != nil {
		out = append(out, s.modelCheck())
	}
	if s.desk == nil {
		return out
	}
	for _, e := range s.desk.Endpoints() {
		detail := fmt.Sprintf("%s, %d owed", e.State, e.Pending)
		if e.State == triage.Starting {
			detail = e.State + ": what is owed has not been looked at yet"
		}
		if e.Error != "" {
			detail += ": " + e.Error
		}
		if len(e.Told) > 0 {
			detail += "; told through " + strings.Join(e.Told, ", ")
		}
		out = append(out, console.Check{Name: "endpoint " + e.Name, Good: e.State == "ok" || e.State == triage.Starting, Detail: detail})
	}
	return out
}

func (s *Service) storeCheck() console.Check {
	if down := s.db.Down(); down != "" {
		return console.Check{Name: "store", Detail: "the embedded engine is down and is being started again: " + down}
	}
	if err := s.db.Health(); err != nil {
		return console.Check{Name: "store", Detail: err.Error() + "; nothing is lost: the pipeline waits and tries again"}
	}
	if began := s.health.began.Load(); began != 0 && !s.filling.busy() {
		if took := time.Since(time.Unix(0, began)); took > slowBatch {
			return console.Check{Name: "store", Detail: fmt.Sprintf("a batch has been at work for %s: ClickHouse is slow, or something else that a batch needs; nothing is lost: reading waits", took.Round(time.Second))}
		}
	}
	return console.Check{Name: "store", Good: true, Detail: "ClickHouse " + s.db.Version()}
}
