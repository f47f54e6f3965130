package adapter

import "strings"

// Bounds of a mail, in characters: lines of headers should stay below 998, and people read the first few of them.
const (
	mailSubject = 180
	mailText    = 20_000
)

// mail is plain text: a mail program shows it as it is. Addresses in texts of events are broken up, so that none becomes a link.
func mail(l *Letter, _ Options) Parcel {
	in := l.about()
	var b strings.Builder
	b.WriteString(headline(l, in) + "\n\n")
	b.WriteString(clip(inert(in.Summary.Text), mailText) + "\n\n")
	for _, f := range factsOf(in) {
		b.WriteString(f.name + ": " + clip(f.value, 2000) + "\n")
	}
	mailList(&b, "For it", in.Assessment.For)
	mailList(&b, "Against it", in.Assessment.Against)
	var before, checks []string
	for _, n := range in.Changes {
		before = append(before, words(" ", n.At, n.What))
	}
	for _, a := range in.Actions {
		checks = append(checks, a.Text)
	}
	mailList(&b, "Changed before", before)
	mailList(&b, "To check (Tocsin does nothing by itself)", checks)
	if in.URL != "" {
		b.WriteString("\n" + in.URL + "\n")
	}
	return Parcel{ContentType: "text/plain", Body: []byte(clip(b.String(), 2*mailText)), Subject: clip(headline(l, in), mailSubject), Key: in.ID}
}

func mailList(b *strings.Builder, title string, list []string) {
	if len(list) == 0 {
		return
	}
	b.WriteString("\n" + title + ":\n")
	for _, s := range list {
		b.WriteString("- " + clip(inertLine(s), 500) + "\n")
	}
}
