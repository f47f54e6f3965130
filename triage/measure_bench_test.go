package triage_test

import (
	"fmt"
	"testing"

	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// What the page of measures works out, of 5,000 incidents by 100 rules.
func BenchmarkMeasures(b *testing.B) {
	var list []triage.Measured
	for i := range int64(5000) {
		m := triage.Measured{Status: incident.Open, Team: "it", Findings: 2, First: i * sec, Arrived: i * sec, Alerted: (i + 3) * sec, Opened: (i + 4) * sec, Rules: []string{fmt.Sprint(i % 100), fmt.Sprint(i % 7)}, Zones: []string{fmt.Sprint(i % 20)}}
		if i%3 > 0 {
			m.Status, m.Touched, m.Viewed, m.Understood, m.Closed = incident.Closed, true, (i+50)*sec, (i+90+i%50)*sec, (i+900)*sec
		}
		list = append(list, m)
	}
	for b.Loop() {
		triage.Spreads(list, 9000*sec)
		triage.Precisions(list)
		triage.Groups(list, "rule", 9000*sec)
	}
}
