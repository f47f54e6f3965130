package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/store"
)

func rejectsCommand(t *terminal) *cobra.Command {
	return group("rejects", "List the records that could not become events, and try them again", rejectsList(t), rejectsShow(t), rejectsReplay(t))
}

// rejectFlags are the flags that choose rejects.
type rejectFlags struct {
	filter       store.RejectFilter
	since, until string
	json         bool
}

func (f *rejectFlags) register(c *cobra.Command, limit int, words string) {
	c.Flags().StringVar(&f.filter.Source, "source", "", "only those of this source")
	c.Flags().StringVar(&f.filter.Format, "format", "", "only those of this format")
	c.Flags().StringVar(&f.filter.Code, "code", "", "only those with this code, such as json_syntax")
	c.Flags().StringVar(&f.since, "since", "", "received from this time on, RFC 3339")
	c.Flags().StringVar(&f.until, "until", "", "received before this time, RFC 3339")
	c.Flags().IntVar(&f.filter.Limit, "limit", limit, words)
	c.Flags().BoolVar(&f.filter.All, "all", false, "those that have become events since, too")
	c.Flags().BoolVar(&f.json, "json", false, "one a line as JSON, bytes in base64")
}

func (f *rejectFlags) read(ids []string) (err error) {
	if f.filter.Limit < 0 {
		return usagef("--limit %d: write 0 for all, or how many", f.filter.Limit)
	}
	if f.filter.From, err = moment("--since", f.since); err != nil {
		return err
	}
	if f.filter.To, err = moment("--until", f.until); err != nil {
		return err
	}
	for _, s := range ids {
		id, err := event.ParseID(store.RejectPrefix, s)
		if err != nil {
			return usagef("%v; tocsin rejects list shows them", err)
		}
		f.filter.IDs = append(f.filter.IDs, id)
	}
	return nil
}

func rejectsList(t *terminal) *cobra.Command {
	var f rejectFlags
	c := &cobra.Command{
		Use: "list", Short: "List the records that could not become events, the last received first", Args: wrongArgs(cobra.NoArgs),
		Long: `Lists rejects with their reason: the newest, where a reject has been tried again. Those that have become events since are left
out. Asks the configured ClickHouse server, or the service that runs on the embedded engine, or that engine where no service runs.`,
		Example: "  tocsin rejects list --source idp --code json_syntax\n  tocsin rejects list --since 2026-11-21T00:00:00Z --limit 0 --json",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.read(nil); err != nil {
				return err
			}
			row, end := f.show(t.out)
			return f.list(c, t, row, end)
		},
	}
	f.register(c, 50, "most that are listed; 0 for all")
	return c
}

// show gives what writes a row, and what ends the list.
func (f *rejectFlags) show(out io.Writer) (row func(app.RejectRow) error, end func() error) {
	if f.json {
		enc := json.NewEncoder(out)
		return func(r app.RejectRow) error { return enc.Encode(r) }, func() error { return nil }
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	n := 0
	return func(r app.RejectRow) error {
			if n++; n == 1 {
				fmt.Fprintln(w, "ID\tRECEIVED\tSOURCE\tPLACE\tFORMAT\tCODE\tREASON")
			}
			_, err := fmt.Fprintln(w, app.RejectLine(r))
			return err
		}, func() error {
			if n == 0 {
				fmt.Fprintln(w, "no rejects")
			}
			return w.Flush()
		}
}

func (f *rejectFlags) list(c *cobra.Command, t *terminal, row func(app.RejectRow) error, end func() error) error {
	cfg, err := config(c)
	if err != nil {
		return err
	}
	if err := app.Rejects(c.Context(), cfg, f.filter, app.RejectsSettings{Progress: app.EngineProgress(t.err), Talk: t.err}, row); err != nil {
		return err
	}
	return end()
}

func rejectsShow(t *terminal) *cobra.Command {
	var f rejectFlags
	c := &cobra.Command{
		Use: "show ID…", Short: "Show rejects whole: where they came from, key, headers, reason, bytes", Args: wrongArgs(cobra.MinimumNArgs(1)),
		Long:    "Shows rejects with all there is of them. Bytes that are no text are shown as a hex dump; --json has them in base64.",
		Example: "  tocsin rejects show rj_aaaaaaaaaaaaaaaaaaaaaaaaaa\n  tocsin rejects show rj_aaaaaaaaaaaaaaaaaaaaaaaaaa --json",
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.read(args); err != nil {
				return err
			}
			f.filter.All = true
			row, end := f.show(t.out)
			if !f.json {
				row = func(r app.RejectRow) error { return app.WriteReject(t.out, r) }
				end = func() error { return nil }
			}
			found := 0
			err := f.list(c, t, func(r app.RejectRow) error { found++; return row(r) }, end)
			if err == nil && found == 0 {
				return fmt.Errorf("there is no reject %s; it may be past its retention", args[0])
			}
			return err
		},
	}
	c.Flags().BoolVar(&f.json, "json", false, "one a line as JSON, bytes in base64")
	return c
}

func rejectsReplay(t *terminal) *cobra.Command {
	var f rejectFlags
	var replay app.RejectReplay
	c := &cobra.Command{
		Use: "replay [ID…]", Short: "Decode rejects again, after a fix, and feed what they give now back in", Args: cobra.ArbitraryArgs,
		Long: `Decodes stored rejects again with the formats of this program and the present settings of their sources, oldest first. What decodes
now goes the way of every record, with the place, receive time and event ids it would have had at first, so that a repeat changes nothing;
it is not listed as a reject any more. What does not stays a reject with its newest reason. Exit code 3 if there is any such.

The running service at console.listen does it, because it alone writes the log: it must be the fixed program or have the fixed
configuration. Where none runs on the embedded engine, this command writes the log itself; with a ClickHouse server only if --offline says
that no service runs elsewhere either.`,
		Example: `  tocsin rejects replay --source idp --code json_syntax --dry-run
  tocsin rejects replay --source idp --code json_syntax
  tocsin rejects replay rj_aaaaaaaaaaaaaaaaaaaaaaaaaa`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.read(args); err != nil {
				return err
			}
			replay.Filter = f.filter
			cfg, err := config(c)
			if err != nil {
				return err
			}
			return f.replay(c, t, cfg, replay)
		},
	}
	f.register(c, 0, "most that are decoded; 0 for all")
	c.Flags().BoolVar(&replay.DryRun, "dry-run", false, "only say what would become of them")
	c.Flags().BoolVar(&replay.Offline, "offline", false, "write the log of a ClickHouse server from here: no service runs anywhere")
	return c
}

// mostFailures bounds how many rejects that still fail are named.
const mostFailures = 20

func (f *rejectFlags) replay(c *cobra.Command, t *terminal, cfg app.Config, replay app.RejectReplay) error {
	enc, failed := json.NewEncoder(t.out), 0
	show := func(o app.RejectOutcome) error {
		if f.json {
			return enc.Encode(o)
		}
		if o.Events == 0 {
			if failed++; failed <= mostFailures {
				_, err := fmt.Fprintf(t.out, "still a reject: %s  %s\n", o.ID, app.Plain(o.Source+"  "+o.Code+": "+o.Reason))
				return err
			}
		}
		return nil
	}
	sum, err := app.ReplayRejects(c.Context(), cfg, replay, app.RejectsSettings{Progress: app.EngineProgress(t.err), Talk: t.err}, show)
	if failed > mostFailures {
		fmt.Fprintf(t.out, "… and %s more\n", app.Count(failed-mostFailures, "reject"))
	}
	became := "became"
	if replay.DryRun {
		became = "would become"
	}
	if err == nil || sum.Replayed > 0 {
		fmt.Fprintf(t.err, "%s %s %s; still a reject: %d\n", app.Count(sum.Replayed, "reject"), became, app.Count(sum.Events, "event"), sum.Failed)
	}
	if err != nil {
		return err
	}
	if sum.Failed > 0 {
		return errFound
	}
	return nil
}
