package roles_test

import (
	"testing"

	"github.com/tocsin-siem/tocsin/app"
)

func TestRolesComeToWhatOneProcessComesTo(t *testing.T) {
	s := newStage(t)
	p := newPlant(t, 24, partitions)
	s.makeTopics("raw", p, partitions)

	one := s.newRun(t, "one", "raw", p, nil)
	one.join(app.RoleAll, 1)
	one.teach(p)
	for i := range p.streams {
		if x := &p.streams[i]; !x.teaches() {
			one.say(x, 0, len(x.lines), partitions)
		}
	}
	one.settled()
	one.leave()
	want := one.trace(t, true)
	t.Logf("one process: %d records, %s", p.records(), &want)
}
