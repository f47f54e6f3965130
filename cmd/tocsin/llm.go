package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/llm"
)

func llmCommand(t *terminal) *cobra.Command {
	return group("llm", "Model summaries: what would be sent, and what comes of it", llmEval(t), llmPack(t))
}

// modelFlags change the configured model for one command.
type modelFlags struct {
	url    string
	models []string
}

func (f *modelFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.url, "url", "", "base address of the model server instead of triage.llm.url; loopback may be plain http")
	c.Flags().StringSliceVar(&f.models, "model", nil, "model instead of triage.llm.model; again for more, which are asked one after the other")
}

// apply puts the flags over the configuration.
func (f *modelFlags) apply(m *triage.ModelConfig) error {
	if len(f.models) > 0 {
		m.Model = f.models[0]
	}
	if f.url != "" {
		m.URL = f.url
		if u, err := url.Parse(f.url); err == nil {
			if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsLoopback() {
				m.AllowPlainHTTP, m.AllowCIDRs = true, append(m.AllowCIDRs, netip.PrefixFrom(ip, ip.BitLen()).String())
			}
		}
	}
	if !m.On() {
		return usagef("no model is configured: set triage.llm.url and triage.llm.model, or give --url and --model")
	}
	if err := m.Validate(); err != nil {
		return usageError{err}
	}
	return nil
}

func llmEval(t *terminal) *cobra.Command {
	var f modelFlags
	var asJSON, fromStore, quiet bool
	var name string
	set := app.EvalSettings{}
	c := &cobra.Command{
		Use: "eval", Short: "Ask the model about incidents and measure what can be proven", Args: wrongArgs(cobra.NoArgs),
		Long: `Asks the configured model about the incidents of the reference scenarios, and with --store about the latest of the configured store, verifies each
answer as the service does and sums up: claims made, proven, shown, dropped and why; how often the deterministic text stands alone; tokens and time.
Nothing is stored. The day's budget and the bounds per incident do not count here.
Exit code 3 if for any question nothing of the answer could be shown.`,
		Example: "  tocsin llm eval --config tocsin.yaml\n  tocsin llm eval --url http://127.0.0.1:11434/v1 --model small --scenario malfunction --runs 5\n  tocsin llm eval --store --limit 50 --scenario none --json",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			if err := f.apply(&cfg.Triage.LLM); err != nil {
				return err
			}
			if set.Runs < 1 || set.Runs > 10_000 || set.Limit < 1 || set.Limit > 10_000 || set.Again < 0 || set.Again > 1000 {
				return usagef("--runs and --limit go from 1 to 10000, --again from 0 to 1000")
			}
			set.Models = f.models
			if set.Scenarios, err = evalScenarios(name); err != nil {
				return err
			}
			set.Store, set.Progress = fromStore, app.EngineProgress(t.err)
			if !quiet {
				set.Talk = t.err
			}
			report, err := app.Evaluate(c.Context(), cfg, set)
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(t.out).Encode(report)
			} else {
				err = app.WriteEval(t.out, report)
			}
			if err == nil && report.Fallbacks > 0 {
				return errFound
			}
			return err
		},
	}
	f.register(c)
	c.Flags().BoolVar(&asJSON, "json", false, "the report as one JSON document, with every question")
	c.Flags().BoolVar(&fromStore, "store", false, "also the latest incidents of the configured store")
	c.Flags().BoolVar(&quiet, "quiet", false, "do not tell of each question on standard error")
	c.Flags().StringVar(&name, "scenario", "all", "scenario to ask about, all or none")
	c.Flags().IntVar(&set.Runs, "runs", 1, "questions about each incident")
	c.Flags().IntVar(&set.Again, "again", 0, "how often a question is asked again, 3 s later, where the server gave no answer")
	c.Flags().IntVar(&set.Limit, "limit", 20, "how many incidents of the store")
	return c
}

// evalScenarios are the scenarios a name stands for.
func evalScenarios(name string) ([]scenarios.Scenario, error) {
	if name == "none" {
		return nil, nil
	}
	return chosen(name)
}

func llmPack(t *terminal) *cobra.Command {
	var asJSON bool
	var name string
	c := &cobra.Command{
		Use: "pack [INCIDENT]", Short: "Show what a model would be sent about an incident", Args: wrongArgs(cobra.MaximumNArgs(1)),
		Long: `Prints the evidence pack of an incident of the configured store, or of a scenario: the closed set of facts that a model sees, with pseudonyms for names and
tokens for text that outsiders can write. No model is asked and none need be configured; triage.llm says what the pack may hold. With --json the
instructions and the schema of the answer are printed, too.`,
		Example: "  tocsin llm pack inc_uih2y5olwxo72je6elgcki4jg4\n  tocsin llm pack --scenario restricted-area\n  tocsin llm pack --scenario malfunction --json",
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			if (name == "") == (len(args) == 0) {
				return usagef("name an incident, or a scenario with --scenario")
			}
			var list []*incident.Incident
			if name != "" {
				all, err := chosen(name)
				if err != nil {
					return err
				}
				for _, sc := range all {
					more, err := app.ScenarioIncidents(c.Context(), cfg, sc)
					if err != nil {
						return err
					}
					list = append(list, more...)
				}
			} else {
				id, err := event.ParseID(event.IncidentPrefix, strings.TrimSpace(args[0]))
				if err != nil {
					return usageError{err}
				}
				in, err := app.StoredIncident(c.Context(), cfg, id, app.EngineProgress(t.err))
				if err != nil {
					return err
				}
				list = append(list, in)
			}
			if len(list) == 0 {
				return errors.New("the scenario comes to no incident with these rules")
			}
			for _, in := range list {
				p := llm.Build(in, llm.OptionsOf(cfg.Triage.LLM))
				if asJSON {
					err = json.NewEncoder(t.out).Encode(p.Question())
				} else {
					_, err = fmt.Fprint(t.out, p.Text)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "instructions, evidence and schema as JSON, one incident a line")
	c.Flags().StringVar(&name, "scenario", "", "scenario instead of an incident of the store, or all")
	return c
}
