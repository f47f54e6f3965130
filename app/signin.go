package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/triage"
)

// keepTime is how long a small document may take to be kept.
const keepTime = 10 * time.Second

// keeper keeps people, tokens and sessions in the store.
type keeper struct{ db *store.DB }

// Keep implements access.Keeper.
func (k keeper) Keep(ctx context.Context, d access.Doc, expected int64) (access.Doc, error) {
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	kept, err := k.db.Keep(ctx, store.Doc(d), expected)
	if errors.Is(err, store.ErrStale) {
		err = fmt.Errorf("%w: %w", access.ErrStale, err)
	}
	return access.Doc(kept), err
}

// Kept implements access.Keeper.
func (k keeper) Kept(ctx context.Context, kind string) ([]access.Doc, error) {
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	docs, err := k.db.Kept(ctx, kind)
	list := make([]access.Doc, len(docs))
	for i, d := range docs {
		list[i] = access.Doc(d)
	}
	return list, err
}

// auditor keeps the audit in the store.
type auditor struct{ db *store.DB }

// Audit implements console.Auditor.
func (a auditor) Audit(ctx context.Context, e access.Entry) error {
	return a.db.Audit(ctx, store.AuditEntry{ID: e.ID, At: e.At, Who: e.Who, Via: e.Via, Action: e.Action, Target: e.Target, Detail: e.Detail, From: e.From, OK: e.OK})
}

// Audited implements console.Auditor.
func (a auditor) Audited(ctx context.Context, f access.EntryFilter) iter.Seq2[access.Entry, error] {
	q := store.AuditFilter{Who: f.Who, Via: f.Via, Action: f.Action, Target: f.Target, From: f.From, To: f.To, Refused: f.Refused, Limit: f.Limit}
	q.After = store.AuditCursor{At: f.AfterAt, ID: f.AfterID}
	return func(yield func(access.Entry, error) bool) {
		for e, err := range a.db.Audited(ctx, q) {
			if !yield(access.Entry{ID: e.ID, At: e.At, Who: e.Who, Via: e.Via, Action: e.Action, Target: e.Target, Detail: e.Detail, From: e.From, OK: e.OK}, err) {
				return
			}
		}
	}
}

// newAccess makes who may sign in; nil where nobody has to.
func newAccess(c *ConsoleConfig, db *store.DB) (*access.Service, error) {
	if !c.SignIn.on() {
		return nil, nil
	}
	set := access.Settings{Keeper: keeper{db}, Local: c.SignIn.Local, Idle: c.SignIn.Idle, Length: c.SignIn.Length, Secure: c.secure(), Now: time.Now}
	if c.SignIn.OIDC.Issuer != "" {
		o, err := c.SignIn.OIDC.settings(c.URL)
		if err != nil {
			return nil, fmt.Errorf("console.sign_in.oidc: %w", err)
		}
		set.OIDC = access.NewOIDC(o)
	}
	return access.New(set), nil
}

func (o *OIDCConfig) settings(address string) (access.OIDCSettings, error) {
	secret, err := o.ClientSecret.Value()
	if err != nil {
		return access.OIDCSettings{}, fmt.Errorf("client_secret: %w", err)
	}
	client, err := o.client()
	if err != nil {
		return access.OIDCSettings{}, err
	}
	set := access.OIDCSettings{
		Issuer: o.Issuer, ClientID: o.ClientID, Secret: secret, Redirect: strings.TrimSuffix(address, "/") + access.OIDCCallback,
		Scopes: o.Scopes, Name: o.NameClaim, Groups: o.GroupsClaim, Client: client,
	}
	for _, g := range o.Roles {
		role, err := access.RoleOf(g.Role)
		if err != nil {
			return set, err
		}
		set.Grants = append(set.Grants, access.Grant{Group: g.Group, Role: role, Sites: g.Sites})
	}
	return set, nil
}

// maxProvider bounds what is read of an answer of the provider.
const maxProvider = 1 << 20

// client reaches the provider, and nothing internal that is not allowed; it follows no redirects and uses no proxy of the environment.
func (o *OIDCConfig) client() (*http.Client, error) {
	allow := o.AllowCIDRs
	if u, err := url.Parse(o.Issuer); err == nil && isLoopback(u.Hostname()) {
		allow = append([]string{"127.0.0.0/8", "::1/128"}, allow...)
	}
	guard, err := triage.NewGuard(allow)
	if err != nil {
		return nil, fmt.Errorf("allow_cidrs: %w", err)
	}
	transport := &http.Transport{DialContext: guard.Dialer().DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 10 * time.Second, ForceAttemptHTTP2: true, MaxIdleConns: 4}
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s holds no PEM certificate", o.CA)
		}
	}
	return &http.Client{
		Transport: bounded{transport}, Timeout: 15 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// bounded cuts answers that are too long.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, maxProvider)
	}
	return answer, err
}

// hosts are the names that the console answers to.
func (c *ConsoleConfig) hosts() []string {
	list := append([]string(nil), c.Hosts...)
	if u, err := url.Parse(c.URL); err == nil && u.Hostname() != "" {
		list = append(list, u.Hostname())
	}
	return list
}

func (c *ConsoleConfig) proxies() (list []netip.Prefix) {
	for _, s := range c.TrustedProxies {
		if p, err := netip.ParsePrefix(s); err == nil { // Validate has said what is wrong with it.
			list = append(list, p)
		}
	}
	return list
}

// mayIngest is a source's handler behind the console's sign-in, where the source has no token of its own: then an API token for it is needed.
func mayIngest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who := access.From(r.Context()); who.Role == 0 || who.Scopes == nil || !who.Has(access.ScopeIngest) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "send an API token with the scope ingest: Authorization: Bearer tct_…; or give the source a token of its own", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
