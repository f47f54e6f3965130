package console

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/access"
)

// auditLimit is how many entries a page shows.
const auditLimit = 200

type auditPage struct {
	layout
	By, Action, Target string // Not Who: that is the layout's.
	Since, Until       string
	Refused            bool
	Entries            []access.Entry
	Next               string // The page behind this one; empty: none.
	Export             string
}

func (s *server) auditRoutes() []route {
	if s.set.Audit == nil {
		return nil
	}
	return []route{
		{"GET /audit", access.Admin, s.auditList},
		{"GET /audit.ndjson", access.Admin, s.auditExport},
	}
}

// auditFilter reads who, what, which, when, refused and after from an address.
func auditFilter(q url.Values) (f access.EntryFilter, err error) {
	f = access.EntryFilter{Who: typed(q.Get("who")), Action: typed(q.Get("action")), Target: typed(q.Get("target")), Refused: q.Get("refused") != ""}
	for _, p := range []struct {
		name string
		to   *int64
	}{{"since", &f.From}, {"until", &f.To}} {
		if text := q.Get(p.name); text != "" {
			if *p.to, err = instant(text); err != nil {
				return f, fmt.Errorf("%w: %s: %w", errBadRequest, p.name, err)
			}
		}
	}
	if text := q.Get("after"); text != "" {
		at, id, _ := strings.Cut(text, "-")
		b, errID := hex.DecodeString(id)
		f.AfterAt, err = strconv.ParseInt(at, 10, 64)
		if err != nil || errID != nil || len(b) != len(f.AfterID) {
			return f, fmt.Errorf("%w: after is not a place in the audit", errBadRequest)
		}
		f.AfterID = [16]byte(b)
	}
	return f, nil
}

// instant reads a time as people write it: RFC 3339, or a day with or without a time, in UTC.
func instant(text string) (int64, error) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.Parse(form, text); err == nil {
			return at.UnixMicro(), nil
		}
	}
	return 0, fmt.Errorf("%q is no time; write it like 2026-11-21T08:00:00Z or 2026-11-21", clip(40, text))
}

func (s *server) auditList(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f, err := auditFilter(q)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	f.Limit = auditLimit
	p := auditPage{
		layout: s.layout(r, "Audit", "audit"), By: f.Who, Action: f.Action, Target: f.Target, Refused: f.Refused, Since: typed(q.Get("since")), Until: typed(q.Get("until")),
	}
	for e, err := range s.set.Audit.Audited(r.Context(), f) {
		if err != nil {
			s.problem(w, r, err, "")
			return
		}
		p.Entries = append(p.Entries, e)
	}
	q.Del("after")
	p.Export = "/audit.ndjson?" + q.Encode()
	if n := len(p.Entries); n == auditLimit {
		last := p.Entries[n-1]
		q.Set("after", strconv.FormatInt(last.At, 10)+"-"+hex.EncodeToString(last.ID[:]))
		p.Next = "/audit?" + q.Encode()
	}
	s.page(w, "audit", http.StatusOK, p)
}

// auditLine is an entry as the export has it.
type auditLine struct {
	ID     string          `json:"id"`
	At     time.Time       `json:"at"`
	Who    string          `json:"who"`
	Via    string          `json:"via"`
	Action string          `json:"action"`
	Target string          `json:"target"`
	From   string          `json:"from"`
	OK     bool            `json:"ok"`
	Detail json.RawMessage `json:"detail,omitempty"`
}

// auditExport is all entries of a filter, one a line. An error in between is a line of its own, the last.
func (s *server) auditExport(w http.ResponseWriter, r *http.Request) {
	f, err := auditFilter(r.URL.Query())
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	w.Header().Set("Content-Disposition", `attachment; filename="tocsin-audit.ndjson"`)
	w.Header().Set("Content-Type", "application/x-ndjson")
	visitOf(r).action = "audit.export"
	for e, err := range s.set.Audit.Audited(r.Context(), f) {
		var line []byte
		if err == nil {
			line, err = json.Marshal(auditLine{hex.EncodeToString(e.ID[:]), time.UnixMicro(e.At).UTC(), e.Who, e.Via, e.Action, e.Target, e.From, e.OK, e.Detail})
		}
		if err != nil {
			s.set.Log.Error("audit export failed", "err", err)
			_, _ = w.Write([]byte(`{"error":"the export ended early; Tocsin's log says why"}` + "\n"))
			return
		}
		if _, err := w.Write(visible(append(line, '\n'))); err != nil {
			return
		}
	}
}
