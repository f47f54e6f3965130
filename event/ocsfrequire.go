package event

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event/ocsf"
)

// requirements fills what the schema requires and the source does not say. Nothing is invented: the fillers say Unknown, repeat a value
// that stands beside them, or name the product.
func (d *document) requirements() {
	d.complete(d.root, "")
	for _, a := range d.class.Attributes() {
		if a.Required && len(a.Profiles) == 0 && a.Object != "" && d.root.find(a.Name) == nil {
			d.placeholder(d.root, a)
		}
	}
	switch d.class.Name {
	case "authentication":
		if d.root.find("service") == nil && d.root.find("dst_endpoint") == nil {
			d.root.member("service").member("name").value = slices.Clone(d.root.find("metadata").find("product").find("name").value)
		}
	case "authorize_session":
		if d.root.find("group") != nil {
			d.remove(d.root, "privileges")
		} else if d.root.find("privileges") == nil {
			d.put("privileges", []byte(`["Unknown"]`))
		}
	case "user_access":
		if d.root.find("privileges") == nil {
			d.put("privileges", []byte(`["Unknown"]`))
		}
	case "event_log_actvity":
		if !anyOf(d.root, "log_name", "log_provider") {
			d.put("log_name", quoted("Unknown"))
		}
	case "http_activity":
		if d.root.find("http_request") == nil && d.root.find("http_response") == nil {
			d.root.member("http_request").member("version").value = quoted("Unknown")
		}
	}
	if a, ok := d.class.Attribute("src_endpoint"); ok && len(a.Profiles) == 0 && d.needsEndpoint() {
		d.placeholder(d.root, a)
	}
	if d.root.find("app_name") == nil && d.class.Name == "application_lifecycle" && d.root.find("app") == nil {
		d.root.member("app").member("name").value = quoted("Unknown")
	}
}

// needsEndpoint: the network classes and OT commands want one end of the traffic at least.
func (d *document) needsEndpoint() bool {
	network := d.class.CategoryUID == 4 || d.class.Name == "ot_command"
	return network && d.root.find("src_endpoint") == nil && d.root.find("dst_endpoint") == nil
}

func (d *document) placeholder(n *node, a ocsf.Attribute) {
	m := n.member(a.Name)
	m.list = a.Array
	d.fill(m, a.Object)
}

// fill makes an empty object of that kind valid.
func (d *document) fill(m *node, object string) {
	unknown := quoted("Unknown")
	switch object {
	case "actor":
		d.fill(m.member("user"), "user")
	case "finding_info":
		uid := d.event.Envelope.ID.String()
		m.member("uid").value = quoted(uid)
	case "process":
		m.member("uid").value = unknown
	case "api":
		m.member("operation").value = unknown
	case "compliance":
		m.member("status_id").value = []byte("0")
		m.member("status").value = unknown
	case "vulnerability":
		m.member("cve").member("uid").value = unknown
	case "ot_command":
		m.member("protocol_name").value = unknown
	case "change_ticket":
		m.member("uid").value = unknown
	case "kernel_driver", "module", "script", "win/reg_key", "win/reg_value", "win/win_service":
		// What they need is told by completeObject.
	default:
		m.member("name").value = unknown
	}
	d.completeObject(m, object)
}

// complete walks the document and completes every object by its type.
func (d *document) complete(n *node, prefix string) {
	for _, m := range slices.Clone(n.members) {
		if m.value != nil || m.name == "unmapped" {
			continue
		}
		p := strings.TrimPrefix(prefix+"."+m.name, ".")
		d.complete(m, p)
		if a, ok := d.class.Attribute(p); ok && a.Object != "" {
			d.completeObject(m, a.Object)
			if len(m.members) == 0 {
				d.remove(n, m.name)
			}
		}
	}
}

func (d *document) remove(n *node, name string) {
	n.members = slices.DeleteFunc(n.members, func(m *node) bool { return m.name == name })
}

// firstOf repeats the first of the members that is there under name.
func firstOf(m *node, name string, members ...string) bool {
	if m.find(name) != nil {
		return true
	}
	for _, from := range members {
		if x := m.find(from); x != nil && x.value != nil && x.value[0] == '"' {
			m.member(name).value = slices.Clone(x.value)
			return true
		}
	}
	return false
}

func need(m *node, name string, value []byte) {
	if m.find(name) == nil {
		m.member(name).value = value
	}
}

// completeObject adds required members and meets the constraints of an object's type.
func (d *document) completeObject(m *node, object string) {
	unknown := quoted("Unknown")
	switch object {
	case "user":
		if m.find("name") == nil && m.find("uid") == nil && !firstOf(m, "name", "email_addr", "full_name") {
			m.member("name").value = unknown
		}
	case "device", "robot":
		d.completeType(m, object)
		if !anyOf(m, "ip", "uid", "name", "hostname", "interface_name") && !firstOf(m, "uid", "mac", "uid_alt", "udid") {
			m.member("name").value = serialOr(m, unknown)
		}
	case "network_endpoint":
		if m.find("type") != nil {
			d.completeType(m, object)
		}
		if !anyOf(m, "ip", "uid", "name", "hostname", "svc_name", "interface_name", "domain") && !firstOf(m, "uid", "mac") {
			m.member("name").value = unknown
		}
	case "os":
		need(m, "name", unknown)
		need(m, "type_id", []byte("0"))
		need(m, "type", unknown)
	case "file":
		if p := m.find("path"); m.find("name") == nil && p != nil {
			m.member("name").value = quoted(baseName(unquote(p.value)))
		}
		need(m, "name", unknown)
		need(m, "type_id", []byte("0"))
		need(m, "type", unknown)
	case "process":
		if !anyOf(m, "pid", "uid") && !firstOf(m, "uid", "name") {
			m.member("uid").value = unknown
		}
	case "http_request":
		if x := m.find("http_method"); x != nil && !httpMethod(string(x.value)) {
			d.unmapped("http_request.http_method", x.value)
			d.remove(m, "http_method")
		}
	case "analytic":
		if !anyOf(m, "name", "uid") {
			m.member("name").value = unknown
		}
		need(m, "type_id", []byte("0"))
		need(m, "type", unknown)
	case "finding_info":
		need(m, "uid", quoted(d.event.Envelope.ID.String()))
	case "api":
		need(m, "operation", unknown)
	case "vulnerability":
		if !anyOf(m, "cve", "cwe", "advisory") {
			m.member("cve").member("uid").value = unknown
		}
	case "policy", "idp", "group", "service", "product", "resource_details", "managed_entity":
		if !anyOf(m, "name", "uid") {
			m.member("name").value = unknown
		}
	case "actor":
		if !anyOf(m, "process", "user", "session", "app_name", "app_uid") {
			m.member("user").member("name").value = unknown
		}
	case "reporter":
		if !anyOf(m, "hostname", "ip", "name", "uid") {
			m.member("name").value = unknown
		}
	case "url":
		if !anyOf(m, "url_string", "path") && !firstOf(m, "url_string", "hostname") {
			m.member("url_string").value = unknown
		}
	case "robot_fault":
		if !anyOf(m, "desc", "fault_code", "name") {
			m.member("name").value = unknown
		}
	case "ot_command":
		if !anyOf(m, "function_code", "function_name", "protocol_name") {
			m.member("protocol_name").value = unknown
		}
	case "robot_command":
		if !anyOf(m, "name", "uid", "type") {
			m.member("name").value = unknown
		}
	case "location":
		if !anyOf(m, "city", "country", "region") {
			m.members = nil
		}
	case "kernel_driver", "module", "job", "script", "win/reg_key", "win/reg_value", "win/win_service":
		d.completeSystem(m, object)
	case "evidences":
		if !anyOf(m, "actor", "api", "connection_info", "device", "dst_endpoint", "file", "process", "query", "src_endpoint", "url", "user") {
			m.member("data").member("note").value = unknown
		}
	}
	if len(m.members) > 0 {
		requiredLeaves(m, object)
	}
	d.siblings(m, object)
}

// completeSystem is completeObject for the parts of an operating system.
func (d *document) completeSystem(m *node, object string) {
	unknown := quoted("Unknown")
	switch object {
	case "kernel_driver", "job":
		if m.find("file") == nil {
			d.fill(m.member("file"), "file")
		}
		if object == "job" {
			need(m, "name", unknown)
		}
	case "module":
		need(m, "load_type_id", []byte("0"))
		need(m, "load_type", unknown)
	case "script":
		if m.find("script_content") == nil {
			m.member("script_content").member("value").value = unknown
		}
		d.completeType(m, object)
	case "win/reg_key":
		need(m, "path", unknown)
	case "win/reg_value":
		need(m, "name", unknown)
		need(m, "path", unknown)
	case "win/win_service":
		need(m, "name", unknown)
		if !anyOf(m, "cmd_line", "service_start_name") {
			need(m, "service_type_id", []byte("0"))
			need(m, "service_type", unknown)
		}
	}
}

// requiredLeaves gives plain members that the type requires and nothing above has given.
func requiredLeaves(m *node, object string) {
	for _, a := range ocsf.ObjectAttributes(object) {
		if !a.Required || len(a.Profiles) > 0 || a.Object != "" || m.find(a.Name) != nil {
			continue
		}
		value := quoted("Unknown")
		switch a.Type {
		case "integer_t", "long_t", "timestamp_t", "port_t":
			value = []byte("0")
		case "boolean_t":
			value = []byte("false")
		case "float_t":
			value = []byte("0.0")
		}
		if a.Array {
			value = append(append([]byte{'['}, value...), ']')
		}
		m.member(a.Name).value = value
		if a.Sibling != "" && a.Type == "integer_t" {
			need(m, a.Sibling, quoted("Unknown"))
		}
	}
}

func anyOf(m *node, names ...string) bool {
	return slices.ContainsFunc(names, func(s string) bool { return m.find(s) != nil })
}

func serialOr(m *node, other []byte) []byte {
	if h := m.find("hw_info"); h != nil {
		if s := h.find("serial_number"); s != nil {
			return slices.Clone(s.value)
		}
	}
	return other
}

// completeType gives type_id where only a type in words is known: 99 with the words.
func (d *document) completeType(m *node, object string) {
	words := m.find("type")
	if m.find("type_id") != nil {
		return
	}
	switch {
	case words == nil && object == "robot":
		m.member("type_id").value = []byte("99")
		m.member("type").value = quoted("Robot")
	case words == nil:
		m.member("type_id").value = []byte("0")
		m.member("type").value = quoted("Unknown")
	default:
		id := CaptionID(object, "type_id", strings.Trim(string(words.value), `"`))
		if id == 0 {
			id = ActivityOther
		}
		m.member("type_id").value = integer(int64(id))
	}
}

// siblings makes each enumerated id and its caption agree: words without an id become 99, an id of 99 without words says Other.
func (d *document) siblings(m *node, object string) {
	for _, a := range ocsf.ObjectAttributes(object) {
		if a.Sibling == "" || a.Array || len(a.Enum) == 0 {
			continue
		}
		id, words := m.find(a.Name), m.find(a.Sibling)
		switch {
		case id == nil && words != nil && words.value != nil && words.value[0] == '"':
			n, ok := a.Enum.ID(strings.Trim(string(words.value), `"`))
			if !ok {
				n = ActivityOther
			}
			m.member(a.Name).value = integer(n)
		case id != nil && words == nil && string(id.value) == "99":
			m.member(a.Sibling).value = quoted("Other")
		}
	}
}

// profiles names the profiles whose attributes are present.
func (d *document) profiles() {
	if len(d.used) == 0 {
		return
	}
	slices.Sort(d.used)
	d.root.member("metadata").member("profiles").value = stringList(d.used)
}

// observables lists the event's entities by the attribute they stand in.
func (d *document) observables() {
	d.walkObservables(d.root, "")
	d.entityObservables()
	var b []byte
	seen := map[observable]bool{}
	for _, o := range d.named {
		if seen[o] || o.value == "" {
			continue
		}
		seen[o] = true
		if b == nil {
			b = append(b, '[')
		} else {
			b = append(b, ',')
		}
		b = append(b, '{')
		if o.name != "" {
			b = append(quote(append(b, `"name":`...), o.name), ',')
		}
		b = append(append(b, `"type_id":`...), integer(int64(o.typ))...)
		a, _ := ocsf.ObjectAttribute("observable", "type_id")
		caption, _ := a.Enum.Caption(int64(o.typ))
		b = quote(append(b, `,"type":`...), caption)
		b = quote(append(b, `,"value":`...), o.value)
		b = append(b, '}')
	}
	if b != nil {
		d.put("observables", append(b, ']'))
	}
}

func (d *document) walkObservables(n *node, prefix string) {
	for _, m := range n.members {
		p := strings.TrimPrefix(prefix+"."+m.name, ".")
		if m.name == "unmapped" || m.name == "metadata" {
			continue
		}
		if m.value == nil {
			d.walkObservables(m, p)
			continue
		}
		a, ok := d.class.Attribute(p)
		if !ok || a.Observable == 0 || m.value[0] != '"' {
			continue
		}
		if s := unquote(m.value); s != "Unknown" {
			d.named = append(d.named, observable{name: p, value: s, typ: a.Observable})
		}
	}
}

// entityTypes gives the OCSF observable type of the entities that no attribute holds.
var entityTypes = map[EntityKind]uint8{EntityUser: 4, EntityRobot: 10, EntityDevice: 1, EntityIP: 2, EntityMAC: 3, EntityHash: 8, EntityDomain: 1, EntityResource: 10}

// entityObservables adds the entities that the walk has not met, without a name, which would have to be an attribute's.
func (d *document) entityObservables() {
	for i := range d.event.Entities {
		x := &d.event.Entities[i]
		typ := entityTypes[x.Kind]
		met := slices.ContainsFunc(d.named, func(o observable) bool { return strings.EqualFold(o.value, x.Key) })
		if typ != 0 && !met {
			d.named = append(d.named, observable{value: x.Key, typ: typ})
		}
	}
}

// httpMethod reports whether the schema's enumeration of methods has the quoted word.
func httpMethod(word string) bool {
	switch strings.Trim(word, `"`) {
	case "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE":
		return true
	}
	return false
}
