package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/event/ocsf"
	"github.com/tocsin-siem/tocsin/store/engine"
)

func versionCommand(t *terminal) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "version", Short: "Say what this binary is", Args: wrongArgs(cobra.NoArgs), Example: "  tocsin version --json",
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
				OCSF    string `json:"ocsf"`
				Engine  string `json:"engine"`
			}{Version: buildVersion(), Go: runtime.Version(), OCSF: ocsf.Version, Engine: engine.LibraryVersion}
			if asJSON {
				return json.NewEncoder(t.out).Encode(v)
			}
			_, err := fmt.Fprintf(t.out, "tocsin %s (%s, OCSF %s, engine library %s)\n", v.Version, v.Go, v.OCSF, v.Engine)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// buildVersion is the version of the module this binary was built from, devel outside of a release.
func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
