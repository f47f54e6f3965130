package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// BaselineSettings says whose memory is asked for.
type BaselineSettings struct {
	Entity   string        // Canonical id, or the key behind its kind.
	Rule     string        // "" for all.
	Inputs   []ReplayInput // Files that are folded; empty: the configured store.
	Received int64
	Progress func(engine.Progress)
}

// Baseline gives what the modifiers with memory remember of an entity: after the inputs, or as of the end of the store's log, from its newest
// checkpoint and the batches after it. Nothing is written.
func (c *Core) Baseline(ctx context.Context, cfg Config, set BaselineSettings) ([]correlate.Memory, error) {
	if set.Rule != "" && c.Rules.Rule(set.Rule) == nil {
		var ids []string
		for _, x := range c.Rules.Rules {
			ids = append(ids, x.ID)
		}
		return nil, fmt.Errorf("there is no rule %q; %s", set.Rule, suggestion(set.Rule, ids))
	}
	var err error
	if len(set.Inputs) > 0 {
		_, err = c.Replay(ctx, ReplaySettings{Inputs: set.Inputs, Received: set.Received})
	} else {
		err = c.recallStore(ctx, cfg, set.Progress)
	}
	if err != nil {
		return nil, err
	}
	return c.Engine.Recall(set.Entity, set.Rule), nil
}

// recallStore brings the engine to the state of the log's end.
func (c *Core) recallStore(ctx context.Context, cfg Config, progress func(engine.Progress)) error {
	log := slog.New(slog.DiscardHandler)
	db, err := OpenDatabase(ctx, cfg, log, nil, progress)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	saved, err := db.Latest(ctx)
	if err != nil {
		return err
	}
	state, err := correlate.EngineState(saved.Data)
	if err == nil {
		err = c.Engine.Restore(state)
	}
	if err != nil {
		saved.Batch.Epoch, saved.Batch.Number = 0, 0 // Folding everything is always right.
	} else if err := c.warm(ctx, db.DB, log); err != nil {
		return err
	}
	for e, err := range db.Replay(ctx, saved.Batch) {
		if err != nil {
			return err
		}
		c.Engine.Fold(e.Hits, e.Batch.Marks)
	}
	return nil
}

// BaselineRow is one memory as `tocsin baseline show --json` prints it. Times are RFC 3339, lengths as rules write them; what does not apply is
// left out.
type BaselineRow struct {
	Rule     string            `json:"rule"`
	Step     string            `json:"step"`
	Modifier string            `json:"modifier"`
	Per      map[string]string `json:"per"`
	Family   bool              `json:"family,omitempty"`
	Since    string            `json:"since,omitempty"`
	Learning string            `json:"learning_until,omitempty"`
	Known    int               `json:"known,omitempty"`
	Values   []BaselineValue   `json:"values,omitempty"`
	Amount   *float64          `json:"amount,omitempty"`
	Usual    *float64          `json:"usual,omitempty"`
	Spread   *float64          `json:"deviation,omitempty"`
	Contacts int               `json:"contacts,omitempty"`
	Gap      string            `json:"gap,omitempty"`
	Jitter   *float64          `json:"jitter,omitempty"`
	Last     string            `json:"last,omitempty"`
	Passed   string            `json:"passed,omitempty"`
}

// BaselineValue is a value and when it was last seen.
type BaselineValue struct {
	Value string `json:"value"`
	Last  string `json:"last,omitempty"`
}

// Row is a memory for output.
func Row(m *correlate.Memory) BaselineRow {
	row := BaselineRow{
		Rule: m.Rule, Step: m.Step, Modifier: m.Modifier, Per: map[string]string{}, Family: m.Family, Since: moment(m.Since), Learning: moment(m.Learning),
		Known: m.Known, Contacts: m.Contacts, Last: moment(m.Last), Passed: moment(m.Passed),
	}
	for _, p := range m.Per {
		row.Per[p.Name] = p.Value
	}
	for _, v := range m.Values {
		row.Values = append(row.Values, BaselineValue{v.Value, moment(v.Time)})
	}
	if m.Baseline {
		row.Amount, row.Usual, row.Spread = &m.Amount, &m.Usual, &m.Deviation
	}
	if m.Gap > 0 {
		row.Gap, row.Jitter = (time.Duration(m.Gap) * time.Microsecond).String(), &m.Jitter
	}
	return row
}

// moment writes an event time; "" for none.
func moment(micros int64) string {
	if micros == 0 {
		return ""
	}
	return time.UnixMicro(micros).UTC().Format(time.RFC3339)
}

// WriteMemory writes a memory for people.
func WriteMemory(w io.Writer, m *correlate.Memory) error {
	const most = 20
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  %s", m.Rule, m.Step, m.Modifier)
	for _, p := range m.Per {
		fmt.Fprintf(&b, "  %s=%s", p.Name, plain(p.Value))
	}
	b.WriteByte('\n')
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %-10s %s\n", name, text)
		}
	}
	line("since", moment(m.Since))
	line("learning", prefixed("until ", moment(m.Learning)))
	if m.Known > 0 {
		line("values", strconv.Itoa(m.Known))
		for _, v := range m.Values[:min(len(m.Values), most)] {
			fmt.Fprintf(&b, "    %s  %s\n", moment(v.Time), plain(v.Value))
		}
		if more := m.Known - most; more > 0 {
			fmt.Fprintf(&b, "    … and %d more\n", more)
		}
	}
	if m.Baseline {
		line("now", number(m.Amount))
		line("usual", number(m.Usual)+", deviation "+number(m.Deviation))
	}
	if m.Contacts > 0 {
		line("contacts", strconv.Itoa(m.Contacts))
	}
	if m.Gap > 0 {
		line("gap", (time.Duration(m.Gap)*time.Microsecond).String()+", jitter "+strconv.FormatFloat(m.Jitter, 'f', 2, 64))
	}
	line("last", moment(m.Last))
	line("passed", moment(m.Passed))
	_, err := io.WriteString(w, b.String())
	return err
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func prefixed(with, s string) string {
	if s == "" {
		return ""
	}
	return with + s
}
