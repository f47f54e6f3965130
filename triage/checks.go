package triage

import "github.com/tocsin-siem/tocsin/incident"

// maxChecks bounds what is suggested at once.
const maxChecks = 6

// Checks suggests what to look at next for an incident, from the library of actions, at most six. It is advice for people; nothing carries it
// out.
func Checks(in *incident.Incident) []string {
	var out []string
	for _, a := range factsOf(in).checks() {
		out = append(out, a.Say())
	}
	return out
}
