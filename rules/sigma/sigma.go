// Package sigma turns Sigma rules (sigmahq.io, specification 2.1, with the conditions over rules of 2.2) into rules of ours: event rules and
// correlations become documents of our rule language, which package rules compiles like any other. What cannot be carried exactly is refused
// with its place and the reason; nothing is approximated. Where the specification leaves a point open (ties, repeats, late events, where the
// window of an absence lies), the choice made is the meaning of our own language and stands in the rule.
//
// There is no I/O and no clock, and the result depends on nothing but the files: not on how many processors convert them.
package sigma

import (
	"cmp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/rules"
)

// File is a Sigma file. Name is what problems call it.
type File struct {
	Name string
	Text []byte
}

// Options says how rules are imported.
type Options struct {
	Status rules.Status // Of the rules made; shadow is the careful choice.
}

// Rule is a Sigma document as a rule of ours.
type Rule struct {
	ID    string // Of our rule.
	Title string
	File  string // The Sigma file it comes from.
	Line  int    // Where its document starts there.
	Node  *yaml.Node
}

// Result is what became of files. Rules come in order of the files given and of the documents in them, refusals sorted by file and line.
type Result struct {
	Rules   []Rule
	Refused []rules.Problem // One for each document that is left out.
	Parts   int             // Rules that only correlations use (generate is not set), and that stand in those.
	Filters int             // Filters, which are put into the rules they name.
}

// Convert turns files into rules. It uses all processors; the result does not depend on their number.
func Convert(files []File, opt Options) *Result {
	parsed := make([]parsedFile, len(files))
	parallel(len(files), func(i int) { parsed[i].read(files[i]) })
	c := &converter{options: opt, byName: map[string]*part{}}
	for i := range parsed {
		c.result.Refused = append(c.result.Refused, parsed[i].refused...)
		c.parts = append(c.parts, parsed[i].parts...)
	}
	c.filter()
	c.index()
	c.correlate()
	c.rules()
	slices.SortStableFunc(c.result.Refused, func(a, b rules.Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &c.result
}

// parallel calls f for 0 to n−1 on all processors.
func parallel(n int, f func(int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}

// parsedFile is what one file holds.
type parsedFile struct {
	parts   []*part
	refused []rules.Problem
}

// part is a Sigma document with what it became.
type part struct {
	*document
	source *source // Event rules: the log source.
	tree   *tree   // Event rules: the detection.
	used   bool    // A correlation that does not set generate refers to it.
	needed bool    // A correlation listens to its findings.
	match  *yaml.Node
	failed bool
}

func (p *parsedFile) read(f File) {
	documents, refused := readDocuments(f.Name, f.Text)
	p.refused = refused
	for _, d := range documents {
		one := &part{document: d}
		if d.kind == eventRule {
			if err := one.readEvent(); err != nil {
				p.refused = append(p.refused, problemOf(f.Name, d.fields.node, err))
				one.failed = true
			}
		}
		p.parts = append(p.parts, one)
	}
}

func (p *part) readEvent() (err error) {
	if p.source, err = sourceOf(p.fields.keys["logsource"]); err != nil {
		return err
	}
	p.tree, err = readDetection(p.fields.keys["detection"])
	return err
}

// converter puts the documents of all files together.
type converter struct {
	options Options
	parts   []*part
	byName  map[string]*part // By id and by name; nil where two have it.
	result  Result
}

func (c *converter) refuse(p *part, err error) {
	p.failed = true
	c.result.Refused = append(c.result.Refused, problemOf(p.file, p.fields.node, err))
}

// index finds the documents by the names that correlations use.
func (c *converter) index() {
	for _, p := range c.parts {
		if p.kind == filterRule {
			continue
		}
		for _, name := range []string{p.header.id, p.header.name} {
			if name == "" {
				continue
			}
			if other, taken := c.byName[name]; taken && other != p {
				c.byName[name] = nil
				continue
			}
			c.byName[name] = p
		}
	}
}

// rules writes the documents of our rules.
func (c *converter) rules() {
	out := make([]*yaml.Node, len(c.parts))
	errs := make([]error, len(c.parts))
	parallel(len(c.parts), func(i int) {
		p := c.parts[i]
		if p.failed || p.kind == filterRule || p.used && !p.needed {
			return
		}
		if p.kind == eventRule {
			if p.match, errs[i] = p.eventMatch(); errs[i] != nil {
				return
			}
		}
		status := c.options.Status
		if p.used {
			status = min(status, rules.Shadow)
		}
		out[i] = p.rule(status)
	})
	for i, p := range c.parts {
		switch {
		case errs[i] != nil:
			c.refuse(p, errs[i])
		case out[i] != nil:
			c.result.Rules = append(c.result.Rules, Rule{ID: p.header.ruleID(), Title: p.header.title, File: p.file, Line: p.fields.node.Line, Node: out[i]})
		case !p.failed && p.kind != filterRule:
			c.result.Parts++
		}
	}
}
