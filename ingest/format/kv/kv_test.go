package kv_test

import (
	"iter"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

func pairs(seq iter.Seq2[string, string]) (out [][2]string) {
	for k, v := range seq {
		out = append(out, [2]string{k, v})
	}
	return out
}

func check(t *testing.T, seq iter.Seq2[string, string], want ...[2]string) {
	t.Helper()
	if diff := cmp.Diff(want, pairs(seq)); diff != "" {
		t.Error(diff)
	}
}

func TestISEYieldsAttributesInOrderWithEscapesUndone(t *testing.T) {
	check(t, kv.ISE(`Passed-Authentication: Authentication succeeded, ConfigVersionId=88, Device IP Address=192.0.2.1, `+
		`cisco-av-pair=mdm-tlv=device-platform=win, cisco-av-pair=audit-session-id=0a\,1, Issuer=CN=A\\OU=B, Empty=, ,#015#012`),
		[2]string{"", "Passed-Authentication: Authentication succeeded"},
		[2]string{"ConfigVersionId", "88"},
		[2]string{"Device IP Address", "192.0.2.1"},
		[2]string{"cisco-av-pair", "mdm-tlv=device-platform=win"},
		[2]string{"cisco-av-pair", "audit-session-id=0a,1"},
		[2]string{"Issuer", `CN=A\OU=B`},
		[2]string{"Empty", ""},
	)
	check(t, kv.ISE(`a=b\`), [2]string{"a", `b\`})
	check(t, kv.ISE(`path=C:\temp, x=1`), [2]string{"path", `C:\temp`}, [2]string{"x", "1"})
	check(t, kv.ISE(""))
	for range kv.ISE("a=1,b=2") {
		break
	}
}

func TestISENestedListsAreSplitAtSemicolons(t *testing.T) {
	check(t, kv.ISENested(`{Class=a; cisco-av-pair=profile-name=Robot; cut }`),
		[2]string{"Class", "a"}, [2]string{"cisco-av-pair", "profile-name=Robot"})
}

func TestRadiusBlocksYieldOneAttributePerLine(t *testing.T) {
	check(t, kv.Radius("Sun Mar  1 02:11:09 2026\n\tUser-Name = \"ana \\\"field\\\"\"\r\n\tNAS-Port = 17\n\tFramed-IP-Address += 192.0.2.9\n\tClass := 'x = y'\n\tAcct-Session-Id=\"\"\n\n"),
		[2]string{"User-Name", `ana "field"`}, [2]string{"NAS-Port", "17"}, [2]string{"Framed-IP-Address", "192.0.2.9"},
		[2]string{"Class", "x = y"}, [2]string{"Acct-Session-Id", ""})
}

func TestQuotedReadsThePairsOfKeyValueLogs(t *testing.T) {
	check(t, kv.Quoted(`[x] time=15:51:59 devname="my \"device\"" type="LOGIN", user='a b'; n=1,2 empty= word path="C:\temp\\" last=x,`),
		[2]string{"time", "15:51:59"}, [2]string{"devname", `my "device"`}, [2]string{"type", "LOGIN"}, [2]string{"user", "a b"},
		[2]string{"n", "1,2"}, [2]string{"empty", ""}, [2]string{"path", `C:\temp\`}, [2]string{"last", "x"})
	check(t, kv.Quoted(`a="never closed b=2`), [2]string{"a", "never closed b=2"})
	check(t, kv.Quoted(`url=https://h/?q=1&r=2 =x`), [2]string{"url", "https://h/?q=1&r=2"})
}

func TestMACReadsEverySpelling(t *testing.T) {
	for in, want := range map[string]string{
		"a8:7e:ea:bc:6a:c9":           "a8:7e:ea:bc:6a:c9",
		"A8-7E-EA-BC-6A-C9":           "a8:7e:ea:bc:6a:c9",
		"a87e.eabc.6ac9":              "a8:7e:ea:bc:6a:c9",
		"A87E-EABC-6AC9":              "a8:7e:ea:bc:6a:c9",
		"a87eea-bc6ac9":               "a8:7e:ea:bc:6a:c9",
		" A87EEABC6AC9 ":              "a8:7e:ea:bc:6a:c9",
		"A8-7E-EA-BC-6A-C9:guest":     "a8:7e:ea:bc:6a:c9",
		"A8-7E-EA-BC-6A-C9:ab":        "a8:7e:ea:bc:6a:c9",
		"a8:7e:ea:bc:6a:c9:guest net": "a8:7e:ea:bc:6a:c9",
		"a87e.eabc.6ac9:guest":        "a8:7e:ea:bc:6a:c9",
		"0:8:5d:71:92:15":             "00:08:5d:71:92:15",
		"01:a8:7e:ea:bc:6a:c9":        "a8:7e:ea:bc:6a:c9",
		"01-a8-7e-ea-bc-6a-c9":        "a8:7e:ea:bc:6a:c9",
		"0023.df00.0001":              "00:23:df:00:00:01",
		"":                            "",
		"None":                        "",
		"192.0.2.1":                   "",
		"2001:db8::1":                 "",
		"2001:0db8:85a3:0000::1":      "",
		"1:2:3:4:5:6:7:8":             "",
		"a8:7e:ea:bc:6a":              "",
		"a8:7e:ea:bc:6a:c":            "a8:7e:ea:bc:6a:0c",
		"a8:7e-ea:bc:6a:c9":           "",
		"a8:7e:ea:bc:6a:c99":          "",
		"A87EEABC6AC9F":               "",
		"zz:7e:ea:bc:6a:c9":           "",
		"a87e.eabc.6acz":              "",
		"1.2.3.4.5.6":                 "",
		"550e8400-e29b-41d4":          "",
	} {
		if got, ok := kv.MAC(in); got != want || ok != (want != "") {
			t.Errorf("MAC(%q) = %q, %v; want %q", in, got, ok, want)
		}
	}
	if !kv.NoMAC("00:00:00:00:00:00") || kv.NoMAC("a8:7e:ea:bc:6a:c9") {
		t.Error("NoMAC confuses an address with none")
	}
}

func TestIPIsCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":           "192.0.2.1",
		" 192.0.2.1:52345":    "192.0.2.1",
		"/192.0.2.1:80":       "192.0.2.1",
		"192.0.2.1/24":        "192.0.2.1",
		"::ffff:192.0.2.1":    "192.0.2.1",
		"2001:DB8:0:0::0001":  "2001:db8::1",
		"fe80::1%eth0":        "fe80::1",
		"[fe80::1%eth0]:443":  "fe80::1",
		"[2001:db8::1]":       "2001:db8::1",
		"::":                  "::",
		"":                    "",
		"host.example":        "",
		"face.example":        "",
		"10.0.0.1:http":       "",
		"010.0.0.1":           "",
		"1.2.3":               "",
		"1.2.3.4.5":           "",
		"[2001:db8::1":        "",
		"192.0.2.1/x":         "",
		"N/A":                 "",
		"12345":               "",
		"a8:7e:ea:bc:6a:c9":   "",
		"::ffff:192.0.2.1:80": "",
	} {
		if got, ok := kv.IP(in); got != want || ok != (want != "") {
			t.Errorf("IP(%q) = %q, %v; want %q", in, got, ok, want)
		}
	}
}

func TestPlaceholdersAreRecognisedAndNothingElse(t *testing.T) {
	for _, s := range []string{"", " ", "-", "None", "NULL", "unknown", "Unknown", "N/A", "n/a", "undefined", "(null)", "Not Available", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00"} {
		if !kv.Placeholder(s) || kv.Known(s) != "" {
			t.Errorf("%q is no placeholder", s)
		}
	}
	for _, s := range []string{"0", "false", "ana", "nonesuch", "unknown device 7", "9998-12-31", "--x"} {
		if kv.Placeholder(s) || kv.Known(s) != s {
			t.Errorf("%q is a placeholder", s)
		}
	}
}

func FuzzScannersStayInBounds(f *testing.F) {
	for _, s := range []string{`a=b, c=d\,e,`, "\tA = \"b\"\n", `k="v w" x='y' z`, "A8-7E-EA-BC-6A-C9:guest", "[fe80::1%eth0]:443", `\`, `a="\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, seq := range []iter.Seq2[string, string]{kv.ISE(s), kv.ISENested(s), kv.Radius(s), kv.Quoted(s)} {
			total := 0
			for k, v := range seq {
				total += len(k) + len(v)
			}
			if total > len(s) {
				t.Errorf("%q yielded more text than it has", s)
			}
		}
		if mac, ok := kv.MAC(s); ok {
			if again, ok := kv.MAC(mac); !ok || again != mac || len(mac) != 17 || strings.ToLower(mac) != mac {
				t.Errorf("MAC(%q) = %q is not canonical", s, mac)
			}
		}
		if ip, ok := kv.IP(s); ok {
			if a, err := netip.ParseAddr(ip); err != nil || a.String() != ip || a.Is4In6() || a.Zone() != "" {
				t.Errorf("IP(%q) = %q is not canonical", s, ip)
			}
		}
		kv.Placeholder(s)
	})
}
