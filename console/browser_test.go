package console_test

import (
	"bytes"
	"fmt"
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

func TestABrowserShowsThePages(t *testing.T) {
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
		"queue":    {"/incidents", []string{"Queue", "Repeated protective stops of AMR-0017", "authorised activity", "5 incidents", id}},
		"incident": {"/incidents/" + id, []string{"Malfunction or intrusion?", "Intrusion", "Which robots?", "AMR-0042", "Second-factor fatigue", "Why these belong together", "<svg", "<circle", `id="m0"`, "acknowledge"}},
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

// screenshots keeps pictures of a page for people to look at, where TOCSIN_SCREENSHOTS names a folder.
func screenshots(t *testing.T, run func(...string) string, name, url string) {
	t.Helper()
	dir := os.Getenv("TOCSIN_SCREENSHOTS")
	if dir == "" {
		return
	}
	for look, args := range map[string][]string{
		"light": {"--window-size=1280,3400"}, "dark": {"--window-size=1280,3400", "--blink-settings=preferredColorScheme=0"}, "zoom": {"--window-size=640,5200"},
	} {
		file := filepath.Join(dir, fmt.Sprintf("%s-%s.png", name, look))
		run(append(args, "--screenshot="+file, url)...)
	}
}
