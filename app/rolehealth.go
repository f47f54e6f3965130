package app

import (
	"fmt"
	"strings"
	"sync"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

// membership is how a role stands with its consumer group. It is safe for concurrent use.
type membership struct {
	mu      sync.Mutex
	group   string
	trouble string // What keeps us out of it; "": nothing does.
}

// of has the group's trouble told here.
func (m *membership) of(set kafka.GroupSettings) kafka.GroupSettings {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.group = set.Group
	set.Trouble = m.troubled
	return set
}

func (m *membership) troubled(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trouble = what
}

func (m *membership) check() console.Check {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.trouble != "" {
		return console.Check{Name: "kafka", Detail: "not in group " + m.group + ": " + m.trouble + "; nothing is lost: the records stay with the brokers"}
	}
	return console.Check{Name: "kafka", Good: true, Detail: "in group " + m.group}
}

// behind says how many records are there and not folded; "" for none.
func behind(next, end int64) string {
	if end <= next {
		return ""
	}
	return fmt.Sprintf(" (%d behind)", end-next)
}

// unread says why a topic between the roles cannot be read; "": it can.
func unread(trouble string) string {
	if trouble == "" {
		return ""
	}
	return "; it cannot be read: " + trouble + "; nothing is lost: it is tried again"
}

// roleChecks tells how correlating and triage go where they are roles of their own.
func (s *Service) roleChecks() []console.Check {
	var out []console.Check
	if s.bindings != nil {
		c := console.Check{Name: "bindings", Good: true}
		c.Detail = fmt.Sprintf("read to %d; %s of other members taken in", s.lessons.taken.Load(), Count(int(s.bindings.Taken()), "lesson"))
		if n := s.bindings.Refused(); n > 0 {
			c.Detail += fmt.Sprintf(", %d refused", n)
		}
		out = append(out, c)
	}
	if s.correlator != nil || s.triage != nil {
		out = append(out, s.member.check())
	}
	if s.correlator != nil {
		for _, p := range s.correlator.Status() {
			c := console.Check{Name: fmt.Sprintf("hits partition %d", p.Partition), Good: p.Lost == 0 && p.Damaged == 0 && p.Trouble == ""}
			c.Detail = fmt.Sprintf("folded to %d%s, %s sent", p.Next, behind(p.Next, p.End), Count(int(p.Announced), "announcement"))
			switch {
			case len(p.Missing) > 0:
				c.Detail += fmt.Sprintf("; event time waits for %s partition %d, which nobody has spoken for", p.Missing[0].Source, p.Missing[0].Partition)
			case p.Frontier != 0:
				c.Detail += "; event time " + stamp(p.Frontier) + " UTC"
			}
			if len(p.Behind) > 0 {
				c.Detail += fmt.Sprintf("; new rules wait for ingest members that match by others: %s", strings.Join(p.Behind, ", "))
			}
			if p.Lost > 0 || p.Damaged > 0 {
				c.Detail += fmt.Sprintf("; %d gone before they were read, %d damaged: rules there began without their past", p.Lost, p.Damaged)
			}
			c.Detail += unread(p.Trouble)
			out = append(out, c)
		}
		if len(s.correlator.Status()) == 0 {
			out = append(out, console.Check{Name: "hits", Good: true, Detail: "no partition is ours: others hold them, or the group is being divided"})
		}
	}
	if s.triage != nil {
		t := s.triage.Status()
		c := console.Check{Name: "triage", Good: t.Lost == 0 && t.Trouble == "", Detail: fmt.Sprintf("standing by, folded to %d%s", t.Next, behind(t.Next, t.End))}
		if t.Leader {
			c.Detail = fmt.Sprintf("leading, folded to %d%s, recorded to %d", t.Next, behind(t.Next, t.End), t.Recorded)
		}
		if t.Lost > 0 {
			c.Detail += fmt.Sprintf("; %d records were gone before they were read", t.Lost)
		}
		c.Detail += unread(t.Trouble)
		out = append(out, c)
	}
	return out
}
