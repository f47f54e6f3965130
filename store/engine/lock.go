package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// lockPoll is how often a waiting process tries again.
const lockPoll = 50 * time.Millisecond

// holder is what the lock file says about the process that has it.
type holder struct {
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
}

func (h holder) String() string {
	if h.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d since %s", h.PID, h.Since.Format(time.RFC3339))
}

// lockFile takes the lock on path, waiting up to wait for another process to let go of it. The lock ends when the
// returned file is closed or the process ends. A lock still held is a *lockedError.
func lockFile(ctx context.Context, path string, wait time.Duration) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(wait)
	for {
		ok, err := tryLock(f)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if ok {
			return f, writeHolder(f)
		}
		if time.Now().After(deadline) {
			locked := &lockedError{holder: readHolder(f)}
			f.Close()
			return nil, locked
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

type lockedError struct{ holder holder }

func (e *lockedError) Error() string { return "in use by " + e.holder.String() }

// writeHolder is for people: a failure to write it, on a full disk say, must not stop the engine from starting.
func writeHolder(f *os.File) error {
	text, err := json.Marshal(holder{PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt(append(text, '\n'), 0)
	}
	return nil
}

func readHolder(f *os.File) holder {
	var h holder
	text, err := io.ReadAll(io.LimitReader(io.NewSectionReader(f, 0, 1<<10), 1<<10))
	if err != nil || json.Unmarshal(text, &h) != nil {
		return holder{}
	}
	return h
}
