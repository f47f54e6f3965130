package expression_test

import (
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/expression"
)

func BenchmarkCanon(b *testing.B) {
	for _, s := range []string{`C:\Windows\System32\svchost.exe`, strings.Repeat(`C:\Program Files\Google\Chrome\`, 8)} {
		b.Run("", func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			var buf []byte
			for b.Loop() {
				buf = expression.Canon(buf[:0], s)
			}
		})
	}
}
