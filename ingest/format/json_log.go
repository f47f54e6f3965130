package format

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

func anyJSON() Format {
	return Format{
		Name: "json", Title: "JSON logs", Domain: "any",
		Classes: []string{"base_event"},
		Doc: "Any JSON object, for rules over raw fields: base events with every field under its path, such as properties.message; of lists one line each. Audit logs of " +
			"Azure, Google Cloud, Microsoft 365, GitHub, Kubernetes, Bitbucket, Okta and OneLogin, and OpenCanary, are told by their fields, and product and log are named as Sigma " +
			"rules name them. Batches (records, Records, value) are taken apart. A product that has a format of its own is better read by that.",
		Framing: JSONValues,
		Append:  appendJSONLog,
	}
}

// Slots of jsonLogPlan.
const (
	jlRecords = iota
	jlRecordsAWS
	jlValue
	jlAll
)

var jsonLogPlan = jsonscan.Compile("records", "Records", "value", "{}")

// jsonLog is a kind of log that is known by the fields it always has.
type jsonLog struct {
	product, log, code string   // As rules name them: product, service, category.
	has                []string // Paths that must be there; behind = the value.
}

// jsonLogs are the known kinds; the first that fits counts.
var jsonLogs = []jsonLog{
	{"azure", "riskdetection", "", []string{"riskEventType"}},
	{"azure", "riskdetection", "", []string{"properties.riskEventType"}},
	{"azure", "signinlogs", "", []string{"category=SignInLogs"}},
	{"azure", "signinlogs", "", []string{"category=NonInteractiveUserSignInLogs"}},
	{"azure", "signinlogs", "", []string{"category=ServicePrincipalSignInLogs"}},
	{"azure", "signinlogs", "", []string{"category=ManagedIdentitySignInLogs"}},
	{"azure", "signinlogs", "", []string{"conditionalAccessStatus", "createdDateTime"}},
	{"azure", "auditlogs", "", []string{"category=AuditLogs"}},
	{"azure", "auditlogs", "", []string{"activityDisplayName", "activityDateTime"}},
	{"azure", "activitylogs", "", []string{"operationName", "resourceId"}},
	{"gcp", "google_workspace.admin", "", []string{"protoPayload.serviceName=admin.googleapis.com"}},
	{"gcp", "google_workspace.login", "", []string{"protoPayload.serviceName=login.googleapis.com"}},
	{"gcp", "gcp.audit", "", []string{"protoPayload.methodName"}},
	{"m365", "audit", "", []string{"Workload", "Operation", "CreationTime"}},
	{"github", "audit", "", []string{"action", "_document_id"}},
	{"github", "audit", "", []string{"action", "actor", "org"}},
	{"github", "audit", "", []string{"action", "actor", "business"}},
	{"kubernetes", "audit", "", []string{"kind=Event", "auditID"}},
	{"bitbucket", "audit", "", []string{"auditType.category"}},
	{"okta", "okta", "", []string{"eventType", "published", "actor.id"}},
	{"onelogin", "onelogin.events", "", []string{"event_type_id"}},
	{"opencanary", "", "application", []string{"logtype", "node_id"}},
}

// jsonTimes are the names under which logs say when something happened, the surest first.
var jsonTimes = []string{
	"eventTime", "createdDateTime", "activityDateTime", "detectedDateTime", "requestReceivedTimestamp", "published", "CreationTime", "time", "timestamp", "@timestamp",
	"created_at", "createdAt", "event_timestamp", "utc_time", "date",
}

func appendJSONLog(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	if isArray(rec.Value) {
		return appendArray(s, dst, rec, jsonLogPlan, jsonLogDocument)
	}
	if err := scanObject(s, jsonLogPlan, rec.Value); err != nil {
		return dst, err
	}
	for _, slot := range []int{jlRecords, jlRecordsAWS, jlValue} {
		if list := s.JSON.Value(slot); holdsObjects(list) {
			return appendList(s, dst, rec, list, jsonLogPlan, jsonLogDocument)
		}
	}
	return jsonLogDocument(s, dst, rec, jsonscan.Value{})
}

// holdsObjects reports whether a list is one of documents.
func holdsObjects(list jsonscan.Value) bool {
	for v := range list.Elements() {
		return v.Kind() == jsonscan.Object
	}
	return false
}

// jsonLogDocument decodes the document in s.JSON.
func jsonLogDocument(s *Scratch, dst []event.Event, _ *event.Record, _ jsonscan.Value) ([]event.Event, error) {
	fields := flatFields(s.JSON.Members(jlAll))
	if len(fields) == 0 {
		return dst, Rejectf("no_event", "the object has no fields")
	}
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	e.ClassUID, e.ActivityID, e.Activity, e.SeverityID = event.ClassBase, activityOther, "Log Message", severityInfo
	e.Metadata.Product = "JSON"
	for i := range jsonLogs {
		if k := &jsonLogs[i]; k.fits(fields) {
			e.Metadata.Product, e.Metadata.LogName, e.Metadata.EventCode = k.product, k.log, k.code
			break
		}
	}
	jsonTime(e, fields)
	for _, name := range []string{"message", "msg"} {
		if text, ok := fieldOf(fields, name); ok && e.Message == "" {
			e.Message = clip(text, 512)
		}
	}
	e.SetSortedRaw(fields)
	return dst, nil
}

// fits reports whether a document has what logs of this kind have.
func (k *jsonLog) fits(fields []event.RawField) bool {
	for _, x := range k.has {
		name, want, exact := strings.Cut(x, "=")
		if value, ok := fieldOf(fields, name); !ok || exact && value != want {
			return false
		}
	}
	return true
}

// fieldOf finds a field among fields in order of their names.
func fieldOf(fields []event.RawField, name string) (value string, ok bool) {
	i, ok := slices.BinarySearchFunc(fields, name, func(f event.RawField, name string) int { return strings.Compare(f.Name, name) })
	if !ok {
		return "", false
	}
	return fields[i].Value, true
}

// jsonTime takes the time from the first field that holds one: text, or seconds or milliseconds since 1970.
func jsonTime(e *event.Event, fields []event.RawField) {
	for _, name := range jsonTimes {
		text, ok := fieldOf(fields, name)
		if !ok {
			continue
		}
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			switch {
			case n >= 1e8 && n < 1e11:
				e.Time, e.Envelope.TimeSource = int64(n*1000+0.5)*1000, event.TimeParsed
				return
			case n >= 1e11 && n < 1e14:
				e.Time, e.Envelope.TimeSource = int64(n+0.5)*1000, event.TimeParsed
				return
			}
			continue
		}
		if setStamp(e, text, nil); e.Time != 0 {
			e.Envelope.Quality &^= event.SchemaOdd
			return
		}
	}
	e.Envelope.Quality |= event.SchemaOdd
}
