package adapter

import (
	"net/netip"
	"strings"
)

// Bounds of an alert of TheHive, in characters and pieces.
const (
	hiveTitle       = 512
	hiveDescription = 20_000
	hiveObservables = 100
	hiveTags        = 50
)

type hiveAlert struct {
	Type         string           `json:"type,omitempty"`
	Source       string           `json:"source,omitempty"`
	SourceRef    string           `json:"sourceRef,omitempty"`
	Title        string           `json:"title"`
	Description  string           `json:"description"`
	Severity     int              `json:"severity"`
	Date         int64            `json:"date,omitempty"`
	TLP          int              `json:"tlp"`
	PAP          int              `json:"pap"`
	Tags         []string         `json:"tags"`
	ExternalLink string           `json:"externalLink,omitempty"`
	Observables  []hiveObservable `json:"observables,omitempty"`
}

type hiveObservable struct {
	DataType string   `json:"dataType"`
	Data     string   `json:"data"`
	Message  string   `json:"message,omitempty"`
	Tags     []string `json:"tags,omitempty"`
}

var hiveSeverity = map[string]int{"informational": 1, "low": 1, "medium": 2, "high": 3, "critical": 4, "fatal": 4}

// theHive makes the alert with the incident's id as sourceRef. TheHive takes it once: what changes later is written over it, see HiveUpdate.
func theHive(l *Letter, o Options) Parcel {
	return Parcel{ContentType: typeJSON, Body: Encode(hiveOf(l)), Key: l.about().ID, Header: map[string]string{"Authorization": "Bearer " + o.Token}}
}

func hiveOf(l *Letter) hiveAlert {
	in := l.about()
	a := hiveAlert{
		Type: "tocsin", Source: clip(line(l.Source), 64), SourceRef: in.ID, Title: clip(titleOf(in), hiveTitle), Description: hiveText(in), Severity: max(1, hiveSeverity[in.Severity]),
		Date: moment(in.OpenedAt).UnixMilli(), TLP: 2, PAP: 2, Tags: hiveLabels(in), ExternalLink: in.URL,
	}
	for _, e := range in.Entities {
		if len(a.Observables) < hiveObservables && e.ID != "" {
			a.Observables = append(a.Observables, hiveObservable{DataType: hiveType(e), Data: clip(line(e.ID), 500), Message: words(" ", e.Type, e.Role), Tags: []string{e.Type}})
		}
	}
	return a
}

// hiveText is the description. TheHive renders Markdown, so that all of it stands in a fence longer than any within.
func hiveText(in *Incident) string {
	text := clip(words("\n", shown(in.Summary.Text), "", "Status: "+in.Status+words(" ", " ", in.Verdict), assessed(in), "Rules: "+line(ruleNames(in)), "Owner: "+line(in.OwnerTeam)), hiveDescription)
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + "\n" + text + "\n" + fence
}

func hiveLabels(in *Incident) []string {
	tags := []string{"tocsin", "severity:" + in.Severity, "status:" + in.Status}
	for _, r := range in.Rules {
		tags = append(tags, "rule:"+clip(line(r.ID), 100))
		tags = append(tags, r.Attack...)
	}
	for i, t := range tags {
		tags[i] = clip(line(t), 120)
	}
	return tags[:min(len(tags), hiveTags)]
}

func hiveType(e Entity) string {
	if _, err := netip.ParseAddr(e.ID); err == nil {
		return "ip"
	}
	if e.Type == "device" {
		return "hostname"
	}
	return "other"
}

// HiveFind is a query of TheHive for the alert of a letter.
func HiveFind(l *Letter) []byte {
	return Encode(map[string]any{"query": []map[string]any{
		{"_name": "listAlert"},
		{"_name": "filter", "_and": []any{
			map[string]any{"_eq": map[string]string{"_field": "sourceRef", "_value": l.about().ID}},
			map[string]any{"_eq": map[string]string{"_field": "type", "_value": "tocsin"}},
		}},
		{"_name": "page", "from": 0, "to": 1},
	}})
}

// HiveUpdate is what is written over an alert that TheHive has already: what identifies it and its observables stay.
func HiveUpdate(l *Letter) []byte {
	a := hiveOf(l)
	a.Type, a.Source, a.SourceRef, a.Date, a.Observables = "", "", "", 0, nil
	return Encode(a)
}
