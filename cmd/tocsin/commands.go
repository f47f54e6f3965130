package main

import "github.com/spf13/cobra"

// commands is the table of commands, in the order of --help.
func commands(t *terminal) []*cobra.Command {
	return []*cobra.Command{
		replayCommand(t),
		formatsCommand(t),
		rulesCommand(t),
		configCommand(t),
		engineCommand(t),
		versionCommand(t),
	}
}
