package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tocsin-siem/tocsin/app"
)

// TestChangedRuleFilesAreTakenOverUnderLoadWithoutLosingAWindow changes the rules of a running service while records come: a set with an error
// is refused whole and said so, a window that was open goes on in the next version, and nobody is told twice.
func TestChangedRuleFilesAreTakenOverUnderLoadWithoutLosingAWindow(t *testing.T) {
	needEngine(t)
	o := newSmall(t, "")
	o.svc = start(t, o.config, o.ahead)
	rules := filepath.Join(o.dir, "rules.yaml")
	o.say("sshd", refused(0, "twice", "user01", "twice"))
	o.incidents(1)

	must(t, os.WriteFile(rules, []byte(strings.Replace(smallRules, "at_least: 3", "at_leest: 3", 1)), 0o600))
	eventually(t, func() bool {
		c := health(t, o.svc.url)["rules"]
		return !c.Good && strings.Contains(c.Detail, "R003") && strings.Contains(c.Detail, "rules.yaml:29:")
	}, func() string {
		return "the health page tells of the refused file: " + health(t, o.svc.url)["rules"].Detail
	})
	o.say("sshd", refused(3, "user02"))
	o.incidents(2)

	must(t, os.WriteFile(rules, []byte(strings.ReplaceAll(smallRules, "version: 1", "version: 2")), 0o600))
	must(t, o.svc.cmd.Process.Signal(syscall.SIGHUP))
	o.say("sshd", refused(4, users(3, 12)...))
	eventually(t, func() bool { return strings.Contains(o.svc.log.String(), "rules swapped") }, func() string { return "the rules are swapped\n" + o.svc.log.String() })
	o.say("sshd", refused(20, append(users(12, 20), "twice")...))
	q := o.incidents(20) // user01 to user19, and twice.
	for who, x := range q {
		if x.Findings != 1 {
			t.Errorf("%s has %d findings, want one", who, x.Findings)
		}
	}
	if c := health(t, o.svc.url)["rules"]; !c.Good {
		t.Errorf("after the mended file the health page says %q", c.Detail)
	}
	if err := o.svc.interrupt(t); err != nil {
		t.Errorf("the service ended with %v\n%s", err, o.svc.log)
	}
	db, err := app.OpenDatabase(t.Context(), o.cfg, discard, nil, nil)
	must(t, err)
	defer func() { must(t, db.Close()) }()
	if n := count(t, db.DB, "SELECT uniqExact(id) FROM findings"); n != 20 {
		t.Errorf("%d findings, want 20", n)
	}
	if n := count(t, db.DB, "SELECT count() FROM (SELECT id, argMax(state, revision) AS last FROM findings GROUP BY id) WHERE last = 'withdrawn'"); n != 0 {
		t.Errorf("%d findings were withdrawn", n)
	}
	if n := count(t, db.DB, "SELECT uniqExact(id) FROM findings WHERE rule = 't-0002' AND version = 2"); n != 1 {
		t.Errorf("%d findings of the new version over the window of the old one, want 1", n)
	}
}
