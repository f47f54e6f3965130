package export

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// columns are the header of the timeline as CSV.
var columns = []string{"happened", "received", "lane", "what", "count", "entities", "class", "step", "finding", "rule", "event", "until"}

// CSV is the timeline of an incident, a row per moment, oldest first. Cells that a spreadsheet might take for a formula begin with an
// apostrophe.
func CSV(in *incident.Incident) []byte {
	rules := map[event.ID]string{}
	for i := range in.Findings {
		rules[in.Findings[i].ID] = in.Findings[i].Rule.ID
	}
	rows := [][]string{columns}
	for _, m := range triage.Timeline(in) {
		row := []string{moment(m.At), moment(m.Seen), m.Lane, m.Text, strconv.Itoa(m.Count), strings.Join(m.Entities, " "), m.Class, m.Step, "", rules[m.Finding], "", ""}
		if !m.Finding.IsZero() {
			row[8] = event.FormatID(event.FindingPrefix, m.Finding)
		}
		if !m.Event.IsZero() {
			row[10] = m.Event.String()
		}
		if m.Until != 0 {
			row[11] = moment(m.Until)
		}
		rows = append(rows, row)
	}
	return Sheet(rows)
}

// Sheet is rows as CSV for spreadsheets: of UTF-8, a line per row, and no cell is a formula.
func Sheet(rows [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = guarded(strings.Join(strings.FieldsFunc(cell, func(r rune) bool { return r == '\n' || r == '\r' }), " "))
		}
		_ = w.Write(cells) // A buffer takes everything.
	}
	w.Flush()
	return b.Bytes()
}

// guarded is a cell that no spreadsheet reckons with: what begins with one of the characters of a formula, also behind blanks and in their
// wide forms, gets an apostrophe.
func guarded(cell string) string {
	first := strings.TrimLeft(cell, " \u00a0\u3000\t\r\n")
	if strings.HasPrefix(cell, "\t") || strings.HasPrefix(cell, "\r") || strings.HasPrefix(cell, "\n") {
		return "'" + cell
	}
	if r, n := utf8.DecodeRuneInString(first); n > 0 && strings.ContainsRune("=+-@|%\uff1d\uff0b\uff0d\uff20", r) {
		return "'" + cell
	}
	return cell
}
