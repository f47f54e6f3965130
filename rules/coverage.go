package rules

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The frameworks that tags refer to.
const (
	Enterprise = "enterprise" // MITRE ATT&CK for Enterprise: attack.t1078, attack.t1556.006.
	ICS        = "ics"        // MITRE ATT&CK for ICS: ics.t0858.
	IEC62443   = "iec62443"   // System requirements of IEC 62443-3-3: iec62443.sr1.13.
)

// Covered is one technique or requirement that tags of rules name.
type Covered struct {
	Framework string   `json:"framework"`
	ID        string   `json:"id"` // T1556.006, T0858, SR 1.13
	Rules     []string `json:"rules"`
	Live      int      `json:"live"` // How many of them are live.
}

var tagForms = []struct {
	framework string
	form      *regexp.Regexp
	id        func(parts []string) string
}{
	{Enterprise, regexp.MustCompile(`^attack\.(t[0-9]{4}(?:\.[0-9]{3})?)$`), func(p []string) string { return strings.ToUpper(p[1]) }},
	{ICS, regexp.MustCompile(`^ics\.(t[0-9]{4})$`), func(p []string) string { return strings.ToUpper(p[1]) }},
	{IEC62443, regexp.MustCompile(`^iec62443\.sr([1-7])\.([0-9]{1,2})$`), func(p []string) string { return "SR " + p[1] + "." + p[2] }},
}

// systemRequirements is how many system requirements each foundational requirement of IEC 62443-3-3:2013 has, FR 1 to FR 7.
var systemRequirements = [...]int{13, 12, 9, 3, 4, 2, 8}

// Requirements lists the system requirements of IEC 62443-3-3, SR 1.1 to SR 7.8.
func Requirements() (ids []string) {
	for i, n := range systemRequirements {
		for j := range n {
			ids = append(ids, "SR "+strconv.Itoa(i+1)+"."+strconv.Itoa(j+1))
		}
	}
	return ids
}

// reference takes a tag apart; ok is false for free tags.
func reference(tag string) (framework, id string, ok bool) {
	for _, f := range tagForms {
		if parts := f.form.FindStringSubmatch(strings.ToLower(tag)); parts != nil {
			id = f.id(parts)
			return f.framework, id, f.framework != IEC62443 || slices.Contains(Requirements(), id)
		}
	}
	return "", "", false
}

// Coverage lists what the tags of the rules name, by framework and id. Rules that are off do not count.
func (s *Set) Coverage() []Covered {
	var out []Covered
	for _, r := range s.Rules {
		if r.Status == Off {
			continue
		}
		for _, tag := range r.Tags {
			framework, id, ok := reference(tag)
			if !ok {
				continue
			}
			i := slices.IndexFunc(out, func(c Covered) bool { return c.Framework == framework && c.ID == id })
			if i < 0 {
				i = len(out)
				out = append(out, Covered{Framework: framework, ID: id})
			}
			c := &out[i]
			if slices.Contains(c.Rules, r.ID) {
				continue
			}
			c.Rules = append(c.Rules, r.ID)
			if r.Status == Live {
				c.Live++
			}
		}
	}
	slices.SortFunc(out, func(a, b Covered) int {
		return cmp.Or(strings.Compare(a.Framework, b.Framework), cmp.Compare(number(a.ID), number(b.ID)), strings.Compare(a.ID, b.ID))
	})
	return out
}

// number orders SR 1.2 before SR 1.10; techniques are in order as text.
func number(id string) int {
	rest, ok := strings.CutPrefix(id, "SR ")
	if !ok {
		return 0
	}
	a, b, _ := strings.Cut(rest, ".")
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return 100*x + y
}
