package sigma

import (
	"slices"
	"strings"
)

// Sysmon for Linux writes the same events as Sysmon for Windows.
const sysmonLinux = "Linux-Sysmon/Operational"

// linuxCategories are the categories of the product linux that Sysmon for Linux reports.
var linuxCategories = map[string]string{"process_creation": "1", "network_connection": "3", "process_termination": "5", "file_event": "11", "file_delete": "23"}

// linuxPrograms are the programs behind the services of the product linux, as they name themselves in syslog.
var linuxPrograms = map[string][]string{
	"clamav": {"clamav", "clamd", "clamscan", "freshclam"}, "cron": {"cron", "CRON", "crond"}, "guacamole": {"guacamole", "guacd"},
	"sshd": {"sshd"}, "sudo": {"sudo"}, "vsftpd": {"vsftpd"},
}

// The products that the format syslog names: lines of programs, and records of Linux audit.
const (
	syslogProduct = "Syslog"
	auditProduct  = "Linux audit"
	productPath   = "metadata.product.name"
	logNamePath   = "metadata.log_name"
)

func linuxSource(l logsource) *source {
	if id := linuxCategories[l.category]; id != "" && l.service == "" {
		i := slices.IndexFunc(windowsCategories, func(c windowsCategory) bool { return c.name == l.category })
		return &source{classes: windowsCategories[i].classes, where: oneOf(channelPath, sysmonLinux) + " and " + oneOf(eventIDPath, id)}
	}
	programs := linuxPrograms[l.service]
	where := ""
	switch {
	case l.category != "":
	case l.service == "" || l.service == "syslog":
		where = oneOf(productPath, syslogProduct, auditProduct)
	case l.service == "auditd":
		where = oneOf(productPath, auditProduct)
	case programs != nil:
		where = oneOf(productPath, syslogProduct) + " and " + oneOf(logNamePath, programs...)
	}
	if where == "" {
		return otherSource(l)
	}
	return &source{classes: baseClasses, where: where}
}

// otherSource is a log source that no format of ours reads field by field. Its events are base events that carry the log's own fields as raw
// fields, with Sigma's product, service and category as product name, log name and event code of their metadata, as the format json makes them.
func otherSource(l logsource) *source {
	var where []string
	if l.product != "" {
		where = append(where, oneOf(productPath, l.product))
	}
	if l.service != "" {
		where = append(where, oneOf(logNamePath, l.service))
	}
	if l.category != "" {
		where = append(where, oneOf("metadata.event_code", l.category))
	}
	return &source{classes: baseClasses, where: strings.Join(where, " and ")}
}
