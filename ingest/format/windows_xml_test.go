package format_test

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// namedData reads the named Data elements of an Event by the standard library; ok is false for what that refuses.
func namedData(doc string) (fields []event.RawField, ok bool) {
	var e struct {
		XMLName xml.Name
		Data    []struct {
			Name string `xml:"Name,attr"`
			Text string `xml:",chardata"`
			Any  []struct {
				XMLName xml.Name
			} `xml:",any"`
		} `xml:"EventData>Data"`
	}
	if err := xml.Unmarshal([]byte(doc), &e); err != nil || e.XMLName.Local != "Event" {
		return nil, false
	}
	for _, d := range e.Data {
		if d.Name != "" && len(d.Any) == 0 {
			fields = append(fields, event.RawField{Name: d.Name, Value: d.Text})
		}
	}
	return fields, true
}

// FuzzWindowsXML holds our reader of XML to the standard library's: whatever both read, they read alike.
func FuzzWindowsXML(f *testing.F) {
	windows, _ := format.ByName("windows")
	records, err := readSample(windows, samplesDir+"/windows/logon_session_xml.in")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(records[0].Value))
	const head = `<Event><System><EventID>1</EventID></System><EventData>`
	f.Add(head + `<Data Name="a">x<!-- c --> y<![CDATA[<z>]]>&#x41;&amp;</Data><Data Name='b'/></EventData></Event>`)
	f.Add(head + `<Data Name="&lt;" other="1"> </Data><x:Data xmlns:x="u" Name="c">1</x:Data></EventData></Event> `)
	var s format.Scratch
	f.Fuzz(func(t *testing.T, doc string) {
		if strings.ContainsAny(doc, "\r\x00") || !strings.HasPrefix(doc, "<Event") || strings.Count(doc, "<EventData") != 1 || len(doc) > 1<<12 {
			return // Line ends are kept as they came; of several EventData the standard library reads one path.
		}
		want, ok := namedData(doc)
		if !ok {
			return
		}
		got, err := windows.Append(&s, nil, &event.Record{Value: []byte(doc), Received: received.UnixMicro()})
		if err != nil || len(got) != 1 {
			return
		}
		for i, w := range want {
			if slices.ContainsFunc(want[:i], func(x event.RawField) bool { return x.Name == w.Name }) || reservedRaw(w.Name) {
				continue
			}
			if v, _ := got[0].RawValue(w.Name); v != w.Value {
				t.Errorf("%s is %q, the standard library reads %q in %s", w.Name, v, w.Value, doc)
			}
		}
	})
}

// reservedRaw are the names that System keeps.
func reservedRaw(name string) bool {
	return name == "EventID" || name == "Provider_Name" || name == "Computer"
}
