package event_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/tocsin-siem/tocsin/event"
)

func TestRefsHaveTheirCommonTextsAtOnePlace(t *testing.T) {
	at := func(s string) *byte { return unsafe.StringData(s) }
	e := robotReports()
	a := event.RefOf(e)
	e.Envelope.Format, e.Envelope.Site = strings.Clone(e.Envelope.Format), strings.Clone(e.Envelope.Site)
	b := event.RefOf(e)
	if at(a.Source) != at(b.Source) || at(a.Format) != at(b.Format) || at(a.Site) != at(b.Site) {
		t.Error("what two refs have in common lies at two places")
	}
	if at(b.Format) == at(e.Envelope.Format) || at(b.Site) == at(e.Envelope.Site) {
		t.Error("a ref shares memory with its event")
	}
}

func TestRefsMadeBesideEachOtherHaveTheirOwnTexts(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2_000 {
				e := robotReports()
				e.Envelope.Site = fmt.Sprint("werk-", g, i%300) // More than there is room for.
				if got := event.RefOf(e).Site; got != e.Envelope.Site {
					t.Errorf("%s became %s", e.Envelope.Site, got)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestTieKeysHaveTheirNumbersInHexadecimal(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 4))
	for range 2_000 {
		e := robotReports()
		p := &e.Envelope.Position
		p.Partition, p.Offset, e.Envelope.Index = int32(r.Uint32()>>r.IntN(32)), int64(r.Uint64()>>r.IntN(64)), uint16(r.Uint32()>>r.IntN(32))
		want := fmt.Sprintf("%s\x1f%08x%016x\x1f%04x", p.Source, uint32(p.Partition), uint64(p.Offset), e.Envelope.Index)
		if got := event.RefOf(e).Sequence; got != want {
			t.Fatalf("seed %d: %q, want %q", seed, got, want)
		}
	}
}
