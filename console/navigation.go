package console

import (
	"net/http"

	"github.com/tocsin-siem/tocsin/access"
)

// entry is one of the pages that every page leads to.
type entry struct {
	Key  string // What a page calls itself by in layout.Active.
	Path string
	Name string
	Keys string // The keys that lead there.
}

// navigation is in the order of an analyst's day. An entry shows where its page exists and the person may see it.
var navigation = []entry{
	{"queue", "/incidents", "Queue", "g q"},
	{"fleet", "/fleet", "Fleet", "g f"},
	{"hunt", "/hunt", "Hunt", "g h"},
	{"changes", "/changes", "Changes", "g c"},
	{"rules", "/rules", "Rules", "g r"},
	{"suppressions", "/suppressions", "Suppressions", "g s"},
	{"integrations", "/integrations", "Integrations", "g i"},
	{"health", "/health", "Health", "g d"},
	{"rejects", "/rejects", "Rejects", "g x"},
	{"measures", "/measures", "Measures", "g m"},
	{"handover", "/handover", "Handover", "g o"},
	{"audit", "/audit", "Audit", "g a"},
	{"people", "/people", "People", "g p"},
	{"tokens", "/tokens", "Tokens", "g t"},
}

// layout is what every page has.
type layout struct {
	Title  string
	Active string // Which of the navigation's entries this is.
	Now    int64
	Nav    []entry
	Who    access.Person
	Theme  string // light or dark where the person has chosen; empty: as the system says.
	Style  string // Path of the style sheet.
	Script string // Path of the script; empty where none was built in.
	Signs  bool   // People sign in here.
}

// layout is what the page of a request has around it.
func (s *server) layout(r *http.Request, title, active string) layout {
	l := layout{
		Title: title, Active: active, Now: s.set.Now(), Who: access.From(r.Context()), Theme: themeOf(r), Style: s.files.style, Script: s.files.script, Signs: s.set.Access != nil,
	}
	for _, e := range navigation {
		if needs, exists := s.needs["GET "+e.Path]; exists && l.Who.May(needs) && (l.Who.Everywhere() || !everywhere("GET "+e.Path)) {
			l.Nav = append(l.Nav, e)
		}
	}
	return l
}
