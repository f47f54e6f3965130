package relay_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/relay"
)

// If this fails, state and hits part company in every running installation: the routing must never change.
func TestPartitionsNeverChangeBetweenBuilds(t *testing.T) {
	for _, tc := range []struct {
		rule, key string
		want      [4]int32 // Of 1, 7, 64 and 1000 partitions.
	}{
		{"rb-0001", "", [4]int32{0, 0, 24, 936}},
		{"rb-0003", "robot:ur-17", [4]int32{0, 1, 22, 774}},
		{"rb-0003", "robot:ur-17\x1fuser:ana.silva", [4]int32{0, 3, 34, 466}},
		{"ot-0012", "ip:10.0.0.9", [4]int32{0, 3, 11, 643}},
		{"", "robot:ur-17", [4]int32{0, 5, 29, 973}}, // An observation.
	} {
		var got [4]int32
		for i, n := range []int32{1, 7, 64, 1000} {
			got[i] = relay.HitPartition(&event.Hit{Rule: tc.rule, Key: tc.key}, n)
			if tc.rule == "" {
				got[i] = relay.NotePartition(&event.Note{Entity: tc.key}, n)
			}
		}
		if got != tc.want {
			t.Errorf("%s %q goes to %v, and went to %v", tc.rule, tc.key, got, tc.want)
		}
	}
}

func TestKeysAreSpreadEvenly(t *testing.T) {
	for _, n := range []int32{3, 16, 64} {
		hits, notes := make([]int, n), make([]int, n)
		for i := range 64_000 {
			hits[relay.HitPartition(&event.Hit{Rule: "rb-0003", Key: fmt.Sprint("robot:ur-", i)}, n)]++
			notes[relay.NotePartition(&event.Note{Entity: fmt.Sprint("robot:ur-", i)}, n)]++
		}
		for _, counts := range [][]int{hits, notes} {
			mean := 64_000 / int(n)
			if low, high := slices.Min(counts), slices.Max(counts); low < mean*4/5 || high > mean*6/5 {
				t.Errorf("of %d partitions one got %d and another %d of 64,000 keys", n, low, high)
			}
		}
	}
}

func TestTheRuleAndItsKeyAreNotRunTogether(t *testing.T) {
	same := 0
	for i := range 200 {
		a := relay.HitPartition(&event.Hit{Rule: fmt.Sprint("r", i), Key: "xy"}, 1<<30)
		b := relay.HitPartition(&event.Hit{Rule: fmt.Sprint("r", i, "x"), Key: "y"}, 1<<30)
		if a == b {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d pairs of rule and key go to the same of a thousand million partitions", same)
	}
}
