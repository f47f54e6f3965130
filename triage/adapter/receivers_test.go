package adapter_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/triage/adapter"
)

// demand is what the documentation of a receiver says of a member: whether it must be there, what may stand in it and how long it may be.
type demand struct {
	must     bool
	most     int            // Characters of a text, elements of a list; 0: no bound.
	one      []string       // The only texts it may have.
	is       func(any) bool // What else it must be.
	members  demands        // Of an object.
	elements *demand        // Of a list.
	kinds    func(map[string]any) (demands, bool)
}

type demands map[string]demand

// holds holds a value against a demand and tells everything that does not fit; members that no documentation knows do not.
func (d *demand) holds(at string, v any, tell func(string)) {
	bad := func(format string, args ...any) { tell(at + ": " + fmt.Sprintf(format, args...)) }
	if d.is != nil && !d.is(v) {
		bad("%.80v is not what is asked for", v)
	}
	switch v := v.(type) {
	case string:
		if n := utf8.RuneCountInString(v); d.must && n == 0 || d.most > 0 && n > d.most {
			bad("%d characters, at least one where it must be there and at most %d", n, d.most)
		}
		if d.one != nil && !slices.Contains(d.one, v) {
			bad("%q is none of %q", v, d.one)
		}
	case []any:
		if d.must && len(v) == 0 || d.most > 0 && len(v) > d.most {
			bad("%d elements, at most %d", len(v), d.most)
		}
		for i, x := range v {
			if d.elements != nil {
				d.elements.holds(fmt.Sprintf("%s[%d]", at, i), x, tell)
			}
		}
	case map[string]any:
		members := d.members
		if d.kinds != nil {
			known := false
			if members, known = d.kinds(v); !known {
				bad("%v is no kind that the receiver knows", v["type"])
			}
		}
		if members == nil {
			return
		}
		for name, x := range v {
			m, known := members[name]
			if !known {
				bad("the receiver knows no %s", name)
				continue
			}
			m.holds(at+"."+name, x, tell)
		}
		for name, m := range members {
			if _, there := v[name]; m.must && !there {
				bad("%s is missing", name)
			}
		}
	}
}

func isTime(v any) bool {
	s, _ := v.(string)
	_, err := time.Parse(time.RFC3339Nano, s)
	return err == nil
}

func isWeb(v any) bool {
	s, _ := v.(string)
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}

func isBool(v any) bool { _, ok := v.(bool); return ok }

// pagerDuty is the reference of PagerDuty's Events API v2, "Send an alert event".
var pagerDuty = demand{members: demands{
	"routing_key":  {must: true},
	"event_action": {must: true, one: []string{"trigger", "acknowledge", "resolve"}},
	"dedup_key":    {must: true, most: 255},
	"client":       {}, "client_url": {is: isWeb},
	"links":  {elements: &demand{members: demands{"href": {must: true, is: isWeb}, "text": {}}}},
	"images": {elements: &demand{members: demands{"src": {must: true, is: isWeb}, "href": {is: isWeb}, "alt": {}}}},
	"payload": {must: true, members: demands{
		"summary": {must: true, most: 1024}, "source": {must: true}, "severity": {must: true, one: []string{"critical", "error", "warning", "info"}},
		"timestamp": {is: isTime}, "component": {}, "group": {}, "class": {}, "custom_details": {},
	}},
}}

// plainText is Slack's text object of the kind plain_text.
func plainText(most int) demand {
	return demand{must: true, members: demands{"type": {must: true, one: []string{"plain_text"}}, "text": {must: true, most: most}, "emoji": {is: isBool}}}
}

// slackMessage is the reference of Slack's Block Kit, for the blocks that we send, and of messages to incoming webhooks.
var slackMessage = demand{members: demands{
	"text": {must: true, most: 40_000}, "mrkdwn": {is: isBool}, "unfurl_links": {is: isBool}, "unfurl_media": {is: isBool},
	"blocks": {must: true, most: 50, elements: &demand{kinds: func(b map[string]any) (demands, bool) {
		kind := demand{must: true}
		switch b["type"] {
		case "header":
			return demands{"type": kind, "block_id": {most: 255}, "text": plainText(150)}, true
		case "section":
			field, text := plainText(2000), plainText(3000)
			_, fields := b["fields"]
			text.must = !fields
			return demands{"type": kind, "block_id": {most: 255}, "text": text, "fields": {most: 10, elements: &field}}, true
		case "actions":
			return demands{"type": kind, "block_id": {most: 255}, "elements": {must: true, most: 25, elements: &demand{members: demands{
				"type": {must: true, one: []string{"button"}}, "text": plainText(75), "url": {most: 3000, is: isWeb}, "action_id": {most: 255}, "value": {most: 2000}, "style": {one: []string{"primary", "danger"}},
			}}}}, true
		}
		return nil, false
	}}},
}}

// teamsMessage is the reference of messages with adaptive cards to Teams' workflows, and of Adaptive Cards 1.4 for the elements that we send.
var teamsMessage = demand{members: demands{
	"type": {must: true, one: []string{"message"}},
	"attachments": {must: true, elements: &demand{members: demands{
		"contentType": {must: true, one: []string{"application/vnd.microsoft.card.adaptive"}}, "contentUrl": {},
		"content": {must: true, members: demands{
			"$schema": {one: []string{"http://adaptivecards.io/schemas/adaptive-card.json"}}, "type": {must: true, one: []string{"AdaptiveCard"}},
			"version": {must: true, one: []string{"1.0", "1.1", "1.2", "1.3", "1.4", "1.5"}}, "fallbackText": {},
			"body": {must: true, elements: &demand{members: demands{
				"type": {must: true, one: []string{"RichTextBlock"}}, "spacing": {one: []string{"None", "Small", "Default", "Medium", "Large", "ExtraLarge", "Padding"}},
				"separator": {is: isBool}, "horizontalAlignment": {one: []string{"Left", "Center", "Right"}},
				"inlines": {must: true, elements: &demand{members: demands{
					"type": {must: true, one: []string{"TextRun"}}, "text": {must: true}, "weight": {one: []string{"Default", "Lighter", "Bolder"}},
					"size": {one: []string{"Default", "Small", "Medium", "Large", "ExtraLarge"}}, "isSubtle": {is: isBool},
				}}},
			}}},
			"actions": {elements: &demand{members: demands{"type": {must: true, one: []string{"Action.OpenUrl"}}, "title": {must: true}, "url": {must: true, is: isWeb}}}},
		}},
	}}},
}}

// TestChatAndPagerFormsAreWhatTheirReceiversDocument holds every kind of letter, also with hostile and with endless text, against what the receivers'
// documentation demands: the members there are, which must be there, what they may hold and how long they may be.
func TestChatAndPagerFormsAreWhatTheirReceiversDocument(t *testing.T) {
	all := letters()
	for i, text := range append(slices.Clone(attacks), strings.Repeat("x", 60_000), strings.Repeat("機", 60_000), "", " \t\n ") {
		for _, kind := range []string{"opened", "closed"} {
			all[fmt.Sprint("hostile ", i, " ", kind)] = hostile(kind, text)
		}
	}
	for _, x := range []struct {
		name  string
		form  demand
		bytes int // Of a whole message.
	}{
		{"pagerduty", pagerDuty, 512 << 10},
		{"slack", slackMessage, 0},
		{"teams", teamsMessage, 28 << 10},
	} {
		a, ok := adapter.Named(x.name)
		if !ok {
			t.Fatal(x.name)
		}
		for name, l := range all {
			p := a.Write(l, options())
			if p.ContentType != "application/json" || x.bytes > 0 && len(p.Body) > x.bytes {
				t.Errorf("%s, %s: %d bytes of %s", x.name, name, len(p.Body), p.ContentType)
			}
			var doc any
			if err := json.Unmarshal(p.Body, &doc); err != nil {
				t.Fatalf("%s, %s: %v", x.name, name, err)
			}
			x.form.holds(x.name, doc, func(what string) { t.Errorf("%s: %s", name, what) })
		}
	}
}
