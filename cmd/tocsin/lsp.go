package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/lsp"
)

func lspCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use: "lsp", Short: "Language server for rule files, over standard input and output", Args: wrongArgs(cobra.NoArgs),
		Long: `Speaks the Language Server Protocol with an editor: problems as tocsin rules lint finds them, while you type; completion of keys, classes, fields,
functions, captions, variables and steps; documentation under the cursor; outline; formatting as tocsin rules fmt does.

Editors start it themselves. Neovim:
  vim.lsp.start({ name = "tocsin", cmd = { "tocsin", "lsp" }, root_dir = vim.fn.getcwd() })
Helix, in languages.toml:
  [language-server.tocsin]
  command = "tocsin"
  args = ["lsp"]`,
		Example: "  tocsin lsp",
		RunE: func(c *cobra.Command, _ []string) error {
			return lsp.Serve(c.Context(), stdio{t.in, t.out}, buildVersion())
		},
	}
}

// stdio is standard input and output as one stream.
type stdio struct {
	io.Reader
	io.Writer
}

// Close implements io.Closer. The streams are the process's; the input is closed where that ends a waiting read.
func (s stdio) Close() error {
	if c, ok := s.Reader.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
