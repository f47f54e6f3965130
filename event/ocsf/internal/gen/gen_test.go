package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func schemaPath(t *testing.T) string {
	t.Helper()
	path := defaultSchema()
	if os.Getenv("TOCSIN_CONFORMANCE") == "" {
		path = filepath.Join("..", "..", path)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no schema: %v; set TOCSIN_CONFORMANCE", err)
	}
	return path
}

const extensionDir = "../../../../docs/ocsf-extension"

func TestTheTablesAreWhatTheGeneratorMakes(t *testing.T) {
	want, err := generate(schemaPath(t), extensionDir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../tables_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("tables_gen.go is out of date: run go generate ./event/ocsf")
	}
}

func TestTheExtensionRedefinesNothing(t *testing.T) {
	base, err := readSchema(schemaPath(t))
	if err != nil {
		t.Fatal(err)
	}
	ext, err := readExtension(extensionDir)
	if err != nil {
		t.Fatal(err)
	}
	ext.attributes["command"] = &attribute{Type: "robot_command"}
	if err := base.merge(ext); err == nil {
		t.Error("a second definition of command was accepted")
	}
}

func TestTheExtensionUsesEveryAttributeItDefines(t *testing.T) {
	ext, err := readExtension(extensionDir)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, it := range append(ext.objects, ext.events...) {
		for name := range it.Attributes {
			used[name] = true
		}
	}
	for name, a := range ext.attributes {
		if !used[name] {
			t.Errorf("%s is used nowhere", name)
		}
		if a.Sibling != "" && ext.attributes[a.Sibling] == nil {
			t.Errorf("%s: sibling %s is not defined", name, a.Sibling)
		}
	}
	if len(ext.events) != 4 || len(ext.objects) != 6 {
		t.Errorf("%d classes and %d objects", len(ext.events), len(ext.objects))
	}
}

func TestActivityKeysAreSnakeCased(t *testing.T) {
	for caption, want := range map[string]string{
		"Logon": "logon", "Mode Change": "mode_change", "Service Ticket: Renew": "service_ticket_renew",
		"Semi-Automatic": "semi_automatic", " MFA  Factor (Enable) ": "mfa_factor_enable", "": "",
	} {
		if got := snake(caption); got != want {
			t.Errorf("%q: got %q, want %q", caption, got, want)
		}
	}
}
