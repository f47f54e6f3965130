package sigma

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	sysmon          = "Microsoft-Windows-Sysmon/Operational"
	powershell      = "Microsoft-Windows-PowerShell/Operational"
	powershellCore  = "PowerShellCore/Operational"
	powershellOld   = "Windows PowerShell"
	kernelFile      = "Microsoft-Windows-Kernel-File"
	securityChannel = "Security"
)

// windowsCategory is a category of the product windows: channels and event ids, and the classes that the format windows gives them.
type windowsCategory struct {
	name     string
	channels []string
	provider string // In the place of channels.
	ids      []string
	classes  []string
}

// windowsCategories follows Sigma's list of generic log sources (specification, appendix "Taxonomy", and the sources named after Sysmon's events).
var windowsCategories = []windowsCategory{
	{name: "process_creation", channels: []string{sysmon}, ids: []string{"1"}, classes: []string{"process_activity.launch"}},
	{name: "file_change", channels: []string{sysmon}, ids: []string{"2"}, classes: []string{"file_activity.set_attributes"}},
	{name: "network_connection", channels: []string{sysmon}, ids: []string{"3"}, classes: []string{"network_activity.open"}},
	{name: "sysmon_status", channels: []string{sysmon}, ids: []string{"4", "16"}, classes: baseClasses},
	{name: "process_termination", channels: []string{sysmon}, ids: []string{"5"}, classes: []string{"process_activity.terminate"}},
	{name: "driver_load", channels: []string{sysmon}, ids: []string{"6"}, classes: []string{"kernel_extension_activity.load"}},
	{name: "image_load", channels: []string{sysmon}, ids: []string{"7"}, classes: []string{"module_activity.load"}},
	{name: "create_remote_thread", channels: []string{sysmon}, ids: []string{"8"}, classes: []string{"process_activity.inject"}},
	{name: "raw_access_thread", channels: []string{sysmon}, ids: []string{"9"}, classes: []string{"file_activity.read"}},
	{name: "process_access", channels: []string{sysmon}, ids: []string{"10"}, classes: []string{"process_activity.open"}},
	{name: "file_event", channels: []string{sysmon}, ids: []string{"11"}, classes: []string{"file_activity.create"}},
	{name: "registry_add", channels: []string{sysmon}, ids: []string{"12"}, classes: registryClasses},
	{name: "registry_delete", channels: []string{sysmon}, ids: []string{"12"}, classes: registryClasses},
	{name: "registry_set", channels: []string{sysmon}, ids: []string{"13"}, classes: registryClasses},
	{name: "registry_rename", channels: []string{sysmon}, ids: []string{"14"}, classes: registryClasses},
	{name: "registry_event", channels: []string{sysmon}, ids: []string{"12", "13", "14"}, classes: registryClasses},
	{name: "create_stream_hash", channels: []string{sysmon}, ids: []string{"15"}, classes: []string{"file_activity.create"}},
	{name: "pipe_created", channels: []string{sysmon}, ids: []string{"17", "18"}, classes: []string{"file_activity.create", "file_activity.open"}},
	{name: "wmi_event", channels: []string{sysmon}, ids: []string{"19", "20", "21"}, classes: baseClasses},
	{name: "dns_query", channels: []string{sysmon}, ids: []string{"22"}, classes: []string{"dns_activity.query"}},
	{name: "file_delete", channels: []string{sysmon}, ids: []string{"23", "26"}, classes: []string{"file_activity.delete"}},
	{name: "clipboard_capture", channels: []string{sysmon}, ids: []string{"24"}, classes: baseClasses},
	{name: "process_tampering", channels: []string{sysmon}, ids: []string{"25"}, classes: []string{"process_activity.inject"}},
	{name: "file_delete_detected", channels: []string{sysmon}, ids: []string{"26"}, classes: []string{"file_activity.delete"}},
	{name: "file_block_executable", channels: []string{sysmon}, ids: []string{"27"}, classes: []string{"file_activity"}},
	{name: "file_block_shredding", channels: []string{sysmon}, ids: []string{"28"}, classes: []string{"file_activity"}},
	{name: "file_executable_detected", channels: []string{sysmon}, ids: []string{"29"}, classes: []string{"file_activity.create"}},
	{name: "sysmon_error", channels: []string{sysmon}, ids: []string{"255"}, classes: baseClasses},
	{name: "ps_module", channels: []string{powershell, powershellCore}, ids: []string{"4103"}, classes: []string{"script_activity.execute"}},
	{name: "ps_script", channels: []string{powershell, powershellCore}, ids: []string{"4104"}, classes: []string{"script_activity.execute"}},
	{name: "ps_classic_start", channels: []string{powershellOld}, ids: []string{"400"}, classes: baseClasses},
	{name: "ps_classic_provider_start", channels: []string{powershellOld}, ids: []string{"600"}, classes: baseClasses},
	{name: "ps_classic_script", channels: []string{powershellOld}, ids: []string{"800"}, classes: []string{"script_activity.execute", "base_event"}},
	{name: "file_access", provider: kernelFile, classes: baseClasses},
	{name: "file_rename", provider: kernelFile, classes: baseClasses},
}

// windowsServices are the channels of the services of the product windows.
var windowsServices = map[string][]string{
	"application": {"Application"}, "security": {"Security"}, "system": {"System"}, "sysmon": {sysmon},
	"powershell": {powershell, powershellCore}, "powershell-classic": {powershellOld},
	"applocker": {
		"Microsoft-Windows-AppLocker/MSI and Script", "Microsoft-Windows-AppLocker/EXE and DLL",
		"Microsoft-Windows-AppLocker/Packaged app-Deployment", "Microsoft-Windows-AppLocker/Packaged app-Execution",
	},
	"appmodel-runtime":      {"Microsoft-Windows-AppModel-Runtime/Admin"},
	"appxdeployment-server": {"Microsoft-Windows-AppXDeploymentServer/Operational"},
	"appxpackaging-om":      {"Microsoft-Windows-AppxPackaging/Operational"},
	"audit-cve":             {"Microsoft-Windows-Audit-CVE/Operational"},
	"bitlocker":             {"Microsoft-Windows-BitLocker/BitLocker Management"},
	"bits-client":           {"Microsoft-Windows-Bits-Client/Operational"},
	"capi2":                 {"Microsoft-Windows-CAPI2/Operational"},
	"certificateservicesclient-lifecycle-system": {"Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational"},
	"codeintegrity-operational":                  {"Microsoft-Windows-CodeIntegrity/Operational"},
	"dhcp":                                       {"Microsoft-Windows-DHCP-Server/Operational"},
	"diagnosis-scripted":                         {"Microsoft-Windows-Diagnosis-Scripted/Operational"},
	"dns-client":                                 {"Microsoft-Windows-DNS Client Events/Operational", "Microsoft-Windows-DNS-Client/Operational"},
	"dns-server":                                 {"DNS Server"},
	"dns-server-analytic":                        {"Microsoft-Windows-DNS-Server/Analytical"},
	"dns-server-audit":                           {"Microsoft-Windows-DNS-Server/Audit"},
	"driver-framework":                           {"Microsoft-Windows-DriverFrameworks-UserMode/Operational"},
	"firewall-as":                                {"Microsoft-Windows-Windows Firewall With Advanced Security/Firewall"},
	"hyper-v-worker":                             {"Microsoft-Windows-Hyper-V-Worker", "Microsoft-Windows-Hyper-V-Worker-Admin"},
	"iis-configuration":                          {"Microsoft-IIS-Configuration/Operational", "Microsoft-IIS-Configuration/Administrative"},
	"kernel-event-tracing":                       {"Microsoft-Windows-Kernel-EventTracing", "Microsoft-Windows-Kernel-EventTracing/Admin"},
	"kernel-shimengine":                          {"Microsoft-Windows-Kernel-ShimEngine/Operational", "Microsoft-Windows-Kernel-ShimEngine/Diagnostic"},
	"ldap":                                       {"Microsoft-Windows-LDAP-Client/Debug"},
	"ldap_debug":                                 {"Microsoft-Windows-LDAP-Client/Debug"},
	"lsa-server":                                 {"Microsoft-Windows-LSA/Operational"},
	"microsoft-servicebus-client":                {"Microsoft-ServiceBus-Client", "Microsoft-ServiceBus-Client/Admin", "Microsoft-ServiceBus-Client/Operational"},
	"msexchange-management":                      {"MSExchange Management"},
	"ntfs":                                       {"Microsoft-Windows-Ntfs/Operational"},
	"ntlm":                                       {"Microsoft-Windows-NTLM/Operational"},
	"openssh":                                    {"OpenSSH/Operational"},
	"printservice-admin":                         {"Microsoft-Windows-PrintService/Admin"},
	"printservice-operational":                   {"Microsoft-Windows-PrintService/Operational"},
	"security-mitigations":                       {"Microsoft-Windows-Security-Mitigations/Kernel Mode", "Microsoft-Windows-Security-Mitigations/User Mode"},
	"sense":                                      {"Microsoft-Windows-SENSE/Operational"},
	"servicebus-client":                          {"Microsoft-ServiceBus-Client"},
	"shell-core":                                 {"Microsoft-Windows-Shell-Core/Operational"},
	"smbclient-connectivity":                     {"Microsoft-Windows-SmbClient/Connectivity"},
	"smbclient-security":                         {"Microsoft-Windows-SmbClient/Security"},
	"smbserver-connectivity":                     {"Microsoft-Windows-SMBServer/Connectivity"},
	"taskscheduler":                              {"Microsoft-Windows-TaskScheduler/Operational"},
	"terminalservices-localsessionmanager":       {"Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"},
	"vhdmp":                                      {"Microsoft-Windows-VHDMP/Operational"},
	"windefend":                                  {"Microsoft-Windows-Windows Defender/Operational"},
	"wmi":                                        {"Microsoft-Windows-WMI-Activity/Operational"},
}

// The classes of some categories, and those of all events of Windows.
var (
	baseClasses     = []string{"base_event"}
	registryClasses = []string{"registry_key_activity", "registry_value_activity"}
	windowsClasses  = []string{
		"base_event", "file_activity", "kernel_extension_activity", "module_activity", "scheduled_job_activity", "process_activity",
		"event_log_actvity", "script_activity", "registry_key_activity", "registry_value_activity", "windows_service_activity", "detection_finding",
		"account_change", "authentication", "authorize_session", "group_management", "network_activity", "dns_activity", "rdp_activity", "smb_activity",
	}
)

// auditedProcess are the fields of a process creation that event 4688 of the Security log has under another name only.
var auditedProcess = map[string][]access{
	"IntegrityLevel": rawNames("IntegrityLevel", "MandatoryLabel"),
	"LogonId":        rawNames("LogonId", "SubjectLogonId"),
}

const (
	channelPath = `raw("Channel")`
	eventIDPath = `raw("EventID")`
)

func windowsSource(n *yaml.Node, l logsource) (*source, error) {
	s := &source{classes: windowsClasses}
	var where []string
	if l.service != "" {
		channels := windowsServices[l.service]
		if channels == nil {
			return nil, refuse(n, codeSource, "the channel of Windows service "+l.service+" is not known", "")
		}
		where = append(where, oneOf(channelPath, channels...))
	}
	if l.category != "" {
		i := slices.IndexFunc(windowsCategories, func(c windowsCategory) bool { return c.name == l.category })
		if i < 0 {
			return nil, refuse(n, codeSource, "the events of Windows category "+l.category+" are not known", "")
		}
		c := &windowsCategories[i]
		where = append(where, c.where())
		s.classes = c.classes
		if c.name == "process_creation" {
			s.fields = auditedProcess
		}
	}
	if len(where) == 0 {
		where = append(where, `rawKnown("Channel")`)
	}
	s.where = strings.Join(where, " and ")
	return s, nil
}

func (c *windowsCategory) where() string {
	if c.provider != "" {
		return oneOf(`raw("Provider_Name")`, c.provider)
	}
	if c.name == "process_creation" {
		return `(` + channelPath + ` == "` + sysmon + `" and ` + eventIDPath + ` == "1" or ` + channelPath + ` == "` + securityChannel + `" and ` + eventIDPath + ` == "4688")`
	}
	return oneOf(channelPath, c.channels...) + " and " + oneOf(eventIDPath, c.ids...)
}
