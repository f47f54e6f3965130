package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

// queueViews keeps the queue's saved views as documents.
type queueViews struct{ db *store.DB }

const queueViewKind = "view"

// Views implements console.QueueViews.
func (x queueViews) Views(ctx context.Context) ([]console.QueueView, error) {
	docs, err := x.db.Kept(ctx, queueViewKind)
	if err != nil {
		return nil, err
	}
	out := make([]console.QueueView, 0, len(docs))
	for _, d := range docs {
		var v console.QueueView
		if err := json.Unmarshal(d.Body, &v); err != nil {
			return nil, fmt.Errorf("read the view %s: %w", d.ID, err)
		}
		v.ID, v.Revision = d.ID, d.Revision
		out = append(out, v)
	}
	return out, nil
}

// Keep implements console.QueueViews.
func (x queueViews) Keep(ctx context.Context, v console.QueueView, by string) (console.QueueView, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return v, err
	}
	d, err := x.db.Keep(ctx, store.Doc{Kind: queueViewKind, ID: v.ID, Body: body, By: by}, v.Revision)
	v.Revision = d.Revision
	return v, staleView(err)
}

// Drop implements console.QueueViews.
func (x queueViews) Drop(ctx context.Context, v console.QueueView, by string) error {
	_, err := x.db.Keep(ctx, store.Doc{Kind: queueViewKind, ID: v.ID, Body: []byte("{}"), By: by, Deleted: true}, v.Revision)
	return staleView(err)
}

func staleView(err error) error {
	if errors.Is(err, store.ErrStale) {
		return fmt.Errorf("%w: %w", incident.ErrStale, err)
	}
	return err
}
