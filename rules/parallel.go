package rules

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"go.yaml.in/yaml/v3"
)

// buildAll builds all rules. Those that depend on nothing but their own document, which is nearly all of them, are built on all processors;
// their problems are put together in the order of the documents, so that the result does not depend on how many processors there are.
func (l *loader) buildAll() {
	var alone []*draft
	for _, x := range l.drafts {
		if !listens(x.node) && len(l.beside[x.id]) == 0 {
			alone = append(alone, x)
		}
	}
	found := make([]document, len(alone))
	parallel(len(alone), func(i int) {
		x := alone[i]
		found[i] = document{file: x.doc.file, lines: x.doc.lines}
		x.rule, x.done = found[i].build(x.node, l), true
	})
	for i, x := range alone {
		x.doc.problems = append(x.doc.problems, found[i].problems...)
	}
	for _, x := range l.drafts {
		l.build(x)
	}
}

// listens reports whether a document names another rule anywhere, as class: [rule:rb-0003] does.
func listens(n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode {
		return strings.HasPrefix(n.Value, "rule:")
	}
	for _, c := range n.Content {
		if listens(c) {
			return true
		}
	}
	return false
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
