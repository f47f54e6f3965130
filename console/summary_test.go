package console_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// modelled is a console.Summaries that always says the same.
type modelled triage.Summary

func (m modelled) Summary(event.ID, int32) triage.Summary { return triage.Summary(m) }

func TestAModelsSummaryStandsBelowTheDeterministicOne(t *testing.T) {
	p, in := compromised(t)
	first := in.Findings[0].Evidence[0].Event
	page := func(s console.Summaries) (string, []string) {
		set := p.settings()
		set.Summaries = s
		h, err := console.New(set)
		if err != nil {
			t.Fatal(err)
		}
		got := readPage(t, get(h, "/incidents/"+id(in)).Body.String())
		return got.text, got.tags
	}
	claim := func(text string) incident.Claim {
		return incident.Claim{Text: text, At: first.Time, Refs: []event.ID{first.Event}}
	}
	o := &triage.Overlay{
		Model: "small-model", At: night, Headline: claim("HEADLINE"), Assessment: triage.Malfunction, Confidence: "low", Rules: triage.Intrusion, For: []incident.Claim{claim("FOR")},
		Affected: []incident.Claim{claim("AFFECTED")}, Changed: []incident.Claim{claim("<b>CHANGED</b>")}, Unknowns: []string{"UNKNOWN"}, Claims: 5, Dropped: 1,
	}
	text, _ := page(modelled{State: triage.SummaryReady, Overlay: o})
	deterministic := triage.Answer(in).Text
	at := strings.Index(text, deterministic)
	for _, part := range []string{"HEADLINE", "FOR", "AFFECTED", "<b>CHANGED</b>", "UNKNOWN", "differs; the rules count", "small-model", "1 of 5 were dropped"} {
		if i := strings.Index(text, part); i < at || at < 0 {
			t.Errorf("%q stands at %d, the deterministic text at %d", part, i, at)
		}
	}
	off, offTags := page(nil)
	for note, s := range map[string]modelled{
		"No model is configured":                 {State: triage.SummaryOff, Note: "No model is configured; this is the deterministic summary."},
		"The model did not answer in time":       {State: triage.SummaryFallback, Note: "The model did not answer in time; this is the deterministic summary."},
		"The model's answer is not shown":        {State: triage.SummaryFallback, Note: "The model's answer is not shown: 4 of the model's 9 claims could not be proven."},
		"A model's summary will follow; <b>now":  {State: triage.SummaryWaiting, Note: "A model's summary will follow; <b>now"},
		"this is the deterministic one of today": {State: triage.SummaryFallback, Note: "this is the deterministic one of today"},
	} {
		text, tags := page(s)
		if d := cmp.Diff(offTags, tags); d != "" {
			t.Errorf("%s: the layout differs:\n%s", note, d)
		}
		if !strings.Contains(text, note) || !strings.Contains(text, deterministic) {
			t.Errorf("%q or the deterministic text is missing", note)
		}
	}
	if !strings.Contains(off, deterministic) {
		t.Error("without a model the deterministic text is missing")
	}
}
