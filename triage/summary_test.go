package triage_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

func TestThatASummaryIsReadyIsToldAndItsWordsOnlyToWhoAsksForThem(t *testing.T) {
	for asks, want := range map[bool]string{true: `"source":"llm"`, false: `"source":"deterministic"`} {
		hook := newReceiver(t, func(got) int { return 200 })
		inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
			cfg.Endpoints[0].ModelSummary, cfg.Endpoints[0].Events = asks, []string{"summary_ready"}
			o := &outbox{state: map[event.ID]incident.Delivery{}}
			c := revision(1, 2, incident.ChangeSummaryReady)
			c.Fields = []string{"summary"}
			c.Incident.Summary = &incident.ModelSummary{Of: 1, Model: "small", Text: "The account signed in<b>.\u202e" + strings.Repeat(" word", 100), Refs: []event.ID{event.NewID("e")}}
			o.record(revision(1, 1, incident.ChangeOpened), c)
			_, stop := desk(t, cfg, o)
			time.Sleep(time.Minute)
			stop()
			all := hook.all(t)
			if len(all) != 1 || all[0].kind != "summary_ready" {
				t.Fatalf("told %+v", all)
			}
			body := all[0].body
			if !strings.Contains(body, want) || strings.Contains(body, "The account signed in") != asks || strings.Contains(body, `"verified":true`) != asks || strings.ContainsAny(body, "<\u202e") {
				t.Errorf("asks %v: %s", asks, body)
			}
			if asks && strings.Count(body, " word") != 100 {
				t.Error("the words are cut")
			}
		})
	}
}
