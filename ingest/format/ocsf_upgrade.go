package format

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// ocsfClassUpgrades are classes that a later version replaced by another one of the same meaning.
var ocsfClassUpgrades = map[uint32]uint32{
	2001: event.ClassDetection, // Security Finding, gone since 1.1.
}

// ocsfRenames are attributes that moved between versions, or that our struct keeps elsewhere; longest prefix first. A path of the event is
// written without array indices.
var ocsfRenames = []struct{ old, new string }{
	{"http_request.url.text", "http_request.url.url_string"},
	{"finding.product_uid", "finding_info.product_uid"},
	{"finding.", "finding_info."},
	{"analytic.", "finding_info.analytic."},
	{"is_alert", "finding_info.is_alert"},
	{"src_url", "finding_info.src_url"},
	{"resource.", "resources."},
	{"policies.", "policy."},
	{"connection_info.uid", "connection_info.uid"},
	{"connection_info.community_uid", "connection_info.community_uid"},
	{"community_uid", "connection_info.community_uid"},
	{"rule.uid", "finding_info.analytic.uid"},
	{"rule.name", "finding_info.analytic.name"},
	{"firewall_rule.uid", "policy.uid"},
	{"firewall_rule.name", "policy.name"},
	{"cve.", "vulnerabilities.cve."},
	{"evidences.", ""},
	{"logon_process.", "actor.process."},
}

// ocsfRename is the path under which our struct keeps an attribute; the path itself where it did not move.
func ocsfRename(path string) string {
	for i := range ocsfRenames {
		x := &ocsfRenames[i]
		if path == x.old {
			return x.new
		}
		if strings.HasSuffix(x.old, ".") && strings.HasPrefix(path, x.old) {
			return x.new + path[len(x.old):]
		}
	}
	return path
}

// ocsfImplied are members of the document that follow from others, or that are read elsewhere.
func ocsfImplied(path string) bool {
	switch path {
	case "class_uid", "class_name", "category_uid", "category_name", "type_uid", "type_name", "activity_id", "activity_name", "time", "time_dt",
		"metadata.version", "metadata.uid", "metadata.profiles", "metadata.extension", "metadata.extensions", "metadata.product.feature",
		"raw_data", "raw_data_size":
		return true
	}
	return false
}

func sortedNames(names []string) []string {
	slices.Sort(names)
	return names
}
