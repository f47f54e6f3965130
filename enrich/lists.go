package enrich

import (
	"bytes"
	"strings"

	"github.com/gaissmai/bart"
)

// valueSet is one list: exact strings compared without case, domain suffixes (*.vendor.example) and networks.
type valueSet struct {
	exact    map[string]struct{}
	lengths  uint64              // Of exact, as bits; the last one is for all from 63 on.
	suffixes map[string]struct{} // With the leading dot.
	ends     [256]bool           // The last bytes of suffixes: no address ends as a domain does.
	networks *bart.Lite          // nil if the list has none.
}

func newSet() *valueSet {
	return &valueSet{exact: map[string]struct{}{}, suffixes: map[string]struct{}{}}
}

// listLines splits a list file; a value may be followed by " #" and a remark.
func listLines(data []byte, add func(line int, value string)) {
	n := 0
	for raw := range bytes.Lines(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))) {
		n++
		line, _, _ := strings.Cut(string(raw), " #")
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			add(n, line)
		}
	}
}

func (s *valueSet) add(value string) fault {
	if len(value) > maxCellBytes {
		return fault{"entry is longer than 4 KB", "write one value per line"}
	}
	v := key(value)
	if suffix, ok := strings.CutPrefix(v, "*."); ok {
		if suffix == "" || strings.Contains(suffix, "*") {
			return fault{quote(value) + " is not a domain pattern", "only a leading *. is understood, such as *.vendor.example"}
		}
		s.suffixes["."+suffix] = struct{}{}
		s.ends[suffix[len(suffix)-1]] = true
		return fault{}
	}
	if strings.Contains(v, "*") {
		return fault{quote(value) + " has a * inside", "only a leading *. is understood, such as *.vendor.example"}
	}
	if p, ok := parseNetwork(v); ok {
		if p != p.Masked() {
			return fault{quote(value) + " has address bits beyond its length", "did you mean " + p.Masked().String() + "?"}
		}
		if s.networks == nil {
			s.networks = new(bart.Lite)
		}
		s.networks.Insert(p)
		return fault{}
	}
	s.exact[v] = struct{}{}
	s.lengths |= lengthBit(v)
	return fault{}
}

func lengthBit(v string) uint64 { return 1 << min(len(v), 63) }

func (s *valueSet) has(value string) bool {
	v := lower(value)
	if s.lengths&lengthBit(v) != 0 {
		if _, ok := s.exact[v]; ok {
			return true
		}
	}
	if s.networks != nil {
		if a := parseIP(v); a.IsValid() && s.networks.Contains(a.WithZone("")) {
			return true
		}
	}
	v = strings.TrimSuffix(v, ".")
	if v == "" || !s.ends[v[len(v)-1]] {
		return false
	}
	for i := range len(v) {
		if v[i] != '.' {
			continue
		}
		if _, ok := s.suffixes[v[i:]]; ok {
			return true
		}
	}
	return false
}

// lower is strings.ToLower without a scan for the usual case of nothing to change.
func lower(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' || c >= 0x80 {
			return strings.ToLower(s)
		}
	}
	return s
}
