package store_test

import (
	"bytes"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/store"
)

func TestWhatHuntsLookForInTheCompactFormIsThere(t *testing.T) {
	n := 0
	for _, f := range event.Fields() {
		if !store.Written(&f) {
			continue
		}
		for _, text := range []string{"4.2", "Grün \"x\"", "10.20.7.7"} {
			var e event.Event
			f.Set(&e, event.Value{Str: text})
			if got := f.Str(&e); !bytes.Contains(event.Append(nil, &e), []byte(got)) {
				t.Errorf("%s is %q, which its event's compact form does not hold", f.Path, got)
			} else if got == text {
				n++
			}
		}
	}
	if n < 100 {
		t.Errorf("%d texts were looked for: that is not what fields are", n)
	}
}
