package triage

import "github.com/tocsin-siem/tocsin/incident"

// maxChecks bounds what is suggested at once.
const maxChecks = 6

// Checks suggests what to look at next for an incident, from the library of actions, at most six. It is advice for people; nothing carries it
// out.
func Checks(in *incident.Incident) []string {
	var out []string
	for _, c := range NextChecks(in) {
		out = append(out, c.Text)
	}
	return out
}

// Check is one suggestion of Checks, with the id of its action.
type Check struct{ ID, Text string }

// NextChecks is Checks with ids.
func NextChecks(in *incident.Incident) []Check {
	var out []Check
	for _, a := range factsOf(in).checks() {
		out = append(out, Check{a.ID, a.Say()})
	}
	return out
}
