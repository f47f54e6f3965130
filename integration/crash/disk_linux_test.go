package crash_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tocsin-siem/tocsin/integration/broker"
)

func TestAFullDiskIsWaitedForAndNothingOfATopicIsLost(t *testing.T) {
	needEngine(t)
	b := broker.Start(t)
	o := newSite(t, b, "disk", "")
	disk := filepath.Join(o.dir, "disk")
	must(t, os.Mkdir(disk, 0o700))
	if err := syscall.Mount("tocsin-test", disk, "tmpfs", 0, "size=96m"); err != nil {
		t.Skipf("a small disk cannot be mounted (%v): only root can", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(disk, syscall.MNT_DETACH)) })
	o.cfg.Engine.Dir = filepath.Join(disk, "engine")
	o.source("doors", "openssh")
	b.CreateTopic(topic("disk", "doors"), 1, nil)
	o.start()
	t.Cleanup(func() { o.svc.kill() }) // Before the disk goes.
	client := franz(t, b)
	o.say(client, "doors", visitors(0, 20, 0)...)
	o.heard("doors")
	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	o.say(client, "doors", visitors(20, 40, 10)...)
	o.svc.bad(t, "store", "disk of the database is full; free space", "nothing is lost")
	must(t, os.Remove(ballast))
	o.svc.good(t, "store")
	o.heard("doors")
	o.svc.interrupt(t)
	if got := o.trace(); len(got.Events) != 40 || len(got.Groups) != 40 || len(got.Rejects) != 0 {
		t.Errorf("%d events, %d incidents and %d rejects of 40 visitors", len(got.Events), len(got.Groups), len(got.Rejects))
	}
}

// fill writes until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for block := 1 << 20; block > 0; block /= 4 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, block))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}
