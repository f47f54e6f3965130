package console_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
)

// browser is a Chromium that runs once per page, without a profile and without reaching out. The test needs one where TOCSIN_BROWSER is set
// (then it may name it), and is skipped where there is none otherwise.
func browser(t *testing.T) func(args ...string) string {
	t.Helper()
	required := os.Getenv("TOCSIN_BROWSER")
	for _, name := range []string{required, "chromium", "chromium-browser", "google-chrome"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		return func(args ...string) string {
			t.Helper()
			cmd := exec.CommandContext(t.Context(), path, append([]string{
				"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
				"--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--user-data-dir=" + t.TempDir(),
			}, args...)...)
			var out, said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &said
			if err := cmd.Run(); err != nil {
				t.Fatalf("%s %v: %v\n%s", path, args, err, said.String())
			}
			return out.String()
		}
	}
	if required != "" {
		t.Fatal("TOCSIN_BROWSER is set, but there is no Chromium: install chromium or let TOCSIN_BROWSER name one")
	}
	t.Skip("no Chromium: install chromium to see the pages in a browser")
	return nil
}

func TestABrowserShowsEveryPage(t *testing.T) {
	run := browser(t)
	p, in := compromised(t)
	p.fixed = routine()
	server := httptest.NewServer(p.handler(t))
	defer server.Close()
	id := event.FormatID(event.IncidentPrefix, in.ID)
	program := in.Findings[2].Evidence[1].Event.Event
	pages := map[string]struct {
		path  string
		texts []string
	}{
		"queue":    {"/incidents?q=", []string{"Queue", "Repeated protective stops of AMR-0017", "authorised activity", "5 incidents", id}},
		"incident": {"/incidents/" + id, []string{"Malfunction or intrusion?", "Intrusion", "Which robots?", "AMR-0042", "Second-factor fatigue", "Why these belong together", "<svg", "<circle", `id="m0"`, "acknowledge"}},
		"rejects":  {"/rejects", []string{"json_syntax"}},
		"health":   {"/health", []string{"needs attention"}},
		"event":    {"/events/" + program.String(), []string{"robot_control.program_load", "load program pick_v9_final.urp", "robot_command.name", "Normalised", "Raw", "OCSF"}},
	}
	for name, page := range pages {
		dom := run("--dump-dom", server.URL+page.path)
		for _, text := range page.texts {
			if !strings.Contains(strings.ToLower(dom), strings.ToLower(text)) {
				t.Errorf("the browser's %s page lacks %q", name, text)
			}
		}
		screenshots(t, run, name, server.URL+page.path)
	}
}

// A page of the console cannot send its form by itself, for it runs no script; so a page with one stands beside it, under the console's
// own policy but for that script.
func TestABrowserActsFromTheConsolesPagesAndFromNowhereElse(t *testing.T) {
	run := browser(t)
	p, in := compromised(t)
	h := p.handler(t)
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc("GET /sender", func(w http.ResponseWriter, r *http.Request) {
		sent := get(h, "/incidents").Header()
		w.Header().Set("Referrer-Policy", sent.Get("Referrer-Policy"))
		if r.URL.Query().Get("policy") != "" {
			w.Header().Set("Content-Security-Policy", sent.Get("Content-Security-Policy")+"; script-src 'unsafe-inline'")
		}
		fmt.Fprintf(w, `<!doctype html><form method="post" action="%s/incidents/%s"><input name="revision" value="1"><input name="by" value="ana"><input name="action" value="note"><input name="text" value="from %s"></form><script>document.forms[0].submit()</script>`,
			r.URL.Query().Get("to"), id(in), r.Host)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	other := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	foreign := run("--virtual-time-budget=4000", "--dump-dom", other+"/sender?to="+server.URL)
	own := run("--virtual-time-budget=4000", "--dump-dom", server.URL+"/sender?policy=1")
	server.Close() // waits for the handlers, whose traces are read now
	if !strings.Contains(foreign, "The request came from another web site.") {
		t.Errorf("from another site: %s", foreign)
	}
	if !strings.Contains(own, "from 127.0.0.1") || !strings.Contains(own, "Why these belong together") {
		t.Errorf("from the console: %s", own)
	}
	if len(p.acts) != 1 || p.changes != 1 {
		t.Errorf("%d acts and %d changes, want one of the console's own and none of the other site's", len(p.acts), p.changes)
	}
}

// screenshots keeps pictures of a page for people to look at, where TOCSIN_SCREENSHOTS names a folder.
func screenshots(t *testing.T, run func(...string) string, name, url string) {
	t.Helper()
	dir := os.Getenv("TOCSIN_SCREENSHOTS")
	if dir == "" {
		return
	}
	for look, args := range map[string][]string{
		"light": {"--window-size=1280,4300"}, "dark": {"--window-size=1280,4300", "--blink-settings=preferredColorScheme=0"}, "zoom": {"--window-size=640,5200"},
	} {
		file := filepath.Join(dir, fmt.Sprintf("%s-%s.png", name, look))
		run(append(args, "--screenshot="+file, url)...)
	}
}
