package sigma_test

import (
	"testing"
	"testing/fstest"

	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/sigma"
)

// BenchmarkPublicRulesFromTextToSet is what the start of a service pays for all public rules, but for reading the files.
func BenchmarkPublicRulesFromTextToSet(b *testing.B) {
	files := corpus(b)
	b.ReportMetric(float64(len(files)), "rules")
	for b.Loop() {
		set, _ := rules.LoadPaths(fstest.MapFS{}, rules.Paths{Documents: documents(sigma.Convert(files, sigma.Options{Status: rules.Shadow}))})
		if set == nil {
			b.Fatal("the rules do not load")
		}
	}
}

func BenchmarkPublicRulesFromTextToDocuments(b *testing.B) {
	files := corpus(b)
	for b.Loop() {
		sigma.Convert(files, sigma.Options{Status: rules.Shadow})
	}
}

func documents(r *sigma.Result) []rules.Document {
	out := make([]rules.Document, len(r.Rules))
	for i, x := range r.Rules {
		out[i] = rules.Document{File: x.File, Node: x.Node}
	}
	return out
}
