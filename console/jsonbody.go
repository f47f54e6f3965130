package console

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tocsin-siem/tocsin/expression"
)

// jsonBody reads a body that says it is JSON, within bounds.
func jsonBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != typeJSON {
		return nil, fmt.Errorf("%w: send the body as Content-Type: application/json", errBadRequest)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		return nil, fmt.Errorf("%w: the body cannot be read: %w", errBadRequest, err)
	}
	return body, nil
}

// jsonOf is the body of a request, or the field json of its form.
func jsonOf(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if strings.HasPrefix(r.Header.Get("Content-Type"), typeJSON) {
		return io.ReadAll(r.Body)
	}
	if err := r.ParseForm(); err != nil {
		return nil, fmt.Errorf("%w: the form cannot be read: %w", errBadRequest, err)
	}
	return []byte(r.PostForm.Get("json")), nil
}

// strictly reads one JSON object: unknown names, names given twice, bytes that are no UTF-8 and anything behind it are errors.
func strictly(body []byte, to any) error {
	err := json.Unmarshal(body, to, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	return fmt.Errorf("the body cannot be read: %s", faultOf(err, reflect.TypeOf(to).Elem()))
}

// faultOf says what is wrong with a JSON text, where, and what would be right.
func faultOf(err error, want reflect.Type) string {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		switch {
		case errors.Is(e.Err, jsontext.ErrDuplicateName):
			return memberOf(e.JSONPointer) + " stands twice"
		case errors.Is(e.Err, io.ErrUnexpectedEOF):
			return "it ends in the middle: send one whole JSON object"
		}
		return fmt.Sprintf("it is no JSON behind byte %d: %s", e.ByteOffset, e.Err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it is empty or ends in the middle: send one whole JSON object"
	}
	e, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return strings.TrimPrefix(err.Error(), "json: ")
	}
	if errors.Is(e.Err, json.ErrUnknownName) {
		known := membersOf(inside(want, e.JSONPointer.Parent()))
		hint := "there are " + strings.Join(known, ", ")
		if near := expression.Nearest(e.JSONPointer.LastToken(), known); near != "" {
			hint = "did you mean " + near + "?"
		} else if len(known) == 0 {
			hint = "leave it out"
		}
		return fmt.Sprintf("%s is not known: %s", memberOf(e.JSONPointer), hint)
	}
	if e.GoType == nil {
		return strings.TrimPrefix(err.Error(), "json: ")
	}
	given := kinds[e.JSONKind]
	if value := string(e.JSONValue); value != "" && len(value) <= 60 {
		given = value
	}
	return fmt.Sprintf("%s must be %s, not %s", memberOf(e.JSONPointer), wanted(e.GoType), given)
}

// kinds are what JSON values are called.
var kinds = map[jsontext.Kind]string{'n': "null", 't': "true", 'f': "false", '"': "text", '0': "a number", '{': "an object", '[': "a list"}

// wanted is what a member of a type is called.
func wanted(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return wanted(t.Elem())
	case t.PkgPath() == "time" && t.Name() == "Time":
		return "a time like 2026-11-21T08:00:00Z"
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()), t.Kind() == reflect.String:
		return "text"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return "a whole number"
	}
	return "a number"
}

// memberOf names a place in a body as people would: answers.robots[1].
func memberOf(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		switch {
		case token != "" && strings.Trim(token, "0123456789") == "":
			b.WriteString("[" + token + "]")
		case b.Len() == 0:
			b.WriteString(token)
		default:
			b.WriteString("." + token)
		}
	}
	if b.Len() == 0 {
		return "the body"
	}
	name := []rune(b.String())
	if len(name) > 80 { // Somebody else's text, as long as they like.
		name = append(name[:80], '…')
	}
	return string(visible([]byte(string(name))))
}

// inside is the type of what stands at a place in a body of a type; nil if none does.
func inside(t reflect.Type, p jsontext.Pointer) reflect.Type {
	for token := range p.Tokens() {
		for t != nil && t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch {
		case t == nil:
			return nil
		case t.Kind() == reflect.Slice:
			t = t.Elem()
		case t.Kind() == reflect.Struct:
			i := slices.Index(membersOf(t), token)
			if i < 0 {
				return nil
			}
			t = t.Field(i).Type
		default:
			return nil
		}
	}
	return t
}

// membersOf are the names that an object of a type may have, in the order of its fields.
func membersOf(t reflect.Type) (names []string) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// refused makes an error what the sender of a request can mend.
func refused(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errBadRequest, err)
}
