package engine

import (
	"cmp"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
)

// maxStatement bounds a statement's text without an insert's data, in bytes. A server's default (max_query_size) is a
// quarter of it.
const maxStatement = 1 << 20

// request is an HTTP request in the engine's terms.
type request struct {
	text string
	statement
	// data is an insert's data; nil for other statements.
	data   io.Reader
	params []param
	key    sessionKey
	// outputFormat is the FORMAT clause or the request's default format.
	outputFormat string
	// compress is the native block compression wanted for the answer.
	compress compress.Method
	// revision is the client's protocol revision, 0 if it names none.
	revision int
	// whole asks for the answer only when all of it is there.
	whole bool
	// patient is for statements that others may overtake.
	patient bool
}

// transportParams are the URL parameters that are about the request and not ClickHouse settings, or settings whose
// effect this server has by itself.
var transportParams = map[string]bool{
	"query": true, "database": true, "default_format": true, "query_id": true, "quota_key": true, "user": true, "password": true, "role": true,
	"session_id": true, "session_timeout": true, "session_check": true, "compress": true, "decompress": true, "stacktrace": true,
	"wait_end_of_query": true, "buffer_size": true, "client_protocol_version": true, "enable_http_compression": true,
	"network_compression_method": true, "network_zstd_compression_level": true, "http_write_exception_in_output_format": true,
	"send_progress_in_http_headers": true, "async_insert": true, "wait_for_async_insert": true, "priority": true,
}

// readRequest reads everything but an insert's data.
func (s *server) readRequest(w http.ResponseWriter, r *http.Request) (request, error) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return request{}, failf(http.StatusNotImplemented, 48, "NOT_IMPLEMENTED", "the embedded engine takes no external tables")
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return request{}, failf(http.StatusBadRequest, 36, "BAD_ARGUMENTS", "query string: %v", err)
	}
	q, err := requestOptions(values)
	if err != nil {
		return request{}, err
	}
	body, err := s.readBody(w, r, values)
	if err != nil {
		return request{}, err
	}
	return q, q.readText(values.Get("query"), body)
}

func requestOptions(values url.Values) (request, error) {
	q := request{
		outputFormat: cmp.Or(values.Get("default_format"), "TabSeparated"),
		compress:     compress.None,
		whole:        isOn(values.Get("wait_end_of_query")),
	}
	if isOn(values.Get("compress")) {
		q.compress = compress.LZ4
		if strings.EqualFold(values.Get("network_compression_method"), "ZSTD") {
			q.compress = compress.ZSTD
		}
	}
	q.revision, _ = strconv.Atoi(values.Get("client_protocol_version"))
	priority, _ := strconv.Atoi(values.Get("priority")) // 1 is the highest, and 0 is for statements without one.
	q.patient = priority > 1
	var settings []setting
	for name, list := range values {
		value := list[len(list)-1]
		if bound, ok := strings.CutPrefix(name, "param_"); ok {
			q.params = append(q.params, param{name: bound, value: value})
		} else if !transportParams[name] {
			settings = append(settings, setting{name: name, value: value})
		}
	}
	var err error
	q.key, err = newSessionKey(values.Get("database"), settings)
	return q, err
}

func isOn(value string) bool { return value == "1" || value == "true" }

// readBody undoes the body's compression and bounds its size before and after.
func (s *server) readBody(w http.ResponseWriter, r *http.Request, values url.Values) (io.Reader, error) {
	var body io.Reader = http.MaxBytesReader(w, r.Body, s.cfg.MaxBody)
	var err error
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		body, err = gzip.NewReader(body)
	case "deflate":
		body, err = zlib.NewReader(body)
	default:
		return nil, failf(http.StatusUnsupportedMediaType, 48, "NOT_IMPLEMENTED", "the embedded engine does not read Content-Encoding %q; use gzip, deflate, native LZ4 or none", encoding)
	}
	if err != nil {
		return nil, failf(http.StatusBadRequest, 36, "BAD_ARGUMENTS", "body: %v", err)
	}
	if isOn(values.Get("decompress")) {
		body = newBlockReader(body)
	}
	return &boundedReader{from: body, left: s.cfg.MaxBody}, nil
}

// readText finds the statement and its data: ClickHouse's rule is that the query parameter and the body are one text.
func (q *request) readText(text string, body io.Reader) error {
	q.text, q.statement = text, readStatement(text)
	if q.text == "" || q.kind != kindInsert {
		head, err := io.ReadAll(io.LimitReader(body, maxStatement))
		if err != nil {
			return bodyFailure(err)
		}
		if q.text != "" && len(head) > 0 {
			q.text += "\n"
		}
		q.text += string(head)
		q.statement = readStatement(q.text)
	}
	if q.several {
		return failf(http.StatusBadRequest, 62, "SYNTAX_ERROR", "Multi-statements are not allowed")
	}
	if q.kind == kindInsert {
		q.data = io.MultiReader(strings.NewReader(q.text[q.dataAt:]), body)
		return nil
	}
	if n, _ := io.CopyN(io.Discard, body, 1); n > 0 {
		return failf(http.StatusRequestEntityTooLarge, 62, "SYNTAX_ERROR", "the statement is longer than %d bytes", maxStatement)
	}
	q.outputFormat = cmp.Or(q.format, q.outputFormat)
	return nil
}

// boundedReader fails, instead of ending, behind left bytes: an insert must not be cut silently.
type boundedReader struct {
	from io.Reader
	left int64
}

var errBodyTooLarge = errors.New("too large after decompression")

func (b *boundedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.from.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return 0, errBodyTooLarge
	}
	return n, err
}

// failure is an error in the engine's own shape, with the HTTP status to answer it with.
type failure struct {
	status int
	text   string
}

func (f *failure) Error() string { return f.text }

func failf(status, code int, name, format string, args ...any) *failure {
	return &failure{status: status, text: fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)", code, fmt.Sprintf(format, args...), name)}
}

func bodyFailure(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok || errors.Is(err, errBodyTooLarge) {
		return failf(http.StatusRequestEntityTooLarge, 290, "LIMIT_EXCEEDED", "the request's body is larger than engine.max_body: %v", err)
	}
	return failf(http.StatusBadRequest, 33, "CANNOT_READ_ALL_DATA", "the request's body could not be read: %v", err)
}
