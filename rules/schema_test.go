package rules_test

import (
	"bytes"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/pack"
)

func TestThePublishedSchemaIsThatOfTheKeys(t *testing.T) {
	if names := rules.Untyped(); len(names) > 0 {
		t.Errorf("types without a form in the schema (schemaTypes): %q", names)
	}
	got, err := rules.Schema()
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile("rule.schema.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	published, err := os.ReadFile("rule.schema.json")
	if err != nil || !bytes.Equal(published, got) {
		t.Errorf("rule.schema.json is not what tocsin rules schema prints: go test ./rules -update (%v)", err)
	}
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := rules.Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(rules.SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(rules.SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// documents gives the documents of every rule file as an editor's validator sees them.
func documents(t *testing.T, files fs.FS, visit func(name string, doc any)) {
	t.Helper()
	err := fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(name, ".yaml") {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		for {
			var doc any
			if decoder.Decode(&doc) != nil {
				return nil
			}
			visit(name, asJSON(doc))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// asJSON turns the times that the YAML library makes into the text that JSON has.
func asJSON(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.Format(time.RFC3339)
	case []any:
		for i := range v {
			v[i] = asJSON(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = asJSON(v[k])
		}
	}
	return v
}

func TestTheSchemaTakesWhatTheCompilerTakes(t *testing.T) {
	s, n := schema(t), 0
	for _, files := range []fs.FS{pack.Files, os.DirFS("../testdata/rules/good")} {
		documents(t, files, func(name string, doc any) {
			n++
			if err := s.Validate(doc); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	if n < 40 {
		t.Errorf("only %d documents", n)
	}
}

func TestTheSchemaRefusesUnknownKeysMissingOnesAndWrongShapes(t *testing.T) {
	s := schema(t)
	for _, code := range []string{"R002", "R003", "R007"} {
		documents(t, os.DirFS(badDir), func(name string, doc any) {
			if strings.HasPrefix(name, code) && s.Validate(doc) == nil {
				t.Errorf("%s is taken", name)
			}
		})
	}
}
