package format

// Activities of the classes robot_control and robot_state.
const (
	controlPairing     = 13
	controlPairingMode = 14
	stateLogMessage    = 12
)

// bluetoothWords are the meanings in order of precedence; words are in lower case, and all must be there. They follow the messages of
// BlueZ's src/adapter.c, device.c, agent.c, tools/btmgmt.c, client/main.c and the kernel's net/bluetooth.
var bluetoothWords = []struct {
	words    []string
	code     string
	activity uint16
	status   uint8
	severity uint8
	state    bool
}{
	{[]string{"pairing successful"}, "pair_success", controlPairing, statusSuccess, severityLow, false},
	{[]string{"paired with "}, "pair_success", controlPairing, statusSuccess, severityLow, false},
	{[]string{"bonding_attempt_complete"}, "bonding", controlPairing, 0, severityLow, false},
	{[]string{"paired: yes"}, "pair_success", controlPairing, statusSuccess, severityLow, false},
	{[]string{"bonded: yes"}, "pair_success", controlPairing, statusSuccess, severityLow, false},
	{[]string{"device_bonding_complete"}, "bonding", controlPairing, 0, severityLow, false},
	{[]string{"new_link_key"}, "pair_success", controlPairing, statusSuccess, severityLow, false},
	{[]string{"new_long_term_key"}, "pair_success", controlPairing, statusSuccess, severityLow, false},
	{[]string{"new ltk for"}, "pair_success", controlPairing, statusSuccess, severityLow, false},
	{[]string{"new key for"}, "pair_success", controlPairing, statusSuccess, severityLow, false},
	{[]string{"device bonded"}, "pair_success", controlPairing, statusSuccess, severityLow, false},
	{[]string{"bonded", "with"}, "pair_success", controlPairing, statusSuccess, severityLow, false},

	{[]string{"auth failed"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"auth_failed_callback"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"authentication fail"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"authenticationfailed"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"authenticationrejected"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"authenticationcanceled"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"authenticationtimeout"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"authentication attempt without agent"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"bonding_failed"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"bonding failed"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"pairing", "fail"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"failed to pair"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"pairing", "reject"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"pairing", "denied"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"no agent available for request"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"authorization denied"}, "access_denied", controlPairing, statusFailure, severityLow, false},
	{[]string{"access denied"}, "access_denied", controlPairing, statusFailure, severityLow, false},
	{[]string{"connection", "from", "unpaired"}, "access_denied", controlPairing, statusFailure, severityLow, false},
	{[]string{"refusing", "connection from"}, "access_denied", controlPairing, statusFailure, severityLow, false},
	{[]string{"refusing", "connect: "}, "access_denied", controlPairing, statusFailure, severityLow, false},
	{[]string{"denying connection"}, "access_denied", controlPairing, statusFailure, severityLow, false},
	{[]string{"smp security requested but not available"}, "pair_failed", controlPairing, statusFailure, severityLow, false},
	{[]string{"smp", "timeout"}, "pair_failed", controlPairing, statusFailure, severityLow, false},

	{[]string{"pairing mode", "open"}, "pairing_mode_opened", controlPairingMode, statusSuccess, severityLow, false},
	{[]string{"pairing mode", "enabled"}, "pairing_mode_opened", controlPairingMode, statusSuccess, severityLow, false},
	{[]string{"pairing mode", " on"}, "pairing_mode_opened", controlPairingMode, statusSuccess, severityLow, false},
	{[]string{"entering pairing mode"}, "pairing_mode_opened", controlPairingMode, statusSuccess, severityLow, false},
	{[]string{"pairing mode", "clos"}, "pairing_mode_closed", controlPairingMode, statusSuccess, severityInfo, false},
	{[]string{"pairing mode", "disabled"}, "pairing_mode_closed", controlPairingMode, statusSuccess, severityInfo, false},
	{[]string{"leaving pairing mode"}, "pairing_mode_closed", controlPairingMode, statusSuccess, severityInfo, false},
	{[]string{"pairing mode", "timeout"}, "pairing_mode_closed", controlPairingMode, statusSuccess, severityInfo, false},
	{[]string{"pairable: yes"}, "pairing_mode_opened", controlPairingMode, statusSuccess, severityLow, false},
	{[]string{"pairable: no"}, "pairing_mode_closed", controlPairingMode, statusSuccess, severityInfo, false},
	{[]string{"discoverable: yes"}, "discoverable_on", controlPairingMode, statusSuccess, severityLow, false},
	{[]string{"discoverable: no"}, "discoverable_off", controlPairingMode, statusSuccess, severityInfo, false},
	{[]string{"pairable mode", "enabled"}, "pairing_mode_opened", controlPairingMode, statusSuccess, severityLow, false},
	{[]string{"pairable mode", "disabled"}, "pairing_mode_closed", controlPairingMode, statusSuccess, severityInfo, false},
	{[]string{"changing pairable on"}, "pairing_mode_opened", controlPairingMode, statusSuccess, severityLow, false},
	{[]string{"changing pairable off"}, "pairing_mode_closed", controlPairingMode, statusSuccess, severityInfo, false},
	{[]string{"changing discoverable on"}, "discoverable_on", controlPairingMode, statusSuccess, severityLow, false},
	{[]string{"changing discoverable off"}, "discoverable_off", controlPairingMode, statusSuccess, severityInfo, false},
	{[]string{"discoverable timeout"}, "discoverable_off", controlPairingMode, statusSuccess, severityInfo, false},
	{[]string{"discoverable mode", "enabled"}, "discoverable_on", controlPairingMode, statusSuccess, severityLow, false},
	{[]string{"discoverable mode", "disabled"}, "discoverable_off", controlPairingMode, statusSuccess, severityInfo, false},
	{[]string{"set to discoverable"}, "discoverable_on", controlPairingMode, statusSuccess, severityLow, false},
	{[]string{"discoverable", " enabled"}, "discoverable_on", controlPairingMode, statusSuccess, severityLow, false},
	{[]string{"now discoverable"}, "discoverable_on", controlPairingMode, statusSuccess, severityLow, false},

	{[]string{"pairing request"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"pairing from"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"pairing with"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"pairing attempt"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"pair request"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"attempting to pair"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"requesting agent authentication"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"new_auth()"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"pin_code_request"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"user_confirm_request"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"user_passkey_"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"confirm passkey"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"request confirmation"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"request pin"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"request passkey"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"request authorization"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"passkey:"}, "pair_request", controlPairing, 0, severityLow, false},
	{[]string{"pair_device"}, "pair_request", controlPairing, 0, severityLow, false},

	{[]string{"connected: yes"}, "device_connected", stateLogMessage, statusSuccess, severityInfo, true},
	{[]string{"connected: no"}, "device_disconnected", stateLogMessage, statusSuccess, severityInfo, true},
	{[]string{"disconnected"}, "device_disconnected", stateLogMessage, statusSuccess, severityInfo, true},
	{[]string{"connected_callback"}, "device_connected", stateLogMessage, statusSuccess, severityInfo, true},
	{[]string{"device", "connected"}, "device_connected", stateLogMessage, statusSuccess, severityInfo, true},
	{[]string{"connected", "eir_len"}, "device_connected", stateLogMessage, statusSuccess, severityInfo, true},
	{[]string{"killing stalled connection"}, "device_disconnected", stateLogMessage, statusFailure, severityInfo, true},
	{[]string{"connect", "fail"}, "connect_failed", stateLogMessage, statusFailure, severityInfo, true},
	{[]string{"[new] device"}, "new_device", stateLogMessage, 0, severityInfo, true},
	{[]string{"new device"}, "new_device", stateLogMessage, 0, severityInfo, true},
	{[]string{"device found"}, "new_device", stateLogMessage, 0, severityInfo, true},
	{[]string{"device_create"}, "new_device", stateLogMessage, 0, severityInfo, true},
	{[]string{"[del] device"}, "device_removed", stateLogMessage, 0, severityInfo, true},
	{[]string{"device removed"}, "device_removed", stateLogMessage, 0, severityInfo, true},
	{[]string{"trusted: yes"}, "device_trusted", stateLogMessage, statusSuccess, severityLow, true},
	{[]string{"bluetooth daemon"}, "daemon_started", stateLogMessage, statusSuccess, severityInfo, true},
	{[]string{"stopping sdp server"}, "daemon_stopped", stateLogMessage, statusSuccess, severityInfo, true},
	{[]string{"exit"}, "daemon_stopped", stateLogMessage, statusSuccess, severityInfo, true},
	{[]string{"failed to set mode"}, "adapter_failed", stateLogMessage, statusFailure, severityInfo, true},
}

// bluetoothCommands are arguments of BlueZ's tools, and what they do.
var bluetoothCommands = []struct {
	words    string
	code     string
	activity uint16
}{
	{"pairable on", "pairing_mode_opened", controlPairingMode},
	{"bondable on", "pairing_mode_opened", controlPairingMode},
	{"pairable yes", "pairing_mode_opened", controlPairingMode},
	{"discoverable on", "discoverable_on", controlPairingMode},
	{"discov on", "discoverable_on", controlPairingMode},
	{"discov yes", "discoverable_on", controlPairingMode},
	{"piscan", "discoverable_on", controlPairingMode},
	{"pairable off", "pairing_mode_closed", controlPairingMode},
	{"bondable off", "pairing_mode_closed", controlPairingMode},
	{"discoverable off", "discoverable_off", controlPairingMode},
	{"noscan", "discoverable_off", controlPairingMode},
	{"pair ", "pair_request", controlPairing},
	{"trust ", "pair_request", controlPairing},
}
