package triage

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/adapter"
)

const (
	maxAnswer     = 4 << 10   // bytes of an answer that are read, for the log and the history
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
	status  int           // of HTTP or SMTP; 0 if there was none
	text    string        // what it said, at most maxAnswer bytes
	err     string
	took    time.Duration
}

// carrier takes parcels to one receiver. It is safe for concurrent use.
type carrier interface {
	// carry makes one attempt; id is the same for every attempt, now is our clock.
	carry(ctx context.Context, l *adapter.Letter, p adapter.Parcel, now time.Time) answer
}

// courier writes letters for one endpoint and takes them there.
type courier struct {
	EndpointConfig
	adapter adapter.Adapter
	options adapter.Options
	carrier carrier
	keys    *keyring
	place   string // where it is, to be shown
}

func newCourier(c EndpointConfig, d *Desk) (*courier, error) {
	fail := func(key string, err error) (*courier, error) {
		return nil, fmt.Errorf("triage.endpoints: %s: %s: %w", c.Name, key, err)
	}
	k := &courier{EndpointConfig: c}
	k.adapter, _ = adapter.Named(c.Adapter)
	if k.Timeout == 0 {
		k.Timeout = 15 * time.Second
	}
	token, err := c.Token.text()
	if err != nil {
		return fail("token", err)
	}
	k.options = adapter.Options{Endpoint: c.Name, Token: token, Host: d.s.Host, Version: d.s.Version, Console: d.cfg.ConsoleURL}
	if k.keys, err = newKeyring(c); err != nil {
		return fail("secret", err)
	}
	if k.adapter.Way == adapter.Topic {
		if d.s.Topics == nil {
			return fail("topic", errors.New("no Kafka brokers are configured: set kafka.brokers"))
		}
		k.carrier, k.place = &topic{name: c.Topic, topics: d.s.Topics}, "topic "+c.Topic
		return k, nil
	}
	to, err := k.where()
	if err != nil {
		return fail("url", err)
	}
	k.place = to.Scheme + "://" + to.Host // a path may hold a token
	way, err := k.way(d)
	if err != nil {
		return fail("ca", err)
	}
	switch k.adapter.Way {
	case adapter.Syslog:
		k.carrier = newSyslog(k, to, way)
	case adapter.Mail:
		k.carrier, err = newMail(k, to, way)
	default:
		k.carrier = newWebhook(k, to, way)
	}
	if err != nil {
		return fail("url", err)
	}
	return k, nil
}

// where is the receiver's URL.
func (k *courier) where() (*url.URL, error) {
	text, err := k.URLFrom.text()
	if err != nil {
		return nil, err
	}
	for _, s := range []string{k.URL, k.adapter.URL} {
		if text == "" {
			text = s
		}
	}
	return k.address(k.adapter, text)
}

// way is how connections are made: to addresses that the guard lets through, with TLS by the configured certificates.
type way struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	tls  *tls.Config
}

func (k *courier) way(d *Desk) (way, error) {
	guard, err := NewGuard(k.AllowCIDRs)
	if err != nil {
		return way{}, err
	}
	dialer := guard.Dialer()
	dialer.Resolver = d.s.Resolver
	w := way{dial: dialer.DialContext, tls: &tls.Config{MinVersion: tls.VersionTLS12}}
	if k.CA == "" {
		return w, nil
	}
	pem, err := os.ReadFile(k.CA)
	if err != nil {
		return way{}, err
	}
	w.tls.RootCAs = x509.NewCertPool()
	if !w.tls.RootCAs.AppendCertsFromPEM(pem) {
		return way{}, fmt.Errorf("%s holds no certificate in PEM form", k.CA)
	}
	return w, nil
}

// secure connects with TLS to a host and port.
func (w way) secure(ctx context.Context, address string) (net.Conn, error) {
	c, err := w.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	cfg := w.tls.Clone()
	cfg.ServerName, _, _ = net.SplitHostPort(address)
	t := tls.Client(c, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	return t, nil
}

// route is what the endpoint is owed, from changes since a time on.
func (k *courier) route(since int64, takes func(*incident.Change) bool) Route {
	r := Route{Takes: takes, Endpoint: k.Name, MinSeverity: incident.SeverityOf(k.MinSeverity), Since: since}
	for _, e := range k.Events {
		r.Kinds = append(r.Kinds, incident.ChangeKind(e)) // No change is of the kind alertCreated.
	}
	r.Alerts = slices.Contains(r.Kinds, alertCreated)
	return r
}

// send makes one attempt. now is our clock.
func (k *courier) send(ctx context.Context, l *adapter.Letter, now time.Time) answer {
	ctx, cancel := context.WithTimeout(ctx, k.Timeout)
	defer cancel()
	begun := time.Now()
	a := k.carrier.carry(ctx, l, k.adapter.Write(l, k.options), now)
	a.took = time.Since(begun)
	return a
}

// failed is an attempt that did not get through.
func failed(err error) answer {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the URL, which may hold a token
	}
	return answer{verdict: again, err: cut(plain(err.Error()), 300)}
}

// LogValue keeps keys and headers out of logs.
func (k *courier) LogValue() slog.Value { return slog.StringValue(k.Name) }
