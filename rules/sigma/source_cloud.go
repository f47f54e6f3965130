package sigma

import "strings"

// cloudServices are log sources of products in the cloud, for the reference.
var cloudServices = []logsource{
	{product: "aws", service: "cloudtrail"},
	{product: "azure", service: "activitylogs"},
	{product: "azure", service: "auditlogs"},
	{product: "azure", service: "riskdetection"},
	{product: "azure", service: "signinlogs"},
	{product: "gcp", service: "gcp.audit"},
	{product: "gcp", service: "google_workspace.admin"},
	{product: "gcp", service: "google_workspace.login"},
	{product: "m365", service: "audit"},
	{product: "github", service: "audit"},
	{product: "kubernetes", service: "audit"},
	{product: "bitbucket", service: "audit"},
	{product: "okta", service: "okta"},
	{product: "onelogin", service: "onelogin.events"},
	{category: "application", product: "opencanary"},
}

// oktaClasses are those of the format okta, and of raw fields.
var oktaClasses = []string{"base_event", "account_change", "authentication", "detection_finding", "entity_management", "group_management", "user_access"}

// oktaFields are what events of the format okta have exactly as the System Log says it. Under the format json they are raw.
var oktaFields = map[string][]access{
	"eventType":      oktaField("eventType", "metadata.event_code"),
	"displayMessage": oktaField("displayMessage", "message"), "displaymessage": oktaField("displayMessage", "message"),
	"outcome.result": oktaField("outcome.result", "status_code"), "outcome.reason": oktaField("outcome.reason", "status_detail"),
}

func oktaField(name, path string) []access {
	return []access{rawAccess(name), {path, path + ` != ""`}}
}

// cloudSource is a log source of the formats cloudtrail and json, or, as a last resort, of another.
func cloudSource(l logsource) *source {
	s := otherSource(l)
	switch {
	case l.product == "aws" && l.service == "cloudtrail" && l.category == "":
		return &source{classes: []string{"api_activity", "authentication"}, where: oneOf(productPath, "CloudTrail")}
	case l.product == "okta" && l.service == "okta" && l.category == "":
		s.classes, s.fields, s.where = oktaClasses, oktaFields, oneOf(productPath, "okta", "Okta")
	case l.product == "azure":
		s.named = azureNames
	case l.product == "gcp":
		s.named = googleNames
	}
	return s
}

// azureNames are the names of a field in the ways Azure writes a log: the columns of Log Analytics (ResultType), records of diagnostic settings
// (resultType, and more below properties), documents of Microsoft Graph.
func azureNames(field string) []string {
	if field == "properties.message" { // What an audit log says was done.
		return []string{field, "properties.activityDisplayName", "activityDisplayName", "operationName", "OperationName"}
	}
	names := []string{field}
	switch field {
	case "OperationNameValue", "CategoryValue", "ResourceProviderValue":
		field = strings.TrimSuffix(field, "Value")
	}
	if lower := lowerFirst(field); lower != names[0] {
		names = append(names, lower)
	}
	if !strings.HasPrefix(field, "properties.") {
		names = append(names, "properties."+names[len(names)-1])
	}
	return names
}

// lowerFirst begins each step of a path in lower case, as JSON does where columns do not.
func lowerFirst(path string) string {
	parts := strings.Split(path, ".")
	for i, p := range parts {
		if p != "" && p[0] >= 'A' && p[0] <= 'Z' {
			parts[i] = string(p[0]|0x20) + p[1:]
		}
	}
	return strings.Join(parts, ".")
}

// googleNames are the names of a field in Google's audit logs: what rules name by a shipper's field is also looked for where Cloud Logging has it.
func googleNames(field string) []string {
	switch field {
	case "gcp.audit.method_name":
		return []string{field, "protoPayload.methodName"}
	case "protoPayload.Servicename":
		return []string{field, "protoPayload.serviceName"}
	case "eventService":
		return []string{field, "protoPayload.serviceName"}
	case "eventName":
		return []string{field, "protoPayload.metadata.event.eventName"}
	}
	if rest, ok := strings.CutPrefix(field, "data.protoPayload."); ok {
		return []string{field, "protoPayload." + rest}
	}
	return []string{field}
}
