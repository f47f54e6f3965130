package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

func formatsCommand(t *terminal) *cobra.Command {
	return group("formats", "List the source formats and try them on records", formatsList(t), formatsTry(t))
}

func formatsList(t *terminal) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List the source formats", Args: wrongArgs(cobra.NoArgs),
		Example: "  tocsin formats list\n  tocsin formats list --json",
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return writeFormats(t.out)
			}
			w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tDOMAIN\tTITLE")
			for _, f := range format.All() {
				fmt.Fprintf(w, "%s\t%s\t%s\n", f.Name, f.Domain, f.Title)
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON array of {name, title, domain, classes}")
	return c
}

func writeFormats(w io.Writer) error {
	type row struct {
		Name    string   `json:"name"`
		Title   string   `json:"title"`
		Domain  string   `json:"domain"`
		Classes []string `json:"classes"`
	}
	rows := []row{}
	for _, f := range format.All() {
		rows = append(rows, row{f.Name, f.Title, f.Domain, f.Classes})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(rows)
}

// trial is one run of `formats try`.
type trial struct {
	t        *terminal
	format   *format.Format
	envelope bool
	pretty   bool
	received time.Time
	zone     *time.Location
	site     string
	decoder  *ingest.Decoder
	out      *bufio.Writer
	rejected bool
}

func formatsTry(t *terminal) *cobra.Command {
	var asJSON, array, envelope bool
	var received, zone, site string
	c := &cobra.Command{
		Use: "try FORMAT [FILE…|-]", Short: "Decode records and print the events", Args: wrongArgs(cobra.MinimumNArgs(1)),
		Long: `Decodes records of files or standard input with one format and prints OCSF 1.8.0 events, one JSON object a line.
Rejects go to standard error as JSON with their reason and bytes; if there is any, the exit code is 3.`,
		Example: "  tocsin formats try okta system-log.ndjson\n  journalctl -u sshd | tocsin formats try openssh - --envelope",
		RunE: func(c *cobra.Command, args []string) error {
			f, ok := format.ByName(args[0])
			if !ok {
				return usagef("there is no format %q; see tocsin formats list", args[0])
			}
			x := &trial{t: t, format: f, envelope: envelope, pretty: !asJSON && !envelope, received: time.Now(), site: site, decoder: ingest.NewDecoder(), out: bufio.NewWriter(t.out)}
			var err error
			if received != "" {
				if x.received, err = time.Parse(time.RFC3339, received); err != nil {
					return usagef("--received %q: write it like 2026-11-21T08:00:00Z", received)
				}
			}
			if x.zone, err = time.LoadLocation(zone); err != nil {
				return usagef("--timezone %q is not a time zone; write it like Europe/Berlin", zone)
			}
			return x.run(args[1:], array)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one event a line (the default indents them)")
	c.Flags().BoolVar(&array, "array", false, "the input is a JSON array of strings, one record each")
	c.Flags().BoolVar(&envelope, "envelope", false, "print {input, event, entities, quality, unmapped_keys}")
	c.Flags().StringVar(&received, "received", "", "receive time of the records, RFC 3339 (default now)")
	c.Flags().StringVar(&zone, "timezone", "UTC", "zone of stamps without one")
	c.Flags().StringVar(&site, "site", "", "plant the records belong to")
	return c
}

func (x *trial) run(files []string, array bool) error {
	if len(files) == 0 {
		files = []string{"-"}
	}
	input := 0
	for _, name := range files {
		data, err := readInput(x.t.in, name)
		if err != nil {
			return err
		}
		records, err := x.records(name, data, array)
		if err != nil {
			return err
		}
		for _, r := range records {
			r.Position = event.Position{Source: "try", Offset: int64(input)}
			r.Format, r.Site, r.Location, r.Received = x.format.Name, x.site, x.zone, x.received.UnixMicro()
			if err := x.one(input, r); err != nil {
				return err
			}
			input++
		}
	}
	if err := x.out.Flush(); err != nil {
		return err
	}
	if x.rejected {
		return errFound
	}
	return nil
}

func readInput(in io.Reader, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(in)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, usagef("%v; check the path and that this user may read it, or give - for standard input", err)
	}
	return data, nil
}

func (x *trial) records(name string, data []byte, array bool) ([]event.Record, error) {
	var out []event.Record
	if !array {
		for r := range ingest.Frames(x.format, data) {
			out = append(out, r)
		}
		return out, nil
	}
	var values []string
	if err := json.Unmarshal(data, &values); err != nil {
		return nil, usagef("%s: --array wants a JSON array of strings: %v", name, err)
	}
	for _, v := range values {
		r := event.Record{Value: []byte(v)}
		// A column format's record brings its header lines along.
		for framed := range ingest.Frames(x.format, []byte(v)) {
			if x.format.Framing == format.Columns {
				r.Value, r.Context = framed.Value, framed.Context
			}
		}
		out = append(out, r)
	}
	return out, nil
}

func (x *trial) one(input int, r event.Record) error {
	events, reject := x.decoder.Decode(r)
	if reject != nil {
		x.rejected = true
		return json.NewEncoder(x.t.err).Encode(struct {
			Input  int    `json:"input"`
			Format string `json:"format"`
			Code   string `json:"code"`
			Reason string `json:"reason"`
			Bytes  string `json:"bytes"`
		}{input, reject.Format, reject.Code, reject.Reason, base64.StdEncoding.EncodeToString(reject.Raw)})
	}
	for i := range events {
		doc := event.AppendOCSF(nil, &events[i], false)
		if x.envelope {
			var unmapped []string
			if x.format.Unmapped != nil {
				unmapped = x.format.Unmapped(&r)
			}
			doc = appendEnvelope(input, doc, &events[i], unmapped)
		}
		if err := x.print(doc); err != nil {
			return err
		}
	}
	return nil
}

func (x *trial) print(doc []byte) error {
	if x.pretty {
		var v json.RawMessage = doc
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		doc = b
	}
	_, err := x.out.Write(append(doc, '\n'))
	return err
}

func appendEnvelope(input int, doc []byte, e *event.Event, unmapped []string) []byte {
	type entity struct {
		Kind     string `json:"kind"`
		Key      string `json:"key"`
		Role     string `json:"role"`
		Strength string `json:"strength"`
	}
	out := struct {
		Input    int             `json:"input"`
		Event    json.RawMessage `json:"event"`
		Entities []entity        `json:"entities"`
		Quality  []string        `json:"quality"`
		Unmapped []string        `json:"unmapped_keys"`
	}{input, doc, []entity{}, e.Envelope.Quality.Names(), unmapped}
	for _, r := range e.Entities {
		out.Entities = append(out.Entities, entity{r.Kind.String(), r.Key, r.Role.String(), r.Strength.String()})
	}
	if out.Quality == nil {
		out.Quality = []string{}
	}
	if out.Unmapped == nil {
		out.Unmapped = []string{}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return doc
	}
	return b
}
