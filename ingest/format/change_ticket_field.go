package format

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// ticket is one change as exported. Values are as the source spells them.
type ticket struct {
	uid, title, state, approval, kind, scope string
	start, end, created, updated, approved   string
	requester, approver, site, zone          string
	resources                                []string
	ofRobots                                 bool // The source lists them as robots.
	strong                                   bool // uid is a number people use, not a database key.
}

// Activities of class change_ticket.
const (
	ticketRequested = 1
	ticketApproved  = 2
	ticketStarted   = 3
	ticketCompleted = 4
	ticketCancelled = 5
	ticketRejected  = 6
)

// maxTicketResources bounds the list of one ticket.
const maxTicketResources = 256

// set takes one column. Names are compared without case, spaces and signs, and without Jira's "Custom field (…)".
func (t *ticket) set(name, value string) {
	value = strings.TrimSpace(value)
	if kv.Placeholder(value) {
		return
	}
	if put := ticketField(name); put != nil {
		put(t, value)
	}
}

// ticketField finds what to do with a column; nil where we have no use for it.
func ticketField(name string) func(t *ticket, value string) {
	var room [maxTicketName]byte
	return ticketByName[string(appendTicketKey(room[:0], name))]
}

// maxTicketName bounds the names of columns that we know.
const maxTicketName = 64

// unmappedTicket lists the columns, or the members of a single JSON ticket, that decoding does not read.
func unmappedTicket(rec *event.Record) []string {
	var names []string
	if root, err := jsonscan.Parse(rec.Value); err == nil {
		for name := range root.Members() {
			names = append(names, name)
		}
		for name := range root.Get("fields").Members() {
			names = append(names, "fields."+name)
		}
	} else if header := textOf(rec.Context); header != "" {
		names, _ = csvRow(newCSV(header, csvComma(header)))
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return name == "fields" || name == "names" || ticketField(strings.TrimPrefix(name, "fields.")) != nil
	})
}

// appendTicketKey appends the letters and digits of a column's name in lower case, without Jira's wrapping; of a longer name than any we know
// only the beginning.
func appendTicketKey(dst []byte, name string) []byte {
	const wrap = "custom field ("
	if name = strings.TrimSpace(name); len(name) > len(wrap) && strings.EqualFold(name[:len(wrap)], wrap) {
		name = strings.TrimSuffix(name[len(wrap):], ")")
	}
	for i := 0; i < len(name) && len(dst) < maxTicketName; i++ {
		switch c := name[i]; {
		case c >= 'A' && c <= 'Z':
			dst = append(dst, c+'a'-'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			dst = append(dst, c)
		}
	}
	return dst
}

// setObject takes the members of a JSON ticket; those of Jira's "fields" belong to it. names gives Jira's custom fields their titles.
func (t *ticket) setObject(v, names jsonscan.Value) {
	for name, member := range v.Members() {
		if name == "fields" && member.Kind() == jsonscan.Object {
			t.setObject(member, names)
			continue
		}
		if title := names.Get(name).Str(); title != "" && strings.HasPrefix(name, "customfield_") {
			name = title
		}
		if member.Kind() == jsonscan.Array {
			for element := range member.Elements() {
				t.set(name, ticketText(element))
			}
			continue
		}
		t.set(name, ticketText(member))
	}
}

// ticketText is the text of a value, which interfaces wrap in objects: {"display_value": …, "value": …}, {"displayName": …}, {"name": …}.
func ticketText(v jsonscan.Value) string {
	if v.Kind() != jsonscan.Object {
		return v.Text()
	}
	for _, key := range [...]string{"display_value", "emailAddress", "displayName", "name", "label", "value", "key", "id"} {
		if s := v.Get(key).Text(); s != "" {
			return s
		}
	}
	return ""
}

func keepText(field func(t *ticket) *string) func(t *ticket, value string) {
	return func(t *ticket, value string) {
		if dst := field(t); *dst == "" {
			*dst = value
		}
	}
}

func ticketUID(t *ticket) *string      { return &t.uid }
func ticketTitle(t *ticket) *string    { return &t.title }
func ticketState(t *ticket) *string    { return &t.state }
func ticketKind(t *ticket) *string     { return &t.kind }
func ticketStart(t *ticket) *string    { return &t.start }
func ticketEnd(t *ticket) *string      { return &t.end }
func ticketCreated(t *ticket) *string  { return &t.created }
func ticketUpdated(t *ticket) *string  { return &t.updated }
func ticketAsker(t *ticket) *string    { return &t.requester }
func ticketApprover(t *ticket) *string { return &t.approver }
func ticketSite(t *ticket) *string     { return &t.site }
func ticketZone(t *ticket) *string     { return &t.zone }
func ticketScope(t *ticket) *string    { return &t.scope }
func ticketApproval(t *ticket) *string { return &t.approval }
func ticketDecided(t *ticket) *string  { return &t.approved }

// putNumber prefers the number people use over a database key that came before it.
func putNumber(t *ticket, value string) {
	if !t.strong {
		t.uid, t.strong = value, true
	}
}

func putResources(t *ticket, value string) {
	for part := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == ';' || r == '|' || r == '\n' }) {
		if part = strings.TrimSpace(part); !kv.Placeholder(part) && len(t.resources) < maxTicketResources {
			t.resources = append(t.resources, part)
		}
	}
}

func putRobots(t *ticket, value string) {
	putResources(t, value)
	t.ofRobots = true
}

// ticketFields are the names under which ServiceNow's change_request table, Jira's issues and plain exports have what we keep.
var ticketFields = []struct {
	name string
	put  func(t *ticket, value string)
}{
	{"number", putNumber},
	{"key", putNumber},
	{"issuekey", putNumber},
	{"ticket", putNumber},
	{"ticketid", putNumber},
	{"changeid", putNumber},
	{"changenumber", putNumber},
	{"id", keepText(ticketUID)},
	{"uid", keepText(ticketUID)},
	{"sysid", keepText(ticketUID)},

	{"shortdescription", keepText(ticketTitle)},
	{"summary", keepText(ticketTitle)},
	{"title", keepText(ticketTitle)},
	{"subject", keepText(ticketTitle)},

	{"state", keepText(ticketState)},
	{"status", keepText(ticketState)},
	{"changestate", keepText(ticketState)},
	{"approval", keepText(ticketApproval)},
	{"approvalstatus", keepText(ticketApproval)},
	{"approvalstate", keepText(ticketApproval)},
	{"type", keepText(ticketKind)},
	{"changetype", keepText(ticketKind)},
	{"issuetype", keepText(ticketKind)},
	{"category", keepText(ticketScope)},
	{"scope", func(t *ticket, value string) { t.scope = value }},

	{"startdate", keepText(ticketStart)},
	{"starttime", keepText(ticketStart)},
	{"start", keepText(ticketStart)},
	{"plannedstart", keepText(ticketStart)},
	{"plannedstartdate", keepText(ticketStart)},
	{"plannedstarttime", keepText(ticketStart)},
	{"scheduledstart", keepText(ticketStart)},
	{"scheduledstartdate", keepText(ticketStart)},
	{"changestartdate", keepText(ticketStart)},
	{"windowstart", keepText(ticketStart)},
	{"enddate", keepText(ticketEnd)},
	{"endtime", keepText(ticketEnd)},
	{"end", keepText(ticketEnd)},
	{"plannedend", keepText(ticketEnd)},
	{"plannedenddate", keepText(ticketEnd)},
	{"plannedendtime", keepText(ticketEnd)},
	{"scheduledend", keepText(ticketEnd)},
	{"scheduledenddate", keepText(ticketEnd)},
	{"changecompletiondate", keepText(ticketEnd)},
	{"changeenddate", keepText(ticketEnd)},
	{"windowend", keepText(ticketEnd)},

	{"approvedat", keepText(ticketDecided)},
	{"approvaldate", keepText(ticketDecided)},
	{"approvedon", keepText(ticketDecided)},
	{"approvalset", keepText(ticketDecided)},
	{"sysupdatedon", keepText(ticketUpdated)},
	{"updated", keepText(ticketUpdated)},
	{"updatedat", keepText(ticketUpdated)},
	{"lastmodified", keepText(ticketUpdated)},
	{"syscreatedon", keepText(ticketCreated)},
	{"openedat", keepText(ticketCreated)},
	{"created", keepText(ticketCreated)},
	{"createdat", keepText(ticketCreated)},

	{"requestedby", keepText(ticketAsker)},
	{"requester", keepText(ticketAsker)},
	{"reporter", keepText(ticketAsker)},
	{"openedby", keepText(ticketAsker)},
	{"creator", keepText(ticketAsker)},
	{"createdby", keepText(ticketAsker)},
	{"syscreatedby", keepText(ticketAsker)},
	{"approvedby", keepText(ticketApprover)},
	{"approver", keepText(ticketApprover)},
	{"approvers", keepText(ticketApprover)},

	{"cmdbci", putResources},
	{"configurationitem", putResources},
	{"configurationitems", putResources},
	{"affectedcis", putResources},
	{"affectedassets", putResources},
	{"affectedhardware", putResources},
	{"resources", putResources},
	{"resource", putResources},
	{"resourceuids", putResources},
	{"assets", putResources},
	{"asset", putResources},
	{"devices", putResources},
	{"device", putResources},
	{"targets", putResources},
	{"robots", putRobots},
	{"robot", putRobots},

	{"site", keepText(ticketSite)},
	{"location", keepText(ticketSite)},
	{"plant", keepText(ticketSite)},
	{"zone", keepText(ticketZone)},
	{"cell", keepText(ticketZone)},
	{"area", keepText(ticketZone)},
}

var ticketByName = func() map[string]func(t *ticket, value string) {
	m := make(map[string]func(t *ticket, value string), len(ticketFields))
	for _, f := range ticketFields {
		m[f.name] = f.put
	}
	return m
}()

// ticketStates are the states of ServiceNow (in words and as the numbers its table interface gives), of Jira's change work flow and of
// plain exports. What is not listed is unknown.
var ticketStates = []struct {
	state    string
	activity uint16
}{
	{"new", ticketRequested},
	{"-5", ticketRequested},
	{"draft", ticketRequested},
	{"open", ticketRequested},
	{"requested", ticketRequested},
	{"pending", ticketRequested},
	{"planning", ticketRequested},
	{"to do", ticketRequested},
	{"assess", ticketRequested},
	{"-4", ticketRequested},
	{"authorize", ticketRequested},
	{"-3", ticketRequested},
	{"awaiting approval", ticketRequested},
	{"pending approval", ticketRequested},
	{"waiting for approval", ticketRequested},
	{"peer review", ticketRequested},
	{"awaiting cab approval", ticketRequested},
	{"approved", ticketApproved},
	{"scheduled", ticketApproved},
	{"-2", ticketApproved},
	{"awaiting implementation", ticketApproved},
	{"planned", ticketApproved},
	{"active", ticketApproved},
	{"confirmed", ticketApproved},
	{"authorized", ticketApproved},
	{"implement", ticketStarted},
	{"-1", ticketStarted},
	{"in progress", ticketStarted},
	{"work in progress", ticketStarted},
	{"implementing", ticketStarted},
	{"started", ticketStarted},
	{"running", ticketStarted},
	{"review", ticketCompleted},
	{"0", ticketCompleted},
	{"closed", ticketCompleted},
	{"3", ticketCompleted},
	{"complete", ticketCompleted},
	{"completed", ticketCompleted},
	{"done", ticketCompleted},
	{"resolved", ticketCompleted},
	{"implemented", ticketCompleted},
	{"closed complete", ticketCompleted},
	{"finished", ticketCompleted},
	{"canceled", ticketCancelled},
	{"cancelled", ticketCancelled},
	{"4", ticketCancelled},
	{"withdrawn", ticketCancelled},
	{"closed skipped", ticketCancelled},
	{"closed incomplete", ticketCancelled},
	{"failed", ticketCancelled},
	{"rejected", ticketRejected},
	{"declined", ticketRejected},
	{"denied", ticketRejected},
	{"not approved", ticketRejected},
}

func ticketActivity(state string) uint16 {
	state = strings.ToLower(strings.TrimSpace(state))
	for _, s := range ticketStates {
		if s.state == state {
			return s.activity
		}
	}
	return 0
}

// activity combines state and approval: an approval moves a ticket that has not started, a rejection ends it.
func (t *ticket) activity() uint16 {
	state := ticketActivity(t.state)
	switch ticketActivity(t.approval) {
	case ticketApproved:
		if state <= ticketApproved {
			return ticketApproved
		}
	case ticketRejected:
		if state <= ticketApproved {
			return ticketRejected
		}
	}
	if state == 0 && t.state == "" && t.approval == "" && strings.Contains(strings.ToLower(t.kind), "maintenance") {
		return ticketApproved // A maintenance window that is published is approved.
	}
	if state == 0 && t.approval != "" {
		return max(ticketActivity(t.approval), ticketRequested)
	}
	if state == 0 {
		return event.ActivityOther
	}
	return state
}

// ticketScopes are words that tell what a change is about.
var ticketScopes = []struct{ word, scope string }{
	{"robot", "robot"},
	{"amr", "robot"},
	{"agv", "robot"},
	{"network", "network"},
	{"firewall", "network"},
	{"switch", "network"},
	{"identity", "identity"},
	{"access", "identity"},
	{"account", "identity"},
	{"device", "device"},
	{"hardware", "device"},
	{"plc", "device"},
}

func (t *ticket) scopeOf() string {
	if t.ofRobots {
		return "robot"
	}
	low := strings.ToLower(t.scope)
	for _, s := range ticketScopes {
		if strings.Contains(low, s.word) {
			return s.scope
		}
	}
	return low
}
