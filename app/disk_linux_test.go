package app_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAFullDiskIsReportedAndWaitedForAndNothingIsLost(t *testing.T) {
	needEngine(t)
	o := newSmall(t, "")
	disk := filepath.Join(o.dir, "disk")
	must(t, os.Mkdir(disk, 0o700))
	if err := syscall.Mount("tocsin-test", disk, "tmpfs", 0, "size=96m"); err != nil {
		t.Skipf("a small disk cannot be mounted (%v): only root can", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(disk, syscall.MNT_DETACH)) })
	o.cfg.Engine.Dir = filepath.Join(disk, "engine")
	o.config = writeConfig(t, o.dir, o.cfg)
	o.svc = start(t, o.config, o.ahead)
	t.Cleanup(o.svc.kill) // Before the disk goes.
	first := refused(0, users(0, 5)...)
	o.say("sshd", first)
	o.heard("sshd", len(first))

	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	second := refused(5, users(5, 10)...)
	o.say("sshd", second)
	eventually(t, func() bool {
		c := health(t, o.svc.url)["store"]
		return !c.Good && strings.Contains(c.Detail, "disk of the database is full; free space") && strings.Contains(c.Detail, "nothing is lost")
	}, func() string {
		return "the health page says that the disk is full, what to do and that nothing is lost: " + health(t, o.svc.url)["store"].Detail
	})
	must(t, os.Remove(ballast))
	o.heard("sshd", len(first)+len(second))
	o.incidents(10)
	if err := o.svc.interrupt(t); err != nil {
		t.Errorf("the service ended with %v\n%s", err, o.svc.log)
	}
	if got := o.trace(); len(got.Events) != 10 || len(got.Groups) != 10 {
		t.Errorf("%d events and %d incidents, want 10", len(got.Events), len(got.Groups))
	}
}

// fill writes until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer func() { _ = f.Close() }()
	for block := 1 << 20; block > 0; block /= 4 {
		for {
			if _, err = f.Write(make([]byte, block)); err != nil {
				break
			}
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}
