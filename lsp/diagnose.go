package lsp

import (
	"context"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/tocsin-siem/tocsin/rules"
)

// diagnose compiles the folder of a document, with open documents in place of their files, and sends the problems of this one. The folder belongs to
// it because rules may name each other.
func (s *server) diagnose(ctx context.Context, c *jsonrpc2.Conn, uri string) error {
	d, err := s.document(uri)
	if err != nil {
		return err
	}
	files := s.folder(d)
	_, problems := rules.Load(files, slices.Sorted(maps.Keys(files))...)
	out := diagnostics{URI: uri, Diagnostics: []diagnostic{}}
	for _, p := range problems {
		if p.File != path.Base(d.path) {
			continue
		}
		x := diagnostic{Range: d.place(p.Line, p.Column), Severity: severityError, Code: p.Code, Source: "tocsin", Message: p.Message}
		if p.Severity == rules.Warning {
			x.Severity = severityWarning
		}
		if p.Hint != "" {
			x.Message += " (" + p.Hint + ")"
		}
		out.Diagnostics = append(out.Diagnostics, x)
	}
	return c.Notify(ctx, "textDocument/publishDiagnostics", out)
}

// maxFolder bounds how many files of a folder are compiled with a document.
const maxFolder = 500

// folder is the rule files beside a document, without those of other folders.
func (s *server) folder(d *document) rules.Texts {
	files := rules.Texts{}
	dir := path.Dir("/" + d.path)
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) <= maxFolder {
		for _, e := range entries {
			if ext := path.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
				if text, err := os.ReadFile(path.Join(dir, e.Name())); err == nil {
					files[e.Name()] = text
				}
			}
		}
	}
	for _, open := range s.documents {
		if path.Dir("/"+open.path) == dir {
			files[path.Base(open.path)] = []byte(open.text)
		}
	}
	return files
}

var idLine = regexp.MustCompile(`^id:\s*(\S+)`)

// symbols lists the rules of a document.
func (s *server) symbols(_ context.Context, _ *jsonrpc2.Conn, p atDocument) (any, error) {
	d, err := s.document(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	list := []symbol{}
	for n, line := range d.lines {
		m := idLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		end := n
		for end+1 < len(d.lines) && !strings.HasPrefix(d.lines[end+1], "---") {
			end++
		}
		at := span{d.at(n, 0), d.at(n, len(line))}
		list = append(list, symbol{Name: m[1], Detail: d.title(n, end), Kind: symbolClass, Range: span{at.Start, d.at(end, len(d.lines[end]))}, SelectionRange: at})
	}
	return list, nil
}

func (d *document) title(from, to int) string {
	i := slices.IndexFunc(d.lines[from:to+1], func(l string) bool { return strings.HasPrefix(l, "title:") })
	if i < 0 {
		return ""
	}
	return strings.Trim(strings.TrimSpace(strings.TrimPrefix(d.lines[from+i], "title:")), `"'`)
}

// formatting lays the document out as tocsin rules fmt does; what cannot be laid out is left alone.
func (s *server) formatting(_ context.Context, _ *jsonrpc2.Conn, p atDocument) (any, error) {
	d, err := s.document(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	text, problems := rules.Format(path.Base(d.path), []byte(d.text))
	if text == nil {
		return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeInternalError, Message: problems[0].String()}
	}
	if string(text) == d.text {
		return []textEdit{}, nil
	}
	return []textEdit{{d.all(), string(text)}}, nil
}
