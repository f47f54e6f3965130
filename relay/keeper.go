package relay

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Checkpoints keeps the newest few checkpoints of each name. Latest gives the newest that reads back whole, or a zero Checkpoint.
type Checkpoints interface {
	Save(ctx context.Context, c incident.Checkpoint) error
	Latest(ctx context.Context, name string) (incident.Checkpoint, error)
}

// keeper saves the checkpoints of one fold. The bytes are made between records; the writing goes on beside the next ones.
type keeper struct {
	name     string
	to       Checkpoints
	every    int64
	clock    func() int64
	farewell time.Duration
	snapshot func([]byte) ([]byte, error)
	log      *slog.Logger

	size   int          // Of the newest, bytes.
	last   int64        // Our clock when one was last begun.
	kept   atomic.Int64 // Offset of the newest that was saved, or restored.
	saving chan struct{}
	failed atomic.Bool
	turn   *turn              // Among the folds of one process; nil: it is alone.
	abort  context.CancelFunc // Of the one that is being saved.
}

// due saves a checkpoint if it is time, which is never right after the start, and if none is being saved.
func (k *keeper) due(ctx context.Context, next int64) {
	now := k.clock()
	if k.last == 0 {
		k.last = now
	}
	if k.busy() {
		return
	}
	if k.failed.Swap(false) {
		k.last = now - k.every + k.every/sooner
	}
	if now-k.last < k.every || next == k.kept.Load() || !k.turn.take() {
		return
	}
	k.saveAs(ctx, next, k.turn)
}

func (k *keeper) busy() bool {
	if k.saving == nil {
		return false
	}
	select {
	case <-k.saving:
		return false
	default:
		return true
	}
}

// save saves a checkpoint whoever else is saving one. It waits for one that is under way, and gives that up after the farewell time.
func (k *keeper) save(ctx context.Context, next int64) { k.saveAs(ctx, next, nil) }

// saveAs leaves a turn when the checkpoint is saved, or is not.
func (k *keeper) saveAs(ctx context.Context, next int64, t *turn) {
	k.settle(k.farewell)
	data, err := k.snapshot(make([]byte, 0, k.size+k.size/8)) // About as many as the last time: growing step by step copies them several times.
	if err != nil {
		t.leave()
		k.fail(err)
		return
	}
	k.size = len(data)
	k.last = k.clock()
	ctx, abort := context.WithCancel(ctx)
	done := make(chan struct{})
	k.saving, k.abort = done, abort
	go func() {
		defer close(done)
		defer t.leave()
		defer abort()
		c := incident.Checkpoint{Name: k.name, Batch: event.BatchID{Epoch: RoleEpoch, Number: uint64(next)}, Data: data}
		if err := k.to.Save(ctx, c); err != nil {
			if ctx.Err() == nil {
				k.fail(err)
			}
			return
		}
		k.kept.Store(next)
	}()
}

// fail says that there is no new checkpoint; the one before it stays good.
func (k *keeper) fail(err error) {
	k.failed.Store(true)
	k.log.Error("checkpoint failed", "name", k.name, "err", err)
}

// part ends the saving. If the state is one to be kept, a last checkpoint makes the beginning of who comes next quick. It waits for the
// farewell time at most, also where ctx has ended.
func (k *keeper) part(ctx context.Context, keep bool, next int64) {
	k.settle(k.farewell)
	if !keep || next == k.kept.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.farewell)
	defer cancel()
	k.save(ctx, next)
	k.settle(k.farewell)
}

// settle waits for the checkpoint that is being saved, and gives it up after d.
func (k *keeper) settle(d time.Duration) {
	if k.saving == nil {
		return
	}
	defer time.AfterFunc(d, k.abort).Stop()
	<-k.saving
}

// outlive is a context that ends a while after ctx does, so that what is under way can be brought to an end.
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(d, cancel) })
	return longer, func() {
		stop()
		cancel()
	}
}

// PartitionPrefix begins the names of the checkpoints of partitions of tocsin.hits.
const PartitionPrefix = "hits/"

// PartitionCheckpoint is the name of the checkpoints of a partition of tocsin.hits.
func PartitionCheckpoint(n int32) string { return fmt.Sprint(PartitionPrefix, n) }

// FindingsCheckpoint is the name of the checkpoints of triage.
const FindingsCheckpoint = "findings"

// sooner is how many times sooner than usual a checkpoint follows one that failed.
const sooner = 8

// turn is taken by one fold at a time, so that a process has the bytes of one checkpoint in memory and not those of all its partitions. The
// last ones, which everything waits for, do not ask for it. A nil turn is always free.
type turn struct{ taken atomic.Bool }

func (t *turn) take() bool { return t == nil || t.taken.CompareAndSwap(false, true) }

func (t *turn) leave() {
	if t != nil {
		t.taken.Store(false)
	}
}
