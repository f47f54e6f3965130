package incident

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/event/ocsf"
)

// The OCSF documents are structs rather than appended text: they are made per finding and per incident, never per event, and a struct is the
// shortest true description of what goes out. Times are milliseconds since the Unix epoch, as OCSF has them.

// base is what both classes have.
type base struct {
	ActivityID   int         `json:"activity_id"`
	Activity     string      `json:"activity_name"`
	CategoryUID  int         `json:"category_uid"`
	Category     string      `json:"category_name"`
	ClassUID     uint32      `json:"class_uid"`
	Class        string      `json:"class_name"`
	TypeUID      int64       `json:"type_uid"`
	Type         string      `json:"type_name"`
	Time         int64       `json:"time"`
	Start        int64       `json:"start_time"`
	End          int64       `json:"end_time"`
	SeverityID   int         `json:"severity_id"`
	Severity     string      `json:"severity"`
	StatusID     int         `json:"status_id"`
	Status       string      `json:"status"`
	StatusDetail string      `json:"status_detail,omitempty"`
	Message      string      `json:"message,omitempty"`
	Metadata     metadataDoc `json:"metadata"`
}

type metadataDoc struct {
	Version string     `json:"version"`
	UID     string     `json:"uid"`
	Product productDoc `json:"product"`
}

type productDoc struct {
	Name   string `json:"name"`
	Vendor string `json:"vendor_name,omitempty"`
}

type findingDoc struct {
	base
	IsAlert     bool            `json:"is_alert"`
	RiskScore   int             `json:"risk_score"`
	Count       int32           `json:"count,omitempty"`
	Info        findingInfo     `json:"finding_info"`
	Observables []observableDoc `json:"observables,omitempty"`
	Unmapped    struct {
		Tocsin findingExtra `json:"tocsin"`
	} `json:"unmapped"`
}

// findingExtra is what OCSF has no place for.
type findingExtra struct {
	Revision     int32               `json:"revision"`
	State        string              `json:"state"`
	Reason       string              `json:"reason,omitempty"`
	SupersededBy string              `json:"superseded_by,omitempty"`
	SuppressedBy string              `json:"suppressed_by,omitempty"`
	Shadow       bool                `json:"shadow,omitempty"`
	Key          string              `json:"key"`
	Vars         map[string]string   `json:"vars"`
	Steps        []stepDoc           `json:"steps"`
	Collected    map[string][]string `json:"collected,omitempty"`
	Repeats      int32               `json:"repeats"`
	LastRepeat   int64               `json:"last_repeat,omitempty"`
	Truncated    int32               `json:"truncated"`
	Notes        []string            `json:"notes,omitempty"`
	Seen         int64               `json:"seen,omitempty"`
	Owner        string              `json:"owner,omitempty"`
	Response     string              `json:"response,omitempty"`
	Tags         []string            `json:"tags,omitempty"`
}

type stepDoc struct {
	Step   string   `json:"step"`
	Events []string `json:"events"`
}

type findingInfo struct {
	UID           string       `json:"uid"`
	Title         string       `json:"title,omitempty"`
	Analytic      *analyticDoc `json:"analytic,omitempty"`
	Attacks       []attackDoc  `json:"attacks,omitempty"`
	Created       int64        `json:"created_time,omitempty"`
	First         int64        `json:"first_seen_time,omitempty"`
	Last          int64        `json:"last_seen_time,omitempty"`
	DataSources   []string     `json:"data_sources,omitempty"`
	Related       []relatedDoc `json:"related_events,omitempty"`
	RelatedEvents int          `json:"related_events_count,omitempty"`
}

type analyticDoc struct {
	UID     string `json:"uid"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version"`
	TypeID  int    `json:"type_id"`
	Type    string `json:"type"`
	StateID int    `json:"state_id"`
	State   string `json:"state"`
}

type uidDoc struct {
	UID  string `json:"uid,omitempty"`
	Name string `json:"name,omitempty"`
}

type attackDoc struct {
	Tactic       *uidDoc `json:"tactic,omitempty"`
	Technique    *uidDoc `json:"technique,omitempty"`
	SubTechnique *uidDoc `json:"sub_technique,omitempty"`
}

type relatedDoc struct {
	UID         string          `json:"uid"`
	Title       string          `json:"title,omitempty"`
	TypeUID     int64           `json:"type_uid"`
	First       int64           `json:"first_seen_time"`
	Last        int64           `json:"last_seen_time"`
	SeverityID  int             `json:"severity_id"`
	Severity    string          `json:"severity"`
	Product     *productDoc     `json:"product,omitempty"`
	Observables []observableDoc `json:"observables,omitempty"`
}

type observableDoc struct {
	TypeID int    `json:"type_id"`
	Type   string `json:"type"`
	Value  string `json:"value"`
}

// AppendFinding adds f to b as one OCSF 1.8.0 Detection Finding (class 2004) in JSON, without a line end. The
// evidence is finding_info.related_events; what OCSF has no place for stands under unmapped.tocsin. The same finding gives the same bytes.
func AppendFinding(b []byte, f *Finding) []byte {
	activity, status := 1, 1
	if f.Revision > 1 {
		activity = 2
	}
	if f.State == Withdrawn {
		activity, status = 3, 6
	}
	d := findingDoc{base: newBase(event.ClassDetection, activity, status, f.Severity)}
	d.Time, d.Start, d.End = f.Time/1000, f.First/1000, f.Time/1000
	d.StatusDetail, d.Message, d.RiskScore = f.Reason, f.Rule.Title, f.Score
	d.IsAlert = !f.Shadow && f.State != Withdrawn && f.Suppressed.IsZero()
	d.Metadata.UID = event.FormatID(event.FindingPrefix, f.ID)
	d.Count = 1 + f.Repeats
	d.Info = infoOf(f)
	d.Observables = observables(allEntities(f))
	d.Unmapped.Tocsin = extraOf(f)
	return appendJSON(b, &d)
}

func newBase(class uint32, activity, status int, severity Severity) base {
	c, _ := ocsf.ClassByUID(class)
	a, _ := c.Activity(uint8(activity))
	b := base{
		ActivityID: activity, Activity: a.Caption, CategoryUID: int(c.CategoryUID), Category: c.CategoryName, ClassUID: class, Class: c.Caption,
		TypeUID: c.TypeUID(uint8(activity)), Type: c.Caption + ": " + a.Caption, StatusID: status, Status: enumCaption(c, "status_id", status),
		SeverityID: int(min(severity, Fatal)), Metadata: metadataDoc{Version: ocsf.Version, Product: productDoc{Name: "Tocsin", Vendor: "Tocsin"}},
	}
	b.Severity = enumCaption(c, "severity_id", b.SeverityID)
	return b
}

func enumCaption(c *ocsf.Class, attr string, id int) string {
	a, _ := c.Attribute(attr)
	s, _ := a.Enum.Caption(int64(id))
	return s
}

func infoOf(f *Finding) findingInfo {
	state, stateName := 1, "Active"
	if f.Shadow {
		state, stateName = 3, "Experimental"
	}
	info := findingInfo{
		UID: event.FormatID(event.FindingPrefix, f.ID), Title: f.Rule.Title, Attacks: attacksOf(f.Rule.Tags), Created: f.Seen / 1000,
		Analytic: &analyticDoc{UID: f.Rule.ID, Name: f.Rule.Title, Version: strconv.Itoa(int(f.Rule.Version)), TypeID: 1, Type: "Rule", StateID: state, State: stateName},
		First:    f.First / 1000, Last: max(f.Time, f.LastRepeat) / 1000,
	}
	for _, ev := range f.Evidence {
		r := ev.Event
		if related(info.Related, r.Event) {
			continue
		}
		info.Related = append(info.Related, relatedOf(r))
		if r.Format != "" && !slices.Contains(info.DataSources, r.Format) {
			info.DataSources = append(info.DataSources, r.Format)
		}
	}
	slices.Sort(info.DataSources)
	info.RelatedEvents = len(info.Related)
	return info
}

func related(list []relatedDoc, id event.ID) bool {
	uid := id.String()
	return slices.ContainsFunc(list, func(r relatedDoc) bool { return r.UID == uid })
}

func relatedOf(r *event.Ref) relatedDoc {
	severity := min(Severity(r.Severity), Fatal)
	d := relatedDoc{
		UID: r.Event.String(), Title: r.Summary, TypeUID: int64(r.ClassUID)*100 + int64(r.Activity), First: r.Time / 1000, Last: r.Time / 1000,
		SeverityID: int(severity), Severity: capital(severity.String()), Observables: observables(r.Entities),
	}
	if r.Format != "" {
		d.Product = &productDoc{Name: r.Format}
	}
	return d
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// attacksOf reads tags such as attack.t1556.006, ics.t0859 and attack.initial-access. Other tags are no ATT&CK tags.
func attacksOf(tags []string) []attackDoc {
	var out []attackDoc
	for _, tag := range tags {
		matrix, id, ok := strings.Cut(tag, ".")
		if !ok || id == "" || matrix != "attack" && matrix != "ics" {
			continue
		}
		switch technique, sub, _ := strings.Cut(strings.ToUpper(id), "."); {
		case isTechnique(technique, "T") && sub != "":
			out = append(out, attackDoc{Technique: &uidDoc{UID: technique}, SubTechnique: &uidDoc{UID: technique + "." + sub}})
		case isTechnique(technique, "T"):
			out = append(out, attackDoc{Technique: &uidDoc{UID: technique}})
		case isTechnique(technique, "TA"):
			out = append(out, attackDoc{Tactic: &uidDoc{UID: technique}})
		default:
			out = append(out, attackDoc{Tactic: &uidDoc{Name: id}})
		}
	}
	return out
}

func isTechnique(s, prefix string) bool {
	n, ok := strings.CutPrefix(s, prefix)
	return ok && len(n) == 4 && strings.Trim(n, "0123456789") == ""
}

// observableTypes gives the OCSF observable type of each kind of entity; kinds that are not listed are left out.
var observableTypes = map[event.EntityKind]observableDoc{
	event.EntityUser: {TypeID: 4, Type: "User Name"}, event.EntityRobot: {TypeID: 10, Type: "Resource UID"}, event.EntityDevice: {TypeID: 1, Type: "Hostname"},
	event.EntityIP: {TypeID: 2, Type: "IP Address"}, event.EntityMAC: {TypeID: 3, Type: "MAC Address"}, event.EntityHash: {TypeID: 8, Type: "Hash"},
	event.EntityDomain: {TypeID: 1, Type: "Hostname"}, event.EntityResource: {TypeID: 10, Type: "Resource UID"},
}

// observables lists the keys of entities, each once, in their order.
func observables(entities []event.EntityRef) []observableDoc {
	var out []observableDoc
	for _, x := range entities {
		o, ok := observableTypes[x.Kind]
		if o.Value = x.Key; o.Value == "" {
			o.Value = bare(x.ID)
		}
		if ok && o.Value != "" && !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out
}

func allEntities(f *Finding) []event.EntityRef {
	var out []event.EntityRef
	for _, ev := range f.Evidence {
		out = append(out, ev.Event.Entities...)
	}
	return out
}

func extraOf(f *Finding) findingExtra {
	x := findingExtra{
		Revision: f.Revision, State: f.State.String(), Reason: f.Reason, Shadow: f.Shadow, Key: f.Key, Vars: map[string]string{}, Steps: []stepDoc{},
		Repeats: f.Repeats, LastRepeat: f.LastRepeat / 1000, Truncated: f.Truncated, Notes: f.Notes, Seen: f.Seen / 1000,
		Owner: f.Rule.Owner, Response: f.Rule.Response, Tags: f.Rule.Tags,
	}
	if !f.SupersededBy.IsZero() {
		x.SupersededBy = event.FormatID(event.FindingPrefix, f.SupersededBy)
	}
	if !f.Suppressed.IsZero() {
		x.SuppressedBy = event.FormatID(event.SuppressionPrefix, f.Suppressed)
	}
	for _, v := range f.Vars {
		x.Vars[v.Name] = v.Value
	}
	for _, ev := range f.Evidence {
		i := slices.IndexFunc(x.Steps, func(s stepDoc) bool { return s.Step == ev.Step })
		if i < 0 {
			i = len(x.Steps)
			x.Steps = append(x.Steps, stepDoc{Step: ev.Step})
		}
		x.Steps[i].Events = append(x.Steps[i].Events, ev.Event.Event.String())
	}
	for _, c := range f.Collected {
		if x.Collected == nil {
			x.Collected = map[string][]string{}
		}
		x.Collected[c.Name] = c.Values
	}
	return x
}

// appendJSON writes d without escaping for HTML; bad UTF-8 becomes U+FFFD, and maps are sorted by name.
func appendJSON(b []byte, d any) []byte {
	var w bytes.Buffer
	enc := json.NewEncoder(&w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d); err != nil {
		panic("incident: a document of strings and finite numbers has a JSON form: " + err.Error())
	}
	return append(b, bytes.TrimSuffix(w.Bytes(), []byte("\n"))...)
}
