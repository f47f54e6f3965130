package engine

import (
	"path/filepath"
	"runtime"
	"testing"
)

func TestTheDirectoryStaysLockedWhenTheCollectorRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engine.lock")
	s := &server{cfg: DefaultConfig(filepath.Dir(path))}
	if _, err := s.takeDir(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		runtime.GC()
	}
	if _, err := lockFile(t.Context(), path, 0); err == nil {
		t.Error("a second process got the lock")
	}
	runtime.KeepAlive(s)
}
