package app_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
)

func TestCtrlCStopsCleanlyAndTheNextStartIsQuick(t *testing.T) {
	needEngine(t)
	o := newSmall(t, "")
	o.cfg.Correlate.Checkpoint = time.Hour // Only the last one counts.
	o.config = writeConfig(t, o.dir, o.cfg)
	o.svc = start(t, o.config, o.ahead)
	lines := refused(0, users(0, 20)...)
	o.say("sshd", lines)
	o.heard("sshd", len(lines))
	stream, err := http.Get(o.svc.url + "/api/v1/stream") // A client that never leaves holds nothing up: the child's grace is longer than our patience.
	must(t, err)
	defer stream.Body.Close()
	pid := o.svc.engine(t)
	if err := o.svc.interrupt(t); err != nil {
		t.Errorf("Ctrl-C ended the service with %v, want exit code 0\n%s", err, o.svc.log)
	}
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("the engine outlives the service")
	}
	o.svc = start(t, o.config, o.ahead)
	eventually(t, func() bool { return strings.Contains(o.svc.log.String(), "msg=recovered") }, func() string { return "the log tells of the recovery" })
	if !strings.Contains(o.svc.log.String(), "batches_folded=0 ") {
		t.Errorf("the next start folds batches again: the last checkpoint is missing\n%s", o.svc.log)
	}
	if q := o.queue(); len(q) != 20 {
		t.Errorf("%d incidents after the restart, want 20", len(q))
	}
	o.say("sshd", refused(20, "user20"))
	o.incidents(21)
	o.svc.kill() // And once more without a checkpoint after it.
	o.svc = start(t, o.config, o.ahead)
	o.incidents(21)
}

// Somebody stops the service while ClickHouse is away, and ClickHouse comes back before the service has gone: the batch that could not be
// written must not be in a checkpoint.
func TestCtrlCWhileClickHouseIsDownLosesNothing(t *testing.T) {
	needEngine(t)
	o := newSmall(t, "")
	stop, again := o.outside()
	o.svc = start(t, o.config, o.ahead)
	lines := refused(0, "user00", "twice")
	o.say("sshd", lines)
	o.heard("sshd", len(lines))
	stop()
	o.say("sshd", refused(2, "user01", "twice"))
	eventually(t, func() bool { c := health(t, o.svc.url)["store"]; return c.Name != "" && !c.Good }, func() string { return "the store is down" })
	must(t, o.svc.cmd.Process.Signal(os.Interrupt))
	again()
	select {
	case <-o.svc.done:
	case <-time.After(patience):
		t.Fatalf("the service does not stop\n%s", o.svc.log)
	}
	if o.svc.err != nil {
		t.Errorf("Ctrl-C ended the service with %v, want exit code 0\n%s", o.svc.err, o.svc.log)
	}
	o.svc = start(t, o.config, o.ahead)
	o.incidents(2)
	o.say("sshd", refused(4, "twice"))
	q := o.incidents(3)
	if q["twice"].Findings != 1 {
		t.Errorf("three refusals gave %+v", q["twice"])
	}
	must(t, o.svc.interrupt(t))
	if got := o.trace(); len(got.Events) != 5 {
		t.Errorf("%d events, want 5", len(got.Events))
	}
}

// A message split over several records is put together although the service dies between them, also where other records came in between.
func TestAMessageWhoseRestComesAfterAKillIsPutTogether(t *testing.T) {
	needEngine(t)
	data, err := os.ReadFile(filepath.Join("..", "testdata", "formats", "cisco_ise", "segments.in"))
	must(t, err)
	var parts [][]byte
	for line := range bytes.Lines(data) {
		parts = append(parts, line)
	}
	o := newSmall(t, "")
	o.cfg.Sources = append(o.cfg.Sources, app.SourceConfig{Name: "ise", Format: "cisco_ise", File: filepath.Join(o.dir, "ise.log")})
	o.config = writeConfig(t, o.dir, o.cfg)
	o.say("ise", nil)
	o.svc = start(t, o.config, o.ahead)
	said := 0
	for _, p := range parts {
		o.say("ise", p)
		said += len(p)
		o.heard("ise", said)
		o.svc.kill()
		o.svc = start(t, o.config, o.ahead)
	}
	must(t, o.svc.interrupt(t))
	whole := o.trace()

	calm := newSmall(t, "")
	calm.cfg.Sources = append(calm.cfg.Sources, app.SourceConfig{Name: "ise", Format: "cisco_ise", File: filepath.Join(calm.dir, "ise.log")})
	calm.config = writeConfig(t, calm.dir, calm.cfg)
	calm.say("ise", data)
	calm.svc = start(t, calm.config, calm.ahead)
	calm.heard("ise", len(data))
	must(t, calm.svc.interrupt(t))
	want := calm.trace()
	if len(want.Events) == 0 || len(parts) < 2 {
		t.Fatalf("the test is void: %d events of %d records", len(want.Events), len(parts))
	}
	differences(t, "event", want.Events, whole.Events)
	differences(t, "reject", want.Rejects, whole.Rejects)
}
