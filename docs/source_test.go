package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is the code of one package without its tests.
type source struct {
	files map[string]*ast.File
}

func parse(t *testing.T, dir string) *source {
	t.Helper()
	s := &source{files: map[string]*ast.File{}}
	names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no Go files in %s: %v", dir, err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// Identifiers must be resolved: selected tells parameters from packages by that.
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		s.files[name] = f
	}
	return s
}

// each visits the nodes of all files in order of their names.
func (s *source) each(visit func(ast.Node) bool) {
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		ast.Inspect(s.files[name], visit)
	}
}

func (s *source) function(t *testing.T, name string) (found *ast.FuncDecl) {
	s.each(func(n ast.Node) bool {
		if f, ok := n.(*ast.FuncDecl); ok && f.Name.Name == name {
			found = f
		}
		return true
	})
	if found == nil {
		t.Fatalf("there is no function %s", name)
	}
	return found
}

// fieldDocs are the comments of a struct's fields by lower-case name.
func (s *source) fieldDocs(typ string) map[string]string {
	docs := map[string]string{}
	s.each(func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != typ {
			return true
		}
		if st, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range st.Fields.List {
				for _, id := range f.Names {
					docs[strings.ToLower(id.Name)] = sentence(f.Comment, f.Doc)
				}
			}
		}
		return false
	})
	return docs
}

// constantDocs are the comments of the constants of a type, in order.
func (s *source) constantDocs(typ string) (docs []string) {
	s.each(func(n ast.Node) bool {
		d, ok := n.(*ast.GenDecl)
		if !ok || d.Tok != token.CONST || len(d.Specs) == 0 {
			return true
		}
		if id, ok := d.Specs[0].(*ast.ValueSpec).Type.(*ast.Ident); !ok || id.Name != typ {
			return true
		}
		for _, sp := range d.Specs {
			v := sp.(*ast.ValueSpec)
			docs = append(docs, sentence(v.Comment, v.Doc))
		}
		return false
	})
	return docs
}

// constantStrings are the values of the string constants of a type.
func (s *source) constantStrings(typ string) (out []string) {
	s.each(func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if id, ok := v.Type.(*ast.Ident); ok && id.Name == typ {
				if w, ok := text(v.Values, 0); ok {
					out = append(out, w)
				}
			}
		}
		return true
	})
	return out
}

// strings are the elements of a package variable that is a list of strings.
func (s *source) strings(variable string) (out []string) {
	s.each(func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || v.Names[0].Name != variable || len(v.Values) != 1 {
			return true
		}
		if list, ok := v.Values[0].(*ast.CompositeLit); ok {
			for i := range list.Elts {
				if w, ok := text(list.Elts, i); ok {
					out = append(out, w)
				}
			}
		}
		return false
	})
	return out
}

func sentence(groups ...*ast.CommentGroup) string {
	for _, g := range groups {
		if g != nil {
			return strings.TrimSpace(strings.ReplaceAll(g.Text(), "\n", " "))
		}
	}
	return ""
}

// text is an expression that is a string constant.
func text(list []ast.Expr, i int) (string, bool) {
	if i >= len(list) {
		return "", false
	}
	l, ok := list[i].(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}

// called is the name of the function a call calls, without its package or receiver.
func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.IndexExpr:
		if id, ok := f.X.(*ast.Ident); ok {
			return id.Name
		}
	}
	return ""
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
