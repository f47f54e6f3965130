package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// Slots of entraSignInPlan.
const (
	siID = iota
	siCreated
	siDisplayName
	siPrincipal
	siUserID
	siUserType
	siAppID
	siAppName
	siResourceID
	siResourceName
	siIP
	siASN
	siErrorCode
	siFailure
	siDetails
	siClientApp
	siAgent
	siDeviceID
	siDeviceName
	siDeviceOS
	siBrowser
	siCompliant
	siManaged
	siTrust
	siCity
	siState
	siCountry
	siMFAMethod
	siCorrelation
	siAccessStatus
	siPolicies
	siInteractive
	siRequirement
	siSteps
	siRiskDetail
	siRiskAggregated
	siRiskDuring
	siRiskState
	siRiskTypes
	siRiskTypesV2
	siProtocol
	siTokenType
	siServiceID
	siServiceName
	siSession
	siTransfer
	siCrossTenant
	siNetworkTypes
	siIssuer
)

// entraSignInPlan follows the signIn resource of Microsoft Graph, which the properties of the SignInLogs categories share.
var entraSignInPlan = jsonscan.Compile(
	"id", "createdDateTime", "userDisplayName", "userPrincipalName", "userId", "userType", "appId", "appDisplayName", "resourceId",
	"resourceDisplayName", "ipAddress", "autonomousSystemNumber", "status.errorCode", "status.failureReason", "status.additionalDetails",
	"clientAppUsed", "userAgent", "deviceDetail.deviceId", "deviceDetail.displayName", "deviceDetail.operatingSystem", "deviceDetail.browser",
	"deviceDetail.isCompliant", "deviceDetail.isManaged", "deviceDetail.trustType", "location.city", "location.state", "location.countryOrRegion",
	"mfaDetail.authMethod", "correlationId", "conditionalAccessStatus", "appliedConditionalAccessPolicies", "isInteractive",
	"authenticationRequirement", "authenticationDetails", "riskDetail", "riskLevelAggregated", "riskLevelDuringSignIn", "riskState",
	"riskEventTypes[]", "riskEventTypes_v2[]", "authenticationProtocol", "incomingTokenType", "servicePrincipalId", "servicePrincipalName",
	"sessionId", "originalTransferMethod", "crossTenantAccessType", "networkLocationDetails[].networkType", "tokenIssuerName",
)

// signIn fills the sign-in at dst[at], whose fields are in s.Nested, and appends an MFA challenge for every second factor it went through.
func (d *entraRecord) signIn(s *Scratch, dst []event.Event, at int) []event.Event {
	r := &s.Nested
	e := &dst[at]
	e.ClassUID, e.ActivityID = event.ClassAuthentication, authLogon
	setMicrosoftTime(e, r.Str(siCreated), d.time)
	d.note(e, r.Str(siID), r.Str(siCorrelation))
	e.Metadata.EventCode = d.category
	e.Message = d.operation
	d.signInOutcome(s, e)
	d.signInUser(e, r)
	d.signInPlaces(e, r)
	signInDevice(e, r)
	signInProtocol(e, r)
	signInRisk(e, r)
	return d.signInSteps(s, dst, at)
}

// note fills what all of Entra's records share: ids and the time of writing.
func (d *entraRecord) note(e *event.Event, id, correlation string) {
	m := &e.Metadata
	m.OriginalUID = meant(id)
	m.LoggedTime = microsoftMicros(d.time)
	if correlation = meant(correlation); correlation == "" {
		correlation = d.correlation
	}
	if correlation != "" {
		m.Extend().Correlation = correlation
	}
	if m.OriginalUID != "" {
		e.Envelope.ID = event.NewID("entra", d.category, m.OriginalUID)
	}
}

func (d *entraRecord) signInOutcome(s *Scratch, e *event.Event) {
	r := &s.Nested
	code := r.Text(siErrorCode)
	if code == "" {
		code = d.resultType
	}
	e.StatusCode = code
	switch code {
	case "":
	case "0":
		e.StatusID = statusSuccess
	default:
		e.StatusID = statusFailure
	}
	e.StatusDetail = meant(r.Str(siFailure))
	if details := meant(r.Str(siDetails)); e.StatusDetail == "" || e.StatusID == statusSuccess && details != "" {
		e.StatusDetail = details
	}
	if e.StatusDetail == "" {
		e.StatusDetail = d.description
	}
	switch r.Str(siRequirement) {
	case "multiFactorAuthentication":
		e.IsMFA = event.BoolOf(e.StatusID == statusSuccess || code == "500121")
	case "singleFactorAuthentication":
		e.IsMFA = event.False
	}
	if strings.HasPrefix(e.StatusDetail, "MFA requirement satisfied") || strings.HasPrefix(e.StatusDetail, "MFA completed") {
		e.IsMFA = event.True
	}
	signInPolicy(s, e)
}

var entraPolicyPlan = jsonscan.Compile("id", "displayName", "result")

// signInPolicy names the conditional access policy that decided: the first that failed, else the first that applied.
func signInPolicy(s *Scratch, e *event.Event) {
	r, p := &s.Nested, &s.JSON // Of the envelope all has been read.
	status := r.Str(siAccessStatus)
	if status != "success" && status != "failure" {
		return
	}
	e.ActionID = actionAllowed
	if status == "failure" {
		e.ActionID = actionDenied
	}
	for v := range r.Each(siPolicies) {
		if v.Kind() != jsonscan.Object {
			continue
		}
		entraPolicyPlan.ScanValue(v, p)
		if p.Str(2) == status {
			e.Policy = &event.Policy{UID: meant(p.Str(0)), Name: meant(p.Str(1)), IsApplied: event.True}
			if e.Policy.UID == "" && e.Policy.Name == "" {
				e.Policy = nil
			}
			return
		}
	}
}

func (d *entraRecord) signInUser(e *event.Event, r *jsonscan.Result) {
	u := &e.User
	u.UID = meant(r.Str(siUserID))
	setPrincipal(u, r.Str(siPrincipal))
	u.FullName = meant(r.Str(siDisplayName))
	if u.FullName == "" && u.UID+u.Name != "" {
		u.FullName = d.identity
	}
	u.Type = meant(r.Str(siUserType))
	if u.UID == "" && u.Name == "" {
		u.Name = meant(r.Str(siServiceName))
		u.UID = meant(r.Str(siServiceID))
		u.TypeID = userService
	}
	if u.UID == "" && u.Name == "" {
		u.Name = u.FullName
		if u.Name == "" {
			u.Name = d.identity
		}
		u.TypeID = 0
	}
	if u.FullName != "" && u.FullName != u.Name {
		e.AddEntity(event.EntityUser, event.RoleContext, event.Context, event.ObjectExtra, u.FullName)
	}
	e.Session.UID = meant(r.Str(siSession))
	e.Service.Name, e.Service.UID = meant(r.Str(siAppName)), meant(r.Str(siAppID))
	if resource := meant(r.Str(siResourceName)); e.Service.Name == "" && resource != "" {
		e.Service.Name, e.Service.UID = resource, meant(r.Str(siResourceID))
	}
	if e.Service.Name == "" && e.Service.UID == "" {
		e.Service.Name = "Microsoft Entra ID"
	}
	if resource := meant(r.Str(siResourceName)); resource != "" && resource != e.Service.Name {
		e.Unmapped = append(e.Unmapped, event.Attribute{Key: "resourceDisplayName", Value: resource})
	}
	if u.UID == "" && u.Name == "" {
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, activityOther, d.category
	}
}

func (d *entraRecord) signInPlaces(e *event.Event, r *jsonscan.Result) {
	p := &e.SrcEndpoint
	if p.IP = plainIP(r.Str(siIP)); p.IP == "" {
		p.IP = d.caller
	}
	place := event.Location{City: meant(r.Str(siCity)), Region: meant(r.Str(siState)), Country: countryCode(r.Str(siCountry))}
	if place.Country == "" {
		place.Country = countryCode(d.location)
	}
	asn, _ := r.LooseInt64(siASN)
	if p.IP != "" && (place != event.Location{} || asn > 0) {
		more := p.Extend()
		more.Location = place
		if asn > 0 && asn <= 1<<32-1 {
			more.AS.Number = uint32(asn)
		}
	}
	agent := meant(r.Str(siAgent))
	if agent == "" {
		agent = meant(r.Str(siBrowser))
	}
	if agent != "" {
		e.HTTPRequest = &event.HTTPRequest{UserAgent: agent}
	}
	for v := range r.Each(siNetworkTypes) {
		if name := v.Str(); name != "" {
			more := e.Metadata.Extend()
			more.Labels = append(more.Labels, name)
		}
	}
}

// signInDevice fills the device where the directory knows it; of an unknown one only the operating system is told, which goes to the source.
func signInDevice(e *event.Event, r *jsonscan.Result) {
	id, name, os := meant(r.Str(siDeviceID)), meant(r.Str(siDeviceName)), meant(r.Str(siDeviceOS))
	if id == "" && name == "" {
		if os != "" && e.SrcEndpoint.IP != "" {
			e.SrcEndpoint.Extend().OS = os
		}
		return
	}
	d := &e.Device
	d.UID, d.Name = id, name
	d.Hostname = strings.ToLower(name)
	d.Compliant, d.Managed = triBool(r, siCompliant), triBool(r, siManaged)
	switch r.Str(siTrust) {
	case "Azure AD joined", "AzureAD", "Microsoft Entra joined", "Hybrid Azure AD joined", "ServerAD", "Microsoft Entra hybrid joined":
		d.Trusted = event.True
	case "Azure AD registered", "Workplace", "Microsoft Entra registered":
		d.Trusted, d.Personal = event.False, event.True
	}
	if os != "" {
		d.Extend().OS = os
	}
}

func signInProtocol(e *event.Event, r *jsonscan.Result) {
	switch p := r.Str(siProtocol); p {
	case "", "none":
	case "saml20", "wsFederation":
		e.AuthProtocolID, e.AuthProtocol = protocolSAML, p
	case "oAuth2", "nativeAuth":
		e.AuthProtocolID, e.AuthProtocol = protocolOAuth, p
	default: // deviceCode and ropc are what attackers choose; rules read them by name.
		e.AuthProtocolID, e.AuthProtocol = protocolOther, p
	}
	if transfer := r.Str(siTransfer); transfer == "deviceCodeFlow" && e.AuthProtocol == "" {
		e.AuthProtocolID, e.AuthProtocol = protocolOther, "deviceCode"
	}
	if interactive, ok := r.LooseBool(siInteractive); ok {
		e.LogonTypeID, e.LogonType = 99, "Non-interactive"
		if interactive {
			e.LogonTypeID, e.LogonType = 2, ""
		}
	}
	method := meant(r.Str(siMFAMethod))
	e.AuthFactor = event.AuthFactor{TypeID: factorType(method), Type: method}
	if client := meant(r.Str(siClientApp)); client != "" {
		e.Actor.Extend().AppName = client
	}
}

func signInRisk(e *event.Event, r *jsonscan.Result) {
	e.RiskLevelID = max(riskLevel(r.Str(siRiskDuring)), riskLevel(r.Str(siRiskAggregated)))
	slot := siRiskTypesV2
	if !r.Exists(slot) {
		slot = siRiskTypes
	}
	for v := range r.Each(slot) {
		if name := meant(v.Str()); name != "" {
			more := e.Metadata.Extend()
			more.Labels = append(more.Labels, name)
		}
	}
	if state := r.Str(siRiskState); state != "" && state != "none" {
		more := e.Metadata.Extend()
		more.Labels = append(more.Labels, "riskState="+state)
	}
}

var entraStepPlan = jsonscan.Compile(
	"authenticationStepDateTime", "authenticationMethod", "authenticationMethodDetail", "succeeded", "authenticationStepResultDetail",
)

// signInSteps appends what was answered to second-factor prompts. Steps in progress and factors met by an earlier sign-in say nothing.
func (d *entraRecord) signInSteps(s *Scratch, dst []event.Event, at int) []event.Event {
	steps := s.Nested.Value(siSteps)
	if dst[at].ClassUID != event.ClassAuthentication {
		return dst
	}
	number := 0
	for v := range steps.Elements() {
		number++
		if v.Kind() != jsonscan.Object || number > 32 {
			continue
		}
		entraStepPlan.ScanValue(v, &s.Nested)
		method, detail := meant(s.Nested.Str(1)), meant(s.Nested.Str(4))
		kind := factorType(method)
		succeeded, told := s.Nested.LooseBool(3)
		if !secondFactor(kind) || !told || strings.Contains(detail, "in progress") || strings.HasPrefix(detail, "MFA required") {
			continue
		}
		first := &dst[at]
		e := event.Event{
			ClassUID: event.ClassAuthentication, ActivityID: activityOther, Activity: event.MFAChallenge, SeverityID: severityInfo,
			StatusDetail: detail, IsMFA: event.True, AuthFactor: event.AuthFactor{TypeID: kind, Type: method},
			User: first.User, Service: first.Service, Session: first.Session, SrcEndpoint: first.SrcEndpoint, Device: first.Device,
			Metadata: first.Metadata, Message: detail,
		}
		ownParts(&e)
		e.StatusID = statusFailure
		if succeeded {
			e.StatusID = statusSuccess
		}
		setMicrosoftTime(&e, s.Nested.Str(0), d.time)
		e.Metadata.EventCode = "authenticationDetails"
		if e.Metadata.OriginalUID != "" {
			e.Envelope.ID = event.NewID("entra", d.category, e.Metadata.OriginalUID, strconv.Itoa(number))
		}
		dst = append(dst, e)
	}
	return dst
}

// ownParts gives an event that was made from another its own copies of the rarer parts, so that enriching one leaves the other alone.
func ownParts(e *event.Event) {
	if e.SrcEndpoint.More != nil {
		e.SrcEndpoint.More = new(*e.SrcEndpoint.More)
	}
	if e.Device.More != nil {
		e.Device.More = new(*e.Device.More)
	}
	if e.Metadata.More != nil {
		e.Metadata.More = new(*e.Metadata.More)
		e.Metadata.More.Labels = nil
	}
}

// secondFactor reports whether a factor is one that people are asked for after a password.
func secondFactor(id uint8) bool {
	return id == factorPush || id == factorOTP || id == factorSMS || id == factorCall || id == factorHardware
}
