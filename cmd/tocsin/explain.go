package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// pastFlags say which events are read again: those of files, or those of the configured store.
type pastFlags struct {
	replayFlags
	inputs []string
}

func (f *pastFlags) register(c *cobra.Command) {
	f.replayFlags.register(c)
	c.Flags().StringArrayVar(&f.inputs, "input", nil, "same as --source")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
}

// open gives rules and tables as the flags say, and where events come from. Without a source that is the configured store.
func (f *pastFlags) open(c *cobra.Command, t *terminal) (*app.Core, app.Config, app.PastSettings, error) {
	past := app.PastSettings{Progress: app.EngineProgress(t.err), Rejected: rejectLines(t.err)}
	cfg, err := config(c)
	if err != nil {
		return nil, cfg, past, err
	}
	if err := f.configure(&cfg); err != nil {
		return nil, cfg, past, err
	}
	f.sources = slices.Concat(f.sources, f.inputs)
	if len(f.sources) > 0 {
		replay, err := f.settings()
		if err != nil {
			return nil, cfg, past, err
		}
		past.Inputs, past.Received = replay.Inputs, replay.Received
	}
	core, err := app.NewCore(cfg)
	if err != nil {
		return nil, cfg, past, usageError{err}
	}
	return core, cfg, past, nil
}

// explainFlags are the flags of `tocsin rules explain`.
type explainFlags struct {
	pastFlags
	rule, entity, from, to, at, around string
}

func rulesExplain(t *terminal) *cobra.Command {
	var f explainFlags
	c := &cobra.Command{
		Use: "explain [RULE|EVENT|FINDING]", Short: "Say why a rule matched, or why not, step by step", Args: wrongArgs(cobra.MaximumNArgs(1)),
		Long: `Folds the events of files, or of the configured store, through rules again and says what they did.

  RULE     For each step which events satisfied it, and of those that did not, which part of the condition was false with which values; what
           became of every chain: reached, complete, expired, killed by a guard, replaced, throttled, excepted, late, waiting.
           --at with --around looks near a time, --entity at what names one entity.
  EVENT    ev_…: of which rules the event satisfied a step, what became of that, and why it satisfied none of the others that listen to its class.
  FINDING  fi_…: its chain with what each step's condition read, what its guards looked at, and what the throttle counted into it.`,
		Example: `  tocsin rules explain rb-0006 --entity robot:amr-07 --source vda5050=amr.jsonl --source cisco_ise=ise.log --assets assets.csv
  tocsin rules explain --rule rb-0006 --entity robot:amr-07 --at 14:05 --around 30m
  tocsin rules explain fi_wbwfdbh5w6u7uwmnawstfpwlyu --json
  tocsin rules explain ev_sx4zxtfct3fc6btct3n6pfyl2e --input openssh=auth.log`,
		RunE: func(c *cobra.Command, args []string) error {
			what := ""
			if len(args) > 0 {
				what = args[0]
			}
			return f.run(c, t, what)
		},
	}
	f.register(c)
	c.Flags().StringVar(&f.rule, "rule", "", "rule to explain; with an event, the only rule")
	c.Flags().StringVar(&f.entity, "entity", "", "canonical id or key of the entity it is about (default all)")
	c.Flags().StringVar(&f.from, "from", "", "what happened from this time on, RFC 3339")
	c.Flags().StringVar(&f.to, "to", "", "what happened before this time, RFC 3339")
	c.Flags().StringVar(&f.at, "at", "", "what happened around this time, RFC 3339, or 14:05 UTC on the day of the newest event")
	c.Flags().StringVar(&f.around, "around", "30m", "how far around --at")
	return c
}

func (f *explainFlags) run(c *cobra.Command, t *terminal, what string) error {
	id, kind, err := idOf(what)
	if err != nil {
		return err
	}
	set := app.ExplainSettings{Rule: f.rule, Entity: f.entity}
	if kind == "" && what != "" {
		if f.rule != "" && f.rule != what {
			return usagef("both %s and --rule %s are given: name one rule", what, f.rule)
		}
		set.Rule = what
	}
	if kind == "" && set.Rule == "" {
		return usagef("name a rule, an event or a finding; see tocsin rules explain --help")
	}
	if err := f.times(&set); err != nil {
		return err
	}
	core, cfg, past, err := f.open(c, t)
	if err != nil {
		return err
	}
	set.Past = past
	switch kind {
	case event.EventPrefix:
		x, err := core.ExplainEvent(c.Context(), cfg, set, id)
		if err != nil {
			return err
		}
		if f.json {
			return app.WriteEventExplanationJSON(t.out, x)
		}
		return app.WriteEventExplanation(t.out, x)
	case event.FindingPrefix:
		x, err := core.ExplainFinding(c.Context(), cfg, set, id)
		if err != nil {
			return err
		}
		if f.json {
			return app.WriteFindingExplanationJSON(t.out, x)
		}
		return app.WriteFindingExplanation(t.out, x)
	}
	x, err := core.Explain(c.Context(), cfg, set)
	if err != nil {
		return err
	}
	if f.json {
		return app.WriteExplanationJSON(t.out, x)
	}
	return app.WriteExplanation(t.out, x, set.At)
}

// idOf reads an id of an event or a finding; kind is its prefix, "" for what is none.
func idOf(s string) (id event.ID, kind string, err error) {
	for _, prefix := range []string{event.EventPrefix, event.FindingPrefix} {
		if strings.HasPrefix(s, prefix) {
			if id, err = event.ParseID(prefix, s); err != nil {
				return id, prefix, usageError{err}
			}
			return id, prefix, nil
		}
	}
	return id, "", nil
}

func (f *explainFlags) times(set *app.ExplainSettings) (err error) {
	if set.From, err = moment("--from", f.from); err != nil {
		return err
	}
	if set.To, err = moment("--to", f.to); err != nil {
		return err
	}
	if set.Around, err = expression.ParseDuration(f.around); err != nil {
		return usagef("--around %q: %v; write it like 30m", f.around, err)
	}
	set.Clock = -1
	if f.at == "" {
		return nil
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if at, err := time.Parse(layout, f.at); err == nil {
			set.Clock = at.Sub(at.Truncate(24 * time.Hour)).Microseconds()
			return nil
		}
	}
	if set.At, err = moment("--at", f.at); err != nil {
		return usagef("--at %q: write it like 2026-11-21T14:05:00Z or 14:05", f.at)
	}
	return nil
}

func rulesNear(t *terminal) *cobra.Command {
	var f pastFlags
	var rule, entity, last, from, to string
	c := &cobra.Command{
		Use: "near", Short: "List near misses: what reached all but the last step", Args: wrongArgs(cobra.NoArgs),
		Long: `Folds the events of files, or of the configured store, again and lists what came close to a finding: chains that reached all but the last
step, counts that lacked one, and complete matches that a guard spoke against. Of one rule or of all.`,
		Example: "  tocsin rules near --last 24h\n  tocsin rules near --rule rb-0010 --last 24h --json\n  tocsin rules near --input openssh=auth.log --rules my-rules/",
		RunE: func(c *cobra.Command, _ []string) error {
			set := app.NearSettings{Rule: rule, Entity: entity}
			var err error
			if set.From, err = moment("--from", from); err != nil {
				return err
			}
			if set.To, err = moment("--to", to); err != nil {
				return err
			}
			if last != "" {
				if set.Last, err = expression.ParseDuration(last); err != nil {
					return usagef("--last %q: %v; write it like 24h", last, err)
				}
			}
			core, cfg, past, err := f.open(c, t)
			if err != nil {
				return err
			}
			if set.Last == 0 && set.From == 0 && len(past.Inputs) == 0 {
				return usagef("say how far back to look: --last 24h, or --from")
			}
			set.Past = past
			list, err := core.Near(c.Context(), cfg, set)
			if err != nil {
				return err
			}
			if f.json {
				return app.WriteNearJSON(t.out, list)
			}
			return app.WriteNear(t.out, list)
		},
	}
	f.register(c)
	c.Flags().StringVar(&rule, "rule", "", "rule whose near misses are wanted (default all)")
	c.Flags().StringVar(&entity, "entity", "", "canonical id or key of the entity they are about (default all)")
	c.Flags().StringVar(&last, "last", "", "how far back from the newest event, such as 24h")
	c.Flags().StringVar(&from, "from", "", "from this time on, RFC 3339")
	c.Flags().StringVar(&to, "to", "", "before this time, RFC 3339")
	return c
}

// moment reads a time flag in microseconds; 0 if it is not given.
func moment(flag, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, usagef("%s %q: write it like 2026-11-21T08:00:00Z", flag, text)
	}
	return at.UnixMicro(), nil
}
