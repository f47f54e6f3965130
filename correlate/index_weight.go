package correlate

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// weigher guesses for what share of the events of the classes of a target a predicate holds. Only the choice between witnesses hangs on it,
// never a result.
func (t *target) weigher() func(*expression.Predicate) float64 {
	special := len(t.Classes) <= specialClasses && !slices.ContainsFunc(t.Classes, func(c event.ClassRef) bool { return c.UID == event.ClassBase })
	return func(p *expression.Predicate) float64 {
		if special && routing[p.Field.Attr] && p.Test <= expression.Spelled && (p.Field.Attr != "Channel" || busyChannel(p.Text)) {
			return 0.9
		}
		return weigh(p)
	}
}

// specialClasses is how many classes a target may listen to and still be about one kind of event.
const specialClasses = 4

func weigh(p *expression.Predicate) float64 {
	switch p.Test {
	case expression.Present:
		return 0.5
	case expression.AtLeast, expression.AtMost:
		return 0.4
	}
	switch p.Field.Kind {
	case event.KindBool:
		return 0.3
	case event.KindInt, event.KindTime:
		if p.Num == 0 {
			return 0.5 // unknown
		}
		if p.Field.Flags&event.Enum != 0 {
			return 0.25
		}
		return 0.03
	}
	w := weighText(p)
	if p.Field == expression.AnyRaw {
		w *= 4
	}
	return w
}

func weighText(p *expression.Predicate) float64 {
	n := len(p.Text)
	if n == 0 {
		return 0.5
	}
	w := byLength[min(n, len(byLength)-1)]
	if n >= len(byLength) {
		w *= math.Pow(0.7, float64(n-len(byLength)))
	}
	if strings.ContainsFunc(p.Text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		w /= 100
	}
	if p.Test == expression.Equal || p.Test == expression.Spelled {
		switch {
		case p.Field.Attr == "Channel" && busyChannel(p.Text):
			return 0.5
		case p.Field.Attr == "Channel":
			return 0.05
		case fewValues[p.Field.Attr]:
			return 0.15
		case slices.Contains(commonValues, string(expression.Canon(nil, p.Text))):
			return 0.4
		}
		return w / 2
	}
	for _, c := range commonTexts {
		if strings.Contains(c, p.Text) {
			w = max(w, 0.15)
		}
	}
	if p.Test != expression.Contains {
		w /= 2
	}
	return w
}

// byLength are guesses for what share of values holds a literal: the longer, the rarer.
var byLength = [...]float64{1, 0.7, 0.3, 0.1, 0.03, 0.015, 0.008, 0.005, 0.003, 0.002, 0.0015, 0.0012, 0.001, 0.0009, 0.0008, 0.0007, 0.0006}

// fewValues are attributes with a handful of values each, so that an equality with one of them tells little apart.
var fewValues = map[string]bool{
	"kind": true, "type": true, "zone": true, "site": true, "class_name": true, "format": true, "source": true, "vendor_name": true, "direction": true,
	"protocol_name": true, "EventType": true, "operating_mode": true,
}

// routing are the raw attributes that go with the class: what listens to one kind of event asks for just the values that all of these have.
var routing = map[string]bool{"Channel": true, "Provider_Name": true, "EventID": true}

// busyChannel reports whether a log is one of those that most events of Windows stand in. The others are rare, but where one is collected much may
// come from it, so that only weak words give way to its name.
func busyChannel(name string) bool {
	switch strings.ToLower(name) {
	case "security", "system", "application", "microsoft-windows-sysmon/operational", "microsoft-windows-powershell/operational", "windows powershell":
		return true
	}
	return false
}

// commonValues are values that a field often has.
var commonValues = []string{"true", "false", "-", "0", "1", "3", "system", "medium", "high", "tcp", "udp", "root", "microsoft corporation", "microsoft® windows® operating system", "nt authority\\system"}

// commonTexts stand for the paths, commands and addresses that events are full of. What is a part of one of them is common.
var commonTexts = []string{
	`c:\windows\system32\svchost.exe -k netsvcs -p -s schedule`, `c:\windows\system32\cmd.exe /c `, `c:\windows\system32\windowspowershell\v1.0\powershell.exe -noprofile -file `,
	`c:\windows\syswow64\`, `c:\windows\explorer.exe`, `\??\c:\windows\system32\conhost.exe 0xffffffff -forcev1`, `c:\windows\system32\wbem\wmiprvse.exe -secured -embedding`,
	`c:\windows\system32\dllhost.exe /processid:{`, `c:\windows\system32\backgroundtaskhost.exe -servername:app.appx`, `c:\windows\system32\services.exe`, `c:\windows\system32\taskhostw.exe`,
	`c:\windows\system32\msiexec.exe /v`, `c:\windows\system32\rundll32.exe `, `c:\windows\system32\searchprotocolhost.exe`, `c:\windows\system32\runtimebroker.exe`, `c:\windows\system32\net.exe`,
	`c:\program files\microsoft office\root\office16\outlook.exe`, `\office16\excel.exe`, `\office16\winword.exe`, `c:\program files (x86)\microsoft\edge\application\msedge.exe --type=renderer`,
	`c:\program files\google\chrome\application\chrome.exe --type=utility --lang=en-us /prefetch:1`, `c:\programdata\microsoft\`, `c:\users\public\documents\`, `c:\users\user\appdata\local\temp\`,
	`\appdata\roaming\microsoft\windows\`, `c:\windows\temp\`, `c:\windows\prefetch\`, `.dll`, `.tmp`, `.log`, `.dat`, `.txt`, `.ps1`, `.bat`, ` -s `, ` /s `, ` -c `, ` -n `, ` -e`, ` -f`, ` process `,
	`hklm\software\microsoft\windows\currentversion\`, `hklm\system\currentcontrolset\services\`, `hkcu\software\microsoft\`, `hku\s-1-5-21-`, `\registry\machine\`,
	`http://www.`, `https://`, `.com/`, `/usr/bin/`, `/bin/sh -c `, `/etc/`, `/var/log/`, `/tmp/`, `10.0.0.`, `192.168.`, `127.0.0.1`, `python3 `, `sudo `, `nt authority\system`,
}

// commonness guesses how often a gram stands in texts: by those that are full of it, and by its bytes.
func commonness(gram []byte) float64 {
	w := commonGrams[gramAt(gram, 0)]
	for _, c := range gram[:gramLength] {
		w += float64(letters[c]) / 16
	}
	return w
}

// commonGrams are the grams of commonTexts: two for each time one stands there.
var commonGrams = func() map[uint32]float64 {
	grams := map[uint32]float64{}
	for _, c := range commonTexts {
		for i := range len(c) - gramLength + 1 {
			grams[gramAt([]byte(c), i)] += 2
		}
	}
	return grams
}()

// letters are guesses how common a byte is in canonical paths, command lines and names.
var letters = func() (t [256]byte) {
	for i := range t {
		t[i] = 1
	}
	for i, c := range `eiosrtnmcalwdp\./ uxfgh-:2_v31by0k"5` {
		t[c] = byte(20 - i/2)
	}
	return t
}()
