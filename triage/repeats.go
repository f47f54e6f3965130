package triage

import (
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/template"
)

// What ends a run of repeats, and how many texts of one kind are told apart in it.
const (
	repeatGap   = int64(10*60) * 1_000_000 // Microseconds from one repeat to the next.
	repeatTexts = 256
)

// run is what has the same finding, step, class, outcome and entities, with no more than repeatGap in between: its texts by their shapes.
type run struct {
	miner *template.Miner
	rows  map[*template.Template]int // Where the row of a shape stands.
	last  int64
}

// repeats makes runs of repeats one row each: events that differ in nothing but numbers and names that hold one, however much else happened in
// between. The row stands where the first of them was and says until when they went on; its text has a mark where theirs differ.
func repeats(rows []row) []incident.Moment {
	out := make([]incident.Moment, 0, len(rows))
	shapes := make([]*template.Template, 0, len(rows))
	runs := map[string]*run{}
	for _, r := range rows {
		var shape *template.Template
		if u := runOf(runs, &r); u != nil {
			shape = u.miner.Add(r.Text)
			if i, met := u.rows[shape]; met {
				out[i].Count++
				out[i].Until = r.At
				continue
			}
			u.rows[shape] = len(out)
		}
		out, shapes = append(out, r.Moment), append(shapes, shape)
	}
	for i, t := range shapes {
		if t != nil && t.Varies() {
			out[i].Text = t.Text()
		}
	}
	return out
}

// runOf is the run that a row belongs to, which it may begin; nil for what never repeats, and where a run holds more texts than are compared.
func runOf(runs map[string]*run, r *row) *run {
	if r.key == "" {
		return nil
	}
	u := runs[r.key]
	if u == nil || r.At-u.last > repeatGap {
		u = &run{miner: template.New(template.Config{Templates: repeatTexts + 1, Words: 128, Word: 512, Numbers: true}), rows: map[*template.Template]int{}}
		runs[r.key] = u
	}
	u.last = r.At
	if len(u.miner.Templates()) >= repeatTexts {
		return nil
	}
	return u
}
