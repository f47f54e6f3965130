package correlate_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
)

// anyHit is a hit of one of a few shapes, most of it like that of others.
func anyHit(r *rand.Rand, key string, n int) event.Hit {
	who := fmt.Sprint("user:u", r.IntN(5))
	ref := &event.Ref{
		Time: start + int64(n)*1000 + r.Int64N(3), Received: start + int64(n)*1000 + r.Int64N(90_000), ClassUID: event.ClassAPI, Activity: uint16(r.IntN(2)),
		Source: "s", Format: "f", Sequence: fmt.Sprintf("s\x1f%08x%016x\x1f%04x", r.IntN(11), n, r.IntN(2)),
	}
	for i := range ref.Event {
		ref.Event[i] = byte(r.Uint32())
	}
	switch r.IntN(12) {
	case 0:
		ref.Sequence = fmt.Sprintf("s\x1f%016x\x1f0000", n)
	case 1:
		ref.Sequence = "something else"
	}
	for i := range r.IntN(3) * r.IntN(30) {
		name := fmt.Sprint("n", r.IntN(4), i%7)
		ref.Entities = append(ref.Entities, event.EntityRef{Kind: event.EntityUser, Key: name, ID: []string{"user:" + name, who, key, ""}[r.IntN(4)]})
	}
	ref.Summary = []string{"", "one line", who + " did it", key + " did it to " + who}[r.IntN(4)]
	if len(ref.Entities) > 1 {
		ref.Summary += " from " + ref.Entities[0].Key + " to " + ref.Entities[1].Key
	}
	h := event.Hit{Key: key, Step: uint8(r.IntN(2)), Vars: []string{key, who, "", fmt.Sprint(r.IntN(3))}, Ref: ref}
	for range r.IntN(4) * r.IntN(30) {
		v := event.FieldValue{Kind: event.Kind(r.IntN(6)), Known: r.IntN(5) > 0}
		switch {
		case !v.Known:
		case v.Kind == event.KindString:
			v.Str = fmt.Sprint("v", r.IntN(3))
		case v.Kind == event.KindFloat:
			v.Flt = r.NormFloat64()
		case v.Kind == event.KindStrings:
			v.Lst = []string{"a", who}
		case v.Kind == event.KindTime && r.IntN(2) == 0:
			v.Num = ref.Time / 1000
		default:
			v.Num = int64(r.Uint64()) >> r.IntN(64)
		}
		h.Fields = append(h.Fields, v)
	}
	return h
}

func TestPressedRunsOpenToTheSameBytesAndHits(t *testing.T) {
	rule := ruleOf(t, openSequence)
	old := correlate.NewPresser(rule)
	for range rounds(60) {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 51))
		fresh := correlate.NewPresser(rule)
		key := fmt.Sprint("robot:r", r.IntN(30))
		var hits []event.Hit
		for n := range 1 + r.IntN(90) {
			hits = append(hits, anyHit(r, key, n))
		}
		run, pressed, opened, err := fresh.Press(hits)
		if err != nil || !bytes.Equal(run, opened) {
			t.Fatalf("seed %d: %d bytes, pressed to %d, opened to %d: %v", seed, len(run), len(pressed), len(opened), err)
		}
		old.Forget()
		_, again, _, err := old.Press(hits)
		if err != nil || !bytes.Equal(pressed, again) {
			t.Fatalf("seed %d: what was pressed before makes a difference: %d bytes and %d: %v", seed, len(pressed), len(again), err)
		}
		for range 20 { // Damage is told or gives something, but breaks nothing.
			damaged := bytes.Clone(pressed)
			damaged[r.IntN(len(damaged))] ^= byte(1 + r.IntN(255))
			fresh.Open(damaged[:1+r.IntN(len(damaged))])
			fresh.Open(damaged)
		}
	}
}
