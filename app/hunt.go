package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/enrich"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/store"
)

// hunter answers people's searches from the store. Conditions are compiled anew for each question.
type hunter struct {
	db     *store.DB
	tables func() *enrich.Tables
}

// ask makes a search of the store of a question.
func (h hunter) ask(q console.Hunt) (store.Hunt, error) {
	out := store.Hunt{EventFilter: store.EventFilter{From: q.From, To: q.To, Classes: q.Classes, Entity: canonicalEntity(q.Entity), Text: q.Text, Sites: q.Sites, Limit: q.Limit}}
	out.After = store.EventCursor{Time: q.After.Time, ID: q.After.ID}
	for _, name := range q.Classes {
		if _, err := event.ParseClass(name); err != nil {
			return out, fmt.Errorf("%w: %w", console.ErrQuestion, err)
		}
	}
	if strings.TrimSpace(q.Expression) == "" {
		return out, nil
	}
	x, where, issues := expression.CompileWhere(q.Expression)
	if x == nil {
		return out, fmt.Errorf("%w: the expression: %w", console.ErrQuestion, issues[0])
	}
	out.Matching = where
	if !store.Decides(where) {
		m := expression.NewMachine(lookups{h.tables})
		out.Keep = func(e *event.Event) bool { ok, _ := x.Match(m, e); return ok }
		out.Reads = append([]*event.Field{}, x.Fields()...)
	}
	return out, nil
}

// canonicalEntity is an entity as a person writes it, in canonical form where its kind is known.
func canonicalEntity(s string) string {
	kind, key, ok := strings.Cut(s, ":")
	if k := event.EntityKindOf(kind); ok && k != event.EntityNone {
		if canonical := event.CanonicalKey(k, key); canonical != "" {
			return kind + ":" + canonical
		}
	}
	return s
}

// blame says whose fault an error is: the question's, or ours.
func blame(err error) error {
	if errors.Is(err, store.ErrTooMuch) || errors.Is(err, store.ErrFilter) {
		return fmt.Errorf("%w: %w", console.ErrQuestion, err)
	}
	return err
}

// Hunt implements console.Hunter.
func (h hunter) Hunt(ctx context.Context, q console.Hunt) (console.Hunted, error) {
	ask, err := h.ask(q)
	if err != nil {
		return console.Hunted{}, err
	}
	found, err := h.db.Hunt(ctx, ask)
	return console.Hunted{
		Events: found.Events, Next: console.Place{Time: found.Next.Time, ID: found.Next.ID}, Exact: ask.Keep == nil, Examined: found.Examined, Cut: found.Cut,
	}, blame(err)
}

// Counts implements console.Hunter.
func (h hunter) Counts(ctx context.Context, q console.Hunt, width int64) (console.Tally, error) {
	ask, err := h.ask(q)
	if err != nil {
		return console.Tally{}, err
	}
	t, err := h.db.HuntCounts(ctx, ask, width)
	return tallyOf(t), blame(err)
}

// Groups implements console.Hunter.
func (h hunter) Groups(ctx context.Context, q console.Hunt, field string, top int) (console.Tally, error) {
	ask, err := h.ask(q)
	if err != nil {
		return console.Tally{}, err
	}
	t, err := h.db.HuntGroups(ctx, ask, field, top)
	return tallyOf(t), blame(err)
}

func tallyOf(t store.Tally) console.Tally {
	out := console.Tally{Values: t.Values, Total: t.Total, Cut: t.Cut, Since: t.Since}
	for _, b := range t.Buckets {
		out.Buckets = append(out.Buckets, console.Bucket(b))
	}
	for _, g := range t.Groups {
		out.Groups = append(out.Groups, console.Group(g))
	}
	return out
}

// Columns implements console.Hunter.
func (h hunter) Columns() []string {
	out := []string{"class_name", "source", "format", "site"}
	for _, c := range store.Columns() {
		out = append(out, c.Path)
	}
	slices.Sort(out)
	return out
}

// views keeps hunts as documents of the workspace.
type views struct {
	db  *store.DB
	now func() int64
}

// viewKind is the kind of those documents. Views of the queue are of another kind: they are conditions over incidents.
const viewKind = "hunt"

// Views implements console.Views.
func (v views) Views(ctx context.Context) ([]console.View, error) {
	docs, err := v.db.Kept(ctx, viewKind)
	if err != nil {
		return nil, err
	}
	var out []console.View
	for _, d := range docs {
		var x console.View
		if err := json.Unmarshal(d.Body, &x); err != nil {
			return nil, fmt.Errorf("kept hunt %s: %w", d.ID, err)
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b console.View) int { return strings.Compare(a.Title+a.ID, b.Title+b.ID) })
	return out, nil
}

// KeepView implements console.Views. Who was faster does not matter: the last one stays.
func (v views) KeepView(ctx context.Context, x console.View) error {
	body, err := json.Marshal(x)
	if err != nil {
		return err
	}
	old, _, err := v.db.KeptOne(ctx, viewKind, x.ID)
	if err != nil {
		return err
	}
	_, err = v.db.Keep(ctx, store.Doc{Kind: viewKind, ID: x.ID, Body: body, By: x.By, At: v.now()}, old.Revision)
	return err
}
