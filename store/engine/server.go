package engine

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"
)

// server speaks ClickHouse's HTTP interface for one pool of handles.
type server struct {
	lock    *os.File // on the data directory
	cfg     Config
	pool    *pool
	inserts string // directory of inserts' data that has no room in memory
	memory  *bodyMemory
	version string
	zone    string
	asked   *bell // nil without a parent
	back    *backRoom
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/ping", "/replicas_status":
		_, _ = io.WriteString(w, "Ok.\n")
	case "/":
		s.serveStatement(w, r)
	case hurryPath:
		s.serveHurry(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (s *server) serveStatement(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-ClickHouse-Server-Display-Name", displayName)
	w.Header().Set("X-ClickHouse-Timezone", s.zone)
	if !s.authorized(r) {
		writeFailure(w, failf(http.StatusForbidden, 516, "AUTHENTICATION_FAILED", "%s: Authentication failed: the embedded engine takes only the token of its start", User))
		return
	}
	q, err := s.readRequest(w, r)
	if err == nil {
		err = s.run(w, r, q)
	}
	if err != nil {
		writeFailure(w, err)
	}
}

// authorized compares the token in constant time, from where ClickHouse's clients put the password.
func (s *server) authorized(r *http.Request) bool {
	given := r.Header.Get("X-ClickHouse-Key")
	if _, password, ok := r.BasicAuth(); ok {
		given = password
	}
	return subtle.ConstantTimeCompare([]byte(given), []byte(s.cfg.Token)) == 1
}

// run answers one statement. An error it returns has not been written yet.
func (s *server) run(w http.ResponseWriter, r *http.Request, q request) error {
	switch {
	case q.revision > 0 && strings.TrimRight(q.text, "; \n") == helloQuery:
		return s.writeHello(w, q)
	case q.kind == kindInsert:
		return s.insert(r.Context(), w, q)
	}
	session, err := s.pool.take(r.Context(), q.key)
	if err != nil {
		return err
	}
	defer s.pool.put(session, q.kind == kindSession)
	if q.kind != kindRead {
		return runWhole(session, w, q)
	}
	mark := "/*" + rand.Text() + "*/"
	q.text = strings.TrimRight(q.text, "; \t\r\n") + "\n" + mark
	stop := s.killWhenGone(r.Context(), mark)
	defer stop()
	if !q.whole && streamable[strings.ToLower(q.outputFormat)] {
		return runStream(session, w, q)
	}
	return runWhole(session, w, q)
}

// killInterval is how often an abandoned statement is asked to end: it may not have begun when it is asked first.
const killInterval = 200 * time.Millisecond

// killWhenGone ends the marked statement when its client is gone. The library cannot interrupt a call from outside, but
// KILL QUERY from another handle does. The returned function ends the watch and waits for it.
func (s *server) killWhenGone(ctx context.Context, mark string) func() {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		for {
			_ = s.pool.kill(mark)
			select {
			case <-done:
				return
			case <-time.After(killInterval):
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

func runWhole(session *session, w http.ResponseWriter, q request) error {
	r, err := session.query(q.text, q.outputFormat, q.params)
	if err != nil {
		return err
	}
	defer r.free()
	out := q.output(w)
	if q.compress == compress.None {
		w.Header().Set("Content-Length", strconv.Itoa(len(r.bytes())))
	}
	_, _ = out.Write(r.bytes()) // a client that has gone wants no answer
	return nil
}

// streamable formats have neither head nor tail, so the library's blocks, which are whole answers each, can follow one
// another. Everything else is answered in one piece. Names are in lower case.
var streamable = map[string]bool{
	"native": true, "rowbinary": true, "tabseparated": true, "tsv": true, "tabseparatedraw": true, "tsvraw": true, "csv": true,
	"jsoneachrow": true, "jsonlines": true, "ndjson": true, "jsoncompacteachrow": true,
}

func runStream(session *session, w http.ResponseWriter, q request) error {
	stream, err := session.stream(q.text, q.outputFormat, q.params)
	if err != nil {
		if strings.Contains(err.Error(), "Streaming query is not supported") {
			return runWhole(session, w, q)
		}
		return err
	}
	defer stream.free()
	block, err := session.fetch(stream)
	if err != nil {
		return err
	}
	tag := strings.ToLower(rand.Text())[:16]
	w.Header().Set("X-ClickHouse-Exception-Tag", tag)
	out := q.output(w)
	if len(block.bytes()) == 0 {
		w.Header().Set("Content-Length", "0")
	}
	for len(block.bytes()) > 0 {
		_, err := out.Write(block.bytes())
		block.free()
		if err != nil {
			session.abandon(stream)
			return nil
		}
		block, err = session.fetch(stream)
		if err != nil {
			writeException(w, tag, err)
			return nil
		}
	}
	block.free()
	return nil
}

// output sets the answer's headers and returns where its bytes go.
func (q request) output(w http.ResponseWriter) io.Writer {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-ClickHouse-Format", q.outputFormat)
	if q.compress == compress.None {
		return w
	}
	return &blockWriter{to: w, blocks: compress.NewWriter(compress.LevelZero, q.compress)}
}

// insert keeps the data until the engine has it.
func (s *server) insert(ctx context.Context, w http.ResponseWriter, q request) error {
	data, err := s.keep(q)
	if err != nil {
		return err
	}
	read := false
	defer func() { data.drop(read) }()
	if data.size == 0 {
		// A server takes this for an insert of no rows. clickhouse-go sends an empty body when it could not encode a
		// batch, and reports success: rows would be lost in silence.
		return failf(http.StatusBadRequest, 108, "NO_DATA_TO_INSERT", "the insert has no data")
	}
	session, err := s.pool.take(ctx, q.key)
	if err != nil {
		return err
	}
	defer s.pool.put(session, false)
	run := func() {
		var r result
		if r, err = session.query(q.fromFile(q.text, data.path), q.outputFormat, q.params); err == nil {
			r.free()
		}
	}
	if q.patient {
		s.back.do(run)
	} else {
		run()
	}
	if err != nil {
		return err
	}
	read = true
	w.Header().Set("Content-Length", "0")
	return nil
}

const (
	// helloQuery is the first statement of clickhouse-go's HTTP connections.
	helloQuery  = "SELECT displayName(), version(), revision(), timezone()"
	displayName = "tocsin embedded engine"
)

// writeHello answers helloQuery by hand. The client decodes this one answer at its own protocol revision, which the
// library cannot write; by revision 0 it is told to decode all further answers as plain Native, which the library can.
func (s *server) writeHello(w http.ResponseWriter, q request) error {
	var name, version, zone proto.ColStr
	name.Append(displayName)
	version.Append(s.version)
	zone.Append(s.zone)
	revision := proto.ColUInt32{0}
	var buf proto.Buffer
	block := proto.Block{Info: proto.BlockInfo{BucketNum: -1}, Columns: 4, Rows: 1}
	err := block.EncodeBlock(&buf, q.revision, []proto.InputColumn{
		{Name: "displayName()", Data: &name},
		{Name: "version()", Data: &version},
		{Name: "revision()", Data: &revision},
		{Name: "timezone()", Data: &zone},
	})
	if err != nil {
		return fmt.Errorf("encode the answer to the client's first statement: %w", err)
	}
	_, _ = q.output(w).Write(buf.Buf)
	return nil
}

var exceptionCode = regexp.MustCompile(`^Code: (\d+)\.`)

// writeFailure answers with the engine's text and its code in the header, as a server does.
func writeFailure(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if f, ok := errors.AsType[*failure](err); ok {
		status = f.status
	}
	text := err.Error()
	code := "1002" // UNKNOWN_EXCEPTION
	if found := exceptionCode.FindStringSubmatch(text); found != nil {
		code = found[1]
	} else {
		text = "Code: 1002. DB::Exception: " + text + ". (UNKNOWN_EXCEPTION)"
	}
	w.Header().Del("X-ClickHouse-Exception-Tag")
	w.Header().Del("Content-Length")
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.Header().Set("X-ClickHouse-Exception-Code", code)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

// writeException ends an answer that had already begun with ClickHouse's in-band exception frame.
func writeException(w io.Writer, tag string, err error) {
	text := err.Error() + "\n"
	fmt.Fprintf(w, "\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n", tag, text, len(text), tag)
}
