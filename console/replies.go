package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
)

// Replies remembers what requests with an Idempotency-Key were answered. It is called from many goroutines at once.
type Replies interface {
	// Begin remembers the request under the key, if there is none yet, and gives the one that is remembered.
	Begin(ctx context.Context, key event.ID, request string) (Remembered, error)
	// Answer remembers the answer.
	Answer(ctx context.Context, key event.ID, r Remembered) error
}

// Remembered is a request and its answer.
type Remembered struct {
	Request string `json:"request"`          // Hash of what was asked.
	Status  int    `json:"status,omitempty"` // 0: not answered yet.
	Body    []byte `json:"body,omitempty"`
}

// maxKey is the most bytes of an Idempotency-Key.
const maxKey = 255

// result is what an API request comes to.
type result struct {
	status int
	body   any
}

// once carries a request out, and answers one with an Idempotency-Key that was answered before as it was then. do gets the id under which to
// act, the same for the same request. Answers that a repeat might better are not remembered.
func (s *server) once(w http.ResponseWriter, r *http.Request, body []byte, do func(action event.ID) result) {
	who := access.From(r.Context())
	sum := sha256.Sum256(body)
	request := hex.EncodeToString(sum[:])
	header := r.Header.Get("Idempotency-Key")
	if len(header) > maxKey {
		troubled(w, trouble{Status: http.StatusBadRequest, Code: "invalid", Detail: fmt.Sprintf("Idempotency-Key has %d bytes; at most %d fit", len(header), maxKey)})
		return
	}
	if header == "" {
		done(w, do(event.NewID("api", r.URL.Path, who.Name, who.Via, request)))
		return
	}
	key := event.NewID("idempotency", r.URL.Path, who.Name, who.Via, header)
	known, err := s.set.Replies.Begin(r.Context(), key, request)
	switch {
	case err != nil:
		s.set.Log.Error("console cannot remember a request", "err", err)
		troubled(w, trouble{Status: http.StatusServiceUnavailable, Code: "unavailable", Detail: "the store does not answer; nothing was done, send the request again"})
		return
	case known.Request != request:
		troubled(w, trouble{Status: http.StatusUnprocessableEntity, Code: "key_reused", Detail: "this Idempotency-Key was used with another request; use a new one"})
		return
	case known.Status != 0:
		w.Header().Set("Idempotency-Replayed", "true")
		reply(w, known.Status, contentType(known.Status), known.Body)
		return
	}
	a := do(key)
	known.Status, known.Body = a.status, encoded(a.body)
	if a.status < http.StatusInternalServerError {
		if err := s.set.Replies.Answer(r.Context(), key, known); err != nil && !errors.Is(err, context.Canceled) {
			s.set.Log.Error("console cannot remember an answer; a repeat is answered by the incident as it is then", "err", err)
		}
	}
	reply(w, a.status, contentType(a.status), known.Body)
}
