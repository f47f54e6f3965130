package correlate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

var errCrash = errors.New("the process is dead")

// disk is what survives a crash: a log, records and checkpoints in memory. A process dies at one of its steps and then does nothing any more.
type disk struct {
	mu         sync.Mutex
	entries    []incident.Entry
	recorded   event.BatchID
	findings   map[string]string // By id and revision.
	changes    map[string]string // By incident and revision.
	last       map[event.ID]incident.Finding
	checkpoint []incident.Checkpoint
	conflict   string
	small      int // Batches of fewer events are written as one with what follows from them.

	dead  bool
	steps int // Until death; negative: immortal.
}

func newDisk() *disk {
	return &disk{findings: map[string]string{}, changes: map[string]string{}, last: map[event.ID]incident.Finding{}, small: 6, steps: -1}
}

// step is one point at which the process can die.
func (d *disk) step() error {
	if d.dead {
		return errCrash
	}
	if d.steps == 0 {
		d.dead = true
		return errCrash
	}
	d.steps--
	return nil
}

func (d *disk) Append(_ context.Context, e *incident.Entry, settled func() error, follows func() incident.Outcome) (recorded bool, err error) {
	err = d.point() // Died among the rows, while what follows from the batch before is being recorded.
	if err := errors.Join(settled(), err); err != nil {
		return false, err
	}
	runtime.Gosched() // The next batch may be matched meanwhile.
	var out incident.Outcome
	if recorded = len(e.Batch.Events) < d.small; recorded {
		out = follows()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return false, err // Rows are written, but not the marker: the batch does not exist.
	}
	if n := len(d.entries); n > 0 && d.recorded.Less(d.entries[n-1].Batch.ID) {
		d.conflict = fmt.Sprintf("batch %v gets its marker before what follows from %v is recorded", e.Batch.ID, d.entries[n-1].Batch.ID)
	}
	copied := *e
	b := *e.Batch
	b.Events = slices.Clone(b.Events)
	copied.Batch, copied.Hits, copied.Notes = &b, slices.Clone(e.Hits), slices.Clone(e.Notes)
	d.entries = append(d.entries, copied)
	if recorded {
		d.put(out.Findings)
		d.change(out.Changes)
		d.recorded = e.Batch.ID
	}
	return recorded, d.step() // Died between the marker and the answer.
}

func (d *disk) Replay(_ context.Context, after event.BatchID) iter.Seq2[*incident.Entry, error] {
	return func(yield func(*incident.Entry, error) bool) {
		for i := range d.entries {
			e := d.entries[i]
			if !after.Less(e.Batch.ID) {
				continue
			}
			b := *e.Batch
			b.Events, b.Sorted = nil, nil
			e.Batch = &b
			d.mu.Lock()
			err := d.step()
			d.mu.Unlock()
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(&e, nil) {
				return
			}
		}
	}
}

func (d *disk) Claim(context.Context, uint64) error { return d.point() }

func (d *disk) Tail(context.Context) (incident.Tail, error) {
	if len(d.entries) == 0 {
		return incident.Tail{}, d.step()
	}
	b := d.entries[len(d.entries)-1].Batch
	tail := incident.Tail{Batch: b.ID, Received: b.Received, Marks: b.Marks}
	if n := len(d.entries); n > 1 {
		tail.Recorded = d.entries[n-2].Batch.ID // What the store knows: nothing is appended before its predecessor has been recorded.
	}
	ends := map[string]event.End{}
	for _, e := range d.entries {
		for _, end := range e.Batch.Ends {
			if end.Offset > ends[end.Source].Offset {
				ends[end.Source] = end
			}
		}
	}
	for _, end := range ends {
		tail.Ends = append(tail.Ends, end)
	}
	return tail, d.step()
}

func (d *disk) Record(_ context.Context, batch event.BatchID, findings []incident.Finding, changes []incident.Change) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	d.put(findings[:len(findings)/2])
	if len(findings) > 0 {
		if err := d.step(); err != nil {
			return err // Half of it is there; it will be recorded again.
		}
	}
	d.put(findings[len(findings)/2:])
	d.change(changes)
	d.recorded = batch
	return d.step()
}

// put keeps findings; d.mu is held.
func (d *disk) put(findings []incident.Finding) {
	for _, f := range findings {
		d.set(d.findings, fmt.Sprint(f.ID, f.Revision), line(f))
		if f.Revision >= d.last[f.ID].Revision {
			d.last[f.ID] = f
		}
	}
}

// change keeps changes; d.mu is held.
func (d *disk) change(changes []incident.Change) {
	for _, c := range changes {
		d.set(d.changes, fmt.Sprint(c.Incident.ID, c.Incident.Revision), fmt.Sprint(c.Kind, c.Batch, c.Incident.Title))
	}
}

func (d *disk) set(into map[string]string, key, value string) {
	if old, ok := into[key]; ok && old != value {
		d.conflict = fmt.Sprintf("%s was recorded as\n%s\nand then as\n%s", key, old, value)
	}
	into[key] = value
}

// Save takes a checkpoint in pieces beside whatever the process does meanwhile, and can die before each of them: it is one with the last.
func (d *disk) Save(_ context.Context, c incident.Checkpoint) error {
	var data []byte
	for piece := range slices.Chunk(c.Data, len(c.Data)/3+1) {
		if err := d.point(); err != nil {
			return err
		}
		data = append(data, piece...)
		runtime.Gosched()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	c.Data = data
	d.checkpoint = append(d.checkpoint, c)
	return d.step()
}

func (d *disk) point() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.step()
}

func (d *disk) Latest(context.Context) (incident.Checkpoint, error) {
	if err := d.step(); err != nil || len(d.checkpoint) == 0 {
		return incident.Checkpoint{}, err
	}
	return d.checkpoint[len(d.checkpoint)-1], nil
}

// stitcher makes one change of every finding's revision: enough to see whether state, order and revisions survive.
type stitcher struct{ Revisions map[string]int32 }

func (s *stitcher) Apply(findings []incident.Finding, _ []event.Note, batch event.BatchID, now int64) []incident.Change {
	var out []incident.Change
	for _, f := range findings {
		s.Revisions[f.ID.String()]++
		in := &incident.Incident{ID: f.ID, Revision: s.Revisions[f.ID.String()], Title: line(f), Updated: now}
		out = append(out, incident.Change{Batch: batch, Kind: incident.ChangeUpdated, Incident: in})
	}
	return out
}

func (s *stitcher) Act(a incident.Action, batch event.BatchID) ([]incident.Change, error) {
	s.Revisions[a.Incident.String()]++
	in := &incident.Incident{ID: a.Incident, Revision: s.Revisions[a.Incident.String()], Title: a.Text}
	return []incident.Change{{Batch: batch, Kind: incident.ChangeUpdated, Incident: in}}, nil
}

func (s *stitcher) Snapshot(b []byte) ([]byte, error) {
	j, err := json.Marshal(s)
	return append(b, j...), err
}

func (s *stitcher) Restore(b []byte) error {
	s.Revisions = map[string]int32{}
	return json.Unmarshal(b, s)
}

// feed is a source in three partitions that can be read again from any offset.
type feed struct{ events []event.Event }

// deliver runs a worker from the log's end to the end of the feed, or to its death.
func (f *feed) deliver(r *rand.Rand, set *rules.Set, d *disk, committed map[string]int64) error {
	w := correlate.NewWorker(correlate.WorkerSettings{
		Engine: correlate.New(set, correlate.Settings{}), Stitcher: &stitcher{Revisions: map[string]int32{}},
		Log: d, Records: d, Checkpoints: d, Tables: func() string { return "tables" },
		Every: []int64{1, 3, 1 << 40}[r.IntN(3)], Slog: slog.New(slog.DiscardHandler),
	})
	w.StageBytes([]int64{1, 5000, 1 << 40}[r.IntN(3)])
	tail, err := w.Recover(context.Background())
	if err != nil {
		w.Stop(context.Background())
		return err
	}
	marks := []event.Mark{{Source: "s0"}, {Source: "s1"}, {Source: "s2"}}
	if len(tail.Marks) > 0 {
		marks = slices.Clone(tail.Marks)
	}
	next := 0 // The whole feed is fetched again from a place at or before what was committed.
	for i := range f.events {
		p := f.events[i].Envelope.Position
		if p.Offset >= committed[p.Source] {
			next = i
			break
		}
		next = i + 1
	}
	next = max(0, next-r.IntN(5))
	received := tail.Received
	under := &flow{w: w, r: r}
	for next < len(f.events) {
		n := min(1+r.IntN(12), len(f.events)-next)
		b := &event.Batch{Events: slices.Clone(f.events[next : next+n])}
		ends := map[string]int64{}
		for _, e := range b.Events {
			newest(marks, e.Envelope.Position.Source, e.Time)
			ends[e.Envelope.Position.Source] = e.Envelope.Position.Offset + 1
		}
		for source, end := range ends {
			b.Ends = append(b.Ends, event.End{Source: source, Offset: end})
		}
		b.Marks = slices.Clone(marks)
		received++
		b.Received = received
		commits := r.IntN(3) == 0
		err := under.hand(b, func() {
			if commits {
				maps.Copy(committed, ends)
			}
		})
		if err != nil {
			w.Stop(context.Background())
			return err
		}
		next += n
	}
	err = under.end()
	w.Stop(context.Background())
	return err
}

func TestNoCrashLosesARecordOrRecordsOneTwiceOrChangesAFinding(t *testing.T) {
	set := &rules.Set{Rules: lawfulSet(t)}
	for range rounds(100) {
		seed := seedOf()
		r := rand.New(rand.NewPCG(seed, 9))
		events := slices.Concat(arrival(r, randomEvents(r, 60+r.IntN(60)), 180_000_000)...)
		offsets := map[string]int64{}
		for i := range events { // Offsets count in order of arrival, as in a topic.
			p := &events[i].Envelope.Position
			p.Offset = offsets[p.Source]
			offsets[p.Source]++
		}
		for _, source := range []string{"s0", "s1", "s2"} { // The end of input: everything becomes final.
			e := event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: start + 86400_000_000, API: &event.API{Operation: "end"}}
			e.Envelope.Position = event.Position{Source: source, Offset: offsets[source]}
			e.Envelope.ID = event.NewID("end", source)
			events = append(events, e)
		}
		f := &feed{events: events}
		calm := newDisk()
		if err := f.deliver(rand.New(rand.NewPCG(seed, 10)), set, calm, map[string]int64{}); err != nil {
			t.Fatal(err)
		}
		d, committed, lives := newDisk(), map[string]int64{}, 0
		for {
			d.dead, d.steps = false, 1+r.IntN(60)
			if lives++; lives > 40 {
				d.steps = -1
			}
			if f.deliver(r, set, d, committed) == nil && !d.dead {
				break
			}
		}
		seen := map[event.ID]int{}
		for _, e := range d.entries {
			for i := range e.Batch.Events {
				seen[e.Batch.Events[i].Envelope.ID]++
			}
		}
		for i := range events {
			if n := seen[events[i].Envelope.ID]; n != 1 {
				t.Fatalf("seed %d: event %d is %d times in the log after %d lives", seed, i, n, lives)
			}
		}
		if d.conflict != "" {
			t.Fatalf("seed %d: after %d lives %s", seed, lives, d.conflict)
		}
		if diff := cmp.Diff(standing(calm), standing(d)); diff != "" {
			t.Fatalf("seed %d: findings differ after %d lives (-calm +crashed):\n%s", seed, lives, diff)
		}
	}
}

func standing(d *disk) []string {
	var all []incident.Finding
	for _, f := range d.last {
		f.Revision = 1
		all = append(all, f)
	}
	return outcome(all)
}

func TestADamagedCheckpointOnlyCostsTime(t *testing.T) {
	set := &rules.Set{Rules: lawfulSet(t)}
	r := rand.New(rand.NewPCG(11, 11))
	events := randomEvents(r, 120)
	slices.SortFunc(events, func(a, b event.Event) int { return int(a.Time - b.Time) })
	offsets := map[string]int64{}
	for i := range events {
		p := &events[i].Envelope.Position
		p.Offset = offsets[p.Source]
		offsets[p.Source]++
	}
	half := &feed{events: events[:60]}
	d := newDisk()
	if err := half.deliver(r, set, d, map[string]int64{}); err != nil {
		t.Fatal(err)
	}
	last := &d.checkpoint[len(d.checkpoint)-1]
	last.Data[len(last.Data)/2] ^= 1
	whole := &feed{events: events}
	if err := whole.deliver(r, set, d, map[string]int64{}); err != nil {
		t.Fatal(err)
	}
	calm := newDisk()
	if err := whole.deliver(r, set, calm, map[string]int64{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(standing(calm), standing(d)); diff != "" || d.conflict != "" {
		t.Errorf("%s\n%s", diff, d.conflict)
	}
}
