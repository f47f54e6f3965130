package format_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
)

// leafRule says where a leaf of the third party's expectation stands in our event. It agrees if any of the paths has the value in canonical
// form. Leaves without a rule are not compared.
type leafRule struct {
	paths []string // First choice first; for a sensor's host the reporter comes last.
	auth  []string // Instead of paths for class authentication; nil means the same.
	canon func(string) string
}

var leafRules = map[string]leafRule{
	"event.code": {paths: []string{"metadata.event_code"}, canon: folded},

	"user.id":        {paths: []string{"actor.user.uid", "user.uid"}, auth: []string{"user.uid", "actor.user.uid"}, canon: folded},
	"user.name":      {paths: []string{"actor.user.name", "user.name"}, auth: []string{"user.name", "actor.user.name"}, canon: folded},
	"user.email":     {paths: []string{"actor.user.email_addr", "user.email_addr"}, auth: []string{"user.email_addr", "actor.user.email_addr"}, canon: folded},
	"user.domain":    {paths: []string{"actor.user.domain", "user.domain"}, auth: []string{"user.domain", "actor.user.domain"}, canon: folded},
	"user.full_name": {paths: []string{"actor.user.full_name", "user.full_name"}, auth: []string{"user.full_name", "actor.user.full_name"}, canon: trimmed},

	"user.target.id":        {paths: []string{"user.uid"}, canon: folded},
	"user.target.name":      {paths: []string{"user.name"}, canon: folded},
	"user.target.email":     {paths: []string{"user.email_addr"}, canon: folded},
	"user.target.domain":    {paths: []string{"user.domain"}, canon: folded},
	"user.target.full_name": {paths: []string{"user.full_name"}, canon: trimmed},

	"source.ip":      {paths: []string{"src_endpoint.ip"}, canon: address},
	"source.port":    {paths: []string{"src_endpoint.port"}, canon: trimmed},
	"source.mac":     {paths: []string{"src_endpoint.mac"}, canon: hardware},
	"source.domain":  {paths: []string{"src_endpoint.hostname", "src_endpoint.domain"}, canon: folded},
	"source.address": {paths: []string{"src_endpoint.ip", "src_endpoint.hostname", "src_endpoint.domain"}, canon: addressOrName},

	"destination.ip":      {paths: []string{"dst_endpoint.ip"}, canon: address},
	"destination.port":    {paths: []string{"dst_endpoint.port"}, canon: trimmed},
	"destination.mac":     {paths: []string{"dst_endpoint.mac"}, canon: hardware},
	"destination.domain":  {paths: []string{"dst_endpoint.hostname", "dst_endpoint.domain"}, canon: folded},
	"destination.address": {paths: []string{"dst_endpoint.ip", "dst_endpoint.hostname", "dst_endpoint.domain"}, canon: addressOrName},

	"host.id":         {paths: []string{"device.uid", "metadata.reporter.uid"}, canon: folded},
	"host.name":       {paths: []string{"device.name", "device.hostname", "metadata.reporter.name", "metadata.reporter.hostname"}, canon: folded},
	"host.hostname":   {paths: []string{"device.hostname", "metadata.reporter.hostname"}, canon: folded},
	"host.ip":         {paths: []string{"device.ip", "metadata.reporter.ip"}, canon: address},
	"host.mac":        {paths: []string{"device.mac"}, canon: hardware},
	"host.os.name":    {paths: []string{"device.os.name"}, canon: folded},
	"host.os.version": {paths: []string{"device.os.version"}, canon: trimmed},

	"device.id":            {paths: []string{"device.uid"}, canon: folded},
	"device.model.name":    {paths: []string{"device.model"}, canon: trimmed},
	"device.serial_number": {paths: []string{"device.hw_info.serial_number"}, canon: folded},

	"network.transport":    {paths: []string{"connection_info.protocol_name"}, canon: folded},
	"network.protocol":     {paths: []string{"app_protocol_name", "connection_info.protocol_name", "auth_protocol"}, canon: folded},
	"network.community_id": {paths: []string{"connection_info.community_uid"}, canon: trimmed},

	"rule.id":             {paths: []string{"finding_info.analytic.uid", "policy.uid"}, canon: trimmed},
	"rule.name":           {paths: []string{"finding_info.analytic.name", "policy.name"}, canon: trimmed},
	"threat.technique.id": {paths: []string{"finding_info.techniques"}, canon: folded},

	"process.name":                {paths: []string{"process.name", "actor.process.name"}, canon: folded},
	"process.pid":                 {paths: []string{"process.pid", "actor.process.pid"}, canon: trimmed},
	"process.command_line":        {paths: []string{"process.cmd_line", "actor.process.cmd_line"}, canon: trimmed},
	"process.executable":          {paths: []string{"process.file.path", "actor.process.file.path"}, canon: folded},
	"process.parent.name":         {paths: []string{"process.parent_process.name", "actor.process.parent_process.name"}, canon: folded},
	"process.parent.command_line": {paths: []string{"process.parent_process.cmd_line", "actor.process.parent_process.cmd_line"}, canon: trimmed},
	"process.parent.executable":   {paths: []string{"process.parent_process.file.path", "actor.process.parent_process.file.path"}, canon: folded},
	"process.parent.entity_id":    {paths: []string{"process.parent_process.uid", "actor.process.parent_process.uid"}, canon: folded},
	"process.entity_id":           {paths: []string{"process.uid", "actor.process.uid"}, canon: folded},
	"process.user.id":             {paths: []string{"process.user.uid", "actor.process.user.uid"}, canon: folded},
	"process.user.name":           {paths: []string{"process.user.name", "actor.process.user.name"}, canon: folded},
	"process.parent.pid":          {paths: []string{"process.parent_process.pid", "actor.process.parent_process.pid"}, canon: trimmed},
	"process.hash.sha256":         {paths: []string{"process.file.sha256"}, canon: folded},
	"process.hash.md5":            {paths: []string{"process.file.md5"}, canon: folded},
	"file.name":                   {paths: []string{"file.name", "process.file.name", "actor.process.file.name", "process.name", "file.path", "process.file.path", "actor.process.file.path"}, canon: lastPart},
	"file.path":                   {paths: []string{"file.path", "process.file.path", "actor.process.file.path"}, canon: folded},
	"file.hash.sha256":            {paths: []string{"file.sha256", "process.file.sha256", "actor.process.file.sha256"}, canon: folded},
	"file.hash.sha1":              {paths: []string{"file.sha1", "process.file.sha1", "actor.process.file.sha1"}, canon: folded},
	"file.hash.md5":               {paths: []string{"file.md5", "process.file.md5", "actor.process.file.md5"}, canon: folded},
	"http.request.method":         {paths: []string{"http_request.http_method"}, canon: folded},
	"http.response.status_code":   {paths: []string{"http_response.code"}, canon: trimmed},
}

// derivedLeaves need more than one field to judge. The second result is false where the leaf says nothing we could compare.
var derivedLeaves = map[string]func(e *event.Event, want []string) (agrees, compared bool){
	"@timestamp":     sameTime,
	"event.outcome":  sameOutcome,
	"event.category": sameCategory,
	"event.type":     sameType,
	"host.os.full":   sameSystem,
	"process.start":  sameProcessTime(func(p *event.Process) int64 { return p.CreatedAt }),
	"process.end":    sameProcessTime(func(p *event.Process) int64 { return p.EndedAt }),
}

func trimmed(s string) string { return strings.TrimSpace(s) }

func folded(s string) string { return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(s), ".")) }

// lastPart is the file's name of a path of either system.
func lastPart(s string) string { return folded(s[strings.LastIndexAny(s, `/\`)+1:]) }

func address(s string) string {
	ip, err := netip.ParseAddr(strings.TrimSpace(s))
	if err != nil {
		return folded(s)
	}
	return ip.Unmap().WithZone("").String()
}

func addressOrName(s string) string { return address(s) }

func hardware(s string) string {
	if mac, ok := event.MAC(s); ok {
		return mac
	}
	return folded(s)
}

// compareLeaf reports whether the event says what the leaf expects, and whether there is a rule for it.
func compareLeaf(e *event.Event, leaf string, value any) (agrees, compared bool) {
	want := leafTexts(value)
	if len(want) == 0 {
		return true, false
	}
	if judge, ok := derivedLeaves[leaf]; ok {
		return judge(e, want)
	}
	rule, ok := leafRules[leaf]
	if !ok {
		return true, false
	}
	paths := rule.paths
	if e.ClassUID == event.ClassAuthentication && rule.auth != nil {
		paths = rule.auth
	}
	var have []string
	for _, path := range paths {
		for _, s := range eventTexts(e, path) {
			have = append(have, rule.canon(s))
		}
	}
	meant := false
	for _, w := range want {
		if event.Placeholder(w) {
			continue
		}
		meant = true
		if slices.Contains(have, rule.canon(w)) {
			return true, true
		}
	}
	return !meant, meant
}

// leafTexts is a leaf of the expectation, scalar or list, as texts.
func leafTexts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case json.Number:
		return []string{v.String()}
	case bool:
		return []string{strconv.FormatBool(v)}
	case []any:
		var out []string
		for _, x := range v {
			out = append(out, leafTexts(x)...)
		}
		return out
	}
	return nil
}

func eventTexts(e *event.Event, path string) []string {
	p := event.FieldByPath(path)
	if p == nil {
		panic("leaf table names the unknown path " + path)
	}
	if !p.Known(e) {
		return nil
	}
	if p.Kind == event.KindStrings {
		return p.Lst(e)
	}
	if p.Kind == event.KindInt {
		n, _ := p.Num(e)
		return []string{strconv.FormatInt(n, 10)}
	}
	return []string{fieldText(p, e)}
}

// sameTime compares to the millisecond. Our time is that of the occurrence; where others take the time of writing, ours of writing counts.
func sameTime(e *event.Event, want []string) (agrees, compared bool) {
	t, err := time.Parse(time.RFC3339Nano, want[0])
	return err == nil && (t.UnixMilli() == e.Time/1000 || t.UnixMilli() == e.Metadata.LoggedTime/1000), true
}

// sameProcessTime compares a time of the process, or of the one that acted, to the second: the third party rounds some of them.
func sameProcessTime(of func(*event.Process) int64) func(e *event.Event, want []string) (agrees, compared bool) {
	return func(e *event.Event, want []string) (agrees, compared bool) {
		t, err := time.Parse(time.RFC3339Nano, want[0])
		p := e.Process
		if p == nil && e.Actor.More != nil {
			p = e.Actor.More.Process
		}
		return err == nil && p != nil && t.Unix() == of(p)/1e6, true
	}
}

// sameSystem compares the full name of an operating system with our name, version, or both together.
func sameSystem(e *event.Event, want []string) (agrees, compared bool) {
	m := e.Device.More
	return m != nil && (want[0] == m.OS || want[0] == m.OSVersion || want[0] == m.OS+" "+m.OSVersion), true
}

func sameOutcome(e *event.Event, want []string) (agrees, compared bool) {
	switch want[0] {
	case "success":
		return e.StatusID == 1, true
	case "failure":
		return e.StatusID == 2, true
	}
	return e.StatusID == 0 || e.StatusID == 99, true
}

// categoryClasses are the classes that an ECS category may become. Findings are allowed for every category of an alert.
var categoryClasses = map[string][]uint32{
	"authentication":      {event.ClassAuthentication, event.ClassAuthorizeSession},
	"session":             {event.ClassAuthentication, event.ClassAuthorizeSession, event.ClassNetwork, event.ClassSSH},
	"iam":                 {event.ClassAccountChange, event.ClassAuthorizeSession, event.ClassEntityManagement, event.ClassUserAccess, event.ClassGroupManagement},
	"process":             {event.ClassProcess, event.ClassDetection},
	"file":                {event.ClassFile, event.ClassDetection},
	"network":             {event.ClassNetwork, event.ClassHTTP, event.ClassDNS, event.ClassDHCP, event.ClassSSH, event.ClassDetection, event.ClassOTCommand, event.ClassAuthentication},
	"host":                {event.ClassInventory, event.ClassDeviceConfigChange, event.ClassCompliance},
	"configuration":       {event.ClassInventory, event.ClassDeviceConfigChange, event.ClassEntityManagement},
	"vulnerability":       {event.ClassVulnerability},
	"intrusion_detection": {event.ClassDetection},
	"malware":             {event.ClassDetection},
	"threat":              {event.ClassDetection},
	"api":                 {event.ClassAPI},
}

func sameCategory(e *event.Event, want []string) (agrees, compared bool) {
	for _, category := range want {
		classes, ok := categoryClasses[category]
		if !ok {
			continue
		}
		compared = true
		if slices.Contains(classes, e.ClassUID) {
			return true, true
		}
	}
	return !compared, compared
}

// typeActivities are the activities that an ECS type may become, by class; types of other classes are not compared.
var typeActivities = map[string]map[uint32][]uint16{
	"start": {
		event.ClassAuthentication: {1, 3, 4, 99}, event.ClassProcess: {1}, event.ClassNetwork: {1, 6},
	},
	"end": {
		event.ClassAuthentication: {2}, event.ClassProcess: {2}, event.ClassNetwork: {2, 6},
	},
	"creation": {event.ClassAccountChange: {1}, event.ClassEntityManagement: {1}, event.ClassGroupManagement: {6}, event.ClassFile: {1}},
	"deletion": {event.ClassAccountChange: {6}, event.ClassEntityManagement: {4}, event.ClassGroupManagement: {5}, event.ClassFile: {4}},
	"change": {
		event.ClassAccountChange: {2, 3, 4, 5, 7, 8, 9, 10, 11, 99}, event.ClassEntityManagement: {3, 99}, event.ClassGroupManagement: {1, 2, 3, 4, 99},
		event.ClassFile: {3, 5},
	},
}

func sameType(e *event.Event, want []string) (agrees, compared bool) {
	for _, kind := range want {
		switch kind {
		case "allowed", "denied":
			compared = true
			if e.ActionID == 1 && kind == "allowed" || e.ActionID == 2 && kind == "denied" {
				return true, true
			}
			continue
		}
		activities, ok := typeActivities[kind][e.ClassUID]
		if !ok {
			continue
		}
		compared = true
		if slices.Contains(activities, e.ActivityID) {
			return true, true
		}
	}
	return !compared, compared
}
