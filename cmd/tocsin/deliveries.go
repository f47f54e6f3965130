package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

func deliveriesCommand(t *terminal) *cobra.Command {
	return group("deliveries", "List what endpoints were sent, replay dead letters, test an endpoint", deliveriesList(t), deliveriesReplay(t), deliveriesTest(t))
}

// deliveryFlags choose deliveries.
type deliveryFlags struct {
	endpoint, incident, since, until string
	json                             bool
}

func (f *deliveryFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.endpoint, "endpoint", "", "only those to this endpoint")
	c.Flags().StringVar(&f.incident, "incident", "", "only those of this incident")
	c.Flags().StringVar(&f.since, "since", "", "last attempted from this time on, RFC 3339")
	c.Flags().StringVar(&f.until, "until", "", "last attempted before this time, RFC 3339")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
}

func (f *deliveryFlags) form() (url.Values, error) {
	form := url.Values{}
	for _, t := range []struct{ name, text string }{{"since", f.since}, {"until", f.until}} {
		if _, err := moment("--"+t.name, t.text); err != nil {
			return nil, err
		}
	}
	for name, text := range map[string]string{"endpoint": f.endpoint, "incident": f.incident, "since": f.since, "until": f.until} {
		if text != "" {
			form.Set(name, text)
		}
	}
	return form, nil
}

func deliveriesList(t *terminal) *cobra.Command {
	var f deliveryFlags
	var state string
	var limit int
	c := &cobra.Command{
		Use: "list", Short: "List deliveries that were attempted, the last attempted first", Args: wrongArgs(cobra.NoArgs),
		Long: `Lists what endpoints were sent and how it stands: pending, delivered, dead, coalesced (a newer revision took its place) or digested
(told as one of many). Asks the running service; where people sign in, TOCSIN_TOKEN holds an API token.`,
		Example: "  tocsin deliveries list --state dead --endpoint soar\n  tocsin deliveries list --incident inc_aaaaaaaaaaaaaaaaaaaaaaaaaa --json",
		RunE: func(c *cobra.Command, _ []string) error {
			form, err := f.form()
			if err != nil {
				return err
			}
			form.Set("limit", strconv.Itoa(limit))
			if state != "" {
				form.Set("state", state)
			}
			return f.list(c, t, form)
		},
	}
	f.register(c)
	c.Flags().StringVar(&state, "state", "", "only those in this state")
	c.Flags().IntVar(&limit, "limit", 50, "most that are listed, up to 5000")
	return c
}

func (f *deliveryFlags) list(c *cobra.Command, t *terminal, form url.Values) error {
	cfg, err := config(c)
	if err != nil {
		return err
	}
	if f.json {
		enc := json.NewEncoder(t.out)
		return app.ListDeliveries(c.Context(), cfg, form, func(r app.DeliveryRow) error { return enc.Encode(r) })
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	n := 0
	err = app.ListDeliveries(c.Context(), cfg, form, func(r app.DeliveryRow) error {
		if n++; n == 1 {
			fmt.Fprintln(w, "ID\tLAST ATTEMPT\tENDPOINT\tINCIDENT\tCHANGE\tSTATE\tATTEMPTS\tERROR")
		}
		_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s %d\t%s\t%d\t%s\n", r.ID, r.At.Format(time.DateTime), app.Plain(r.Endpoint), r.Incident, r.Kind, r.Revision, r.State, r.Attempts, app.Plain(r.Error))
		return err
	})
	if err != nil {
		return err
	}
	if n == 0 {
		fmt.Fprintln(w, "no deliveries")
	}
	return w.Flush()
}

func deliveriesReplay(t *terminal) *cobra.Command {
	var f deliveryFlags
	c := &cobra.Command{
		Use: "replay [ID…]", Short: "Send dead letters again, under the ids they had", Args: cobra.ArbitraryArgs,
		Long: `Makes dead letters due again: those named, or those that the flags choose among the dead letters of the last 30 days. They keep their
webhook-id, so that a receiver that has one already can tell, and get as many attempts as a new delivery. A named delivery is sent again
whatever became of it. At most 5000 are replayed at once.`,
		Example: `  tocsin deliveries replay dlv_aaaaaaaaaaaaaaaaaaaaaaaaaa
  tocsin deliveries replay --incident inc_aaaaaaaaaaaaaaaaaaaaaaaaaa
  tocsin deliveries replay --endpoint soar --since 2026-11-20T00:00:00Z`,
		RunE: func(c *cobra.Command, args []string) error {
			form, err := f.form()
			if err != nil {
				return err
			}
			form["id"] = args
			if len(args) == 0 && len(form) == 1 {
				return usagef("say what to replay: ids, --incident, --endpoint or --since")
			}
			cfg, err := config(c)
			if err != nil {
				return err
			}
			n, err := app.ReplayDeliveries(c.Context(), cfg, form)
			if err != nil {
				return err
			}
			if f.json {
				return json.NewEncoder(t.out).Encode(map[string]int{"replayed": n})
			}
			fmt.Fprintf(t.out, "%s due again\n", app.Count(n, "letter"))
			return nil
		},
	}
	f.register(c)
	return c
}

func deliveriesTest(t *terminal) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "test ENDPOINT", Short: "Send an endpoint a test and say what it answered", Args: wrongArgs(cobra.ExactArgs(1)),
		Long: `Sends an endpoint.test event once, in the endpoint's own form. It leaves nothing open there: PagerDuty gets a resolve, an Alertmanager an
alert that has ended. Exit code 3 if it did not arrive.`,
		Example: "  tocsin deliveries test soar",
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			refusal, err := app.TestEndpoint(c.Context(), cfg, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				if err := json.NewEncoder(t.out).Encode(map[string]any{"endpoint": args[0], "delivered": refusal == "", "error": refusal}); err != nil {
					return err
				}
			} else if refusal == "" {
				fmt.Fprintln(t.out, "arrived")
			} else {
				fmt.Fprintln(t.out, "did not arrive: "+app.Plain(refusal))
			}
			if refusal != "" {
				return errFound
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func routesCommand(t *terminal) *cobra.Command {
	return group("routes", "Try the routes that say who owns which incidents", routesTest(t))
}

func routesTest(t *terminal) *cobra.Command {
	var asJSON bool
	var last int
	var kind string
	c := &cobra.Command{
		Use: "test", Short: "Say what the configured routes would make of the latest incidents", Args: wrongArgs(cobra.NoArgs),
		Long: `Reads triage.routes of the configuration file and asks the running service what they would make of its latest incidents. Nothing is sent and
nothing changes, so that routes can be tried before the service has them. Exit code 3 if an incident matches no route.`,
		Example: "  tocsin routes test --config tocsin.yaml --last 200\n  tocsin routes test --change closed --json",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			if len(cfg.Triage.Routes) == 0 {
				return usagef("no triage.routes to try: write them into a configuration file and name it with --config; docs/integrations.md has an example")
			}
			w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
			enc, n, missed := json.NewEncoder(t.out), 0, 0
			err = app.TryRoutes(c.Context(), cfg, incident.ChangeKind(kind), last, func(r triage.Routed) error {
				if len(r.Matched) == 0 {
					missed++
				}
				if asJSON {
					return enc.Encode(r)
				}
				if n++; n == 1 {
					fmt.Fprintln(w, "INCIDENT\tSEVERITY\tSTITCHED\tOWNER\tROUTE\tENDPOINTS\tTITLE")
				}
				_, err := fmt.Fprintln(w, app.RoutedLine(r))
				return err
			})
			if err != nil {
				return err
			}
			if err := w.Flush(); err != nil {
				return err
			}
			if missed > 0 {
				fmt.Fprintf(t.err, "%s no route\n", app.Count(missed, "incident")+" matched")
				return errFound
			}
			return nil
		},
	}
	c.Flags().IntVar(&last, "last", 100, "how many incidents, the last updated, up to 500")
	c.Flags().StringVar(&kind, "change", "opened", "as if each had just been changed so")
	c.Flags().BoolVar(&asJSON, "json", false, "one a line as JSON")
	return c
}
