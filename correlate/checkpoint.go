package correlate

import (
	"encoding/binary"
	"fmt"
	"hash/crc64"
)

// A checkpoint is a header (magic, version, length, checksum of what follows) and three sections, each with its length: engine, stitcher and
// further state. The rule set's hash stands with the engine, so that state of other rules is not taken for ours.
const checkpointMagic = "tocsin\x00\x01"

var crcTable = crc64.MakeTable(crc64.ECMA)

func (w *Worker) appendCheckpoint(b []byte) ([]byte, error) {
	b = append(b, checkpointMagic...)
	b = append(b, make([]byte, 16)...) // length and checksum
	body := len(b)
	b = section(b, w.set.Engine.Snapshot)
	stitched, err := w.set.Stitcher.Snapshot(nil)
	if err != nil {
		return nil, err
	}
	b = section(b, func(b []byte) []byte { return append(b, stitched...) })
	if w.set.State != nil {
		b = section(b, w.set.State.AppendState)
	}
	binary.LittleEndian.PutUint64(b[body-16:], uint64(len(b)-body))
	binary.LittleEndian.PutUint64(b[body-8:], crc64.Checksum(b[body:], crcTable))
	return b, nil
}

// section appends what write appends, behind its length.
func section(b []byte, write func([]byte) []byte) []byte {
	at := len(b)
	b = write(append(b, make([]byte, 8)...))
	binary.LittleEndian.PutUint64(b[at:], uint64(len(b)-at-8))
	return b
}

// EngineState is the part of a checkpoint's bytes that Engine.Restore takes; nil for no checkpoint.
func EngineState(b []byte) ([]byte, error) {
	engine, _, _, err := splitCheckpoint(b)
	return engine, err
}

// splitCheckpoint takes a checkpoint apart; nil has empty parts.
func splitCheckpoint(b []byte) (engine, stitched, state []byte, err error) {
	if b == nil {
		return nil, nil, nil, nil
	}
	head := len(checkpointMagic) + 16
	if len(b) < head || string(b[:len(checkpointMagic)]) != checkpointMagic {
		return nil, nil, nil, errCheckpoint
	}
	body := b[head:]
	if binary.LittleEndian.Uint64(b[head-16:]) != uint64(len(body)) || binary.LittleEndian.Uint64(b[head-8:]) != crc64.Checksum(body, crcTable) {
		return nil, nil, nil, errCheckpoint
	}
	for _, to := range []*[]byte{&engine, &stitched, &state} {
		if len(body) < 8 {
			break
		}
		n := binary.LittleEndian.Uint64(body)
		if n > uint64(len(body)-8) {
			return nil, nil, nil, errCheckpoint
		}
		*to, body = body[8:8+n], body[8+n:]
	}
	return engine, stitched, state, nil
}

// readCheckpoint restores engine, stitcher and further state; nil empties them. After an error they are in no state to be used, but may be
// restored again.
func (w *Worker) readCheckpoint(b []byte) error {
	engine, stitched, state, err := splitCheckpoint(b)
	if err != nil {
		return err
	}
	if err := w.set.Engine.Restore(engine); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if len(stitched) == 0 {
		stitched = []byte("{}")
	}
	if err := w.set.Stitcher.Restore(stitched); err != nil {
		return err
	}
	if w.set.State != nil && len(state) > 0 {
		return w.set.State.ReadState(state)
	}
	return nil
}
