package console

import (
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// Summaries gives what a language model made of an incident, beside the deterministic summary that every page has. It is called from many
// goroutines at once and asks nothing of a network.
type Summaries interface {
	Summary(id event.ID, revision int32) triage.Summary
}

// summaryBlock is what the block "summary" of a page shows below the deterministic text.
type summaryBlock struct {
	Note     string
	Overlay  *triage.Overlay
	Parts    []summaryPart
	Unknowns []string
}

type summaryPart struct {
	Title  string
	Claims []claimRow
}

// summary makes the block of an incident. It is there in every case, so that the page looks the same with a model and without.
func (s *server) summary(in *incident.Incident) summaryBlock {
	if s.set.Summaries == nil {
		return summaryBlock{Note: "No model is configured; this is the deterministic summary."}
	}
	got := s.set.Summaries.Summary(in.ID, in.Revision)
	b := summaryBlock{Note: got.Note, Overlay: got.Overlay}
	o := got.Overlay
	if o == nil {
		return b
	}
	b.Unknowns = o.Unknowns
	times := timesOf(in)
	for _, p := range []struct {
		title  string
		claims []incident.Claim
	}{{"For it", o.For}, {"Against it", o.Against}, {"Affected", o.Affected}, {"What changed", o.Changed}, {"In order", o.Timeline}} {
		if len(p.claims) > 0 {
			b.Parts = append(b.Parts, summaryPart{p.title, claimRows(p.claims, times)})
		}
	}
	return b
}
