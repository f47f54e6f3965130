package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/tocsin-siem/tocsin/triage"
)

// mode is how a server is asked to keep to the schema: the rungs of the ladder, best first.
type mode int32

// The rungs. The verifier is the same for all of them.
const (
	modeSchema mode = iota // json_schema with bounds of texts
	modeShape              // json_schema without: some servers refuse minLength and maxLength
	modeObject             // json_object, the schema told in words
	modePrompt             // nothing but the instructions
)

var modeWords = [...]string{"json_schema", "json_schema without bounds", "json_object", "prompt"}

func (m mode) String() string { return modeWords[m] }

const (
	maxAnswer  = 1 << 20          // bytes of an answer
	maxPause   = 30 * time.Second // the longest Retry-After that is waited for
	firstPause = 2 * time.Second  // before the second try where the server names none
)

// Failure says why a question has no answer.
type Failure string

// The failures.
const (
	FailTimeout  Failure = "timeout"
	FailBusy     Failure = "busy"        // 429 or 5xx, twice.
	FailServer   Failure = "server"      // Another error of the server, or none could be reached.
	FailRefusal  Failure = "refusal"     // The model or its filter refused.
	FailCut      Failure = "cut"         // The answer was cut off, also with half the pack.
	FailEmpty    Failure = "empty"       // An answer without content.
	FailUnproven Failure = "unproven"    // The verifier let too little through.
	FailBudget   Failure = "budget"      // The day's tokens are used up.
	FailBreaker  Failure = "unavailable" // The circuit breaker is open.
)

// askError is a question without an answer.
type askError struct {
	failure Failure
	status  int
	detail  string
	wait    time.Duration // What the server asked to wait; 0 if it did not.
}

func (e *askError) Error() string {
	if e.detail == "" {
		return string(e.failure)
	}
	return string(e.failure) + ": " + e.detail
}

// Usage is what questions cost.
type Usage struct{ Input, Output int }

func (u *Usage) add(v Usage) { u.Input, u.Output = u.Input+v.Input, u.Output+v.Output }

// client asks one model at one server. It is safe for concurrent use.
type client struct {
	cfg   triage.ModelConfig
	api   *openai.Client
	rung  atomic.Int32
	fixed bool
	pause func(context.Context, time.Duration) error
}

// retryAfter carries what a server asked to wait from the transport to the caller, which the library does not hand over.
type retryAfter struct{ wait time.Duration }

type retryKey struct{}

// watch is a transport that bounds answers and notes Retry-After.
type watch struct{ next http.RoundTripper }

func (t watch) RoundTrip(r *http.Request) (*http.Response, error) {
	w, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if at, ok := r.Context().Value(retryKey{}).(*retryAfter); ok {
		at.wait = waitOf(w.Header.Get("Retry-After"))
	}
	w.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(w.Body, maxAnswer), w.Body}
	return w, nil
}

func waitOf(header string) time.Duration {
	if n, err := strconv.Atoi(header); err == nil && n >= 0 {
		return time.Duration(min(n, 3600)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

func newClient(cfg triage.ModelConfig) (*client, error) {
	key, err := cfg.Key.Text()
	if err != nil {
		return nil, fmt.Errorf("triage.llm.key: %w", err)
	}
	guard, err := triage.NewGuard(cfg.AllowCIDRs)
	if err != nil {
		return nil, fmt.Errorf("triage.llm.allow_cidrs: %w", err)
	}
	c := openai.DefaultConfig(key)
	c.BaseURL = cfg.URL
	c.HTTPClient = &http.Client{
		Transport: watch{&http.Transport{DialContext: guard.Dialer().DialContext, Proxy: nil, TLSHandshakeTimeout: 10 * time.Second, MaxIdleConns: 2, IdleConnTimeout: time.Minute}},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the server redirects: give its final address in triage.llm.url")
		},
	}
	out := &client{cfg: cfg, api: openai.NewClientWithConfig(c), fixed: cfg.Mode != "auto", pause: sleep}
	switch cfg.Mode {
	case "json_object":
		out.rung.Store(int32(modeObject))
	case "prompt":
		out.rung.Store(int32(modePrompt))
	}
	return out, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// ask asks about a pack: one retry where the server is busy, and a step down the ladder where it does not know the way it is asked. The error is
// an *askError, or ctx's.
func (c *client) ask(ctx context.Context, p *Pack) (content string, used Usage, err error) {
	busy, first := false, c.rung.Load()
	for {
		m := mode(c.rung.Load())
		var u Usage
		content, u, err = c.once(ctx, p, m)
		used.add(u)
		fail, ok := errors.AsType[*askError](err)
		switch {
		case !ok:
			return content, used, err
		case c.unknownWay(fail) && m < modePrompt:
			c.rung.CompareAndSwap(int32(m), int32(m)+1)
			continue
		case c.unknownWay(fail): // no way was right, so it was not the way
			c.rung.Store(first)
			return "", used, err
		case fail.failure != FailBusy || busy || fail.wait > maxPause:
			return "", used, err
		}
		busy = true
		if err := c.pause(ctx, max(fail.wait, firstPause)); err != nil {
			return "", used, err
		}
	}
}

// unknownWay reports whether the server may have refused the way it was asked, and another is left to try.
func (c *client) unknownWay(e *askError) bool {
	return !c.fixed && e.failure == FailServer && (e.status == http.StatusBadRequest || e.status == http.StatusUnprocessableEntity || e.status == http.StatusNotImplemented)
}

func (c *client) once(ctx context.Context, p *Pack, m mode) (string, Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	after := &retryAfter{}
	req := c.request(p, m)
	got, err := c.api.CreateChatCompletion(context.WithValue(ctx, retryKey{}, after), req)
	used := Usage{got.Usage.PromptTokens, got.Usage.CompletionTokens}
	if err != nil {
		if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return "", used, ctx.Err()
		}
		return "", used, failureOf(err, after.wait)
	}
	if used == (Usage{}) { // The server does not count: three characters a token is a safe bound.
		used.Input = (len(req.Messages[0].Content) + len(req.Messages[1].Content)) / charsEach
	}
	if len(got.Choices) == 0 {
		return "", used, &askError{failure: FailEmpty}
	}
	choice := got.Choices[0]
	if got.Usage.TotalTokens == 0 {
		used.Output = len(choice.Message.Content) / charsEach
	}
	switch {
	case choice.Message.Refusal != "" || choice.FinishReason == openai.FinishReasonContentFilter:
		return "", used, &askError{failure: FailRefusal}
	case choice.FinishReason == openai.FinishReasonLength:
		return "", used, &askError{failure: FailCut}
	case choice.Message.Content == "":
		return "", used, &askError{failure: FailEmpty}
	}
	return choice.Message.Content, used, nil
}

// request is the question. It has no history, no tools and no choice of them.
func (c *client) request(p *Pack, m mode) openai.ChatCompletionRequest {
	instructions, evidence := question(p, m)
	req := openai.ChatCompletionRequest{
		Model: c.cfg.Model, Temperature: 1e-6, Seed: new(1), // 0 is not sent by the library
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleSystem, Content: instructions}, {Role: openai.ChatMessageRoleUser, Content: evidence}},
	}
	if c.cfg.TokenField == "max_completion_tokens" {
		req.MaxCompletionTokens = c.cfg.OutputTokens
	} else {
		req.MaxTokens = c.cfg.OutputTokens //nolint:staticcheck // what many local servers know only
	}
	switch m {
	case modeSchema, modeShape:
		req.ResponseFormat = &openai.ChatCompletionResponseFormat{
			Type:       openai.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{Name: "incident_summary", Strict: true, Schema: schemaOf(p, m == modeSchema)},
		}
	case modeObject:
		req.ResponseFormat = &openai.ChatCompletionResponseFormat{Type: openai.ChatCompletionResponseFormatTypeJSONObject}
	case modePrompt:
	}
	return req
}

// failureOf sorts an error of the library. What the server says is kept short; nothing of it is ever shown as a fact.
func failureOf(err error, wait time.Duration) *askError {
	if errors.Is(err, context.DeadlineExceeded) {
		return &askError{failure: FailTimeout}
	}
	status, detail := 0, err.Error()
	if e, ok := errors.AsType[*openai.APIError](err); ok {
		status, detail = e.HTTPStatusCode, e.Message
		if code, ok := e.Code.(string); ok && code == "content_filter" {
			return &askError{failure: FailRefusal}
		}
	} else if e, ok := errors.AsType[*openai.RequestError](err); ok {
		status, detail = e.HTTPStatusCode, fmt.Sprintf("status %d", e.HTTPStatusCode)
	} else if _, ok := errors.AsType[*json.SyntaxError](err); ok || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		detail = "the server's answer is no JSON"
	}
	f := FailServer
	if status == http.StatusTooManyRequests || status >= 500 && status != http.StatusNotImplemented {
		f = FailBusy
	}
	return &askError{failure: f, status: status, detail: clean(detail, 160), wait: wait}
}
