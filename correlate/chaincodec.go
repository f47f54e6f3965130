package correlate

import (
	"encoding/json"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// foundDoc is a finding that hits stand for, in a snapshot.
type foundDoc struct {
	Finding incident.Finding
	At      event.Ref
}

func (w *writer) found(f *fold) {
	ids := f.chains.sortedFound()
	w.uint(uint64(len(ids)))
	for _, id := range ids {
		x := f.chains.found[id]
		doc, err := json.Marshal(foundDoc{*x.finding, *x.at})
		if err != nil {
			doc = nil // Findings are plain values; a reader refuses the empty text.
		}
		w.uint(uint64(len(doc)))
		w.b = append(w.b, doc...)
	}
}

func (r *reader) found(f *fold) {
	for range r.count(2) {
		var doc foundDoc
		if json.Unmarshal(r.take(r.uint()), &doc) != nil || doc.Finding.ID.IsZero() {
			r.fail()
			return
		}
		for _, e := range doc.Finding.Evidence {
			if e.Event == nil {
				r.fail()
				return
			}
		}
		f.chains.found[doc.Finding.ID] = &found{&doc.Finding, &doc.At}
	}
}

// heard writes what a rule made of provisional findings. The hits stand in its partitions, so that they are written by number.
func (w *writer) heard(r *ruleState) {
	w.uint(uint64(len(r.heard)))
	for _, k := range sortedHeard(r.heard) {
		w.id(k.finding)
		w.uint(uint64(k.branch))
		w.uint(uint64(k.step))
		w.cellList(r.heard[k])
	}
}

func (r *reader) heard(s *ruleState) {
	for range r.count(19) {
		k := heardKey{r.id(), int(r.uint()), int(r.uint())}
		cells := r.cellList()
		if r.err != nil {
			return
		}
		for _, c := range cells {
			if !s.sound(c, c.Key) {
				r.fail()
				return
			}
		}
		if s.heard == nil {
			s.heard = map[heardKey][]*cell{}
		}
		s.heard[k] = cells
	}
}
