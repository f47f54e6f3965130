package app_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Commands of a rule author ask the store of the service that runs, with the embedded engine as with a server.
func TestCommandsAboutRulesReadTheStoreBesideTheService(t *testing.T) {
	needEngine(t)
	o := newSmall(t, "")
	must(t, os.WriteFile(filepath.Join(o.dir, "shadow.yaml"), []byte(watching), 0o600))
	o.cfg.Rules.Paths = append(o.cfg.Rules.Paths, filepath.Join(o.dir, "shadow.yaml"))
	o.config = writeConfig(t, o.dir, o.cfg)
	o.svc = start(t, o.config, o.ahead)
	lines := refused(0, "user00", "user01", "twice", "twice")
	o.say("sshd", lines)
	o.heard("sshd", len(lines))
	o.incidents(2)

	core := func() *app.Core {
		c, err := app.NewCore(o.cfg)
		must(t, err)
		return c
	}
	var finding event.ID
	var at int64
	report, err := core().Backtest(t.Context(), o.cfg, app.BacktestSettings{Announce: func(f incident.Finding) {
		if f.Rule.ID == "t-0001" {
			finding, at = f.ID, f.Time
		}
	}})
	must(t, err)
	if report.Events != 4 || finding == (event.ID{}) {
		t.Fatalf("the backtest read %d events and found %v", report.Events, finding)
	}
	x, err := core().ExplainFinding(t.Context(), o.cfg, app.ExplainSettings{}, finding)
	must(t, err)
	if x.Finding.ID != finding {
		t.Errorf("explained is %v", x.Finding.ID)
	}
	near, err := core().Near(t.Context(), o.cfg, app.NearSettings{From: at - 3600_000_000, To: at + 3600_000_000})
	must(t, err)
	if !slices.ContainsFunc(near, func(e correlate.Explanation) bool { return e.Rule.ID == "t-0002" }) {
		t.Errorf("two of three refusals are not near: %+v", near)
	}
	b, err := core().Baseline(t.Context(), o.cfg, app.BaselineSettings{Entity: "user:twice"})
	must(t, err)
	if len(b.Memories) != 1 || b.Memories[0].Rule != "t-0004" {
		t.Errorf("remembered is %+v", b.Memories)
	}
	var shadow []app.ShadowRule // Findings are written after the log.
	eventually(t, func() bool {
		shadow, err = app.Shadow(t.Context(), o.cfg, at-3600_000_000, at+3600_000_000, nil)
		must(t, err)
		return len(shadow) == 1 && shadow[0].Rule == "t-0005"
	}, func() string { return fmt.Sprintf("found in shadow is %+v", shadow) })
	uses, err := app.Fields(t.Context(), o.cfg, core().Rules, app.FieldsSettings{From: at - 3600_000_000, To: at + 3600_000_000, Sample: 10})
	must(t, err)
	if len(uses) == 0 || uses[0].Events != 4 {
		t.Errorf("fields of %+v", uses)
	}
	if err := o.svc.interrupt(t); err != nil {
		t.Errorf("the service ended with %v\n%s", err, o.svc.log)
	}
}

// watching are a rule with a memory and a rule in shadow.
const watching = `id: t-0004
version: 1
title: Somebody comes from a new address
status: shadow
match:
  event:
    id: seen
    class: authentication.logon
    bind: {person: user}
    new: {value: src_endpoint.ip, per: [person], history: 30d, learn: 7d}
---
id: t-0005
version: 1
title: Somebody is refused, in shadow
status: shadow
match: {event: {id: refused, class: authentication.logon, where: status == "Failure", bind: {person: user}}}
`

func TestWhereNothingIsKeptNoEngineIsStartedToSaySo(t *testing.T) {
	cfg := app.DefaultConfig()
	cfg.Engine.Dir = filepath.Join(t.TempDir(), "engine")
	core, err := app.NewCore(cfg)
	must(t, err)
	_, err = core.Backtest(t.Context(), cfg, app.BacktestSettings{})
	if why := app.NoHistory(cfg); why == "" || err == nil || err.Error() != why {
		t.Errorf("a backtest says %v, want %q", err, why)
	}
	if _, err := os.Stat(cfg.Engine.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the engine's directory is there: %v", err)
	}
}

func TestWhatEndsAMemberIsSaid(t *testing.T) {
	broken := errors.New("broken")
	wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	quiet := func(ctx context.Context) error { <-ctx.Done(); return nil }
	fail := func(context.Context) error { return broken }
	ended, end := context.WithCancel(t.Context())
	end()
	for _, x := range []struct {
		name  string
		ctx   context.Context
		work  func(context.Context) error
		other func(context.Context) error
		want  error
	}{
		{"another fails, the work says that it was stopped", t.Context(), wait, fail, broken},
		{"another fails, the work says nothing", t.Context(), quiet, fail, broken},
		{"the work fails", t.Context(), fail, wait, broken},
		{"the work is done", t.Context(), func(context.Context) error { return nil }, wait, nil},
		{"somebody stopped it", ended, wait, quiet, context.Canceled},
		{"somebody stopped it, and another says so", ended, quiet, wait, nil},
	} {
		if got := app.Beside(x.ctx, x.work, x.other); !errors.Is(got, x.want) || (x.want == nil) != (got == nil) {
			t.Errorf("%s: %v, want %v", x.name, got, x.want)
		}
	}
}
