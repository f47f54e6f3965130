// Command gen makes tables_gen.go of package ocsf from the compiled OCSF
// schema and the sources of the Tocsin extension.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	schema := flag.String("schema", defaultSchema(), "compiled OCSF schema (JSON)")
	extension := flag.String("extension", "../../docs/ocsf-extension", "directory of the extension's sources")
	out := flag.String("out", "tables_gen.go", "file to write")
	flag.Parse()
	if err := run(*schema, *extension, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(schema, extension, out string) error {
	text, err := generate(schema, extension)
	if err != nil {
		return err
	}
	return os.WriteFile(out, text, 0o644)
}

func generate(schemaPath, extensionDir string) ([]byte, error) {
	s, err := readSchema(schemaPath)
	if err != nil {
		return nil, err
	}
	ext, err := readExtension(extensionDir)
	if err != nil {
		return nil, err
	}
	if err := s.merge(ext); err != nil {
		return nil, fmt.Errorf("%s: %w", extensionDir, err)
	}
	return emit(s, ext.info)
}

// defaultSchema follows TOCSIN_CONFORMANCE, whose sibling folder holds the
// specifications.
func defaultSchema() string {
	conformance := os.Getenv("TOCSIN_CONFORMANCE")
	if conformance == "" {
		conformance = "../../../shared/conformance"
	}
	return filepath.Join(conformance, "..", "specs", "ocsf", "schema_1.8.0.json")
}
