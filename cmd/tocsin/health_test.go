package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/app"
)

func TestHealthSaysWhatTheServiceAnswersAndEndsAccordingly(t *testing.T) {
	for status, want := range map[int]int{http.StatusOK: exitDone, http.StatusServiceUnavailable: exitFinding} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/readyz" {
				t.Errorf("asked for %s", r.URL.Path)
			}
			w.WriteHeader(status)
			fmt.Fprintf(w, "answer %d", status)
		}))
		file := filepath.Join(t.TempDir(), "tocsin.yaml")
		address := strings.TrimPrefix(s.URL, "http://")
		if err := os.WriteFile(file, []byte("console: {listen: '127.0.0.1:1'}\ntelemetry: {listen: '"+address+"'}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, talk bytes.Buffer
		if got := run([]string{"health", "--config", file}, nil, &out, &talk); got != want || out.String() != fmt.Sprintf("answer %d", status) {
			t.Errorf("status %d: exit code %d, want %d; said %q and %q", status, got, want, out.String(), talk.String())
		}
		s.Close()
		if got := run([]string{"health", "--config", file}, nil, &out, &talk); got != exitFailed || !strings.Contains(talk.String(), "is the service running") {
			t.Errorf("nobody there: exit code %d, want %d; said %q", got, exitFailed, talk.String())
		}
	}
}

func TestAnAddressOfAllInterfacesIsReachedOnLoopback(t *testing.T) {
	for listen, want := range map[string]string{
		"0.0.0.0:9464": "127.0.0.1:9464", ":9464": "127.0.0.1:9464", "[::]:9464": "[::1]:9464", "10.1.2.3:9464": "10.1.2.3:9464", "localhost:9464": "localhost:9464", "": "127.0.0.1:8080",
	} {
		cfg := app.DefaultConfig()
		cfg.Telemetry.Listen = listen
		if got := probeAddress(&cfg); got != want {
			t.Errorf("%q is asked at %s, want %s", listen, got, want)
		}
	}
}
