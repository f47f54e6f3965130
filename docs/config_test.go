package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
)

// configTable lists every key of the configuration with its type, default and the comment of its field.
func configTable(t *testing.T) string {
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("HOME", "/home/you")
	c := &configKeys{t: t, sources: map[string]*source{}}
	c.walk(reflect.ValueOf(app.DefaultConfig()), "")
	return table([]string{"key", "type", "default", "meaning"}, c.rows)
}

type configKeys struct {
	t       *testing.T
	sources map[string]*source // By folder of the package.
	rows    [][]string
}

// walk lists the keys of a struct. Lists and maps of structs are listed once, with what an element of them has.
func (c *configKeys) walk(v reflect.Value, prefix string) {
	typ := v.Type()
	docs := c.docs(typ)
	for i := range typ.NumField() {
		f := typ.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if key == "" || key == "-" {
			continue
		}
		path := prefix + key
		if inner, element, ok := c.inner(v.Field(i)); ok {
			c.walk(inner, path+element+".")
			continue
		}
		doc := docs[strings.ToLower(f.Name)]
		if doc == "" {
			doc = configDocs[path]
		}
		if doc == "" {
			c.t.Errorf("%s has no meaning: give the field %s of %s a comment at the end of its line", path, f.Name, typ)
		}
		c.rows = append(c.rows, []string{"`" + path + "`", typeName(f.Type), defaultOf(v.Field(i)), doc})
	}
}

// inner is the struct below a key, and how its keys are reached from the key.
func (c *configKeys) inner(v reflect.Value) (inner reflect.Value, element string, ok bool) {
	typ := v.Type()
	switch {
	case typ.Name() == "Secret":
		return v, "", false
	case typ.Kind() == reflect.Struct:
		return v, "", true
	case typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct:
		return reflect.Zero(typ.Elem()), "[]", true
	case typ.Kind() == reflect.Map && typ.Elem().Kind() == reflect.Struct:
		return reflect.Zero(typ.Elem()), ".NAME", true
	}
	return v, "", false
}

func (c *configKeys) docs(typ reflect.Type) map[string]string {
	dir := strings.TrimPrefix(typ.PkgPath(), "github.com/tocsin-siem/tocsin/")
	if c.sources[dir] == nil {
		c.sources[dir] = parse(c.t, dir)
	}
	return c.sources[dir].fieldDocs(typ.Name())
}

// configDocs are the keys whose field leaves its meaning to another package's.
var configDocs = map[string]string{
	"sources[].name":           "Name of the source. It is part of the identity of its records: do not change it later.",
	"sources[].format":         "Format of its records; `tocsin formats list` has them.",
	"ingest.batch":             "Most records of a batch.",
	"ingest.bytes":             "Most bytes of a batch's records, roughly.",
	"ingest.linger":            "How long a batch waits for more records once it has some.",
	"ingest.idle":              "Silence after which a source that has been read to its end stops holding event time back.",
	"rules.exceptions":         "Files and folders of [exceptions](rules.md#exceptions) that stand outside of their rules.",
	"rules.refresh":            "How often rule files are looked at for changes; `SIGHUP` does it at once.",
	"rules.paths":              "Rule files and folders; `builtin` is the shipped pack.",
	"stitch.max_gap":           "Longest silence between two findings of one incident, in event time.",
	"stitch.max_span":          "Longest incident, from first to last evidence.",
	"stitch.lookback":          "How far before the first finding changes are listed.",
	"stitch.hub_share":         "An entity in this share of an hour's findings is a hub and counts a quarter …",
	"stitch.hub_min":           "… if it is in at least so many of them.",
	"stitch.flood.findings":    "Findings of one rule in a period beyond which the rest stand together in one digest; 0 for no breaker. A rule may have its own.",
	"stitch.flood.per":         "Length of the period, in event time.",
	"stitch.reopen":            "New evidence reopens a closed incident; otherwise it starts a new one.",
	"enrich.lists.NAME.file":   "Text file of the list, one value a line; in place of `values`.",
	"enrich.lists.NAME.values": "The values themselves; in place of `file`.",
	"clickhouse.tls.enabled":   "Use TLS.",
	"console.listen":           "Address the console, the API, the feed and HTTP sources listen on.",
	"clickhouse.database":      "Database that holds the tables; created if absent.",
	"clickhouse.username":      "User at the server.",
	"clickhouse.password":      "Password at the server; never printed.",

	"triage.endpoints[].name": "Name of the endpoint, in logs, metrics and delivery ids.",
	"triage.endpoints[].url":  "Where to send: https (or http with `allow_plain_http`); tls or tcp for syslog; smtps or smtp for mail.",
}

func typeName(t reflect.Type) string {
	switch {
	case t.Name() == "Secret" && t.Kind() == reflect.Struct:
		return "secret: `{env: NAME}` or `{file: PATH}`"
	case t.Name() == "Secret":
		return "secret"
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice:
		return "list of " + typeName(t.Elem())
	case reflect.Map:
		return "names to " + typeName(t.Elem())
	case reflect.Int, reflect.Int64:
		return "integer"
	case reflect.Float64:
		return "number"
	default:
		return t.Kind().String()
	}
}

// defaultOf writes a default as the configuration file would; empty if there is none worth showing.
func defaultOf(v reflect.Value) string {
	if v.IsZero() && v.Kind() != reflect.Bool {
		return ""
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return code(duration(d))
	}
	switch v.Kind() {
	case reflect.Slice:
		var out []string
		for i := range v.Len() {
			if v.Index(i).IsZero() { // the first wait of triage.retry
				out = append(out, "0s")
				continue
			}
			out = append(out, strings.Trim(defaultOf(v.Index(i)), "`"))
		}
		return code(strings.Join(out, ", "))
	case reflect.Map, reflect.Struct, reflect.Pointer:
		return ""
	case reflect.Float64:
		return code(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	default:
		return code(fmt.Sprint(v.Interface()))
	}
}

func duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// TestEveryConfigurationShownLoads reads the blocks marked `yaml config`.
func TestEveryConfigurationShownLoads(t *testing.T) {
	seen := 0
	for _, page := range pages(t) {
		for _, b := range blocks(read(t, page)) {
			if !b.is("yaml", "config") {
				continue
			}
			seen++
			file := filepath.Join(t.TempDir(), "tocsin.yaml")
			if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := app.LoadConfig(file); err != nil {
				t.Errorf("%s:%d: the configuration does not load: %v", page, b.line, err)
			}
		}
	}
	if seen == 0 {
		t.Error("no page shows a configuration")
	}
}
