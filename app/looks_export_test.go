package app

import (
	"context"
	"log/slog"

	"github.com/tocsin-siem/tocsin/incident"
)

// Looks is looks, with what the service does to it.
type Looks struct{ *looks }

// NewLooks is newLooks.
func NewLooks(begin func(incident.Action) func(context.Context) error, docs docKeeper) Looks {
	return Looks{newLooks(begin, docs, slog.New(slog.DiscardHandler))}
}

// Resume is what a start does.
func (l Looks) Resume(ctx context.Context) error { return l.resume(ctx) }

// Finish is what a stop does.
func (l Looks) Finish(ctx context.Context) error { return l.finish(ctx) }
