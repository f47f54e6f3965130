package event_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
)

// randomRef is an event as kept for evidence, with anything in it.
func randomRef(r *rand.Rand) *event.Ref {
	x := &event.Ref{
		Event: event.NewID(fmt.Sprint(r.Uint64())), Time: r.Int64() - r.Int64(), Received: r.Int64() - r.Int64(), Sequence: text(r),
		ClassUID: r.Uint32(), Activity: uint16(r.Uint32()), ActivityName: text(r), Severity: uint8(r.IntN(256)), Status: uint8(r.IntN(256)),
		Future: r.IntN(2) == 0, Domain: text(r), Source: text(r), Format: text(r), Summary: text(r), Site: text(r),
	}
	for range r.IntN(4) {
		x.Entities = append(x.Entities, event.EntityRef{
			Kind: event.EntityKind(r.IntN(int(event.EntityResource) + 1)), Role: event.Role(r.IntN(int(event.RoleContext) + 1)),
			Strength: event.Strength(r.IntN(int(event.Strong) + 1)), Object: uint8(r.IntN(256)), Key: text(r), ID: text(r),
		})
	}
	return x
}

func text(r *rand.Rand) string {
	return []string{"", "robot:ur-17", "\x00\xff\x1f", "Grüße", string(make([]byte, r.IntN(300)))}[r.IntN(5)]
}

func randomHit(r *rand.Rand) event.Hit {
	h := event.Hit{Rule: text(r), Version: int32(r.Uint32()), Branch: uint8(r.IntN(256)), Step: uint8(r.IntN(256)), Key: text(r)}
	for range r.IntN(4) {
		h.Vars = append(h.Vars, text(r))
	}
	for range r.IntN(5) {
		v := event.FieldValue{Kind: event.Kind(r.IntN(int(event.KindTime) + 1)), Known: r.IntN(3) > 0}
		if v.Known {
			switch v.Kind {
			case event.KindString:
				v.Str = text(r)
			case event.KindFloat:
				v.Flt = r.NormFloat64()
			case event.KindStrings:
				v.Lst = []string{text(r), text(r)}
			default:
				v.Num = int64(r.Uint64())
			}
		}
		h.Fields = append(h.Fields, v)
	}
	return h
}

func randomNote(r *rand.Rand) event.Note {
	return event.Note{Entity: text(r), What: text(r), Prev: text(r), Value: text(r), Actor: text(r), Stated: r.IntN(2) == 0}
}

func TestHitsNotesAndTheirEventsAreReadAsTheyWereWritten(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 2000 {
		h, n, ref := randomHit(r), randomNote(r), randomRef(r)
		b := event.AppendRef(event.AppendNote(event.AppendHit(event.AppendHitValues(nil, &h), &h), &n), ref)
		b = event.AppendRef(b, nil)
		values, hit, note := event.Hit{Fields: []event.FieldValue{{}}}, event.Hit{}, event.Note{}
		rest, err := event.ReadHitValues(b, &values)
		if err == nil {
			rest, err = event.ReadHit(rest, &hit)
		}
		if err == nil {
			rest, err = event.ReadNote(rest, &note)
		}
		var back, none *event.Ref
		if err == nil {
			back, rest, err = event.ReadRef(rest)
		}
		if err == nil {
			none, rest, err = event.ReadRef(rest)
		}
		if err != nil || len(rest) > 0 || none != nil {
			t.Fatalf("seed %d: %v, %d bytes left, none is %v", seed, err, len(rest), none)
		}
		if d := cmp.Diff(h, hit); d != "" {
			t.Fatalf("seed %d: hit:\n%s", seed, d)
		}
		if d := cmp.Diff(event.Hit{Vars: h.Vars, Fields: h.Fields}, values); d != "" {
			t.Fatalf("seed %d: values of a hit:\n%s", seed, d)
		}
		if d := cmp.Diff(n, note); d != "" {
			t.Fatalf("seed %d: note:\n%s", seed, d)
		}
		if d := cmp.Diff(ref, back); d != "" {
			t.Fatalf("seed %d: ref:\n%s", seed, d)
		}
	}
}

func TestACutOrForeignHitNoteOrEventIsRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	h, n := randomHit(r), randomNote(r)
	for name, tc := range map[string]struct {
		b    []byte
		read func([]byte) error
	}{
		"hit":    {event.AppendHit(nil, &h), func(b []byte) error { _, err := event.ReadHit(b, &event.Hit{}); return err }},
		"values": {event.AppendHitValues(nil, &h), func(b []byte) error { _, err := event.ReadHitValues(b, &event.Hit{}); return err }},
		"note":   {event.AppendNote(nil, &n), func(b []byte) error { _, err := event.ReadNote(b, &event.Note{}); return err }},
		"ref":    {event.AppendRef(nil, randomRef(r)), func(b []byte) error { _, _, err := event.ReadRef(b); return err }},
	} {
		if err := tc.read(tc.b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for i := range tc.b {
			if tc.read(tc.b[:i]) == nil {
				t.Errorf("%s: %d of %d bytes were taken for the whole", name, i, len(tc.b))
			}
		}
		_, k := length(tc.b)
		tc.b[k]++ // The version, behind the length.
		if tc.read(tc.b) == nil {
			t.Errorf("%s: a later version was read", name)
		}
		if tc.read([]byte{1, 1}) == nil || tc.read(nil) == nil {
			t.Errorf("%s: a body of nothing was read", name)
		}
	}
}

func length(b []byte) (n, k int) {
	for i, c := range b {
		n |= int(c&0x7f) << (7 * i)
		if c < 0x80 {
			return n, i + 1
		}
	}
	return 0, 0
}

// What can be read can be written, and then reads the same; nothing panics or takes much more room than its bytes.
func FuzzCompactHitsNotesAndRefs(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	h, n := randomHit(r), randomNote(r)
	f.Add(event.AppendHit(nil, &h))
	f.Add(event.AppendHitValues(nil, &h))
	f.Add(event.AppendNote(nil, &n))
	f.Add(event.AppendRef(nil, randomRef(r)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var hit, again event.Hit
		if _, err := event.ReadHit(b, &hit); err == nil {
			first := event.AppendHit(nil, &hit)
			if _, err := event.ReadHit(first, &again); err != nil || string(event.AppendHit(nil, &again)) != string(first) {
				t.Errorf("a hit changed on its way: %v", err)
			}
		}
		var note, other event.Note
		if _, err := event.ReadNote(b, &note); err == nil {
			if _, err := event.ReadNote(event.AppendNote(nil, &note), &other); err != nil || note != other {
				t.Errorf("a note changed on its way: %v", err)
			}
		}
		if ref, _, err := event.ReadRef(b); err == nil {
			if back, _, err := event.ReadRef(event.AppendRef(nil, ref)); err != nil || !cmp.Equal(ref, back) {
				t.Errorf("a ref changed on its way: %v", err)
			}
		}
		_, _ = event.ReadHitValues(b, &hit)
	})
}
