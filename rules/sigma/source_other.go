package sigma

import (
	"slices"
	"strings"
)

// Sysmon for Linux writes the same events as Sysmon for Windows.
const sysmonLinux = "Linux-Sysmon/Operational"

// linuxCategories are the categories of the product linux that Sysmon for Linux reports.
var linuxCategories = map[string]string{"process_creation": "1", "network_connection": "3", "process_termination": "5", "file_event": "11", "file_delete": "23"}

func linuxSource(l logsource) *source {
	id := linuxCategories[l.category]
	if id == "" || l.service != "" {
		return otherSource(l)
	}
	i := slices.IndexFunc(windowsCategories, func(c windowsCategory) bool { return c.name == l.category })
	return &source{classes: windowsCategories[i].classes, where: oneOf(channelPath, sysmonLinux) + " and " + oneOf(eventIDPath, id)}
}

// otherSource is a log source that no format of ours reads field by field. Its events are base events that carry the log's own fields as raw
// fields, with Sigma's product, service and category as product name, log name and event code of their metadata.
func otherSource(l logsource) *source {
	var where []string
	if l.product != "" {
		where = append(where, oneOf("metadata.product.name", l.product))
	}
	if l.service != "" {
		where = append(where, oneOf("metadata.log_name", l.service))
	}
	if l.category != "" {
		where = append(where, oneOf("metadata.event_code", l.category))
	}
	return &source{classes: []string{"base_event"}, where: strings.Join(where, " and ")}
}
