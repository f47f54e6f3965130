package correlate

import (
	"slices"
	"sync"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// thinner leaves out hits that say nothing: where a step asks `new` and no other memory, and several events of one batch bring the same value
// for the same entity, those between the first and the last neither pass nor change what is remembered, as long as the gap that is left is
// within the history. A robot that reports its place ten times a second so makes two hits a batch and not hundreds.
//
// That is exact, and not a matter of how the batch was cut, but for one case: where the first of such hits is late and the others are not, the
// finding names the last of them and not the first that was in time.
type thinner struct {
	between map[saying]*[2]int // The last two hits that were kept, by place; −1: none.
	pairs   [][2]int
	dropped int
}

// saying is what such hits have in common.
type saying struct {
	target             int32
	per, value, family string
}

// thins reports whether hits of a step may be left out.
func thins(x *rules.Step) bool {
	return x.New != nil && x.New.Hold == 0 && x.Changed == nil && x.Spike == nil && x.Beacon == nil && x.Drop == nil
}

// said is what a hit brings, if it is one that may be left out.
func (t *target) said(i int32, h *event.Hit) (saying, bool) {
	n := t.New
	if n.Freeze >= 0 && boolean(h.Fields[n.Freeze]) {
		return saying{}, false
	}
	per, known := perKey(h.Vars, n.Per)
	if !known {
		return saying{}, false
	}
	value, known := text(h.Fields[n.Value])
	if !known {
		return saying{}, false
	}
	s := saying{target: i, per: per, value: value}
	if n.Inherit >= 0 {
		s.family, _ = text(h.Fields[n.Inherit])
	}
	return s, true
}

// thin marks the hits to leave out by a negative place of their event. Hits are in the order of their time.
func (x *thinner) thin(m *Matcher, b *event.Batch, hits []event.Hit, made []origin) {
	at := func(i int) int64 { return b.Events[made[i].event].Time }
	for i := range hits {
		t := &m.targets[made[i].target]
		if !t.thin {
			continue
		}
		s, ok := t.said(made[i].target, &hits[i])
		if !ok {
			continue
		}
		pair := x.pair(s)
		if pair[0] >= 0 && at(pair[1]) > at(pair[0]) && at(i)-at(pair[0]) <= t.New.History { // Of equal times all are kept: which is the first, their tie keys say.
			made[pair[1]].event = -1
			x.dropped++
		} else if pair[1] >= 0 {
			pair[0] = pair[1]
		}
		pair[1] = i
	}
	clear(x.between)
	x.pairs = x.pairs[:0]
}

func (x *thinner) pair(s saying) *[2]int {
	if x.between == nil {
		x.between = map[saying]*[2]int{}
	}
	p := x.between[s]
	if p == nil {
		x.pairs = append(x.pairs, [2]int{-1, -1})
		p = &x.pairs[len(x.pairs)-1]
		x.between[s] = p
	}
	return p
}

// origin is where a hit came from: its target, and its event's place in the batch.
type origin struct {
	target, event int32
}

// refer gives the hits their events as kept for evidence, one for all hits of an event, which stand together, and prepares their fold; several
// goroutines share the work.
func (e *Engine) refer(b *event.Batch, workers int) {
	hits, made := e.hits, e.made
	clear(e.ready)
	e.ready = slices.Grow(e.ready[:0], len(hits))[:len(hits)]
	for len(e.prepare) < workers {
		e.prepare = append(e.prepare, preparer{})
	}
	var wg sync.WaitGroup
	from := 0
	for i := range workers {
		to := (i + 1) * len(hits) / workers
		for to < len(hits) && to > 0 && made[to].event == made[to-1].event {
			to++
		}
		if to > from {
			part, origins, ready := hits[from:to], made[from:to], e.ready[from:to]
			wg.Go(func() {
				referAll(b, part, origins)
				e.prepare[i].prepare(e.fold, part, ready)
			})
			from = to
		}
	}
	wg.Wait()
}

func referAll(b *event.Batch, hits []event.Hit, made []origin) {
	for i := range hits {
		if i > 0 && made[i].event == made[i-1].event {
			hits[i].Ref = hits[i-1].Ref
			continue
		}
		hits[i].Ref = event.RefOf(&b.Events[made[i].event])
	}
}
