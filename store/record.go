package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Record keeps what followed from a batch, findings and changes. Recording the same again changes nothing: rows are replaced by id and revision,
// changes by batch and index. There is no mark that a batch has been recorded, since its successor's marker says so: see Tail.
// The incidents of changes are held for a while, see recent: they must not be changed.
func (db *DB) Record(ctx context.Context, batch event.BatchID, findings []incident.Finding, changes []incident.Change) error {
	what := fmt.Sprintf("record what follows from batch %d/%d", batch.Epoch, batch.Number)
	out := incident.Outcome{Findings: findings, Changes: changes}
	b, err := outcomeBlocks(batch, out, db.now().UnixMicro())
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := db.delta.caughtUp(ctx, nil); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	// Whoever reads a change reads the incident it is of.
	for _, together := range [][]*block{{b.findings, b.incidents}, {b.changes}} {
		g, ctx := errgroup.WithContext(ctx)
		for _, b := range together {
			// No token: a revision that a newer program renders anew must replace the old row.
			g.Go(func() error { return db.insertFirm(ctx, what, b, "") })
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	db.told(changes, b.lengths)
	return nil
}

// outcome is an incident.Outcome on its way to its tables.
type outcome struct {
	findings, incidents, changes *block
	lengths                      []int // Of the incidents' documents.
}

func outcomeBlocks(batch event.BatchID, out incident.Outcome, written int64) (b outcome, err error) {
	if b.findings, err = findingBlock(batch, out.Findings, written); err != nil {
		return b, err
	}
	b.incidents, b.lengths, err = incidentBlock(out.Changes, written)
	b.changes = changeBlock(out.Changes, written)
	return b, err
}

// told holds changes that are on the disk now, for those who ask for them next.
func (db *DB) told(changes []incident.Change, lengths []int) {
	for i := range changes {
		db.recent.put(changeAt(&changes[i]), changes[i].Incident, lengths[i])
	}
	db.newest.add(changes, lengths)
}

func findingBlock(batch event.BatchID, findings []incident.Finding, at int64) (*block, error) {
	b := &block{table: "findings"}
	id := add(b, "id", newFixed("FixedString(16)", 16))
	revision := add(b, "revision", newFixed("Int32", 4))
	epoch := add(b, "epoch", newFixed("UInt64", 8))
	number := add(b, "number", newFixed("UInt64", 8))
	written := add(b, "written", newFixed(timeType, 8))
	state := add(b, "state", newLow())
	rule := add(b, "rule", newLow())
	version := add(b, "version", newFixed("Int32", 4))
	title := add(b, "title", newLow())
	shadow := add(b, "shadow", newFixed("Bool", 1))
	severity := add(b, "severity", newFixed("UInt8", 1))
	score := add(b, "score", newFixed("UInt8", 1))
	key := add(b, "key", &text{})
	time := add(b, "time", newFixed(timeType, 8))
	first := add(b, "first", newFixed(timeType, 8))
	seen := add(b, "seen", newFixed(timeType, 8))
	repeats := add(b, "repeats", newFixed("Int32", 4))
	entities := add(b, "entities", newList(newLow()))
	doc := add(b, "doc", &text{})
	for i := range findings {
		f := &findings[i]
		id.addBytes((*[16]byte)(&f.ID))
		revision.add32(uint32(f.Revision))
		epoch.add64(batch.Epoch)
		number.add64(batch.Number)
		written.add64(uint64(at))
		state.add(f.State.String())
		rule.add(f.Rule.ID)
		version.add32(uint32(f.Rule.Version))
		title.add(f.Rule.Title)
		shadow.addBool(f.Shadow)
		severity.add8(uint8(f.Severity))
		score.add8(uint8(f.Score))
		key.add(f.Key)
		time.add64(uint64(f.Time))
		first.add64(uint64(f.First))
		seen.add64(uint64(f.Seen))
		repeats.add32(uint32(f.Repeats))
		addAll(entities, evidenceIDs(f))
		d, err := document(f)
		if err != nil {
			return nil, err
		}
		doc.addBytes(d)
	}
	return b, nil
}

// evidenceIDs are the canonical ids that a finding's evidence names, each once, in order of appearance.
func evidenceIDs(f *incident.Finding) []string {
	var ids []string
	seen := map[string]bool{}
	for _, e := range f.Evidence {
		if e.Event == nil {
			continue
		}
		for _, x := range e.Event.Entities {
			if !seen[x.ID] {
				seen[x.ID] = true
				ids = append(ids, x.ID)
			}
		}
	}
	return ids
}

func addAll(c *list[*low], values []string) {
	for _, v := range values {
		c.of.add(v)
	}
	c.end()
}

// incidentBlock also gives how long each document is.
func incidentBlock(changes []incident.Change, at int64) (*block, []int, error) {
	lengths := make([]int, len(changes))
	b := &block{table: "incidents"}
	id := add(b, "id", newFixed("FixedString(16)", 16))
	revision := add(b, "revision", newFixed("Int32", 4))
	written := add(b, "written", newFixed(timeType, 8))
	status := add(b, "status", newLow())
	verdict := add(b, "verdict", newLow())
	severity := add(b, "severity", newFixed("UInt8", 1))
	score := add(b, "score", newFixed("UInt8", 1))
	title := add(b, "title", &text{})
	owner := add(b, "owner", newLow())
	assignee := add(b, "assignee", newLow())
	times := [4]*fixed{}
	for i, name := range []string{"first", "last", "opened", "updated"} {
		times[i] = add(b, name, newFixed(timeType, 8))
	}
	domains := add(b, "domains", newList(newLow()))
	robots := add(b, "robots", newList(newLow()))
	sites := add(b, "sites", newList(newLow()))
	entities := add(b, "entities", newList(newLow()))
	rules := add(b, "rules", newList(newLow()))
	findings := add(b, "findings", newList(newFixed("FixedString(16)", 16)))
	doc := add(b, "doc", &text{})
	for i := range changes {
		in := changes[i].Incident
		id.addBytes((*[16]byte)(&in.ID))
		revision.add32(uint32(in.Revision))
		written.add64(uint64(at))
		status.add(in.Status.String())
		verdict.add(string(in.Verdict))
		severity.add8(uint8(in.Severity))
		score.add8(uint8(in.Score))
		title.add(in.Title)
		owner.add(in.Owner)
		assignee.add(in.Assignee)
		for j, t := range [4]int64{in.First, in.Last, in.Opened, in.Updated} {
			times[j].add64(uint64(t))
		}
		addAll(domains, in.Domains)
		addAll(robots, in.Robots)
		addAll(sites, in.Sites)
		for j := range in.Entities {
			entities.of.add(in.Entities[j].ID)
		}
		entities.end()
		addAll(rules, ruleIDs(in))
		for j := range in.Findings {
			findings.of.addBytes((*[16]byte)(&in.Findings[j].ID))
		}
		findings.end()
		d, err := document(in)
		if err != nil {
			return nil, nil, err
		}
		doc.addBytes(d)
		lengths[i] = len(d)
	}
	return b, lengths, nil
}

func ruleIDs(in *incident.Incident) []string {
	ids := make([]string, 0, len(in.Findings))
	for i := range in.Findings {
		ids = append(ids, in.Findings[i].Rule.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func changeBlock(changes []incident.Change, at int64) *block {
	b := &block{table: "changes"}
	epoch := add(b, "epoch", newFixed("UInt64", 8))
	number := add(b, "number", newFixed("UInt64", 8))
	idx := add(b, "idx", newFixed("UInt32", 4))
	written := add(b, "written", newFixed(timeType, 8))
	kind := add(b, "kind", newLow())
	fields := add(b, "fields", newList(newLow()))
	actor := add(b, "actor", &text{})
	origin := add(b, "origin", newLow())
	id := add(b, "incident", newFixed("FixedString(16)", 16))
	revision := add(b, "revision", newFixed("Int32", 4))
	for i := range changes {
		c := &changes[i]
		epoch.add64(c.Batch.Epoch)
		number.add64(c.Batch.Number)
		idx.add32(uint32(c.Index))
		written.add64(uint64(at))
		kind.add(string(c.Kind))
		addAll(fields, c.Fields)
		actor.add(c.Actor)
		origin.add(c.Origin)
		id.addBytes((*[16]byte)(&c.Incident.ID))
		revision.add32(uint32(c.Incident.Revision))
	}
	return b
}

func readStrings(rows driver.Rows) ([]string, error) {
	defer rows.Close()
	var list []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}
