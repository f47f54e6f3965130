package correlate_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// lane is one kind of records as an office and a plant write them all day, and the format that reads them.
type lane struct {
	name   string
	format string
	record func(*office) string
}

var lanes = []lane{
	{"windows-events", "windows", func(o *office) string { return o.windows(o.nested) }}, // Event, System, EventData.
	{"windows-flat", "windows", func(o *office) string { return o.windows(o.flat) }},     // Every field at the top.
	{"processes", "windows", func(o *office) string { return o.nested(o.process()) }},    // Sysmon 1, which most rules are about.
	{"files", "windows", func(o *office) string { return o.nested(o.file()) }},           // Sysmon 11.
	{"syslog", "openssh", (*office).syslog},
}

// recordsOf are n records of a lane; always the same.
func (l *lane) recordsOf(n int) []event.Record {
	o := &office{r: rand.New(rand.NewPCG(11, uint64(len(l.name))))}
	out := make([]event.Record, n)
	for i := range out {
		out[i] = event.Record{Value: []byte(l.record(o)), Received: start}
	}
	return out
}

// decoded are the events of records, entities found.
func (l *lane) decoded(t testing.TB, records []event.Record) *event.Batch {
	t.Helper()
	f, ok := format.ByName(l.format)
	if !ok {
		t.Skip("there is no format " + l.format)
	}
	var s format.Scratch
	b := &event.Batch{}
	for i := range records {
		var err error
		if b.Events, err = f.Append(&s, b.Events, &records[i]); err != nil {
			t.Fatalf("%v: %s", err, records[i].Value)
		}
	}
	for i := range b.Events {
		b.Events[i].Envelope.ID = event.NewID(l.name, fmt.Sprint(i))
		b.Events[i].FindEntities()
	}
	b.Sort()
	return b
}

// office writes the records.
type office struct {
	r *rand.Rand
	n int
}

func (o *office) one(list ...string) string { return list[o.r.IntN(len(list))] }

func (o *office) number(n int) string { return fmt.Sprint(o.r.IntN(n)) }

func (o *office) hex(n int) string {
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, "%X", o.r.IntN(16))
	}
	return b.String()
}

func (o *office) person() string {
	return o.one("anna", "bernd", "cem", "dora", "elif", "franz", "greta", "henk") + "." + o.one("lund", "maier", "novak", "ortiz", "peters", "quist", "rossi")
}

func (o *office) host() string {
	return fmt.Sprintf("%s-%02d.plant.example", o.one("office", "cell", "eng", "hmi", "srv"), o.r.IntN(60))
}

// field is a name and a value.
type field struct{ name, value string }

// record is one Windows event before it is written in a form.
type record struct {
	provider, channel string
	id                int
	data              []field
}

// nested is the form of converters of event log files.
func (o *office) nested(x record) string {
	o.n++
	var b strings.Builder
	fmt.Fprintf(&b, `{"Event":{"System":{"Provider":{"#attributes":{"Name":%q,"Guid":"%s"}},"EventID":%d,"Version":5,"Level":4,"Task":%d,"Opcode":0,"Keywords":"0x8000000000000000","TimeCreated":{"#attributes":{"SystemTime":%q}},"EventRecordID":%d,"Execution":{"#attributes":{"ProcessID":%s,"ThreadID":%s}},"Channel":%q,"Computer":%q},"EventData":{`,
		x.provider, o.hex(32), x.id, x.id, o.time(), 10000+o.n, o.number(9000), o.number(9000), x.channel, o.host())
	for i, f := range x.data {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quotedJSON(f.name) + ":" + quotedJSON(f.value))
	}
	b.WriteString("}}}")
	return b.String()
}

// flat is the form of agents that lay all fields side by side.
func (o *office) flat(x record) string {
	o.n++
	var b strings.Builder
	fmt.Fprintf(&b, `{"EventTime":%q,"Hostname":%q,"Keywords":"0x8000000000000000","EventID":%d,"SourceName":%q,"Channel":%q,"RecordNumber":%d,"SeverityValue":2,"Severity":"INFO","Task":%d`,
		o.time(), o.host(), x.id, x.provider, x.channel, 10000+o.n, x.id)
	for _, f := range x.data {
		b.WriteString("," + quotedJSON(f.name) + ":" + quotedJSON(f.value))
	}
	b.WriteByte('}')
	return b.String()
}

func quotedJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (o *office) time() string {
	return fmt.Sprintf("2026-11-20T%02d:%02d:%02d.%03dZ", o.n/3600%24, o.n/60%60, o.n%60, o.r.IntN(1000))
}

// windows is any event of a Windows machine: half of them from Sysmon, a third of those the start of a process.
func (o *office) windows(form func(record) string) string {
	switch o.r.IntN(12) {
	case 0, 1, 2, 3:
		return form(o.process())
	case 4, 5:
		return form(o.file())
	case 6:
		return form(o.registry())
	case 7, 8:
		return form(o.connection())
	case 9:
		return form(o.lookup())
	case 10:
		return form(o.logon())
	default:
		return form(o.audited())
	}
}

const (
	sysmon   = "Microsoft-Windows-Sysmon"
	auditing = "Microsoft-Windows-Security-Auditing"
)

func (o *office) sysmon(id int, data ...field) record {
	head := []field{{"RuleName", "-"}, {"UtcTime", strings.Replace(strings.TrimSuffix(o.time(), "Z"), "T", " ", 1)}, {"ProcessGuid", "{" + o.hex(8) + "-" + o.hex(4) + "-" + o.hex(16) + "}"}, {"ProcessId", o.number(20000)}}
	return record{sysmon, sysmon + "/Operational", id, append(head, data...)}
}

// program is an executable with how it is called, and by what: services, shell, console or itself.
type program struct{ parent, image, original, description, company, call string }

// parents start programs, each by its name in program.
var parents = map[string]program{
	"services": {image: `C:\Windows\System32\services.exe`, call: `C:\Windows\system32\services.exe`},
	"host":     {image: `C:\Windows\System32\svchost.exe`, call: `C:\Windows\system32\svchost.exe -k DcomLaunch -p`},
	"shell":    {image: `C:\Windows\explorer.exe`, call: `C:\Windows\Explorer.EXE`},
	"console":  {image: `C:\Windows\System32\cmd.exe`, call: `C:\Windows\system32\cmd.exe /c ""D:\line\collect.bat" cell"`},
}

// programs are what people and services start all day. In a call %1 is a number, %2 hexadecimal, %3 a person.
var programs = []program{
	{"services", `C:\Windows\System32\svchost.exe`, "svchost.exe", "Host Process for Windows Services", "Microsoft Corporation", `C:\Windows\system32\svchost.exe -k netsvcs -p -s Schedule%1`},
	{"console", `C:\Windows\System32\conhost.exe`, "CONHOST.EXE", "Console Window Host", "Microsoft Corporation", `\??\C:\Windows\system32\conhost.exe 0xffffffff -ForceV1`},
	{"host", `C:\Windows\System32\backgroundTaskHost.exe`, "backgroundTaskHost.exe", "Background Task Host", "Microsoft Corporation", `"C:\Windows\system32\backgroundTaskHost.exe" -ServerName:App.AppX%2.mca`},
	{"services", `C:\Windows\System32\SearchProtocolHost.exe`, "SearchProtocolHost.exe", "Microsoft Windows Search Protocol Host", "Microsoft Corporation", `"C:\Windows\system32\SearchProtocolHost.exe" Global\UsGthrFltPipeMssGthrPipe%1_ Global\UsGthrCtrlFltPipeMssGthrPipe%1`},
	{"self", `C:\Program Files\Google\Chrome\Application\chrome.exe`, "chrome.exe", "Google Chrome", "Google LLC", `"C:\Program Files\Google\Chrome\Application\chrome.exe" --type=renderer --lang=de --device-scale-factor=1 --num-raster-threads=4 --renderer-client-id=%1 --time-ticks-at-unix-epoch=-1763%1 --mojo-platform-channel-handle=%1 /prefetch:1`},
	{"self", `C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe`, "msedge.exe", "Microsoft Edge", "Microsoft Corporation", `"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe" --type=utility --utility-sub-type=network.mojom.NetworkService --lang=en-US --field-trial-handle=%1,i,%1 /prefetch:3`},
	{"shell", `C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE`, "Outlook.exe", "Microsoft Outlook", "Microsoft Corporation", `"C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE"`},
	{"shell", `C:\Program Files\Microsoft Office\root\Office16\EXCEL.EXE`, "Excel.exe", "Microsoft Excel", "Microsoft Corporation", `"C:\Program Files\Microsoft Office\Root\Office16\EXCEL.EXE" "C:\Users\%3\Documents\shift plan %1.xlsx"`},
	{"shell", `C:\Windows\System32\cmd.exe`, "Cmd.Exe", "Windows Command Processor", "Microsoft Corporation", `C:\Windows\system32\cmd.exe /c ""D:\line\collect_%1.bat" cell-%1"`},
	{"shell", `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, "PowerShell.EXE", "Windows PowerShell", "Microsoft Corporation", `powershell.exe -NoProfile -File "C:\Tools\inventory.ps1" -Site plant-%1`},
	{"host", `C:\Windows\System32\taskhostw.exe`, "taskhostw.exe", "Host Process for Windows Tasks", "Microsoft Corporation", `taskhostw.exe Install $(Arg%1)`},
	{"host", `C:\Windows\System32\dllhost.exe`, "dllhost.exe", "COM Surrogate", "Microsoft Corporation", `C:\Windows\system32\DllHost.exe /Processid:{%2-0000-0000-C000-000000000046}`},
	{"host", `C:\Windows\System32\wbem\WmiPrvSE.exe`, "Wmiprvse.exe", "WMI Provider Host", "Microsoft Corporation", `C:\Windows\system32\wbem\wmiprvse.exe -secured -Embedding`},
	{"services", `C:\Windows\System32\msiexec.exe`, "msiexec.exe", "Windows installer", "Microsoft Corporation", `C:\Windows\system32\msiexec.exe /V`},
	{"console", `C:\Program Files\Git\cmd\git.exe`, "git.exe", "Git for Windows", "The Git Development Community", `git.exe -c core.quotepath=false status --porcelain -z %2`},
	{"self", `C:\Users\%3\AppData\Local\Programs\Microsoft VS Code\Code.exe`, "electron.exe", "Visual Studio Code", "Microsoft Corporation", `"C:\Users\%3\AppData\Local\Programs\Microsoft VS Code\Code.exe" --type=gpu-process --user-data-dir="C:\Users\%3\AppData\Roaming\Code" --gpu-preferences=%2`},
	{"shell", `C:\Program Files\Siemens\Automation\Portal V19\Bin\Siemens.Automation.Portal.exe`, "Siemens.Automation.Portal.exe", "TIA Portal", "Siemens AG", `"C:\Program Files\Siemens\Automation\Portal V19\Bin\Siemens.Automation.Portal.exe" "D:\projects\cell%1\cell%1.ap19"`},
	{"console", `C:\Program Files\Python312\python.exe`, "python.exe", "Python", "Python Software Foundation", `python.exe D:\line\report.py --shift %1 --out \\srv-02\reports\%2.csv`},
	{"host", `C:\Windows\explorer.exe`, "EXPLORER.EXE", "Windows Explorer", "Microsoft Corporation", `C:\Windows\explorer.exe /factory,{75dff2b7-6936-4c06-a8bb-%2} -Embedding`},
	{"host", `C:\Windows\System32\RuntimeBroker.exe`, "RuntimeBroker.exe", "Runtime Broker", "Microsoft Corporation", `C:\Windows\System32\RuntimeBroker.exe -Embedding`},
	{"services", `C:\Program Files\CrowdStrike\CSFalconService.exe`, "CSFalconService.exe", "Falcon Sensor Service", "CrowdStrike, Inc.", `"C:\Program Files\CrowdStrike\CSFalconService.exe"`},
	{"console", `C:\Windows\System32\ipconfig.exe`, "ipconfig.exe", "IP Configuration Utility", "Microsoft Corporation", `ipconfig`},
	{"console", `C:\Windows\System32\PING.EXE`, "ping.exe", "TCP/IP Ping Command", "Microsoft Corporation", `ping -n 2 10.20.%1.7`},
}

func (o *office) fill(s, number, hex, person string) string {
	return strings.NewReplacer("%1", number, "%2", hex, "%3", person).Replace(s)
}

// start picks a program and fills its call.
func (o *office) start() (p program) {
	p = programs[o.r.IntN(len(programs))]
	number, hex, person := o.number(10000), strings.ToLower(o.hex(12)), o.person()
	p.image, p.call = o.fill(p.image, number, hex, person), o.fill(p.call, number, hex, person)
	return p
}

// parentOf is what started a program; browsers and editors start themselves.
func (o *office) parentOf(p program) program {
	if q, ok := parents[p.parent]; ok {
		return q
	}
	return p
}

func (o *office) process() record {
	p, user := o.start(), `PLANT\`+o.person()
	parent := o.parentOf(p)
	return o.sysmon(1, field{"Image", p.image}, field{"FileVersion", "10.0.22621." + o.number(5000)}, field{"Description", p.description}, field{"Product", p.description}, field{"Company", p.company},
		field{"OriginalFileName", p.original}, field{"CommandLine", p.call}, field{"CurrentDirectory", o.one(`C:\Windows\system32\`, `D:\line\`, `C:\Users\Public\Documents\shift\`)}, field{"User", user},
		field{"LogonGuid", "{" + o.hex(32) + "}"}, field{"LogonId", "0x" + strings.ToLower(o.hex(6))}, field{"TerminalSessionId", o.number(4)}, field{"IntegrityLevel", o.one("Medium", "High", "System", "Low")},
		field{"Hashes", "SHA1=" + o.hex(40) + ",MD5=" + o.hex(32) + ",SHA256=" + o.hex(64) + ",IMPHASH=" + o.hex(32)}, field{"ParentProcessGuid", "{" + o.hex(32) + "}"}, field{"ParentProcessId", o.number(20000)},
		field{"ParentImage", parent.image}, field{"ParentCommandLine", parent.call}, field{"ParentUser", user})
}

func (o *office) file() record {
	p := o.start()
	target := o.fill(o.one(`C:\Users\%3\AppData\Local\Google\Chrome\User Data\Default\Cache\f_%2`, `C:\Users\%3\Documents\report %1.docx`, `D:\line\logs\cell-%1.log`, `C:\Windows\Prefetch\APP-%2.pf`,
		`C:\ProgramData\Microsoft\Search\Data\%2.jfm`, `C:\Users\%3\AppData\Local\Temp\%2.tmp`, `C:\Program Files\Vendor\update\%2.bin`), o.number(10000), strings.ToLower(o.hex(8)), o.person())
	return o.sysmon(11, field{"Image", p.image}, field{"TargetFilename", target}, field{"CreationUtcTime", o.time()}, field{"User", `PLANT\` + o.person()})
}

func (o *office) registry() record {
	p := o.start()
	key := o.fill(o.one(`HKU\S-1-5-21-%1\Software\Microsoft\Windows\CurrentVersion\Explorer\RecentDocs\%1`, `HKLM\System\CurrentControlSet\Services\bam\State\UserSettings\S-1-5-21-%1`,
		`HKLM\SOFTWARE\Vendor\Line\Station%1\LastSeen`, `HKCU\Software\Microsoft\Office\16.0\Excel\File MRU\Item %1`), o.number(10000), o.hex(8), o.person())
	return o.sysmon(13, field{"EventType", "SetValue"}, field{"Image", p.image}, field{"TargetObject", key}, field{"Details", o.one("DWORD (0x00000001)", "Binary Data", "QWORD (0x01da-0x"+o.hex(8)+")")}, field{"User", `PLANT\` + o.person()})
}

func (o *office) connection() record {
	p := o.start()
	return o.sysmon(3, field{"Image", p.image}, field{"User", `PLANT\` + o.person()}, field{"Protocol", o.one("tcp", "udp")}, field{"Initiated", o.one("true", "false")}, field{"SourceIsIpv6", "false"},
		field{"SourceIp", "10.20." + o.number(30) + "." + o.number(250)}, field{"SourceHostname", o.host()}, field{"SourcePort", fmt.Sprint(49152 + o.r.IntN(16000))}, field{"SourcePortName", "-"}, field{"DestinationIsIpv6", "false"},
		field{"DestinationIp", o.one("10.20.1.", "198.51.100.", "203.0.113.") + o.number(250)}, field{"DestinationHostname", o.one("srv-02.plant.example", "mail.example.com", "-")}, field{"DestinationPort", o.one("443", "443", "80", "445", "102", "4840", "53")}, field{"DestinationPortName", "https"})
}

func (o *office) lookup() record {
	p := o.start()
	return o.sysmon(22, field{"QueryName", o.one("update"+o.number(99)+".vendor.example", "outlook.office.example", "srv-02.plant.example", "telemetry.robots.example")}, field{"QueryStatus", "0"},
		field{"QueryResults", "::ffff:198.51.100." + o.number(250) + ";"}, field{"Image", p.image}, field{"User", `PLANT\` + o.person()})
}

func (o *office) logon() record {
	return record{auditing, "Security", 4624, []field{
		{"SubjectUserSid", "S-1-5-18"},
		{"SubjectUserName", "SRV-02$"},
		{"SubjectDomainName", "PLANT"},
		{"SubjectLogonId", "0x3e7"},
		{"TargetUserSid", "S-1-5-21-" + o.number(100000)},
		{"TargetUserName", o.person()},
		{"TargetDomainName", "PLANT"},
		{"TargetLogonId", "0x" + strings.ToLower(o.hex(6))},
		{"LogonType", o.one("3", "3", "2", "7", "5")},
		{"LogonProcessName", "Kerberos"},
		{"AuthenticationPackageName", "Kerberos"},
		{"WorkstationName", "-"},
		{"LogonGuid", "{" + o.hex(32) + "}"},
		{"LmPackageName", "-"},
		{"KeyLength", "0"},
		{"ProcessName", "-"},
		{"IpAddress", "10.20.8." + o.number(250)},
		{"IpPort", o.number(65000)},
		{"ElevatedToken", "%%1843"},
	}}
}

func (o *office) audited() record {
	p := o.start()
	parent := o.parentOf(p)
	return record{auditing, "Security", 4688, []field{
		{"SubjectUserSid", "S-1-5-21-" + o.number(100000)},
		{"SubjectUserName", o.person()},
		{"SubjectDomainName", "PLANT"},
		{"SubjectLogonId", "0x" + strings.ToLower(o.hex(6))},
		{"NewProcessId", "0x" + o.hex(4)},
		{"NewProcessName", p.image},
		{"TokenElevationType", "%%1938"},
		{"ProcessId", "0x" + o.hex(4)},
		{"CommandLine", p.call},
		{"TargetUserSid", "S-1-0-0"},
		{"TargetUserName", "-"},
		{"TargetDomainName", "-"},
		{"TargetLogonId", "0x0"},
		{"ParentProcessName", parent.image},
		{"MandatoryLabel", "S-1-16-8192"},
	}}
}

// syslog is a line of sshd or sudo.
func (o *office) syslog() string {
	o.n++
	head := fmt.Sprintf("<38>Nov 20 %02d:%02d:%02d amr-%02d ", o.n/3600%24, o.n/60%60, o.n%60, o.r.IntN(40))
	sshd := head + "sshd[" + o.number(30000) + "]: "
	from := " from 10.20." + o.number(30) + "." + o.number(250) + " port " + o.number(60000) + " ssh2"
	switch o.r.IntN(6) {
	case 0, 1:
		return sshd + "Accepted publickey for " + o.person() + from + ": ED25519 SHA256:" + o.hex(43)
	case 2:
		return sshd + "Failed password for " + o.person() + from
	case 3:
		return sshd + "Connection closed by authenticating user " + o.person() + " 10.20.3." + o.number(250) + " port " + o.number(60000) + " [preauth]"
	}
	return head + "sudo: " + o.person() + " : TTY=pts/1 ; PWD=/home/line ; USER=root ; COMMAND=/usr/bin/systemctl " + o.one("status", "restart", "reload") + " cell-agent-" + o.number(40)
}
