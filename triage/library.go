package triage

import (
	"net/netip"

	"github.com/tocsin-siem/tocsin/event"
)

// proposal is an action of the library and when there is reason for it: one of the classes among the evidence, one of the changes, or a rule
// with one of the tags; and, if readings are given, one of them as assessment.
type proposal struct {
	Action
	classes  []string
	changes  []string
	tags     []string
	readings []string
	always   bool

	kinds   []event.EntityKind // What it is done to; none: it has no target.
	outside bool               // Only addresses that are not the plant's.
	floor   string             // Who decides where the target is part of a robot cell; "" if that is no difference.
}

// hostile are the readings in which somebody must be stopped, or may have to be.
var hostile = []string{Intrusion, Misuse, Undetermined}

// library is the table of actions. References are ids of RE&CT (RA…) and MITRE D3FEND (D3-…), for those who look an action up; their texts
// are not used. Whatever moves or stops machinery needs two named people, and safety functions are the safety team's alone.
var library = []proposal{
	// Look.
	{
		Action:  Action{ID: "compare-safety-configuration", Stage: StageCheck, Authority: BySafety, Title: "compare the safety configuration and its checksum with the approved one before the robot moves again."},
		changes: []string{"safety_checksum"}, classes: []string{"robot_state.safety_configuration_change"},
	},
	{
		Action:  Action{ID: "compare-firmware", References: []string{"D3-FV"}, Stage: StageCheck, Authority: ByRobots, Title: "compare the firmware version and its hash with the vendor's release."},
		changes: []string{"firmware"}, classes: []string{"application_lifecycle", "robot_control.certificate_update"},
	},
	{
		Action:  Action{ID: "compare-program", Stage: StageCheck, Authority: ByRobots, Title: "compare the loaded program and map with the released versions."},
		changes: []string{"program", "map"}, classes: []string{"robot_control.program_load", "robot_control.map_change", "ot_command.download_program", "ot_command.modify_program"},
	},
	{
		Action:  Action{ID: "ask-floor", Stage: StageCheck, Authority: ByRobots, Title: "ask on the floor who changed the operating mode, and whether people stood near."},
		changes: []string{"mode"}, classes: []string{"robot_state.mode_change"},
	},
	{
		Action:  Action{ID: "ask-account-owner", Stage: StageCheck, Authority: ByIT, Title: "ask the account's owner, by a second channel, whether the sign-in and the prompts were theirs."},
		classes: []string{"authentication"},
	},
	{
		Action:  Action{ID: "find-network-exception", Stage: StageCheck, Authority: ByIT, Title: "find who granted the network exception and when it ends."},
		changes: []string{"vlan", "policy"}, classes: []string{"entity_management", "group_management"},
	},
	{
		Action:  Action{ID: "read-posture", Stage: StageCheck, Authority: ByIT, Title: "look at the device's last full posture report and its detections."},
		changes: []string{"posture"}, classes: []string{"device_config_state_change", "compliance_finding", "detection_finding"},
	},
	{
		Action:  Action{ID: "find-other-talkers", Stage: StageCheck, Authority: ByIT, Title: "see what else talked to the same outside address."},
		classes: []string{"network_activity", "http_activity", "dns_activity"},
	},
	{
		Action:  Action{ID: "read-fault-history", Stage: StageCheck, Authority: ByRobots, Title: "read the robot's own fault history and its last maintenance."},
		classes: faultClasses,
	},
	{
		Action:  Action{ID: "compare-ticket", Stage: StageCheck, Authority: ByOT, Title: "compare what was done with what the change ticket allows."},
		changes: []string{"ticket"},
	},
	{
		Action: Action{ID: "ask-planned-work", Stage: StageCheck, Authority: ByOT, Title: "ask whether work was planned on the robots or devices named here."},
		always: true,
	},

	// Contain: first what leaves machinery alone.
	{
		Action: Action{
			ID: "lock-account", References: []string{"RA3601", "D3-AL"}, Stage: StageContain, Authority: ByIT, Title: "lock the account.",
			Effect: "No new sign-in; sessions that are open may go on until they are ended.", Undo: "Unlock after the owner has proved who they are (RA5601, D3-ULA).",
			Prechecks: []string{"the account is not the only one that can stop, release or supervise a robot", "no robot job, lift or door runs under this account"},
			Evidence:  []string{"its sign-ins and second-factor prompts of the last 30 days", "its open sessions and tokens"}, Tell: []string{"the account's owner by a second channel", "their manager", "robot operations, if the account works on robots"},
		},
		classes: []string{"authentication", "api_activity", "account_change", "user_access"}, readings: hostile, kinds: []event.EntityKind{event.EntityUser},
	},
	{
		Action: Action{
			ID: "end-sessions", References: []string{"D3-ST"}, Stage: StageContain, Authority: ByIT, Title: "end the account's open sessions.",
			Effect: "Whoever uses them is out at once, also from fleet consoles.", Undo: "Sign in again.",
			Prechecks: []string{"no teleoperation or manual mode is under way in one of the sessions: a robot may stop, or go on without its supervisor"},
			Evidence:  []string{"list of sessions with address, device and start"}, Tell: []string{"the account's owner by a second channel", "robot operations"},
		},
		classes: []string{"authentication.logon"}, readings: hostile, kinds: []event.EntityKind{event.EntityUser},
	},
	{
		Action: Action{
			ID: "revoke-credentials", References: []string{"RA4601", "D3-CR"}, Stage: StageContain, Authority: ByIT, Title: "revoke passwords, keys, tokens and second factors of the account.",
			Effect: "Stolen credentials are worthless; the owner needs new ones.", Prechecks: []string{"no unattended job signs in with them", "the owner can get new ones before their next shift"},
			Evidence: []string{"which credentials there were, when issued and last used"}, Tell: []string{"the account's owner by a second channel"},
		},
		tags: []string{"attack.t1621", "attack.t1078", "attack.t1110", "attack.t1556", "ics.t0859", "ics.t0812"}, readings: []string{Intrusion}, kinds: []event.EntityKind{event.EntityUser},
	},
	{
		Action: Action{
			ID: "end-network-exception", References: []string{"D3-NRAM"}, Stage: StageContain, Authority: ByIT, Title: "end the network exception, so that the device is judged by policy again.",
			Effect: "The device falls back to the network its posture allows.", Undo: "Grant a new exception with an owner and an end.",
			Prechecks: []string{"it is known which robots and stations are reached through it"}, Evidence: []string{"who granted it, when, and for which device"}, Tell: []string{"who granted it", "OT"},
		},
		changes: []string{"vlan", "policy"}, tags: []string{"ics.t0864", "ics.t0848"}, readings: hostile, kinds: []event.EntityKind{event.EntityDevice}, floor: ByOT,
	},
	{
		Action: Action{
			ID: "isolate-device", References: []string{"RA3102", "D3-NTF"}, Stage: StageContain, Authority: ByIT, Title: "take the device off the network.",
			Effect: "It reaches nothing and nothing reaches it, except what the isolation lets through.", Undo: "Lift the isolation after a clean posture report (RA5101, D3-RNA).",
			Prechecks: []string{"it is not in use for supervising or stopping a robot"}, Evidence: []string{"memory and running processes, if the site can take them", "its connections of the last hour"}, Tell: []string{"the device's user"},
		},
		classes: []string{"detection_finding", "device_config_state_change", "compliance_finding", "process_activity"}, changes: []string{"posture"}, tags: []string{"ics.t0864", "ics.t0848"}, readings: []string{Intrusion, Undetermined},
		kinds: []event.EntityKind{event.EntityDevice}, floor: ByOT,
	},
	{
		Action: Action{
			ID: "block-outside-address", References: []string{"RA3101", "D3-OTF"}, Stage: StageContain, Authority: ByIT, Title: "block the outside address at the border.",
			Effect: "No traffic to it or from it.", Undo: "Take the block out (RA5101).", Prechecks: []string{"it is not the robot vendor's fleet service, licence server or remote support"},
			Evidence: []string{"flows with the address of the last 30 days"}, Tell: []string{"robot operations"},
		},
		classes: []string{"network_activity", "http_activity", "dns_activity", "detection_finding", "authentication"}, readings: []string{Intrusion}, kinds: []event.EntityKind{event.EntityIP}, outside: true,
	},
	{
		Action: Action{
			ID: "stop-robot", Stage: StageContain, Authority: ByOT, Moves: true, Title: "bring the robot to a safe stop at the cell, by a person who sees it.",
			Effect: "The robot stands and its work waits. It stays powered, so that its logs are kept.", Undo: "Release and restart at the cell after the safety checks of the site.",
			Prechecks: []string{"somebody at the cell sees the robot and what it carries", "stopping here does not drop a load, block an escape way or trap anybody", "the site's own stop procedure is followed; nothing is stopped over the network"},
			Evidence:  []string{"the controller's log and its present program, map and parameters", "the time and the names of the two people"}, Tell: []string{"shift lead of the zone", "safety"},
		},
		classes: robotWork, changes: grave, readings: []string{Intrusion, Misuse, Undetermined}, kinds: []event.EntityKind{event.EntityRobot},
	},
	{
		Action: Action{
			ID: "cut-cell-network", References: []string{"RA3108", "D3-NTF"}, Stage: StageContain, Authority: ByOT, Moves: true, Title: "cut the cell's network from the rest of the plant.",
			Effect: "Robots in it lose their fleet manager and may stop where they are.", Undo: "Connect again, then check each robot's position and map.",
			Prechecks: append([]string{"every robot in the cell stops safely without its fleet manager", "emergency stops do not run over this network"}, floorChecks[0]),
			Evidence:  []string{"the switch's tables and the last hour of traffic"}, Tell: []string{"shift lead of the zone", "robot operations", "safety"},
		},
		tags: []string{"ics.t0855", "ics.t0831", "ics.t0821", "ics.t0836", "ics.t0843", "ics.t0857", "ics.t0858", "ics.t0889", "ics.t0839", "ics.t0882"}, readings: []string{Intrusion}, kinds: []event.EntityKind{event.EntityRobot},
	},
	{
		Action: Action{
			ID: "end-remote-access", References: []string{"D3-DRA"}, Stage: StageContain, Authority: ByRobots, Moves: true, Title: "switch the robot's remote access and teleoperation off.",
			Effect: "Only people at the robot can work on it.", Undo: "Switch it on again for a named session.", Prechecks: []string{"nobody is teleoperating, or they have parked the robot", "the vendor's support is not at work"},
			Evidence: []string{"the robot's list of remote sessions"}, Tell: []string{"the vendor's support", "shift lead of the zone"},
		},
		classes: []string{"robot_control.teleoperation_start", "robot_control.authority_change", "robot_control.pairing_attempt", "robot_control.pairing_mode_change"}, tags: []string{"ics.t0886", "ics.t0860"}, readings: hostile,
		kinds: []event.EntityKind{event.EntityRobot},
	},
	{
		Action: Action{
			ID: "hold-changes", Stage: StageContain, Authority: ByRobots, Title: "hold further updates, programs and maps for the fleet.",
			Effect: "No robot takes a new version until somebody lets it.", Undo: "Let the roll-out go on.", Prechecks: []string{"no safety fix waits in the same roll-out"}, Tell: []string{"who is rolling out"},
		},
		changes: []string{"firmware", "program", "map", "safety_checksum"}, classes: []string{"robot_control.program_load", "robot_control.firmware_update", "robot_control.map_change"}, readings: hostile,
	},
	{
		Action: Action{
			ID: "remove-rogue-device", References: []string{"RA4101"}, Stage: StageContain, Authority: ByFacilities, Title: "find the unknown device by its switch port and take it out.",
			Effect: "The device is gone from the plant.", Prechecks: []string{"it is not part of a machine: ask OT before unplugging anything in a cell", floorChecks[0]},
			Evidence: []string{"a photograph of the device as it was found, port and cable", "the device itself"}, Tell: []string{"IT", "OT"},
		},
		tags: []string{"ics.t0848", "attack.t1200"}, readings: hostile,
	},
	{
		Action: Action{
			ID: "hold-badge", Stage: StageContain, Authority: ByFacilities, Title: "read who was in the zone at that time, and hold the badge of whoever should not have been.",
			Effect: "The badge opens no door of the zone.", Undo: "Release the badge.", Prechecks: []string{"nobody is locked in: doors open from inside without a badge"},
			Evidence: []string{"door log and video of the zone, an hour before and after"}, Tell: []string{"the zone's shift lead", "site security"},
		},
		classes: []string{"robot_state.mode_change", "robot_control.pairing_attempt", "robot_control.safety_reset"}, readings: []string{Intrusion, Misuse},
	},

	// Restore.
	{
		Action: Action{
			ID: "restore-robot", References: []string{"RA5002", "D3-RC"}, Stage: StageRestore, Authority: ByRobots, Moves: true, Title: "load the released program, map, parameters and firmware again.",
			Effect: "The robot works as released; what was changed is gone from it.", Prechecks: []string{"the robot is parked, and locked out while it is written", floorChecks[0], "the first run is at reduced speed and watched"},
			Evidence: []string{"an export of program, map, parameters and logs as they are now, before anything is written"}, Tell: []string{"shift lead of the zone", "safety, if a safety checksum differs"},
		},
		changes: []string{"firmware", "program", "map"}, classes: []string{"robot_control.program_load", "robot_control.map_change", "robot_control.parameter_change", "robot_control.firmware_update"},
		readings: []string{Intrusion, Misuse}, kinds: []event.EntityKind{event.EntityRobot},
	},
	{
		Action: Action{
			ID: "restore-safety-configuration", References: []string{"D3-RC"}, Stage: StageRestore, Authority: BySafety, Moves: true, Title: "restore the approved safety configuration and validate it as the site's safety file says.",
			Effect: "Safety functions are as approved again.", Prechecks: []string{"the robot is locked out until validation is signed", "only the safety team writes it"},
			Evidence: []string{"the configuration and checksum found, before it is overwritten"}, Tell: []string{"shift lead of the zone", "robot operations"},
		},
		changes: []string{"safety_checksum"}, classes: []string{"robot_state.safety_configuration_change"}, kinds: []event.EntityKind{event.EntityRobot},
	},
	{
		Action: Action{
			ID: "take-out-of-service", Stage: StageRestore, Authority: ByRobots, Moves: true, Title: "take the robot out of service for repair.",
			Effect: "It takes no orders until maintenance releases it.", Undo: "Release after repair.", Prechecks: []string{"the robot stands where it blocks nobody, or can be moved there by hand"},
			Evidence: []string{"fault history and service log"}, Tell: []string{"maintenance", "shift lead of the zone"},
		},
		classes: faultClasses, readings: []string{Malfunction, Undetermined}, kinds: []event.EntityKind{event.EntityRobot},
	},
}

// private reports whether an address is one that the plant itself may use, or none at all.
func private(addr string) bool {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return true
	}
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified()
}
