package correlate

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/rules"
)

// A checkpoint is a header (magic, version, length, XXH64 of what follows) and sections, each with its length: engine, stitcher, further state,
// the rules by which it was made (their hash, and the text they can be read from again), and the stages before this one, if there were any. What the
// log has after a checkpoint was folded by these rules, whatever the files say by the time of recovery.
const (
	checkpointMagic = "tocsin\x00\x03"
	checkpointHead  = len(checkpointMagic) + 16
)

// moment is what a checkpoint is made of, as it was between two batches. It has nothing in common with the state any more.
type moment struct {
	engine          *Packed
	stages          *stages // The last of which engine is; nil: there is one alone.
	stitched, state []byte
	rules           *rules.Set
}

func (w *Worker) moment(engine *Packed) (moment, error) {
	c := moment{engine: engine, rules: w.rules}
	if w.set.State != nil {
		c.state = w.set.State.AppendState(nil)
	}
	var err error
	c.stitched, err = w.set.Stitcher.Snapshot(nil)
	return c, err
}

// checkpoint puts together what was taken; text is what the rules can be read from again, nil if that is not kept.
func (c *moment) checkpoint(text func(*rules.Set) []byte) []byte {
	c.engine.finish()
	parts := []func([]byte) []byte{c.engine.AppendTo, bytesOf(c.stitched), bytesOf(c.state)}
	n := checkpointHead + c.engine.size() + len(c.stitched) + len(c.state)
	var rules []byte
	if text != nil {
		rules = append([]byte(c.rules.Hash+"\n"), text(c.rules)...)
		n += len(rules)
	}
	parts = append(parts, bytesOf(rules))
	if c.stages != nil {
		c.stages.press.Wait()
		parts = append(parts, c.stages.write)
		n += c.stages.size()
	}
	b := make([]byte, checkpointHead, n+8*len(parts))
	for _, part := range parts {
		b = section(b, part)
	}
	head, body := b[:checkpointHead], b[checkpointHead:]
	n = copy(head, checkpointMagic)
	binary.LittleEndian.PutUint64(head[n:], uint64(len(body)))
	binary.LittleEndian.PutUint64(head[n+8:], xxhash.Sum64(body))
	return b
}

func bytesOf(part []byte) func([]byte) []byte {
	return func(b []byte) []byte { return append(b, part...) }
}

// section appends what write appends, behind its length.
func section(b []byte, write func([]byte) []byte) []byte {
	at := len(b)
	b = write(append(b, make([]byte, 8)...))
	binary.LittleEndian.PutUint64(b[at:], uint64(len(b)-at-8))
	return b
}

// checkpointParts are the sections of a checkpoint; those that are not there are empty.
type checkpointParts struct{ engine, stitched, state, rules, stages []byte }

// splitCheckpoint takes a checkpoint apart; nil has empty parts.
func splitCheckpoint(b []byte) (out checkpointParts, err error) {
	if b == nil {
		return out, nil
	}
	if len(b) < checkpointHead || string(b[:len(checkpointMagic)]) != checkpointMagic {
		return out, errCheckpoint
	}
	body := b[checkpointHead:]
	if binary.LittleEndian.Uint64(b[checkpointHead-16:]) != uint64(len(body)) || binary.LittleEndian.Uint64(b[checkpointHead-8:]) != xxhash.Sum64(body) {
		return out, errCheckpoint
	}
	for _, to := range []*[]byte{&out.engine, &out.stitched, &out.state, &out.rules, &out.stages} {
		if len(body) < 8 {
			break
		}
		n := binary.LittleEndian.Uint64(body)
		if n > uint64(len(body)-8) {
			return out, errCheckpoint
		}
		*to, body = body[8:8+n], body[8+n:]
	}
	return out, nil
}

// readCheckpoint restores engine, stitcher and further state; one without bytes empties them. After an error they are in no state to be used, but may be
// restored again.
func (w *Worker) readCheckpoint(ctx context.Context, c incident.Checkpoint) error {
	parts, err := splitCheckpoint(c.Data)
	if err != nil {
		return err
	}
	w.whole = len(parts.rules) > 0
	w.rules = w.former(parts.rules)
	w.set.Engine.set = w.rules
	if err := w.set.Engine.resume(ctx, &parts, c.Batch, w.set.Log.Replay); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if len(parts.stitched) == 0 {
		parts.stitched = []byte("{}")
	}
	if err := w.set.Stitcher.Restore(parts.stitched); err != nil {
		return err
	}
	if w.set.State != nil && len(parts.state) > 0 {
		return w.set.State.ReadState(parts.state)
	}
	return nil
}

// former are the rules by which a checkpoint was made; those in force if they are the same, or cannot be read any more.
func (w *Worker) former(b []byte) *rules.Set {
	hash, text, ok := bytes.Cut(b, []byte("\n"))
	if !ok || w.set.RulesOf == nil || w.set.Rules == nil || string(hash) == w.force.Hash {
		return w.force
	}
	set, err := w.set.RulesOf(text)
	if err == nil && set.Hash != string(hash) {
		err = fmt.Errorf("its hash is %s now", set.Hash)
	}
	if err != nil {
		w.set.Slog.Warn("the rules of the checkpoint cannot be read any more: what they had not decided is not found again", "rules", string(hash), "err", err)
		return w.force
	}
	return set
}
