package app

import "github.com/tocsin-siem/tocsin/ingest/format"

// EmittedClasses are the classes that the formats can emit, as rules write them.
func EmittedClasses() []string {
	seen := map[string]bool{}
	var out []string
	for _, f := range format.All() {
		for _, c := range f.Classes {
			if !seen[c] {
				seen[c] = true
				out = append(out, c)
			}
		}
	}
	return out
}
