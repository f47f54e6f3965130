package llm

import (
	"context"
	"time"
)

// SchemaOf is schemaOf for tests.
var SchemaOf = schemaOf

// Canary is the word of a pack that the model must not write.
func (p *Pack) Canary() string { return p.canary() }

// EventsOf are the events of a pack.
var EventsOf = (*Pack).eventsOf

// NoPause makes retries come at once and tells of the pauses.
func (m *Model) NoPause(told *[]time.Duration) {
	m.client.pause = func(ctx context.Context, d time.Duration) error {
		*told = append(*told, d)
		return ctx.Err()
	}
}

// Hurry makes the worker look again at once, for a clock that jumps.
func (w *Worker) Hurry() { w.doze = time.Millisecond }
