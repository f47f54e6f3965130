package triage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/adapter"
)

// Reader gives recorded changes.
type Reader interface {
	// Changes lists the changes after a sequence, in order, at most limit. The zero Sequence is before the first.
	Changes(ctx context.Context, after Sequence, limit int) ([]incident.Change, error)
}

const (
	feedClients = 256              // streams at once
	feedBuffer  = 256              // changes waiting for one client
	feedPage    = 500              // changes read at once
	feedCatchUp = 20_000           // changes a stream catches up with before it says resync
	feedLimit   = 10_000           // changes in one NDJSON answer
	heartbeat   = 15 * time.Second // between comments on a silent stream
	feedWrite   = 10 * time.Second // a client that takes longer for one write is dropped
)

// Feed tells clients of changes as they are recorded: as server-sent events that can be resumed, and as NDJSON to fetch. Each line or event is
// the body a webhook gets. All methods are safe for concurrent use.
type Feed struct {
	source, console string
	reader          Reader

	mu      sync.Mutex
	clients map[*client]bool
	closed  bool
}

// client is one open stream. news is closed when it lags too far behind.
type client struct {
	news chan item
	pass Pass
}

// Pass reports whether a stream tells of a change. It is called from many goroutines and must not block.
type Pass func(*incident.Change) bool

// item is one change as a stream writes it.
type item struct {
	at   Sequence
	kind incident.ChangeKind
	body []byte
}

// NewFeed makes a feed. source and console are as in Settings.Source and Config.ConsoleURL.
func NewFeed(source, console string, reader Reader) *Feed {
	return &Feed{source: source, console: console, reader: reader, clients: map[*client]bool{}}
}

// Publish tells open streams of changes that have been recorded, in order. It never blocks: a stream that does not keep up is ended.
func (f *Feed) Publish(changes []incident.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.clients) == 0 {
		return
	}
	for i := range changes {
		it := f.item(&changes[i])
		for c := range f.clients {
			if !c.pass(&changes[i]) {
				continue
			}
			select {
			case c.news <- it:
			default:
				f.drop(c)
			}
		}
	}
}

// Close ends all streams, so that a server can shut down. Publishing afterwards does nothing.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for c := range f.clients {
		f.drop(c)
	}
}

// drop ends a stream; f.mu is held.
func (f *Feed) drop(c *client) {
	if f.clients[c] {
		delete(f.clients, c)
		close(c.news)
	}
}

func (f *Feed) join(pass Pass) (*client, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.clients) >= feedClients {
		return nil, errors.New("too many streams are open: try again later")
	}
	c := &client{news: make(chan item, feedBuffer), pass: pass}
	f.clients[c] = true
	return c, nil
}

func (f *Feed) leave(c *client) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(c)
}

func (f *Feed) item(c *incident.Change) item {
	id := incident.DeliveryID(c.Incident.ID, c.Incident.Revision, "feed")
	return item{at: SequenceOf(c), kind: c.Kind, body: adapter.Encode(&letterOf(c, id, f.source, f.console, 0, nil).Envelope)}
}

// items are changes as streams write them, made side by side.
func (f *Feed) items(changes []incident.Change) []item {
	out := make([]item, len(changes))
	var all sync.WaitGroup
	hands := min(4, runtime.GOMAXPROCS(0))
	for h := range hands {
		all.Go(func() {
			for i := h; i < len(changes); i += hands {
				out[i] = f.item(&changes[i])
			}
		})
	}
	all.Wait()
	return out
}

// asked reads what both handlers take: since, or the Last-Event-ID of a stream that reconnects, and min_severity.
func asked(r *http.Request) (since Sequence, resume bool, severity incident.Severity, err error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.FormValue("since")
	}
	if text != "" {
		if since, err = ParseSequence(text); err != nil {
			return since, false, 0, fmt.Errorf("since: %w", err)
		}
	}
	if s := r.FormValue("min_severity"); s != "" {
		if severity = incident.SeverityOf(s); severity == 0 {
			return since, false, 0, fmt.Errorf("min_severity: %.40q is none of informational, low, medium, high, critical, fatal", s)
		}
	}
	return since, text != "", severity, nil
}

// refuse answers with a problem document (RFC 9457), as the rest of the API does.
func refuse(w http.ResponseWriter, status int, why string) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(adapter.Encode(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(status), status, why}))
}

// graver narrows pass to what is at least as severe; nil passes all.
func graver(pass Pass, severity incident.Severity) Pass {
	return func(c *incident.Change) bool { return c.Incident.Severity >= severity && (pass == nil || pass(c)) }
}

// ServeChanges answers with the changes after ?since= that pass (nil: all) as NDJSON, at most ?limit=. To go on, ask again with the sequence of
// the last line. Whoever mounts it decides who may read.
func (f *Feed) ServeChanges(w http.ResponseWriter, r *http.Request, pass Pass) {
	since, _, severity, err := asked(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	limit := 1000
	if s := r.FormValue("limit"); s != "" {
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 || limit > feedLimit {
			refuse(w, http.StatusBadRequest, fmt.Sprintf("limit: give a number from 1 to %d", feedLimit))
			return
		}
	}
	out := http.NewResponseController(w)
	written := 0
	err = f.pages(r.Context(), since, graver(pass, severity), limit, func(it item) error {
		if written++; written == 1 {
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.Header().Set("Cache-Control", "no-store")
		}
		_ = out.SetWriteDeadline(time.Now().Add(feedWrite))
		_, err := w.Write(append(it.body, '\n'))
		return err
	})
	switch {
	case written > 0 && err != nil:
		panic(http.ErrAbortHandler) // a cut answer must not look like a whole one
	case err != nil:
		refuse(w, http.StatusServiceUnavailable, "the changes cannot be read now")
	case written == 0:
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.WriteHeader(http.StatusOK)
	}
}

// errFar means that a stream has more to catch up with than it may.
var errFar = errors.New("too far behind")

// pages reads changes after a sequence and gives those that pass to write, at most limit, which is positive. It reads no more at once than are still
// wanted, and twice as many each time where few of them pass.
func (f *Feed) pages(ctx context.Context, after Sequence, pass Pass, limit int, write func(item) error) error {
	for step := min(feedPage, limit); ; step = min(feedPage, 2*step) {
		page, err := f.reader.Changes(ctx, after, step)
		if err != nil || len(page) == 0 {
			return err
		}
		after = SequenceOf(&page[len(page)-1])
		page = slices.DeleteFunc(page, func(c incident.Change) bool { return !pass(&c) })
		for _, it := range f.items(page[:min(limit, len(page))]) {
			if err := write(it); err != nil {
				return err
			}
		}
		if limit -= len(page); limit <= 0 {
			return nil
		}
	}
}
