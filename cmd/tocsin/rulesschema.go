package main

import (
	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/rules"
)

func rulesSchema(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of rule files", Args: wrongArgs(cobra.NoArgs),
		Long: `Prints the JSON Schema (draft 2020-12) of one document of a rule file, for editors that check and complete YAML by a schema. Expressions, fields and
variables it cannot check: tocsin lsp and tocsin rules lint do.`,
		Example: "  tocsin rules schema > rule.schema.json\n  # first line of a rule file, for yaml-language-server:\n  # yaml-language-server: $schema=rule.schema.json",
		RunE: func(*cobra.Command, []string) error {
			text, err := rules.Schema()
			if err != nil {
				return err
			}
			_, err = t.out.Write(append(text, '\n'))
			return err
		},
	}
}
