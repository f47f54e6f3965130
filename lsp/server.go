// Package lsp is a language server for rule files (Language Server Protocol 3.17, over standard input and output): problems as the compiler finds
// them, completion of keys, classes, fields, functions, captions and sources of variables, hover documentation, outline and formatting.
//
// It knows what rules, expression and event know and nothing of its own: keys come from rules.KeysAt, what stands below them from rules.Below.
package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sourcegraph/jsonrpc2"
)

// Serve answers one client until it says exit, the stream ends or ctx does. A client that ends without shutdown first is an error, as the
// protocol wants (section "Exit Notification").
func Serve(ctx context.Context, stream io.ReadWriteCloser, version string) error {
	s := &server{version: version, documents: map[string]*document{}}
	conn := jsonrpc2.NewConn(ctx, jsonrpc2.NewBufferedStream(stream, jsonrpc2.VSCodeObjectCodec{}), jsonrpc2.HandlerWithError(s.handle))
	select {
	case <-conn.DisconnectNotify():
	case <-ctx.Done():
		_ = conn.Close()
	}
	if !s.shutdown && ctx.Err() == nil {
		return errors.New("the editor ended without saying shutdown")
	}
	return nil
}

// server holds the documents that a client has open. Requests come one by one.
type server struct {
	version   string
	documents map[string]*document // By URI.
	shutdown  bool
}

// methods are the requests and notifications that are answered.
var methods = map[string]func(*server, context.Context, *jsonrpc2.Conn, json.RawMessage) (any, error){
	"initialize": with((*server).initialize),
	"shutdown": func(s *server, _ context.Context, _ *jsonrpc2.Conn, _ json.RawMessage) (any, error) {
		s.shutdown = true
		return nil, nil
	},
	"exit": func(_ *server, _ context.Context, c *jsonrpc2.Conn, _ json.RawMessage) (any, error) {
		return nil, c.Close()
	},
	"textDocument/didOpen":        with((*server).didOpen),
	"textDocument/didChange":      with((*server).didChange),
	"textDocument/didSave":        with((*server).didSave),
	"textDocument/didClose":       with((*server).didClose),
	"textDocument/completion":     with((*server).completion),
	"textDocument/hover":          with((*server).hover),
	"textDocument/documentSymbol": with((*server).symbols),
	"textDocument/formatting":     with((*server).formatting),
}

// with reads a method's parameters.
func with[P any](call func(*server, context.Context, *jsonrpc2.Conn, P) (any, error)) func(*server, context.Context, *jsonrpc2.Conn, json.RawMessage) (any, error) {
	return func(s *server, ctx context.Context, c *jsonrpc2.Conn, raw json.RawMessage) (any, error) {
		var p P
		if len(raw) > 0 {
			if err := json.Unmarshal(raw, &p); err != nil {
				return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeInvalidParams, Message: err.Error()}
			}
		}
		return call(s, ctx, c, p)
	}
}

func (s *server) handle(ctx context.Context, c *jsonrpc2.Conn, r *jsonrpc2.Request) (any, error) {
	method, ok := methods[r.Method]
	switch {
	case !ok && r.Notif:
		return nil, nil // Such as initialized and $/cancelRequest: nothing follows from them.
	case !ok:
		return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeMethodNotFound, Message: r.Method + " is not answered"}
	}
	var raw json.RawMessage
	if r.Params != nil {
		raw = *r.Params
	}
	return method(s, ctx, c, raw)
}

func (s *server) initialize(_ context.Context, _ *jsonrpc2.Conn, _ struct{}) (any, error) {
	return map[string]any{
		"serverInfo": map[string]any{"name": "tocsin", "version": s.version},
		"capabilities": map[string]any{
			"positionEncoding":           "utf-16",
			"textDocumentSync":           map[string]any{"openClose": true, "change": fullText, "save": true},
			"completionProvider":         map[string]any{"triggerCharacters": []string{".", "\"", "[", "{", ",", " "}},
			"hoverProvider":              true,
			"documentSymbolProvider":     true,
			"documentFormattingProvider": true,
		},
	}, nil
}

func (s *server) didOpen(ctx context.Context, c *jsonrpc2.Conn, p didOpen) (any, error) {
	s.documents[p.TextDocument.URI] = newDocument(p.TextDocument.URI, p.TextDocument.Text)
	return nil, s.diagnose(ctx, c, p.TextDocument.URI)
}

func (s *server) didChange(ctx context.Context, c *jsonrpc2.Conn, p didChange) (any, error) {
	if n := len(p.ContentChanges); n > 0 {
		s.documents[p.TextDocument.URI] = newDocument(p.TextDocument.URI, p.ContentChanges[n-1].Text)
	}
	return nil, s.diagnose(ctx, c, p.TextDocument.URI)
}

func (s *server) didSave(ctx context.Context, c *jsonrpc2.Conn, p atDocument) (any, error) {
	return nil, s.diagnose(ctx, c, p.TextDocument.URI)
}

func (s *server) didClose(ctx context.Context, c *jsonrpc2.Conn, p atDocument) (any, error) {
	delete(s.documents, p.TextDocument.URI)
	return nil, c.Notify(ctx, "textDocument/publishDiagnostics", diagnostics{URI: p.TextDocument.URI, Diagnostics: []diagnostic{}})
}

// document is the open one of a URI.
func (s *server) document(uri string) (*document, error) {
	d := s.documents[uri]
	if d == nil {
		return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeInvalidParams, Message: fmt.Sprintf("%s is not open", uri)}
	}
	return d, nil
}
