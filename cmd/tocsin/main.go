// Command tocsin correlates IT, OT and robot security events and explains the incidents it finds.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/expression"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// The exit codes of every command.
const (
	exitDone    = 0
	exitFailed  = 1 // It could not be done.
	exitUsage   = 2 // Called wrongly: flags, arguments, configuration.
	exitFinding = 3 // It was done, and something was found: a lint problem, a failed rule test, a reject.
)

// found ends a command with exit code 3; what was found has been printed already.
var errFound = errors.New("found")

// usageError ends a command with exit code 2.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// terminal is what a command talks to: results go to out, everything else to err.
type terminal struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// run is the whole program as a function. Ctrl-C and SIGTERM end a command cleanly; a second one ends it at once.
func run(args []string, in io.Reader, out, errw io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	t := &terminal{in, out, errw}
	root := rootCommand(t)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errFound):
		return exitFinding
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return exitDone
	}
	fmt.Fprintf(errw, "tocsin: %v\n", err)
	if _, wrong := errors.AsType[usageError](err); wrong || errors.Is(err, app.ErrNoRule) {
		return exitUsage
	}
	return exitFailed
}

func rootCommand(t *terminal) *cobra.Command {
	root := &cobra.Command{
		Use:   "tocsin",
		Short: "Correlation engine for IT, OT and robot security",
		Long: `Tocsin reads robot, sign-in, network-access, endpoint and OT logs, stitches what belongs together into incidents
and explains each one: malfunction or intrusion? which robots? what changed just before?

Exit codes: 0 done; 1 could not be done; 2 called wrongly; 3 done, and something was found.`,
		Version:       buildVersion(),
		Args:          cobra.ArbitraryArgs,
		RunE:          whichCommand,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nsee %s --help", err, c.CommandPath())}
	})
	root.PersistentFlags().StringP("config", "c", "", "configuration file (default: none, the built-in defaults)")
	for _, c := range commands(t) {
		root.AddCommand(c)
	}
	root.SetHelpCommand(helpCommand())
	return root
}

// helpCommand is cobra's but that it is wrong to ask about what there is not.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Say what a command does, as --help behind it does",
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if len(rest) > 0 && about.HasSubCommands() {
				return whichCommand(about, rest)
			}
			if err != nil || len(rest) > 0 {
				return usagef("there is no command %q; see %s --help", strings.Join(args, " "), c.Root().CommandPath())
			}
			return about.Help()
		},
	}
}

// group is a command that only has others below it; called alone it says which.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: whichCommand}
	c.AddCommand(subs...)
	return c
}

// whichCommand runs where a command was to be named: it shows those there are, or says that there is none of that name.
func whichCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	guess := ""
	if near := expression.Nearest(args[0], names); near != "" {
		guess = fmt.Sprintf(" (did you mean %s?)", near)
	}
	return usagef("%s has no command %q%s; see %s --help", c.CommandPath(), args[0], guess, c.CommandPath())
}

// wrongArgs makes a wrong number of arguments a usage error.
func wrongArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if check(c, args) == nil {
			return nil
		}
		what := "an argument is missing"
		if len(args) > 0 {
			what = fmt.Sprintf("%q is an argument too many", args[len(args)-1])
		}
		return usagef("%s: write %s; see %s --help", what, c.UseLine(), c.CommandPath())
	}
}
