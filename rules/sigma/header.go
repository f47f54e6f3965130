package sigma

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// header is what a Sigma document says about itself.
type header struct {
	id, name, title string
	description     string
	level           string
	tags            []string
	references      []string
	falsePositives  []string
	author, license string
	date, modified  string
	status          string
}

// The bounds of what is carried over.
const (
	maxTitle = 300
	maxText  = 20_000
	maxList  = 200
)

func readHeader(f *fieldsOf) (*header, error) {
	h := &header{}
	for _, x := range []struct {
		key string
		to  *string
	}{
		{"id", &h.id},
		{"name", &h.name},
		{"title", &h.title},
		{"description", &h.description},
		{"level", &h.level},
		{"author", &h.author},
		{"license", &h.license},
		{"date", &h.date},
		{"modified", &h.modified},
		{"status", &h.status},
	} {
		s, err := f.text(x.key)
		if err != nil {
			return nil, err
		}
		*x.to = cutText(strings.TrimSpace(s), maxText)
	}
	for _, x := range []struct {
		key string
		to  *[]string
	}{{"tags", &h.tags}, {"references", &h.references}, {"falsepositives", &h.falsePositives}} {
		list, err := f.list(x.key)
		if err != nil {
			return nil, err
		}
		*x.to = list
	}
	if h.title == "" {
		return nil, refuse(f.node, codeMissing, "a rule needs a title", "")
	}
	h.title = cutText(strings.Join(strings.Fields(h.title), " "), maxTitle)
	if _, ok := severities[h.level]; !ok {
		return nil, refuse(f.keys["level"], codeValue, "level is not "+strconv.Quote(h.level), "one of informational, low, medium, high, critical")
	}
	return h, nil
}

func cutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// severities are our words for Sigma's levels.
var severities = map[string]string{
	"": "medium", "informational": "informational", "low": "low", "medium": "medium", "high": "high", "critical": "critical",
}

var notInID = regexp.MustCompile(`[^a-z0-9]+`)

// ruleID is the id of our rule: of Sigma's id where there is one, else of its name or title.
func (h *header) ruleID() string {
	word := notInID.ReplaceAllString(strings.ToLower(cmp.Or(h.id, h.name, h.title)), "-")
	if len(word) > 56 {
		word = word[:56]
	}
	return "sigma-" + cmp.Or(strings.Trim(word, "-"), "rule")
}

// version is the day of the last change as a number, yymmdd: Sigma's rules have no versions.
func (h *header) version() int {
	for _, day := range []string{h.modified, h.date} {
		for _, layout := range []string{"2006-01-02", "2006/01/02"} {
			if t, err := time.Parse(layout, day); err == nil && t.Year() >= 2000 && t.Year() < 2100 {
				return (t.Year()-2000)*10000 + int(t.Month())*100 + t.Day()
			}
		}
	}
	return 1
}

var icsTechnique = regexp.MustCompile(`^attack\.(ics\.)?t0\d{3}$`)

// ourTags are the tags; techniques of ATT&CK for ICS, whose numbers begin with 0, are written as ours are.
func (h *header) ourTags() []string {
	var out []string
	for _, t := range h.tags {
		t = strings.ToLower(t)
		if icsTechnique.MatchString(t) {
			t = "ics." + t[len(t)-5:]
		}
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// fieldsOf is a mapping of a Sigma document. Keys that stand twice are refused by the YAML library; unknown ones are for others to read.
type fieldsOf struct {
	node *yaml.Node
	keys map[string]*yaml.Node
}

func readFields(n *yaml.Node, what string) (*fieldsOf, error) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, refuse(n, codeShape, what+" must be a mapping", "")
	}
	f := &fieldsOf{node: n, keys: map[string]*yaml.Node{}}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if f.keys[k.Value] != nil {
			return nil, refuse(k, codeShape, "key "+k.Value+" stands twice", "")
		}
		f.keys[k.Value] = v
	}
	return f, nil
}

func (f *fieldsOf) text(key string) (string, error) {
	n := f.keys[key]
	switch {
	case n == nil || n.Tag == "!!null":
		return "", nil
	case n.Kind != yaml.ScalarNode:
		return "", refuse(n, codeShape, key+" must be a single value", "")
	}
	return n.Value, nil
}

func (f *fieldsOf) list(key string) ([]string, error) {
	n := f.keys[key]
	if n == nil || n.Tag == "!!null" {
		return nil, nil
	}
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
	}
	var out []string
	for _, e := range list {
		if e.Kind != yaml.ScalarNode {
			return nil, refuse(e, codeShape, key+" must be a list of single values", "")
		}
		if s := cutText(strings.TrimSpace(e.Value), maxText); s != "" && len(out) < maxList {
			out = append(out, s)
		}
	}
	return out, nil
}
