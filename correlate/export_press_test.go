package correlate

import (
	"errors"
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

// Presser presses runs of hits of a rule.
type Presser struct{ packer }

// NewPresser makes one of a rule of one branch.
func NewPresser(r *rules.Rule) *Presser {
	return &Presser{newPacker(newRuleState(r, Settings{}.withDefaults()), 0)}
}

// Forget forgets all templates.
func (p *Presser) Forget() {
	p.templates = templates{bySort: make([][]*template, len(p.templates.bySort))}
}

// Press writes hits of one key, presses and opens them, and reads them again. An error says that a hit has come out as another.
func (p *Presser) Press(hits []event.Hit) (run, pressed, opened []byte, err error) {
	pieces := piecesOf(hits[0].Key)
	p.epoch = hits[0].Ref.Time
	for i := range hits {
		run = p.appendHit(run, &hits[i], &pieces)
	}
	p.rule.press.short = true
	pressed, ok := p.pressed(nil, run)
	if !ok {
		return run, nil, nil, errors.New("it is not pressed")
	}
	opened, ok = p.opened(nil, pressed)
	if !ok {
		return run, pressed, opened, errors.New("it does not open")
	}
	rest := opened
	for i := range hits {
		x, after, ok := nextHit(rest)
		if !ok {
			return run, pressed, opened, fmt.Errorf("hit %d is damaged", i)
		}
		c, want := p.readHit(&x, hits[i].Key, &pieces), hits[i]
		want.Rule, want.Version = p.rule.rule.ID, p.rule.rule.Version
		if c == nil {
			return run, pressed, opened, fmt.Errorf("hit %d cannot be read", i)
		}
		if d := cmp.Diff(want, c.Hit); d != "" {
			return run, pressed, opened, fmt.Errorf("hit %d (-want +got):\n%s", i, d)
		}
		rest = after
	}
	return run, pressed, opened, nil
}

// Open opens what may be damaged.
func (p *Presser) Open(pressed []byte) bool {
	_, ok := p.opened(nil, pressed)
	return ok
}

// Held counts the hits that gates hold.
func (e *Engine) Held() (n int) {
	for _, r := range e.fold.rules {
		for _, g := range r.gates {
			n += len(g.held.slab) - len(g.held.free)
		}
	}
	return n
}
