package sigma_test

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"

	"go.yaml.in/yaml/v3"
)

// oracle is a second, plain reading of Sigma, made only to be compared with: it walks the decoded YAML for every event, turns every value into
// an anchored regular expression and knows neither trees nor our language.
type oracle struct {
	file      string
	id        string
	logsource map[string]any
	detection map[string]any
	order     []string // Of the search identifiers.
	cache     map[string]*regexp.Regexp
}

// raws is the fields of an event; a field that is not there is no key.
type raws map[string]string

func newOracle(t testing.TB, file string, text []byte) *oracle {
	var doc struct {
		ID        string         `yaml:"id"`
		Logsource map[string]any `yaml:"logsource"`
		Detection yaml.Node      `yaml:"detection"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	o := &oracle{file: file, id: doc.ID, logsource: doc.Logsource, cache: map[string]*regexp.Regexp{}}
	o.detection = written(&doc.Detection).(map[string]any)
	for i := 0; i < len(doc.Detection.Content); i += 2 {
		if k := doc.Detection.Content[i].Value; k != "condition" {
			o.order = append(o.order, k)
		}
	}
	return o
}

// written is a value as it was written: no number is taken apart.
func written(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			out[n.Content[i].Value] = written(n.Content[i+1])
		}
		return out
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, e := range n.Content {
			out[i] = written(e)
		}
		return out
	}
	if n.Tag == "!!null" {
		return nil
	}
	return n.Value
}

// matches evaluates the condition by recursive descent, without keeping anything.
func (o *oracle) matches(e raws) bool {
	c := o.detection["condition"].(string)
	words := strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(c))
	v, rest := o.or(words, e)
	if len(rest) > 0 {
		panic(o.file + ": " + strings.Join(rest, " "))
	}
	return v
}

func (o *oracle) or(w []string, e raws) (bool, []string) {
	v, w := o.and(w, e)
	for len(w) > 0 && strings.EqualFold(w[0], "or") {
		var x bool
		x, w = o.and(w[1:], e)
		v = v || x
	}
	return v, w
}

func (o *oracle) and(w []string, e raws) (bool, []string) {
	v, w := o.not(w, e)
	for len(w) > 0 && strings.EqualFold(w[0], "and") {
		var x bool
		x, w = o.not(w[1:], e)
		v = v && x
	}
	return v, w
}

func (o *oracle) not(w []string, e raws) (bool, []string) {
	switch {
	case strings.EqualFold(w[0], "not"):
		v, w := o.not(w[1:], e)
		return !v, w
	case w[0] == "(":
		v, w := o.or(w[1:], e)
		return v, w[1:]
	case len(w) > 1 && strings.EqualFold(w[1], "of"):
		all := strings.EqualFold(w[0], "all")
		v := all
		for _, name := range o.order {
			ok, _ := path.Match(w[2], name)
			if ok || w[2] == "them" && name[0] != '_' {
				if x := o.search(o.detection[name], e); x != all {
					v = !all
				}
			}
		}
		return v, w[3:]
	}
	return o.search(o.detection[w[0]], e), w[1:]
}

// search evaluates what a search identifier stands for.
func (o *oracle) search(x any, e raws) bool {
	switch x := x.(type) {
	case []any:
		for _, one := range x {
			if o.search(one, e) {
				return true
			}
		}
		return false
	case map[string]any:
		for k, v := range x {
			if !o.field(k, v, e) {
				return false
			}
		}
		return true
	}
	return o.field("", x, e)
}

func (o *oracle) field(key string, value any, e raws) bool {
	parts := strings.Split(key, "|")
	name, mods := parts[0], strings.Join(parts[1:], "|")
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	all := strings.Contains("|"+mods+"|", "|all|")
	for _, v := range list {
		if o.value(name, mods, v, e) != all {
			return !all
		}
	}
	return all
}

func (o *oracle) value(name, mods string, v any, e raws) bool {
	if name == "" { // Keywords: anywhere in any value.
		for _, text := range e {
			if o.text("contains|"+mods, v, text, e) {
				return true
			}
		}
		return false
	}
	text, there := e[name]
	switch {
	case v == nil:
		return !there
	case strings.Contains(mods, "exists"):
		return there == (v == "true")
	}
	return there && o.text(mods, v, text, e)
}

func (o *oracle) text(mods string, v any, text string, e raws) bool {
	s := fmt.Sprint(v)
	has := func(m string) bool { return strings.Contains("|"+mods+"|", "|"+m+"|") }
	switch {
	case has("re"):
		return o.regex(map[bool]string{true: "(?i)"}[has("i")] + s).MatchString(text)
	case has("cidr"):
		p, err := netip.ParsePrefix(s)
		a, err2 := netip.ParseAddr(text)
		return err == nil && err2 == nil && p.Contains(a.Unmap())
	case has("fieldref"):
		other, there := e[s]
		return there && strings.EqualFold(other, text)
	case has("gt"), has("gte"), has("lt"), has("lte"):
		panic("no public rule compares numbers")
	}
	if has("wide") || has("utf16le") {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune(s)) {
			b.WriteByte(byte(u))
			b.WriteByte(byte(u >> 8))
		}
		s = b.String()
	}
	if has("base64offset") {
		for n := range 3 {
			if o.like(mods, regexp.QuoteMeta(stable(s, n)), text) {
				return true
			}
		}
		return false
	}
	if has("base64") {
		return o.like(mods, regexp.QuoteMeta(base64.StdEncoding.EncodeToString([]byte(s))), text)
	}
	return o.like(mods, pattern(s, has("windash")), text)
}

func (o *oracle) like(mods, body, text string) bool {
	start, end := `^`, `$`
	if strings.Contains(mods, "contains") || strings.Contains(mods, "endswith") {
		start = ``
	}
	if strings.Contains(mods, "contains") || strings.Contains(mods, "startswith") {
		end = ``
	}
	fold := "(?is)"
	if strings.Contains(mods, "cased") {
		fold = "(?s)"
	}
	return o.regex(fold + start + body + strings.ReplaceAll(end, "$", `\z`)).MatchString(text)
}

func (o *oracle) regex(s string) *regexp.Regexp {
	if o.cache[s] == nil {
		o.cache[s] = regexp.MustCompile(s)
	}
	return o.cache[s]
}

var option = regexp.MustCompile(`\B[-/]\b`)

// pattern is a Sigma value as the body of a regular expression.
func pattern(s string, windash bool) string {
	var dashes [][]int
	if windash {
		dashes = option.FindAllStringIndex(s, -1)
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		at := func(list [][]int) bool {
			for _, d := range list {
				if d[0] == i {
					return true
				}
			}
			return false
		}
		switch {
		case at(dashes):
			b.WriteString(`[-/\x{2013}\x{2014}\x{2015}]`)
		case s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`*?\`, s[i+1]) >= 0:
			i++
			b.WriteString(regexp.QuoteMeta(s[i : i+1]))
		case s[i] == '*':
			b.WriteString(`.*`)
		case s[i] == '?':
			b.WriteString(`.`)
		default:
			j := i + 1
			for j < len(s) && s[j] >= 0x80 && s[i] >= 0x80 && s[j] < 0xc0 {
				j++
			}
			b.WriteString(regexp.QuoteMeta(s[i:j]))
			i = j - 1
		}
	}
	return b.String()
}

// stable is what of a text's base64 does not depend on the n bytes before it and on what follows.
func stable(s string, n int) string {
	encode := func(pad byte) string {
		around := strings.Repeat(string(rune(pad)), n)
		return base64.RawStdEncoding.EncodeToString([]byte(around + s + strings.Repeat(string(rune(pad)), 6)))
	}
	a, b := encode(0x00), encode(0x7f)
	from := 0
	if n > 0 {
		for from < len(a) && (a[from] != b[from] || from < []int{0, 2, 3}[n]) {
			from++
		}
	}
	to := from
	for to < len(a) && a[to] == b[to] && to < (len(s)+n)*8/6 {
		to++
	}
	return a[from:to]
}

// source is whether a log source covers the event, for the sources whose events the samples hold.
func (o *oracle) source(e raws) bool {
	const sysmon = "Microsoft-Windows-Sysmon/Operational"
	if o.logsource["product"] != "windows" {
		return false
	}
	if s, ok := o.logsource["service"].(string); ok {
		channel := map[string]string{"sysmon": sysmon, "security": "Security", "system": "System", "application": "Application"}[s]
		if channel == "" || e["Channel"] != channel {
			return false
		}
	}
	c, ok := o.logsource["category"].(string)
	if !ok {
		return true
	}
	if c == "process_creation" && e["Channel"] == "Security" && e["EventID"] == "4688" {
		return true
	}
	ids := map[string]string{
		"process_creation": "1", "file_change": "2", "network_connection": "3", "sysmon_status": "4 16", "driver_load": "6", "image_load": "7",
		"create_remote_thread": "8", "raw_access_thread": "9", "process_access": "10", "file_event": "11", "registry_add": "12", "registry_delete": "12",
		"registry_set": "13", "registry_event": "12 13 14", "create_stream_hash": "15", "pipe_created": "17 18", "wmi_event": "19 20 21",
		"dns_query": "22", "file_delete": "23 26", "process_tampering": "25", "file_executable_detected": "29", "sysmon_error": "255",
	}[c]
	return e["Channel"] == sysmon && strings.Contains(" "+ids+" ", " "+e["EventID"]+" ")
}
