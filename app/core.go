package app

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/enrich"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// Core is the pure part of the program: enrichment, engine and stitcher with the tables and rules they work by.
type Core struct {
	Live     *enrich.Live
	Rules    *rules.Set
	Enricher *Enricher
	Engine   *correlate.Engine
	Stitcher *incident.Stitcher
	settings correlate.Settings
}

// NewCore loads the tables and rules a configuration names. Any error in any of them refuses the whole.
func NewCore(c Config) (*Core, error) {
	live, problems := enrich.NewLive(c.Enrich, os.ReadFile)
	if len(problems) > 0 {
		return nil, problemsError("enrichment tables", problems)
	}
	set, found := LoadConfigured(c.Rules)
	if set == nil {
		return nil, problemsError("rules", found)
	}
	return newCore(c, live, set)
}

func newCore(c Config, live *enrich.Live, set *rules.Set) (*Core, error) {
	geo, err := enrich.OpenGeo(c.Enrich.Geo)
	if err != nil {
		return nil, err
	}
	workers := c.Correlate.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	core := &Core{Live: live, Rules: set}
	core.Enricher = &Enricher{enricher: enrich.New(live.Tables, geo, enrich.NewBindings(c.Enrich.Bindings))}
	core.settings = correlate.Settings{Lookups: lookups{live.Tables}, Workers: workers, MaxKeys: c.Correlate.MaxKeys, MaxHits: c.Correlate.MaxHits, Stopwatch: stopwatch()}
	core.Engine = correlate.New(set, core.settings)
	core.Stitcher = incident.NewStitcher(c.Stitch.stitching(live.Tables), directory{live.Tables})
	return core, nil
}

// stopwatch counts nanoseconds from now.
func stopwatch() func() int64 {
	began := time.Now()
	return func() int64 { return time.Since(began).Nanoseconds() }
}

// problemsError joins problems, each with its place, into one error.
func problemsError[P fmt.Stringer](what string, problems []P) error {
	errs := []error{fmt.Errorf("%s refused:", what)}
	for _, p := range problems {
		errs = append(errs, errors.New("  "+p.String()))
	}
	return errors.Join(errs...)
}

func (c StitchConfig) config() incident.Config {
	return incident.Config{
		MaxGap: c.MaxGap.Microseconds(), MaxSpan: c.MaxSpan.Microseconds(), Lookback: c.Lookback.Microseconds(),
		HubShare: c.HubShare, HubMin: c.HubMin, Reopen: c.Reopen,
		Flood: incident.Flood{Findings: c.Flood.Findings, Per: c.Flood.Per.Microseconds()},
	}
}

// Enricher enriches batches and adds up what it did.
type Enricher struct {
	enricher *enrich.Enricher
	stats    enrich.Stats
	mirror   *mirror // nil: what is learned is not mirrored
	took     time.Duration
}

// Enrich implements ingest.Enricher.
func (x *Enricher) Enrich(b *event.Batch) {
	start := time.Now()
	x.stats = x.enricher.Enrich(b.Events, b.Sorted)
	b.Learned = slices.Clone(x.enricher.Bindings().Learned()) // Written while the next batch is enriched.
	if x.mirror != nil {
		x.mirror.take(x.enricher.Bindings().Changes())
	}
	x.took = time.Since(start)
}

// lookups are the tables as expressions read them: times in milliseconds, attributes by name.
type lookups struct{ tables func() *enrich.Tables }

// InList implements expression.Lookups.
func (l lookups) InList(list, value string) bool { return l.tables().InList(list, value) }

// InWindow implements expression.Lookups.
func (l lookups) InWindow(kind, entity string, at int64) bool {
	return l.tables().Window(kind, entity, at*1000)
}

// AssetField implements expression.Lookups.
func (l lookups) AssetField(id, field string) event.FieldValue {
	a, ok := l.tables().Asset(id)
	if !ok {
		return event.FieldValue{}
	}
	text := func(s string) event.FieldValue {
		return event.FieldValue{Kind: event.KindString, Known: s != "", Str: s}
	}
	truth := func(b event.Bool) event.FieldValue {
		v := event.FieldValue{Kind: event.KindBool, Known: b.Known()}
		if b == event.True {
			v.Num = 1
		}
		return v
	}
	switch field {
	case "name":
		_, name, _ := strings.Cut(a.ID, ":")
		return text(name)
	case "kind":
		return text(a.Kind)
	case "site":
		return text(a.Site)
	case "zone":
		return text(a.Zone)
	case "vendor":
		return text(a.Vendor)
	case "model":
		return text(a.Model)
	case "owner_team":
		return text(a.OwnerTeam)
	case "criticality":
		return event.FieldValue{Kind: event.KindInt, Known: a.Criticality != 0, Num: int64(a.Criticality)}
	case "humans_near":
		return truth(a.HumansNear)
	case "restricted_area":
		return truth(a.RestrictedArea)
	}
	return event.FieldValue{}
}

// directory is the inventory as stitching reads it.
type directory struct{ tables func() *enrich.Tables }

// OwnerTeam implements incident.Directory.
func (d directory) OwnerTeam(entity string) string { return d.tables().OwnerTeam(entity) }

// Criticality implements incident.Directory.
func (d directory) Criticality(entity string) uint8 { return d.tables().Criticality(entity) }

// Site implements incident.Directory.
func (d directory) Site(entity string) string { return d.tables().Site(entity) }
