package triage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

const (
	maxAnswer     = 4 << 10   // bytes of an answer that are read, for the log
	maxRetryAfter = time.Hour // longest wait a receiver may ask for
)

// verdict is what an attempt came to.
type verdict uint8

const (
	delivered verdict = iota
	again             // worth another attempt: the receiver or the way to it is in trouble
	refused           // the receiver is well and does not want this
	gone              // the receiver wants nothing any more
)

// answer is what came back from one attempt.
type answer struct {
	verdict verdict
	wait    time.Duration // the receiver asked to wait so long
	err     string
}

// webhook sends to one endpoint. It follows no redirects, uses no proxy and keeps no connections: deliveries are few, and an idle one would
// be half dead when it is needed.
type webhook struct {
	EndpointConfig
	keys   [][]byte
	client *http.Client
}

func newWebhook(c EndpointConfig) (*webhook, error) {
	w := &webhook{EndpointConfig: c}
	for _, s := range []Secret{c.Secret, c.NextSecret} {
		key, err := s.key()
		if err != nil {
			return nil, fmt.Errorf("triage.endpoints: %s: secret: %w", c.Name, err)
		}
		if key != nil {
			w.keys = append(w.keys, key)
		}
	}
	guard, err := NewGuard(c.AllowCIDRs)
	if err != nil {
		return nil, fmt.Errorf("triage.endpoints: %s: %w", c.Name, err)
	}
	if w.Timeout == 0 {
		w.Timeout = 15 * time.Second
	}
	w.client = &http.Client{
		Transport: &http.Transport{
			DialContext: guard.Dialer().DialContext, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 16 << 10,
			TLSHandshakeTimeout: 10 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return w, nil
}

// route is what the endpoint is owed, from changes since a time on.
func (w *webhook) route(since int64) Route {
	r := Route{Endpoint: w.Name, MinSeverity: incident.SeverityOf(w.MinSeverity), Since: since}
	for _, k := range w.Events {
		r.Kinds = append(r.Kinds, incident.ChangeKind(k))
	}
	return r
}

// send makes one attempt. now is our clock.
func (w *webhook) send(ctx context.Context, id string, body []byte, now time.Time) answer {
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return answer{verdict: refused, err: err.Error()}
	}
	for k, v := range w.Headers {
		req.Header.Set(k, v)
	}
	req.Header.Set("Content-Type", "application/json")
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "Tocsin")
	}
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("Webhook-Signature", signature(w.keys, id, now.Unix(), body))
	resp, err := w.client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the URL, which may hold a token
		}
		return answer{verdict: again, err: cut(plain(err.Error()), 300)}
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return judge(resp, text, now)
}

func judge(resp *http.Response, text []byte, now time.Time) answer {
	code := resp.StatusCode
	if code >= 200 && code < 300 {
		return answer{verdict: delivered}
	}
	a := answer{verdict: again, err: cut(fmt.Sprintf("HTTP %d: %s", code, plain(string(text))), 300)}
	switch {
	case code == http.StatusGone:
		a.verdict = gone
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		a.wait = retryAfter(resp.Header.Get("Retry-After"), now)
	case code >= 300 && code < 400:
		a.err = fmt.Sprintf("HTTP %d: redirects are not followed: give the final URL", code)
	case code >= 400 && code < 500 && code != http.StatusRequestTimeout:
		a.verdict = refused
	}
	return a
}

// retryAfter reads the header in either form: seconds or a date.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(0, min(at.Sub(now), maxRetryAfter))
	}
	return 0
}

// Test sends an endpoint.test event to an endpoint once, and says what came of it.
func (d *Desk) Test(ctx context.Context, endpoint string) error {
	for _, e := range d.endpoints {
		if e.hook.Name != endpoint {
			continue
		}
		now := d.s.Now()
		at := stamp(now.UnixMicro())
		id := event.FormatID(event.DeliveryPrefix, event.NewID("endpoint.test", endpoint, at))
		b := encode(envelope{
			SpecVersion: "1.0", ID: id, Source: d.s.Source, Type: "endpoint.test", Time: at, Timestamp: at, ContentType: "application/json",
			Data: bodyData{Truncated: map[string]int{}},
		})
		if a := e.hook.send(ctx, id, b, now); a.verdict != delivered {
			return errors.New(a.err)
		}
		return nil
	}
	return fmt.Errorf("there is no endpoint %q", endpoint)
}

// LogValue keeps keys and headers out of logs.
func (w *webhook) LogValue() slog.Value { return slog.StringValue(w.Name) }
