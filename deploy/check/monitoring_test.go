package check_test

import (
	"encoding/json"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

var metricRow = regexp.MustCompile("(?m)^\\| `tocsin[a-z_.]+` \\| ([a-z]+) \\|.*?\\| `(tocsin_[a-z_]+)` \\|")

// series are the names that the metrics page gives rise to.
func series(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{"up": true}
	for _, m := range metricRow.FindAllStringSubmatch(read(t, filepath.Join(root, "docs", "metrics.md")), -1) {
		if m[1] != "histogram" {
			out[m[2]] = true
			continue
		}
		for _, end := range []string{"_bucket", "_sum", "_count"} {
			out[m[2]+end] = true
		}
	}
	if len(out) < 10 {
		t.Fatalf("only %d names found in docs/metrics.md", len(out))
	}
	return out
}

// checkExpression parses a PromQL expression and reports names that no metric has.
func checkExpression(t *testing.T, where, text string, known map[string]bool) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok && !known[v.Name] {
			t.Errorf("%s: %s is not in docs/metrics.md", where, v.Name)
		}
		return nil
	})
}

func TestTheAlertsAreRulesOverMetricsThatExistAndAreExplained(t *testing.T) {
	groups, errs := rulefmt.ParseFile(filepath.Join(deploy, "prometheus", "rules.yaml"), false, model.LegacyValidation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if groups == nil {
		return
	}
	known, page := series(t), read(t, filepath.Join(root, "docs", "operations.md"))
	n := 0
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			n++
			checkExpression(t, r.Alert, r.Expr, known)
			if s := r.Labels["severity"]; s != "page" && s != "ticket" {
				t.Errorf("%s has severity %q, want page or ticket", r.Alert, s)
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s does not say what is wrong and what it means", r.Alert)
			}
			if !strings.Contains(page, "`"+r.Alert+"`") {
				t.Errorf("docs/operations.md does not tell of the alert %s", r.Alert)
			}
		}
	}
	for _, m := range regexp.MustCompile("`(Tocsin[A-Z][A-Za-z]+)`").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(read(t, filepath.Join(deploy, "prometheus", "rules.yaml")), "alert: "+m[1]+"\n") {
			t.Errorf("docs/operations.md tells of the alert %s, which does not exist", m[1])
		}
	}
	if n < 8 {
		t.Errorf("only %d alerts", n)
	}
}

func TestTheDashboardsShowMetricsThatExist(t *testing.T) {
	uids := map[string]bool{}
	for _, name := range []string{"pipeline.json", "soc.json"} {
		uids[checkDashboard(t, name)] = true
	}
	if len(uids) != 2 {
		t.Errorf("the dashboards replace each other: their uids are %v", uids)
	}
}

// checkDashboard gives the uid.
func checkDashboard(t *testing.T, name string) string {
	t.Helper()
	type grid struct{ H, W, X, Y int }
	var board struct {
		Title, UID string
		Panels     []struct {
			ID      int
			Type    string
			Title   string
			GridPos grid
			Targets []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(deploy, "grafana", name))), &board); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$job", ".*", "$instance", ".*")
	known, ids := series(t), map[int]bool{}
	taken := map[[2]int]string{}
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the number %d", p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && (len(p.Targets) == 0 || p.Title == "" || p.GridPos.W <= 0 || p.GridPos.H <= 0) {
			t.Errorf("%s: panel %d, %q, shows nothing", name, p.ID, p.Title)
		}
		if p.Type != "row" && p.Type != "stat" && p.Type != "timeseries" {
			t.Errorf("%s: panel %q is a %q", name, p.Title, p.Type)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies over %q or beyond the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if refs[q.RefID] || q.RefID == "" {
				t.Errorf("%s: panel %q has two queries %q", name, p.Title, q.RefID)
			}
			refs[q.RefID] = true
			checkExpression(t, name+", panel "+p.Title, variables.Replace(q.Expr), known)
		}
	}
	return board.UID
}
