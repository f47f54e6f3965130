package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/access"
)

// Auditor keeps who did what.
type Auditor interface {
	Audit(ctx context.Context, e access.Entry) error
	Audited(ctx context.Context, f access.EntryFilter) iter.Seq2[access.Entry, error]
}

// visit is what becomes known of a request while it is being answered, for the audit.
type visit struct {
	from   string // Address of the client.
	who    string // A name that was tried, where nobody is signed in.
	action string // Instead of the address.
	target string
	detail map[string]any
}

type visitKey struct{}

// visitOf is the visit of a request; what is noted of a request that has none is lost.
func visitOf(r *http.Request) *visit {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		return v
	}
	return &visit{}
}

// How much of a request is waited for and taken.
const (
	patience    = 30 * time.Second // For a client that gives or takes nothing; see Settings.Patience.
	maxBody     = 8 << 20          // bytes; forms have smaller bounds of their own
	auditTime   = 10 * time.Second
	perPerson   = 50 * time.Millisecond // Requests come back one each.
	burstPerson = 200
	perAddress  = 200 * time.Millisecond
	burstOther  = 100
)

// limits are the requests that people, and addresses that nobody has signed in from, may send.
type limits struct{ person, address, noise *access.Limit }

func newLimits(now func() int64) limits {
	clock := func() time.Time { return time.UnixMicro(now()) }
	return limits{access.NewLimit(burstPerson, perPerson, clock), access.NewLimit(burstOther, perAddress, clock), access.NewLimit(60, time.Second, clock)}
}

// free are addresses that machines call all the time and that have bounds of their own.
func free(path string) bool {
	return path == "/healthz" || path == "/readyz" || path == "/metrics" || strings.HasPrefix(path, "/ingest/")
}

// receive finds out who asks, bounds what is asked, has the request answered and writes the audit.
func (s *server) receive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{from: s.clientAddress(r)}
		out := &answer{ResponseWriter: w, control: http.NewResponseController(w), patience: cmp.Or(s.set.Patience, patience)}
		if r.ContentLength != 0 && r.Body != nil {
			r.Body = &slowBody{r.Body, out}
			if !strings.HasPrefix(r.URL.Path, "/ingest/") {
				r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			}
		}
		ctx, who, release, err := s.whoAsks(r)
		defer release()
		r = r.WithContext(context.WithValue(access.With(ctx, who), visitKey{}, v))
		switch {
		case err != nil:
			s.notLetIn(out, r, err)
		case s.tooMany(out, r, who, v.from):
		case s.set.Access != nil && unsafe(r) && (who.Via == access.ViaLocal || who.Via == access.ViaOIDC) && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "":
			s.refuse(out, r, "The request does not say which web site it comes from, as every browser does. Programs send an API token instead of a cookie.")
		default:
			next.ServeHTTP(out, r)
		}
		s.audit(r, v, who, out)
	})
}

func unsafe(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions
}

// whoAsks is the person of a request. A session that has ended is nobody; a token that is not good is an error.
func (s *server) whoAsks(r *http.Request) (context.Context, access.Person, func(), error) {
	if s.set.Access == nil {
		return r.Context(), s.person(r), func() {}, nil
	}
	if free(r.URL.Path) && !strings.HasPrefix(r.URL.Path, "/ingest/") {
		return r.Context(), access.Person{}, func() {}, nil
	}
	if secret := r.URL.Query().Get("token"); secret != "" && isFeed(r.URL.Path) && !unsafe(r) {
		return s.set.Access.AuthenticateFeed(r, secret)
	}
	ctx, who, release, err := s.set.Access.Authenticate(r)
	if errors.Is(err, access.ErrSession) {
		err = nil
	}
	return ctx, who, release, err
}

func (s *server) notLetIn(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusServiceUnavailable, "Who you are cannot be looked up: the store does not answer."
	if errors.Is(err, access.ErrToken) {
		status, text = http.StatusUnauthorized, err.Error()
		w.Header().Set("WWW-Authenticate", `Bearer realm="tocsin", error="invalid_token"`)
	} else {
		s.set.Log.Error("console cannot tell who asks", "err", err)
	}
	s.turnAway(w, r, status, text)
}

// turnAway answers with a status and a text, as the address wants it.
func (s *server) turnAway(w http.ResponseWriter, r *http.Request, status int, text string) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		apiError(w, status, text)
		return
	}
	s.page(w, "problem", status, s.problemOf(r, status, text, ""))
}

// tooMany answers where a person, or an address that nobody is known from, asks too often.
func (s *server) tooMany(w http.ResponseWriter, r *http.Request, who access.Person, from string) bool {
	if s.set.Access == nil || free(r.URL.Path) {
		return false
	}
	wait := time.Duration(0)
	if who.Role > 0 {
		wait = s.limits.person.Take(who.Via + " " + who.Name)
	} else {
		wait = s.limits.address.Take(access.AddressKey(from))
	}
	if wait == 0 {
		return false
	}
	s.refuseBusy(w, r, wait)
	return true
}

func (s *server) refuseBusy(w http.ResponseWriter, r *http.Request, wait time.Duration) {
	seconds := int(wait.Seconds()) + 1
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	s.turnAway(w, r, http.StatusTooManyRequests, "Too many requests. Try again in "+strconv.Itoa(seconds)+" s.")
}

// clientAddress is where a request comes from: the peer, or, where the peer is one of our proxies, the last address in X-Forwarded-For that is not.
func (s *server) clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(list) - 1; i >= 0 && s.isProxy(host); i-- {
		next := strings.TrimSpace(list[i])
		if _, err := netip.ParseAddr(next); err != nil {
			break
		}
		host = next
	}
	return host
}

func (s *server) isProxy(address string) bool {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	for _, p := range s.set.Proxies {
		if p.Contains(ip.Unmap()) {
			return true
		}
	}
	return false
}

// audit writes what is worth keeping of a request that was answered: everything that is not only read, whatever was refused, and exports. It is
// on the disk before the client has the end of the answer.
func (s *server) audit(r *http.Request, v *visit, who access.Person, out *answer) {
	refused := out.status == http.StatusUnauthorized || out.status == http.StatusForbidden || out.status == http.StatusTooManyRequests || out.status == http.StatusRequestEntityTooLarge
	export := strings.HasPrefix(out.Header().Get("Content-Disposition"), "attachment")
	if s.set.Audit == nil || free(r.URL.Path) || v.action == "" && !unsafe(r) && !refused && !export {
		return
	}
	if who.Role == 0 && v.action == "" && s.limits.noise.Take("nobody") > 0 {
		return // Somebody knocks on every door: the first sixty and one a second are enough.
	}
	e := access.Entry{
		At: s.set.Now(), Who: cmp.Or(who.Name, clip(80, v.who)), Via: who.Via, From: v.from, OK: out.status < http.StatusBadRequest,
		Action: cmp.Or(v.action, r.Pattern, r.Method), Target: cmp.Or(v.target, clip(300, r.URL.Path)),
	}
	detail := v.detail
	if detail == nil {
		detail = map[string]any{}
	}
	detail["status"] = out.status
	for _, field := range []string{"action", "verdict"} {
		if value := r.PostForm.Get(field); value != "" {
			detail[field] = clip(60, value)
		}
	}
	e.Detail, _ = json.Marshal(detail)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), auditTime)
	defer cancel()
	if err := s.set.Audit.Audit(ctx, e); err != nil {
		s.set.Log.Error("audit not written", "err", err, "who", e.Who, "via", e.Via, "action", e.Action, "target", e.Target, "from", e.From, "ok", e.OK)
	}
}

// answer knows the status of what is being answered, and hangs up on a client that takes nothing.
type answer struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	status   int
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	_ = a.control.SetWriteDeadline(time.Now().Add(a.patience))
	return a.ResponseWriter.Write(b)
}

// Flush implements http.Flusher.
func (a *answer) Flush() { _ = a.control.Flush() }

// Unwrap lets http.ResponseController reach the writer below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// slowBody hangs up on a client that sends nothing for a while. Once the body has been read there is no deadline, since an answer may take long.
type slowBody struct {
	io.ReadCloser
	of *answer
}

// Read implements io.Reader.
func (b *slowBody) Read(p []byte) (int, error) {
	_ = b.of.control.SetReadDeadline(time.Now().Add(b.of.patience))
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) { // After another error the deadline stays: the server would wait for the rest.
		_ = b.of.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
