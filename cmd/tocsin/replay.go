package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// replayFlags are the flags of `tocsin replay`.
type replayFlags struct {
	sources                              []string
	rules                                []string
	lists                                []string
	assets, identities, zones, schedules string
	received, timezone, site             string
	json, changes, drain                 bool
}

func replayCommand(t *terminal) *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use: "replay --source FORMAT=PATH …", Short: "Run log files through the whole path, without store and network", Args: wrongArgs(cobra.NoArgs),
		Long: `Decodes, enriches, correlates and stitches log files as the service would, and prints findings and incidents. Nothing is
stored and nothing is sent. The same input gives the same bytes. Absences whose time has not come at the end of the input
are left pending, unless --drain runs event time past every deadline.

A source is FORMAT=PATH or NAME:FORMAT=PATH; several sources are read in step, always the one that is furthest behind.`,
		Example: `  tocsin replay --source okta=system-log.ndjson --source zeek=conn.log --assets assets.csv --json
  tocsin replay --source console:openssh=auth.log --timezone Europe/Berlin --rules my-rules/ --drain`,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c, t) },
	}
	f.register(c)
	c.Flags().BoolVar(&f.json, "json", false, "findings and incidents as OCSF, one a line")
	c.Flags().BoolVar(&f.changes, "changes", false, "print every revision as it comes, not only the last")
	c.Flags().BoolVar(&f.drain, "drain", false, "run event time past every deadline at the end")
	return c
}

// register adds the flags that say what is read and with which tables and rules.
func (f *replayFlags) register(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.sources, "source", nil, "FORMAT=PATH or NAME:FORMAT=PATH; repeat for several")
	c.Flags().StringArrayVar(&f.rules, "rules", nil, "rule file or folder; repeat for several (default those of the configuration)")
	c.Flags().StringVar(&f.assets, "assets", "", "inventory file (CSV or YAML)")
	c.Flags().StringVar(&f.identities, "identities", "", "identity file")
	c.Flags().StringVar(&f.zones, "zones", "", "zones file")
	c.Flags().StringVar(&f.schedules, "schedules", "", "schedules file")
	c.Flags().StringArrayVar(&f.lists, "list", nil, "NAME=PATH of a list; repeat for several")
	c.Flags().StringVar(&f.received, "received", "", "time of records that state none and follow none, RFC 3339")
	c.Flags().StringVar(&f.timezone, "timezone", "UTC", "zone of stamps without one")
	c.Flags().StringVar(&f.site, "site", "", "plant the records belong to")
}

func (f *replayFlags) run(c *cobra.Command, t *terminal) error {
	cfg, err := config(c)
	if err != nil {
		return err
	}
	if err := f.configure(&cfg); err != nil {
		return err
	}
	set, err := f.settings()
	if err != nil {
		return err
	}
	core, err := app.NewCore(cfg)
	if err != nil {
		return usageError{err}
	}
	out := bufio.NewWriter(t.out)
	if f.changes {
		set.Announce = func(x incident.Finding) { _ = app.WriteFinding(out, &x, f.json) }
		set.Changed = func(x incident.Change) { _ = app.WriteChange(out, &x, f.json) }
	}
	result, err := core.Replay(c.Context(), set)
	if err != nil {
		return err
	}
	if !f.changes {
		if err := app.WriteResult(out, result, f.json); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	summary(t.err, result)
	return nil
}

// configure puts the flags over the configuration.
func (f *replayFlags) configure(cfg *app.Config) error {
	for _, p := range []struct {
		flag string
		to   *string
	}{{f.assets, &cfg.Enrich.Assets}, {f.identities, &cfg.Enrich.Identities}, {f.zones, &cfg.Enrich.Zones}, {f.schedules, &cfg.Enrich.Schedules}} {
		if p.flag != "" {
			*p.to = p.flag
		}
	}
	if len(f.rules) > 0 {
		cfg.Rules.Paths = f.rules
	}
	for _, l := range f.lists {
		name, path, ok := strings.Cut(l, "=")
		if !ok {
			return usagef("--list %q: write it NAME=PATH", l)
		}
		cfg.SetList(name, path)
	}
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	return nil
}

func (f *replayFlags) settings() (app.ReplaySettings, error) {
	set := app.ReplaySettings{Drain: f.drain}
	if len(f.sources) == 0 {
		return set, usagef("name at least one --source FORMAT=PATH")
	}
	zone, err := time.LoadLocation(f.timezone)
	if err != nil {
		return set, usagef("--timezone %q is not a time zone; write it like Europe/Berlin", f.timezone)
	}
	if f.received != "" {
		if set.Received, err = moment("--received", f.received); err != nil {
			return set, err
		}
	}
	seen := map[string]int{}
	for _, s := range f.sources {
		in, err := f.input(s, zone, seen)
		if err != nil {
			return set, err
		}
		set.Inputs = append(set.Inputs, in)
	}
	return set, nil
}

func (f *replayFlags) input(s string, zone *time.Location, seen map[string]int) (app.ReplayInput, error) {
	spec, path, ok := strings.Cut(s, "=")
	name, formatName, named := strings.Cut(spec, ":")
	if !named {
		formatName = name
	}
	if !ok || path == "" {
		return app.ReplayInput{}, usagef("--source %q: write it FORMAT=PATH or NAME:FORMAT=PATH", s)
	}
	fm, known := format.ByName(formatName)
	if !known {
		return app.ReplayInput{}, usagef("--source %q: there is no format %q; see tocsin formats list", s, formatName)
	}
	seen[name]++
	if n := seen[name]; n > 1 {
		name = fmt.Sprintf("%s-%d", name, n)
	}
	if _, err := os.Stat(path); err != nil {
		return app.ReplayInput{}, usagef("--source %q: %v; check the path and that this user may read it", s, err)
	}
	return app.ReplayInput{Name: name, Format: fm.Name, Site: f.site, Location: zone, Open: func(clock func() int64) (ingest.Source, error) {
		return ingest.OpenFile(ingest.FileConfig{Name: name, Path: path, Format: fm, Site: f.site, Zone: zone, Clock: clock, From: event.End{}})
	}}, nil
}

func summary(w io.Writer, r *app.ReplayResult) {
	fmt.Fprintf(w, "%s, %s, %s, %s\n", app.Count(r.Events, "event"), app.Count(len(r.Rejects), "reject"), app.Count(len(r.Findings), "finding"), app.Count(len(r.Incidents), "incident"))
	said := rejectLines(w)
	for _, x := range r.Rejects {
		said(x)
	}
}

// rejectLines says why records became no events, of the first five; that there are more is said once.
func rejectLines(w io.Writer) func(event.Reject) {
	const most = 5
	n := 0
	return func(x event.Reject) {
		switch n++; {
		case n <= most:
			fmt.Fprintf(w, "  reject %s at %d: %s: %s\n", x.Position.Source, x.Position.Offset, x.Code, x.Reason)
		case n == most+1:
			fmt.Fprintln(w, "  … and more rejects")
		}
	}
}
