package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// fail drops the connection. What trying cannot mend it returns; for the rest it sets the time of the next attempt and tells the log, once.
func (r *Reader) fail(ctx context.Context, err error) error {
	r.drop()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	now := time.Now()
	r.resume = now.Add(r.backoff.NextBackOff())
	if final(err) {
		return fmt.Errorf("topic %s partition %d: %w", r.topic, r.partition, err)
	}
	r.failing = err.Error()
	if r.trouble.IsZero() {
		r.trouble = now
		r.log.Warn("kafka partition cannot be read, trying again", "offset", r.decoder.next, "error", err)
	}
	return nil
}

// well notes that the broker answers.
func (r *Reader) well() {
	if r.trouble.IsZero() {
		return
	}
	r.log.Info("kafka partition is read again", "offset", r.decoder.next, "after", time.Since(r.trouble).Round(time.Millisecond))
	r.trouble, r.resume, r.failing = time.Time{}, time.Time{}, ""
	r.backoff.Reset()
}

// rest waits until a time or the end of ctx.
func (r *Reader) rest(ctx context.Context, until time.Time) error {
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// stalled notes that the broker gave nothing though there should be something. Once that has lasted, the gap is stepped over.
func (r *Reader) stalled(ctx context.Context) error {
	now := time.Now()
	limit := r.cluster.config.Stall
	if r.stall.IsZero() {
		r.stall = now
	}
	if now.Sub(r.stall) < limit {
		r.resume = now.Add(min(limit/4, 200*time.Millisecond))
		return nil
	}
	r.stall = time.Time{}
	to, err := r.behindGap(ctx)
	if err != nil {
		return r.fail(ctx, err)
	}
	from := r.decoder.next
	if to == from {
		if !r.sick {
			r.sick = true
			r.log.Warn("kafka partition gives nothing below its high watermark, nor anywhere else; waiting", "offset", from, "high", r.high)
		}
		return nil
	}
	r.stats.Gaps++
	r.stats.Stepped += to - from
	r.decoder.next = to
	r.log.Warn("kafka offsets never came and were stepped over", "from", from, "to", to, "high", r.high)
	return nil
}

// behindGap finds the first offset behind the gap at the next one from which the broker gives something: in growing steps forward, then by
// halving, so that of what can be read nothing is stepped over. Where nothing comes up to the end, that is believed only of a broker that still gives
// what lies before the gap; otherwise the next offset is returned.
func (r *Reader) behindGap(ctx context.Context) (int64, error) {
	from, end := r.decoder.next, r.stable
	empty, full, at := from, int64(-1), int64(0)
	for step := int64(1); full < 0; step *= 2 {
		offset := min(from+step, end-1)
		if offset <= empty {
			break
		}
		got, ok, err := r.probe(ctx, offset)
		if err != nil {
			return 0, err
		}
		if ok {
			full, at = offset, got
		} else {
			empty = offset
		}
	}
	if full < 0 {
		_, ok, err := r.probe(ctx, r.first)
		if err != nil || !ok || r.first == from {
			return from, err
		}
		return end, nil
	}
	for full-empty > 1 {
		middle := empty + (full-empty)/2
		got, ok, err := r.probe(ctx, middle)
		if err != nil {
			return 0, err
		}
		if ok {
			full, at = middle, got
		} else {
			empty = middle
		}
	}
	return at, nil
}

// probe fetches at an offset and tells the first offset that gave, if any did.
func (r *Reader) probe(ctx context.Context, offset int64) (int64, bool, error) {
	f, err := r.exchange(ctx, offset)
	if err != nil {
		return 0, false, err
	}
	if f.code != 0 && f.code != kafka.InvalidMessage {
		return 0, false, f.code
	}
	for set := f.records; len(set) > 0; {
		b, state := headOf(set, f.high)
		if (state == headWhole || state == headCut) && b.last >= offset {
			return max(b.base, offset), true, nil
		}
		if state != headWhole {
			break
		}
		set = set[len(b.raw):]
	}
	return 0, false, nil
}
