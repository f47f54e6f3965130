package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// answerSlack is what an answer may have beyond its record set: the head and the aborted transactions.
const answerSlack = 1 << 20

func (r *Reader) connect(ctx context.Context) error {
	r.drop()
	l, err := r.cluster.leader(ctx, r.topic, r.partition)
	if err != nil {
		return err
	}
	if err := replaced(r.topic, r.id, l.topicID); err != nil {
		_ = l.raw.Close()
		return err
	}
	r.link = l
	return nil
}

func (r *Reader) drop() {
	if r.link != nil {
		_ = r.link.raw.Close()
	}
	r.link, r.sent, r.have, r.cut = nil, false, 0, false
}

// send sends a fetch that the broker may hold back for wait while it has fewer than least bytes. Its answer is for receive.
func (r *Reader) send(offset int64, wait time.Duration, least int) error {
	cfg := &r.cluster.config
	wait = min(wait, cfg.RequestTimeout/2)
	r.number++
	held, most := int32(wait/time.Millisecond), int32(cfg.FetchBytes)
	if id, ok := r.link.fetchID(); ok {
		r.request = fetchByIDRequest(r.request[:0], r.number, cfg.ClientID, id, r.partition, offset, held, int32(least), most)
	} else {
		r.request = fetchRequest(r.request[:0], r.number, cfg.ClientID, r.topic, r.partition, offset, held, int32(least), most)
	}
	if err := r.link.raw.SetWriteDeadline(time.Now().Add(cfg.RequestTimeout)); err != nil {
		return err
	}
	if _, err := r.link.raw.Write(r.request); err != nil {
		return err
	}
	r.sent, r.waited, r.have, r.body, r.cut = true, 0, 0, nil, false
	return nil
}

// receive reads the answer, in several calls if need be: done is false where end or ctx came first. Only time spent waiting here counts against
// the request timeout, so that a caller who was busy elsewhere finds its answer.
func (r *Reader) receive(ctx context.Context, end time.Time) (f fetched, done bool, err error) {
	raw := r.link.raw
	stop := context.AfterFunc(ctx, func() { _ = raw.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for r.have < len(r.head) || r.have-len(r.head) < len(r.body) {
		into := r.body[max(r.have-len(r.head), 0):]
		if r.have < len(r.head) {
			into = r.head[r.have:]
		}
		began := time.Now()
		left := r.cluster.config.RequestTimeout - r.waited
		if err := raw.SetReadDeadline(earlier(began.Add(left), end)); err != nil {
			return fetched{}, false, err
		}
		if ctx.Err() != nil {
			return fetched{}, false, nil
		}
		n, err := raw.Read(into)
		r.have += n
		r.waited += time.Since(began)
		if n > 0 {
			r.waited = 0
		}
		if n > 0 && r.have == len(r.head) {
			if err := r.makeRoom(); err != nil {
				return fetched{}, false, err
			}
		}
		if timeout, is := errors.AsType[net.Error](err); is && timeout.Timeout() && r.waited < r.cluster.config.RequestTimeout {
			if ctx.Err() != nil || !time.Now().Before(end) {
				return fetched{}, false, nil
			}
			continue
		}
		if errors.Is(err, io.EOF) {
			err = errors.New("the broker has closed the connection")
		}
		if err != nil {
			return fetched{}, false, err
		}
	}
	r.sent = false
	if id, ok := r.link.fetchID(); ok {
		f, err = parseFetchedByID(r.body, r.number, id, r.partition)
	} else {
		f, err = parseFetched(r.body, r.number, r.topic, r.partition)
	}
	return f, err == nil, err
}

// makeRoom gets memory for the answer whose size is there. Of one beyond the bound only the beginning is read, and the connection dropped later.
func (r *Reader) makeRoom() error {
	size := int64(int32(binary.BigEndian.Uint32(r.head[:])))
	if size < 4 {
		return fmt.Errorf("%w: it says it has %d bytes", errAnswer, size)
	}
	bound := int64(max(r.cluster.config.MaxBatch, r.cluster.config.FetchBytes) + answerSlack)
	r.cut = size > bound
	size = min(size, bound)
	if n := int64(cap(r.spare)); n >= size && n/2 <= size { // Not much larger either: messages may come to pin it.
		r.body, r.spare = r.spare[:size], nil
	} else {
		r.body = make([]byte, size)
	}
	return nil
}

// exchange fetches at an offset and waits for the answer.
func (r *Reader) exchange(ctx context.Context, offset int64) (fetched, error) {
	if err := r.send(offset, 0, 1); err != nil {
		return fetched{}, err
	}
	for {
		f, done, err := r.receive(ctx, time.Now().Add(time.Second))
		if err != nil || done {
			return f, err
		}
		if ctx.Err() != nil {
			return fetched{}, context.Cause(ctx)
		}
	}
}
