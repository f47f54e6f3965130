package llm_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/llm"
)

// server is a model server that answers as the test says, one answer a question; the last repeats.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	asked []map[string]any
	raw   []string
}

type reply struct {
	status int
	header map[string]string
	body   string
	hang   bool
}

// completion is a chat completion with the content.
func completion(content, finish string) reply {
	b, err := json.Marshal(map[string]any{
		"choices": []any{map[string]any{"index": 0, "finish_reason": finish, "message": map[string]any{"role": "assistant", "content": content}}},
		"usage":   map[string]any{"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200},
	})
	if err != nil {
		panic(err)
	}
	return reply{status: 200, body: string(b)}
}

func problem(status int, text string) reply {
	return reply{status: status, body: fmt.Sprintf(`{"error":{"message":%q,"type":"invalid_request_error"}}`, text)}
}

func serve(t *testing.T, replies ...reply) *server {
	t.Helper()
	s := &server{}
	end := make(chan struct{})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var q map[string]any
		_ = json.Unmarshal(body, &q)
		s.mu.Lock()
		answer := replies[min(len(s.asked), len(replies)-1)]
		s.asked, s.raw = append(s.asked, q), append(s.raw, string(body))
		s.mu.Unlock()
		if answer.hang {
			select {
			case <-r.Context().Done():
			case <-end:
			}
			return
		}
		for k, v := range answer.header {
			w.Header().Set(k, v)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(answer.status)
		_, _ = io.WriteString(w, answer.body)
	}))
	t.Cleanup(func() { close(end); s.Close() })
	return s
}

func (s *server) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func (s *server) config() triage.ModelConfig {
	c := triage.DefaultModelConfig()
	c.URL, c.Model, c.AllowCIDRs, c.AllowPlainHTTP = s.URL+"/v1", "random", []string{"127.0.0.0/8", "::1/128"}, true
	return c
}

func open(t *testing.T, c triage.ModelConfig) (*llm.Model, *[]time.Duration) {
	t.Helper()
	m, err := llm.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	var pauses []time.Duration
	m.NoPause(&pauses)
	return m, &pauses
}

func TestWhateverTheServerDoesTheDeterministicTextStands(t *testing.T) {
	in := (&plant{}).incident(t)
	answer := good().String()
	refusal := reply{status: 200, body: `{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"","refusal":"I cannot help with security incidents."}}]}`}
	busy := problem(429, "slow down")
	busy.header = map[string]string{"Retry-After": "3"}
	long := problem(429, "slow down")
	long.header = map[string]string{"Retry-After": "900"}
	for name, c := range map[string]struct {
		replies   []reply
		want      llm.Failure
		questions int
		pauses    []time.Duration
	}{
		"good":                       {[]reply{completion(answer, "stop")}, "", 1, nil},
		"thoughts and fences":        {[]reply{completion("<think>hm</think>```json\n"+answer+"\n```", "stop")}, "", 1, nil},
		"busy once":                  {[]reply{busy, completion(answer, "stop")}, "", 2, []time.Duration{3 * time.Second}},
		"busy without saying how":    {[]reply{problem(503, "x"), completion(answer, "stop")}, "", 2, []time.Duration{2 * time.Second}},
		"busy twice":                 {[]reply{busy}, llm.FailBusy, 2, []time.Duration{3 * time.Second}},
		"busy for long":              {[]reply{long}, llm.FailBusy, 1, nil},
		"broken":                     {[]reply{{status: 500, body: "oops <html>"}}, llm.FailBusy, 2, []time.Duration{2 * time.Second}},
		"wrong key":                  {[]reply{problem(401, "no")}, llm.FailServer, 1, nil},
		"unknown model":              {[]reply{problem(404, "model not found")}, llm.FailServer, 1, nil},
		"refuses":                    {[]reply{refusal}, llm.FailRefusal, 1, nil},
		"refuses in prose":           {[]reply{completion("I'm sorry, I can't help with that.", "stop")}, llm.FailUnproven, 1, nil},
		"filtered":                   {[]reply{completion("", "content_filter")}, llm.FailRefusal, 1, nil},
		"cut off once":               {[]reply{completion(answer[:200], "length"), completion(answer, "stop")}, "", 2, nil},
		"cut off twice":              {[]reply{completion(answer[:200], "length")}, llm.FailCut, 2, nil},
		"empty":                      {[]reply{completion("", "stop")}, llm.FailEmpty, 1, nil},
		"no choice":                  {[]reply{{status: 200, body: `{"choices":[]}`}}, llm.FailEmpty, 1, nil},
		"invalid answer":             {[]reply{completion(answer[:200], "stop")}, llm.FailUnproven, 1, nil},
		"no JSON at all":             {[]reply{{status: 200, body: "<html>"}}, llm.FailServer, 1, nil},
		"half a response":            {[]reply{{status: 200, body: `{"choices":[{"mess`}}, llm.FailServer, 1, nil},
		"redirects":                  {[]reply{{status: 302, header: map[string]string{"Location": "http://169.254.169.254/"}}}, llm.FailServer, 1, nil},
		"knows no bounds":            {[]reply{problem(400, "maxLength is not supported"), completion(answer, "stop")}, "", 2, nil},
		"knows no schema":            {[]reply{problem(400, "response_format"), problem(422, "x"), completion(answer, "stop")}, "", 3, nil},
		"knows no response format":   {[]reply{problem(400, "a"), problem(400, "b"), problem(501, "c"), completion(answer, "stop")}, "", 4, nil},
		"refuses every way":          {[]reply{problem(400, "context too long")}, llm.FailServer, 4, nil},
		"a megabyte and more of air": {[]reply{{status: 200, body: `{"choices":[{"message":{"content":"` + strings.Repeat("a", 2<<20) + `"}}]}`}}, llm.FailServer, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.replies...)
			m, pauses := open(t, s.config())
			o, err := m.Ask(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if o.Failure != c.want || (o.Overlay != nil) != (c.want == "") {
				t.Errorf("failure %q (%s), overlay %t; want %q", o.Failure, o.Detail, o.Overlay != nil, c.want)
			}
			if s.questions() != c.questions || !slices.Equal(*pauses, c.pauses) {
				t.Errorf("%d questions, pauses %v; want %d, %v", s.questions(), *pauses, c.questions, c.pauses)
			}
			if note := o.Failure.Note(o.Detail); c.want != "" && !strings.Contains(note, "deterministic summary") {
				t.Errorf("the note says %q", note)
			}
		})
	}
}

func TestASlowServerEndsTheQuestion(t *testing.T) {
	s := serve(t, reply{hang: true})
	c := s.config()
	c.Timeout = 3 * time.Second // In which it certainly is asked.
	m, _ := open(t, c)
	o, err := m.Ask(t.Context(), (&plant{}).incident(t))
	if err != nil || o.Failure != llm.FailTimeout || s.questions() != 1 {
		t.Errorf("%v, %q after %d questions", err, o.Failure, s.questions())
	}
}

func TestTheQuestionHasNoToolsNoHistoryAndHalfThePackTheSecondTime(t *testing.T) {
	s := serve(t, completion("x", "length"), completion(good().String(), "stop"))
	c := s.config()
	c.InputTokens = 2000
	t.Setenv("MODEL_KEY", "secret-key")
	c.Key = triage.Secret{Env: "MODEL_KEY"}
	m, _ := open(t, c)
	if _, err := m.Ask(t.Context(), (&plant{}).incident(t)); err != nil {
		t.Fatal(err)
	}
	q := s.asked[0]
	for _, key := range slices.Sorted(keys(q)) {
		if !slices.Contains([]string{"max_tokens", "messages", "model", "response_format", "seed", "stream", "temperature"}, key) {
			t.Errorf("the question has %s", key)
		}
	}
	messages, _ := q["messages"].([]any)
	if len(messages) != 2 || q["stream"] != false || q["max_tokens"] != 900.0 {
		t.Errorf("%d messages, stream %v, max_tokens %v", len(messages), q["stream"], q["max_tokens"])
	}
	if len(s.raw[1]) >= len(s.raw[0]) {
		t.Errorf("the second question has %d bytes, the first %d", len(s.raw[1]), len(s.raw[0]))
	}
	if strings.Contains(s.raw[0], "secret-key") {
		t.Error("the key is in the question")
	}
}

func TestTheLadderIsClimbedOnce(t *testing.T) {
	s := serve(t, problem(400, "a"), problem(400, "b"), completion(good().String(), "stop"))
	m, _ := open(t, s.config())
	for range 3 {
		if o, err := m.Ask(t.Context(), (&plant{}).incident(t)); err != nil || o.Overlay == nil || o.Mode != "json_object" {
			t.Fatalf("%v %+v", err, o)
		}
	}
	if s.questions() != 5 {
		t.Errorf("%d questions", s.questions())
	}
	if !strings.Contains(s.raw[4], `The schema:`) || !strings.Contains(s.raw[4], `"json_object"`) {
		t.Errorf("the schema is not told in words: %s", s.raw[4])
	}
}

func TestOnlyAllowedAddressesAreAsked(t *testing.T) {
	s := serve(t, completion(good().String(), "stop"))
	c := s.config()
	c.AllowCIDRs = nil
	m, _ := open(t, c)
	o, err := m.Ask(t.Context(), (&plant{}).incident(t))
	if err != nil || o.Failure != llm.FailServer || s.questions() != 0 {
		t.Errorf("%v %+v, %d questions", err, o, s.questions())
	}
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
