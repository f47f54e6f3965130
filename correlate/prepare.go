package correlate

import (
	"slices"
	"unsafe"

	"github.com/tocsin-siem/tocsin/event"
)

// What a fold begins with for a hit that goes to a resting key is done where the hit is made, by the workers of the match phase and while its
// texts are in the cache: the key's hash, the hit as bytes, and finding the key's record, so that the fold does not wait for memory either. A
// fold begins once all that is over, so matching may look at its rules, and it changes nothing there. Templates are learned by the fold alone.
// Whatever is missing or has become out of date the fold does itself, and makes the same bytes of it: a hit fits one template at most.

// preparer is one worker's room for what it prepares.
type preparer struct {
	pieces keyPieces
	bytes  []byte
	far    []*ahead // Those of which the places are read.
	places foresight
}

// prepare does that for some hits of a batch; ready stands in the same places and is empty.
func (p *preparer) prepare(f *fold, hits []event.Hit, ready []ahead) {
	p.bytes, p.far = p.bytes[:0], p.far[:0]
	var r *ruleState
	for i := range hits {
		h := &hits[i]
		if r == nil || r.rule.ID != h.Rule {
			r = f.byID[h.Rule]
		}
		if r != nil && r.prepares(h) {
			p.write(&ready[i], r, h)
		}
	}
	for few := range slices.Chunk(p.far, hitsAhead) {
		p.places.read(few)
	}
	clear(p.far)
	p.places.forget()
}

// prepares reports whether a hit is likely to go into a record.
func (r *ruleState) prepares(h *event.Hit) bool {
	return r.rest != nil && r.rest.direct && r.rest.n > len(r.parts) && r.takes(h) && h.Ref.Time > r.w+r.hold && spanFits(h.Ref.Time-r.rest.epoch)
}

func (p *preparer) write(x *ahead, r *ruleState, h *event.Hit) {
	s := r.rest
	t := s.templates.known(h)
	if t == nil {
		return
	}
	p.pieces.split(h.Key)
	from := len(p.bytes)
	p.bytes = s.appendLike(t, p.bytes, h, &p.pieces)
	*x = ahead{rule: r, rest: s, of: h.Ref, epoch: s.epoch, written: p.bytes[from:len(p.bytes):len(p.bytes)], hash: s.index.hashString(h.Key)}
	if s.n >= keysAhead {
		p.far = append(p.far, x)
	}
}

// prepared gives what was prepared for hits, if they are those that Match or Hits gave last.
func (e *Engine) prepared(hits []event.Hit) []ahead {
	if len(hits) != len(e.hits) || len(hits) != len(e.ready) || unsafe.SliceData(hits) != unsafe.SliceData(e.hits) {
		return nil
	}
	return e.ready
}
