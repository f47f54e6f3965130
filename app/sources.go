package app

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// sources opens the configured sources where the log says they go on, and makes the pipeline.
func (s *Service) sources(ctx context.Context, tail incident.Tail, handler ingest.Handler, enricher ingest.Enricher, from func(string, int32) (event.End, bool)) error {
	again := s.rejects(&spanned{s.letters(handler), s.tel.Tracer, s.health}, enricher)
	set := ingest.Settings{
		Config:   ingest.Config{Batch: s.cfg.Ingest.Batch, Bytes: s.cfg.Ingest.Bytes, Linger: s.cfg.Ingest.Linger, Idle: s.cfg.Ingest.Idle},
		Enricher: again, Handler: again, Clock: s.now, Log: s.tel.Log.With("component", "ingest"),
		Carry: tail.Carry, Marks: tail.Marks, Wake: s.wake,
	}
	var err error
	if set.Metrics, err = ingest.NewMetrics(s.tel.Meter); err != nil {
		return err
	}
	if s.consumer, err = s.consume(ctx, from); err != nil {
		return err
	}
	for _, c := range s.cfg.Sources {
		in, err := s.open(ctx, c, tail)
		if err != nil {
			return err
		}
		set.Inputs = append(set.Inputs, in)
	}
	for _, in := range s.set.Inputs {
		source, err := in.Open(s.now)
		if err != nil {
			return err
		}
		set.Inputs = append(set.Inputs, ingest.Input{Name: in.Name, Format: in.Format, Site: in.Site, Location: in.Location, Source: source, IsFile: true, Idle: s.cfg.Ingest.Idle})
	}
	s.pipeline, err = ingest.New(set)
	return err
}

// now is our clock in microseconds.
func (s *Service) now() int64 { return s.set.Clock().UnixMicro() }

func (s *Service) open(ctx context.Context, c SourceConfig, tail incident.Tail) (ingest.Input, error) {
	if c.isKafka() {
		return s.topicInput(&c)
	}
	f, ok := format.ByName(c.Format)
	if !ok {
		return ingest.Input{}, fmt.Errorf("source %s: there is no format %q", c.Name, c.Format)
	}
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return ingest.Input{}, fmt.Errorf("source %s: timezone: %w", c.Name, err)
	}
	in := ingest.Input{Name: c.Name, Format: c.Format, Site: c.Site, Location: zone, Idle: c.Idle}
	if in.Idle == 0 {
		in.Idle = s.cfg.Ingest.Idle
	}
	switch {
	case c.File != "":
		in.IsFile = c.Follow != nil && !*c.Follow
		in.Source, err = ingest.OpenFile(ingest.FileConfig{
			Name: c.Name, Path: c.File, Follow: !in.IsFile, Format: f, Site: c.Site, Zone: zone, From: endOf(tail, c.Name), Clock: s.now,
		})
	case c.Stdin:
		in.Source = ingest.NewStream(ctx, c.Name, s.set.Stdin, f, c.Site, zone, s.now)
	default:
		h := ingest.NewHTTP(c.Name, f, c.Site, zone, s.now)
		in.Source = h
		var answers http.Handler = h
		if c.Token == (Secret{}) && s.cfg.Console.SignIn.on() {
			answers = mayIngest(h)
		}
		s.posts["POST /ingest/"+c.Name], err = withToken(c, answers)
	}
	return in, err
}

func endOf(tail incident.Tail, source string) event.End {
	for _, e := range tail.Ends {
		if e.Source == source {
			return e
		}
	}
	return event.End{}
}

// withToken asks for the source's bearer token, if it has one.
func withToken(c SourceConfig, next http.Handler) (http.Handler, error) {
	token, err := c.Token.Value()
	if err != nil {
		return nil, fmt.Errorf("source %s: token: %w", c.Name, err)
	}
	if token == "" {
		return next, nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(got), []byte(token)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "send the source's token: Authorization: Bearer …", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}

// letters puts the dead-letter topic before a handler, if there is one.
func (s *Service) letters(next ingest.Handler) ingest.Handler {
	if s.cfg.Kafka.DeadLetter == "" {
		return next
	}
	s.dead = &deadLetter{next: next, topic: s.cfg.Kafka.DeadLetter, producer: s.broker.producer, log: s.tel.Log}
	return s.dead
}
