package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/tocsin-siem/tocsin/console"
)

// probe serves what supervisors and Prometheus ask, on an address of its own: it may be reached from elsewhere, for it tells nothing of
// incidents. It answers from the start on, so that a long recovery is not taken for a hanging process.
func (s *Service) probe() error {
	if s.cfg.Telemetry.Listen == "" {
		return nil
	}
	var err error
	if s.probes, err = net.Listen("tcp", s.cfg.Telemetry.Listen); err != nil {
		return fmt.Errorf("telemetry.listen %s: %w; choose a free port", s.cfg.Telemetry.Listen, err)
	}
	mux := http.NewServeMux()
	for pattern, h := range s.probeMounts() {
		mux.Handle(pattern, h)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(s.probes); !errors.Is(err, http.ErrServerClosed) {
			s.tel.Log.Error("probes stopped", "err", err)
		}
	}()
	s.onStop("probes", func(ctx context.Context) error {
		ctx, enough := context.WithTimeout(ctx, manners)
		defer enough()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
		<-done
		return nil
	})
	return nil
}

// probeMounts are the handlers of the probes, which the console's address has, too.
func (s *Service) probeMounts() map[string]http.Handler {
	mounts := map[string]http.Handler{
		"GET /healthz": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, nil) }),
		"GET /readyz": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if !s.ready.Load() {
				answer(w, http.StatusServiceUnavailable, []console.Check{{Name: "start", Detail: "the state is being recovered"}})
				return
			}
			answer(w, http.StatusOK, s.checks())
		}),
	}
	if s.tel.Metrics != nil {
		mounts["GET /metrics"] = s.tel.Metrics
	}
	return mounts
}

// answer says how things stand. A store that is away does not make a process unready: it waits, and restarting it would not help.
func answer(w http.ResponseWriter, status int, checks []console.Check) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"ok": status == http.StatusOK, "checks": checks})
}
