package expression

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// Nearest is the candidate most like name, for "did you mean"; "" if none is like it. The first of equals wins.
func Nearest(name string, candidates []string) string {
	best, limit := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c), limit); d < limit {
			best, limit = c, d
		}
	}
	return best
}

// NearestField is the path most like a wrong one; "" if none is like it. It also knows shortened paths: src.ip for src_endpoint.ip,
// command.sequence for robot_command.sequence.
func NearestField(path string) string {
	head, last := "", path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		head, last = path[:i], path[i+1:]
	}
	all := event.Fields()
	paths := make([]string, len(all))
	short := ""
	for i := range all {
		p := all[i].Path
		paths[i] = p
		same := p[strings.LastIndexByte(p, '.')+1:] == last
		if same && head != "" && (strings.HasPrefix(p, head) || strings.HasSuffix(p, path)) && (short == "" || len(p) < len(short)) {
			short = p
		}
	}
	if short != "" {
		return short
	}
	return Nearest(path, paths)
}

// distance is the number of letters to insert, remove, replace or swap with their neighbour to turn a into b, or limit if it is not less.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	var before, prev, cur [128]int
	if len(b) >= len(cur) {
		return limit
	}
	for j := range len(b) + 1 {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
			least = min(least, cur[j])
		}
		if least >= limit {
			return limit
		}
		before, prev = prev, cur
	}
	return min(prev[len(b)], limit)
}
