package app

import (
	"encoding/json"
	"io"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
)

type refJSON struct {
	Event   string `json:"event"`
	Time    int64  `json:"time"` // Milliseconds since 1970.
	Source  string `json:"source"`
	Summary string `json:"summary"`
}

type missJSON struct {
	refJSON
	Reasons []string `json:"reasons"`
}

type stepJSON struct {
	ID       string     `json:"id"`
	Classes  []string   `json:"classes"`
	Where    string     `json:"where,omitempty"`
	Seen     int        `json:"seen"`
	Matched  int        `json:"matched"`
	False    int        `json:"false"`
	Failed   int        `json:"failed"`
	Unbound  int        `json:"unbound"`
	Excepted int        `json:"excepted"`
	Hits     []refJSON  `json:"hits"`
	Misses   []missJSON `json:"misses"`
}

type fateJSON struct {
	Time   int64     `json:"time"`
	Kind   string    `json:"kind"`
	Text   string    `json:"text"`
	Key    string    `json:"key,omitempty"`
	Near   bool      `json:"near"`
	Events []refJSON `json:"events"`
	By     *refJSON  `json:"by,omitempty"`
}

type readJSON struct {
	Text  string  `json:"text"`
	Value *string `json:"value"` // null: unknown.
}

type evidenceJSON struct {
	Step string `json:"step"`
	refJSON
	Read []readJSON `json:"read"`
}

type guardJSON struct {
	ID   string    `json:"id"`
	From int64     `json:"from"`
	To   int64     `json:"to"`
	Hits []refJSON `json:"hits"`
}

type explanationJSON struct {
	Rule     string            `json:"rule"`
	Version  int32             `json:"version"`
	Title    string            `json:"title"`
	Steps    []stepJSON        `json:"steps"`
	Fates    []fateJSON        `json:"fates"`
	More     int               `json:"more,omitempty"`
	Evidence []evidenceJSON    `json:"evidence,omitempty"`
	Guards   []guardJSON       `json:"guards,omitempty"`
	Findings []json.RawMessage `json:"findings"`
}

func asRef(r *event.Ref) refJSON {
	return refJSON{Event: r.Event.String(), Time: r.Time / 1000, Source: r.Source, Summary: r.Summary}
}

func asRefs(list []*event.Ref) []refJSON {
	out := make([]refJSON, 0, len(list))
	for _, r := range list {
		out = append(out, asRef(r))
	}
	return out
}

func asFate(f *correlate.Fate) fateJSON {
	out := fateJSON{Time: f.At / 1000, Kind: f.Kind, Text: f.Text, Key: f.Key, Near: f.Near, Events: asRefs(f.Events)}
	if f.By != nil {
		out.By = new(asRef(f.By))
	}
	return out
}

func asRead(list []expression.Operand) []readJSON {
	out := make([]readJSON, 0, len(list))
	for _, o := range list {
		r := readJSON{Text: o.Text}
		if o.Known {
			r.Value = new(o.Value)
		}
		out = append(out, r)
	}
	return out
}

func asExplanation(x *correlate.Explanation) explanationJSON {
	out := explanationJSON{Rule: x.Rule.ID, Version: x.Rule.Version, Title: x.Rule.Title, More: x.More, Fates: []fateJSON{}, Findings: []json.RawMessage{}}
	for i := range x.Steps {
		s := &x.Steps[i]
		step := stepJSON{
			ID: s.ID, Classes: s.Classes, Where: s.Where, Seen: s.Seen, Matched: s.Matched, False: s.False, Failed: s.Failed, Unbound: s.Unbound,
			Excepted: s.Excepted, Hits: asRefs(s.Hits), Misses: []missJSON{},
		}
		for _, m := range s.Misses {
			step.Misses = append(step.Misses, missJSON{asRef(m.Ref), m.Reasons})
		}
		out.Steps = append(out.Steps, step)
	}
	for i := range x.Fates {
		out.Fates = append(out.Fates, asFate(&x.Fates[i]))
	}
	for _, v := range x.Evidence {
		out.Evidence = append(out.Evidence, evidenceJSON{v.Step, asRef(v.Ref), asRead(v.Read)})
	}
	for _, g := range x.Guards {
		out.Guards = append(out.Guards, guardJSON{g.ID, g.From / 1000, g.To / 1000, asRefs(g.Hits)})
	}
	for i := range x.Findings {
		out.Findings = append(out.Findings, incident.AppendFinding(nil, &x.Findings[i]))
	}
	return out
}

// WriteExplanationJSON writes an explanation of a rule as one line of JSON. Times are milliseconds since 1970.
func WriteExplanationJSON(w io.Writer, x *correlate.Explanation) error {
	return json.NewEncoder(w).Encode(asExplanation(x))
}

// WriteEventExplanationJSON writes an explanation of an event as one line of JSON.
func WriteEventExplanationJSON(w io.Writer, x *EventExplanation) error {
	all := func(list []correlate.Explanation) []explanationJSON {
		out := []explanationJSON{}
		for i := range list {
			out = append(out, asExplanation(&list[i]))
		}
		return out
	}
	return json.NewEncoder(w).Encode(struct {
		Event refJSON           `json:"event"`
		Hit   []explanationJSON `json:"hit"`
		Miss  []explanationJSON `json:"miss"`
		Deaf  int               `json:"other_rules"`
	}{asRef(event.RefOf(x.Event)), all(x.Hit), all(x.Miss), x.Deaf})
}

// WriteFindingExplanationJSON writes an explanation of a finding as one line of JSON.
func WriteFindingExplanationJSON(w io.Writer, x *FindingExplanation) error {
	out := struct {
		Finding     json.RawMessage  `json:"finding"`
		Unexplained string           `json:"unexplained,omitempty"`
		Explanation *explanationJSON `json:"explanation,omitempty"`
	}{Finding: incident.AppendFinding(nil, x.Finding), Unexplained: x.Foreign}
	if x.Explanation != nil {
		out.Explanation = new(asExplanation(x.Explanation))
	}
	return json.NewEncoder(w).Encode(out)
}

// WriteNearJSON writes near misses, one a line.
func WriteNearJSON(w io.Writer, list []correlate.Explanation) error {
	enc := json.NewEncoder(w)
	for i := range list {
		for j := range list[i].Fates {
			if err := enc.Encode(struct {
				Rule    string `json:"rule"`
				Version int32  `json:"version"`
				Title   string `json:"title"`
				fateJSON
			}{list[i].Rule.ID, list[i].Rule.Version, list[i].Rule.Title, asFate(&list[i].Fates[j])}); err != nil {
				return err
			}
		}
	}
	return nil
}
