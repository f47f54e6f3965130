package relay_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/relay"
)

// senderRig is a sender with everything around it in memory. Its matcher makes one hit and one observation of every event: the key and the
// entity are the event's message.
type senderRig struct {
	*relay.Sender
	t       *testing.T
	mu      sync.Mutex // Rows are stored beside the matching.
	order   []string   // What was made durable, in order.
	stored  []event.ID
	frames  map[int32][]*relay.Frame
	lessons []relay.Lesson
	owned   map[string]int32 // Generation by source/partition.
	refuse  error
	sent    relay.Sending
}

func newSenderRig(t *testing.T, partitions int32) *senderRig {
	r := &senderRig{t: t, frames: map[int32][]*relay.Frame{}, owned: map[string]int32{"okta/0": 1, "okta/1": 1}}
	r.Sender = relay.NewSender(relay.SenderSettings{
		Member: "me", Epoch: 1<<32 + 5, Topic: relay.HitsTopic, Partitions: partitions, Bindings: relay.BindingsTopic,
		Matcher: r, Rows: r, Ownership: r, Producer: r, Sent: func(s relay.Sending) { r.sent = s }, Slog: slog.New(slog.DiscardHandler),
	})
	return r
}

func (r *senderRig) Hits(b *event.Batch) (out []event.Hit) {
	for _, i := range b.Sorted {
		e := &b.Events[i]
		out = append(out, event.Hit{Rule: "rb-1", Version: 1, Key: e.Message, Ref: &event.Ref{Event: e.Envelope.ID, Time: e.Time}})
	}
	return out
}

func (r *senderRig) Observations(b *event.Batch) (out []event.Note) {
	for _, i := range b.Sorted {
		e := &b.Events[i]
		out = append(out, event.Note{Entity: e.Message, What: "mode", Value: "manual", Stated: true, Ref: &event.Ref{Event: e.Envelope.ID, Time: e.Time}})
	}
	return out
}

func (r *senderRig) AppendRows(_ context.Context, b *event.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.ID.Epoch != 1<<32+5 || b.ID.Number == 0 {
		r.t.Errorf("rows of batch %v", b.ID)
	}
	r.order = append(r.order, "rows")
	for i := range b.Events {
		r.stored = append(r.stored, b.Events[i].Envelope.ID)
	}
	return nil
}

func (r *senderRig) Generation(source string, partition int32) (int32, bool) {
	g, ok := r.owned[fmt.Sprint(source, "/", partition)]
	return g, ok
}

func (r *senderRig) Partitions() []relay.Partitions {
	return []relay.Partitions{{Source: "okta", Count: 2}}
}

func (r *senderRig) Produce(_ context.Context, topic string, messages []relay.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		return r.refuse
	}
	r.order = append(r.order, topic)
	for _, m := range messages {
		if topic == relay.BindingsTopic {
			l, err := relay.ReadLesson(m.Value)
			if err != nil {
				r.t.Error(err)
			}
			r.lessons = append(r.lessons, l)
			continue
		}
		f, err := relay.ReadFrame(m.Value)
		if err != nil {
			r.t.Error(err)
			continue
		}
		r.frames[m.Partition] = append(r.frames[m.Partition], f)
	}
	return nil
}

// batch has an event of each message, of partition 0 of the source okta, received at the given millisecond.
func batch(at int64, messages ...string) *event.Batch {
	b := &event.Batch{Received: at * 1000}
	for i, m := range messages {
		e := event.Event{Time: at*1000 - int64(i), Message: m}
		e.Envelope.ID = event.NewID(m, fmt.Sprint(at))
		e.Envelope.Position = event.Position{Source: "okta", Offset: int64(i)}
		b.Events = append(b.Events, e)
	}
	b.Marks = []event.Mark{{Source: "okta", Partition: 0, Newest: at * 1000}, {Source: "okta", Partition: 1, Newest: 1}}
	return b
}

func (r *senderRig) handle(b *event.Batch) {
	r.t.Helper()
	if err := r.Handle(r.t.Context(), b); err != nil {
		r.t.Fatal(err)
	}
}

func (r *senderRig) tick(at int64) {
	r.t.Helper()
	if err := r.Tick(r.t.Context(), at*1000); err != nil {
		r.t.Fatal(err)
	}
}

// counts are how many frames each partition has.
func (r *senderRig) counts() []int {
	var out []int
	for p := range int32(4) {
		out = append(out, len(r.frames[p]))
	}
	return out
}

func TestEveryHitAndObservationGoesToThePartitionOfItsKeyInTheOrderOfEventTime(t *testing.T) {
	r := newSenderRig(t, 4)
	var messages []string
	for i := range 40 {
		messages = append(messages, fmt.Sprint("robot:", i%8))
	}
	r.handle(batch(1000, messages...))
	hits, observed := 0, 0
	for p, frames := range r.frames {
		for _, f := range frames {
			if f.Member != "me" || f.Received != 1_000_000 {
				t.Errorf("a frame of %s at %d", f.Member, f.Received)
			}
			for i := range f.Hits {
				if relay.HitPartition(&f.Hits[i], 4) != p || i > 0 && f.Hits[i].Ref.Time < f.Hits[i-1].Ref.Time {
					t.Errorf("partition %d has a hit of %s out of place", p, f.Hits[i].Key)
				}
			}
			for i := range f.Observed {
				if relay.NotePartition(&f.Observed[i], 4) != p {
					t.Errorf("partition %d has an observation of %s", p, f.Observed[i].Entity)
				}
			}
			hits, observed = hits+len(f.Hits), observed+len(f.Observed)
		}
	}
	if hits != 40 || observed != 40 || len(r.stored) != 40 {
		t.Errorf("%d hits, %d observations and %d events arrived of 40", hits, observed, len(r.stored))
	}
	if r.sent.Hits != 40 || r.sent.Observed != 40 || r.sent.Events != 40 || r.sent.Messages == 0 || r.sent.Bytes == 0 {
		t.Errorf("told of %+v", r.sent)
	}
}

func TestTheEventsAreStoredBeforeAnyHitOfThemIsSent(t *testing.T) {
	r := newSenderRig(t, 4)
	r.handle(batch(1000, "robot:1"))
	if rows, hits := slices.Index(r.order, "rows"), slices.Index(r.order, relay.HitsTopic); rows < 0 || hits < rows {
		t.Errorf("the order was %v", r.order)
	}
}

func TestNothingIsDoneUntilTheBrokerHasAcknowledged(t *testing.T) {
	r := newSenderRig(t, 4)
	r.refuse = errors.New("no broker")
	if err := r.Handle(t.Context(), batch(1000, "robot:1")); !errors.Is(err, r.refuse) {
		t.Errorf("a batch that was not acknowledged ends with %v, so that its offsets would be committed", err)
	}
	r.refuse = nil
	r.handle(batch(1001, "robot:1"))
	if n := r.counts(); n[0]+n[1]+n[2]+n[3] < 4 {
		t.Errorf("marks that never arrived were taken for told: frames by partition %v", n)
	}
}

func TestMarksReachEveryPartitionButThoseWithoutHitsOnlyEveryFifthOfASecond(t *testing.T) {
	r := newSenderRig(t, 4)
	r.handle(batch(1000))
	if d := cmp.Diff([]int{1, 1, 1, 1}, r.counts()); d != "" {
		t.Errorf("the first marks: %s", d)
	}
	want := []relay.SentMark{
		{Mark: event.Mark{Source: "okta", Newest: 1_000_000}, Generation: 1}, {Mark: event.Mark{Source: "okta", Partition: 1, Newest: 1}, Generation: 1},
	}
	if d := cmp.Diff(want, r.frames[3][0].Marks); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]relay.Partitions{{Source: "okta", Count: 2}}, r.frames[3][0].Roster); d != "" {
		t.Error(d)
	}
	r.handle(batch(1050))
	if d := cmp.Diff([]int{1, 1, 1, 1}, r.counts()); d != "" {
		t.Errorf("50 ms later: %s", d)
	}
	r.handle(batch(1060, "robot:1"))
	with := relay.HitPartition(&event.Hit{Rule: "rb-1", Key: "robot:1"}, 4)
	if f := r.frames[with]; len(f) != 2 || f[1].Marks[0].Newest != 1_060_000 {
		t.Errorf("the partition with hits has %d frames", len(f))
	}
	r.handle(batch(1250))
	for p, frames := range r.frames {
		if f := frames[len(frames)-1]; f.Marks[0].Newest < 1_060_000 {
			t.Errorf("partition %d was told %d last", p, f.Marks[0].Newest)
		}
	}
}

func TestMarksThatWereHeldBackFollowWhenNoMoreBatchesCome(t *testing.T) {
	r := newSenderRig(t, 4)
	r.handle(batch(1000))
	b := batch(1050)
	b.Marks[1].Idle = true
	r.handle(b)
	r.tick(1100)
	if d := cmp.Diff([]int{1, 1, 1, 1}, r.counts()); d != "" {
		t.Errorf("too early: %s", d)
	}
	r.tick(1200)
	r.tick(1400)
	if d := cmp.Diff([]int{2, 2, 2, 2}, r.counts()); d != "" {
		t.Errorf("in the end: %s", d)
	}
	if f := r.frames[2][1]; f.Marks[0].Newest != 1_050_000 || !f.Marks[1].Idle || f.Received != 1_200_000 {
		t.Errorf("told %+v", f)
	}
	r.tick(62_000)
	if d := cmp.Diff([]int{3, 3, 3, 3}, r.counts()); d != "" {
		t.Errorf("after a minute in which nothing moved: %s", d)
	}
}

func TestWhatIsOfAPartitionThatWasLostIsLeftToItsNewOwner(t *testing.T) {
	r := newSenderRig(t, 4)
	delete(r.owned, "okta/0")
	b := batch(1000, "robot:1", "robot:2", "robot:3")
	b.Events[1].Envelope.Position.Partition = 1
	b.Events[2].Envelope.Position = event.Position{Source: "webhook", Partition: -1} // Has no place that another could own.
	b.Rejects = []event.Reject{{Position: event.Position{Source: "okta"}}, {Position: event.Position{Source: "okta", Partition: 1}}}
	want := []event.ID{b.Events[1].Envelope.ID, b.Events[2].Envelope.ID}
	r.handle(b)
	if d := cmp.Diff(want, r.stored); d != "" {
		t.Errorf("stored: %s", d)
	}
	if r.sent.Dropped != 2 || r.sent.Hits != 2 {
		t.Errorf("told of %+v", r.sent)
	}
	for _, frames := range r.frames {
		for _, f := range frames {
			if len(f.Marks) != 1 || f.Marks[0].Partition != 1 {
				t.Errorf("speaks for %+v", f.Marks)
			}
		}
	}
	r.owned["okta/1"] = 2 // Lost and regained: what lies in between is not known here.
	r.tick(70_000)
	if d := cmp.Diff([]int{1, 1, 1, 1}, r.counts()); d != "" {
		t.Errorf("after the partition was regained and before a batch: %s", d)
	}
}

func TestMarksHeldBackAreToldEvenIfTheirPartitionIsLostMeanwhile(t *testing.T) {
	r := newSenderRig(t, 4)
	r.handle(batch(1000))
	b := batch(1050)
	b.Marks[0].Idle = true
	r.handle(b)
	delete(r.owned, "okta/0") // Its records are durable, and the new owner goes on behind them.
	r.owned["okta/1"] = 2
	next := batch(1060)
	next.Marks[1].Newest = 7
	r.handle(next)
	r.tick(1300)
	r.tick(1600)
	want := []relay.SentMark{
		{Mark: event.Mark{Source: "okta", Partition: 1, Newest: 7}, Generation: 2},
		{Mark: event.Mark{Source: "okta", Newest: 1_050_000}, Generation: 1},
		{Mark: event.Mark{Source: "okta", Partition: 1, Newest: 1}, Generation: 1},
	}
	for p, frames := range r.frames {
		if len(frames) != 2 {
			t.Errorf("partition %d has %d frames", p, len(frames))
		}
		if d := cmp.Diff(want, frames[1].Marks); d != "" {
			t.Errorf("partition %d: %s", p, d)
		}
	}
	r.tick(70_000)
	if f := r.frames[0]; len(f) != 3 || len(f[2].Marks) != 1 {
		t.Errorf("what was told once is told again: %+v", f[len(f)-1].Marks)
	}
}

func TestTheLastMarksAreFlushedAtOnce(t *testing.T) {
	r := newSenderRig(t, 4)
	r.handle(batch(1000))
	r.handle(batch(1050, "robot:1"))
	for range 2 {
		if err := r.Flush(t.Context(), 1_051_000); err != nil {
			t.Fatal(err)
		}
	}
	for p, frames := range r.frames {
		if len(frames) != 2 || frames[1].Marks[0].Newest != 1_050_000 {
			t.Errorf("partition %d has %d frames, of which the last says %+v", p, len(frames), frames[len(frames)-1].Marks)
		}
	}
}

func TestMarksOfABatchThatWasNotSentAreNeverTold(t *testing.T) {
	r := newSenderRig(t, 4)
	r.handle(batch(1000))
	r.refuse = errors.New("too large")
	if err := r.Handle(t.Context(), batch(2000, "robot:1")); !errors.Is(err, r.refuse) {
		t.Fatal(err)
	}
	r.refuse = nil
	r.tick(3000)
	if err := r.Flush(t.Context(), 3_000_000); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{1, 1, 1, 1}, r.counts()); d != "" {
		t.Errorf("event time went on without the hits: %s", d)
	}
}

func TestAMemberWithoutPartitionsIsSilent(t *testing.T) {
	r := newSenderRig(t, 4)
	clear(r.owned)
	r.handle(batch(1000))
	r.tick(2000)
	if d := cmp.Diff([]int{0, 0, 0, 0}, r.counts()); d != "" {
		t.Error(d)
	}
}

func TestWhatEnrichmentLearnedIsToldWithItsMember(t *testing.T) {
	r := newSenderRig(t, 4)
	b := batch(1000, "robot:1")
	b.Learned = []byte("journal")
	r.handle(b)
	r.handle(batch(1001, "robot:1"))
	if d := cmp.Diff([]relay.Lesson{{Member: "me", Learned: []byte("journal")}}, r.lessons); d != "" {
		t.Error(d)
	}
}

func TestALargeBatchIsCutIntoMessagesOfWhichTheLastHasTheMarks(t *testing.T) {
	r := newSenderRig(t, 4)
	r.Sender = relay.NewSender(relay.SenderSettings{
		Member: "me", Epoch: 1<<32 + 5, Topic: relay.HitsTopic, Partitions: 1, FrameBytes: 2000,
		Matcher: r, Rows: r, Ownership: r, Producer: r, Slog: slog.New(slog.DiscardHandler),
	})
	var messages []string
	for i := range 200 {
		messages = append(messages, fmt.Sprint("robot:", i))
	}
	r.handle(batch(1000, messages...))
	frames := r.frames[0]
	if len(frames) < 3 {
		t.Fatalf("%d frames", len(frames))
	}
	for i, f := range frames {
		if last := i == len(frames)-1; last != (len(f.Marks) > 0) {
			t.Errorf("frame %d of %d has %d marks", i, len(frames), len(f.Marks))
		}
	}
}

func TestThePartitionThatWasRegainedSinceItWasReadIsNotSpokenFor(t *testing.T) {
	r := newSenderRig(t, 1)
	r.owned["okta/0"], r.owned["okta/1"] = 7, 7
	b := batch(1000)
	b.Ends = []event.End{{Source: "okta", Partition: 0, Generation: 5}, {Source: "okta", Partition: 1, Generation: 7}}
	r.handle(b)
	if f := r.frames[0][0]; len(f.Marks) != 1 || f.Marks[0].Partition != 1 {
		t.Errorf("speaks for %+v: what was read of partition 0 in generation 5 may have been dropped", f.Marks)
	}
}
