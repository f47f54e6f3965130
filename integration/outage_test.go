package integration_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/integration/broker"
)

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

// TestAReaderGoesOnAfterTheBrokerWasKilledStoppedAndPaused reads while a Java producer writes and the broker comes and goes.
func TestAReaderGoesOnAfterTheBrokerWasKilledStoppedAndPaused(t *testing.T) {
	const perPhase = 2000
	b := broker.Start(t)
	b.CreateTopic("records", 1, nil)
	p := b.Producer("records", nil, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	r := open(t, connect(t, b), "records", kafka.Earliest)
	phases := []struct {
		name      string
		happen    func()
		recovered func()
	}{
		{"killed", b.Kill, b.Restart},
		{"stopped", b.Stop, b.Restart},
		{"paused for three times the watchdog's patience", b.Pause, func() { <-time.After(3 * time.Second); b.Resume() }},
	}
	type read struct {
		messages []kafka.Message
		err      error
	}
	done := make(chan read, 1)
	go func() {
		var all read
		for r.Offset() < perPhase*int64(len(phases)) && all.err == nil {
			all.messages, all.err = r.Read(ctx, all.messages, 100*time.Millisecond)
		}
		done <- all
	}()
	var want []string
	for number, phase := range phases {
		for i := range perPhase {
			if i == perPhase/2 {
				p.Flush()
				phase.happen()
			}
			p.Send(broker.Record{Value: fmt.Append(nil, number, i)})
		}
		phase.recovered()
		p.Flush()
		t.Logf("the broker was %s and is back", phase.name)
	}
	for _, ack := range p.Close() {
		want = append(want, fmt.Sprintf("%d \"\"=%q", ack.Offset, fmt.Append(nil, ack.Index/perPhase, ack.Index%perPhase)))
	}
	got := <-done
	if got.err != nil {
		t.Fatalf("at offset %d: %v; %+v", r.Offset(), got.err, r.Stats())
	}
	if diff := cmp.Diff(want, values(got.messages)); diff != "" {
		t.Errorf("(-acknowledged +read):\n%s", diff)
	}
	if stats := r.Stats(); stats.Gaps != 0 || stats.Faults != 0 || stats.Reconnects == 0 {
		t.Errorf("the reader counts %+v", stats)
	} else {
		t.Logf("read all %d records once: %+v", len(want), stats)
	}
}
