package relay

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/tocsin-siem/tocsin/event"
)

// BindingsTopic is where ingest members tell each other what enrichment learned. It has one partition, is kept by time (for as long as the
// oldest binding a new member should begin with) and is never compacted: what a batch learned adds to what was known and replaces nothing,
// so that keeping the last record of a key would forget all before it.
const BindingsTopic = "tocsin.bindings"

const (
	lessonMagic   = "TCBN"
	lessonVersion = 1
)

// Lesson is one record of tocsin.bindings: what the enrichment of one batch learned at one ingest member (event.Batch.Learned).
type Lesson struct {
	Member  string
	Learned []byte
}

// AppendLesson adds the encoded lesson to b.
func AppendLesson(b []byte, l *Lesson) []byte {
	out, _ := seal(b, lessonMagic, lessonVersion, func(b []byte) ([]byte, error) {
		return append(appendText(b, l.Member), l.Learned...), nil
	})
	return out
}

// ReadLesson reads one message. Learned shares b's memory. The error wraps ErrDamaged.
func ReadLesson(b []byte) (Lesson, error) {
	body, err := unseal(b, lessonMagic, lessonVersion)
	if err != nil {
		return Lesson{}, fmt.Errorf("bindings: %w", err)
	}
	r := messageReader{b: body}
	l := Lesson{Member: r.text()}
	if r.bad {
		return Lesson{}, fmt.Errorf("bindings: %w: no member", ErrDamaged)
	}
	l.Learned = r.b
	return l, nil
}

// Enricher enriches batches, as ingest has it, and takes in what others learned. It is called by one goroutine at a time.
type Enricher interface {
	Enrich(b *event.Batch)
	Relearn(learned []byte) error
}

// Lessons reads tocsin.bindings from its beginning, once, in order.
type Lessons interface {
	// Read waits for messages, for a moment at most, and gives their values. Drained says that the topic has been read to its end.
	Read(ctx context.Context) (values [][]byte, drained bool, err error)
}

// Bindings is an enricher that also knows what the other ingest members learned. Lessons are taken in between two batches and never during
// one; so a batch sees one state. Prime is called once, before the first batch; then Listen by one goroutine and Enrich by another.
type Bindings struct {
	member  string
	log     *slog.Logger
	mu      sync.Mutex // Guards what follows.
	inner   Enricher
	taken   int64
	refused int64
}

// NewBindings wraps an enricher for a member.
func NewBindings(member string, inner Enricher, log *slog.Logger) *Bindings {
	return &Bindings{member: member, inner: inner, log: log}
}

// Enrich implements ingest.Enricher. b.Learned is memory of its own, since the next lesson may come before the batch is done with.
func (x *Bindings) Enrich(b *event.Batch) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.inner.Enrich(b)
	b.Learned = slices.Clone(b.Learned)
}

// Prime takes in all lessons up to the end of the topic, also those this member gave before it was started again: it has forgotten them.
func (x *Bindings) Prime(ctx context.Context, from Lessons) error {
	for {
		values, drained, err := from.Read(ctx)
		if err != nil {
			return fmt.Errorf("read bindings: %w", err)
		}
		x.take(values, "")
		if drained {
			x.log.Info("bindings read", "lessons", x.Taken())
			return nil
		}
	}
}

// Listen takes in the lessons of other members until ctx ends (nil) or reading fails. A batch at work makes it wait, and so the reader; nothing
// is queued.
func (x *Bindings) Listen(ctx context.Context, from Lessons) error {
	for {
		values, _, err := from.Read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read bindings: %w", err)
		}
		x.take(values, x.member)
	}
}

// take relearns lessons but for those of one member. A damaged one costs what it would have taught, never the member.
func (x *Bindings) take(values [][]byte, but string) {
	for _, v := range values {
		l, err := ReadLesson(v)
		if err == nil && (l.Member == but || len(l.Learned) == 0) {
			continue
		}
		x.mu.Lock()
		if err == nil {
			err = x.inner.Relearn(l.Learned)
		}
		x.taken++
		if err != nil {
			x.refused++
		}
		x.mu.Unlock()
		if err != nil {
			x.log.Warn("bindings of another member were refused", "member", l.Member, "err", err)
		}
	}
}

// Taken is how many lessons were taken in or refused.
func (x *Bindings) Taken() int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.taken
}

// Refused is how many of them could not be read.
func (x *Bindings) Refused() int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.refused
}
