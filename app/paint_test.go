package app_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// paint lets a browser ask for the pages among the questions, those that search everything left out, and tells what their first paint took; it fails where that is longer than a second.
// The browser's side must be built: make bench-pages PAINT=1 does that.
func (c *visitor) paint(ctx context.Context, url string, list []question, only *regexp.Regexp) {
	c.t.Helper()
	web, err := filepath.Abs("../console/web")
	must(c.t, err)
	var paths []string
	for _, q := range list {
		if q.most == pageTime && only.MatchString(q.path) && !strings.HasPrefix(q.path, "/api/") && !strings.HasPrefix(q.path, "/feeds/") && !strings.Contains(q.path, "/export/") && !strings.HasSuffix(q.path, ".csv") && q.path != "/sign-in" {
			paths = append(paths, q.path)
		}
	}
	cmd := exec.CommandContext(ctx, "node", filepath.Join(".test", "browser", "paint.mjs"))
	cmd.Dir, cmd.Stdin = web, strings.NewReader(strings.Join(paths, "\n"))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "TOCSIN_URL="+url, "TOCSIN_PERSON="+bigPerson, "TOCSIN_PASSWORD="+bigPassword)
	if err := cmd.Run(); err != nil {
		c.t.Errorf("first paints: %v", err)
	}
}
