package console

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestWhatDiffersTellsBothTextsAndNoMoreThanIsNeeded(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		text := func() string {
			lines := make([]string, 1+r.IntN(8))
			for i := range lines {
				lines[i] = string(rune('a' + r.IntN(4)))
			}
			return strings.Join(lines, "\n")
		}
		before, after := text(), text()
		var old, now []string
		for _, l := range between(strings.Split(before, "\n"), strings.Split(after, "\n")) {
			if l.Mark != "+" {
				old = append(old, l.Text)
			}
			if l.Mark != "-" {
				now = append(now, l.Text)
			}
		}
		if strings.Join(old, "\n") != before || strings.Join(now, "\n") != after {
			t.Fatalf("seed %d: %q and %q became %q and %q", seed, before, after, old, now)
		}
		if got := lineDiff(before, after); (got == nil) != (before == after) {
			t.Fatalf("seed %d: %q and %q differ in %v", seed, before, after, got)
		}
	}
}

func TestLikeLinesFarFromWhatDiffersAreLeftOut(t *testing.T) {
	lines := strings.Split(strings.Repeat("x\n", 40), "\n")
	before := strings.Join(lines, "\n")
	lines[20] = "y"
	var got strings.Builder
	for _, l := range lineDiff(before, strings.Join(lines, "\n")) {
		got.WriteString(l.Mark + l.Text + ";")
	}
	if want := "…; x; x; x;-x;+y; x; x; x;…;"; got.String() != want {
		t.Errorf("got %q, want %q", got.String(), want)
	}
}

func TestTextsTooLongToCompareAreGivenWhole(t *testing.T) {
	before, after := strings.Repeat("a\n", maxDiffLines+1)+"end", strings.Repeat("b\n", 3)+"end"
	if got := lineDiff(before, after); len(got) != maxDiffLines+1+3+1 {
		t.Errorf("got %d lines", len(got))
	}
}
