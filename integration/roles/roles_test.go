package roles_test

import (
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/app"
)

// copies is how often the attack and the malfunction are told beside the scenario's own.
const copies = 24

func TestRolesComeToWhatOneProcessComesTo(t *testing.T) {
	s := newStage(t)
	p := newPlant(t, copies, partitions)
	want := s.alone(t, p)
	for _, run := range []struct {
		name string
		do   func(t *testing.T, r *run, p *plant)
		once bool // Each delivery comes once: nobody is killed.
	}{
		{"calm", calm, true},
		{"killed", killed, false},
		{"storm", storm, false},
	} {
		t.Run(run.name, func(t *testing.T) {
			s.makeTopics(run.name, p, partitions)
			r := s.newRun(t, run.name, p)
			run.do(t, r, p)
			r.leave()
			got := r.trace(t, run.once)
			got.equals(t, &want)
			if r.touched != "" && (len(got.Touched) != 1 || !strings.Contains(got.Touched[r.touched], "looked at it")) {
				t.Errorf("an analyst acted on %s; incidents with traces of it: %v", r.touched, got.Touched)
			}
		})
	}
}

// alone is what one process comes to.
func (s *stage) alone(t *testing.T, p *plant) trace {
	t.Helper()
	s.makeTopics("one", p, partitions)
	r := s.newRun(t, "one", p)
	r.join(app.RoleAll, 1)
	r.teach(p)
	r.sayAll(p)
	r.settled()
	r.leave()
	out := r.trace(t, true)
	t.Logf("1 process, role all, over %d records: %s", p.records(), &out)
	if len(out.Findings) < 300 || len(out.Groups) < 40 || len(out.Rejects) < 50 || len(out.Told) != len(out.Groups) {
		t.Fatal("the test is void")
	}
	return out
}

// crew starts three ingest, two correlate and two triage members.
func (r *run) crew() {
	r.t.Helper()
	triage := r.join(app.RoleTriage, 2)
	correlate := r.join(app.RoleCorrelate, 2)
	ingest := r.join(app.RoleIngest, 3)
	for _, m := range append(append(triage, correlate...), ingest...) {
		r.t.Logf("started %s, process %d", m.name, m.cmd.Process.Pid)
	}
}

// calm lets everybody work.
func calm(_ *testing.T, r *run, p *plant) {
	r.crew()
	r.teach(p)
	r.sayAll(p)
	r.settled()
}
