package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

func intune() Format {
	return Format{
		Name: "intune", Title: "Microsoft Intune", Domain: "device_management",
		Classes: []string{
			"account_change", "base_event", "compliance_finding", "device_config_state_change", "entity_management", "inventory_info", "user_access",
		},
		Doc: "Intune audit, operational, DeviceComplianceOrg and Devices logs as diagnostic settings write them (single, or batched under records), and managed " +
			"devices and audit events of Microsoft Graph (single, or batched under value). Compliance states become compliance findings, devices inventory.",
		Framing:  Lines,
		Append:   appendIntune,
		Unmapped: intuneUnmapped,
	}
}

// Slots of intunePlan: the envelope of diagnostic settings, and what tells the documents of Graph.
const (
	inTime = iota
	inTenant
	inCategory
	inOperation
	inResult
	inDescription
	inCorrelation
	inIdentity
	inResource
	inProperties
	inRecords
	inValue
	inComplianceState
	inDeviceName
	inLastSync
	inActivity
	inActivityType
	inComponent
)

var intunePlan = jsonscan.Compile(
	"time", "tenantId", "category", "operationName", "resultType", "resultDescription", "correlationId", "identity", "resourceId",
	"properties", "records", "value", "complianceState", "deviceName", "lastSyncDateTime", "activityDateTime", "activityOperationType", "componentName",
)

// intuneRecord is the envelope of one document.
type intuneRecord struct {
	time, category, operation, result, description, correlation, identity string
}

func appendIntune(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	if isArray(rec.Value) {
		return appendArray(s, dst, rec, intunePlan, intuneDocument)
	}
	if err := scanObject(s, intunePlan, rec.Value); err != nil {
		return dst, err
	}
	if s.JSON.Kind(inRecords) == jsonscan.Array {
		return appendList(s, dst, rec, s.JSON.Value(inRecords), intunePlan, intuneDocument)
	}
	if s.JSON.Kind(inValue) == jsonscan.Array {
		return appendList(s, dst, rec, s.JSON.Value(inValue), intunePlan, intuneDocument)
	}
	return intuneDocument(s, dst, rec, jsonscan.Value{})
}

func intuneDocument(s *Scratch, dst []event.Event, rec *event.Record, doc jsonscan.Value) ([]event.Event, error) {
	r := &s.JSON
	d := intuneRecord{
		time: r.Str(inTime), category: r.Str(inCategory), operation: r.Str(inOperation), result: meant(r.Str(inResult)),
		description: meant(r.Str(inDescription)), correlation: meant(r.Str(inCorrelation)), identity: meant(r.Str(inIdentity)),
	}
	properties := r.Value(inProperties)
	var decode func(d *intuneRecord, s *Scratch, e *event.Event) bool
	var plan *jsonscan.Plan
	switch {
	case properties.Kind() == jsonscan.Object && d.category != "" && d.operation != "":
		if strings.Contains(strings.ToLower(r.Str(inResource)), "microsoft.aadiam") {
			return dst, Rejectf("wrong_format", "a record of Entra ID (resourceId), not of Intune")
		}
		doc = properties
		switch d.category {
		case "AuditLogs", "Windows365AuditLogs":
			decode, plan = intuneAudit, intuneAuditPlan
		case "OperationalLogs":
			decode, plan = intuneOperational, intuneOperationalPlan
		case "DeviceComplianceOrg":
			decode, plan = intuneCompliance, intuneDevicePlan
		case "Devices":
			decode, plan = intuneInventory, intuneDevicePlan
		default:
			return dst, Rejectf("wrong_format", "category %.40q is none of the logs of Intune", d.category)
		}
	case r.Exists(inComplianceState) && (r.Exists(inDeviceName) || r.Exists(inLastSync)):
		d.category = "managedDevices"
		decode, plan = intuneManaged, intuneManagedPlan
	case r.Exists(inActivity) && r.Exists(inActivityType) && r.Exists(inComponent):
		d.category = "auditEvents"
		decode, plan = intuneGraphAudit, intuneGraphAuditPlan
	default:
		return dst, Rejectf("wrong_format", "neither a diagnostic record (category, operationName and properties) nor a managed device or audit event of Microsoft Graph")
	}
	scanBody(s, rec, doc, plan)
	from := len(dst)
	dst = append(dst, event.Event{})
	e := &dst[from]
	e.SeverityID = severityInfo
	m := &e.Metadata
	m.Product, m.Vendor, m.LogName = "Microsoft Intune", "Microsoft", d.category
	if d.correlation != "" {
		m.Extend().Correlation = d.correlation
	}
	m.EventCode, e.Message = d.operation, d.operation
	if !decode(&d, s, e) {
		return dst[:from], Rejectf("wrong_format", "a record of category %s without the properties Intune gives it", d.category)
	}
	return dst, nil
}

// outcome reads the result of the envelope.
func (d *intuneRecord) outcome(e *event.Event) {
	e.StatusCode, e.StatusDetail = d.result, d.description
	switch {
	case strings.EqualFold(d.result, "success"), strings.EqualFold(d.result, "succeeded"), d.result == "0":
		e.StatusID = statusSuccess
	case strings.HasPrefix(strings.ToLower(d.result), "fail"), strings.EqualFold(d.result, "clienterror"), strings.EqualFold(d.result, "timeout"):
		e.StatusID = statusFailure
	}
}

func intuneUnmapped(rec *event.Record) []string {
	var s Scratch
	if isArray(rec.Value) || scanObject(&s, intunePlan, rec.Value) != nil || s.JSON.Exists(inRecords) || s.JSON.Exists(inValue) {
		return nil
	}
	plan, body, prefix := intuneManagedPlan, rec.Value, ""
	if s.JSON.Kind(inProperties) == jsonscan.Object {
		body, prefix = s.JSON.Raw(inProperties), "properties."
		switch s.JSON.Str(inCategory) {
		case "OperationalLogs":
			plan = intuneOperationalPlan
		case "DeviceComplianceOrg", "Devices":
			plan = intuneDevicePlan
		default:
			plan = intuneAuditPlan
		}
	} else if s.JSON.Exists(inComponent) {
		plan = intuneGraphAuditPlan
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
