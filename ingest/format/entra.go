package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

func entra() Format {
	return Format{
		Name: "entra", Title: "Microsoft Entra ID", Domain: "identity",
		Classes: []string{
			"account_change", "api_activity", "authentication", "base_event", "detection_finding", "entity_management", "group_management", "user_access",
		},
		Doc: "Entra ID sign-in, audit, risk, provisioning and Graph activity logs in the shapes of Event Hub diagnostic settings (single, or batched under records) " +
			"and of Microsoft Graph (single, or batched under value). A sign-in gives an authentication.logon and one authentication.mfa_challenge for each second factor that was answered.",
		Framing:  Lines,
		Append:   appendEntra,
		Unmapped: entraUnmapped,
	}
}

// Slots of entraPlan: the envelope of diagnostic settings, and what tells the shapes of Graph apart.
const (
	enTime = iota
	enCategory
	enOperation
	enResultType
	enResultDescription
	enCallerIP
	enCorrelation
	enIdentity
	enTenant
	enResource
	enLocation
	enSignature
	enProperties
	enRecords
	enValue
	enOData
	enActivity
	enActivityTime
	enCreated
	enAppID
	enPrincipal
	enRiskEvent
	enRiskUpdated
	enStatus
	enInitiated
	enLevel
	enDuration
)

var entraPlan = jsonscan.Compile(
	"time", "category", "operationName", "resultType", "resultDescription", "callerIpAddress", "correlationId", "identity", "tenantId",
	"resourceId", "location", "resultSignature", "properties", "records", "value",
	`@odata\.type`, "activityDisplayName", "activityDateTime", "createdDateTime", "appId", "userPrincipalName", "riskEventType",
	"riskLastUpdatedDateTime", "status", "initiatedBy", "level", "durationMs",
)

// entraRecord is one document: the envelope around it, if there is one, and which part of the scratch holds what the log itself says.
type entraRecord struct {
	envelope    bool // It came by diagnostic settings; the properties are in s.Nested.
	time        string
	category    string
	operation   string
	resultType  string
	description string
	caller      string
	correlation string
	identity    string
	tenant      string
	location    string
	signature   string
}

func appendEntra(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	if isArray(rec.Value) {
		return appendArray(s, dst, rec, entraPlan, entraDocument)
	}
	if err := scanObject(s, entraPlan, rec.Value); err != nil {
		return dst, err
	}
	if s.JSON.Kind(enRecords) == jsonscan.Array {
		return appendList(s, dst, rec, s.JSON.Value(enRecords), entraPlan, entraDocument)
	}
	if s.JSON.Kind(enValue) == jsonscan.Array {
		return appendList(s, dst, rec, s.JSON.Value(enValue), entraPlan, entraDocument)
	}
	return entraDocument(s, dst, rec, jsonscan.Value{})
}

// entraDocument decodes the document that entraPlan scanned into s.JSON. Its own fields, scanned by the plan of its kind, go to s.Nested.
func entraDocument(s *Scratch, dst []event.Event, rec *event.Record, doc jsonscan.Value) ([]event.Event, error) {
	r := &s.JSON
	d := entraRecord{
		time: r.Str(enTime), category: r.Str(enCategory), operation: r.Str(enOperation), resultType: r.Text(enResultType),
		description: meant(r.Str(enResultDescription)), caller: plainIP(r.Str(enCallerIP)), correlation: meant(r.Str(enCorrelation)),
		identity: meant(r.Str(enIdentity)), tenant: meant(r.Str(enTenant)), location: r.Str(enLocation), signature: meant(r.Text(enSignature)),
	}
	if r.Kind(enProperties) == jsonscan.Object && d.category != "" {
		d.envelope = true
		if !entraCategory(d.category) && !strings.Contains(strings.ToLower(r.Str(enResource)), "microsoft.aadiam") {
			return dst, Rejectf("wrong_format", "category %.40q is none of the logs of Entra ID", d.category)
		}
		return d.decode(s, dst, rec, r.Value(enProperties))
	}
	switch {
	case r.Str(enRiskEvent) != "":
		d.category = "UserRiskEvents"
	case r.Exists(enRiskUpdated) && r.Exists(enPrincipal):
		d.category = "RiskyUsers"
	case r.Str(enActivity) != "" && (r.Exists(enInitiated) || r.Exists(enActivityTime)):
		d.category = "AuditLogs"
	case r.Exists(enCreated) && r.Exists(enStatus) && (r.Exists(enAppID) || r.Exists(enPrincipal)):
		d.category = "SignInLogs"
	default:
		return dst, Rejectf("wrong_format", "neither a diagnostic record (category with properties) nor a sign-in, audit or risk document of Microsoft Graph")
	}
	return d.decode(s, dst, rec, doc)
}

// entraCategory reports whether a diagnostic category belongs to Entra ID.
func entraCategory(c string) bool {
	switch c {
	case "AuditLogs", "ProvisioningLogs", "RiskyUsers", "UserRiskEvents", "RiskyServicePrincipals", "ServicePrincipalRiskEvents",
		"MicrosoftGraphActivityLogs", "NetworkAccessTrafficLogs", "B2CRequestLogs", "EnrichedOffice365AuditLogs", "AzureADGraphActivityLogs":
		return true
	}
	return strings.HasSuffix(c, "SignInLogs")
}

// decode hands the document's own part to the decoder of its category. Without an envelope that part is the whole document.
func (d *entraRecord) decode(s *Scratch, dst []event.Event, rec *event.Record, body jsonscan.Value) ([]event.Event, error) {
	from := len(dst)
	dst = append(dst, event.Event{})
	e := &dst[from]
	e.SeverityID = severityInfo
	m := &e.Metadata
	m.Product, m.Vendor, m.LogName = "Microsoft Entra ID", "Microsoft", d.category
	switch {
	case strings.HasSuffix(d.category, "SignInLogs"):
		scanBody(s, rec, body, entraSignInPlan)
		return d.signIn(s, dst, from), nil
	case d.category == "AuditLogs":
		scanBody(s, rec, body, entraAuditPlan)
		if err := d.audit(s, e); err != nil {
			return dst[:from], err
		}
	case strings.HasPrefix(d.category, "Risky"), strings.HasSuffix(d.category, "RiskEvents"):
		scanBody(s, rec, body, entraRiskPlan)
		d.risk(&s.Nested, e)
	case d.category == "MicrosoftGraphActivityLogs", d.category == "AzureADGraphActivityLogs":
		scanBody(s, rec, body, entraGraphPlan)
		d.graphCall(&s.Nested, e)
	default:
		scanBody(s, rec, body, entraOtherPlan)
		d.other(s, e)
	}
	return dst, nil
}

// other keeps a category we have no class for as a base event.
func (d *entraRecord) other(s *Scratch, e *event.Event) {
	e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, d.category
	setMicrosoftTime(e, d.time)
	d.note(e, s.Nested.Str(0), "")
	e.Metadata.EventCode = d.operation
	if e.Metadata.EventCode == "" {
		e.Metadata.EventCode = d.category
	}
	e.StatusCode, e.StatusDetail = meant(d.resultType), d.description
	e.Message = d.operation
	e.AddEntity(event.EntityIP, event.RoleSource, event.Weak, event.ObjectSourceIP, d.caller)
	e.AddEntity(event.EntityUser, event.RoleContext, event.Context, event.ObjectExtra, d.identity)
}

var entraOtherPlan = jsonscan.Compile("id")

func entraUnmapped(rec *event.Record) []string {
	var s Scratch
	if isArray(rec.Value) || scanObject(&s, entraPlan, rec.Value) != nil || s.JSON.Exists(enRecords) || s.JSON.Exists(enValue) {
		return nil
	}
	var d entraRecord
	d.category = s.JSON.Str(enCategory)
	plan, body, prefix := entraSignInPlan, rec.Value, ""
	if s.JSON.Kind(enProperties) == jsonscan.Object {
		body, prefix = s.JSON.Raw(enProperties), "properties."
	}
	switch {
	case d.category == "AuditLogs", s.JSON.Exists(enInitiated):
		plan = entraAuditPlan
	case strings.Contains(d.category, "Risk"), s.JSON.Exists(enRiskEvent):
		plan = entraRiskPlan
	case strings.Contains(d.category, "Graph"):
		plan = entraGraphPlan
	}
	paths, err := jsonscan.Unmapped(body, plan)
	if err != nil {
		return nil
	}
	for i := range paths {
		paths[i] = prefix + paths[i]
	}
	return paths
}
