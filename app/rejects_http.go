package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/store"
)

// Paths of the API of rejects.
const (
	rejectsPath = "/api/v1/rejects"
	replayPath  = "/api/v1/rejects/replay"
)

// rejects puts the replaying of rejects around the handler of a pipeline, and its API among the service's own. The pipeline gets what is returned as
// enricher and as handler.
func (s *Service) rejects(next ingest.Handler, enrich ingest.Enricher) *rejectReplayer {
	log := s.tel.Log.With("component", "rejects")
	x := &rejectReplayer{db: s.db.DB, decode: newRejectDecoder(s.cfg, log), enrich: enrich, handler: next, now: s.now, log: log}
	x.feed = x.wait(func() {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	})
	s.posts["GET /api/v1/rejects"] = http.HandlerFunc(x.serveList)
	s.posts["POST /api/v1/rejects/replay"] = http.HandlerFunc(x.serveReplay)
	return x
}

// RejectRow is a reject as the API and --json show it. Bytes, keys and values of headers are base64 in JSON.
type RejectRow struct {
	ID        string            `json:"id"`
	Source    string            `json:"source"`
	Partition int32             `json:"partition"`
	Offset    int64             `json:"offset"`
	Format    string            `json:"format"`
	Received  time.Time         `json:"received"`
	Code      string            `json:"code"`
	Reason    string            `json:"reason"`
	Bytes     []byte            `json:"bytes"`
	Key       []byte            `json:"key,omitempty"`
	Headers   []RejectRowHeader `json:"headers,omitempty"`
	Tried     *time.Time        `json:"tried,omitempty"`  // When it was last decoded again.
	Events    int               `json:"events,omitempty"` // How many events that gave; such a reject is replayed.
}

// RejectRowHeader is one header of the record.
type RejectRowHeader struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

func rejectRow(r *store.Reject) RejectRow {
	row := RejectRow{
		ID: event.FormatID(store.RejectPrefix, r.ID), Source: r.Position.Source, Partition: r.Position.Partition, Offset: r.Position.Offset,
		Format: r.Format, Received: time.UnixMicro(r.Received).UTC(), Code: r.Code, Reason: r.Reason, Bytes: r.Raw, Key: r.Key, Events: r.Events,
	}
	for _, h := range r.Headers {
		row.Headers = append(row.Headers, RejectRowHeader(h))
	}
	if r.Tried != 0 {
		row.Tried = new(time.UnixMicro(r.Tried).UTC())
	}
	return row
}

// rejectLine is one line of the answer to a replay: an outcome, or at the end the summary or why it ended early.
type rejectLine struct {
	*RejectOutcome
	Summary *RejectSummary `json:"summary,omitempty"`
	Error   string         `json:"error,omitempty"`
}

func (x *rejectReplayer) serveList(w http.ResponseWriter, r *http.Request) {
	f, err := readRejectFilter(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	for reject, err := range x.db.Rejected(r.Context(), f) {
		if err != nil {
			_ = enc.Encode(rejectLine{Error: err.Error()})
			return
		}
		if enc.Encode(rejectRow(&reject)) != nil {
			return // The client is gone.
		}
	}
}

// maxRejectForm bounds the body of a request, which may name rejects.
const maxRejectForm = 4 << 20

func (x *rejectReplayer) serveReplay(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRejectForm)
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "the form is not readable: "+err.Error())
		return
	}
	f, err := readRejectFilter(r.Form)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	answer := http.NewResponseController(w)
	enc := json.NewEncoder(w)
	begin := func() { w.Header().Set("Content-Type", "application/x-ndjson") }
	sum, err := x.replay(r.Context(), RejectReplay{Filter: f, DryRun: r.Form.Get("dry_run") == "true"}, func(o RejectOutcome) error {
		begin()
		return enc.Encode(rejectLine{RejectOutcome: &o})
	})
	if errors.Is(err, errBusy) {
		refuse(w, http.StatusConflict, err.Error())
		return
	}
	begin()
	last := rejectLine{Summary: &sum}
	if err != nil {
		last.Error = err.Error()
	}
	_ = enc.Encode(last)
	_ = answer.Flush()
}

// refuse answers with a problem document (RFC 9457), as the rest of the API does.
func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(status), status, why})
}

// rejectValues is a filter as a form.
func rejectValues(f store.RejectFilter) url.Values {
	v := url.Values{}
	for _, id := range f.IDs {
		v.Add("id", event.FormatID(store.RejectPrefix, id))
	}
	for _, p := range []struct{ name, value string }{{"source", f.Source}, {"format", f.Format}, {"code", f.Code}} {
		if p.value != "" {
			v.Set(p.name, p.value)
		}
	}
	for _, p := range []struct {
		name string
		at   int64
	}{{"since", f.From}, {"until", f.To}} {
		if p.at != 0 {
			v.Set(p.name, time.UnixMicro(p.at).UTC().Format(time.RFC3339Nano))
		}
	}
	if f.Limit > 0 {
		v.Set("limit", strconv.Itoa(f.Limit))
	}
	if f.All {
		v.Set("all", "true")
	}
	return v
}

// readRejectFilter reads what rejectValues wrote.
func readRejectFilter(v url.Values) (f store.RejectFilter, err error) {
	f.Source, f.Format, f.Code, f.All = v.Get("source"), v.Get("format"), v.Get("code"), v.Get("all") == "true"
	for _, s := range v["id"] {
		id, err := event.ParseID(store.RejectPrefix, s)
		if err != nil {
			return f, err
		}
		f.IDs = append(f.IDs, id)
	}
	for _, p := range []struct {
		name string
		to   *int64
	}{{"since", &f.From}, {"until", &f.To}} {
		text := v.Get(p.name)
		if text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return f, fmt.Errorf("%s=%q: write it like 2026-11-21T08:00:00Z", p.name, text)
		}
		*p.to = at.UnixMicro()
	}
	if text := v.Get("limit"); text != "" {
		if f.Limit, err = strconv.Atoi(text); err != nil || f.Limit < 0 {
			return f, fmt.Errorf("limit=%q: write a number", text)
		}
	}
	return f, nil
}
