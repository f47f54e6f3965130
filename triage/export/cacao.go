package export

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// activities are what CACAO calls what an action does (2.0, 3.1.2), by the action's id, or else by its stage.
var activities = map[string]string{
	triage.StageCheck: "analyze-collected-data", triage.StageContain: "restrict-access", triage.StageRestore: "restore-capabilities",
	"isolate-device": "disconnect-system", "cut-cell-network": "disconnect-system", "remove-rogue-device": "disconnect-system",
	"stop-robot": "eliminate-risk", "hold-changes": "eliminate-risk", "take-out-of-service": "eliminate-risk",
	"restore-robot": "revert-system", "restore-safety-configuration": "revert-system",
}

// CACAO is what may be done about an incident as a CACAO 2.0 playbook: a manual step per action, looks first, each for the team that decides.
// Nothing in it runs by itself: every command is of the type manual, and its agent a group of people. The playbook of another revision is another
// version of the same one.
func CACAO(in *incident.Incident, source string) []byte {
	name := event.FormatID(event.IncidentPrefix, in.ID)
	revision := fmt.Sprint(in.Revision)
	actions := triage.Actions(in, triage.ReadingOf(in))
	start, end := idOf("start", name, revision), idOf("end", name, revision)
	id := func(i int) string {
		if i == len(actions) {
			return end
		}
		return idOf("action", name, revision, actions[i].ID, actions[i].Authority)
	}
	workflow := map[string]object{start: {"type": "start", "on_completion": id(0)}, end: {"type": "end"}}
	agents := map[string]object{}
	types := map[string]string{triage.StageCheck: "investigation", triage.StageContain: "mitigation", triage.StageRestore: "remediation"}
	kinds, does := []string{}, []string{}
	refs := []object{{"name": "Tocsin incident", "external_id": name}}
	seen := map[string]bool{}
	once := func(list *[]string, s string) {
		if !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	for i := range actions {
		a := &actions[i]
		agent := idOf("group", a.Authority)
		agents[agent] = object{"type": "group", "name": triage.AuthorityTitle(a.Authority)}
		workflow[id(i)] = step(a, agent, id(i+1))
		once(&kinds, types[a.Stage])
		once(&does, activityOf(a))
		for _, r := range a.References {
			if !seen[r] {
				seen[r] = true
				refs = append(refs, referenceOf(r))
			}
		}
	}
	opened := moment(min(in.Opened, in.Updated))
	p := object{
		"type": "playbook", "spec_version": "cacao-2.0", "id": idOf("playbook", name), "name": cut("Response to "+nameOf(in), 300),
		"description":    "Proposed for incident " + name + ", revision " + revision + ". Every step is done by people, by the team it names, after its checks; nothing is executed (executes: false). Skip what does not apply.",
		"playbook_types": kinds, "playbook_activities": does, "created_by": idOf("identity", source), "created": opened, "modified": max(opened, moment(in.Updated)), "revoked": false,
		"priority": max(1, 100-in.Score), "severity": in.Score, "labels": []string{"manual-only", "executes:false"},
		"external_references": refs, // Those of steps, too (2.0, 3.1).
		"workflow_start":      start, "workflow": workflow, "agent_definitions": agents,
	}
	return encode(p)
}

func activityOf(a *triage.Action) string { return cmp.Or(activities[a.ID], activities[a.Stage]) }

func referenceOf(id string) object {
	source := "RE&CT"
	if strings.HasPrefix(id, "D3-") {
		source = "MITRE D3FEND"
	}
	return object{"name": source, "external_id": id}
}

// step is an action as a step for people.
func step(a *triage.Action, agent, next string) object {
	var command strings.Builder
	fmt.Fprintf(&command, "Decide, and if so do by hand: %s", a.Title)
	list := func(title string, items []string) {
		if len(items) > 0 {
			fmt.Fprintf(&command, "\n%s:\n- %s", title, strings.Join(items, "\n- "))
		}
	}
	list("Concerns", a.Targets)
	list("Before it, make sure that", a.Prechecks)
	list("Keep first", a.Evidence)
	list("Tell", a.Tell)
	if a.People > 1 {
		fmt.Fprintf(&command, "\nNeeds %d named people.", a.People)
	}
	s := object{
		"type": "action", "name": a.Say(), "agent": agent, "on_completion": next,
		"commands": []object{{"type": "manual", "command": command.String(), "playbook_activity": activityOf(a)}},
	}
	if a.Effect != "" {
		s["description"] = a.Effect
		if a.Undo != "" {
			s["description"] = a.Effect + " Taken back by: " + a.Undo
		}
	}
	var refs []object
	for _, r := range a.References {
		refs = append(refs, referenceOf(r))
	}
	if refs != nil {
		s["external_references"] = refs
	}
	return s
}
