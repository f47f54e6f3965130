package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/relay"
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

// Baseline is what the modifiers with memory remember of an entity, and as of when.
type Baseline struct {
	Memories   []correlate.Memory
	Rejects    []event.Reject // Records of the inputs that became no events.
	Partitions int            // Of hits, whose checkpoints it is read from; 0: the state of one process, or of files.
	Oldest     int64          // Event time that the oldest of these has come to, microseconds; 0 if one does not know it yet.
	Without    []int32        // Partitions that have no checkpoint, or none that can be read: what they remember is not known.
}

// Baseline tells what is remembered: after the inputs, or as of the end of the store's log, from its newest checkpoint and the batches after it;
// where members in roles use the store, as of the newest checkpoint of each partition of hits. Nothing is written.
func (c *Core) Baseline(ctx context.Context, cfg Config, set BaselineSettings) (*Baseline, error) {
	if set.Rule != "" {
		if _, err := c.rule(set.Rule); err != nil {
			return nil, err
		}
	}
	if len(set.Inputs) > 0 {
		played, err := c.Replay(ctx, ReplaySettings{Inputs: set.Inputs, Received: set.Received})
		if err != nil {
			return nil, err
		}
		return &Baseline{Memories: c.Engine.Recall(set.Entity, set.Rule), Rejects: played.Rejects}, nil
	}
	db, err := openKept(ctx, cfg, set.Progress)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	roles, err := inRoles(ctx, db)
	if err != nil {
		return nil, err
	}
	if roles {
		return c.recallRoles(ctx, db, int32(cfg.Relay.Partitions), set)
	}
	if err := c.recallLog(ctx, db); err != nil {
		return nil, err
	}
	return &Baseline{Memories: c.Engine.Recall(set.Entity, set.Rule)}, nil
}

// inRoles reports whether members in roles use the store: their checkpoints of hits are newer than that of a process that does everything.
func inRoles(ctx context.Context, db *Database) (bool, error) {
	written, err := db.Named().Written(ctx)
	if err != nil {
		return false, err
	}
	var newest time.Time
	for name, at := range written {
		if strings.HasPrefix(name, relay.PartitionPrefix) && at.After(newest) {
			newest = at
		}
	}
	return newest.After(written[""]), nil
}

// recallRoles reads the newest checkpoint of each partition of hits. Rules that it does not know are filled with the past, as the partition's
// owner would. The log after a checkpoint is with the brokers, and is not read.
func (c *Core) recallRoles(ctx context.Context, db *Database, partitions int32, set BaselineSettings) (*Baseline, error) {
	out := &Baseline{Partitions: int(partitions), Oldest: math.MaxInt64}
	for n := range partitions {
		saved, err := db.Named().Latest(ctx, relay.PartitionCheckpoint(n))
		if err != nil {
			return nil, err
		}
		p := relay.NewPartition(n, c.Rules, c.settings)
		if len(saved.Data) > 0 {
			_, err = p.Restore(saved.Data)
		}
		if len(saved.Data) == 0 || err != nil {
			out.Without = append(out.Without, n)
			continue
		}
		if err := c.warmPartition(ctx, db.DB, slog.New(slog.DiscardHandler), p, partitions, nil); err != nil {
			return nil, err
		}
		frontier, _ := p.Frontier()
		out.Oldest = min(out.Oldest, max(0, frontier))
		out.Memories = append(out.Memories, p.Recall(set.Entity, set.Rule)...)
	}
	slices.SortStableFunc(out.Memories, func(a, b correlate.Memory) int { return strings.Compare(a.Rule, b.Rule) })
	return out, nil
}

// recallLog brings the engine to the state of the log's end.
func (c *Core) recallLog(ctx context.Context, db *Database) error {
	saved, err := db.Latest(ctx)
	if err != nil {
		return err
	}
	if err := c.Engine.Resume(ctx, saved, db.Replay); err != nil && !errors.Is(err, correlate.ErrSnapshot) {
		return err
	} else if err != nil {
		saved.Batch.Epoch, saved.Batch.Number = 0, 0 // Folding everything is always right.
	} else if err := c.warm(ctx, db.DB, slog.New(slog.DiscardHandler), nil); err != nil {
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
	Hashed   int               `json:"hashed,omitempty"`
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
		Known: m.Known, Hashed: m.Hashed, Contacts: m.Contacts, Last: moment(m.Last), Passed: moment(m.Passed),
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
		line("values", strconv.Itoa(m.Known)+asHashes(m.Hashed))
		shown := m.Values[:min(len(m.Values), most)]
		for _, v := range shown {
			fmt.Fprintf(&b, "    %s  %s\n", moment(v.Time), plain(v.Value))
		}
		if more := m.Known - len(shown); more > 0 {
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

// asHashes says how many of the values have no text any more.
func asHashes(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of them as hashes, without their text", n)
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func prefixed(with, s string) string {
	if s == "" {
		return ""
	}
	return with + s
}

// WriteBaselineAge says as of when memory is that was read from checkpoints of partitions, and which are missing.
func WriteBaselineAge(w io.Writer, b *Baseline) {
	if b.Partitions == 0 {
		return
	}
	have := b.Partitions - len(b.Without)
	fmt.Fprintf(w, "from the checkpoints of %s of hits", Count(have, "partition"))
	if have > 0 && b.Oldest > 0 {
		fmt.Fprintf(w, ", of which the oldest has come to %s UTC", stamp(b.Oldest))
	}
	fmt.Fprintln(w, "; what correlate members took in since is not in them")
	if len(b.Without) > 0 {
		fmt.Fprintf(w, "without one yet, or without one that can be read: %s %v; what is remembered there is not shown\n", Count(len(b.Without), "partition"), b.Without)
	}
}
