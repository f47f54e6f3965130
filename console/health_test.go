package console_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
)

// withSources is the console with sources of all sorts.
func withSources(t *testing.T, text string) http.Handler {
	t.Helper()
	p, _ := compromised(t)
	set := p.settings()
	now := night + 41*minute
	set.Sources = func() []console.SourceHealth {
		return []console.SourceHealth{
			{Name: "okta" + text, Rate: 12.34, LateEvents: 3702, Events: 90_000, LateRejects: 4, Rejects: 7, Seen: now - second, Newest: now - 3*second, Timed: true, Lag: 2 * second, Skew: -second},
			{Name: "plc" + text, Events: 5, Seen: now - 20*minute, Newest: now, Timed: true, Skew: 90 * second},
			{Name: "nac" + text, Events: 5, Seen: now, Newest: now, Timed: true, Skew: -120 * minute, Idle: true},
			{Name: "edr" + text},
		}
	}
	set.RejectsOf = func(_ context.Context, source string, _ int) ([]event.Reject, error) {
		return []event.Reject{{Position: event.Position{Source: source}, Code: "only_of_it", Raw: []byte("raw")}}, nil
	}
	return mustNew(t, set)
}

func TestHealthTellsOfEachSource(t *testing.T) {
	h := withSources(t, "")
	page := readPage(t, get(h, "/health").Body.String()).text
	for _, want := range []string{"12.3", "90000 in all", "7 in all", "silent for 20 min", "ahead by 1 min or more", "behind by 2 h, or late by as much", "read to its end", "nothing since the start"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	var docs []struct {
		Name   string
		Rate   float64 `json:"events_per_second"`
		LagMS  *int64  `json:"lag_ms"`
		SkewMS *int64  `json:"skew_ms"`
	}
	if err := json.Unmarshal(get(h, "/api/v1/sources").Body.Bytes(), &docs); err != nil {
		t.Fatal(err)
	}
	if len(docs) != 4 || docs[0].Rate != 12.34 || *docs[0].LagMS != 2000 || *docs[1].SkewMS != 90_000 || docs[3].LagMS != nil {
		t.Errorf("%+v", docs)
	}
	if page := readPage(t, get(h, "/rejects?source=okta").Body.String()).text; !strings.Contains(page, "only_of_it") || !strings.Contains(page, "Of the source okta") {
		t.Error("the rejects of one source are not shown alone")
	}
}

func TestNamesOfSourcesAreShownAsText(t *testing.T) {
	for name, attack := range attacks {
		body := get(withSources(t, attack.text), "/health").Body.String()
		mustBeVisible(t, name, body)
		if !strings.Contains(readPage(t, body).text, "plc"+attack.seen) {
			t.Errorf("%s is not shown as %q", name, attack.seen)
		}
	}
}
