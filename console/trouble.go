package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/tocsin-siem/tocsin/incident"
)

// errForbidden marks what the person may not do.
var errForbidden = errors.New("not allowed")

// trouble is an error of the API that acts, as application/problem+json (RFC 9457). Code tells programs what text tells people.
type trouble struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Code    string `json:"code"` // invalid, unauthorised, unknown, stale, refused, key_reused, too_long or unavailable.
	Detail  string `json:"detail"`
	Current int32  `json:"current_version,omitempty"` // Of the incident, where it is known.
	Now     string `json:"current_status,omitempty"`
}

func contentType(status int) string {
	if status >= http.StatusBadRequest {
		return typeProblem
	}
	return typeJSON
}

func encoded(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // Only plain structs of text and numbers come here.
		return []byte(`{}`)
	}
	return append(b, '\n')
}

func (t trouble) result() result {
	t.Type, t.Title = "about:blank", http.StatusText(t.Status)
	return result{t.Status, t}
}

func troubled(w http.ResponseWriter, t trouble) { done(w, t.result()) }

func done(w http.ResponseWriter, a result) {
	reply(w, a.status, contentType(a.status), encoded(a.body))
}

// troubleOf is the answer to an act that failed. in is the incident as it is, nil where there is none.
func (s *server) troubleOf(err error, in *incident.Incident) result {
	t := trouble{Detail: err.Error()}
	for _, mark := range []error{errBadRequest, ErrNotFound, errForbidden, incident.ErrRefused} {
		t.Detail = strings.TrimPrefix(t.Detail, mark.Error()+": ")
	}
	if in != nil {
		t.Current, t.Now = in.Revision, in.Status.String()
	}
	_, long := errors.AsType[*http.MaxBytesError](err)
	switch {
	case long:
		t.Status, t.Code = http.StatusRequestEntityTooLarge, "too_long"
	case errors.Is(err, ErrNotFound), errors.Is(err, incident.ErrUnknown):
		t.Status, t.Code = http.StatusNotFound, "unknown"
	case errors.Is(err, errForbidden):
		t.Status, t.Code = http.StatusForbidden, "unauthorised"
	case errors.Is(err, incident.ErrStale):
		t.Status, t.Code = http.StatusConflict, "stale"
	case errors.Is(err, incident.ErrRefused):
		t.Status, t.Code = http.StatusUnprocessableEntity, "refused"
	case errors.Is(err, errBadRequest):
		t.Status, t.Code = http.StatusBadRequest, "invalid"
	default:
		s.set.Log.Error("console request failed", "err", err)
		t.Status, t.Code, t.Detail = http.StatusServiceUnavailable, "unavailable", "it may or may not have been carried out: read the incident again, or send the same request with the same Idempotency-Key"
	}
	return t.result()
}
