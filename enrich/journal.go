package enrich

import "fmt"

// journalVersion is the first byte of a batch's journal.
const journalVersion = 1

// Learned is what the last batch observed, in order, for the log: Relearn makes of it the same state again, whatever the tables say by then.
// It is empty if nothing was observed, and valid until the next batch.
func (b *Bindings) Learned() []byte { return b.journal }

// note adds one observation to the journal of the batch.
func (b *Bindings) note(r Relation, identifier string, x *interval) {
	if len(b.journal) == 0 {
		b.journal = append(b.journal, journalVersion)
	}
	y := *x
	y.told = 0
	b.journal = appendInterval(appendString(append(b.journal, byte(r)), identifier), &y)
}

// Relearn observes again what a batch had observed. After an error, which wraps ErrState, the observations before the damage have been made.
func (b *Bindings) Relearn(journal []byte) error {
	if len(journal) == 0 {
		return nil
	}
	if journal[0] != journalVersion {
		return fmt.Errorf("%w: a journal of version %d, not %d", ErrState, journal[0], journalVersion)
	}
	r := stateReader{b: journal[1:]}
	for len(r.b) > 0 && !r.bad {
		relation, id := Relation(r.byte()), r.string()
		x := r.interval()
		if r.bad || relation < IPToMAC || relation > DeviceToUser {
			return fmt.Errorf("%w: journal at byte %d of %d", ErrState, len(journal)-len(r.b), len(journal))
		}
		b.observe(relation, id, x)
	}
	b.finish()
	b.journal = b.journal[:0]
	return nil
}

// begin starts a batch's journal.
func (b *Bindings) begin() { b.journal = b.journal[:0] }
