package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/rules"
)

func rulesNew(t *terminal) *cobra.Command {
	var d rules.Draft
	var out string
	var kinds strings.Builder
	for _, k := range rules.DraftKinds() {
		fmt.Fprintf(&kinds, "\n  %-11s %s", k[0], k[1])
	}
	c := &cobra.Command{
		Use: "new ID", Short: "Begin a rule: a draft that loads, with tests that pass", Args: wrongArgs(cobra.ExactArgs(1)),
		Long: `Writes the draft of a rule, in shadow, with a test that fires and tests that stay silent. It loads and passes as it is; what it is about is yours to
narrow. --match says what it begins as:
` + kinds.String() + `

The draft goes to ID.yaml, which must not exist yet, or to --out; - prints it.`,
		Example: "  tocsin rules new my-0001 --title 'Sign-in, then a mode change' --class authentication.logon,robot_state.mode_change\n" +
			"  tocsin rules new my-0002 --match count --class authentication.logon --per user --out - ",
		RunE: func(_ *cobra.Command, args []string) error {
			d.ID = args[0]
			text, err := rules.Scaffold(d)
			if err != nil {
				return usageError{err}
			}
			if out == "" {
				out = d.ID + ".yaml"
			}
			if out == "-" {
				_, err := t.out.Write(text)
				return err
			}
			f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return usagef("%s exists; name another file with --out", out)
			}
			if err != nil {
				return err
			}
			if _, err := f.Write(text); err != nil {
				_ = f.Close()
				return err
			}
			fmt.Fprintf(t.err, "%s is written; next: tocsin rules lint %s && tocsin rules test %s\n", out, out, out)
			return f.Close()
		},
	}
	c.Flags().StringVar(&d.Title, "title", "What happened, in one line", "title of the rule")
	c.Flags().StringVar(&d.Kind, "match", "sequence", "what it begins as, see above")
	c.Flags().StringSliceVar(&d.Classes, "class", []string{"authentication.logon", "robot_state.mode_change"}, "classes of events, in the order of the steps")
	c.Flags().StringVar(&d.Per, "per", "robot", "entity kind that joins the steps: robot, user, device, ip")
	c.Flags().StringVarP(&out, "out", "o", "", "file to write, or - (default ID.yaml)")
	return c
}
