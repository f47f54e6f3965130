package triage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/triage/adapter"
)

// webhook sends by HTTP. It follows no redirects, uses no proxy and keeps no connections: deliveries are few, and an idle one would be half
// dead when it is needed.
type webhook struct {
	url    *url.URL
	header map[string]string
	keys   *keyring
	client *http.Client
	hive   bool
}

func newWebhook(k *courier, to *url.URL, w way) *webhook {
	return &webhook{url: to, header: k.Headers, keys: k.keys, hive: k.adapter.Name == "thehive", client: &http.Client{
		Transport: &http.Transport{
			DialContext: w.dial, TLSClientConfig: w.tls, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 16 << 10,
			TLSHandshakeTimeout: 10 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// carry implements carrier.
func (w *webhook) carry(ctx context.Context, l *adapter.Letter, p adapter.Parcel, now time.Time) answer {
	header := http.Header{"Content-Type": {p.ContentType}, "User-Agent": {"Tocsin"}}
	for k, v := range p.Header {
		header.Set(k, v)
	}
	for k, v := range w.header {
		header.Set(k, v)
	}
	if keys := w.keys.live(); len(keys) > 0 {
		header.Set("Webhook-Id", l.ID)
		header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
		header.Set("Webhook-Signature", signature(keys, l.ID, now.Unix(), p.Body))
	}
	a := w.ask(ctx, http.MethodPost, w.url.String(), header, p.Body, now)
	if w.hive && a.status == http.StatusBadRequest && strings.Contains(strings.ToLower(a.text), "exist") {
		return w.overwrite(ctx, l, header, now)
	}
	return a
}

// ask makes one request and judges the answer.
func (w *webhook) ask(ctx context.Context, method, address string, header http.Header, body []byte, now time.Time) answer {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return answer{verdict: refused, err: "the URL cannot be used"}
	}
	req.Header = header
	resp, err := w.client.Do(req)
	if err != nil {
		return failed(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return judge(resp, text, now)
}

// overwrite updates the alert that TheHive has of the incident already.
func (w *webhook) overwrite(ctx context.Context, l *adapter.Letter, header http.Header, now time.Time) answer {
	found := w.ask(ctx, http.MethodPost, w.sibling("/api/v1/query"), header, adapter.HiveFind(l), now)
	if found.verdict != delivered {
		return found
	}
	id, ok := firstID(found.text)
	if !ok {
		return answer{verdict: refused, status: found.status, text: found.text, err: "TheHive says that it has an alert of the incident, and finds none"}
	}
	return w.ask(ctx, http.MethodPatch, w.sibling("/api/v1/alert/"+url.PathEscape(id)), header, adapter.HiveUpdate(l), now)
}

// sibling is another path of the receiver, kept behind a prefix that its URL has.
func (w *webhook) sibling(path string) string {
	u := *w.url
	prefix, _, _ := strings.Cut(u.Path, "/api/")
	u.RawPath, u.RawQuery = "", ""
	u.Path = ""
	return u.String() + strings.TrimSuffix(prefix, "/") + path
}

// firstID reads the _id of the first object of an array, of which the end may be missing.
func firstID(text string) (string, bool) {
	d := json.NewDecoder(strings.NewReader(text))
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return "", false
		}
		switch t {
		case json.Delim('['), json.Delim('{'):
			depth++
		case json.Delim(']'), json.Delim('}'):
			depth--
		case "_id":
			if v, err := d.Token(); depth == 2 && err == nil {
				id, ok := v.(string)
				return id, ok && id != ""
			}
		}
	}
}

func judge(resp *http.Response, text []byte, now time.Time) answer {
	code := resp.StatusCode
	a := answer{verdict: again, status: code, text: string(text)}
	if code >= 200 && code < 300 {
		a.verdict = delivered
		return a
	}
	a.err = cut(fmt.Sprintf("HTTP %d: %s", code, plain(string(text))), 300)
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
