package main

import "github.com/spf13/cobra"

// commands is the table of commands.
func commands(t *terminal) []*cobra.Command {
	return []*cobra.Command{
		runCommand(t),
		demoCommand(t),
		replayCommand(t),
		formatsCommand(t),
		rulesCommand(t),
		lspCommand(t),
		baselineCommand(t),
		llmCommand(t),
		rejectsCommand(t),
		deliveriesCommand(t),
		routesCommand(t),
		topicsCommand(t),
		sqlCommand(t),
		schemaCommand(t),
		userCommand(t),
		tokenCommand(t),
		configCommand(t),
		doctorCommand(t),
		healthCommand(t),
		engineCommand(t),
		versionCommand(t),
	}
}
