package app

import (
	"context"
	"time"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/board"
)

// socEvery is how often the measures of the SOC are told, and socSpan how far back they go.
const (
	socEvery = time.Minute
	socSpan  = 30 * 24 * time.Hour
)

// soc is the board as measures and handover read it.
type soc struct{ s *Service }

// Measured implements console.Measures.
func (x soc) Measured(since int64, sees func([]string) bool) []triage.Measured {
	var cards []*board.Card
	for _, c := range x.s.board.Cards() {
		if c.Opened >= since && sees(c.Measured.Sites) {
			cards = append(cards, c)
		}
	}
	return x.s.facts.measured(cards)
}

// newFacts makes what measures know beside the board.
func (s *Service) newFacts() *socFacts {
	f := &socFacts{db: s.db.DB, board: s.board, now: s.now, log: s.tel.Log.With("component", "measures"), told: map[event.ID]int64{}, hours: map[event.ID][]triage.WorkHour{}}
	if s.deliveries != nil {
		f.waiting = s.deliveries.outbox.Waiting
	}
	if s.metrics != nil && s.metrics.soc != nil {
		f.came = s.metrics.soc.came
	}
	return f
}

// handedOver are the changes that a handover tells of.
var handedOver = []incident.ChangeKind{
	incident.ChangeOpened, incident.ChangeEscalated, incident.ChangeReopened, incident.ChangeAcknowledged, incident.ChangeClosed, incident.ChangeMerged, incident.ChangeSplit,
}

// Happened implements console.Shift.
func (x soc) Happened(ctx context.Context, since int64, limit int) ([]incident.Change, error) {
	return x.s.db.Happened(ctx, since, handedOver, limit)
}

// Standing implements console.Shift.
func (x soc) Standing() []console.Standing {
	var out []console.Standing
	for _, c := range x.s.board.Cards() {
		if !working(c) {
			continue
		}
		out = append(out, console.Standing{
			ID: c.ID, Title: c.Title, Severity: c.Severity, Status: c.Status, Owner: c.Owner, Assignee: c.Assignee, Sites: c.Measured.Sites, Robots: c.Robots,
			Opened: c.Opened, Updated: c.Updated, Snoozed: c.Snoozed, Understood: c.Understood,
		})
	}
	return out
}

func working(c *board.Card) bool {
	return c.Status == incident.Open || c.Status == incident.Acknowledged
}

// tellSOC tells how the SOC stands, again and again.
func (s *Service) tellSOC(ctx context.Context) {
	tick := time.NewTicker(socEvery)
	defer tick.Stop()
	for {
		s.tellSOCNow()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Service) tellSOCNow() {
	now := s.now()
	everything := func([]string) bool { return true }
	var open []triage.Measured
	for _, c := range s.board.Cards() {
		if working(c) {
			open = append(open, c.Measured)
		}
	}
	s.metrics.soc.stands(soc{s}.Measured(now-socSpan.Microseconds(), everything), open, hushed{s}.Suppressions(), now)
}
