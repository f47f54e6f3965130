package console_test

import (
	"context"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// shownAs gives one incident as a test wants it.
type shownAs struct {
	console.Reader
	in incident.Incident
}

func (s *shownAs) Incident(context.Context, event.ID) (*incident.Incident, error) { return &s.in, nil }

func TestTheReachOfAnIncidentIsCountedInWords(t *testing.T) {
	p, in := compromised(t)
	set := p.settings()
	r := &shownAs{set.Reader, *in}
	set.Reader = r
	h := mustNew(t, set)
	many := strings.Split("robot:ra robot:rb robot:rc robot:rd robot:re robot:rf robot:rg robot:rh robot:ri robot:rj robot:rk", " ")
	for want, robots := range map[string][]string{
		"0 robots": nil, "1 robot: ra": many[:1], "2 robots: ra, rb": many[:2], "11 robots: ra, rb, rc, rd, re, rf, rg, rh and 3 more": many,
	} {
		r.in.Robots = robots
		if got := strings.Join(strings.Fields(readPage(t, get(h, "/incidents/"+id(in)).Body.String()).text), " "); !strings.Contains(got, want) {
			t.Errorf("%q is not on the page: %s", want, got)
		}
	}
}
