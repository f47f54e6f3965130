package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// Slots of entraRiskPlan.
const (
	riID = iota
	riEventType
	riType
	riState
	riLevel
	riDetail
	riSource
	riTiming
	riActivity
	riIP
	riCity
	riRegion
	riCountry
	riHappened
	riDetected
	riUpdated
	riRiskUpdated
	riUserID
	riUserName
	riPrincipal
	riUserType
	riInfo
	riCorrelation
	riService
	riServiceID
	riTechnique
)

// entraRiskPlan follows the riskDetection and riskyUser resources of Microsoft Graph and their service principal relatives.
var entraRiskPlan = jsonscan.Compile(
	"id", "riskEventType", "riskType", "riskState", "riskLevel", "riskDetail", "source", "detectionTimingType", "activity", "ipAddress",
	"location.city", "location.state", "location.countryOrRegion", "activityDateTime", "detectedDateTime", "lastUpdatedDateTime",
	"riskLastUpdatedDateTime", "userId", "userDisplayName", "userPrincipalName", "userType", "additionalInfo", "correlationId",
	"servicePrincipalDisplayName", "servicePrincipalId", "mitreTechniqueId",
)

// risk fills a finding of Identity Protection: a risk detection, or a change of the risk of an account.
func (d *entraRecord) risk(r *jsonscan.Result, e *event.Event) {
	e.ClassUID, e.ActivityID, e.StatusID = event.ClassDetection, 1, 1
	setMicrosoftTime(e, r.Str(riHappened), r.Str(riDetected), r.Str(riRiskUpdated), d.time)
	d.note(e, r.Str(riID), r.Str(riCorrelation))
	kind := meant(r.Str(riEventType))
	if kind == "" {
		kind = meant(r.Str(riType))
	}
	if kind == "" {
		kind = "riskStateChange"
		e.ActivityID = 2
	}
	e.Metadata.EventCode = kind
	state, detail := r.Str(riState), meant(r.Str(riDetail))
	e.StatusCode, e.StatusDetail = state, detail
	if state == "dismissed" || state == "remediated" || state == "confirmedSafe" {
		e.ActivityID, e.StatusID = 3, 4 // Closed, resolved.
	}
	e.RiskLevelID = riskLevel(r.Str(riLevel))
	e.SeverityID = max(e.RiskLevelID+1, severityInfo)
	d.riskUser(r, e)
	p := &e.SrcEndpoint
	if p.IP = plainIP(r.Str(riIP)); p.IP == "" {
		p.IP = d.caller
	}
	place := event.Location{City: meant(r.Str(riCity)), Region: meant(r.Str(riRegion)), Country: countryCode(r.Str(riCountry))}
	if place.Country == "" {
		place.Country = countryCode(d.location)
	}
	if p.IP != "" && (place != event.Location{}) {
		p.Extend().Location = place
	}
	f := &event.Finding{
		UID: e.Metadata.OriginalUID, Title: kind, AnalyticUID: kind, AnalyticName: kind, AnalyticType: 4, IsAlert: event.True,
		CreatedAt: microsoftMicros(r.Str(riDetected)), ModifiedAt: max(microsoftMicros(r.Str(riUpdated)), microsoftMicros(r.Str(riRiskUpdated))),
	}
	if f.UID == "" {
		f.UID = kind + "/" + e.User.UID + "/" + r.Str(riDetected)
	}
	if technique := r.Str(riTechnique); strings.HasPrefix(technique, "T") && len(technique) <= 10 {
		f.Techniques = []string{technique}
	}
	e.Finding = f
	if agent := riskUserAgent(r.Str(riInfo)); agent != "" {
		e.HTTPRequest = &event.HTTPRequest{UserAgent: agent}
	}
	e.Message = kind
	// The same detection comes again with every change of its state.
	if e.Metadata.OriginalUID != "" {
		e.Envelope.ID = event.NewID("entra", d.category, e.Metadata.OriginalUID, state, r.Str(riUpdated)+r.Str(riRiskUpdated))
	}
}

func (d *entraRecord) riskUser(r *jsonscan.Result, e *event.Event) {
	u := &e.Actor.User
	u.UID = meant(r.Str(riUserID))
	setPrincipal(u, r.Str(riPrincipal))
	u.FullName = meant(r.Str(riUserName))
	u.Type = meant(r.Str(riUserType))
	if u.UID == "" && u.Name == "" {
		u.UID, u.Name = meant(r.Str(riServiceID)), meant(r.Str(riService))
		u.TypeID = userService
	}
	if strings.HasPrefix(d.category, "Risky") && u.UID == "" { // There the id is that of the account.
		u.UID = e.Metadata.OriginalUID
	}
	if u.UID == "" && u.Name == "" {
		u.Name, u.TypeID = u.FullName, 0
	}
	if u.FullName != "" && u.FullName != u.Name {
		e.AddEntity(event.EntityUser, event.RoleContext, event.Context, event.ObjectExtra, u.FullName)
	}
}

// riskUserAgent finds the user agent in additionalInfo, a JSON list in a string.
func riskUserAgent(info string) string {
	const mark = `"Key":"userAgent","Value":"`
	_, rest, found := strings.Cut(info, mark)
	if !found {
		return ""
	}
	agent, _, closed := strings.Cut(rest, `"`)
	if !closed || len(agent) > 1024 {
		return ""
	}
	return agent
}

// Slots of entraGraphPlan.
const (
	grRequest = iota
	grMethod
	grCode
	grURI
	grVersion
	grAppID
	grUserID
	grUserIDNew
	grServiceID
	grIP
	grAgent
	grScopes
	grRoles
	grSession
	grDevice
	grTime
	grSize
	grSignIn
)

// entraGraphPlan follows the columns of MicrosoftGraphActivityLogs.
var entraGraphPlan = jsonscan.Compile(
	"requestId", "requestMethod", "responseStatusCode", "requestUri", "apiVersion", "appId", "userId", "UserPrincipalObjectID",
	"servicePrincipalId", "ipAddress", "userAgent", "scopes", "roles", "C_Sid", "C_DeviceId", "timeGenerated", "responseSizeBytes", "signInActivityId",
)

// graphCall fills a call of the Graph interface.
func (d *entraRecord) graphCall(r *jsonscan.Result, e *event.Event) {
	e.ClassUID = event.ClassAPI
	setMicrosoftTime(e, r.Str(grTime), d.time)
	d.note(e, r.Str(grRequest), "")
	method := r.Str(grMethod)
	e.Metadata.EventCode = d.operation
	switch method {
	case "GET", "HEAD", "OPTIONS":
		e.ActivityID = 2
	case "POST":
		e.ActivityID = 1
	case "PATCH", "PUT":
		e.ActivityID = 3
	case "DELETE":
		e.ActivityID = 4
	default:
		e.ActivityID, e.Activity = activityOther, "Call"
	}
	url, _, cut := strings.Cut(meant(r.Str(grURI)), "?")
	if cut {
		e.Envelope.Quality |= event.Redacted // Queries carry codes and tokens.
	}
	e.API = &event.API{Operation: method + " " + urlPath(url), Service: "Microsoft Graph", Version: r.Str(grVersion), RequestUID: r.Str(grRequest)}
	e.HTTPRequest = &event.HTTPRequest{Method: method, URL: url, Path: urlPath(url), UserAgent: meant(r.Str(grAgent))}
	if code, ok := r.LooseInt64(grCode); ok {
		e.API.ResponseCode = event.IntOf(code)
		e.HTTPResponse = &event.HTTPResponse{Code: event.IntOf(code)}
		if size, ok := r.LooseInt64(grSize); ok {
			e.HTTPResponse.Length = event.IntOf(size)
		}
		e.StatusCode, e.StatusID = r.Text(grCode), statusSuccess
		if code >= 400 {
			e.StatusID = statusFailure
		}
	}
	if e.Actor.User.UID = meant(r.Str(grUserID)); e.Actor.User.UID == "" {
		e.Actor.User.UID = meant(r.Str(grUserIDNew))
	}
	app := meant(r.Str(grAppID))
	if app == "" {
		app = meant(r.Str(grServiceID))
	}
	if app != "" {
		e.Actor.Extend().AppUID = app
	}
	e.Actor.Session.UID = meant(r.Str(grSession))
	if scopes := meant(r.Str(grScopes)); scopes != "" && len(scopes) < 4096 {
		e.Access = &event.Access{Privileges: strings.Fields(scopes)}
	}
	e.Device.UID = meant(r.Str(grDevice))
	if e.SrcEndpoint.IP = plainIP(r.Str(grIP)); e.SrcEndpoint.IP == "" {
		e.SrcEndpoint.IP = d.caller
	}
	if e.SrcEndpoint.IP == "" || app == "" && e.Actor.User.UID == "" { // API activity demands both.
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, d.category
	}
}

// urlPath is the path of a URL, without scheme and host.
func urlPath(url string) string {
	if _, rest, found := strings.Cut(url, "://"); found {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			return rest[i:]
		}
		return "/"
	}
	return url
}
