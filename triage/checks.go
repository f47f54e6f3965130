package triage

import (
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// maxChecks bounds what is suggested at once.
const maxChecks = 6

// check is a suggested next look, and when it is worth it: any of the classes among the evidence, or any of the changes. Who may do it is
// named, since a robot cell is not the SOC's to touch.
type check struct {
	classes []string
	changes []string
	always  bool
	text    string
}

var checks = []check{
	{changes: []string{"safety_checksum"}, classes: []string{"robot_state.safety_configuration_change"}, text: "Safety: compare the safety configuration and its checksum with the approved one before the robot moves again."},
	{changes: []string{"firmware"}, classes: []string{"application_lifecycle", "robot_control.certificate_update"}, text: "Robot operations: compare the firmware version and its hash with the vendor's release."},
	{changes: []string{"program", "map"}, classes: []string{"robot_control.program_load", "robot_control.map_change", "ot_command.download_program", "ot_command.modify_program"}, text: "Robot operations: compare the loaded program and map with the released versions."},
	{changes: []string{"mode"}, classes: []string{"robot_state.mode_change"}, text: "Robot operations: ask on the floor who changed the operating mode, and whether people stood near."},
	{classes: []string{"authentication"}, text: "IT: ask the account's owner, by a second channel, whether the sign-in and the prompts were theirs."},
	{changes: []string{"vlan", "policy"}, classes: []string{"entity_management", "group_management"}, text: "IT: find who granted the network exception and when it ends."},
	{changes: []string{"posture"}, classes: []string{"device_config_state_change", "compliance_finding", "detection_finding"}, text: "IT: look at the device's last full posture report and its detections."},
	{classes: []string{"network_activity", "http_activity", "dns_activity"}, text: "IT: see what else talked to the same outside address."},
	{classes: faultClasses, text: "Robot operations: read the robot's own fault history and its last maintenance."},
	{changes: []string{"ticket"}, text: "OT: compare what was done with what the change ticket allows."},
	{always: true, text: "OT: ask whether work was planned on the robots or devices named here."},
}

// Checks suggests what to look at next for an incident, from a fixed table, at most six. It is advice for people; nothing carries it out.
func Checks(in *incident.Incident) []string {
	f := factsOf(in)
	var out []string
	for _, c := range checks {
		if len(out) == maxChecks {
			break
		}
		if c.always || len(f.where(c.classes)) > 0 || slices.ContainsFunc(f.notes, func(n event.Note) bool { return slices.Contains(c.changes, n.What) }) {
			out = append(out, c.text)
		}
	}
	return out
}
