package console

import "strings"

// How much of two texts is compared line by line, and how many like lines stand around what differs.
const (
	maxDiffLines = 1500
	diffAround   = 3
)

// diffLine is a line of what differs: "+" is in the new text alone, "-" in the old one alone, " " in both, "…" stands for like lines left out.
type diffLine struct{ Mark, Text string }

// lineDiff tells what differs between two texts, line by line, with as few marked lines as can be; nil where nothing does. Where more than
// maxDiffLines lie between the first and the last difference, they are given as all gone and all new.
func lineDiff(before, after string) []diffLine {
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	if head == len(a) && head == len(b) {
		return nil
	}
	out := marked(" ", a[:head])
	out = append(out, between(a[head:len(a)-tail], b[head:len(b)-tail])...)
	out = append(out, marked(" ", a[len(a)-tail:])...)
	return nearby(out)
}

func marked(mark string, lines []string) []diffLine {
	out := make([]diffLine, len(lines))
	for i, l := range lines {
		out[i] = diffLine{mark, l}
	}
	return out
}

// between marks the lines of two texts by the longest run of lines that they have in common, in order.
func between(a, b []string) []diffLine {
	if len(a) > maxDiffLines || len(b) > maxDiffLines {
		return append(marked("-", a), marked("+", b)...)
	}
	common := make([][]int32, len(a)+1) // Of what is left from a line on.
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []diffLine
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			out = append(out, diffLine{" ", a[i]})
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			out = append(out, diffLine{"-", a[i]})
			i++
		default:
			out = append(out, diffLine{"+", b[j]})
			j++
		}
	}
	out = append(out, marked("-", a[i:])...)
	return append(out, marked("+", b[j:])...)
}

// nearby leaves out like lines that are further than diffAround from what differs.
func nearby(lines []diffLine) []diffLine {
	near := make([]bool, len(lines))
	for i, l := range lines {
		if l.Mark == " " {
			continue
		}
		for k := max(0, i-diffAround); k <= min(len(lines)-1, i+diffAround); k++ {
			near[k] = true
		}
	}
	var out []diffLine
	for i, l := range lines {
		switch {
		case near[i]:
			out = append(out, l)
		case i == 0 || near[i-1]:
			out = append(out, diffLine{Mark: "…"})
		}
	}
	return out
}
