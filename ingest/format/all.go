package format

// All is the table of formats, by domain. Adding one is a file and a line here.
func All() []Format {
	return []Format{
		okta(),
		entra(),
		cloudTrail(),
		ciscoISE(),
		freeRADIUS(),
		dhcpServer(),
		openSSH(),
		crowdStrike(),
		windows(),
		intune(),
		suricata(),
		zeek(),
		nozomiCEF(),
		vda5050(),
		universalRobots(),
		ros2(),
		blueZ(),
		changeTicket(),
		alertmanager(),
		anySyslog(),
		anyJSON(),
		ocsf(),
	}
}
