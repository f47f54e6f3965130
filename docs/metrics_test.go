package docs_test

import (
	"cmp"
	"go/ast"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// instrument is one OpenTelemetry instrument as the code registers it.
type instrument struct{ name, kind, unit, doc string }

var (
	instrumentName = regexp.MustCompile(`^tocsin(\.[a-z_]+){2,}$`)
	unitText       = regexp.MustCompile(`^(\{[a-z]+\}|s|By|1)$`)
)

// metricsTable lists every instrument found in the code, with the name the Prometheus exporter really gives it.
func metricsTable(t *testing.T) string {
	var rows [][]string
	for _, i := range instruments(t) {
		rows = append(rows, []string{"`" + i.name + "`", i.kind, i.unit, "`" + prometheusName(t, i) + "`", i.doc})
	}
	return table([]string{"instrument", "kind", "unit", "Prometheus", "meaning"}, rows)
}

// instruments finds the calls that register one: a call with the name as an argument, its unit and description among the others. A name that
// stands anywhere else is an error, since it would not be in the table.
func instruments(t *testing.T) []instrument {
	found := map[string]instrument{}
	loose := map[string]bool{}
	for _, dir := range folders(t) {
		parse(t, dir).each(func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if s, ok := text([]ast.Expr{n}, 0); ok && instrumentName.MatchString(s) {
					loose[s] = true
				}
			case *ast.CallExpr:
				for i := range n.Args {
					if s, ok := text(n.Args, i); ok && instrumentName.MatchString(s) {
						found[s] = read1(n, s)
					}
				}
			case *ast.CompositeLit:
				for i := range n.Elts {
					if s, ok := text(n.Elts, i); ok && instrumentName.MatchString(s) {
						found[s] = read1(n, s)
					}
				}
			}
			return true
		})
	}
	var out []instrument
	for name := range loose {
		i, ok := found[name]
		if !ok || i.doc == "" || i.unit == "" {
			t.Errorf("instrument %s is registered in a way this test cannot read: want a call with its name, unit and description", name)
		}
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b instrument) int { return cmp.Compare(a.name, b.name) })
	return out
}

// read1 reads unit, description and kind of the instrument that n registers.
func read1(n ast.Node, name string) instrument {
	i := instrument{name: name, kind: "gauge"}
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			switch s, _ := text([]ast.Expr{n}, 0); {
			case unitText.MatchString(s):
				i.unit = s
			case strings.Contains(s, " "):
				i.doc = s
			}
		case *ast.Ident:
			low := strings.ToLower(n.Name)
			for _, kind := range []string{"updowncounter", "counter", "histogram"} {
				if strings.Contains(low, kind) {
					i.kind = kind
					break
				}
			}
		}
		return true
	})
	return i
}

// folders lists the folders with Go code of the program.
func folders(t *testing.T) []string {
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		top, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		if e.IsDir() && slices.Contains([]string{".git", "bin", "docs", "tools", "testdata"}, top) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			seen[filepath.ToSlash(filepath.Dir(rel))] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sortedKeys(seen)
}

// prometheusName registers the instrument with the real exporter and asks what came of it.
func prometheusName(t *testing.T, i instrument) string {
	registry := prometheus.NewRegistry()
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithoutScopeInfo())
	if err != nil {
		t.Fatal(err)
	}
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)).Meter("docs")
	switch i.kind {
	case "counter":
		c, err := meter.Int64Counter(i.name, metric.WithUnit(i.unit))
		if err != nil {
			t.Fatal(err)
		}
		c.Add(t.Context(), 1)
	case "histogram":
		h, err := meter.Float64Histogram(i.name, metric.WithUnit(i.unit))
		if err != nil {
			t.Fatal(err)
		}
		h.Record(t.Context(), 1)
	default:
		g, err := meter.Float64Gauge(i.name, metric.WithUnit(i.unit))
		if err != nil {
			t.Fatal(err)
		}
		g.Record(t.Context(), 1)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "tocsin") {
			return f.GetName()
		}
	}
	t.Fatalf("the exporter shows nothing for %s", i.name)
	return ""
}

var named = regexp.MustCompile("`(tocsin(?:\\.[a-z_]+){2,})`")

func TestEveryMetricNamedExists(t *testing.T) {
	known := map[string]bool{}
	for _, i := range instruments(t) {
		known[i.name] = true
	}
	for _, page := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(read(t, page), -1) {
			if !known[m[1]] {
				t.Errorf("%s names the instrument %s, which nothing registers", page, m[1])
			}
		}
	}
}
