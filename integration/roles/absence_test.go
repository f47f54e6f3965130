package roles_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

// absenceRule asks for what has not come: of two sources, which different members may read.
const absenceRule = `id: t-absent
version: 1
title: A job is begun and not signed off
description: For tests.
severity: medium
match:
  event:
    id: begun
    class: authentication.logon
    where: status == "Success" and user.name startsWith "job"
    bind: {job: user}
  unless:
    - class: authentication.logon
      after: 10m
      where: status == "Failure" and user.name startsWith "job"
      bind: {job: user}
lateness: 1m
tests:
  - name: nobody signs it off
    events:
      - {at: 0m, class: authentication.logon, status: Success, user: {name: job1}}
    fires: [{at: 0m}]
  - name: it is signed off
    events:
      - {at: 0m, class: authentication.logon, status: Success, user: {name: job1}}
      - {at: 5m, class: authentication.logon, status: Failure, user: {name: job1}}
    fires: []
`

const (
	shift    = 240 // Jobs of one phase, ten seconds apart; every other is signed off five minutes later.
	absences = 4   // Partitions of both topics.
	due      = 66  // A job's absence is decided eleven minutes later: when the door has said that so many further jobs began.
)

// jobs are the sources: door says when a job begins, desk when it is signed off. Both tell the time of day in every partition.
func jobs(t testing.TB) *plant {
	door, desk := stream{name: "door", format: "openssh"}, stream{name: "desk", format: "openssh"}
	line := func(second int, format string, job int) []byte {
		at := time.Date(2026, 11, 21, 0, 0, second, 0, time.UTC).Format("2006-01-02T15:04:05.000000-07:00")
		return fmt.Appendf(nil, "<38>1 %s gate-%d.plant.example sshd 9 - - "+format+" from 10.10.9.9 port 4242 ssh2", at, job%7, job)
	}
	for i := range 4 * shift {
		door.lines = append(door.lines, line(10*i, "Accepted password for job%04d", i))
		what := "Failed password for job%04d"
		if i%2 != 0 {
			what = "Accepted publickey for svc%04d"
		}
		desk.lines = append(desk.lines, line(10*i+300, what, i))
	}
	return &plant{streams: []stream{door, desk}, assets: table(t, "plant/assets.csv"), people: table(t, "plant/identities.yaml")}
}

var jobName = regexp.MustCompile(`job(\d{4})`)

// Absence is decided when event time has passed the deadline everywhere: a member that lags, is stopped for longer than its session or dies holds
// event time back until another has read what it owed.
func TestAbsenceIsNotFoundBecauseAMemberLags(t *testing.T) {
	s := newStage(t)
	p := jobs(t)
	s.makeTopics("absence", p, absences)
	r := s.newRun(t, "absence", p)
	r.cfg.Rules.Paths = []string{r.file("rules.yaml", absenceRule)}
	r.cfg.Kafka.Session = 2 * session
	r.configure()
	r.join(app.RoleTriage, 1)
	r.join(app.RoleCorrelate, 1)
	ingest := r.join(app.RoleIngest, 2)
	db, err := app.OpenDatabase(t.Context(), r.cfg, discard, nil, nil)
	must(t, err)
	defer func() { must(t, db.Close()) }()

	at := 0
	say := func(to int) {
		r.say(&p.streams[0], at, to, absences)
		r.say(&p.streams[1], at, to, absences)
		at = to
	}
	// holds checks what is found: of the jobs whose deadline event time has passed, those that nobody signed off, and none of the others.
	holds := func(phase string) {
		t.Helper()
		found := unsigned(t, db.DB)
		last := slices.Max(append(found, -1))
		for _, job := range found {
			if job%2 == 0 {
				t.Errorf("%s: job %d was signed off, and its absence was found", phase, job)
			}
		}
		// Event time is that of the door's partition furthest behind, which is less than the number of partitions behind the last record; the desk is five
		// minutes ahead.
		want := 0
		for job := 1; job < at-absences-due; job += 2 {
			want++
		}
		if last >= at-due {
			t.Errorf("%s: the absence of job %d is found, and the door has said %d jobs", phase, last, at)
		}
		if len(found) < want {
			t.Errorf("%s: %d absences are found and there are %d at least", phase, len(found), want)
		}
		t.Logf("%s: %d jobs, %d absences found, the last of job %d; %d were to be found at least", phase, at, len(found), last, want)
	}

	say(shift)
	r.settled()
	holds("calm")

	lagging := ingest[0]
	lagging.suspend()
	stopped := time.Now()
	say(2 * shift)
	for time.Since(stopped) < session/2 { // The other reads on, and event time must not pass what the stopped one has read.
		last := slices.Max(append(unsigned(t, db.DB), -1))
		if time.Since(stopped) > session { // The store took its time: by now the group may have given the partitions to the other.
			break
		}
		if last >= shift-due {
			t.Fatalf("%v after a member was stopped the absence of job %d is found, and half of the partitions are read to job %d", time.Since(stopped), last, shift)
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("stopped %s for %v: event time stands", lagging.name, time.Since(stopped).Round(100*time.Millisecond))
	r.settled()
	t.Logf("its partitions are read by others %v after it was stopped", time.Since(stopped).Round(100*time.Millisecond))
	holds("one member stopped for longer than its session")

	lagging.resume()
	say(3 * shift)
	r.settled()
	holds("the stopped member goes on")

	ingest[1].kill()
	say(4 * shift)
	r.settled()
	holds("one member killed")
	r.leave()
}

// unsigned are the jobs whose absence was ever announced, in whatever state the finding is now.
func unsigned(t *testing.T, db *store.DB) (out []int) {
	t.Helper()
	for f, err := range db.Findings(t.Context(), store.FindingFilter{}) {
		must(t, err)
		var job int
		m := jobName.FindStringSubmatch(fmt.Sprint(f.Vars))
		if m == nil || f.State != incident.Final {
			t.Errorf("a finding of no job, or not final: %+v", f)
			continue
		}
		_, err := fmt.Sscanf(m[1], "%04d", &job)
		must(t, err)
		out = append(out, job)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
