package cef_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/ingest/format/cef"
)

func parse(t *testing.T, msg string) cef.Event {
	t.Helper()
	e, err := cef.Parse([]byte(msg))
	if err != nil {
		t.Fatalf("%q: %v", msg, err)
	}
	return e
}

func fields(e *cef.Event) (out []string) {
	for k, v := range e.All() {
		out = append(out, k+"="+v)
	}
	return out
}

func header(format, version, vendor, product, release, id, name, severity string) cef.Header {
	return cef.Header{
		Format: format, Version: version, Vendor: vendor, Product: product, Release: release, EventID: id, Name: name,
		Severity: severity,
	}
}

func TestHeadersAreSplitAndUnescaped(t *testing.T) {
	for _, c := range []struct {
		msg    string
		want   cef.Header
		prefix string
		q      cef.Quality
	}{
		{"CEF:0|Vendor|Prod|1.2|100|worm stopped|10|src=192.0.2.1", header("CEF", "0", "Vendor", "Prod", "1.2", "100", "worm stopped", "10"), "", 0},
		{`CEF:1|A\|B|C\\D|1|x|n\=m|Very-High|`, header("CEF", "1", "A|B", `C\D`, "1", "x", `n\=m`, "Very-High"), "", 0},
		{"<14>Mar  1 02:11:09 ids CEF:0|V|P|1|2||3|a=b", header("CEF", "0", "V", "P", "1", "2", "", "3"), "<14>Mar  1 02:11:09 ids ", 0},
		{"XCEF:0 CEF:x CEF:0|V|P|1|2|n|3|", header("CEF", "0", "V", "P", "1", "2", "n", "3"), "XCEF:0 CEF:x ", 0},
		{"CEF:0|V|P|1|ID\n |name|9|\n  app=smb", header("CEF", "0", "V", "P", "1", "ID", "name", "9"), "", 0},
		{"CEF:0|V|P|1|2|n|3", header("CEF", "0", "V", "P", "1", "2", "n", "3"), "", 0},
		{"CEF:0|V|P|1|2|a|b | c|5|src=192.0.2.1", header("CEF", "0", "V", "P", "1", "2", "a|b|c", "5"), "", cef.Recovered},
		{"CEF:0|V|P|1|2|n|odd|a=1|2", header("CEF", "0", "V", "P", "1", "2", "n", "odd"), "", 0},
		{"CEF:0|V|P|1", header("CEF", "0", "V", "P", "1", "", "", ""), "", cef.Truncated},
		{"LEEF:1.0|V|P|1|ev|sev=5\tsrc=192.0.2.1", header("LEEF", "1.0", "V", "P", "1", "ev", "", "5"), "", 0},
	} {
		e := parse(t, c.msg)
		if diff := cmp.Diff(c.want, e.Header); diff != "" {
			t.Errorf("%q: %s", c.msg, diff)
		}
		if string(e.Prefix) != c.prefix || e.Quality != c.q {
			t.Errorf("%q: prefix %q, quality %b; want %q, %b", c.msg, e.Prefix, e.Quality, c.prefix, c.q)
		}
	}
}

func TestWhatHasNoHeaderIsRefused(t *testing.T) {
	for _, msg := range []string{"", "CEF:", "CEF:0", "CEF:0|V", "CEF: 0|V|P|1|2|3|4|", "plain text", "LEEF:2.0|V", "aCEF:0|V|P|1|2|n|3|"} {
		if e, err := cef.Parse([]byte(msg)); !errors.Is(err, cef.ErrHeader) || e.Header != (cef.Header{}) || e.Len() != 0 {
			t.Errorf("%q: %v, %+v", msg, err, e.Header)
		}
	}
	if _, err := cef.Parse(make([]byte, cef.MaxBytes+1)); !errors.Is(err, cef.ErrSize) {
		t.Errorf("size: %v", err)
	}
}

func TestExtensions(t *testing.T) {
	for _, c := range []struct {
		name, ext string
		want      []string
		q         cef.Quality
	}{
		{"spaces in values", "msg=two words act=blocked a b", []string{"msg=two words", "act=blocked a b"}, 0},
		{"escapes", `msg=a\=b \\ c\nd path=x\|y`, []string{"msg=a=b \\ c\nd", "path=x|y"}, 0},
		{"an escaped equals sign is not a key", `msg=user src\=1 src=2`, []string{"msg=user src=1", "src=2"}, 0},
		{"empty values", "cfp1= suser= src=192.0.2.1 last=", []string{"cfp1=", "suser=", "src=192.0.2.1", "last="}, 0},
		{"an unescaped equals sign inside a word", "request=https://h/?q=1&r=2 src=192.0.2.1", []string{"request=https://h/?q=1&r=2", "src=192.0.2.1"}, cef.Recovered},
		{"an equals sign between spaces", "msg=x = 5 src=1", []string{"msg=x = 5", "src=1"}, cef.Recovered},
		{"a double equals sign", "msg==x src=1", []string{"msg==x", "src=1"}, cef.Recovered},
		{"text before the first key", "hello src=1", []string{"src=1"}, cef.Recovered},
		{"a number is no key", "msg=2 1=2 src=1", []string{"msg=2 1=2", "src=1"}, cef.Recovered},
		{
			"several lines", "\n  app=smb\n  msg=first\n  second \n  src=192.0.2.1\n\n",
			[]string{"app=smb", "msg=first\n  second", "src=192.0.2.1"},
			0,
		},
		{"tabs", "src=1\tdst=2", []string{"src=1", "dst=2"}, 0},
		{"dotted and dashed keys", "ad.x-y=1 X-Forwarded-For=2", []string{"ad.x-y=1", "X-Forwarded-For=2"}, 0},
		{"a repeated key", "src=1 msg=foo src=2", []string{"src=1", "msg=foo", "src=2"}, cef.Repeated},
		{"a repeated key with one value", "src=1 src=1", []string{"src=1", "src=1"}, 0},
		{"lists of another language", "device_ip_list=['192.0.2.1'] device_labels=[] device_note=None", []string{"device_ip_list=['192.0.2.1']", "device_labels=[]", "device_note=None"}, 0},
		{"a drive that is not escaped", `filePath=C:\new folder\report act=x`, []string{`filePath=C:\new folder\report`, "act=x"}, 0},
		{"a drive that is escaped", `filePath=C:\\new folder\\report act=x`, []string{`filePath=C:\new folder\report`, "act=x"}, 0},
		{"a share that is not escaped", `msg=open \\192.0.2.1\ADMIN now`, []string{`msg=open \\192.0.2.1\ADMIN now`}, 0},
		{"a domain that is not escaped", `suser=CORP\nancy duser=CORP\\nancy`, []string{`suser=CORP\nancy`, `duser=CORP\nancy`}, 0},
		{"a backslash at the end", `a=b\`, []string{`a=b\`}, 0},
		{"nothing", "", nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := parse(t, "CEF:0|V|P|1|2|n|3|"+c.ext)
			if diff := cmp.Diff(c.want, fields(&e)); diff != "" {
				t.Error(diff)
			}
			if e.Quality != c.q {
				t.Errorf("quality %b, want %b", e.Quality, c.q)
			}
		})
	}
}

func TestTheFirstOfRepeatedIdentityKeysCounts(t *testing.T) {
	for _, extra := range []int{0, 100} {
		msg := "CEF:0|V|P|1|2|n|3|suser=ana msg=login of x"
		for i := range extra {
			msg += fmt.Sprintf(" k%d=v", i)
		}
		e := parse(t, msg+" suser=root")
		if got := e.Str("suser"); got != "ana" || e.Quality != cef.Repeated {
			t.Errorf("with %d fields between: suser = %q, quality %b", extra, got, e.Quality)
		}
	}
}

func TestAClosedDialectTakesOnlyItsKeys(t *testing.T) {
	p := cef.NewParser(cef.Dialect{Keys: []string{"zone"}, Prefixes: []string{"Acme"}, Closed: true})
	e, err := p.Parse([]byte("CEF:0|V|P|1|2|n|3|msg=set mode=fast for id=7 zone=B AcmeUser=ana cs1=x cs1Label=Risk zoneLabel=y suser=bob"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"msg=set mode=fast for id=7", "zone=B", "AcmeUser=ana", "cs1=x", "cs1Label=Risk", "zoneLabel=y", "suser=bob"}
	if diff := cmp.Diff(want, fields(&e)); diff != "" {
		t.Error(diff)
	}
	if e.Quality != cef.Recovered {
		t.Errorf("quality %b", e.Quality)
	}
}

func TestLabelsResolveCustomFields(t *testing.T) {
	e := parse(t, "CEF:0|V|P|1|2|n|3|cs1=9.0 cs1Label=Risk cn2=7 cn2Label=Packets Sent flexString1=T0843 flexString1Label=technique "+
		"deviceCustomDate1=1 deviceCustomDate1Label=When c6a2=2001:db8::1 c6a2Label=Source IPv6 Address cfp1Label=Score cs3Label=risk cs3=low cs4Label=Gone Label=x")
	for label, want := range map[string]string{"Risk": "9.0", "risk": "low", "Packets Sent": "7", "TECHNIQUE": "T0843", "When": "1", "Source IPv6 Address": "2001:db8::1"} {
		if got, ok := e.Label(label); got != want || !ok {
			t.Errorf("Label(%q) = %q, %v; want %q", label, got, ok, want)
		}
	}
	for _, label := range []string{"Gone", "Score", "none", "x", ""} {
		if got, ok := e.Label(label); ok {
			t.Errorf("Label(%q) = %q", label, got)
		}
	}
	if e.LabelOf("cs1") != "Risk" || e.LabelOf("cs9") != "" {
		t.Errorf("LabelOf: %q, %q", e.LabelOf("cs1"), e.LabelOf("cs9"))
	}
	if got := e.First("src", "sourceAddress", "cs1"); got != "9.0" {
		t.Errorf("First = %q", got)
	}
}

func TestLEEFAttributes(t *testing.T) {
	for _, c := range []struct {
		name, msg string
		want      []string
		q         cef.Quality
	}{
		{"tabs", "LEEF:1.0|V|P|1|7|sev=6\tAction=Add File\tOSUser=\t shost=h=1\n", []string{"sev=6", "Action=Add File", "OSUser=", "shost=h=1"}, 0},
		{"a delimiter character", "LEEF:2.0|V|P|1|7|^|src=1^dst=2^^", []string{"src=1", "dst=2"}, 0},
		{"a hexadecimal delimiter", "LEEF:2.0|V|P|1|7|x5E|src=1^dst=2", []string{"src=1", "dst=2"}, 0},
		{"a hexadecimal tab", "LEEF:2.0|V|P|1|7|0x09|src=1\tdst=2", []string{"src=1", "dst=2"}, 0},
		{"an empty delimiter", "LEEF:2.0|V|P|1|7||src=1\tdst=2", []string{"src=1", "dst=2"}, 0},
		{"no delimiter field", "LEEF:2.0|V|P|1|7|src=1\tdst=2", []string{"src=1", "dst=2"}, 0},
		{"tabs escaped by a relay", "LEEF:1.0|V|P|1|7|src=1#011dst=2 3", []string{"src=1", "dst=2 3"}, cef.Recovered},
		{"tabs turned into spaces", "LEEF:1.0|V|P|1|7|src=1 dst=2 usrName=ana f", []string{"src=1", "dst=2", "usrName=ana f"}, cef.Recovered},
		{"a delimiter inside a value", "LEEF:1.0|V|P|1|7|msg=a\tb c\tsrc=1", []string{"msg=a\tb c", "src=1"}, cef.Recovered},
		{"text before the first attribute", "LEEF:1.0|V|P|1|7|hello\tsrc=1", []string{"src=1"}, cef.Recovered},
		{"a backslash", "LEEF:1.0|V|P|1|7|usrName=CORP\\nancy\tsrc=1", []string{`usrName=CORP\nancy`, "src=1"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := parse(t, c.msg)
			if diff := cmp.Diff(c.want, fields(&e)); diff != "" {
				t.Error(diff)
			}
			if e.Quality != c.q || e.Header.EventID != "7" {
				t.Errorf("quality %b, want %b; event id %q", e.Quality, c.q, e.Header.EventID)
			}
		})
	}
}

func TestFieldsBeyondTheLimitStayInTheLastValue(t *testing.T) {
	for _, c := range []struct{ head, sep string }{{"CEF:0|V|P|1|2|n|3|", " "}, {"LEEF:1.0|V|P|1|7|", "\t"}} {
		var b strings.Builder
		for i := range cef.MaxFields + 500 {
			fmt.Fprintf(&b, "k%d=v%s", i, c.sep)
		}
		e := parse(t, c.head+b.String())
		if e.Len() > cef.MaxFields || e.Quality&cef.Truncated == 0 {
			t.Errorf("%s: %d fields, quality %b", c.head, e.Len(), e.Quality)
		}
	}
}

func TestSeverityNumbers(t *testing.T) {
	for text, want := range map[string]int{"0": 0, "10": 10, "Low": 3, "medium": 6, "HIGH": 8, "Very-High": 10, "11": -1, "Unknown": -1, "": -1, "-1": -1} {
		h := cef.Header{Severity: text}
		if got, ok := h.SeverityNumber(); ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %d, %v", text, got, ok)
		}
	}
}

func TestOneLineJoinsLines(t *testing.T) {
	for in, want := range map[string]string{"a b": "a b", "a \r\n   b\n\n c\n": "a b c", "\n": ""} {
		if got := cef.OneLine(in); got != want {
			t.Errorf("OneLine(%q) = %q, want %q", in, got, want)
		}
	}
}

const bench = "CEF:0|Vendor|Sensor|19.0.3|SIGN:MALWARE|Malware detected|9|app=smb dvc=192.0.2.6 dvchost=sensor-1 cs1=9.0 cs2=true cs3=d25c520f-7f79-4820-b5ae-d1b334b05c75 cs1Label=Risk cs2Label=IsSecurity cs3Label=Id dst=192.0.2.5 dmac=00:00:5e:00:53:01 dpt=445 msg=Transfer of a suspicious file was seen src=192.0.2.4 smac=00:00:5e:00:53:02 spt=1148 proto=TCP start=1772331069123"

func TestAReusedEventDoesNotAllocate(t *testing.T) {
	p, msg := cef.NewParser(cef.Dialect{}), []byte(bench)
	var e cef.Event
	if n := testing.AllocsPerRun(100, func() {
		if p.ParseInto(msg, &e) != nil || e.Str("proto") != "TCP" {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParse(b *testing.B) {
	p, msg := cef.NewParser(cef.Dialect{}), []byte(bench)
	var e cef.Event
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		if err := p.ParseInto(msg, &e); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{bench, "LEEF:2.0|V|P|1|7|^|src=1^dst=2^^", "LEEF:1.0|V|P|1|7|a\tb=\tc", `x CEF:1|A\|B|C|1|x|n|3|a=\=\n b\ c=d= e`, "LEEF:2.0|V|P|1|2|||"} {
		f.Add([]byte(s))
	}
	closed := cef.NewParser(cef.Dialect{Closed: true})
	f.Fuzz(func(t *testing.T, msg []byte) {
		for _, p := range []*cef.Parser{cef.NewParser(cef.Dialect{}), closed} {
			e, err := p.Parse(msg)
			if err != nil {
				continue
			}
			total := len(e.Prefix) + len(e.Header.Vendor) + len(e.Header.Product) + len(e.Header.Name)
			for k, v := range e.All() {
				if k == "" || strings.TrimSpace(k) != k || strings.ContainsAny(k, "=\t\n") {
					t.Errorf("key %q", k)
				}
				if first, ok := e.Get(k); !ok || first != v && e.Quality&cef.Repeated == 0 {
					t.Errorf("%q: %q, then %q, unnoticed", k, first, v)
				}
				total += len(k) + len(v)
			}
			if total > len(msg) {
				t.Errorf("more text came out than went in")
			}
		}
	})
}

// escape writes a value as the format asks senders to.
func escape(s string) string { return strings.NewReplacer(`\`, `\\`, `=`, `\=`).Replace(s) }

func FuzzEscapedValuesRoundTrip(f *testing.F) {
	f.Add("two words", `C:\temp`)
	f.Add("a=b c=d", "x")
	f.Add(`\\`, `a\`)
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = strings.TrimSpace(a), strings.TrimSpace(b)
		e := parse(t, "CEF:0|V|P|1|2|n|3|msg="+escape(a)+" cs1="+escape(b)+" act=end")
		if e.Str("msg") != a || e.Str("cs1") != b || e.Str("act") != "end" || e.Quality != 0 {
			t.Errorf("%q, %q were read as %q, quality %b", a, b, fields(&e), e.Quality)
		}
	})
}
