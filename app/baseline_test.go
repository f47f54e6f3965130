package app_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/relay"
)

const remembering = `id: seen
version: 1
title: An operation nobody has seen on the robot
status: shadow
match:
  event: {id: a, class: api_activity, bind: {machine: robot}, new: {value: api.operation, per: [machine], history: 30d}}
`

// asked are operations on a robot, a minute apart.
func asked(robots int) *event.Batch {
	const start = 1_800_000_000_000_000
	b := &event.Batch{}
	for i := range robots * 6 {
		e := event.Event{ClassUID: event.ClassAPI, ActivityID: 1, Time: start + int64(i)*60_000_000, API: &event.API{Operation: fmt.Sprint("op", i%4)}, Robot: &event.Robot{UID: fmt.Sprint("r", i%robots)}}
		e.Envelope.Position = event.Position{Source: "s", Offset: int64(i)}
		e.Envelope.ID = event.PositionID(e.Envelope.Position, 0)
		e.FindEntities()
		b.Events = append(b.Events, e)
	}
	b.Marks = []event.Mark{{Source: "s", Newest: b.Events[len(b.Events)-1].Time}}
	b.Sort()
	return b
}

func TestWhatCorrelateMembersRememberIsReadFromTheCheckpointsOfTheirPartitions(t *testing.T) {
	needEngine(t)
	const partitions, robots = 3, 12
	dir := tempDir(t)
	cfg := app.DefaultConfig()
	cfg.Engine.Dir = filepath.Join(dir, "engine")
	cfg.Rules.Paths = []string{filepath.Join(dir, "rules.yaml")}
	must(t, os.WriteFile(cfg.Rules.Paths[0], []byte(remembering), 0o600))
	cfg.Relay.Partitions = partitions
	core, err := app.NewCore(cfg)
	must(t, err)
	b := asked(robots)
	hits, _ := core.Engine.Match(b)

	db, err := app.OpenDatabase(t.Context(), cfg, discard, nil, nil)
	must(t, err)
	must(t, db.Save(t.Context(), incident.Checkpoint{Batch: event.BatchID{Epoch: 1, Number: 1}, Data: []byte("of a process that did everything, before")}))
	lost := relay.HitPartition(&hits[0], partitions)
	kept := map[string]bool{} // Robots whose partition has a checkpoint.
	for n := range int32(partitions) {
		frame := &relay.Frame{Member: "m", Rules: core.Rules.Hash, Marks: []relay.SentMark{{Mark: b.Marks[0], Generation: 1}}, Roster: []relay.Partitions{{Source: "s", Count: 1}}}
		for i := range hits {
			if relay.HitPartition(&hits[i], partitions) == n {
				frame.Hits = append(frame.Hits, hits[i])
				kept[hits[i].Key] = n != lost
			}
		}
		p := relay.NewPartition(n, core.Rules, correlate.Settings{})
		p.Take(frame, 0, 1)
		data, err := p.Snapshot(nil)
		must(t, err)
		if n == lost {
			data = data[:len(data)-1]
		}
		must(t, db.Save(t.Context(), incident.Checkpoint{Name: relay.PartitionCheckpoint(n), Batch: event.BatchID{Epoch: relay.RoleEpoch, Number: 1}, Data: data}))
	}
	must(t, db.Close())
	core.Engine.Fold(hits, b.Marks)

	for i := range robots {
		robot := fmt.Sprint("robot:r", i)
		fresh, err := app.NewCore(cfg)
		must(t, err)
		got, err := fresh.Baseline(t.Context(), cfg, app.BaselineSettings{Entity: robot})
		must(t, err)
		var want []correlate.Memory
		if kept[robot] {
			want = core.Engine.Recall(robot, "")
			if len(want) != 1 || want[0].Known == 0 {
				t.Fatalf("one process remembers %v of %s", want, robot)
			}
		}
		if diff := cmp.Diff(&app.Baseline{Memories: want, Partitions: partitions, Oldest: b.Marks[0].Newest, Without: []int32{lost}}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", robot, diff)
		}
		if i > 0 && kept[robot] {
			break // One of each kind will do: each opens the store.
		}
	}
	var text bytes.Buffer
	app.WriteBaselineAge(&text, &app.Baseline{Partitions: partitions, Oldest: b.Marks[0].Newest, Without: []int32{lost}})
	if want := fmt.Sprintf("from the checkpoints of 2 partitions of hits, of which the oldest has come to 2027-01-15 09:11:00 UTC; what correlate members took in since is not in them\nwithout one yet, or without one that can be read: 1 partition [%d]; what is remembered there is not shown\n", lost); !strings.HasPrefix(text.String(), want) {
		t.Errorf("said is\n%s\nwant\n%s", text.String(), want)
	}
}
