package app

import "testing"

func TestTheHeapHasTheSameRoomWhateverLives(t *testing.T) {
	for live, want := range map[uint64]int{0: mostGrowth, 64 << 20: mostGrowth, 256 << 20: 200, 512 << 20: 100, 1024 << 20: 50, 8 << 30: leastGrowth} {
		if got := growth(live); got != want {
			t.Errorf("with %d MiB alive it may grow by %d %%, want %d", live>>20, got, want)
		}
	}
}
