package store

import (
	"fmt"

	"github.com/tocsin-siem/tocsin/event"
)

// carryVersion is the first byte of a stored carry. A reader refuses versions it does not know.
const carryVersion = 1

// decodeHit fills h with what the payload of a row of the table hits holds beside its columns: variables, fields and the event. Programs before the
// table hit_blocks wrote such rows.
func decodeHit(b []byte, h *event.Hit) error {
	rest, err := event.ReadHitValues(b, h)
	if err != nil {
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
	h.Ref, err = decodeRef(rest)
	return err
}

// appendRef writes an event as kept for evidence.
func appendRef(b []byte, x *event.Ref) []byte { return event.AppendRef(b, x) }

// decodeRef reads one event as kept for evidence.
func decodeRef(b []byte) (*event.Ref, error) {
	x, rest, err := event.ReadRef(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCorrupt, err)
	}
	if len(rest) > 0 {
		return nil, errCorrupt
	}
	return x, nil
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}
