package crash_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/integration/broker"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// server is a ClickHouse that is not the service's own: an engine as `tocsin engine serve` has it, behind a proxy that can spoil it.
type server struct {
	t       *testing.T
	cfg     engine.Config
	process *engine.Process
	slow    atomic.Int64 // Nanoseconds that each answer takes longer.
	fixed   atomic.Bool  // Answers to inserts are those of a table that only can be read.
}

// outside lets the site use such a server.
func (o *site) outside() *server {
	t := o.t
	library, err := locate()
	must(t, err)
	s := &server{t: t, cfg: engine.DefaultConfig(filepath.Join(o.dir, "server"))}
	s.cfg.LibraryPath, s.cfg.Listen = library, broker.FreeAddress(t) // It comes back where it was.
	s.start()
	t.Cleanup(func() { _ = s.process.Close() })
	target, err := url.Parse("http://" + s.process.Addr())
	must(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // No server, no answer.
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.fixed.Load() && inserts(r) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("X-ClickHouse-Exception-Code", "242")
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, "Code: 242. DB::Exception: Table is in readonly mode since its replica lost the coordinator. (TABLE_IS_READ_ONLY)\n")
			return
		}
		time.Sleep(time.Duration(s.slow.Load()))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	secret := filepath.Join(o.dir, "password")
	must(t, os.WriteFile(secret, []byte(s.process.Token()), 0o600))
	o.cfg.ClickHouse.Addr = []string{strings.TrimPrefix(front.URL, "http://")}
	o.cfg.ClickHouse.Username = engine.User
	o.cfg.ClickHouse.Password = app.Secret{File: secret}
	return s
}

// inserts reports whether a request is an INSERT, whose text is a parameter or begins the body.
func inserts(r *http.Request) bool {
	text := r.URL.Query().Get("query")
	if text == "" {
		head := make([]byte, 256)
		n, _ := io.ReadFull(r.Body, head)
		text = string(head[:n])
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(head[:n]), r.Body))
	}
	return strings.HasPrefix(strings.ToUpper(strings.TrimSpace(text)), "INSERT")
}

// start starts the engine; again at the same address.
func (s *server) start() {
	s.t.Helper()
	var err error
	s.process, err = engine.Start(s.t.Context(), s.cfg)
	must(s.t, err)
	s.cfg.Listen, s.cfg.Token = s.process.Addr(), s.process.Token()
}

// kill is kill -9.
func (s *server) kill() {
	s.t.Helper()
	must(s.t, syscall.Kill(s.process.PID(), syscall.SIGKILL))
	<-s.process.Done()
}
