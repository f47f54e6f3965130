package adapter

import "strings"

// Bounds of Block Kit, in characters and pieces.
const (
	slackHeader  = 150
	slackText    = 3000
	slackField   = 2000
	slackAddress = 3000
)

type slackMessage struct {
	Text        string       `json:"text"` // What notifications show, and clients without blocks.
	Blocks      []slackBlock `json:"blocks"`
	Markdown    bool         `json:"mrkdwn"`
	UnfurlLinks bool         `json:"unfurl_links"`
	UnfurlMedia bool         `json:"unfurl_media"`
}

type slackBlock struct {
	Type     string         `json:"type"`
	Text     *slackObject   `json:"text,omitempty"`
	Fields   []*slackObject `json:"fields,omitempty"`
	Elements []slackButton  `json:"elements,omitempty"`
}

type slackObject struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Emoji *bool  `json:"emoji,omitempty"`
}

type slackButton struct {
	Type     string       `json:"type"`
	Text     *slackObject `json:"text"`
	URL      string       `json:"url"`
	ActionID string       `json:"action_id"`
}

// slack writes blocks of plain text only: no text of an event is read as markup, an address, a mention or an emoji. The one link goes to the
// console.
func slack(l *Letter, _ Options) Parcel {
	in := l.about()
	m := slackMessage{
		Text: slackEscape(clip(headline(l, in), slackText)),
		Blocks: []slackBlock{
			{Type: "header", Text: slackPlain(clip(headline(l, in), slackHeader))},
			{Type: "section", Text: slackPlain(clip(words("\n", inert(in.Summary.Text), assessed(in)), slackText))},
		},
	}
	facts := slackBlock{Type: "section"}
	for _, f := range factsOf(in) { // at most ten fit
		facts.Fields = append(facts.Fields, slackPlain(clip(f.name+"\n"+f.value, slackField)))
	}
	if len(facts.Fields) > 0 {
		m.Blocks = append(m.Blocks, facts)
	}
	if in.URL != "" && len(in.URL) <= slackAddress {
		m.Blocks = append(m.Blocks, slackBlock{Type: "actions", Elements: []slackButton{{Type: "button", Text: slackPlain("Open in Tocsin"), URL: in.URL, ActionID: "open"}}})
	}
	return Parcel{ContentType: typeJSON, Body: Encode(m), Key: in.ID}
}

func slackPlain(s string) *slackObject {
	return &slackObject{Type: "plain_text", Text: s, Emoji: new(false)}
}

// slackEscape is for the one text that is no block.
func slackEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// headline is what happened to what, on one line.
func headline(l *Letter, in *Incident) string {
	return "[" + in.Severity + "] " + inertLine(in.Title) + " (" + words(" ", l.kind(), in.Verdict) + ")"
}

type factLine struct{ name, value string }

// factsOf are the few things that people want to see before they look closer; none is empty.
func factsOf(in *Incident) []factLine {
	var out []factLine
	for _, f := range []factLine{
		{"Status", in.Status},
		{"Owner", inertLine(in.OwnerTeam)},
		{"Assignee", inertLine(in.Assignee)},
		{"Entities", inertLine(entityNames(in))},
		{"Rules", inertLine(ruleNames(in))},
		{"First event", in.FirstEvent},
		{"Incident", words(" ", in.ID, "revision "+number(int(in.Revision)))},
	} {
		if f.value != "" {
			out = append(out, f)
		}
	}
	return out
}
