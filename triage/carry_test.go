package triage_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/adapter"
)

// certificate is one for 127.0.0.1, and the file that says it can be trusted.
func certificate(t *testing.T) (*tls.Config, string) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: s.TLS.Certificates}, file
}

// tested makes a desk of one endpoint and sends it a test.
func tested(t *testing.T, e triage.EndpointConfig, s triage.Settings) error {
	t.Helper()
	cfg := triage.DefaultConfig()
	cfg.ConsoleURL = "https://console.example"
	e.Name = "soc"
	if e.AllowCIDRs == nil {
		e.AllowCIDRs = []string{"127.0.0.0/8"}
	}
	cfg.Endpoints = []triage.EndpointConfig{e}
	d, err := triage.NewDesk(cfg, s, &outbox{})
	if err != nil {
		t.Fatal(err)
	}
	return d.Test(t.Context(), "soc")
}

// post is a mail server of other hands.
type post struct {
	mu     sync.Mutex
	mails  []string
	signed []string // who signed in
	rcpt   error
}

func (p *post) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{p: p}, nil }

type session struct {
	p  *post
	in bool
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if password != "pass w0rd" {
			return errors.New("no")
		}
		s.p.mu.Lock()
		defer s.p.mu.Unlock()
		s.p.signed, s.in = append(s.p.signed, username), true
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) Rcpt(string, *smtp.RcptOptions) error { return s.p.rcpt }
func (s *session) Reset()                               {}
func (s *session) Logout() error                        { return nil }
func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.mails = append(s.p.mails, string(b))
	return err
}

// mailServer serves p; cfg gives it STARTTLS, or TLS from the start.
func mailServer(t *testing.T, p *post, cfg *tls.Config, direct bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	s := smtp.NewServer(p)
	s.Domain, s.TLSConfig = "mail.example", cfg
	if direct {
		l, s.TLSConfig = tls.NewListener(l, cfg), nil
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return address
}

func mailbox(address, ca string) triage.EndpointConfig {
	return triage.EndpointConfig{
		Adapter: "email", URL: "smtp://" + address, From: "Tocsin <tocsin@plant.example>", To: []string{"soc@plant.example"}, Username: "tocsin", Token: triage.Secret{Env: "TOCSIN_TEST_TOKEN"}, CA: ca,
	}
}

func TestMailGoesThroughSTARTTLSAndSignIn(t *testing.T) {
	t.Setenv("TOCSIN_TEST_TOKEN", "pass w0rd")
	cfg, ca := certificate(t)
	for name, direct := range map[string]bool{"smtp": false, "smtps": true} {
		p := &post{}
		e := mailbox(mailServer(t, p, cfg, direct), ca)
		e.URL = strings.Replace(e.URL, "smtp", name, 1)
		if err := tested(t, e, settings()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(p.mails) != 1 || len(p.signed) != 1 || p.signed[0] != "tocsin" {
			t.Fatalf("%s: %d mails, signed in: %v", name, len(p.mails), p.signed)
		}
		m, err := mail.ReadMessage(strings.NewReader(p.mails[0]))
		if err != nil {
			t.Fatal(err)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
		if err != nil || !strings.Contains(subject, "Test: Tocsin reaches this endpoint") {
			t.Errorf("%s: subject %q, %v", name, subject, err)
		}
		if id := m.Header.Get("Message-Id"); !strings.HasPrefix(id, "<dlv_") || !strings.HasSuffix(id, "@plant.example>") || m.Header.Get("References") == "" || m.Header.Get("Auto-Submitted") != "auto-generated" {
			t.Errorf("%s: headers %v", name, m.Header)
		}
	}
}

func TestMailIsNotSentWhereTheServerHasNoTLS(t *testing.T) {
	t.Setenv("TOCSIN_TEST_TOKEN", "pass w0rd")
	p := &post{}
	e := mailbox(mailServer(t, p, nil, false), "")
	if err := tested(t, e, settings()); err == nil || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("got %v", err)
	}
	e.AllowPlain, e.Username = true, ""
	if err := tested(t, e, settings()); err != nil || len(p.mails) != 1 || len(p.signed) != 0 {
		t.Errorf("without sign-in and TLS: %v, %d mails, %v", err, len(p.mails), p.signed)
	}
}

func TestAServerWithAnUnknownCertificateGetsNoMail(t *testing.T) {
	t.Setenv("TOCSIN_TEST_TOKEN", "pass w0rd")
	cfg, _ := certificate(t)
	p := &post{}
	if err := tested(t, mailbox(mailServer(t, p, cfg, false), ""), settings()); err == nil || len(p.mails)+len(p.signed) > 0 {
		t.Errorf("got %v; %d mails, %v", err, len(p.mails), p.signed)
	}
}

func TestWhatAMailServerSaysIsToldOn(t *testing.T) {
	t.Setenv("TOCSIN_TEST_TOKEN", "pass w0rd")
	cfg, ca := certificate(t)
	for _, code := range []int{550, 451} {
		p := &post{rcpt: &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "not this one"}}
		if err := tested(t, mailbox(mailServer(t, p, cfg, false), ca), settings()); err == nil || !strings.Contains(err.Error(), "not this one") {
			t.Errorf("%d: got %v", code, err)
		}
	}
}

// logServer takes syslog connections; each is given to serve.
func logServer(t *testing.T, cfg *tls.Config, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	address := l.Addr().String()
	if cfg != nil {
		l = tls.NewListener(l, cfg)
	}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { serve(c); _ = c.Close() })
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	return address
}

func TestSyslogGoesOverTLSWithItsOctetsCounted(t *testing.T) {
	cfg, ca := certificate(t)
	got := make(chan []byte, 1)
	address := logServer(t, cfg, func(c net.Conn) { b, _ := io.ReadAll(c); got <- b })
	if err := tested(t, triage.EndpointConfig{Adapter: "cef", URL: "tls://" + address, CA: ca}, settings()); err != nil {
		t.Fatal(err)
	}
	count, message, _ := bytes.Cut(<-got, []byte(" "))
	if fmt.Sprint(len(message)) != string(count) || !bytes.Contains(message, []byte("CEF:0|Tocsin|Tocsin|")) || !bytes.HasPrefix(message, []byte("<134>1 ")) {
		t.Errorf("got %s %s", count, message)
	}
}

func TestSyslogNoticesAConnectionThatBreaksAndForgivesOneThatStays(t *testing.T) {
	broken := logServer(t, nil, func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 1))
		_ = c.(*net.TCPConn).SetLinger(0) // closing resets
	})
	plain := triage.EndpointConfig{Adapter: "cef", URL: "tcp://" + broken, AllowPlain: true}
	var err error
	for try := 0; try < 5 && err == nil; try++ { // A reset is waited for, but not for ever: it may come too late.
		err = tested(t, plain, settings())
	}
	if err == nil {
		t.Error("a connection that was reset passes for a delivery")
	}
	done := make(chan struct{})
	kept := logServer(t, nil, func(c net.Conn) { <-done })
	defer close(done)
	plain.URL, plain.Timeout = "tcp://"+kept, time.Second
	if err := tested(t, plain, settings()); err != nil {
		t.Errorf("a receiver that keeps its connections: %v", err)
	}
}

// records stands for Kafka.
type records struct {
	topic, key string
	value      []byte
	headers    map[string]string
	err        error
}

func (r *records) Publish(_ context.Context, topic string, key, value []byte, headers map[string]string) error {
	r.topic, r.key, r.value, r.headers = topic, string(key), value, headers
	return r.err
}

func TestATopicGetsTheNativeBody(t *testing.T) {
	r := &records{}
	s := settings()
	s.Topics = r
	if err := tested(t, triage.EndpointConfig{Adapter: "kafka", Topic: "incidents"}, s); err != nil {
		t.Fatal(err)
	}
	var e adapter.Envelope
	if err := json.Unmarshal(r.value, &e); err != nil || e.Type != adapter.TypeTest || r.topic != "incidents" || r.headers["webhook-id"] != e.ID {
		t.Errorf("%v: %+v", err, r)
	}
	r.err = errors.New("no leader")
	if err := tested(t, triage.EndpointConfig{Adapter: "kafka", Topic: "incidents"}, s); err == nil || !strings.Contains(err.Error(), "no leader") {
		t.Errorf("got %v", err)
	}
}

func TestTheHiveIsToldOnceAndThenUpdated(t *testing.T) {
	t.Setenv("TOCSIN_TEST_TOKEN", "k3y")
	var asked []string
	hive := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		switch {
		case r.Header.Get("Authorization") != "Bearer k3y":
			w.WriteHeader(401)
		case r.URL.Path == "/hive/api/v1/alert":
			w.WriteHeader(400)
			fmt.Fprint(w, `{"type":"CreateError","message":"Alert already exist in organisation soc"}`)
		case r.URL.Path == "/hive/api/v1/query":
			fmt.Fprint(w, `[{"customFields":[{"_id":"~1"}],"_id":"~42","_type":"Alert"}]`)
		}
	}))
	t.Cleanup(hive.Close)
	e := triage.EndpointConfig{Adapter: "thehive", URL: hive.URL + "/hive/api/v1/alert", AllowPlainHTTP: true, Token: triage.Secret{Env: "TOCSIN_TEST_TOKEN"}}
	if err := tested(t, e, settings()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked, ", "); got != "POST /hive/api/v1/alert, POST /hive/api/v1/query, PATCH /hive/api/v1/alert/~42" {
		t.Errorf("asked %s", got)
	}
}

// rebinding answers questions for a name with a public address, and once it is turned with loopback; asked counts them.
func rebinding(t *testing.T) (resolver *net.Resolver, asked *atomic.Int32, turned *atomic.Bool) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	asked, turned = new(atomic.Int32), new(atomic.Bool)
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) == 0 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				asked.Add(1)
				ip := [4]byte{192, 0, 2, 1} // for documentation: nobody is there
				if turned.Load() {
					ip = [4]byte{127, 0, 0, 1}
				}
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AResource{A: ip}}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = pc.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}, asked, turned
}

func TestANameThatLeadsInsideIsNotConnectedToByAnyWay(t *testing.T) {
	t.Setenv("TOCSIN_TEST_TOKEN", "pass w0rd")
	t.Setenv("TOCSIN_TEST_SECRET", secret)
	connected := make(chan struct{}, 16)
	inside := logServer(t, nil, func(net.Conn) { connected <- struct{}{} })
	_, port, _ := net.SplitHostPort(inside)
	for _, e := range []triage.EndpointConfig{
		{URL: "http://rebound.example:" + port, AllowPlainHTTP: true, Secret: triage.Secret{Env: "TOCSIN_TEST_SECRET"}},
		{Adapter: "slack", URL: "https://rebound.example:" + port},
		{Adapter: "cef", URL: "tcp://rebound.example:" + port, AllowPlain: true},
		{Adapter: "cef", URL: "tls://rebound.example:" + port},
		{Adapter: "email", URL: "smtp://rebound.example:" + port, From: "a@b.example", To: []string{"c@d.example"}, AllowPlain: true},
		{Adapter: "email", URL: "smtps://rebound.example:" + port, From: "a@b.example", To: []string{"c@d.example"}},
	} {
		s := settings()
		var asked *atomic.Int32
		var turned *atomic.Bool
		s.Resolver, asked, turned = rebinding(t)
		e.AllowCIDRs, e.Timeout = []string{"192.0.2.0/24"}, 200*time.Millisecond // Nobody is at the public address.
		if err := tested(t, e, s); err == nil || strings.Contains(err.Error(), "not allowed") {
			t.Errorf("%s %s: the public address: %v", e.Adapter, e.URL, err)
		}
		turned.Store(true)
		before := asked.Load()
		e.Timeout = 0 // As long as the name takes.
		if err := tested(t, e, s); err == nil || !strings.Contains(err.Error(), "not allowed") || asked.Load() == before {
			t.Errorf("%s %s: after the name has been turned: %v", e.Adapter, e.URL, err)
		}
	}
	if len(connected) > 0 {
		t.Errorf("%d connections got inside", len(connected))
	}
}
