// Package adapter writes what is told of an incident in the forms that receivers know: one model, one file for each form. It is pure: it
// opens no connection and reads no clock. What it is given is hostile text, and each form escapes and bounds it by its own rules.
package adapter

import (
	"slices"
	"strings"
)

// Way is how a parcel travels.
type Way uint8

// The ways.
const (
	HTTP   Way = iota // One POST.
	Syslog            // RFC 5424 over TCP or TLS, octets counted (RFC 6587).
	Mail              // SMTP.
	Topic             // A record of a Kafka topic.
)

// Options is what an endpoint's configuration gives an adapter.
type Options struct {
	Endpoint string // Name of the endpoint.
	Token    string // Routing key, API key or token of the receiver.
	Host     string // Name of this machine, for syslog.
	Version  string // Of this program.
	Console  string // Where people reach the console; empty for nowhere.
}

// Parcel is a letter in an adapter's form.
type Parcel struct {
	ContentType string
	Body        []byte
	Subject     string // Mail: one line.
	Key         string // Topic: what keeps the order; mail: what ties a thread together. The incident's id.
	Header      map[string]string
}

// Adapter is one form.
type Adapter struct {
	Name  string
	Title string
	Way   Way
	Path  string // Appended to a URL that has no path.
	URL   string // Where the receiver is, if there is but one; configuration may say otherwise.

	// Objects is true if the receiver keeps one object for each incident, which a digest would not fit.
	Objects bool
	// Findings is true if it can be told of single findings although it keeps objects.
	Findings bool
	// Signed is true if a signing key is required; Token if a token is.
	Signed, Token bool
	// Write gives the parcel of a letter. The same letter gives the same parcel.
	Write func(*Letter, Options) Parcel
}

// All lists the adapters, the default first.
func All() []Adapter {
	return []Adapter{
		{Name: "native", Title: "CloudEvents body with Standard Webhooks signature", Signed: true, Write: native},
		{Name: "alertmanager", Title: "what Prometheus Alertmanager sends to webhooks, version 4", Objects: true, Write: alertmanagerWebhook},
		{Name: "alertmanager-push", Title: "alerts for the API of an Alertmanager", Path: "/api/v2/alerts", Objects: true, Write: alertmanagerPush},
		{Name: "thehive", Title: "alert of TheHive", Path: "/api/v1/alert", Objects: true, Token: true, Write: theHive},
		{Name: "pagerduty", Title: "PagerDuty Events API v2", URL: "https://events.pagerduty.com/v2/enqueue", Objects: true, Token: true, Write: pagerDuty},
		{Name: "ocsf", Title: "OCSF Incident Finding", Objects: true, Findings: true, Write: ocsfIncident},
		{Name: "ocsf-detections", Title: "OCSF Detection Findings of the incident, in an array", Objects: true, Findings: true, Write: ocsfDetections},
		{Name: "splunk-hec", Title: "Splunk HTTP Event Collector", Path: "/services/collector/event", Token: true, Write: splunk},
		{Name: "slack", Title: "Slack incoming webhook", Write: slack},
		{Name: "teams", Title: "Microsoft Teams workflow, adaptive card", Write: teams},
		{Name: "cef", Title: "CEF over syslog, RFC 5424", Way: Syslog, Write: cef},
		{Name: "kafka", Title: "the native body as a record of a Kafka topic", Way: Topic, Write: native},
		{Name: "email", Title: "e-mail in plain text", Way: Mail, Write: mail},
	}
}

// Named finds an adapter; the empty name is the default.
func Named(name string) (Adapter, bool) {
	all := All()
	i := slices.IndexFunc(all, func(a Adapter) bool { return a.Name == name || name == "" })
	if i < 0 {
		return Adapter{}, false
	}
	return all[i], true
}

// Names lists the names, for messages.
func Names() string {
	var out []string
	for _, a := range All() {
		out = append(out, a.Name)
	}
	return strings.Join(out, ", ")
}

const typeJSON = "application/json"

// native is the letter itself.
func native(l *Letter, _ Options) Parcel {
	return Parcel{ContentType: typeJSON, Body: Encode(&l.Envelope), Key: l.about().ID}
}
