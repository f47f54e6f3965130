package main

import "github.com/spf13/cobra"

// commands is the table of commands, in the order of --help.
func commands(t *terminal) []*cobra.Command {
	return []*cobra.Command{
		formatsCommand(t),
		versionCommand(t),
	}
}
