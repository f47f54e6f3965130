package app_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestAFeedGoesOnAfterARestartWhereItsReaderStopped(t *testing.T) {
	needEngine(t)
	o := newSmall(t, "")
	o.svc = start(t, o.config, o.ahead)
	o.say("sshd", refused(0, users(0, 3)...))
	o.incidents(3)
	first := o.changesOnce(3)
	o.svc.kill()
	o.svc = start(t, o.config, o.ahead)
	if again := o.changes(""); !slices.Equal(first, again) || len(first) < 3 {
		t.Errorf("the feed tells %v after the restart, told %v before", again, first)
	}
	o.say("sshd", refused(3, users(3, 5)...))
	o.incidents(5)
	all, rest := o.changesOnce(5), o.changes(first[len(first)-1])
	if want := all[len(first):]; !slices.Equal(rest, want) || len(rest) < 2 {
		t.Errorf("since %s the feed tells %v, want %v", first[len(first)-1], rest, want)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.svc.url+"/api/v1/stream", nil)
	must(t, err)
	req.Header.Set("Last-Event-ID", first[len(first)-1])
	stream, err := http.DefaultClient.Do(req)
	must(t, err)
	defer stream.Body.Close()
	var told []string
	for lines := bufio.NewScanner(stream.Body); len(told) < len(rest) && lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			told = append(told, id)
		}
	}
	if !slices.Equal(told, rest) {
		t.Errorf("a stream that reconnects is told %v, want %v", told, rest)
	}
}

// changesOnce are all changes of the feed, once there are at least n: an incident can be seen a moment before its change.
func (o *outlet) changesOnce(n int) (out []string) {
	o.t.Helper()
	eventually(o.t, func() bool { out = o.changes(""); return len(out) >= n }, func() string { return fmt.Sprintf("%d changes", len(out)) })
	return out
}

// changes are the sequences of the feed's changes after one.
func (o *outlet) changes(since string) (out []string) {
	o.t.Helper()
	_, body, err := get(o.t, o.svc.url+"/api/v1/changes.ndjson?since="+url.QueryEscape(since))
	must(o.t, err)
	for line := range strings.Lines(body) {
		s := regexp.MustCompile(`"sequence":"([^"]+)"`).FindStringSubmatch(line)
		if s == nil {
			o.t.Fatalf("a line of the feed has no sequence: %s", line)
		}
		out = append(out, s[1])
	}
	return out
}
