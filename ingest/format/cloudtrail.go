package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

func cloudTrail() Format {
	return Format{
		Name: "cloudtrail", Title: "AWS CloudTrail", Domain: "identity",
		Classes: []string{"api_activity", "authentication.logon", "base_event"},
		Doc: "CloudTrail records as its files have them (batched under Records), as EventBridge wraps them (detail), or one by one. Console sign-ins become " +
			"authentication.logon, all other calls api_activity. Rules read the record's own fields, such as requestParameters.name, as raw fields.",
		Framing: JSONValues,
		Append:  appendCloudTrail,
	}
}

// Slots of cloudTrailPlan, in its order.
const (
	ctVersion = iota
	ctTime
	ctSource
	ctName
	ctRegion
	ctAddress
	ctAgent
	ctError
	ctErrorMessage
	ctRequestID
	ctEventID
	ctType
	ctAPIVersion
	ctReadOnly
	ctUserType
	ctPrincipal
	ctARN
	ctAccount
	ctUserName
	ctInvokedBy
	ctIssuerType
	ctIssuerName
	ctMFASession
	ctMFAUsed
	ctConsoleLogin
	ctRecords
	ctDetail
	ctAll
)

// cloudTrailPlan follows "CloudTrail record contents" and "CloudTrail userIdentity element" of the CloudTrail user guide.
var cloudTrailPlan = jsonscan.Compile(
	"eventVersion", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "errorCode", "errorMessage", "requestID",
	"eventID", "eventType", "apiVersion", "readOnly",
	"userIdentity.type", "userIdentity.principalId", "userIdentity.arn", "userIdentity.accountId", "userIdentity.userName", "userIdentity.invokedBy",
	"userIdentity.sessionContext.sessionIssuer.type", "userIdentity.sessionContext.sessionIssuer.userName",
	"userIdentity.sessionContext.attributes.mfaAuthenticated",
	"additionalEventData.MFAUsed", "responseElements.ConsoleLogin",
	"Records", "detail", "{}",
)

func appendCloudTrail(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	if isArray(rec.Value) {
		return appendArray(s, dst, rec, cloudTrailPlan, cloudTrailDocument)
	}
	if err := scanObject(s, cloudTrailPlan, rec.Value); err != nil {
		return dst, err
	}
	switch {
	case s.JSON.Kind(ctRecords) == jsonscan.Array:
		return appendList(s, dst, rec, s.JSON.Value(ctRecords), cloudTrailPlan, cloudTrailDocument)
	case s.JSON.Str(ctName) == "" && s.JSON.Kind(ctDetail) == jsonscan.Object:
		cloudTrailPlan.ScanValue(s.JSON.Value(ctDetail), &s.JSON)
	}
	return cloudTrailDocument(s, dst, rec, jsonscan.Value{})
}

// cloudTrailDocument decodes the record in s.JSON.
func cloudTrailDocument(s *Scratch, dst []event.Event, _ *event.Record, _ jsonscan.Value) ([]event.Event, error) {
	r := &s.JSON
	name, source := r.Str(ctName), r.Str(ctSource)
	if name == "" || source == "" || r.Str(ctRegion) == "" || r.Str(ctVersion) == "" {
		return dst, Rejectf("wrong_format", "not a CloudTrail record: no eventVersion, eventSource, eventName and awsRegion")
	}
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	setStamp(e, r.Str(ctTime), nil)
	m := &e.Metadata
	m.Product, m.Vendor, m.LogName, m.EventCode, m.OriginalUID = "CloudTrail", "AWS", r.Str(ctType), name, r.Str(ctEventID)
	if m.OriginalUID != "" {
		e.Envelope.ID = event.NewID("cloudtrail", m.OriginalUID)
	}
	e.SeverityID = severityInfo
	cloudTrailActor(e, r)
	from := meant(r.Str(ctAddress)) // An address, or the service that called on somebody's behalf.
	if e.SrcEndpoint.IP = plainIP(from); e.SrcEndpoint.IP == "" && from != "" {
		e.SrcEndpoint.Name = clip(from, 256)
	}
	if agent := meant(r.Str(ctAgent)); agent != "" {
		e.HTTPRequest = &event.HTTPRequest{UserAgent: agent}
	}
	e.StatusID, e.StatusCode, e.StatusDetail = statusSuccess, r.Str(ctError), r.Str(ctErrorMessage)
	if e.StatusCode != "" || e.StatusDetail != "" {
		e.StatusID = statusFailure
	}
	if source == "signin.amazonaws.com" && name == "ConsoleLogin" {
		cloudTrailLogin(e, r)
	} else {
		cloudTrailCall(e, r, source, name)
	}
	e.SetSortedRaw(flatFields(r.Members(ctAll)))
	return dst, nil
}

// cloudTrailActor says who acted. Of an assumed role it is the session, which most organisations name by the person.
func cloudTrailActor(e *event.Event, r *jsonscan.Result) {
	u := &e.Actor.User
	kind, arn := r.Str(ctUserType), meant(r.Str(ctARN))
	u.UID, u.Name, u.Type = arn, meant(r.Str(ctUserName)), kind
	if u.UID == "" {
		u.UID = meant(r.Str(ctPrincipal))
	}
	switch kind {
	case "Root":
		u.TypeID = 2
		if u.Name == "" {
			u.Name = "root"
		}
	case "IAMUser", "IdentityCenterUser", "SAMLUser", "WebIdentityUser":
		u.TypeID = 1
	case "AWSService", "AWSAccount":
		u.TypeID = 3
		if u.Name == "" {
			u.Name = meant(r.Str(ctInvokedBy))
		}
	case "AssumedRole", "FederatedUser":
		u.TypeID = 99
		if i := strings.LastIndexByte(arn, '/'); i >= 0 && u.Name == "" {
			u.Name = arn[i+1:]
		}
	case "":
	default:
		u.TypeID = 99
	}
	if strings.Contains(u.Name, "@") {
		u.Email = strings.ToLower(u.Name)
	}
	e.Actor.Session.Issuer = meant(r.Str(ctIssuerName))
}

// cloudTrailLogin is a sign-in to the console.
func cloudTrailLogin(e *event.Event, r *jsonscan.Result) {
	e.ClassUID, e.ActivityID = event.ClassAuthentication, 1
	e.User = e.Actor.User
	switch r.Str(ctConsoleLogin) {
	case "Success":
		e.StatusID = statusSuccess
	case "Failure":
		e.StatusID = statusFailure
	}
	if used := r.Str(ctMFAUsed); used != "" {
		e.IsMFA = event.BoolOf(used == "Yes")
	}
}

// cloudTrailCall is any other call of a service.
func cloudTrailCall(e *event.Event, r *jsonscan.Result, source, name string) {
	e.ClassUID = event.ClassAPI
	readOnly, known := r.Bool(ctReadOnly)
	e.ActivityID = cloudTrailActivity(name, readOnly && known)
	if e.ActivityID == activityOther {
		e.Activity = name
	}
	e.API = &event.API{
		Operation: name, Service: source, Version: r.Str(ctAPIVersion), RequestUID: r.Str(ctRequestID),
		Error: r.Str(ctError), ErrorMessage: r.Str(ctErrorMessage),
	}
}

// cloudTrailVerbs are the first words of the names of calls, and what they do to their object.
var cloudTrailVerbs = []struct {
	verb     string
	activity uint16
}{
	{"Create", 1},
	{"Run", 1},
	{"Register", 1},
	{"Allocate", 1},
	{"Import", 1},
	{"Issue", 1},
	{"Get", 2},
	{"List", 2},
	{"Describe", 2},
	{"Lookup", 2},
	{"Head", 2},
	{"Search", 2},
	{"Query", 2},
	{"Scan", 2},
	{"Update", 3},
	{"Modify", 3},
	{"Put", 3},
	{"Attach", 3},
	{"Detach", 3},
	{"Add", 3},
	{"Set", 3},
	{"Change", 3},
	{"Associate", 3},
	{"Disassociate", 3},
	{"Authorize", 3},
	{"Revoke", 3},
	{"Enable", 3},
	{"Disable", 3},
	{"Tag", 3},
	{"Untag", 3},
	{"Replace", 3},
	{"Reset", 3},
	{"Delete", 4},
	{"Remove", 4},
	{"Terminate", 4},
	{"Deregister", 4},
	{"Release", 4},
	{"Purge", 4},
}

func cloudTrailActivity(name string, readOnly bool) uint16 {
	if readOnly {
		return 2
	}
	for _, v := range cloudTrailVerbs {
		if rest, ok := strings.CutPrefix(name, v.verb); ok && (rest == "" || rest[0] < 'a' || rest[0] > 'z') {
			return v.activity
		}
	}
	return activityOther
}
