package load_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"
)

func TestEveryRecordIsAJSONObjectAndTheyAreAKilobyteInTheMean(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	var s stamps
	s.set(time.Date(2026, 11, 21, 10, 0, 0, 123_456_000, time.UTC))
	for kind, p := range patches {
		if kind < 3 && len(s[kind]) != len(p.standIn) {
			t.Errorf("%s stands for %q, which has another length", p.standIn, s[kind])
		}
	}
	bytes, shares := 0, 0
	for _, x := range streams {
		size := 0
		for i := range kept {
			line := newText(x.line(i, dice))
			told := line.tell(&s, int64(i), int64(i))
			if !json.Valid(told) {
				t.Fatalf("%s: not JSON: %s", x.name, told)
			}
			size += len(told)
		}
		t.Logf("%s: %d bytes in the mean", x.name, size/kept)
		bytes, shares = bytes+x.share*size/kept, shares+x.share
	}
	if mean := bytes / shares; mean < 950 || mean > 1050 {
		t.Errorf("the records have %d bytes in the mean", mean)
	}
	if name := probeIn(string(probe(7, time.UnixMicro(1234)))); name != "probe-7-1234" || probeTime(name) != 1234 {
		t.Errorf("a probe is called %s", name)
	}
}
