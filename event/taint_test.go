package event_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
)

// untainted are the text fields that no outsider chooses, by the end of their path and why. A new text field must be marked taint or named here.
var untainted = map[string][]string{
	"an identifier that the product gives": {
		".uid", ".credential_uid", ".app_uid", "_alt", ".udid", "original_event_uid", "correlation_uid", ".request.uid", ".session_uid", ".unit_uid", ".resource_uids", ".related",
		"imei_list", "serial_number", ".community_uid", ".fault_code", "finding_info.analytic.name", ".refs",
	},
	"an address, a hash or a checksum":              {".ip", ".mac", ".sha256", ".sha1", ".md5", "hash.value", "fingerprint.value", ".checksum", ".safety_checksum", ".flag_history", "ot.address"},
	"a word of the product's own list":              {"activity_name", "status_code", "auth_protocol", "logon_type", ".factor_type", ".type", "protocol_name", ".state", "privileges", ".api.version", ".response.error", ".url.scheme", "http_response.status", "query.class", "rcode", "tls.version", "tls.cipher", "auth_type", ".types", ".techniques", ".tactics", "compliance.status", "compliance.control", "compliance.standards", "vulnerabilities.severity", ".cve.uid", ".function_name", "robot_command.type", "fault.source", "script.type", "log_provider", "log_name", "event_code", "app_protocol_name", ".os.name", ".os.version", "connection_info.protocol_name", "protocol_version"},
	"what the product says of itself":               {"metadata.product.name", "vendor_name", "metadata.product.version", "feature.name", "metadata.labels", "reporter.name", "reporter.hostname", "service.name", "idp.name", "issuer", "app.version", "affected_packages.version"},
	"configured by the plant's own people":          {"policy.name", ".zone", ".vlan_uid", "interface_name", "svc_name", "group.domain", "device.domain", "change_ticket.scope", "change_ticket.site", "requester.name", "approver.name", "robot.name", "robot.hostname", "robot.model", "robot.fleet"},
	"looked up, or a version that has its own form": {".country", ".city", ".region", "autonomous_system.name", "controller_fw"},
}

// outsiders are the fields that the specification of the evidence pack names, by what an outsider writes there.
var outsiders = map[string][]string{
	"user agent":          {"http_request.user_agent"},
	"failed user name":    {"user.name", "user.email_addr", "user.full_name", "user.domain", "actor.user.name", "actor.user.email_addr", "process.user.name"},
	"DHCP host name":      {"src_endpoint.hostname", "src_endpoint.name", "dst_endpoint.hostname", "device.hostname", "device.name"},
	"DNS name":            {"query.hostname", "answers.rdata", "tls.sni", "http_request.url.hostname"},
	"URL":                 {"http_request.url.url_string", "http_request.url.path", "http_request.url.query_string", "http_request.referrer", "robot_command.src_url"},
	"file name":           {"file.name", "file.path", "process.file.path", "process.name"},
	"command line":        {"process.cmd_line", "process.parent_process.cmd_line", "job.cmd_line", "win_service.cmd_line", "script.script_content.value"},
	"robot task or job":   {"robot.order_uid", "robot.program_uid", "robot_command.name", "robot_command.args", "robot_command.program_uid", "robot_command.map_uid"},
	"operator comment":    {"message", "status_detail", "change_ticket.title", "fault.desc"},
	"certificate subject": {"tls.certificate.subject", "tls.certificate.issuer"},
	"words of a request":  {"http_request.http_method", "api.operation", "ot.value", "device.owner.name"},
}

func TestEveryTextFieldIsMarkedTaintOrAccountedFor(t *testing.T) {
	used := map[string]bool{}
	for _, f := range event.Fields() {
		if f.Kind != event.KindString && f.Kind != event.KindStrings || f.Flags&(event.IsCaption|event.Derived|event.Enriched) != 0 {
			continue
		}
		why := ""
		for reason, ends := range untainted {
			if i := slices.IndexFunc(ends, func(end string) bool { return strings.HasSuffix("."+f.Path, end) }); i >= 0 {
				why = reason
				if f.Flags&event.Taint == 0 {
					used[ends[i]] = true
				}
			}
		}
		if f.Flags&event.Taint == 0 && why == "" {
			t.Errorf("%s is text that is neither marked taint nor accounted for: can an outsider write it?", f.Path)
		}
	}
	for _, ends := range untainted {
		for _, end := range ends {
			if !used[end] && !slices.ContainsFunc(ends, func(other string) bool { return other != end && used[other] && strings.HasSuffix(end, other) }) {
				t.Errorf("no field without taint ends in %s", end)
			}
		}
	}
}

func TestWhatOutsidersWriteIsMarkedTaint(t *testing.T) {
	for what, paths := range outsiders {
		for _, path := range paths {
			switch f := event.FieldByPath(path); {
			case f == nil:
				t.Errorf("%s: there is no field %s", what, path)
			case f.Flags&event.Taint == 0:
				t.Errorf("%s: %s is not marked taint", what, path)
			}
		}
	}
	if f := event.FieldNamed("raw.anything"); f == nil || f.Flags&event.Taint == 0 {
		t.Errorf("the source's own fields are not marked: %+v", f)
	}
}
