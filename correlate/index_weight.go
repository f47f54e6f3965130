package correlate

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// weigh guesses for what share of the events of a class a predicate holds. Only the choice between witnesses hangs on it, never a result.
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
	if p.Field == expression.AnyRaw {
		return 4 * weighText(p)
	}
	return weighText(p)
}

func weighText(p *expression.Predicate) float64 {
	n := len(p.Text)
	switch {
	case n == 0:
		return 0.5
	case p.Test == expression.Equal || p.Test == expression.Spelled:
		if fewValues[p.Field.Attr] {
			return 0.15
		}
		return 0.01 + 0.1/float64(n)
	}
	w := shortLiterals[min(n, len(shortLiterals)-1)]
	if p.Test != expression.Contains {
		w /= 2
	}
	for _, c := range commonTexts {
		if strings.Contains(c, p.Text) {
			return max(w, 0.3)
		}
		if strings.Contains(p.Text, c) {
			w += 0.01 * float64(len(c)) / float64(n)
		}
	}
	return w
}

// shortLiterals are guesses by length: the longer, the rarer.
var shortLiterals = [...]float64{1, 0.7, 0.35, 0.15, 0.08, 0.05, 0.03, 0.02, 0.015, 0.012, 0.01, 0.008, 0.006, 0.005, 0.004, 0.003, 0.002}

// fewValues are attributes with a handful of values each, so that an equality with one of them tells little apart.
var fewValues = map[string]bool{
	"kind": true, "type": true, "zone": true, "site": true, "name_space": true, "class_name": true, "format": true, "source": true, "vendor_name": true,
	"product_name": true, "direction": true, "protocol_name": true, "Channel": true, "Provider_Name": true, "EventID": true, "EventType": true, "operating_mode": true,
}

// commonTexts stand in many values of paths, commands and addresses.
var commonTexts = []string{
	`c:\windows\system32\`, `c:\program files (x86)\`, `c:\users\`, `\appdata\local\temp\`, `.exe`, `.dll`, `\svchost.exe`, `\cmd.exe`, `\powershell.exe`, `\explorer.exe`,
	`http://`, `https://`, `.com`, `/usr/bin/`, `/bin/`, `/etc/`, `hklm\software\microsoft\windows\currentversion\`, `\registry\machine\`, ` -`, ` /`, `microsoft`, `10.`, `192.168.`,
}

// commonness guesses how often a gram stands in texts: the sum over its bytes.
func commonness(gram []byte) (w float64) {
	for _, c := range gram {
		w += float64(letters[c])
	}
	return w / 8
}

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
