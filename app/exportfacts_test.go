package app

import (
	"context"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/board"
)

// Facts is what measures know of incidents beside the board.
type Facts struct{ *socFacts }

// NewFacts makes it without a service.
func NewFacts(db storedFacts, b *board.Board, now func() int64, waiting map[event.ID]bool, came func(triage.Stage)) Facts {
	return Facts{&socFacts{db: db, board: b, now: now, waiting: func() map[event.ID]bool { return waiting }, came: came, told: map[event.ID]int64{}, hours: map[event.ID][]triage.WorkHour{}}}
}

// Refresh asks the store once.
func (f Facts) Refresh(ctx context.Context) error { return f.refresh(ctx) }

// Measured is what measures see of cards.
func (f Facts) Measured(cards []*board.Card) []triage.Measured { return f.measured(cards) }
