package app

import (
	"context"
	"fmt"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

// bindingClasses are the classes that enrichment learns bindings from.
var bindingClasses = []string{"authentication", "dhcp_activity", "inventory_info", "device_config_state_change", "network_activity"}

// relearnSpan is how far before the log's end bindings are learned again after a start; what is older came with the checkpoint. It is longer
// than the time between checkpoints and the usual lateness together.
const relearnSpan = 2 * 3600 * 1_000_000 // microseconds of event time

// relearn learns again what addresses were bound to, from the events the log has, so that the next event is enriched as if there had been no
// stop. Learning the same twice changes nothing.
func (c *Core) relearn(ctx context.Context, db *store.DB, tail incident.Tail) error {
	frontier, ok := event.Frontier(tail.Marks)
	if !ok || frontier == 0 {
		return nil
	}
	var batch []event.Event
	flush := func() {
		b := event.Batch{Events: batch}
		correlate.Sort(&b)
		c.Enricher.Enrich(&b)
		batch = batch[:0]
	}
	for e, err := range db.Events(ctx, store.EventFilter{From: frontier - relearnSpan, Classes: bindingClasses, Forward: true}) {
		if err != nil {
			return fmt.Errorf("learn bindings again: %w", err)
		}
		batch = append(batch, *e)
		if len(batch) == 4096 {
			flush()
		}
	}
	flush()
	return nil
}

// bindings is the learned state that belongs to a checkpoint.
func (x *Enricher) bindings() correlate.State { return x.enricher.Bindings() }
