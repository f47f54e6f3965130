package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Whoever uses the engine of another process may have to wait for what that one does now and then. A request to the child becomes a line on its
// standard output, which its parent reads.

// hurryPath is where the child takes such requests.
const hurryPath = "/hurry"

// Hurry asks the process that started an engine not to let others wait. It returns at once; there is no answer but what that process then does.
func Hurry(ctx context.Context, addr, token string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+hurryPath, nil)
	if err != nil {
		return err
	}
	r.SetBasicAuth(User, token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the process that started the engine to hurry: %s", answer.Status)
	}
	return nil
}

// bell writes the lines.
type bell struct{ rung chan struct{} } // Capacity 1: a parent that does not read is told once.

func newBell(to io.Writer) *bell {
	b := &bell{make(chan struct{}, 1)}
	go func() {
		for range b.rung {
			_, _ = io.WriteString(to, "{\"asked\":true}\n")
		}
	}()
	return b
}

func (s *server) serveHurry(w http.ResponseWriter, r *http.Request) {
	switch {
	case !s.authorized(r):
		w.WriteHeader(http.StatusForbidden)
	case s.asked == nil:
		http.NotFound(w, r)
	default:
		select {
		case s.asked.rung <- struct{}{}:
		default:
		}
	}
}

// hear reads the child's lines after the first, until it ends.
func (c Config) hear(out *bufio.Reader) {
	for {
		if _, err := out.ReadSlice('\n'); err == nil {
			if c.Asked != nil {
				c.Asked()
			}
		} else if !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}
