package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/store"
)

// replies keeps what requests with an Idempotency-Key were answered, so that a repeat is answered the same after a restart and by another member.
type replies struct{ db *store.DB }

const replyKind = "reply"

// Begin implements console.Replies.
func (r replies) Begin(ctx context.Context, key event.ID, request string) (console.Remembered, error) {
	x := console.Remembered{Request: request}
	doc, err := replyDoc(key, x)
	if err != nil {
		return x, err
	}
	known, found, err := r.db.KeptOne(ctx, replyKind, doc.ID)
	if err == nil && !found {
		_, err = r.db.Keep(ctx, doc, 0)
		if !errors.Is(err, store.ErrStale) {
			return x, err
		}
		known, found, err = r.db.KeptOne(ctx, replyKind, doc.ID)
	}
	if err != nil || !found {
		return x, errors.Join(err, errors.New("what a request was answered cannot be read"))
	}
	if err := json.Unmarshal(known.Body, &x); err != nil {
		return x, fmt.Errorf("what a request was answered cannot be read: %w", err)
	}
	return x, nil
}

// Answer implements console.Replies. Whoever answers first is remembered.
func (r replies) Answer(ctx context.Context, key event.ID, x console.Remembered) error {
	doc, err := replyDoc(key, x)
	if err != nil {
		return err
	}
	if _, err = r.db.Keep(ctx, doc, 1); errors.Is(err, store.ErrStale) {
		return nil
	}
	return err
}

func replyDoc(key event.ID, x console.Remembered) (store.Doc, error) {
	body, err := json.Marshal(x)
	return store.Doc{Kind: replyKind, ID: event.FormatID("", key), Body: body, By: "system"}, err
}
