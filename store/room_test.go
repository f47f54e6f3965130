package store

import (
	"testing"
	"time"
)

func TestThereIsRoomForDraftsAgainOnceThoseThatWaitAreTaken(t *testing.T) {
	d := newDelta()
	d.clock = time.AfterFunc(time.Hour, d.hurry)
	db := &DB{delta: d}
	kept := make(chan error, 1)
	go func() { kept <- db.keep(t.Context(), draft{records: 2 * deltaRows}) }()
	<-d.wake
	d.mu.Lock()   // Had once keep waits.
	d.mu.Unlock() //nolint:staticcheck // To have had it is all.
	select {
	case err := <-kept:
		t.Fatalf("twice as much waits as is moved at once, and appending goes on: %v", err)
	default:
	}
	if n := len(d.take()); n != 1 {
		t.Fatalf("%d drafts are taken, want 1", n)
	}
	if err := <-kept; err != nil {
		t.Error(err)
	}
}
