package ingest

import (
	"math/rand/v2"
	"testing"
)

// plainEnd is valueEnd byte by byte.
func plainEnd(data []byte) int {
	depth, inString := 0, false
	arrays := uint64(0)
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
			if c == '\n' {
				return i
			}
		case c == '{' || c == '[':
			if c == '{' && depth > 0 && !opens(data[:i], depth <= 64 && arrays>>(depth-1)&1 == 0) {
				for n := i - 1; n > 0; n-- {
					if data[n] == '\n' {
						return n
					}
				}
			}
			if depth++; depth <= 64 {
				arrays &^= 1 << (depth - 1)
				if c == '[' {
					arrays |= 1 << (depth - 1)
				}
			}
		case c == '}' || c == ']':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

func TestAnObjectEndsWhereReadingItByteByByteEnds(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 4))
	pieces := []string{`{`, `}`, `[`, `]`, `"`, `\`, "\n", `,`, `:`, `a`, `bcdefghijklmnop`, `"name"`, `"a long text with \" and \\ in it"`, "\x80\xff", `1.5`, ` `, `"x":`, `{"k":"v"}`}
	for range 200_000 {
		data := []byte(`{`)
		for range dice.IntN(24) {
			data = append(data, pieces[dice.IntN(len(pieces))]...)
		}
		if got, want := valueEnd(data), plainEnd(data); got != want {
			t.Fatalf("%q ends at %d, want %d", data, got, want)
		}
	}
}
