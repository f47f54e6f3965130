package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os/user"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
)

func topicsCommand(t *terminal) *cobra.Command {
	return group("topics", "The Kafka topics that Tocsin itself needs", topicsPrint(t), topicsApply(t), topicsAccept(t))
}

func topicsPrint(t *terminal) *cobra.Command {
	var asJSON, single bool
	c := &cobra.Command{
		Use: "print", Short: "Print the topics with their settings", Args: wrongArgs(cobra.NoArgs),
		Long: `Prints the topics between the roles and the dead-letter topic, as the configuration wants them, with the command of Kafka's own tools that
would make each. It asks no broker.`,
		Example: "  tocsin topics print --config tocsin.yaml",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			return printTopics(t.out, app.TopicStates(cfg, topicsOf(single)), asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one topic a line as JSON")
	c.Flags().BoolVar(&single, "single", false, "only what one process that does everything needs: the dead-letter topic, if there is one")
	return c
}

func topicsApply(t *terminal) *cobra.Command {
	var asJSON, single bool
	c := &cobra.Command{
		Use: "apply", Short: "Make the topics, and mend the settings of those that exist", Args: wrongArgs(cobra.NoArgs),
		Long:    "Makes what is missing and gives topics that exist the settings they should have at least: what is set higher stays. It never removes a topic, a partition or a record.",
		Example: "  tocsin topics apply --config tocsin.yaml\n  tocsin topics apply --single --config tocsin.yaml",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			list, err := app.ApplyTopics(c.Context(), cfg, topicsOf(single), quietLog(t))
			if err != nil {
				return err
			}
			return printTopics(t.out, list, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one topic a line as JSON")
	c.Flags().BoolVar(&single, "single", false, "only what one process that does everything needs: the dead-letter topic, if there is one")
	return c
}

func topicsAccept(t *terminal) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "accept SOURCE|TOPIC", Short: "Read a topic that was deleted and made anew from its beginning", Args: wrongArgs(cobra.ExactArgs(1)),
		Long: `A topic with another id than before has been deleted and made anew; one that ends before the place that was read last, too, or its brokers lost
records. The service then stops rather than guess. This command says that the topic as it is now is to be read from its beginning; what was read of the old one stays. SOURCE is
the name of the source, with /TOPIC behind it where the source has a pattern. Stop the service first, with roles every ingest member.

TOPIC is that of hits or of findings, between the roles. Records of the old one that were not folded are lost then; incidents stay. For hits the rules begin
with what the store has of the past. Stop every correlate member first, for findings every triage member.`,
		Example: "  tocsin topics accept okta --reason 'cluster moved' --config tocsin.yaml\n  tocsin topics accept tocsin.hits --reason 'cluster moved' --config tocsin.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := config(c)
			if err != nil {
				return err
			}
			by := "unknown"
			if u, err := user.Current(); err == nil {
				by = u.Username
			}
			n, err := app.AcceptTopic(c.Context(), cfg, args[0], by, reason, quietLog(t))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(t.out, "%s is read from its beginning at the next start, as %s#%d\n", args[0], args[0], n)
			return err
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for whoever asks later")
	return c
}

// topicsOf is the role whose topics are meant: that of one process, or any of the others.
func topicsOf(single bool) app.Role {
	if single {
		return app.RoleAll
	}
	return app.RoleIngest
}

// quietLog is for commands that talk for themselves: warnings only.
func quietLog(t *terminal) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func printTopics(out io.Writer, list []app.TopicState, asJSON bool) error {
	if len(list) == 0 && !asJSON {
		_, err := fmt.Fprintln(out, "none is needed: one process without kafka.dead_letter has no topics of its own")
		return err
	}
	for _, s := range list {
		if asJSON {
			line, err := json.Marshal(s)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(out, "%s\n", line); err != nil {
				return err
			}
			continue
		}
		did := ""
		if s.Did != "" {
			did = "  " + s.Did
		}
		fmt.Fprintf(out, "%s  %s, %s%s\n", s.Name, app.Count(int(s.Partitions), "partition"), app.Count(s.Replicas, "replica"), did)
		if s.Did == "" {
			fmt.Fprintf(out, "  kafka-topics.sh --create --topic %s --partitions %d --replication-factor %d", s.Name, s.Partitions, s.Replicas)
			for _, key := range slices.Sorted(maps.Keys(s.Settings)) {
				fmt.Fprintf(out, " --config %s=%s", key, s.Settings[key])
			}
			fmt.Fprintln(out)
		}
		for _, c := range s.Changed {
			fmt.Fprintf(out, "  %s\n", c)
		}
	}
	return nil
}
