package app

import (
	"context"
	"runtime"
	"sync"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/rules"
)

// RuleTest is one test of a rule with the runs derived from it. A test that fails as written has none.
type RuleTest struct {
	correlate.TestResult
	Variants []correlate.Variant
}

// Passed reports whether the test passed as written and in every variant.
func (t *RuleTest) Passed() bool {
	for i := range t.Variants {
		if !t.Variants[i].Passed() {
			return false
		}
	}
	return t.TestResult.Passed
}

// RuleTestSettings says which tests are run and what is derived from them.
type RuleTestSettings struct {
	Rules    []*rules.Rule
	Plain    bool     // Derive no variants.
	Variants []string // Kinds of variants; empty: all.
	Progress func(done, of int)
}

// TestRules runs the tests of rules on all processors and hands the results to show in the order of the rules, until ctx ends.
func TestRules(ctx context.Context, set RuleTestSettings, show func([]RuleTest) error) error {
	results := make([]chan []RuleTest, len(set.Rules))
	for i := range results {
		results[i] = make(chan []RuleTest, 1)
	}
	ctx, cancel := context.WithCancel(ctx)
	next := make(chan int)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range min(runtime.GOMAXPROCS(0), len(set.Rules)) {
		wg.Go(func() {
			for i := range next {
				results[i] <- testsOf(ctx, set.Rules[i], &set)
			}
		})
	}
	wg.Go(func() {
		defer close(next)
		for i := range set.Rules {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	})
	for i := range results {
		select {
		case list := <-results[i]:
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := show(list); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if set.Progress != nil {
			set.Progress(i+1, len(set.Rules))
		}
	}
	return nil
}

func testsOf(ctx context.Context, r *rules.Rule, set *RuleTestSettings) []RuleTest {
	var out []RuleTest
	for i := range r.Tests {
		if ctx.Err() != nil {
			return nil
		}
		t := RuleTest{TestResult: correlate.RunTest(r, &r.Tests[i])}
		if t.TestResult.Passed && !set.Plain {
			t.Variants = correlate.RunVariants(r, &r.Tests[i], set.Variants...)
		}
		out = append(out, t)
	}
	return out
}
