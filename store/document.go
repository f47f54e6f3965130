package store

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tocsin-siem/tocsin/event"
)

// Findings, incidents and actions are kept whole as JSON documents beside the columns that are searched: Go's field names, unset fields
// left out, ids as events show them but without prefix. A field that a later program no longer has is skipped on reading.
var documentOptions = json.JoinOptions(
	json.OmitZeroStructFields(true),
	jsontext.AllowInvalidUTF8(true),
	json.WithMarshalers(json.MarshalToFunc(func(enc *jsontext.Encoder, id event.ID) error {
		return enc.WriteToken(jsontext.String(event.FormatID("", id)))
	})),
	json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, id *event.ID) error {
		t, err := dec.ReadToken()
		if err != nil {
			return err
		}
		*id, err = event.ParseID("", t.String())
		return err
	})),
)

func document(v any) ([]byte, error) {
	b, err := json.Marshal(v, documentOptions)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBlock, err)
	}
	return b, nil
}

func readDocument(b []byte, v any) error {
	if err := json.Unmarshal(b, v, documentOptions); err != nil {
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
	return nil
}
