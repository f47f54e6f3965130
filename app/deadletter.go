package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

// deadLetter sends the rejects of a batch to a topic before the batch is handled. A crash in between sends them again, with the same position in
// their headers; none is left out. They are in the store as well, which is what tocsin rejects works on.
type deadLetter struct {
	next     ingest.Handler
	topic    string
	producer *kafka.Producer
	log      *slog.Logger
	since    atomic.Int64 // When the send under way began, microseconds; 0: none is.
}

// slowLetters is how long the topic may take before health says so.
const slowLetters = 5 * time.Second

// check tells whether the topic takes what it is sent.
func (d *deadLetter) check() console.Check {
	c := console.Check{Name: "dead letters", Good: true, Detail: "topic " + d.topic}
	since := d.since.Load()
	if took := time.Since(time.UnixMicro(since)).Round(time.Second); since != 0 && took >= slowLetters {
		c.Good, c.Detail = false, fmt.Sprintf("topic %s has taken nothing for %v, and reading waits for it; the log says why (tocsin topics apply makes the topic if it is missing); nothing is lost", d.topic, took)
	}
	return c
}

// Handle implements ingest.Handler.
func (d *deadLetter) Handle(ctx context.Context, b *event.Batch) error {
	return ingest.Whole(d.Start(ctx, b))
}

// Start implements ingest.Ahead.
func (d *deadLetter) Start(ctx context.Context, b *event.Batch) (durable func() error, next bool, err error) {
	if len(b.Rejects) > 0 {
		records := make([]kafka.Record, len(b.Rejects))
		for i := range b.Rejects {
			records[i] = letter(&b.Rejects[i])
		}
		d.since.Store(time.Now().UnixMicro())
		err := d.send(ctx, records)
		d.since.Store(0)
		if err != nil {
			return nil, false, fmt.Errorf("dead-letter topic %s: %w", d.topic, err)
		}
	}
	return ingest.Start(ctx, d.next, b)
}

// send sends all records at once, or where one is larger than the topic takes, one by one: that one stays in the store alone.
func (d *deadLetter) send(ctx context.Context, records []kafka.Record) error {
	err := d.producer.Send(ctx, d.topic, records)
	if _, large := errors.AsType[*kafka.TooLarge](err); !large {
		return err
	}
	for i := range records {
		err := d.producer.Send(ctx, d.topic, records[i:i+1])
		if _, large := errors.AsType[*kafka.TooLarge](err); large {
			d.log.Warn("a reject is too large for the dead-letter topic; it is in the store", "topic", d.topic, "bytes", len(records[i].Value), "fix", "raise the topic's max.message.bytes")
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// letter is a reject as it goes into the topic: its bytes, key and headers as they came, and behind these what we have to say.
func letter(r *event.Reject) kafka.Record {
	headers := append([]event.Header(nil), r.Headers...)
	for _, h := range [][2]string{
		{"tocsin-code", r.Code},
		{"tocsin-reason", r.Reason},
		{"tocsin-format", r.Format},
		{"tocsin-source", r.Position.Source},
		{"tocsin-partition", strconv.Itoa(int(r.Position.Partition))},
		{"tocsin-offset", strconv.FormatInt(r.Position.Offset, 10)},
		{"tocsin-received", strconv.FormatInt(r.Received, 10)},
	} {
		headers = append(headers, event.Header{Key: h[0], Value: []byte(h[1])})
	}
	return kafka.Record{Key: r.Key, Value: r.Raw, Headers: headers}
}
