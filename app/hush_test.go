package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// ask posts JSON to the API.
func (o *outlet) ask(path, key, body string) (int, map[string]any) {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), http.MethodPost, o.svc.url+path, strings.NewReader(body))
	must(o.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	w, err := http.DefaultClient.Do(r)
	must(o.t, err)
	defer w.Body.Close()
	b, err := io.ReadAll(w.Body)
	must(o.t, err)
	var doc map[string]any
	must(o.t, json.Unmarshal(b, &doc))
	return w.StatusCode, doc
}

func TestSuppressionsAndDispositionsSurviveAKill(t *testing.T) {
	needEngine(t)
	o := newSmall(t, "")
	o.svc = start(t, o.config, o.ahead)
	o.say("sshd", refused(0, users(0, 2)...))
	q := o.incidents(2)
	a := q["user00"]
	path := "/api/v1/incidents/" + a.ID + "/disposition"
	body := fmt.Sprintf(`{"expected_version":%d,"status":"closed","verdict":"BenignPositive","comment":"a drill"}`, a.Revision)
	status, first := o.ask(path, "k1", body)
	if status != 200 || first["verdict"] != "authorised_activity" {
		t.Fatalf("%d %v", status, first)
	}
	if status, refused := o.ask("/api/v1/suppressions", "s0", `{"title":"drill","expression":"\"user02\" in user","owner":"it","reason":"a drill","until":"2027-06-01T00:00:00Z"}`); status != 422 || !strings.Contains(fmt.Sprint(refused["detail"]), "user") {
		t.Errorf("an expression with an unknown name got %d %v", status, refused)
	}
	status, made := o.ask("/api/v1/suppressions", "s1", `{"title":"drill","expression":"\"user02\" in users","owner":"it","reason":"a drill","until":"2027-06-01T00:00:00Z"}`)
	if status != 200 || made["state"] != "active" {
		t.Fatalf("%d %v", status, made)
	}
	o.svc.kill()
	o.svc = start(t, o.config, o.ahead)
	if status, again := o.ask(path, "k1", body); status != 200 || fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("after the kill the same request got %d %v, was answered %v", status, again, first)
	}
	if status, other := o.ask(path, "k1", `{"expected_version":2}`); status != 422 || other["code"] != "key_reused" {
		t.Errorf("the key with another request got %d %v", status, other)
	}
	o.say("sshd", refused(0, users(2, 4)...))
	q = o.incidents(3)
	if _, there := q["user02"]; there {
		t.Error("what is suppressed made an incident")
	}
	if _, page, err := get(t, o.svc.url+"/suppressions"); err != nil || !strings.Contains(page, "drill") || !strings.Contains(page, `<td class="number">1</td>`) {
		t.Errorf("%v\n%s", err, page)
	}
	_, preview, err := get(t, o.svc.url+"/api/v1/suppressions/preview?expression=true")
	must(t, err)
	var impact struct{ Incidents, Whole int }
	if err := json.Unmarshal([]byte(preview), &impact); err != nil || impact.Incidents != 3 || impact.Whole != 3 {
		t.Errorf("%v: %s", err, preview)
	}
}
