package expression

import (
	"errors"
	"reflect"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"

	"github.com/tocsin-siem/tocsin/event"
)

// builtins are the functions of expr that rules may use: pure, total but for conversions, and with results no longer than their input.
var builtins = map[string]bool{
	"all": true, "none": true, "any": true, "one": true, "filter": true, "map": true, "count": true, "find": true,
	"len": true, "abs": true, "ceil": true, "floor": true, "round": true, "int": true, "float": true, "string": true,
	"trim": true, "trimPrefix": true, "trimSuffix": true, "upper": true, "lower": true, "split": true, "join": true,
	"indexOf": true, "lastIndexOf": true, "hasPrefix": true, "hasSuffix": true, "max": true, "min": true,
	"sum": true, "first": true, "last": true, // Over the hits of a step only.
}

// settings is expr's configuration with everything switched off that is not in builtins.
func settings() *conf.Config {
	c := conf.CreateNew()
	c.MaxNodes = MaxNodes
	c.Strict = true
	for _, f := range builtin.Builtins {
		if !builtins[f.Name] {
			c.Disabled[f.Name] = true
			delete(c.Builtins, f.Name)
		}
	}
	return c
}

// parse reads the text of an expression into expr's syntax tree.
func parse(source string) (*parser.Tree, *Issue) {
	if i := oversize(source); i != nil {
		return nil, i
	}
	if strings.TrimSpace(source) == "" {
		return nil, &Issue{Line: 1, Column: 1, Code: CodeSyntax, Message: "expression is empty"}
	}
	tree, err := parser.ParseWithConfig(source, settings())
	if err != nil {
		return nil, issueOf(source, CodeSyntax, err)
	}
	return tree, nil
}

// check has expr decide the types of a tree whose names were resolved; every name it meets is in env.
func check(tree *parser.Tree, source string, env types.Map) (*conf.Config, *Issue) {
	c := settings()
	c.WithEnv(env)
	if _, err := checker.Check(tree, c); err != nil {
		return nil, issueOf(source, CodeType, err)
	}
	return c, wrongFirst(tree.Node, source)
}

// wrongFirst is the issue of a call whose first argument is of a kind that the function does not take, and the checker cannot tell.
func wrongFirst(root ast.Node, source string) (issue *Issue) {
	walk(root, func(n ast.Node) {
		call, ok := n.(*ast.CallNode)
		if !ok || issue != nil {
			return
		}
		id, ok := call.Callee.(*ast.IdentifierNode)
		if !ok {
			return
		}
		fn := functionNamed(id.Value)
		if fn == nil || fn.first == nil {
			return
		}
		if kind, ok := kindOf(call.Arguments[0]); !ok || !fn.first(kind) {
			issue = issueAt(source, call.Arguments[0], CodeType, id.Value+" looks at a string or a list of strings")
			if ok {
				issue.Message += ", and this is " + kind.String()
			}
			issue.Hint = fn.doc.Signature
		}
	})
	return issue
}

// issueOf puts an error of expr into our words.
func issueOf(source, code string, err error) *Issue {
	i := &Issue{Line: 1, Column: 1, Code: code, Message: err.Error()}
	if fe, ok := errors.AsType[*file.Error](err); ok {
		i.Line, i.Column = position(source, fe.From)
		i.Message = strings.TrimSpace(fe.Message)
	}
	for _, h := range syntaxHints {
		if strings.Contains(i.Message, h.part) {
			i.Hint = h.hint
			break
		}
	}
	if strings.Contains(i.Message, "maximum allowed nodes") {
		i.Code = CodeSize
	}
	return i
}

var syntaxHints = []struct{ part, hint string }{
	{`Operator("=")`, "== compares"},
	{`EOF`, "the expression ends too early; inside {…} YAML cuts it at the first comma, so write it in block style or in quotes"},
	{"maximum allowed nodes", "split it, or move values to a list and use inList"},
	{"mismatched types []string and string", `"x" in list asks whether a list holds x`},
	{"(mismatched type string)", "not binds tighter than ==; put what it negates in brackets"},
}

// kindOf is the kind of a checked node; ok is false where expr knows the type only when it runs.
func kindOf(n ast.Node) (k event.Kind, ok bool) {
	nt := n.Nature()
	if nt.Nil || nt.Type == nil {
		return 0, false
	}
	switch nt.Kind {
	case reflect.String:
		return event.KindString, true
	case reflect.Int:
		return event.KindInt, true
	case reflect.Float64:
		return event.KindFloat, true
	case reflect.Bool:
		return event.KindBool, true
	case reflect.Slice:
		if nt.Type.Elem().Kind() == reflect.String {
			return event.KindStrings, true
		}
		if nt.Ref != nil && nt.Ref.Kind == reflect.String {
			return event.KindStrings, true
		}
	}
	return 0, false
}

// typeOf is the type under which the checker sees a kind.
func typeOf(k event.Kind) types.Type {
	switch k {
	case event.KindInt, event.KindTime:
		return types.Int
	case event.KindFloat:
		return types.Float64
	case event.KindBool:
		return types.Bool
	case event.KindStrings:
		return types.TypeOf([]string(nil))
	default:
		return types.String
	}
}
