package app

import (
	"context"
	"fmt"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// FieldsSettings says over which stored events the fields that rules read are counted.
type FieldsSettings struct {
	From, To int64 // Event time in microseconds, from inclusive, to exclusive.
	Sample   int   // Events looked at for each class, the newest first.
	Progress func(engine.Progress)
	Looking  func(class string, i, n int) // Told before each class is read; nil: nobody.
}

// FieldNeed is one field that a step of a rule reads of one class it listens to, and what for.
type FieldNeed struct {
	Rule  string `json:"rule"`
	Step  string `json:"step"`
	Class string `json:"class"`
	Path  string `json:"field"`
	For   string `json:"for"`
}

// FieldUse is a field that is needed, and how many of the events had it.
type FieldUse struct {
	FieldNeed
	Events int `json:"events"`
	Known  int `json:"known"`
}

// FieldNeeds lists what the steps of rules read, without asking events.
func FieldNeeds(set *rules.Set) []FieldNeed {
	uses, _ := fieldUses(set)
	var out []FieldNeed
	for _, u := range inOrder(set, uses) {
		out = append(out, u.FieldNeed)
	}
	return out
}

// Fields counts, over stored events, how often those that each step of the rules listens to have the fields it reads. Each class is read once.
func Fields(ctx context.Context, cfg Config, set *rules.Set, s FieldsSettings) ([]FieldUse, error) {
	uses, classes := fieldUses(set)
	db, err := openKept(ctx, cfg, s.Progress)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	for i, class := range classes {
		if s.Looking != nil {
			s.Looking(class, i, len(classes))
		}
		filter := store.EventFilter{From: s.From, To: s.To, Classes: []string{class}, Limit: s.Sample, NoRaw: true}
		for e, err := range db.Events(ctx, filter) {
			if err != nil {
				return nil, fmt.Errorf("read events of class %s: %w", class, err)
			}
			for j := range uses[class] {
				uses[class][j].count(e)
			}
		}
	}
	return inOrder(set, uses), nil
}

type fieldUse struct {
	FieldUse
	need rules.FieldNeed
}

func (u *fieldUse) count(e *event.Event) {
	u.Events++
	if u.need.Known(e) {
		u.Known++
	}
}

// fieldUses lists what steps read by the class they read it of, and the classes in order of appearance.
func fieldUses(set *rules.Set) (map[string][]fieldUse, []string) {
	uses, classes := map[string][]fieldUse{}, []string(nil)
	for _, r := range set.Rules {
		for _, n := range r.Needs() {
			for _, c := range n.Classes {
				class := c.String()
				if uses[class] == nil {
					classes = append(classes, class)
				}
				for _, f := range n.Fields {
					uses[class] = append(uses[class], fieldUse{FieldUse{FieldNeed: FieldNeed{Rule: r.ID, Step: n.Step, Class: class, Path: f.Path, For: f.For}}, f})
				}
			}
		}
	}
	return uses, classes
}

// inOrder lists uses by rule, step and field.
func inOrder(set *rules.Set, uses map[string][]fieldUse) []FieldUse {
	var out []FieldUse
	for _, r := range set.Rules {
		for _, n := range r.Needs() {
			for _, c := range n.Classes {
				for _, u := range uses[c.String()] {
					if u.Rule == r.ID && u.Step == n.Step {
						out = append(out, u.FieldUse)
					}
				}
			}
		}
	}
	return out
}

// ParseLength reads a length of time as rules write it, such as 24h or 7d, in microseconds.
func ParseLength(text string) (int64, error) { return expression.ParseDuration(text) }
