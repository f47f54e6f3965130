package docs_test

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/event/ocsf"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/ingest/format"
	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/sigma"
)

// tables are the generated parts by the name of their markers.
var tables = map[string]func(*testing.T) string{
	"rule-keys":        ruleKeys,
	"rule-codes":       ruleCodes,
	"variants":         variants,
	"sigma-sources":    sigmaSources,
	"sigma-codes":      sigmaCodes,
	"functions":        functions,
	"asset-fields":     assetFields,
	"filter-names":     filterNames,
	"filter-functions": filterFunctions,
	"classes":          classes,
	"fields":           fields,
	"formats":          formats,
	"assets":           enrichTable("assetColumns", "AssetInfo"),
	"identities":       enrichTable("identityColumns", "IdentityInfo"),
	"zones":            enrichTable("zoneColumns", "ZoneInfo"),
	"schedules":        enrichTable("scheduleColumns", "ScheduleInfo"),
	"quality":          qualities,
	"time-sources":     timeSources,
	"reject-formats":   rejectFormats,
	"config":           configTable,
	"metrics":          metricsTable,
	"commands":         commandsTable,
	"doctor":           doctorTable,
}

func ruleKeys(*testing.T) string {
	var rows [][]string
	for _, k := range rules.Keys() {
		var places []string
		for _, p := range k.Places {
			places = append(places, string(p))
		}
		rows = append(rows, []string{code(k.Name), strings.Join(places, ", "), k.Type, k.Default, k.Doc})
	}
	return table([]string{"key", "allowed in", "type", "default", "meaning"}, rows)
}

func ruleCodes(*testing.T) string {
	var rows [][]string
	for _, c := range rules.Codes() {
		rows = append(rows, []string{code(c.Code), c.Severity.String(), c.Doc})
	}
	return table([]string{"code", "weight", "what is wrong"}, rows)
}

func variants(*testing.T) string {
	var rows [][]string
	for _, v := range correlate.Variants() {
		rows = append(rows, []string{code(v.Name), v.Meaning})
	}
	return table([]string{"variant", "what is run"}, rows)
}

func sigmaSources(*testing.T) string {
	var rows [][]string
	for _, d := range sigma.Sources() {
		rows = append(rows, []string{d.Source, code(strings.Join(d.Classes, ", ")), code(d.Condition)})
	}
	return table([]string{"log source", "classes", "condition"}, rows)
}

func sigmaCodes(*testing.T) string {
	var rows [][]string
	for _, c := range sigma.Codes() {
		rows = append(rows, []string{code(c.Code), c.Doc})
	}
	return table([]string{"code", "what is refused"}, rows)
}

func functions(*testing.T) string {
	var rows [][]string
	for _, f := range expression.Functions() {
		over := f.Over
		if over == "" {
			over = "event, match"
		}
		example := ""
		if f.Example != "" {
			example = code(f.Example + " = " + f.Result)
		}
		rows = append(rows, []string{code(f.Signature), over, f.Doc, example})
	}
	return table([]string{"function", "over", "meaning", "example"}, rows)
}

func filterNames(*testing.T) string {
	var rows [][]string
	for _, n := range expression.FilterNames() {
		doc := n.Doc
		if n.Words != nil {
			doc += " One of `" + strings.Join(n.Words, "`, `") + "`."
		}
		rows = append(rows, []string{code(n.Name), n.Kind.String(), doc})
	}
	return table([]string{"name", "type", "meaning"}, rows)
}

func filterFunctions(*testing.T) string {
	var rows [][]string
	for _, f := range expression.FilterFunctions() {
		example := ""
		if f.Example != "" && f.Name != "duration" {
			example = code(f.Example + " = " + f.Result)
		}
		rows = append(rows, []string{code(f.Signature), strings.Replace(f.Doc, "in milliseconds", "in seconds", 1), example})
	}
	return table([]string{"function", "meaning", "example"}, rows)
}

func assetFields(*testing.T) string {
	names, kinds := expression.AssetFields()
	var rows [][]string
	for i, n := range names {
		rows = append(rows, []string{code(n), kinds[i].String()})
	}
	return table([]string{"attribute", "type"}, rows)
}

// classes lists what can stand under class: the modelled classes with their activities, and the formats that emit them.
func classes(*testing.T) string {
	var rows [][]string
	for _, c := range ocsf.Classes() {
		if !event.Modelled(c.UID) || c.UID == event.ClassBase {
			continue
		}
		var activities []string
		for _, name := range (&event.ClassError{Of: event.ClassName(c.UID)}).Candidates() {
			_, a, _ := strings.Cut(name, ".")
			activities = append(activities, a)
		}
		rows = append(rows, []string{code(event.ClassName(c.UID)), strconv.FormatUint(uint64(c.UID), 10), strings.Join(activities, ", "), code(emitters(event.ClassName(c.UID))...)})
	}
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return table([]string{"class", "OCSF id", "activities", "formats that emit it"}, rows)
}

func emitters(class string) []string {
	var out []string
	for _, f := range format.All() {
		if slices.ContainsFunc(f.Classes, func(c string) bool { return c == class || strings.HasPrefix(c, class+".") }) {
			out = append(out, f.Name)
		}
	}
	return out
}

func fields(*testing.T) string {
	flags := []struct {
		flag event.Flags
		name string
	}{{event.Taint, "taint"}, {event.Enriched, "enriched"}, {event.Enum, "enum"}, {event.IsCaption, "caption"}, {event.Derived, "derived"}}
	var rows [][]string
	for _, f := range event.Fields() {
		var set []string
		for _, x := range flags {
			if f.Flags&x.flag != 0 {
				set = append(set, x.name)
			}
		}
		rows = append(rows, []string{code(f.Path), f.Kind.String(), strings.Join(set, ", "), f.Doc})
	}
	return table([]string{"path", "type", "flags", "meaning"}, rows)
}

var framings = map[format.Framing]string{
	format.Lines: "one record a line", format.LinesDense: "one record a line; indented lines continue it",
	format.Columns: "lines below header lines (Zeek TSV, CSV)", format.JSONValues: "JSON values, over any number of lines; the elements of a top-level array",
}

func formats(t *testing.T) string {
	var b strings.Builder
	for _, f := range format.All() {
		framing, known := framings[f.Framing]
		if !known {
			t.Errorf("framing %d of %s has no words here", f.Framing, f.Name)
		}
		if f.Join != nil {
			framing += "; messages split over several records are joined"
		}
		b.WriteString("### " + f.Name + "\n\n" + f.Title + " (" + strings.ReplaceAll(f.Domain, "_", " ") + "). " + f.Doc + "\n\n")
		b.WriteString("- framing: " + framing + "\n- emits: " + code(f.Classes...) + "\n\n")
	}
	return b.String()
}

// enrichTable documents a table file by its list of columns and the row type's comments.
func enrichTable(columns, row string) func(*testing.T) string {
	return func(t *testing.T) string {
		code := parse(t, "enrich")
		docs := code.fieldDocs(row)
		var rows [][]string
		for _, c := range code.columns(t, columns) {
			doc := columnDocs[c.name]
			if doc == "" {
				doc = docs[strings.ToLower(c.field)]
			}
			if doc == "" {
				t.Errorf("enrich.%s: column %s has no comment at %s", columns, c.name, row)
			}
			many := ""
			if c.list {
				many = "list"
			}
			rows = append(rows, []string{"`" + c.name + "`", many, doc})
		}
		return table([]string{"column", "", "meaning"}, rows)
	}
}

// columnDocs are the columns whose row field holds something else than what the file says.
var columnDocs = map[string]string{
	"from":   "Start, as in `2026-11-21T22:00:00+01:00`, with its zone; for a window that is once.",
	"to":     "End, exclusive.",
	"purdue": "Purdue level, 0 to 5; 3.5 is the industrial DMZ.",
	"shift":  "Working hours, such as `Mon-Fri 06:00-14:00 Europe/Berlin`.",
	"weekly": "Hours of every week, such as `Sun 02:00-05:00 Europe/Berlin` or `daily 02:00-04:00 UTC`; in place of `from` and `to`.",
}

type columnOf struct {
	name, field string
	list        bool
}

// columns reads the composite literal that a function of package enrich returns.
func (c *source) columns(t *testing.T, function string) []columnOf {
	var out []columnOf
	f := c.function(t, function)
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if name, ok := text(n.Args, 0); ok {
				kind := called(n)
				out = append(out, columnOf{name, selected(n), slices.Contains([]string{"texts", "names", "addresses", "hardware", "networks"}, kind)})
				return false
			}
		case *ast.CompositeLit:
			col := columnOf{}
			for _, e := range n.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					switch key := kv.Key.(*ast.Ident).Name; key {
					case "name":
						col.name, _ = text([]ast.Expr{kv.Value}, 0)
					case "list":
						col.list = true
					}
				}
			}
			if col.name != "" {
				col.field = strings.ReplaceAll(col.name, "_", "")
				out = append(out, col)
				return false
			}
		}
		return true
	})
	if len(out) == 0 {
		t.Errorf("enrich.%s has no columns that this test can read", function)
	}
	return out
}

// selected is the last field a call's arguments select, such as Serials in func(a *AssetInfo) *[]string { return &a.Serials }.
func selected(n ast.Node) (field string) {
	ast.Inspect(n, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := s.X.(*ast.Ident); ok && id.Obj != nil {
				field = s.Sel.Name
			}
		}
		return true
	})
	return field
}

// doctorTable lists the checks of the doctor by their codes.
func doctorTable(t *testing.T) string {
	names := map[string]string{}
	parse(t, "app").each(func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if typ, ok := lit.Type.(*ast.Ident); !ok || typ.Name != "Diagnosis" {
			return true
		}
		var words []string
		for _, e := range lit.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				e = kv.Value
			}
			if w, ok := text([]ast.Expr{e}, 0); ok {
				words = append(words, w)
			}
		}
		if len(words) >= 2 {
			names[words[0]] = words[1]
		}
		return true
	})
	var rows [][]string
	for _, c := range sortedKeys(names) {
		rows = append(rows, []string{"`" + c + "`", names[c]})
	}
	if len(rows) == 0 {
		t.Error("app has no Diagnosis literals that this test can read")
	}
	return table([]string{"code", "check"}, rows)
}

// constants documents a block of constants by their comments, under the names that a list of strings gives them.
func constants(t *testing.T, typ, names string) [][]string {
	code := parse(t, "event")
	words, docs := code.strings(names), code.constantDocs(typ)
	if len(words) == 0 || len(words) != len(docs) {
		t.Fatalf("event: %d names in %s for %d constants of type %s", len(words), names, len(docs), typ)
	}
	var rows [][]string
	for i, w := range words {
		rows = append(rows, []string{"`" + w + "`", docs[i]})
	}
	return rows
}

func qualities(t *testing.T) string {
	return table([]string{"flag", "meaning"}, constants(t, "Quality", "qualityNames"))
}

func timeSources(t *testing.T) string {
	return table([]string{"time source", "meaning"}, constants(t, "TimeSource", "timeSourceNames")[1:])
}
