package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/format"
	"github.com/tocsin-siem/tocsin/ingest/registry"
	"github.com/tocsin-siem/tocsin/store"
)

// rejectDecoder decodes rejects with the formats of this program and the present settings of their sources. It is for one goroutine.
type rejectDecoder struct {
	decoder     *ingest.Decoder
	sources     []SourceConfig
	registry    RegistryConfig
	log         *slog.Logger
	client      *registry.Client                // nil until a record needs a schema
	transcoders map[string]*registry.Transcoder // by encoding
}

func newRejectDecoder(cfg Config, log *slog.Logger) *rejectDecoder {
	return &rejectDecoder{decoder: ingest.NewDecoder(), sources: cfg.Sources, registry: cfg.Kafka.Registry, log: log, transcoders: map[string]*registry.Transcoder{}}
}

// sourceOf is the source that a position belongs to: its name, with more behind it for a topic of a pattern and for a topic created anew.
func (d *rejectDecoder) sourceOf(p event.Position) (SourceConfig, bool) {
	for _, s := range d.sources {
		rest, ok := strings.CutPrefix(p.Source, s.Name)
		if ok && (rest == "" || s.isKafka() && (rest[0] == '/' || rest[0] == '#')) {
			return s, true
		}
	}
	return SourceConfig{}, false
}

// decode gives the events of a reject, which the caller may keep, or why there are none still. An error is one of ctx or of the configuration.
func (d *rejectDecoder) decode(ctx context.Context, r *store.Reject) ([]event.Event, *event.Reject, error) {
	if unreadable(r.Code) {
		return nil, &r.Reject, nil
	}
	rec := event.Record{
		Value: r.Raw, Key: r.Key, Headers: r.Headers, Context: r.Context, Position: r.Position, Basis: r.Basis, Partial: r.Partial,
		Format: r.Format, Received: r.Received, Location: time.UTC,
	}
	if s, known := d.sourceOf(r.Position); known {
		rec.Format, rec.Site = s.Format, s.Site
		if zone, err := time.LoadLocation(s.Timezone); err == nil {
			rec.Location = zone
		}
		failed, err := d.transcode(ctx, s.Encoding, &rec)
		if failed != nil || err != nil {
			return nil, failed, err
		}
	}
	events, failed := d.decoder.Decode(rec)
	if failed == nil && r.Code == "no_time" && slices.ContainsFunc(events, func(e event.Event) bool { return e.Envelope.TimeSource == event.TimeReceived }) {
		return nil, &r.Reject, nil // A file of old records: when it was read says nothing about when it happened.
	}
	return slices.Clone(events), failed, nil
}

// transcode makes text of a record in the encoding of its source, if that has one.
func (d *rejectDecoder) transcode(ctx context.Context, encoding string, rec *event.Record) (*event.Reject, error) {
	if encoding == "" || encoding == "raw" || len(rec.Value) == 0 {
		return nil, nil
	}
	t := d.transcoders[encoding]
	if t == nil {
		var err error
		if d.client == nil {
			if d.client, err = registryClient(d.registry, d.log); err != nil {
				return nil, err
			}
		}
		if t, err = d.client.Transcoder(encoding); err != nil {
			return nil, err
		}
		d.transcoders[encoding] = t
	}
	if err := t.Prepare(ctx, []event.Record{*rec}); err != nil {
		return nil, err
	}
	if err := t.Transcode(rec); err != nil {
		return untranscoded(rec, err), nil
	}
	return nil, nil
}

func untranscoded(r *event.Record, err error) *event.Reject {
	out := &event.Reject{Format: r.Format, Code: "undecodable", Reason: err.Error()}
	if x, ok := errors.AsType[*format.Reject](err); ok {
		out.Code, out.Reason = x.Code, x.Reason
	}
	return out
}

// unreadable reports whether a code says that the bytes are not those of a record: there is nothing to decode.
func unreadable(code string) bool { return code == "tombstone" || strings.HasPrefix(code, "kafka_") }
