package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// RejectsSettings is how a command reaches the rejects.
type RejectsSettings struct {
	Progress func(engine.Progress)
	Talk     io.Writer // What is being asked, for people.
}

// Rejects shows the rejects of a filter: those of the configured server, of the running service, or, where there is neither, of the embedded engine.
func Rejects(ctx context.Context, cfg Config, f store.RejectFilter, set RejectsSettings, show func(RejectRow) error) error {
	if len(cfg.ClickHouse.Addr) == 0 {
		answered, err := askService(ctx, cfg, http.MethodGet, rejectsPath, rejectValues(f), func(line []byte) error {
			var row struct {
				RejectRow
				Error string `json:"error"`
			}
			if err := json.Unmarshal(line, &row); err != nil {
				return err
			}
			if row.Error != "" {
				return errors.New(row.Error)
			}
			return show(row.RejectRow)
		})
		if answered {
			return err
		}
	}
	db, err := openBeside(ctx, cfg, set.Progress)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for r, err := range db.Rejected(ctx, f) {
		if err != nil {
			return err
		}
		if err := show(rejectRow(&r)); err != nil {
			return err
		}
	}
	return nil
}

// ReplayRejects decodes stored rejects again and feeds what they give back: in the running service, which alone writes the log, or, where none runs, in
// this process, which then is the one that writes.
func ReplayRejects(ctx context.Context, cfg Config, r RejectReplay, set RejectsSettings, show func(RejectOutcome) error) (sum RejectSummary, err error) {
	form := rejectValues(r.Filter)
	if r.DryRun {
		form.Set("dry_run", "true")
	}
	ended := false
	answered, err := askService(ctx, cfg, http.MethodPost, replayPath, form, func(line []byte) error {
		var l rejectLine
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		if l.Summary == nil {
			return show(*l.RejectOutcome)
		}
		sum, ended = *l.Summary, true
		if l.Error != "" {
			return errors.New(l.Error)
		}
		return nil
	})
	switch {
	case answered && err == nil && !ended:
		return sum, errors.New("the service stopped in between: what it said is done; run the command again for the rest")
	case answered:
		return sum, err
	case len(cfg.ClickHouse.Addr) > 0 && !r.Offline && !r.DryRun:
		return sum, fmt.Errorf("no service answers at %s, and one that runs elsewhere would be stopped if this command wrote to its log: run it there, or, if none runs, add --offline", cfg.Console.Listen)
	}
	fmt.Fprintln(set.Talk, "no service runs: writing the log from here")
	return replayOffline(ctx, cfg, r, set, show)
}

// askService asks the service at console.listen; answered is false if nobody listens there. Each line of its answer goes to take.
func askService(ctx context.Context, cfg Config, method, path string, form url.Values, take func([]byte) error) (answered bool, err error) {
	if strings.HasSuffix(cfg.Console.Listen, ":0") {
		return false, nil // Any port: nobody can know which.
	}
	client, scheme, err := LocalClient(&cfg)
	if err != nil {
		return false, err
	}
	address := url.URL{Scheme: scheme, Host: LocalAddress(cfg.Console.Listen), Path: path}
	body := ""
	if method == http.MethodGet {
		address.RawQuery = form.Encode()
	} else {
		body = form.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address.String(), strings.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if token := os.Getenv("TOCSIN_TOKEN"); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := client.Do(req)
	if err != nil {
		return !errors.Is(err, syscall.ECONNREFUSED), fmt.Errorf("ask the service at %s: %w", cfg.Console.Listen, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "application/x-ndjson" {
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 4096))
		var problem struct{ Detail string }
		if json.Unmarshal(said, &problem) == nil && problem.Detail != "" {
			said = []byte(problem.Detail)
		}
		said = said[:min(len(said), 300)]
		if answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden {
			said = append(bytes.TrimSpace(said), "; give an API token in the environment variable TOCSIN_TOKEN"...)
		}
		return true, fmt.Errorf("what answers at %s (console.listen) says %s: %s", cfg.Console.Listen, answer.Status, plain(string(bytes.TrimSpace(said))))
	}
	lines := json.NewDecoder(answer.Body)
	for {
		var line json.RawMessage
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			return true, nil
		} else if err != nil {
			return true, fmt.Errorf("ask the service at %s: %w", cfg.Console.Listen, err)
		}
		if err := take(line); err != nil {
			return true, err
		}
	}
}

// replayOffline is the service for as long as the replay takes: it recovers, writes batches of its own and saves its state.
func replayOffline(ctx context.Context, cfg Config, r RejectReplay, set RejectsSettings, show func(RejectOutcome) error) (sum RejectSummary, err error) {
	log := slog.New(slog.DiscardHandler)
	core, err := NewCore(cfg)
	if err != nil {
		return sum, err
	}
	db, err := OpenDatabase(ctx, cfg, log, nil, set.Progress)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	x := &rejectReplayer{db: db.DB, decode: newRejectDecoder(cfg, log), enrich: core.Enricher, now: func() int64 { return time.Now().UnixMicro() }, log: log}
	if r.DryRun {
		return x.replay(ctx, r, show)
	}
	worker := correlate.NewWorker(correlate.WorkerSettings{
		Engine: core.Engine, Stitcher: core.Stitcher, State: core.Enricher.enricher.Bindings(), Log: db, Records: db, Checkpoints: db,
		Tables: func() string { return core.Live.Tables().Version() },
		Every:  cfg.Correlate.Checkpoint.Microseconds(), Slog: log,
		Warm:  func(ctx context.Context) error { return core.warm(ctx, db.DB, log, nil) },
		Rules: func() *rules.Set { return core.Rules }, RulesText: (*rules.Set).Text, RulesOf: rules.OfText,
	})
	tail, err := worker.Recover(ctx)
	if err != nil {
		return sum, err
	}
	defer worker.Stop(context.WithoutCancel(ctx))
	x.handler, x.feed = worker, x.alone(tail)
	return x.replay(ctx, r, show)
}

// alone is feed without a pipeline: each page is a batch of its own, in which every source stands where it stood.
func (x *rejectReplayer) alone(tail incident.Tail) func(context.Context, *rejectPage) error {
	return func(ctx context.Context, p *rejectPage) error {
		p.done = make(chan error, 1)
		x.waiting = p
		b := &event.Batch{Received: x.now(), Marks: slices.Clone(tail.Marks), Carry: slices.Clone(tail.Carry)}
		x.Enrich(b)
		_ = x.Handle(ctx, b) // Its error is also told to the page.
		return <-p.done
	}
}
