package adapter

// teamsText bounds one text: a message may have 28 kB.
const teamsText = 2500

type teamsMessage struct {
	Type        string            `json:"type"`
	Attachments []teamsAttachment `json:"attachments"`
}

type teamsAttachment struct {
	ContentType string    `json:"contentType"`
	ContentURL  *string   `json:"contentUrl"`
	Content     teamsCard `json:"content"`
}

type teamsCard struct {
	Schema  string         `json:"$schema"`
	Type    string         `json:"type"`
	Version string         `json:"version"`
	Body    []teamsElement `json:"body"`
	Actions []teamsOpen    `json:"actions,omitempty"`
}

// teamsElement is a RichTextBlock: its runs, unlike TextBlocks and FactSets, are not read as Markdown.
type teamsElement struct {
	Type    string     `json:"type"`
	Inlines []teamsRun `json:"inlines"`
	Spacing string     `json:"spacing,omitempty"`
}

type teamsRun struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Weight string `json:"weight,omitempty"`
	Size   string `json:"size,omitempty"`
	Subtle bool   `json:"isSubtle,omitempty"`
}

type teamsOpen struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// teams writes an adaptive card of plain runs. The one link goes to the console.
func teams(l *Letter, _ Options) Parcel {
	in := l.about()
	card := teamsCard{Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4"}
	card.Body = []teamsElement{
		teamsBlock("", teamsRun{Text: clip(headline(l, in), 300), Weight: "Bolder", Size: "Medium"}),
		teamsBlock("", teamsRun{Text: clip(words("\n", inert(in.Summary.Text), assessed(in)), teamsText)}),
	}
	for _, f := range factsOf(in) {
		card.Body = append(card.Body, teamsBlock("Small", teamsRun{Text: f.name + ": ", Subtle: true}, teamsRun{Text: clip(f.value, 1000)}))
	}
	if in.URL != "" {
		card.Actions = []teamsOpen{{Type: "Action.OpenUrl", Title: "Open in Tocsin", URL: in.URL}}
	}
	m := teamsMessage{Type: "message", Attachments: []teamsAttachment{{ContentType: "application/vnd.microsoft.card.adaptive", Content: card}}}
	return Parcel{ContentType: typeJSON, Body: Encode(m), Key: in.ID}
}

func teamsBlock(spacing string, runs ...teamsRun) teamsElement {
	for i := range runs {
		runs[i].Type = "TextRun"
	}
	return teamsElement{Type: "RichTextBlock", Inlines: runs, Spacing: spacing}
}
