package triage_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

func TestPinnedEventsAreToldWithTheSummaryWithinTheBoundOfABody(t *testing.T) {
	in := *compromise(t)
	for i := range incident.MaxPins {
		in.Pins = append(in.Pins, incident.Pin{Event: event.NewID("pin", fmt.Sprint(i)), Time: in.First, Text: "<b>door\u202eopen</b>" + strings.Repeat("ä", 250), By: "ann\x1b[0m", At: in.Updated})
	}
	body := sent(t, &in, nil, nil)
	if len(body) > 16<<10 || strings.ContainsAny(body, "<\u202e\x1b") {
		t.Errorf("%d bytes: %s", len(body), body)
	}
	var e struct {
		Data struct {
			Truncated map[string]int
			Incident  struct {
				Summary struct {
					Pinned []struct {
						At, Text, By string
						Event        string `json:"event_id"`
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatal(err)
	}
	pinned := e.Data.Incident.Summary.Pinned
	if len(pinned) == 0 || len(pinned)+e.Data.Truncated["pinned"] != incident.MaxPins || pinned[0].Event != in.Pins[0].Event.String() || !strings.Contains(pinned[0].Text, "door") || pinned[0].At == "" {
		t.Errorf("%d pins are told and %d cut: %+v", len(pinned), e.Data.Truncated["pinned"], pinned)
	}
}
