package console

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

type ruleEditorPage struct {
	layout
	RuleAttempt
	From   string // The rule that the text was taken from; empty: a new one.
	Trial  *RuleTrial
	Passed int
	Lines  int
	Differ []diffLine // From the rule in force that it was taken from.
}

// newRule is what an empty editor begins with.
const newRule = `id: my-0001
version: 1
title: What happened, in one line
description: Why this matters, and what it looks like.
severity: medium
status: shadow
owner: it
response: What somebody should do first.
match:
  sequence:
    - id: refused
      class: authentication.logon
      where: status == "Failure"
      bind: {person: user}
      at_least: 5
    - id: entry
      class: authentication.logon
      where: status == "Success"
      bind: {person: user}
  within: 10m
lateness: 5m
throttle: {per: [person], for: 1h}
tests:
  - name: five refusals, then a success
    events:
      - {at: 0s, class: authentication.logon, status: Failure, user: {name: eve}}
      - {at: 10s, class: authentication.logon, status: Failure, user: {name: eve}}
      - {at: 20s, class: authentication.logon, status: Failure, user: {name: eve}}
      - {at: 30s, class: authentication.logon, status: Failure, user: {name: eve}}
      - {at: 40s, class: authentication.logon, status: Failure, user: {name: eve}}
      - {at: 50s, class: authentication.logon, status: Success, user: {name: eve}}
    fires: [{at: 50s, vars: {person: eve}}]
  - name: four refusals stay silent
    events:
      - {at: 0s, class: authentication.logon, status: Failure, user: {name: eve}}
      - {at: 10s, class: authentication.logon, status: Failure, user: {name: eve}}
      - {at: 20s, class: authentication.logon, status: Failure, user: {name: eve}}
      - {at: 30s, class: authentication.logon, status: Failure, user: {name: eve}}
      - {at: 50s, class: authentication.logon, status: Success, user: {name: eve}}
    fires: []
`

// ruleEditor shows the text of a rule, or of a new one.
func (s *server) ruleEditor(w http.ResponseWriter, r *http.Request) {
	p := ruleEditorPage{layout: s.layout(r, "Rule editor", "rules"), From: typed(r.URL.Query().Get("id"))}
	p.Text = newRule
	if p.From != "" {
		sheet, err := s.set.Rules.Rule(r.Context(), p.From)
		if err != nil {
			s.problem(w, r, err, "")
			return
		}
		p.Text = sheet.Text
	}
	s.editor(w, p)
}

func (s *server) editor(w http.ResponseWriter, p ruleEditorPage) {
	p.Lines = 12
	for _, c := range p.Text {
		if c == '\n' && p.Lines < 48 {
			p.Lines++
		}
	}
	if p.Trial != nil {
		for _, t := range p.Trial.Tests {
			if t.Passed {
				p.Passed++
			}
		}
	}
	s.page(w, "rule-editor", http.StatusOK, p)
}

// ruleTry carries out what the editor's buttons ask for and shows the text with what came of it. Nothing is kept.
func (s *server) ruleTry(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRuleTry)
	if err := r.ParseForm(); err != nil {
		s.problem(w, r, fmt.Errorf("%w: the form cannot be read: %w", errBadRequest, err), "")
		return
	}
	p := ruleEditorPage{layout: s.layout(r, "Rule editor", "rules"), From: typed(r.PostForm.Get("from"))}
	p.RuleAttempt = RuleAttempt{Text: plainLines(r.PostForm.Get("text")), Records: plainLines(r.PostForm.Get("records")), Format: r.PostForm.Get("format")}
	var err error
	if days := r.PostForm.Get("days"); r.PostForm.Get("do") == "backtest" {
		p.Days, err = numberIn(days, 1, maxRuleDays)
	}
	if err == nil {
		p.Trial, err = s.try(r, p.RuleAttempt)
	}
	if err == nil && p.From != "" {
		p.Differ, err = s.differs(r, p.From, p.Text)
	}
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	s.editor(w, p)
}

// differs tells how a text differs from that of the rule it was taken from; nothing where that rule is gone.
func (s *server) differs(r *http.Request, id, text string) ([]diffLine, error) {
	sheet, err := s.set.Rules.Rule(r.Context(), id)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return lineDiff(strings.TrimRight(plainLines(sheet.Text), "\n"), strings.TrimRight(text, "\n")), nil
}

// plainLines ends lines as files do; browsers send both characters.
func plainLines(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] != '\r' || i+1 == len(s) || s[i+1] != '\n' {
			out = append(out, s[i])
		}
	}
	return string(out)
}

func (s *server) try(r *http.Request, t RuleAttempt) (*RuleTrial, error) {
	if len(t.Text) > maxRuleText {
		return nil, fmt.Errorf("%w: the text has %d bytes; at most %d fit: try fewer rules at once", errBadRequest, len(t.Text), maxRuleText)
	}
	if t.Days < 0 || t.Days > maxRuleDays {
		return nil, fmt.Errorf("%w: days are from 1 to %d", errBadRequest, maxRuleDays)
	}
	return s.set.Rules.Try(r.Context(), t)
}

// apiRuleTry is the editor for programs: {text, records, format, days}.
func (s *server) apiRuleTry(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Text    string `json:"text"`
		Records string `json:"records"`
		Format  string `json:"format"`
		Days    int    `json:"days"`
	}
	body, err := jsonBody(w, r, maxRuleTry)
	if err == nil {
		err = refused(strictly(body, &asked))
	}
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	trial, err := s.try(r, RuleAttempt(asked))
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	apiReply(w, http.StatusOK, trial)
}
