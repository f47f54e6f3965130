package format_test

// exception is a leaf of the visible cases that we answer otherwise on purpose. Patterns are those of path.Match; an exception that no case
// needs any more fails the test.
type exception struct {
	format string
	file   string // Name of the case without .json.
	leaf   string // Leaf, such as source.mac or related.hosts.
	reason string
}

var exceptions = []exception{
	{"ocsf", "*", "event.category", "the class of the event is passed through; HTTP activity stays network activity"},
	{"ocsf", "test_authentication_2", "source.port", "port 0 stands for no port"},
	{"ocsf", "generated_file_remediation_activity_3", "*hash*", "two digests written without anything between them are no digest; both are entities"},
	{"crowdstrike", "process_event", "process.start", "a FILETIME counts from 1601: 2022-07-20, as the record itself says in ProcessStartTime_formatted"},
	{"crowdstrike", "process_event", "process.end", "a FILETIME counts from 1601: 2022-07-20, as the record itself says in ProcessEndTime_formatted"},
	{"crowdstrike", "device_event", "file.name", "a boot file among the host's properties is not what a host vertex is about"},
	{"crowdstrike", "device_event", "source.*", "the host's own address stands among the device's, it is the source of nothing"},
	{"crowdstrike", "firewall_match_event_*", "event.category", "a match of the host firewall is network activity (4001), allowed or refused"},
	{"crowdstrike", "firewall_match_event_*", "process.name", "the name is the last part of the path"},
	{"crowdstrike", "firewall_match_event_*", "source.port", "port 0 stands for no port"},
	{"intune", "*", "user.id", "IntuneAccountId is the account of the tenant, the same for every user"},
	{"entra", "graph_activity*", "event.category", "a call of the Graph interface is API activity (6003), not an administrative act"},
	{"entra", "sign-in_activity7", "event.category", "a service principal's sign-in is authentication (3002)"},
	{"entra", "user_risk_detection_*", "event.category", "a detection of Identity Protection is a finding (2004)"},
	{"entra", "test_event_0077", "user.name", "the display name stands in full_name; the name is the principal name"},
	{"entra", "test_signin", "user.name", "the display name stands in full_name; the name is the principal name"},
	{"entra", "test_signin", "event.code", "the error code of a sign-in is status_code"},
	{"entra", "test_signin", "host.os.name", "a device without id and name is none in OCSF; its system is src_endpoint.os.name"},
	{"suricata", "*", "host.ip", "the case takes the packet's source for the sensor's host; it is src_endpoint.ip, and the sensor says nothing of its own address"},
	{"cisco_ise", "test_authentication*", "rule.name", "policy.name is the authorization rule, which decided, not the authentication rule before it"},
	{"cisco_ise", "test_failed_attempts", "rule.name", "policy.name is the authorization rule, which decided, not the authentication rule before it"},
	{"cisco_ise", "test_kv_with_colon_1", "rule.name", "policy.name is the authorization rule, which decided, not the authentication rule before it"},
	{"cisco_ise", "test_authentication_failed", "destination.port", "port 1812 is the RADIUS server's, and the destination is the gateway the VPN client called"},
	{"cisco_ise", "test_cmd_authorization", "source.*", "the network device is what is administered; the source is the administrator's Remote-Address"},
	{"cisco_ise", "test_cmd_authorization", "event.category", "a command is API activity (6003)"},
	{"cisco_ise", "test_failed_attempts", "source.*", "the address is the network device's, which must not be bound to the station's hardware address"},
	{"cisco_ise", "test_network_info_events2", "source.*", "the address is the network device's; the station has Framed-IP-Address"},
	{"cisco_ise", "test_network_info_events6", "device.model.name", "the model is the wireless controller's, not the station's"},
	{"cisco_ise", "test_boot_request", "event.category", "what the profiler knows of an endpoint is inventory (5001)"},
	{"cisco_ise", "test_profiler_1", "event.category", "what the profiler knows of an endpoint is inventory (5001)"},
	{"dhcpd", "discover", "event.outcome", "no free leases is a failure"},
	{"openssh", "*", "event.type", "a refused logon is a logon with status failure; nothing ended"},
	{"openssh", "*", "event.category", "a connection that broke before any account was named is SSH activity (4007), or a base event without its ends"},
	{"openssh", "disconnected_user_with_domain", "source.*", "the domain after the @ is the account's, not the client's name"},
	{"openssh", "pam_check_pass", "event.outcome", "an unknown user is no success"},
	{"nozomi_cef", "alerts", "destination.mac", "the all-zero address names nobody"},
}
