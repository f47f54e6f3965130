package roles_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
)

// TestCostByRole reads the same records with 1, 2 and 4 ingest and correlate members and prints what each role pays for an event. It proves nothing
// and takes minutes: TOCSIN_COST says how many nights to read, such as 60.
func TestCostByRole(t *testing.T) {
	nights, err := strconv.Atoi(os.Getenv("TOCSIN_COST"))
	if err != nil || nights < 1 {
		t.Skip("a measurement: set TOCSIN_COST to a number of nights, such as 60")
	}
	p := manyNights(t, nights)
	size := 0
	for _, s := range p.streams {
		for _, l := range s.lines {
			size += len(l)
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%d records, %d bytes each on average\n", p.records(), size/p.records())
	fmt.Fprintf(&out, "%8s %10s %12s %10s %12s %10s %10s %10s\n", "members", "wall s", "records/s", "ingest µs", "correlate µs", "triage µs", "engine µs", "broker µs")
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("%d", n), func(t *testing.T) { out.WriteString(cost(t, p, n)) })
	}
	t.Logf("CPU time per record, by role\n%s", out.String())
}

// cost is a line of the table: n members of ingest and of correlate, n partitions of each source.
func cost(t *testing.T, p *plant, n int) string {
	s := newStage(t)
	r := s.newRun(t, fmt.Sprintf("cost%d", n), p)
	r.cfg.Ingest.Linger = app.DefaultConfig().Ingest.Linger
	r.cfg.Correlate.Checkpoint = app.DefaultConfig().Correlate.Checkpoint
	r.configure()
	s.makeTopics(r.name, p, n)
	for i := range p.streams {
		r.say(&p.streams[i], 0, len(p.streams[i].lines), n)
	}
	r.join(app.RoleTriage, 1)
	r.join(app.RoleCorrelate, n)
	engine, broker := s.engine.PID(), s.broker.PID()
	before := [2]time.Duration{used(engine), used(broker)}
	r.join(app.RoleIngest, n)
	began := time.Now()
	var at time.Duration
	r.until("the sources are read", func() string {
		late := r.behind(r.cfg.Kafka.Group, r.sources())
		at = time.Since(began)
		return late
	})
	r.settled()
	after := [2]time.Duration{used(engine), used(broker)}
	sum := map[app.Role]time.Duration{}
	for _, m := range r.members {
		m.leave()
		sum[m.role] += m.cmd.ProcessState.UserTime() + m.cmd.ProcessState.SystemTime() - m.start
	}
	per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(p.records()) }
	return fmt.Sprintf("%8d %10.1f %12.0f %10.2f %12.2f %10.2f %10.2f %10.2f\n", n, at.Seconds(), float64(p.records())/at.Seconds(),
		per(sum[app.RoleIngest]), per(sum[app.RoleCorrelate]), per(sum[app.RoleTriage]), per(after[0]-before[0]), per(after[1]-before[1]))
}

// manyNights is the scenario's night, again and again, each a day later and the last as it is.
func manyNights(t testing.TB, nights int) *plant {
	p := newPlant(t, 0, 4)
	for i := range p.streams {
		s := &p.streams[i]
		one := slices.DeleteFunc(s.lines, func(l []byte) bool { return bytes.HasPrefix(l, []byte(`{"broken"`)) })
		s.lines = nil
		for n := nights - 1; n >= 0; n-- {
			dates := strings.NewReplacer("2026-11-20", date(20-n), "2026-11-21", date(21-n))
			for _, l := range one {
				s.lines = append(s.lines, []byte(dates.Replace(string(l))))
			}
		}
	}
	return p
}

func date(day int) string { return time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC).Format("2006-01-02") }
