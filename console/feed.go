package console

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/triage/board"
	"github.com/tocsin-siem/tocsin/triage/export"
)

// feedEntries is how many incidents a feed has, maxExport how many rows an export.
const (
	feedEntries = 50
	maxExport   = 10_000
)

// feed is a saved view as Atom or JSON Feed, the last updated first. It has our own words about incidents and no text of events.
func (s *server) feed(w http.ResponseWriter, r *http.Request) {
	id, kind, _ := strings.Cut(r.PathValue("file"), ".")
	v, err := s.oneView(r, id)
	if err == nil && kind != "atom" && kind != "json" {
		err = fmt.Errorf("%w: feeds end in .atom or .json", ErrNotFound)
	}
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	a := v.ask()
	a.Sort, a.Limit = board.Sort{}, feedEntries
	query, err := a.query(access.From(r.Context()))
	var page board.Page
	if err == nil {
		page, err = s.set.Board.List(r.Context(), query)
	}
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	if kind == "json" {
		s.jsonFeed(w, r, v, page.Cards)
		return
	}
	s.atomFeed(w, r, v, page.Cards)
}

// origin is the console as the sender of the request reaches it.
func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	Updated string      `xml:"updated"`
	Author  string      `xml:"author>name"`
	Links   []atomLink  `xml:"link"`
	Entries []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr,omitempty"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	ID        string   `xml:"id"`
	Title     string   `xml:"title"`
	Updated   string   `xml:"updated"`
	Published string   `xml:"published"`
	Link      atomLink `xml:"link"`
	Summary   string   `xml:"summary"`
}

func (s *server) atomFeed(w http.ResponseWriter, r *http.Request, v QueueView, cards []*board.Card) {
	base := origin(r)
	f := atomFeed{
		ID: "urn:tocsin:view:" + v.ID, Title: plainly(v.Name), Updated: time.UnixMicro(s.set.Now()).UTC().Format(time.RFC3339), Author: "Tocsin",
		Links: []atomLink{{"self", base + "/feeds/" + v.ID + ".atom"}, {"alternate", base + v.Address()}},
	}
	if len(cards) > 0 {
		f.Updated = rfc3339(cards[0].Updated)
	}
	for _, c := range cards {
		id := event.FormatID(event.IncidentPrefix, c.ID)
		f.Entries = append(f.Entries, atomEntry{
			ID: "urn:tocsin:" + id, Title: plainly(c.Title), Updated: rfc3339(c.Updated), Published: rfc3339(c.Opened), Link: atomLink{Href: base + "/incidents/" + id}, Summary: summaryOf(c),
		})
	}
	b, err := xml.Marshal(f)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	reply(w, http.StatusOK, "application/atom+xml; charset=utf-8", append([]byte(xml.Header), b...))
}

type jsonFeed struct {
	Version string     `json:"version"`
	Title   string     `json:"title"`
	Home    string     `json:"home_page_url"`
	Feed    string     `json:"feed_url"`
	Items   []jsonItem `json:"items"`
}

type jsonItem struct {
	ID        string   `json:"id"`
	URL       string   `json:"url"`
	Title     string   `json:"title"`
	Text      string   `json:"content_text"`
	Modified  string   `json:"date_modified"`
	Published string   `json:"date_published"`
	Tags      []string `json:"tags,omitempty"`
}

func (s *server) jsonFeed(w http.ResponseWriter, r *http.Request, v QueueView, cards []*board.Card) {
	base := origin(r)
	f := jsonFeed{Version: "https://jsonfeed.org/version/1.1", Title: plainly(v.Name), Home: base + v.Address(), Feed: base + "/feeds/" + v.ID + ".json", Items: []jsonItem{}}
	for _, c := range cards {
		id := event.FormatID(event.IncidentPrefix, c.ID)
		f.Items = append(f.Items, jsonItem{
			"urn:tocsin:" + id, base + "/incidents/" + id, plainly(c.Title), summaryOf(c), rfc3339(c.Updated), rfc3339(c.Opened), append([]string{c.Severity.String(), c.Status.String()}, c.Domains...),
		})
	}
	b, err := json.Marshal(f)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	reply(w, http.StatusOK, "application/feed+json", b)
}

// summaryOf is an incident in a line.
func summaryOf(c *board.Card) string {
	text := fmt.Sprintf("%s, score %d, %s; %s; %s", c.Severity, c.Score, c.Status, strings.ReplaceAll(c.Shown(), "_", " "), strings.Join(c.Domains, ", "))
	if c.Owner != "" {
		text += "; owner " + c.Owner
	}
	if n := len(c.Robots); n > 0 {
		text += "; robots " + joined(c.Robots, 5)
	}
	return plainly(text)
}

// joined are the first names of a list, bare.
func joined(ids []string, most int) string {
	var out []string
	for _, id := range ids[:min(most, len(ids))] {
		out = append(out, bare(id))
	}
	if len(ids) > most {
		out = append(out, strconv.Itoa(len(ids)-most)+" more")
	}
	return strings.Join(out, ", ")
}

// plainly is a line of text for readers that are not ours: what could not be seen is spelled out, and what could be markup is none.
func plainly(s string) string {
	return strings.NewReplacer("<", "‹", ">", "›", "&", "+", "\n", " ", "\t", " ").Replace(string(visible([]byte(s))))
}

func rfc3339(micros int64) string { return time.UnixMicro(micros).UTC().Format(time.RFC3339Nano) }

// exported are the rows of an export of the queue, at most maxExport.
func (s *server) exported(r *http.Request) ([]*board.Card, error) {
	a, err := askOf(r.URL.Query(), board.MaxLimit)
	if err != nil {
		return nil, err
	}
	a.Limit = board.MaxLimit
	query, err := a.query(access.From(r.Context()))
	if err != nil {
		return nil, err
	}
	var cards []*board.Card
	for len(cards) < maxExport {
		page, err := s.set.Board.List(r.Context(), query)
		if err != nil {
			return nil, err
		}
		cards = append(cards, page.Cards...)
		if query.After = page.Next; page.Next == (board.Cursor{}) {
			break
		}
	}
	return cards, nil
}

// exportCSV is the queue as a table for spreadsheets.
func (s *server) exportCSV(w http.ResponseWriter, r *http.Request) {
	cards, err := s.exported(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	rows := [][]string{{"id", "revision", "severity", "score", "title", "status", "verdict", "assessment", "owner", "assignee", "robots", "domains", "findings", "events", "first", "last", "opened", "updated", "acknowledged", "closed"}}
	for _, c := range cards {
		row := []string{
			event.FormatID(event.IncidentPrefix, c.ID), strconv.Itoa(int(c.Revision)), c.Severity.String(), strconv.Itoa(c.Score), c.Title, c.Status.String(), string(c.Verdict), c.Shown(), c.Owner, c.Assignee,
			joined(c.Robots, len(c.Robots)), strings.Join(c.Domains, ", "), strconv.Itoa(c.Findings), strconv.Itoa(c.Events),
		}
		for _, at := range []int64{c.First, c.Last, c.Opened, c.Updated, c.Acked, c.ClosedAt} {
			text := ""
			if at != 0 {
				text = rfc3339(at)
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	w.Header().Set("Content-Disposition", `attachment; filename="incidents.csv"`)
	replySheet(w, export.Sheet(rows))
}

// replySheet answers CSV for spreadsheets. It begins with a byte order mark: without one Excel reads it in the code page of its system. For
// programs there are NDJSON and the API.
func replySheet(w http.ResponseWriter, rows []byte) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	_, _ = w.Write(append([]byte("\ufeff"), visible(rows)...))
}

// exportNDJSON is the queue as one JSON object a line, as the API has them.
func (s *server) exportNDJSON(w http.ResponseWriter, r *http.Request) {
	cards, err := s.exported(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	var b []byte
	for _, c := range cards {
		line, err := json.Marshal(cardOf(c))
		if err != nil {
			s.problem(w, r, err, "")
			return
		}
		b = append(append(b, line...), '\n')
	}
	w.Header().Set("Content-Disposition", `attachment; filename="incidents.ndjson"`)
	reply(w, http.StatusOK, "application/x-ndjson", b)
}
