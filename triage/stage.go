package triage

import (
	"slices"

	"github.com/tocsin-siem/tocsin/incident"
)

// Stage is a duration that an incident has just come to the end of, in seconds, by the name that Spreads gives it.
type Stage struct {
	Name    string
	Seconds float64
}

// Stages are the durations that a change ends: of an incident that opens, how long it took to find it, and of one that was acknowledged, understood,
// contained or closed, how long that took. One that would have taken less than no time, since clocks disagree, is left out, as is the end of an
// incident that nobody but we closed.
func Stages(c *incident.Change) []Stage {
	m := MeasuredOf(c.Incident, nil, nil)
	ended := map[string]bool{
		"detect": c.Kind == incident.ChangeOpened, "pipeline": c.Kind == incident.ChangeOpened, "acknowledge": c.Kind == incident.ChangeAcknowledged,
		"understand": slices.Contains(c.Fields, "understood"), "understand_wall": slices.Contains(c.Fields, "understood"),
		"contain": slices.Contains(c.Fields, "contained"), "resolve": c.Kind == incident.ChangeClosed,
	}
	var out []Stage
	for _, d := range durations {
		if !ended[d.name] {
			continue
		}
		if took, done, ok := d.of(&m, 0); ok && done && took >= 0 {
			out = append(out, Stage{d.name, float64(took) / 1e6})
		}
	}
	return out
}
