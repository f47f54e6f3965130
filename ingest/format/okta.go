package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

func okta() Format {
	return Format{
		Name: "okta", Title: "Okta System Log", Domain: "identity",
		Classes: []string{
			"account_change", "authentication", "base_event", "detection_finding", "entity_management", "group_management", "user_access",
		},
		Doc: "Okta System Log events as the API, log streaming and event hooks give them: one LogEvent, an array of them, or a hook's data.events. " +
			"Sign-ins become authentication, push answers authentication.mfa_challenge, administration the account, group, access and entity classes.",
		Framing:  Lines,
		Append:   appendOkta,
		Unmapped: unmappedOf(oktaPlan),
	}
}

// Slots of oktaPlan, in its order.
const (
	okType = iota
	okUUID
	okPublished
	okSeverity
	okMessage
	okResult
	okReason
	okActorID
	okActorType
	okActorLogin
	okActorName
	okIP
	okAgent
	okOS
	okBrowser
	okClientDevice
	okClientID
	okZone
	okCity
	okState
	okCountry
	okASNumber
	okASName
	okISP
	okDomain
	okProxy
	okCredential
	okCredentialProvider
	okAuthProvider
	okExternalSession
	okRootSession
	okInterface
	okTransaction
	okTransactionType
	okRisk
	okBehaviors
	okThreat
	okPath
	okFactor
	okPrivilege
	okSignOnMode
	okDeviceID
	okDeviceName
	okDeviceOS
	okDeviceOSVersion
	okDeviceManaged
	okDeviceRegistered
	okDeviceSerial
	okDeviceModel
	okDeviceVendor
	okTarget
	okChain
	okHookEvents
	okDetail
	okLegacy
	okVersion
)

// oktaPlan follows the LogEvent object of the Okta System Log API.
var oktaPlan = jsonscan.Compile(
	"eventType", "uuid", "published", "severity", "displayMessage",
	"outcome.result", "outcome.reason",
	"actor.id", "actor.type", "actor.alternateId", "actor.displayName",
	"client.ipAddress", "client.userAgent.rawUserAgent", "client.userAgent.os", "client.userAgent.browser", "client.device", "client.id", "client.zone",
	"client.geographicalContext.city", "client.geographicalContext.state", "client.geographicalContext.country",
	"securityContext.asNumber", "securityContext.asOrg", "securityContext.isp", "securityContext.domain", "securityContext.isProxy",
	"authenticationContext.credentialType", "authenticationContext.credentialProvider", "authenticationContext.authenticationProvider",
	"authenticationContext.externalSessionId", "authenticationContext.rootSessionId", "authenticationContext.interface",
	"transaction.id", "transaction.type",
	"debugContext.debugData.risk", "debugContext.debugData.behaviors", "debugContext.debugData.threatSuspected",
	"debugContext.debugData.requestUri", "debugContext.debugData.factor", "debugContext.debugData.privilegeGranted",
	"debugContext.debugData.signOnMode",
	"device.id", "device.name", "device.os_platform", "device.os_version", "device.managed", "device.registered",
	"device.serial_number", "device.model", "device.manufacturer",
	"target", "request.ipChain[].ip", "data.events", "detail", "legacyEventType", "version",
)

func appendOkta(s *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	if isArray(rec.Value) {
		return appendArray(s, dst, rec, oktaPlan, oktaDocument)
	}
	if err := scanObject(s, oktaPlan, rec.Value); err != nil {
		return dst, err
	}
	switch {
	case s.JSON.Kind(okHookEvents) == jsonscan.Array:
		return appendList(s, dst, rec, s.JSON.Value(okHookEvents), oktaPlan, oktaDocument)
	case s.JSON.Str(okType) == "" && s.JSON.Kind(okDetail) == jsonscan.Object: // As log streaming to EventBridge wraps it.
		oktaPlan.ScanValue(s.JSON.Value(okDetail), &s.JSON)
	}
	return oktaDocument(s, dst, rec, jsonscan.Value{})
}

// oktaDocument decodes the LogEvent in s.JSON.
func oktaDocument(s *Scratch, dst []event.Event, _ *event.Record, _ jsonscan.Value) ([]event.Event, error) {
	r := &s.JSON
	kind := r.Str(okType)
	if kind == "" || !r.Exists(okPublished) && !r.Exists(okUUID) {
		return dst, Rejectf("wrong_format", "not an Okta System Log event: no eventType with published or uuid")
	}
	targets := oktaTargets(s)
	rule := oktaRuleOf(kind, &targets)
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	e.ClassUID, e.ActivityID, e.Activity = rule.class, rule.activity, rule.name
	if e.ActivityID == event.ActivityOther && e.Activity == "" {
		e.Activity = kind
	}
	oktaCommon(e, r, kind)
	oktaOutcome(e, r, kind)
	oktaClient(e, r)
	oktaDevice(e, r)
	oktaContext(e, r)
	oktaPeople(e, r, &targets)
	oktaObjects(e, r, &targets)
	oktaFit(e, r)
	return dst, nil
}

func oktaCommon(e *event.Event, r *jsonscan.Result, kind string) {
	setStamp(e, r.Str(okPublished), nil)
	m := &e.Metadata
	m.Product, m.Vendor, m.LogName = "Okta", "Okta", "System Log"
	m.EventCode, m.OriginalUID = kind, r.Str(okUUID)
	if m.OriginalUID != "" {
		e.Envelope.ID = event.NewID("okta", m.OriginalUID)
	}
	if id := meant(r.Str(okTransaction)); id != "" {
		m.Extend().Correlation = id
	}
	e.Message = r.Str(okMessage)
	switch r.Str(okSeverity) {
	case "ERROR":
		e.SeverityID = 4
	case "WARN":
		e.SeverityID = 3
	default:
		e.SeverityID = 1
	}
}

func oktaOutcome(e *event.Event, r *jsonscan.Result, kind string) {
	e.StatusCode = r.Str(okResult)
	e.StatusDetail = meant(r.Str(okReason))
	switch e.StatusCode {
	case "SUCCESS":
		e.StatusID = statusSuccess
	case "FAILURE", "ABANDONED":
		e.StatusID = statusFailure
	case "ALLOW":
		e.StatusID, e.ActionID = statusSuccess, actionAllowed
	case "DENY", "RATE_LIMIT":
		e.StatusID, e.ActionID = statusFailure, actionDenied
	}
	// The refusal of a push is no success, whatever the outcome of writing it down.
	if strings.HasPrefix(kind, "user.mfa.okta_verify.deny_push") {
		e.StatusID = statusFailure
		if e.StatusDetail == "" {
			e.StatusDetail = "Push rejected by the user"
		}
	}
	if e.ClassUID == event.ClassDetection {
		e.StatusID = 1 // New: a finding's status is that of its handling.
	}
}

func oktaClient(e *event.Event, r *jsonscan.Result) {
	p := &e.SrcEndpoint
	p.IP = plainIP(r.Str(okIP))
	city, region, country := meant(r.Str(okCity)), meant(r.Str(okState)), countryCode(r.Str(okCountry))
	domain := meant(r.Str(okDomain))
	number, _ := r.LooseInt64(okASNumber)
	name := meant(r.Str(okASName))
	if city != "" || region != "" || country != "" || domain != "" || number > 0 || name != "" {
		more := p.Extend()
		more.Location = event.Location{Country: country, City: city, Region: region}
		more.Domain = strings.ToLower(strings.TrimSuffix(domain, "."))
		if number > 0 && number <= 1<<32-1 {
			more.AS.Number = uint32(number)
		}
		more.AS.Name = name
		e.AddEntity(event.EntityDomain, event.RoleContext, event.Context, event.ObjectExtra, domain)
	}
	if os := meant(r.Str(okOS)); os != "" && p.IP != "" {
		p.Extend().OS = os
	}
	for v := range r.Each(okChain) {
		if ip := plainIP(v.Str()); ip != "" && ip != p.IP {
			e.AddEntity(event.EntityIP, event.RoleContext, event.Context, event.ObjectExtra, ip)
		}
	}
	agent, path := meant(r.Str(okAgent)), r.Str(okPath)
	if agent != "" || path != "" {
		path, _, _ = strings.Cut(path, "?")
		e.HTTPRequest = &event.HTTPRequest{UserAgent: agent, Path: path}
	}
}

// oktaDevice reads the device that Okta FastPass and device trust know.
func oktaDevice(e *event.Event, r *jsonscan.Result) {
	id, name := meant(r.Str(okDeviceID)), meant(r.Str(okDeviceName))
	if id == "" && name == "" {
		return
	}
	d := &e.Device
	d.UID, d.Name = id, name
	d.Serial = meant(r.Str(okDeviceSerial))
	d.Managed = triBool(r, okDeviceManaged)
	d.Trusted = triBool(r, okDeviceRegistered)
	os, version := meant(r.Str(okDeviceOS)), meant(r.Text(okDeviceOSVersion))
	model, vendor := meant(r.Str(okDeviceModel)), meant(r.Str(okDeviceVendor))
	if os != "" || version != "" || model != "" || vendor != "" {
		more := d.Extend()
		more.OS, more.OSVersion, more.Model, more.Vendor = os, version, model, vendor
	}
}

// oktaContext reads risk, behaviours, factor and session.
func oktaContext(e *event.Event, r *jsonscan.Result) {
	e.RiskLevelID = oktaRiskLevel(r.Str(okRisk))
	for _, label := range oktaBehaviors(r.Str(okBehaviors)) {
		more := e.Metadata.Extend()
		more.Labels = append(more.Labels, label)
	}
	if threat, ok := r.LooseBool(okThreat); ok && threat {
		more := e.Metadata.Extend()
		more.Labels = append(more.Labels, "Threat Suspected")
	}
	if proxy, ok := r.LooseBool(okProxy); ok && proxy {
		more := e.Metadata.Extend()
		more.Labels = append(more.Labels, "Proxy")
	}
	session := meant(r.Str(okExternalSession))
	if session == "" {
		session = meant(r.Str(okRootSession))
	}
	if e.ClassUID != event.ClassAuthentication {
		e.Actor.Session.UID = session
		return
	}
	e.Session.UID = session
	factor := meant(r.Str(okFactor))
	if factor == "" {
		factor = meant(r.Str(okCredential))
	}
	e.AuthFactor = event.AuthFactor{TypeID: factorType(factor), Type: factor}
	switch {
	case e.ActivityID == event.ActivityOther && e.Activity == event.MFAChallenge:
		e.IsMFA = event.True
		if e.AuthFactor.Type == "" && strings.HasPrefix(e.Metadata.EventCode, "user.mfa.okta_verify") {
			e.AuthFactor = event.AuthFactor{TypeID: factorPush, Type: "OKTA_VERIFY_PUSH"}
		}
	case e.Activity == promptName:
		e.AuthFactor = oktaPromptFactor(e.Metadata.EventCode, e.AuthFactor)
	}
	e.AuthProtocolID, e.AuthProtocol = oktaProtocol(e.Metadata.EventCode, r.Str(okSignOnMode))
}

// oktaRiskLevel reads the level out of `{reasons=Anomalous Device, level=MEDIUM}`.
func oktaRiskLevel(s string) uint8 {
	_, level, found := strings.Cut(s, "level=")
	if !found {
		level = s
	}
	level = strings.TrimRight(level, "} ")
	if i := strings.IndexByte(level, ','); i >= 0 {
		level = level[:i]
	}
	return riskLevel(level)
}

// oktaBehaviors lists the behaviours that were out of the ordinary in `{New Device=POSITIVE, New IP=NEGATIVE}`.
func oktaBehaviors(s string) []string {
	if !strings.Contains(s, "=POSITIVE") || len(s) > 1024 {
		return nil
	}
	var out []string
	for part := range strings.SplitSeq(strings.Trim(s, "{}"), ",") {
		name, verdict, _ := strings.Cut(strings.TrimSpace(part), "=")
		if verdict == "POSITIVE" && name != "" {
			out = append(out, name)
		}
	}
	return out
}

func oktaPromptFactor(kind string, f event.AuthFactor) event.AuthFactor {
	if f.TypeID != 0 {
		return f
	}
	switch {
	case strings.HasPrefix(kind, "system.push."):
		return event.AuthFactor{TypeID: factorPush, Type: "OKTA_VERIFY_PUSH"}
	case strings.HasPrefix(kind, "system.sms."):
		return event.AuthFactor{TypeID: factorSMS, Type: "SMS_FACTOR"}
	case strings.HasPrefix(kind, "system.voice."):
		return event.AuthFactor{TypeID: factorCall, Type: "CALL_FACTOR"}
	case strings.HasPrefix(kind, "system.email."):
		return event.AuthFactor{TypeID: factorEmail, Type: "EMAIL_FACTOR"}
	}
	return f
}

func oktaProtocol(kind, mode string) (id uint8, name string) {
	switch {
	case mode == "OPENID_CONNECT", strings.HasPrefix(kind, "app.oauth2."):
		return protocolOpenID, "OpenID Connect"
	case strings.HasPrefix(mode, "SAML"), strings.HasSuffix(kind, "_SAML"):
		return protocolSAML, "SAML"
	case strings.HasSuffix(kind, "_radius"):
		return protocolRADIUS, "RADIUS"
	case strings.HasSuffix(kind, "_LDAP_agent"):
		return protocolLDAP, "LDAP"
	case strings.HasSuffix(kind, "_iwa"):
		return protocolKerberos, "IWA"
	}
	return 0, ""
}
