package event

import (
	"strings"
	"sync/atomic"
)

// commonTexts keep texts that many events have in common, such as the name of a format, once: whoever compares two of them sees at once that
// they lie at the same place. Of texts that would lie in the same slot the last one does.
type commonTexts [1 << 8]atomic.Pointer[string]

var common commonTexts

// of gives a text that is equal to s and does not share its memory.
func (c *commonTexts) of(s string) string {
	n := len(s)
	if n == 0 {
		return ""
	}
	slot := &c[(n*31+int(s[n-1])*7+int(s[n/2]))%len(c)]
	if kept := slot.Load(); kept != nil && *kept == s {
		return *kept
	}
	kept := strings.Clone(s)
	slot.Store(&kept)
	return kept
}
