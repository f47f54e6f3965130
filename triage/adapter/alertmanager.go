package adapter

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"
)

// firingFor is how long a pushed alert lasts without news of its incident: Alertmanager forgets what has no end after five minutes.
const firingFor = 30 * 24 * time.Hour

type alertWebhook struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	Truncated         int               `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []webhookAlert    `json:"alerts"`
}

type webhookAlert struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    string            `json:"startsAt"`
	EndsAt      string            `json:"endsAt"`
	Generator   string            `json:"generatorURL"`
	Fingerprint string            `json:"fingerprint"`
}

// pushedAlert is a postableAlert of Alertmanager's API v2.
type pushedAlert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    string            `json:"startsAt"`
	EndsAt      string            `json:"endsAt"`
	Generator   string            `json:"generatorURL,omitempty"`
}

// noEnd is how Go, and so Alertmanager, writes a time that has not come.
const noEnd = "0001-01-01T00:00:00Z"

func alertmanagerWebhook(l *Letter, o Options) Parcel {
	in := l.about()
	labels, notes := alertLabels(l, in, in.Severity), alertAnnotations(in)
	group := map[string]string{"alertname": labels["alertname"], "incident": labels["incident"]}
	w := alertWebhook{
		Version: "4", GroupKey: fmt.Sprintf("{}:{alertname=%q, incident=%q}", group["alertname"], group["incident"]), Status: alertStatus(in), Receiver: o.Endpoint,
		GroupLabels: group, CommonLabels: labels, CommonAnnotations: notes, ExternalURL: o.Console,
		Alerts: []webhookAlert{{Status: alertStatus(in), Labels: labels, Annotations: notes, StartsAt: in.OpenedAt, EndsAt: noEnd, Generator: in.URL, Fingerprint: fingerprint(labels)}},
	}
	if in.over() {
		w.Alerts[0].EndsAt = l.Time
	}
	return Parcel{ContentType: typeJSON, Body: Encode(w), Key: in.ID}
}

// alertmanagerPush gives the alert of the incident. Labels are an alert's identity there: where the severity has changed, or may have, the
// alerts of the other severities are ended with it. Else they stay out, since Alertmanager tells of the end of alerts that never were.
func alertmanagerPush(l *Letter, _ Options) Parcel {
	in := l.about()
	end := moment(l.Time).Add(firingFor).Format(time.RFC3339Nano)
	if in.over() {
		end = l.Time
	}
	alert := func(severity, end string) pushedAlert {
		return pushedAlert{Labels: alertLabels(l, in, severity), Annotations: alertAnnotations(in), StartsAt: in.OpenedAt, EndsAt: end, Generator: in.URL}
	}
	out := []pushedAlert{alert(in.Severity, end)}
	if c := l.Data.Change; c != nil && (slices.Contains(c.Fields, "severity") || l.Data.Coalesced > 0) {
		for _, s := range slices.Sorted(maps.Keys(pagerSeverity)) {
			if s != in.Severity {
				out = append(out, alert(s, l.Time))
			}
		}
	}
	return Parcel{ContentType: typeJSON, Body: Encode(out), Key: in.ID}
}

func alertStatus(in *Incident) string {
	if in.over() {
		return "resolved"
	}
	return "firing"
}

// alertLabels holds what does not change while an incident lives, and the severity, which routes of Alertmanager choose by.
func alertLabels(l *Letter, in *Incident, severity string) map[string]string {
	return map[string]string{"alertname": "TocsinIncident", "incident": clip(line(in.ID), 200), "severity": severity, "instance": clip(line(l.Source), 200)}
}

// alertAnnotations leaves out what is empty, as Alertmanager does.
func alertAnnotations(in *Incident) map[string]string {
	all := map[string]string{
		"summary": clip(line(in.Title), 500), "description": clip(shown(in.Summary.Text), 2000), "status": in.Status, "verdict": in.Verdict, "assessment": in.Assessment.Kind,
		"owner_team": clip(line(in.OwnerTeam), 200), "revision": number(int(in.Revision)), "incident_url": in.URL,
	}
	maps.DeleteFunc(all, func(_, text string) bool { return text == "" })
	return all
}

// fingerprint is FNV-1a over the sorted labels, each name and value ended by 0xff, as Prometheus computes it.
func fingerprint(labels map[string]string) string {
	h := fnv.New64a()
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		_, _ = h.Write([]byte(name + "\xff" + labels[name] + "\xff"))
	}
	return fmt.Sprintf("%016x", h.Sum64())
}
