package ingest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// placeBits of an offset are the record's place in its body.
const placeBits = 24

// MaxBody bounds the body of one request, after decompression.
const MaxBody = 32 << 20

// HTTP is the source behind an HTTP endpoint. A request is answered 200 only once every record of it is durable: until then the client
// waits, and if it gives up and sends the same body again, the events get the same ids.
type HTTP struct {
	name    string
	format  *format.Format
	site    string
	zone    *time.Location
	clock   func() int64
	posts   chan *post
	closed  chan struct{}
	close   sync.Once
	mu      sync.Mutex // guards waiting, which Fetch and Commit share
	waiting []*post    // fetched and not yet durable, in order
	next    int64
	queue   []event.Record // records of a request that did not fit the last fetch
}

// post is one request on its way.
type post struct {
	records []event.Record
	end     int64 // how many records had come with it, since the start
	done    chan error
}

// NewHTTP makes the source of an endpoint.
func NewHTTP(name string, f *format.Format, site string, zone *time.Location, clock func() int64) *HTTP {
	return &HTTP{name: name, format: f, site: site, zone: zone, clock: clock, posts: make(chan *post), closed: make(chan struct{})}
}

// ServeHTTP implements http.Handler: a body of records in the format's framing, optionally gzip, optionally with an Idempotency-Key.
func (s *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, 0, "send records with POST")
		return
	}
	body, err := readBody(w, r)
	if err != nil {
		status := http.StatusBadRequest
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge || errors.Is(err, errBodyTooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		answer(w, status, 0, err.Error())
		return
	}
	p := &post{records: s.cut(body, r.Header.Get("Idempotency-Key")), done: make(chan error, 1)}
	if len(p.records) == 0 {
		answer(w, http.StatusOK, 0, "")
		return
	}
	select {
	case s.posts <- p:
	case <-s.closed:
		refuse(w, "shutting down")
		return
	case <-r.Context().Done():
		refuse(w, "the request was given up")
		return
	case <-time.After(30 * time.Second):
		w.Header().Set("Retry-After", "5")
		answer(w, http.StatusServiceUnavailable, 0, "the store is not keeping up: send the same body again later")
		return
	}
	select {
	case err = <-p.done:
	case <-r.Context().Done():
		refuse(w, "the request was given up")
		return
	}
	if err != nil {
		refuse(w, err.Error())
		return
	}
	answer(w, http.StatusOK, len(p.records), "")
}

// refuse says that a request's records may not be durable. A handler that returned without a word would have said 200.
func refuse(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", "5")
	answer(w, http.StatusServiceUnavailable, 0, "not stored: "+why+"; send the same body again")
}

func answer(w http.ResponseWriter, status, records int, problem string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Records int    `json:"records"`
		Error   string `json:"error,omitempty"`
	}{records, problem})
}

var errBodyTooLarge = fmt.Errorf("the body is larger than %d MiB: send it in parts", MaxBody>>20)

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	in := io.Reader(http.MaxBytesReader(w, r.Body, MaxBody))
	switch enc := r.Header.Get("Content-Encoding"); enc {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("the body is not gzip: %w", err)
		}
		in = z
	default:
		return nil, fmt.Errorf("content-encoding %q is not known: use gzip or none", enc)
	}
	body, err := io.ReadAll(io.LimitReader(in, MaxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if len(body) > MaxBody {
		return nil, errBodyTooLarge
	}
	return body, nil
}

// cut makes the records of one body. Equal records in one body are told apart by their count, so that a retry of the body gives the same
// ids again; and the same offsets, which order events of equal time: a number of the body's own, and on it the record's place in the body.
func (s *HTTP) cut(body []byte, key string) []event.Record {
	frames, seen := newFramer(s.format.Framing), occurrences{}
	now := s.clock()
	whole := event.NewID("body", key, string(body))
	first := int64(binary.BigEndian.Uint64(whole[:]) >> 1 &^ (1<<placeBits - 1))
	var out []event.Record
	for len(body) > 0 {
		fr, ok := frames.cut(body, true)
		if ok {
			value := body[fr.start:fr.end:fr.end]
			out = append(out, event.Record{
				Value: value, Context: fr.context, Format: s.format.Name, Site: s.site, Location: s.zone, Received: now, Partial: fr.partial,
				Position: event.Position{Source: s.name, Partition: Unpositioned, Offset: first + int64(len(out))}, Basis: seen.basis(s.name, value, key),
			})
		}
		body = body[fr.next:]
		if !ok {
			break
		}
	}
	return out
}

// Fetch implements Source.
func (s *HTTP) Fetch(ctx context.Context, dst []event.Record, limit int, wait time.Duration) ([]event.Record, error) {
	start := len(dst)
	dst = s.take(dst, limit)
	var timeout <-chan time.Time
	if len(dst) == start {
		t := time.NewTimer(wait)
		defer t.Stop()
		timeout = t.C
	}
	for len(dst)-start < limit {
		if timeout == nil { // something is there: take what else waits, without waiting
			select {
			case p := <-s.posts:
				dst = s.accept(dst, p, limit-(len(dst)-start))
				continue
			default:
				return dst, nil
			}
		}
		select {
		case p := <-s.posts:
			dst = s.accept(dst, p, limit)
			timeout = nil
		case <-timeout:
			return dst, nil
		case <-ctx.Done():
			return dst, ctx.Err()
		}
	}
	return dst, nil
}

func (s *HTTP) accept(dst []event.Record, p *post, room int) []event.Record {
	s.next += int64(len(p.records))
	p.end = s.next
	s.mu.Lock()
	s.waiting = append(s.waiting, p)
	s.mu.Unlock()
	s.queue = append(s.queue, p.records...)
	return s.take(dst, room)
}

func (s *HTTP) take(dst []event.Record, room int) []event.Record {
	n := min(room, len(s.queue))
	dst = append(dst, s.queue[:n]...)
	s.queue = s.queue[n:]
	return dst
}

// Ends implements Source. The ends are for Commit only: they count the records of this run.
func (s *HTTP) Ends() []event.End {
	return []event.End{{Source: s.name, Partition: Unpositioned, Offset: s.next - int64(len(s.queue))}}
}

// Commit implements Source: it answers the requests whose records are all durable.
func (s *HTTP) Commit(_ context.Context, ends []event.End) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range ends {
		for e.Source == s.name && len(s.waiting) > 0 && s.waiting[0].end <= e.Offset {
			s.waiting[0].done <- nil
			s.waiting = s.waiting[1:]
		}
	}
	return nil
}

// Close implements Source: requests that are not durable are told to come again.
func (s *HTTP) Close() error {
	s.close.Do(func() { close(s.closed) })
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.waiting {
		p.done <- errors.New("shutting down")
	}
	s.waiting = nil
	return nil
}
