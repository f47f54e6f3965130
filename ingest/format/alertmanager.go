package format

import (
	"net/netip"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// alertmanager reads what Prometheus Alertmanager sends to webhook receivers (webhook_configs, version 4 of the message).
func alertmanager() Format {
	return Format{
		Name:    "alertmanager",
		Title:   "Prometheus Alertmanager",
		Domain:  "any",
		Classes: []string{"base_event", "detection_finding"},
		Doc: "Webhooks of Alertmanager, version 4, as it POSTs them to an HTTP source. Each alert of a notification is a detection finding: created while it fires, closed when it is " +
			"resolved; notified of again, it is the same event. An incident of Tocsin's own that comes back is a base event without entities and text, which no rule takes for a finding.",
		Framing:  JSONValues,
		Append:   appendAlertmanager,
		Unmapped: unmappedOf(alertmanagerPlan),
	}
}

// Slots of alertmanagerPlan.
const (
	amVersion = iota
	amReceiver
	amTruncated
	amAlerts
	amGroupKey
	amStatus
	amGroupLabels
	amCommonLabels
	amCommonAnnotations
	amExternalURL
)

// alertmanagerPlan is the notification. What is common to its alerts, and the labels they are grouped by, each alert has as well.
var alertmanagerPlan = jsonscan.Compile(
	"version", "receiver", "truncatedAlerts", "alerts", "groupKey", "status", "groupLabels", "commonLabels", "commonAnnotations", "externalURL",
)

// maxAlerts bounds the events of one notification; Alertmanager's own max_alerts is a fraction of it.
const maxAlerts = 4096

func appendAlertmanager(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	if err := scanObject(s, alertmanagerPlan, rec.Value); err != nil {
		return dst, err
	}
	r := &s.JSON
	if version := r.Text(amVersion); version != "4" {
		return dst, Rejectf("wrong_format", "the document is no webhook of Alertmanager: version is %q where \"4\" belongs", clip(version, 20))
	}
	if r.Kind(amAlerts) != jsonscan.Array {
		return dst, Rejectf("wrong_format", "the webhook has no list of alerts")
	}
	from := len(dst)
	var quality event.Quality
	if n, ok := r.LooseInt64(amTruncated); ok && n > 0 {
		quality = event.Truncated
	}
	for v := range r.Value(amAlerts).Elements() {
		if v.Kind() != jsonscan.Object {
			clear(dst[from:])
			return dst[:from], Rejectf("wrong_format", "the list of alerts holds a %s", v.Kind())
		}
		if len(dst)-from == maxAlerts {
			clear(dst[from:])
			return dst[:from], Rejectf("too_many", "the webhook has more than %d alerts", maxAlerts)
		}
		dst = append(dst, event.Event{})
		e := &dst[len(dst)-1]
		e.Envelope.Quality |= quality
		e.Envelope.Index = uint16(len(dst) - 1 - from)
		e.Metadata.Product, e.Metadata.Vendor, e.Metadata.LogName = "Alertmanager", "Prometheus", r.Str(amReceiver)
		alert{v}.fill(e, rec)
	}
	if len(dst) == from {
		return dst, Rejectf("no_event", "the webhook holds no alert")
	}
	return dst, nil
}

// alert is one alert of a notification.
type alert struct{ jsonscan.Value }

func (a alert) label(name string) string      { return meant(a.Get("labels", name).Str()) }
func (a alert) annotation(name string) string { return meant(a.Get("annotations", name).Str()) }

func (a alert) fill(e *event.Event, rec *event.Record) {
	resolved := a.Get("status").Str() == "resolved"
	stamp := a.Get("startsAt").Str()
	if ends := a.Get("endsAt").Str(); resolved && !strings.HasPrefix(ends, "0001-") {
		stamp = ends
	}
	setStamp(e, stamp, rec.Location)
	name, print := a.label("alertname"), a.Get("fingerprint").Str()
	e.Metadata.EventCode, e.Metadata.OriginalUID = name, print
	if print != "" { // The labels' hash: the same alert, notified of again, is the same event.
		e.Envelope.ID = event.NewID("alertmanager", print, a.Get("status").Str(), stamp)
	}
	if incident := a.own(); incident != "" {
		fillOwnIncident(e, incident)
		return
	}
	e.ClassUID, e.ActivityID, e.StatusID = event.ClassDetection, 1, 1
	if resolved {
		e.ActivityID, e.StatusID = 3, 4
	}
	if status := a.Get("status").Str(); !resolved && status != "firing" {
		e.Envelope.Quality |= event.SchemaOdd
	}
	severity := a.label("severity")
	known := false
	if e.SeverityID, known = alertSeverity(severity); !known {
		e.Envelope.Quality |= event.UnmappedEnum
	}
	title := firstKnown(name, a.annotation("summary"), "alert")
	e.Message = firstKnown(a.annotation("summary"), a.annotation("message"), a.annotation("description"), title)
	e.Finding = &event.Finding{
		UID: print, Title: title, Desc: firstKnown(a.annotation("description"), a.annotation("message"), a.annotation("summary")), AnalyticName: name, AnalyticUID: name, AnalyticType: 1,
		IsAlert: event.True, CreatedAt: stampMicros(a.Get("startsAt").Str(), rec.Location), SrcURL: meant(a.Get("generatorURL").Str()),
	}
	if e.Finding.UID == "" {
		e.Finding.UID, e.Envelope.Quality = title, e.Envelope.Quality|event.SchemaOdd
	}
	a.name(e)
	a.keep(e)
}

// ownAlert is the name under which our adapters tell Alertmanager of incidents.
const ownAlert = "TocsinIncident"

// own is the incident that an alert of Tocsin's is about, of this installation or another; "" for alerts of others.
func (a alert) own() string {
	incident := a.label("incident")
	if _, err := event.ParseID(event.IncidentPrefix, incident); err == nil {
		return incident
	}
	if a.label("alertname") == ownAlert {
		return "of unknown number"
	}
	return ""
}

// fillOwnIncident notes that an incident came back. A finding made of it would open the next incident, which would come back as well; so it
// is no finding, names nobody and says none of the incident's words, of which a rule about text could make one.
func fillOwnIncident(e *event.Event, incident string) {
	e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, "Incident Returned"
	e.SeverityID, e.StatusID = severityInfo, statusSuccess
	e.Metadata.EventCode = ownAlert
	e.Message = "Tocsin's incident " + incident + " came back from Alertmanager"
}

// alertSeverity reads the label severity, which is free text; the words are those of the Prometheus mixins and of our own adapters. Without
// the label nothing is known, and that is no fault.
func alertSeverity(text string) (id uint8, known bool) {
	switch strings.ToLower(text) {
	case "":
		return 0, true
	case "fatal", "disaster":
		return 6, true
	case "critical", "page", "emergency":
		return 5, true
	case "high", "error", "major":
		return 4, true
	case "medium", "warning", "warn", "moderate", "average":
		return 3, true
	case "low", "minor":
		return 2, true
	case "info", "informational", "information", "none", "notice":
		return 1, true
	}
	return 0, false
}

// alertHosts are the labels that name a host, the one a rule's author set before those that scraping sets.
var alertHosts = [...]string{"hostname", "host", "node", "nodename", "device", "instance"}

// name notes what the labels say the alert is about.
func (a alert) name(e *event.Event) {
	for _, label := range alertHosts {
		if host := withoutPort(a.label(label)); host != "" {
			setDeviceHost(&e.Device, host)
			break
		}
	}
	for _, label := range [...]string{"robot", "robot_id", "robot_name"} {
		e.AddEntity(event.EntityRobot, event.RoleTarget, event.Medium, event.ObjectExtra, a.label(label))
	}
	setLogin(&e.Actor.User, firstKnown(a.label("user"), a.label("username")))
	e.SrcEndpoint.IP = plainIP(firstKnown(a.label("src_ip"), a.label("source_ip")))
	e.DstEndpoint.IP = plainIP(firstKnown(a.label("dst_ip"), a.label("dest_ip")))
}

// withoutPort is a host or an address without the port or the address of a page behind it; "" for what is neither.
func withoutPort(s string) string {
	if plainIP(s) != "" {
		return s
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().String()
	}
	if _, rest, is := strings.Cut(s, "://"); is {
		s, _, _ = strings.Cut(rest, "/")
	}
	s, _, _ = strings.Cut(s, ":")
	if strings.ContainsAny(s, " /\t\r\n") || len(s) > 253 {
		return ""
	}
	return s
}

// keep keeps all labels, and the annotations behind annotation., as raw fields.
func (a alert) keep(e *event.Event) {
	var fields []event.RawField
	for name, v := range a.Get("labels").Members() {
		fields = append(fields, event.RawField{Name: name, Value: v.Text()})
	}
	for name, v := range a.Get("annotations").Members() {
		fields = append(fields, event.RawField{Name: "annotation." + name, Value: v.Text()})
	}
	if len(fields) > 0 {
		e.SetRaw(fields)
	}
}
