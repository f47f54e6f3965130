package console

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestWhatDiffersLeadsFromOneTextToTheOther(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 2000 {
		text := func() string {
			lines := make([]string, 1+r.IntN(20))
			for i := range lines {
				lines[i] = []string{"", "a", "b", "@@ -1,2 +1,2 @@", "+++ c", "--- d"}[r.IntN(6)]
			}
			return strings.Join(lines, "\n")
		}
		before, after := text(), text()
		got := lineDiff(before, after)
		if (got == nil) != (before == after) {
			t.Fatalf("seed %d: %q and %q differ in %v", seed, before, after, got)
		}
		if got == nil {
			continue
		}
		// Every run of lines that was told stands in its text, and nothing of either text that is not told differs.
		left, right := told(got, "+"), told(got, "-")
		if !found(left, strings.Split(before, "\n")) || !found(right, strings.Split(after, "\n")) {
			t.Fatalf("seed %d: %q and %q became %v", seed, before, after, got)
		}
	}
}

// told are the runs of lines without those of a mark, split where like lines were left out.
func told(lines []diffLine, without string) [][]string {
	runs := [][]string{nil}
	for _, l := range lines {
		switch l.Mark {
		case without:
		case "…":
			runs = append(runs, nil)
		default:
			runs[len(runs)-1] = append(runs[len(runs)-1], l.Text)
		}
	}
	return runs
}

// found reports whether the runs stand in the text one after the other, the first at its beginning and the last at its end.
func found(runs [][]string, text []string) bool {
	for i, run := range runs {
		at := 0
		for at+len(run) <= len(text) && !slices.Equal(text[at:at+len(run)], run) {
			at++
		}
		if last := i == len(runs)-1; at+len(run) > len(text) || i == 0 && len(run) > 0 && !slices.Equal(text[:len(run)], run) || last && !slices.Equal(text[len(text)-len(run):], run) {
			return false
		}
		text = text[at+len(run):]
	}
	return true
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
