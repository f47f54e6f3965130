package app

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/format"
	"github.com/tocsin-siem/tocsin/store/engine"
	"github.com/tocsin-siem/tocsin/triage"
)

// ServiceSettings is what a command gives the service.
type ServiceSettings struct {
	Stdin     io.Reader
	Log       io.Writer
	Progress  func(engine.Progress)
	Published func([]incident.Change) // Told of recorded changes; nil: nobody.
	Ready     func(url string)        // Told when the console answers and recovery is done; nil: nobody.
	Clock     func() time.Time        // Our clock; nil: the machine's.
	Inputs    []ReplayInput           // Read once instead of the configured sources, always the one furthest behind; for the demo.
}

// Service is the running program. Its parts start from the store up and stop in the opposite order.
type Service struct {
	cfg      Config
	set      ServiceSettings
	tel      *Telemetry
	db       *Database
	core     *Core
	worker   *correlate.Worker
	desk     *triage.Desk
	feed     *triage.Feed
	metrics  *Metrics
	pipeline *ingest.Pipeline
	posts    map[string]http.Handler
	wake     chan struct{}
	health   *healthBoard
	cleanups []cleanup
	listener net.Listener
}

// cleanup undoes one step of starting.
type cleanup struct {
	name string
	do   func(context.Context) error
}

// grace is how long stopping may take before it is cut short.
const grace = 20 * time.Second

// manners is how long open requests may take to end.
const manners = 5 * time.Second

// Run starts the service, runs it until ctx ends or its inputs do, and stops it. after, if given, runs between the end of the inputs and
// the stop.
func Run(ctx context.Context, cfg Config, set ServiceSettings, after func(context.Context, *Service) error) (err error) {
	if set.Clock == nil {
		set.Clock = time.Now
	}
	s := &Service{cfg: cfg, set: set, posts: map[string]http.Handler{}, wake: make(chan struct{}, 1), health: newHealthBoard()}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		err = errors.Join(err, s.stop(stopCtx))
	}()
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.read(ctx); err != nil {
		return err
	}
	if after != nil {
		return after(ctx, s)
	}
	return nil
}

func (s *Service) onStop(name string, do func(context.Context) error) {
	s.cleanups = append(s.cleanups, cleanup{name, do})
}

func (s *Service) stop(ctx context.Context) error {
	var errs []error
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		if err := s.cleanups[i].do(ctx); err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, fmt.Errorf("stop %s: %w", s.cleanups[i].name, err))
		}
	}
	s.cleanups = nil
	return errors.Join(errs...)
}

// start brings everything up but the reading of sources.
func (s *Service) start(ctx context.Context) error {
	var err error
	if s.tel, err = NewTelemetry(ctx, s.cfg.Telemetry, s.set.Log); err != nil {
		return err
	}
	s.onStop("telemetry", s.tel.Close)
	if s.metrics, err = NewMetrics(s.tel.Meter); err != nil {
		return err
	}
	if s.core, err = NewCore(s.cfg); err != nil { // before anything costly: a broken rule refuses the start
		return err
	}
	if s.listener, err = net.Listen("tcp", s.cfg.Console.Listen); err != nil {
		return fmt.Errorf("console.listen %s: %w; another program uses the port, or another tocsin runs: choose a free one (tocsin demo: --listen 127.0.0.1:0)", s.cfg.Console.Listen, err)
	}
	s.onStop("listener", func(context.Context) error { _ = s.listener.Close(); return nil })
	if s.db, err = OpenDatabase(ctx, s.cfg, s.tel.Log, s.tel.Meter, s.set.Progress); err != nil {
		return err
	}
	s.onStop("store", func(context.Context) error { return s.db.Close() })
	return s.wire(ctx)
}

// wire recovers the state and connects the parts.
func (s *Service) wire(ctx context.Context) error {
	r := reader{s.db.DB}
	s.feed = triage.NewFeed(s.source(), s.cfg.Triage.ConsoleURL, r)
	s.onStop("feed", func(context.Context) error { s.feed.Close(); return nil })
	triageMetrics, err := triage.NewMetrics(s.tel.Meter)
	if err != nil {
		return err
	}
	s.desk, err = triage.NewDesk(s.cfg.Triage, triage.Settings{Source: s.source(), Now: s.set.Clock, Log: s.tel.Log, Metrics: triageMetrics, Raw: r}, NewOutbox(s.db.DB))
	if err != nil {
		return err
	}
	s.worker = correlate.NewWorker(correlate.WorkerSettings{
		Engine: s.core.Engine, Stitcher: s.core.Stitcher, State: s.core.Enricher.enricher.Bindings(), Log: s.db, Records: s.db, Checkpoints: s.db,
		Versions: func() (string, string) { return s.core.Rules.Hash, s.core.Live.Tables().Version() },
		Every:    s.cfg.Correlate.Checkpoint.Microseconds(), Published: s.published, Slog: s.tel.Log.With("component", "correlate"), Folded: s.folded,
		Warm: func(ctx context.Context) error { return s.core.warm(ctx, s.db.DB, s.tel.Log) },
	})
	tail, err := s.worker.Recover(ctx)
	if err != nil {
		return err
	}
	s.health.recovered(tail)
	if err := s.sources(ctx, tail); err != nil {
		return err
	}
	s.onStop("checkpoint", func(ctx context.Context) error { s.worker.Stop(ctx); return nil })
	return s.serve(ctx, r)
}

func (s *Service) source() string { return "urn:tocsin:" + s.cfg.Tenant }

// published tells everybody who waits for changes.
func (s *Service) published(changes []incident.Change) {
	s.feed.Publish(changes)
	s.desk.Notify()
	if s.set.Published != nil {
		s.set.Published(changes)
	}
}

func (s *Service) folded(b *event.Batch, hits, findings, changes int) {
	s.health.batch(b)
	s.metrics.batch(s.core, b, hits, findings, changes)
}

// sources opens the configured sources where the log says they go on, and makes the pipeline.
func (s *Service) sources(ctx context.Context, tail incident.Tail) error {
	set := ingest.Settings{
		Config:   ingest.Config{Batch: s.cfg.Ingest.Batch, Bytes: s.cfg.Ingest.Bytes, Linger: s.cfg.Ingest.Linger, Idle: s.cfg.Ingest.Idle},
		Enricher: s.core.Enricher, Handler: &spanned{s.worker, s.tel.Tracer}, Clock: s.now, Log: s.tel.Log.With("component", "ingest"),
		Carry: tail.Carry, Marks: tail.Marks, Wake: s.wake,
	}
	var err error
	if set.Metrics, err = ingest.NewMetrics(s.tel.Meter); err != nil {
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
		s.posts["POST /ingest/"+c.Name], err = withToken(c, h)
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

// serve starts console, feed, desk and the re-reading of tables.
func (s *Service) serve(ctx context.Context, r reader) error {
	mounts := map[string]http.Handler{
		"GET /api/v1/stream":         http.HandlerFunc(s.feed.ServeStream),
		"GET /api/v1/changes.ndjson": http.HandlerFunc(s.feed.ServeChanges),
	}
	if s.tel.Metrics != nil {
		mounts["GET /metrics"] = s.tel.Metrics
	}
	for pattern, h := range s.posts {
		mounts[pattern] = h
	}
	handler, err := console.New(console.Settings{Reader: r, Analyst: s, Health: s.checks, Mounts: mounts, Log: s.tel.Log.With("component", "console"), Now: s.now})
	if err != nil {
		return err
	}
	backCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, BaseContext: func(net.Listener) context.Context { return backCtx },
	}
	var back sync.WaitGroup
	back.Go(func() {
		if err := server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.tel.Log.Error("console stopped", "err", err)
		}
	})
	back.Go(func() { _ = s.desk.Run(backCtx) })
	back.Go(func() { s.refresh(backCtx) })
	s.onStop("console", func(ctx context.Context) error {
		cancel()
		s.feed.Close()
		ctx, enough := context.WithTimeout(ctx, manners)
		defer enough()
		if server.Shutdown(ctx) != nil { // A client that does not let go is no reason to stop without a checkpoint.
			_ = server.Close()
		}
		back.Wait()
		return nil
	})
	if s.set.Ready != nil {
		s.set.Ready(s.URL())
	}
	return nil
}

// URL is where the console answers.
func (s *Service) URL() string { return "http://" + s.listener.Addr().String() }

// read runs the pipeline: for ever, or to the end of the given inputs.
func (s *Service) read(ctx context.Context) error {
	if s.set.Inputs != nil {
		return s.pipeline.Replay(ctx)
	}
	return s.pipeline.Run(ctx)
}

// Act implements console.Analyst.
func (s *Service) Act(ctx context.Context, a incident.Action) ([]incident.Change, error) {
	return s.worker.Act(ctx, a, func() {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	})
}

// refresh looks at the enrichment files again and again.
func (s *Service) refresh(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Enrich.Refresh)
	defer tick.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, problems := s.core.Live.Reload()
		s.health.tables(problems)
		if now := fmt.Sprint(problems); len(problems) > 0 && now != told { // Not again every minute.
			for _, p := range problems {
				s.tel.Log.Warn("enrichment tables refused, the old ones stay", "problem", p.String())
			}
			told = now
		} else if len(problems) == 0 {
			told = ""
		}
		if changed && len(problems) == 0 {
			s.tel.Log.Info("enrichment tables read again", "version", s.core.Live.Tables().Version())
		}
	}
}

// Interrupted reports whether an error only says that somebody stopped the program.
func Interrupted(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, os.ErrClosed)
}
