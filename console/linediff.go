package console

import (
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// diffLine is a line of what differs: "+" is in the new text alone, "-" in the old one alone, " " in both, "…" stands for like lines left out.
type diffLine struct{ Mark, Text string }

// lineDiff tells what differs between two texts, line by line, with three like lines around it; nil where nothing does. It takes n log n time and
// holds on to lines that each text has once, so what is marked can be more than the least.
func lineDiff(before, after string) []diffLine {
	if before == after {
		return nil
	}
	unified := string(diff.Diff("", []byte(before+"\n"), "", []byte(after+"\n")))
	lines := strings.Split(strings.TrimSuffix(unified, "\n"), "\n")[3:] // Behind the names of the files.
	var out []diffLine
	end := 0 // How many lines of the old text the hunks so far reach over.
	for _, l := range lines {
		var from, count, to, more int
		if _, err := fmt.Sscanf(l, "@@ -%d,%d +%d,%d @@", &from, &count, &to, &more); err != nil {
			out = append(out, diffLine{l[:1], l[1:]})
			continue
		}
		if from > end+1 {
			out = append(out, diffLine{Mark: "…"})
		}
		end = from + count - 1
	}
	if end < strings.Count(before, "\n")+1 {
		out = append(out, diffLine{Mark: "…"})
	}
	return out
}
