package engine_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/compress"

	"github.com/tocsin-siem/tocsin/store/engine"
)

type answer struct {
	status  int
	code    string
	body    string
	headers http.Header
}

// post sends one request as a client other than clickhouse-go would.
func post(t *testing.T, p *engine.Process, query url.Values, body io.Reader, header http.Header) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+p.Addr()+"/?"+query.Encode(), body)
	must(t, err)
	for name, values := range header {
		req.Header[name] = values
	}
	if header == nil {
		req.SetBasicAuth(engine.User, p.Token())
	}
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return answer{status: res.StatusCode, code: res.Header.Get("X-ClickHouse-Exception-Code"), body: string(text), headers: res.Header}
}

func TestOnlyTheTokenOfThisStartOpensTheEngine(t *testing.T) {
	p := start(t, config(t.TempDir()))
	right := http.Header{"X-Clickhouse-Key": {p.Token()}}
	for name, tc := range map[string]struct {
		header http.Header
		status int
		code   string
	}{
		"the token as a key": {right, 200, ""},
		"no token":           {http.Header{}, 403, "516"},
		"a wrong key":        {http.Header{"X-Clickhouse-Key": {p.Token() + "x"}}, 403, "516"},
		"an empty key":       {http.Header{"X-Clickhouse-Key": {""}}, 403, "516"},
	} {
		got := post(t, p, url.Values{"query": {"SELECT 1"}}, nil, tc.header)
		if got.status != tc.status || got.code != tc.code {
			t.Errorf("%s: status %d code %q, want %d %q: %s", name, got.status, got.code, tc.status, tc.code, got.body)
		}
	}
	conn := open(t, options(p.Addr(), "wrong"))
	if err := conn.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "516") {
		t.Errorf("clickhouse-go with a wrong password got %v, want code 516", err)
	}
}

func TestPingNeedsNoToken(t *testing.T) {
	p := start(t, config(t.TempDir()))
	res, err := http.Get("http://" + p.Addr() + "/ping")
	must(t, err)
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || string(text) != "Ok.\n" {
		t.Errorf("ping says %q, %v", text, err)
	}
}

func TestABodyThatIsTooLargeOrCutShortInsertsNothing(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.MaxBody = 1 << 20
	p := start(t, cfg)
	conn := dial(t, p)
	must(t, conn.Exec(t.Context(), "CREATE TABLE t (s String) ENGINE = MergeTree ORDER BY tuple()"))
	insert := url.Values{"query": {"INSERT INTO t FORMAT TSV"}}
	lines := strings.Repeat("a line of an insert\n", 100_000)

	if got := post(t, p, insert, strings.NewReader(lines), nil); got.status != 413 || got.code != "290" {
		t.Errorf("too large: status %d code %s: %s", got.status, got.code, got.body)
	}
	packed := compress.NewWriter(compress.LevelZero, compress.LZ4)
	must(t, packed.Compress([]byte(lines)))
	compressed := url.Values{"query": insert["query"], "decompress": {"1"}}
	if got := post(t, p, compressed, bytes.NewReader(packed.Data), nil); got.status != 413 || got.code != "290" {
		t.Errorf("too large after decompression: status %d code %s: %s", got.status, got.code, got.body)
	}
	must(t, packed.Compress([]byte("one line\n")))
	for _, cut := range []int{10, 25, len(packed.Data) - 1} {
		if got := post(t, p, compressed, bytes.NewReader(packed.Data[:cut]), nil); got.status != 400 || got.code != "33" {
			t.Errorf("cut at %d: status %d code %s: %s", cut, got.status, got.code, got.body)
		}
	}
	if got := count(t, conn, "t"); got != 0 {
		t.Errorf("%d rows, want none", got)
	}
	if got := post(t, p, compressed, bytes.NewReader(packed.Data), nil); got.status != 200 {
		t.Errorf("the whole block: status %d: %s", got.status, got.body)
	}
}

func TestAStatementMayComeInTheQueryTheBodyOrBoth(t *testing.T) {
	p := start(t, config(t.TempDir()))
	for name, tc := range map[string]struct{ query, body string }{
		"query": {"SELECT 40 + 2", ""},
		"body":  {"", "SELECT 40 + 2;\n"},
		"both":  {"SELECT 40", "+ 2"},
	} {
		got := post(t, p, url.Values{"query": {tc.query}}, strings.NewReader(tc.body), nil)
		if got.status != 200 || got.body != "42\n" {
			t.Errorf("%s: status %d, %q", name, got.status, got.body)
		}
	}
	long := "SELECT length('" + strings.Repeat("x", 2<<20) + "')"
	if got := post(t, p, nil, strings.NewReader(long), nil); got.status != 413 || got.code != "62" {
		t.Errorf("a statement of 2 MB: status %d code %s", got.status, got.code)
	}
}

func TestWhatIsNotSupportedIsRefused(t *testing.T) {
	p := start(t, config(t.TempDir()))
	header := http.Header{"X-Clickhouse-Key": {p.Token()}, "Content-Type": {"multipart/form-data; boundary=x"}}
	if got := post(t, p, nil, nil, header); got.status != 501 || got.code != "48" {
		t.Errorf("external tables: status %d code %s: %s", got.status, got.code, got.body)
	}
	header = http.Header{"X-Clickhouse-Key": {p.Token()}, "Content-Encoding": {"br"}}
	if got := post(t, p, nil, nil, header); got.status != 415 || got.code != "48" {
		t.Errorf("brotli: status %d code %s: %s", got.status, got.code, got.body)
	}
}
