package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tocsin-siem/tocsin/enrich"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/format"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/store/engine"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
)

// DemoSettings is what `tocsin demo` asks for.
type DemoSettings struct {
	Scenarios []scenarios.Scenario
	Once      bool // End when the incidents have been printed.
	JSON      bool
	Changes   bool
	Out, Talk io.Writer // Results; everything else.
	Progress  func(engine.Progress)
}

// Demo plays scenarios through the whole program (embedded engine, store, worker, console) in a folder of its own that is removed at the end,
// prints the incidents, and keeps the console open until ctx ends.
func Demo(ctx context.Context, cfg Config, set DemoSettings) error {
	start := time.Now()
	dir, err := os.MkdirTemp("", "tocsin-demo-")
	if err != nil {
		return fmt.Errorf("demo folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var inputs []ReplayInput
	for _, sc := range set.Scenarios {
		prefix := "" // scenarios that are played together must not share sources, each of which has a frontier of its own
		if len(set.Scenarios) > 1 {
			prefix = sc.Name + "-"
		}
		more, err := scenarioInputs(sc, prefix, dir)
		if err != nil {
			return err
		}
		inputs = append(inputs, more...)
	}
	if err := scenarioConfig(&cfg, set.Scenarios[0].Tables, dir); err != nil {
		return err
	}
	if !set.Once {
		fmt.Fprintln(set.Talk, "starting the embedded engine …")
	}
	first := true
	service := ServiceSettings{Log: set.Talk, Progress: set.Progress, Inputs: inputs}
	service.Ready = func(url string) {
		if !set.Once {
			fmt.Fprintf(set.Talk, "playing %d sources; console: %s/\n", len(inputs), url)
		}
	}
	service.Published = func(changes []incident.Change) {
		for i := range changes {
			if set.Changes {
				_ = WriteChange(set.Out, &changes[i], set.JSON)
			}
			if first && !set.JSON {
				fmt.Fprintf(set.Talk, "first incident %.1f s after the start\n", time.Since(start).Seconds())
			}
			first = false
		}
	}
	return Run(ctx, cfg, service, func(ctx context.Context, s *Service) error { return s.showDemo(ctx, set) })
}

// showDemo prints what came out and waits, unless once.
func (s *Service) showDemo(ctx context.Context, set DemoSettings) error {
	if err := s.worker.Drain(ctx, s.now()); err != nil {
		return err
	}
	if !set.Changes {
		list, err := collect(s.db.Incidents(ctx, store.IncidentFilter{Status: []incident.Status{incident.Open, incident.Acknowledged, incident.Closed}}))
		if err != nil {
			return err
		}
		slices.SortFunc(list, func(a, b *incident.Incident) int { return int(a.First - b.First) })
		for _, in := range list {
			if err := WriteIncident(set.Out, in, set.JSON); err != nil {
				return err
			}
		}
	}
	if set.Once {
		return nil
	}
	fmt.Fprintf(set.Talk, "\nThe console shows it at %s/ — stop with Ctrl-C.\n", s.URL())
	return s.pipeline.Attend(ctx)
}

// scenarioInputs writes a scenario's raw logs into dir and gives the sources that read them, named behind prefix.
func scenarioInputs(sc scenarios.Scenario, prefix, dir string) ([]ReplayInput, error) {
	var out []ReplayInput
	for _, src := range sc.Sources {
		f, ok := format.ByName(src.Format)
		if !ok {
			return nil, fmt.Errorf("scenario %s: there is no format %q", sc.Name, src.Format)
		}
		path := filepath.Join(dir, sc.Name+"-"+src.Name)
		if err := os.WriteFile(path, src.Data(), 0o600); err != nil {
			return nil, fmt.Errorf("demo folder: %w", err)
		}
		zone, err := time.LoadLocation(src.Zone)
		if err != nil {
			return nil, fmt.Errorf("scenario %s: source %s: %w", sc.Name, src.Name, err)
		}
		name := prefix + src.Name
		out = append(out, ReplayInput{Name: name, Format: f.Name, Site: src.Site, Location: zone, Open: func(clock func() int64) (ingest.Source, error) {
			return ingest.OpenFile(ingest.FileConfig{Name: name, Path: path, Format: f, Site: src.Site, Zone: zone, Clock: clock, From: event.End{}})
		}})
	}
	return out, nil
}

// scenarioConfig points enrichment at the scenarios' plant and the engine at dir.
func scenarioConfig(cfg *Config, tables scenarios.Tables, dir string) error {
	cfg.Engine.Dir = filepath.Join(dir, "engine")
	cfg.ClickHouse.Addr = nil
	if cfg.Telemetry.Log.Level == "info" {
		cfg.Telemetry.Log.Level = "warn"
	}
	return ScenarioTables(&cfg.Enrich, tables, dir)
}

// ScenarioTables writes a scenario's tables into dir and configures enrichment with them.
func ScenarioTables(c *enrich.Config, tables scenarios.Tables, dir string) error {
	put := func(name string, to *string) error {
		if name == "" {
			return nil
		}
		data, err := scenarios.ReadFile(name)
		if err != nil {
			return err
		}
		*to = filepath.Join(dir, "table-"+filepath.Base(name))
		return os.WriteFile(*to, data, 0o600)
	}
	for _, t := range []struct {
		name string
		to   *string
	}{{tables.Assets, &c.Assets}, {tables.Identities, &c.Identities}, {tables.Zones, &c.Zones}, {tables.Schedules, &c.Schedules}} {
		if err := put(t.name, t.to); err != nil {
			return fmt.Errorf("demo folder: %w", err)
		}
	}
	c.Lists = map[string]enrich.List{}
	for name, file := range tables.Lists {
		var l enrich.List
		if err := put(file, &l.File); err != nil {
			return fmt.Errorf("demo folder: %w", err)
		}
		c.Lists[name] = l
	}
	return nil
}
