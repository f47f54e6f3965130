package kafka_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

func TestWhereANewGroupStarts(t *testing.T) {
	for _, test := range []struct {
		name  string
		start func(middle time.Time) kafka.Start
		from  int
	}{
		{"earliest", func(time.Time) kafka.Start { return kafka.Start{} }, 0},
		{"latest", func(time.Time) kafka.Start { return kafka.Start{Latest: true} }, 10},
		{"a time", func(middle time.Time) kafka.Start { return kafka.Start{At: middle} }, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.topic("logs", 1)
				w.send("logs", 0, 0, 5)
				time.Sleep(time.Minute)
				middle := time.Now()
				time.Sleep(time.Minute)
				w.send("logs", 0, 5, 10)
				set := logs
				set.Start = test.start(middle)
				m := w.join(settings(set))
				w.until("the place is committed", func() bool { return w.committed("logs")[0] == 10 || test.from == 10 && len(w.committed("logs")) == 1 })
				m.leave()
				w.send("logs", 0, 10, 15) // While nobody is there.
				w.join(settings(set))
				w.until("all records", func() bool { return w.count() >= 15-test.from })
				if d := cmp.Diff(map[string][]string{"s-0": numbers(test.from, 15)}, w.values()); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

func TestTheLogsTailWinsOverWhatTheGroupHasCommitted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		w.send("logs", 0, 0, 10)
		m := w.join(settings(logs))
		w.until("ten records", func() bool { return w.count() == 10 })
		m.leave()
		set := settings(logs)
		set.From = func(source string, partition int32) (event.End, bool) {
			return event.End{Offset: 7}, source == "s" && partition == 0
		}
		w.join(set)
		w.until("three of them again", func() bool { return w.count() == 13 })
		if d := cmp.Diff(append(numbers(0, 10), "7", "8", "9"), w.values()["s-0"]); d != "" {
			t.Error(d)
		}
	})
}

func TestATopicMadeAnewStopsWithAnExplanationUntilItIsAccepted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		w.send("logs", 0, 0, 4)
		set := settings(logs)
		set.From = func(source string, _ int32) (event.End, bool) { return event.End{Offset: 10}, source == "s" }
		m := w.join(set)
		<-m.gone
		r, ok := errors.AsType[*kafka.Recreated](m.err)
		if !ok || r.Known != 10 || r.High != 4 || !strings.HasSuffix(m.err.Error(), "tocsin topics accept s") {
			t.Fatalf("Run: %v", m.err)
		}
		if m.fetched == nil || m.fetched.Error() != m.err.Error() {
			t.Errorf("Fetch: %v", m.fetched)
		}
		if w.count() != 0 {
			t.Errorf("%d records handed out", w.count())
		}
		set.Incarnation = func(string) int { return 1 }
		w.join(set)
		w.until("the new topic from its beginning", func() bool { return w.count() == 4 })
		if d := cmp.Diff(map[string][]string{"s#1-0": numbers(0, 4)}, w.values()); d != "" {
			t.Error(d)
		}
	})
}

func TestATopicMadeAnewWhileItIsReadStopsWithAnExplanation(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		w.send("logs", 0, 0, 10)
		m := w.join(settings(logs))
		w.until("ten records", func() bool { return w.count() == 10 })
		if err := w.broker.DeleteTopic("logs"); err != nil {
			t.Fatal(err)
		}
		w.topic("logs", 1)
		w.send("logs", 0, 0, 3)
		<-m.gone
		if _, ok := errors.AsType[*kafka.Recreated](m.err); !ok {
			t.Errorf("Run: %v", m.err)
		}
	})
}

func TestRecordsThatRetentionRemovedAreCountedAndReadingGoesOn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		w.send("logs", 0, 0, 10)
		m := w.join(settings(logs))
		w.until("ten records", func() bool { return w.count() == 10 })
		m.leave()
		w.send("logs", 0, 10, 30)
		if err := w.broker.DeleteRecords("logs", 0, 25); err != nil {
			t.Fatal(err)
		}
		m = w.join(settings(logs))
		w.until("what is left", func() bool { return w.count() == 15 })
		if d := cmp.Diff(append(numbers(0, 10), numbers(25, 30)...), w.values()["s-0"]); d != "" {
			t.Error(d)
		}
		if lost := m.consumer.Status()[0].Lost; lost != 15 || w.diary.count("records are lost") != 1 {
			t.Errorf("%d lost\n%s", lost, w.diary.all())
		}
	})
}
