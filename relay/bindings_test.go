package relay_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/relay"
)

// pupil is an enricher that remembers in what order it was called. It has one piece of memory for what it learned, as enrichment has.
type pupil struct {
	t       *testing.T
	busy    atomic.Bool
	calls   []string
	journal []byte
	refuse  string
}

func (p *pupil) begin() func() {
	if p.busy.Swap(true) {
		p.t.Error("two calls at once")
	}
	return func() { p.busy.Store(false) }
}

func (p *pupil) Enrich(b *event.Batch) {
	defer p.begin()()
	p.calls = append(p.calls, "batch")
	p.journal = append(p.journal[:0], "mine"...)
	b.Learned = p.journal
}

func (p *pupil) Relearn(learned []byte) error {
	defer p.begin()()
	if string(learned) == p.refuse {
		return errors.New("damaged")
	}
	p.calls = append(p.calls, string(learned))
	p.journal = append(p.journal[:0], "XXXX"...)
	return nil
}

// topic is tocsin.bindings in memory: one message at a time, then whatever end says.
type topic struct {
	values [][]byte
	end    func() error
}

func (t *topic) Read(context.Context) ([][]byte, bool, error) {
	if len(t.values) == 0 {
		return nil, true, t.end()
	}
	v := t.values[:1]
	t.values = t.values[1:]
	return v, len(t.values) == 0, nil
}

func lesson(member, learned string) []byte {
	return relay.AppendLesson(nil, &relay.Lesson{Member: member, Learned: []byte(learned)})
}

func TestAMemberBeginsWithAllThatWasEverToldAlsoByItselfBeforeItWasStartedAgain(t *testing.T) {
	p := &pupil{t: t}
	x := relay.NewBindings("me", p, slog.New(slog.DiscardHandler))
	if err := x.Prime(t.Context(), &topic{values: [][]byte{lesson("me", "a"), lesson("other", "b"), lesson("me", "c")}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a", "b", "c"}, p.calls); d != "" {
		t.Error(d)
	}
}

func TestAnEmptyTopicHoldsNobodyUp(t *testing.T) {
	x := relay.NewBindings("me", &pupil{t: t}, slog.New(slog.DiscardHandler))
	if err := x.Prime(t.Context(), &topic{end: func() error { return nil }}); err != nil || x.Taken() != 0 {
		t.Errorf("%v, %d lessons", err, x.Taken())
	}
}

func TestLaterOnlyWhatOthersLearnedIsTakenInAndNeverDuringABatch(t *testing.T) {
	p := &pupil{t: t}
	x := relay.NewBindings("me", p, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	from := &topic{end: func() error { cancel(); return nil }}
	for range 200 {
		from.values = append(from.values, lesson("me", "own"), lesson("other", "theirs"))
	}
	done := make(chan error, 1)
	go func() { done <- x.Listen(ctx, from) }()
	for range 200 {
		x.Enrich(&event.Batch{}) // The pupil complains of two calls at once.
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	theirs := 0
	for _, c := range p.calls {
		switch c {
		case "theirs":
			theirs++
		case "own":
			t.Fatal("a member learned its own bindings twice")
		}
	}
	if theirs != 200 || x.Taken() != 200 {
		t.Errorf("%d lessons were taken in, and %d counted, of 200", theirs, x.Taken())
	}
}

func TestWhatABatchLearnedStaysAsItIsWhenALessonComesBeforeItIsSent(t *testing.T) {
	x := relay.NewBindings("me", &pupil{t: t}, slog.New(slog.DiscardHandler))
	b := &event.Batch{}
	x.Enrich(b)
	ctx, cancel := context.WithCancel(t.Context())
	if err := x.Listen(ctx, &topic{values: [][]byte{lesson("other", "theirs")}, end: func() error { cancel(); return nil }}); err != nil {
		t.Fatal(err)
	}
	if string(b.Learned) != "mine" {
		t.Errorf("the batch now says that it learned %q", b.Learned)
	}
}

func TestADamagedLessonCostsNoMore(t *testing.T) {
	var log strings.Builder
	p := &pupil{t: t, refuse: "bad"}
	x := relay.NewBindings("me", p, slog.New(slog.NewTextHandler(&log, nil)))
	damaged := lesson("other", "a")
	damaged[len(damaged)-1]++
	if err := x.Prime(t.Context(), &topic{values: [][]byte{damaged, lesson("other", "bad"), lesson("other", "b")}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"b"}, p.calls); d != "" {
		t.Error(d)
	}
	if x.Refused() != 2 || strings.Count(log.String(), "refused") != 2 {
		t.Errorf("%d refused; the log says\n%s", x.Refused(), log.String())
	}
}

func TestReadingThatFailsEndsListening(t *testing.T) {
	broken := errors.New("broken")
	x := relay.NewBindings("me", &pupil{t: t}, slog.New(slog.DiscardHandler))
	if err := x.Listen(t.Context(), &topic{end: func() error { return broken }}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := x.Prime(t.Context(), &topic{end: func() error { return broken }}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func FuzzLessonsAreReadWithoutPanic(f *testing.F) {
	f.Add(lesson("me", "a"))
	f.Add([]byte("TCBN"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := relay.ReadLesson(b); err == nil {
			if again, err := relay.ReadLesson(relay.AppendLesson(nil, &l)); err != nil || !cmp.Equal(l, again) {
				t.Errorf("a lesson changed on its way: %v", err)
			}
		}
	})
}
