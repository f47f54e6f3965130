package triage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// stream writes server-sent events to one client.
type stream struct {
	w    http.ResponseWriter
	ctl  *http.ResponseController
	last Sequence
}

// ServeStream sends changes as server-sent events: id is the sequence, event the type, data the body. With Last-Event-ID, or ?since=, it first
// sends what came after; without, only what comes from now on. A comment every 15 s keeps the connection alive. A client that falls too far behind
// is told resync and let go: it should load the incidents anew and connect without an id. Only what passes is sent; nil passes all. Whoever mounts
// it decides who may read.
func (f *Feed) ServeStream(w http.ResponseWriter, r *http.Request, pass Pass) {
	since, resume, severity, err := asked(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	c, err := f.join(graver(pass, severity)) // before reading, so that nothing falls between
	if err != nil {
		w.Header().Set("Retry-After", "30")
		refuse(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	defer f.leave(c)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	s := &stream{w: w, ctl: http.NewResponseController(w), last: since}
	if s.write("retry: 3000\n\n") != nil {
		return
	}
	if resume && !f.catchUp(r.Context(), s, c) {
		return
	}
	s.follow(r.Context(), c)
}

// catchUp sends what was recorded after the client's last event; false ends the stream.
func (f *Feed) catchUp(ctx context.Context, s *stream, c *client) bool {
	sent := 0
	err := f.pages(ctx, s.last, c.pass, feedCatchUp+1, func(it item) error {
		if sent++; sent > feedCatchUp {
			return errFar
		}
		return s.send(it)
	})
	if errors.Is(err, errFar) {
		s.resync()
	}
	return err == nil
}

// follow sends news until the client leaves, lags behind or the feed is closed.
func (s *stream) follow(ctx context.Context, c *client) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			if s.write(": still here\n\n") != nil {
				return
			}
		case it, ok := <-c.news:
			if !ok {
				s.resync()
				return
			}
			if s.last.Less(it.at) && s.send(it) != nil { // what catching up has sent already is not sent again
				return
			}
		}
	}
}

func (s *stream) resync() { _ = s.write("event: resync\ndata: {}\n\n") }

func (s *stream) send(it item) error {
	s.last = it.at
	return s.write(fmt.Sprintf("id: %s\nevent: incident.%s\ndata: %s\n\n", it.at, it.kind, it.body))
}

// write writes and flushes, with a deadline where the connection has one.
func (s *stream) write(text string) error {
	_ = s.ctl.SetWriteDeadline(time.Now().Add(feedWrite))
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.ctl.Flush()
}
