package lsp_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sourcegraph/jsonrpc2"

	"github.com/tocsin-siem/tocsin/lsp"
)

// editor is a client with one document open; ‸ marks the cursor in texts.
type editor struct {
	t     *testing.T
	conn  *jsonrpc2.Conn
	dir   string
	uri   string
	found chan []diagnostic
	ended chan error
}

type diagnostic struct {
	Range struct {
		Start, End struct{ Line, Character int }
	}
	Severity int
	Code     string
	Message  string
}

func start(t *testing.T) *editor {
	t.Helper()
	ours, theirs := net.Pipe()
	dir := t.TempDir()
	e := &editor{t: t, dir: dir, uri: "file://" + filepath.ToSlash(dir) + "/my%20rules.yaml", found: make(chan []diagnostic, 16), ended: make(chan error, 1)}
	go func() { e.ended <- lsp.Serve(t.Context(), theirs, "test") }()
	e.conn = jsonrpc2.NewConn(t.Context(), jsonrpc2.NewBufferedStream(ours, jsonrpc2.VSCodeObjectCodec{}), jsonrpc2.HandlerWithError(
		func(_ context.Context, _ *jsonrpc2.Conn, r *jsonrpc2.Request) (any, error) {
			var p struct{ Diagnostics []diagnostic }
			if r.Method == "textDocument/publishDiagnostics" && json.Unmarshal(*r.Params, &p) == nil {
				e.found <- p.Diagnostics
			}
			return nil, nil
		}))
	t.Cleanup(func() { _ = e.conn.Close() })
	e.call("initialize", map[string]any{"capabilities": map[string]any{}}, nil)
	return e
}

func (e *editor) call(method string, params, result any) {
	e.t.Helper()
	if err := e.conn.Call(e.t.Context(), method, params, result); err != nil {
		e.t.Fatalf("%s: %v", method, err)
	}
}

// open shows a text and gives what is wrong with it, and the place of the cursor.
func (e *editor) open(text string) (found []diagnostic, cursor map[string]any) {
	e.t.Helper()
	before, after, _ := strings.Cut(text, "‸")
	lines := strings.Split(before, "\n")
	units := 0
	for _, r := range lines[len(lines)-1] {
		units++
		if r > 0xffff {
			units++
		}
	}
	err := e.conn.Notify(e.t.Context(), "textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": e.uri, "languageId": "yaml", "version": 1, "text": before + after}})
	if err != nil {
		e.t.Fatal(err)
	}
	return <-e.found, map[string]any{"textDocument": map[string]any{"uri": e.uri}, "position": map[string]any{"line": len(lines) - 1, "character": units}}
}

type item struct {
	Label    string
	TextEdit struct {
		NewText string
		Range   struct{ Start struct{ Character int } }
	}
}

func (e *editor) complete(text string) []item {
	e.t.Helper()
	_, cursor := e.open(text)
	var list struct{ Items []item }
	e.call("textDocument/completion", cursor, &list)
	return list.Items
}

const head = "id: x-1\nversion: 1\ntitle: X\nstatus: shadow\n"

func TestProblemsAreThoseOfTheCompilerAtTheirPlaces(t *testing.T) {
	e := start(t)
	found, _ := e.open(head + "match:\n  event:\n    id: seen\n    class: robot_state\n    where: '\"🤖\" != \"\" and stauts == \"Success\"'\n")
	if len(found) != 1 || found[0].Code != "R021" || found[0].Severity != 1 || !strings.Contains(found[0].Message, "did you mean status?") {
		t.Fatalf("got %+v", found)
	}
	at := found[0].Range // The robot is two units of UTF-16.
	if at.Start.Line != 8 || at.Start.Character != 27 || at.End.Character != 33 {
		t.Errorf("it is marked at %+v", at)
	}
	err := e.conn.Notify(t.Context(), "textDocument/didChange", map[string]any{
		"textDocument": map[string]any{"uri": e.uri}, "contentChanges": []any{map[string]any{"text": head + "match: {event: {id: seen, class: robot_state}}\n"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if found = <-e.found; len(found) != 0 {
		t.Errorf("after the fix: %+v", found)
	}
}

func TestRulesOfTheSameFolderCount(t *testing.T) {
	e := start(t)
	rule := head + "match: {event: {id: seen, class: robot_state}}\n"
	if err := os.WriteFile(filepath.Join(e.dir, "another.yaml"), []byte(rule), 0o644); err != nil {
		t.Fatal(err)
	}
	found, _ := e.open(rule)
	if len(found) != 1 || found[0].Code != "R009" || !strings.Contains(found[0].Message, "another.yaml") {
		t.Errorf("its id stands in another file of the folder, and that is found: %+v", found)
	}
	if found, _ := e.open(strings.Replace(rule, "x-1", "x-2", 1)); len(found) != 0 {
		t.Errorf("another id: %+v", found)
	}
}

func TestCompletionKnowsWhatMayStandAtTheCursor(t *testing.T) {
	e := start(t)
	step := head + "match:\n  sequence:\n    - id: login\n      class: authentication.logon\n"
	for text, want := range map[string][]string{
		"id: x-1\nsever‸":                        {"severity", "severity_if"},
		head + "severity: ‸":                     {"critical", "fatal", "high", "informational", "low", "medium"},
		head + "match:\n  ev‸":                   {"event"},
		head + "match:\n  event: {id: seen, wh‸": {"where"},
		step + "      wh‸":                       {"where"},
		step + "    - i‸":                        {"id"},
		head + "match:\n  event:\n    class: authentication.log‸":                                       {"authentication.logoff", "authentication.logon"},
		step + "      where: auth_protocol ==‸":                                                         nil,
		step + "      where: user.privil‸":                                                              {"user.privileged"},
		step + "      where: status == \"Succ‸":                                                         {"Success"},
		step + "      where: status in [\"Success\", \"Fail‸":                                           {"Failure"},
		step + "      where: >\n        clam‸":                                                          {"clamp"},
		step + "      bind: {who: target.us‸":                                                           {"target.user"},
		step + "      bind: {who: user}\n  within: 1h\nthrottle: {per: [w‸":                             {"who"},
		step + "  unless:\n    - class: change_ticket\n      of: l‸":                                    {"login"},
		step + "  within: 1h\nscore: 'clamp(logi‸":                                                      {"login"},
		head + "tests:\n  - name: x\n    events:\n      - {at: 0m, class: authentication.logon, sever‸": {"severity"},
		head + "tests:\n  - name: x\n    events:\n      - {at: 0m, severity: Cri‸":                      {"Critical"},
		"exceptions:\n  - rul‸":                                                                         {"rule"},
	} {
		var got []string
		for _, i := range e.complete(text) {
			got = append(got, i.Label)
		}
		if strings.HasSuffix(text, "==‸") {
			if len(got) < 100 {
				t.Errorf("behind an operator: only %d proposals", len(got))
			}
			continue
		}
		missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return slices.Contains(got, w) })
		if len(missing) > 0 || len(got) > len(want)+2 {
			t.Errorf("%q: got %q, want %q", text[max(0, len(text)-60):], got, want)
		}
	}
}

func TestAnItemReplacesTheWordBeforeTheCursor(t *testing.T) {
	e := start(t)
	items := e.complete(head + "match:\n  event:\n    id: seen\n    where: user.privil‸")
	if len(items) != 1 || items[0].TextEdit.NewText != "user.privileged" || items[0].TextEdit.Range.Start.Character != 11 {
		t.Errorf("got %+v", items)
	}
	if items := e.complete(head + "sco‸"); len(items) != 1 || items[0].TextEdit.NewText != "score: " {
		t.Errorf("a key: %+v", items)
	}
}

func TestHoverDocumentsKeysFieldsFunctionsAndClasses(t *testing.T) {
	e := start(t)
	step := head + "match:\n  event:\n    id: seen\n"
	for text, want := range map[string]string{
		"id: x-1\nlate‸ness: 5m\n":                            "How long the rule waits",
		step + "    class: authentication.lo‸gon\n":           "OCSF class 3002, activity 1",
		step + "    class: authenti‸cation\n":                 "mfa_challenge",
		step + "    where: sta‸tus == \"Success\"\n":          "One of: ",
		step + "    where: cid‸r(src_endpoint.ip, \"::1\")\n": "cidr(ip string",
		step + "    where: '\"🤖\" == src_endpoint.i‸p'\n":     "src_endpoint.ip",
		step + "    where: nothing_‸here\n":                   "",
	} {
		_, cursor := e.open(text)
		var got *struct{ Contents struct{ Value string } }
		e.call("textDocument/hover", cursor, &got)
		switch {
		case want == "" && got != nil:
			t.Errorf("%q: got %q", text, got.Contents.Value)
		case want != "" && (got == nil || !strings.Contains(got.Contents.Value, want)):
			t.Errorf("%q: got %v, want %q", text, got, want)
		}
	}
}

func TestOutlineAndLayout(t *testing.T) {
	e := start(t)
	_, at := e.open("title: \"One\"\nid: x-1\nversion: 1\nstatus: shadow\nmatch: {event: {id: seen, class: robot_state}}\n---\nid: x-2\nversion: 1\ntitle: Two\nstatus: shadow\nmatch: {event: {id: seen, class: robot_state}}\n")
	var symbols []struct{ Name, Detail string }
	e.call("textDocument/documentSymbol", at, &symbols)
	if diff := cmp.Diff([]struct{ Name, Detail string }{{"x-1", ""}, {"x-2", "Two"}}, symbols); diff != "" {
		t.Error(diff)
	}
	var edits []struct{ NewText string }
	e.call("textDocument/formatting", at, &edits)
	if len(edits) != 1 || !strings.HasPrefix(edits[0].NewText, "id: x-1\nversion: 1\ntitle: \"One\"\n") {
		t.Errorf("got %+v", edits)
	}
}

func TestTheServerEndsAsTheProtocolSays(t *testing.T) {
	e := start(t)
	e.call("shutdown", nil, nil)
	if err := e.conn.Notify(t.Context(), "exit", nil); err != nil {
		t.Fatal(err)
	}
	if err := <-e.ended; err != nil {
		t.Errorf("after shutdown and exit: %v", err)
	}
	e = start(t)
	if err := e.conn.Call(t.Context(), "textDocument/hover", map[string]any{"textDocument": map[string]any{"uri": "file:///none"}}, nil); err == nil || !strings.Contains(err.Error(), "is not open") {
		t.Errorf("a document that is not open: %v", err)
	}
	if err := e.conn.Call(t.Context(), "workspace/executeCommand", nil, nil); err == nil {
		t.Error("an unknown request is answered")
	}
	_ = e.conn.Close()
	if err := <-e.ended; err == nil {
		t.Error("an editor that breaks off is no error")
	}
}
