package format_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// oneWindowsEvent decodes a record that must give one event.
func oneWindowsEvent(t testing.TB, value string) *event.Event {
	t.Helper()
	f, _ := format.ByName("windows")
	got, err := decode(t, f, new(format.Scratch), &event.Record{Value: []byte(value), Format: "windows", Received: received.UnixMicro()})
	if err != nil || len(got) != 1 {
		t.Fatalf("%d events, %v for %s", len(got), err, value)
	}
	checkValid(t, &got[0])
	return &got[0]
}

// eventFields are the raw fields that come from EventData.
func eventFields(e *event.Event, names ...string) map[string]string {
	out := map[string]string{}
	for _, name := range names {
		if v, ok := e.RawValue(name); ok {
			out[name] = v
		}
	}
	return out
}

func TestEveryFormOfAWindowsEventGivesTheSameEvent(t *testing.T) {
	forms := []string{
		`{"Event":{"System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Sysmon"}},"EventID":11,"TimeCreated":{"#attributes":{"SystemTime":"2026-11-21T02:00:00.1Z"}},"EventRecordID":5,"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"ws-1.plant.example"},"EventData":{"UtcTime":"2026-11-21 02:00:00.050","ProcessId":7,"Image":"C:\\a\\b.exe","TargetFilename":"C:\\x&\"y\".txt","User":"PLANT\\ana"}}}`,
		`{"Event":{"EventData":{"Data":[{"@Name":"UtcTime","#text":"2026-11-21 02:00:00.050"},{"@Name":"ProcessId","#text":"7"},{"@Name":"Image","#text":"C:\\a\\b.exe"},{"@Name":"TargetFilename","#text":"C:\\x&\"y\".txt"},{"@Name":"User","#text":"PLANT\\ana"}]},"System":{"Provider":{"@Name":"Microsoft-Windows-Sysmon"},"EventID":"11","TimeCreated":{"@SystemTime":"2026-11-21T02:00:00.1Z"},"EventRecordID":"5","Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"ws-1.plant.example"}}}`,
		`{"@timestamp":"2026-11-21T02:00:00.1Z","winlog":{"provider_name":"Microsoft-Windows-Sysmon","event_id":"11","record_id":5,"channel":"Microsoft-Windows-Sysmon/Operational","computer_name":"ws-1.plant.example","event_data":{"UtcTime":"2026-11-21 02:00:00.050","ProcessId":"7","Image":"C:\\a\\b.exe","TargetFilename":"C:\\x&\"y\".txt","User":"PLANT\\ana"}}}`,
		`{"EventTime":"2026-11-21T02:00:00.1Z","Hostname":"ws-1.plant.example","SourceName":"Microsoft-Windows-Sysmon","EventID":11,"RecordNumber":5,"Channel":"Microsoft-Windows-Sysmon/Operational","UtcTime":"2026-11-21 02:00:00.050","ProcessId":"7","Image":"C:\\a\\b.exe","TargetFilename":"C:\\x&\"y\".txt","User":"PLANT\\ana"}`,
		`<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="Microsoft-Windows-Sysmon"/><EventID>11</EventID><TimeCreated SystemTime="2026-11-21T02:00:00.1Z"/><EventRecordID>5</EventRecordID><Channel>Microsoft-Windows-Sysmon/Operational</Channel><Computer>ws-1.plant.example</Computer></System><EventData><Data Name="UtcTime">2026-11-21 02:00:00.050</Data><Data Name="ProcessId">7</Data><Data Name="Image">C:\a\b.exe</Data><Data Name="TargetFilename">C:\x&amp;"y&quot;.txt</Data><Data Name="User">PLANT\ana</Data></EventData></Event>`,
		"\xef\xbb\xbf" + `<?xml version="1.0"?>` + "\n" + `<!-- a copy --><w:Event xmlns:w='http://schemas.microsoft.com/win/2004/08/events/event'><w:EventData><w:Data Name='UtcTime'>2026-11-21 02:00:00.050</w:Data><w:Data Name='ProcessId'>&#55;</w:Data><w:Data Name='Image'>C:\a\b.exe</w:Data><w:Data Name='TargetFilename'><![CDATA[C:\x&"y".txt]]></w:Data><w:Data Name='User'>PLANT&#x5c;ana</w:Data></w:EventData><w:System><w:Provider Name='Microsoft-Windows-Sysmon'/><w:EventID>11</w:EventID><w:TimeCreated SystemTime='2026-11-21T02:00:00.1Z'/><w:EventRecordID> 5 </w:EventRecordID><w:Channel>Microsoft-Windows-Sysmon/Operational</w:Channel><w:Computer>ws-1.plant.example</w:Computer></w:System></w:Event>`,
	}
	names := []string{"Provider_Name", "EventID", "Channel", "Computer", "EventRecordID", "TimeCreated", "UtcTime", "ProcessId", "Image", "TargetFilename", "User"}
	var first *event.Event
	for i, form := range forms {
		for _, record := range []string{form, "<13>Nov 21 02:00:01 ws-1 shipper[12]: " + strings.TrimPrefix(form, "\xef\xbb\xbf")} {
			e := oneWindowsEvent(t, record)
			if first == nil {
				first = e
			}
			if d := cmp.Diff(eventFields(first, names...), eventFields(e, names...)); d != "" {
				t.Errorf("form %d: %s", i, d)
			}
			a, b := *first, *e
			a.Raw, b.Raw = nil, nil
			if d := cmp.Diff(event.Append(nil, &a), event.Append(nil, &b)); d != "" || a.Envelope.ID != b.Envelope.ID {
				t.Errorf("form %d: %s\n%s", i, d, event.AppendOCSF(nil, &b, false))
			}
		}
	}
	if first.ClassKey() != "file_activity.create" || first.File.Path != `C:\x&"y".txt` {
		t.Errorf("%s %+v", first.ClassKey(), first.File)
	}
}

func TestFieldsOfEventDataWinOverThoseOfSystemButForWhatIdentifiesTheEvent(t *testing.T) {
	e := oneWindowsEvent(t, `{"Event":{"System":{"Provider":{"#attributes":{"Name":"A"}},"EventID":104,"Level":4,"Channel":"System","Computer":"ws-1"},"UserData":{"X":{"Y":{"Channel":"Security","Level":"low","EventID":"7","Computer":"other","Provider_Name":"B","none":null,"empty":""}}}}}`)
	want := map[string]string{"Channel": "Security", "Level": "low", "EventID": "104", "Computer": "ws-1", "Provider_Name": "A", "empty": ""}
	if d := cmp.Diff(want, eventFields(e, "Channel", "Level", "EventID", "Computer", "Provider_Name", "empty", "none")); d != "" {
		t.Error(d)
	}
	if e.Metadata.LogName != "System" || e.Metadata.EventCode != "104" {
		t.Errorf("log %s, code %s", e.Metadata.LogName, e.Metadata.EventCode)
	}
}

func TestTheTimeOfSysmonIsWhenItHappenedUnlessTheClockWasSet(t *testing.T) {
	for utc, want := range map[string]string{
		"2026-11-21 01:59:59.500": "1795226399500000 1795226400000000", "2026-11-21 05:00:00.000": "1795226400000000 0", "-": "1795226400000000 0",
	} {
		e := oneWindowsEvent(t, `{"winlog":{"provider_name":"Microsoft-Windows-Sysmon","event_id":"1","computer_name":"a","event_data":{"UtcTime":"`+utc+`"}},"@timestamp":"2026-11-21T02:00:00Z"}`)
		if e.Time != mustMicros(t, want, 0) || e.Metadata.LoggedTime != mustMicros(t, want, 1) {
			t.Errorf("UtcTime %s: time %d, logged %d, want %s", utc, e.Time, e.Metadata.LoggedTime, want)
		}
	}
}

func mustMicros(t *testing.T, s string, i int) (n int64) {
	t.Helper()
	for _, c := range strings.Fields(s)[i] {
		n = n*10 + int64(c-'0')
	}
	return n
}

func TestAccountsOfEveryMachineJoinNothing(t *testing.T) {
	for _, fields := range []string{
		`"SubjectUserSid":"S-1-5-18","SubjectUserName":"Système","SubjectDomainName":"AUTORITE NT"`,
		`"SubjectUserSid":"S-1-5-20","SubjectUserName":"WS-1$","SubjectDomainName":"PLANT"`,
		`"SubjectUserName":"LOCAL SERVICE","SubjectDomainName":"NT AUTHORITY"`,
	} {
		e := oneWindowsEvent(t, `{"winlog":{"provider_name":"Microsoft-Windows-Security-Auditing","channel":"Security","event_id":"4688","computer_name":"a","event_data":{`+fields+`,"SubjectLogonId":"0x3e7"}}}`)
		for _, x := range e.Entities {
			if x.Kind == event.EntityUser && x.Strength != event.Context || x.Kind == event.EntitySession {
				t.Errorf("%s: %+v joins", fields, x)
			}
		}
	}
}

func TestASensorThatForwardsEventsIsTheirReporter(t *testing.T) {
	e := oneWindowsEvent(t, `{"agent":{"name":"WEC-01"},"winlog":{"provider_name":"X","event_id":"1","computer_name":"ws-1.plant.example"}}`)
	if got := e.PrimaryEntity(event.EntityDevice, event.RoleNone); got != "device:ws-1.plant.example" {
		t.Errorf("the device is %s", got)
	}
	if m := e.Metadata.More; m == nil || m.Reporter.Hostname != "wec-01" {
		t.Errorf("the reporter is %+v", m)
	}
	e = oneWindowsEvent(t, `{"agent":{"name":"WS-1"},"winlog":{"provider_name":"X","event_id":"1","computer_name":"ws-1.plant.example"}}`)
	if e.Metadata.More != nil {
		t.Errorf("a machine reports itself: %+v", e.Metadata.More)
	}
}

// TestPublicWindowsSamples decodes the regression samples of the public Sigma rules: each has a class of its own or is known to have none, keeps all of
// its fields, and is valid OCSF.
func TestPublicWindowsSamples(t *testing.T) {
	root := os.Getenv("TOCSIN_CONFORMANCE")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "conformance")
	}
	var files []string
	_ = filepath.WalkDir(filepath.Join(root, "sigma", "regression_data"), func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".json") {
			files = append(files, path)
		}
		return nil
	})
	if len(files) == 0 {
		t.Skip("no samples: set TOCSIN_CONFORMANCE")
	}
	classes := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range strings.SplitAfter(string(text), "\n}") {
			if strings.TrimSpace(doc) == "" {
				continue
			}
			e := oneWindowsEvent(t, doc)
			classes[e.ClassKey()]++
			if e.Envelope.ID.IsZero() || e.Time == 0 || e.ClassUID == event.ClassBase || e.Device.Hostname == "" {
				t.Errorf("%s: %s of %s", file, e.ClassKey(), e.Device.Hostname)
			}
			var whole struct {
				Event struct{ EventData map[string]any }
			}
			if err := json.Unmarshal([]byte(doc), &whole); err != nil {
				t.Fatal(err)
			}
			for name, value := range whole.Event.EventData {
				if got, ok := e.RawValue(name); value != nil && (!ok || got != fmt.Sprint(value)) {
					t.Errorf("%s: %s is %q, not %v", file, name, got, value)
				}
			}
		}
	}
	t.Logf("%d files: %v", len(files), classes)
}

// BenchmarkWindowsEvent decodes one start of a process, as each shipper writes it.
func BenchmarkWindowsEvent(b *testing.B) {
	f, _ := format.ByName("windows")
	for _, name := range []string{"sysmon_process_dump", "sysmon_network_beat", "logon_nxlog", "logon_session_xml"} {
		b.Run(name, func(b *testing.B) {
			records, err := readSample(f, filepath.Join(samplesDir, "windows", name+".in"))
			if err != nil {
				b.Fatal(err)
			}
			var s format.Scratch
			var dst []event.Event
			b.ReportAllocs()
			b.SetBytes(int64(len(records[0].Value)))
			for b.Loop() {
				dst, _ = f.Append(&s, dst[:0], &records[0])
			}
		})
	}
}

func TestEventsInMemoryThatIsUsedAgainAreThoseInMemoryOfTheirOwn(t *testing.T) {
	f, _ := format.ByName("windows")
	record := func(i int) *event.Record {
		value := fmt.Appendf(nil, `{"EventID":%d,"Channel":"Application","Hostname":"h%d"`, i, i)
		for j := range i % 60 {
			value = fmt.Appendf(value, `,"F%d":"v%d\\%d"`, (j+1)*i%97*100+j, i, j)
		}
		return &event.Record{Value: append(value, '}')}
	}
	var memory format.FieldMemory
	again, own := format.Scratch{Fields: &memory}, format.Scratch{}
	for batch := range 3 {
		memory.Reset()
		var got, want []event.Event
		for i := range 200 {
			r := record(batch*31 + i)
			var err error
			if got, err = f.Append(&again, got, r); err != nil {
				t.Fatal(err)
			}
			if want, err = f.Append(&own, want, r); err != nil {
				t.Fatal(err)
			}
		}
		for i := range got {
			if diff := cmp.Diff(want[i].Raw, got[i].Raw); diff != "" {
				t.Fatalf("batch %d, event %d: %s", batch, i, diff)
			}
		}
	}
}
