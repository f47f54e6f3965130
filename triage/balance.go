package triage

import (
	"cmp"

	"github.com/tocsin-siem/tocsin/incident"
)

// Reading is one side of the balance: what speaks for it, and how much that weighs together. It is no probability.
type Reading struct {
	Name   string // Intrusion, Malfunction, Misuse or Authorised.
	Title  string // In words: an intrusion.
	Weight int
	Claims []incident.Claim // By weight.
}

// Balance weighs every reading of an incident, those with evidence first, the heaviest on top.
func Balance(in *incident.Incident) []Reading {
	claims := factsOf(in).weigh()
	balance := map[string]int{}
	for _, r := range readings {
		for _, c := range claims[r] {
			balance[r] += c.Weight
		}
	}
	out := make([]Reading, 0, len(readings))
	for _, r := range order(balance) {
		out = append(out, Reading{Name: r, Title: words[r], Weight: balance[r], Claims: claims[r]})
	}
	return out
}

// ReadingOf is the assessment that counts: what a person answered, else what the evidence says.
func ReadingOf(in *incident.Incident) string {
	if in.Said.Assessment != "" {
		return in.Said.Assessment
	}
	return Answer(in).Assessment
}

// readingBy is the same where the answers are known.
func readingBy(in *incident.Incident, a *incident.Answers) string {
	return cmp.Or(in.Said.Assessment, a.Assessment)
}
