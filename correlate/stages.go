package correlate

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/tocsin-siem/tocsin/event"
)

// No batch can be folded while state is packed, so that a checkpoint of much state is taken in stages: after one batch so many rules as hold
// stageBytes, after the next one some more. Rules know nothing of each other, but for those that listen and are listened to, which are taken together and
// last, with everything else that a checkpoint has. Recovery reads the first stage, folds the batches up to the next one for the rules that it has by
// then, reads that one, and so on (resume.go): so all rules come to the batch of the last stage. What a rule gives up for want of memory depends on all
// others; one that did since it was taken is taken once more, in the last stage.

// stageBytes is how much the rules of a stage hold, by estimate, if none of them holds more by itself: some hundredths of a second of packing.
const stageBytes = 24 << 20

// stages is a checkpoint that is being taken.
type stages struct {
	left  []*ruleState   // To be taken before the last stage, those that hold most first.
	last  []*ruleState   // By id.
	bytes int64          // What the rules of a stage may hold.
	began int64          // By our clock.
	steps []step         // Before the last stage.
	press sync.WaitGroup // What the stage before has left is being compressed.
}

// step is what was taken after a batch.
type step struct {
	batch event.BatchID
	state *Packed
}

// newStages begins a checkpoint.
func (e *Engine) newStages(bytes, now int64) *stages {
	x := &stages{bytes: bytes, began: now}
	for _, r := range e.fold.rules {
		if e.fold.chained(r) {
			x.last = append(x.last, r)
		} else {
			x.left = append(x.left, r)
		}
	}
	slices.SortStableFunc(x.left, func(a, b *ruleState) int { return cmp.Compare(b.held(), a.held()) })
	return x
}

// chained reports whether a rule listens to others or is listened to.
func (f *fold) chained(r *ruleState) bool {
	return len(r.rule.Upstream) > 0 || f.chains.to[r.rule.ID] != nil
}

// take takes a stage after a batch, and gives the last one, after which the checkpoint is whole.
func (x *stages) take(e *Engine, batch event.BatchID) (last *Packed) {
	x.putOff(e.fold.gaveUp)
	x.press.Wait()
	some := x.next()
	if len(x.left) > 0 || len(some) > 0 && heldBy(some)+heldBy(x.last) > x.bytes {
		slices.SortFunc(some, byID)
		state := e.pack(packLater, e.sectionsOf(some, true))
		x.press.Go(state.finish)
		x.steps = append(x.steps, step{batch, state})
		return nil
	}
	x.last = append(x.last, some...)
	slices.SortFunc(x.last, byID)
	return e.pack(packLater, e.sectionsOf(x.last, false))
}

// putOff leaves rules to the last stage.
func (x *stages) putOff(list []*ruleState) {
	for _, r := range list {
		if !slices.Contains(x.last, r) {
			x.last = append(x.last, r)
			x.left = slices.DeleteFunc(x.left, func(o *ruleState) bool { return o == r })
		}
	}
}

func heldBy(list []*ruleState) (bytes int64) {
	for _, r := range list {
		bytes += r.held()
	}
	return bytes
}

func byID(a, b *ruleState) int { return cmp.Compare(a.rule.ID, b.rule.ID) }

// next are the rules of the next stage.
func (x *stages) next() []*ruleState {
	n, bytes := 0, int64(0)
	for n < len(x.left) && (n == 0 || bytes+x.left[n].held() <= x.bytes) {
		bytes += x.left[n].held()
		n++
	}
	some := x.left[:n:n]
	x.left = x.left[n:]
	return some
}

// write appends the steps before the last stage, each as its batch and the state that was taken, behind its length.
func (x *stages) write(b []byte) []byte {
	w := newWriter(b)
	w.uint(uint64(len(x.steps)))
	for i := range x.steps {
		s := &x.steps[i]
		w.uint(s.batch.Epoch)
		w.uint(s.batch.Number)
		w.b = section(w.b, s.state.AppendTo)
	}
	return w.b
}

// size is at least how many bytes write appends, once what was taken is compressed.
func (x *stages) size() int {
	n := binary.MaxVarintLen64
	for i := range x.steps {
		n += 2*binary.MaxVarintLen64 + 8 + x.steps[i].state.size()
	}
	return n
}
