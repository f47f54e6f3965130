package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Doc is one revision of a small document that somebody made in the console: a view, a person, a token. Earlier revisions stay.
type Doc struct {
	Kind, ID string
	Revision int64  // From 1, without gaps.
	Body     []byte // JSON, at most MaxDoc bytes.
	By       string
	At       int64 // Microseconds, our clock.
	Deleted  bool  // It is gone since this revision; a later one may bring it back.
}

// MaxDoc is the most bytes of a document's body, maxDocName those of its kind and id.
const (
	MaxDoc     = 1 << 20
	maxDocName = 512
)

// ErrStale means that a document was changed since it was read: read it again and decide again.
var ErrStale = errors.New("it has been changed since")

const docSelect = "SELECT kind, id, revision, toUnixTimestamp64Micro(at), by, deleted, body, nonce FROM "

// keptDoc is a document with the mark of the call that kept it.
type keptDoc struct {
	Doc
	nonce string
}

// Keep writes the next revision of a document and returns it with its revision and, if At was 0, its time. expected is the revision that it
// replaces, 0 for a document that does not exist or was deleted. Where that is not so any more, or another process keeps the same revision at
// the same time, the error wraps ErrStale; of two such calls at most one succeeds. Transient errors are retried until ctx ends, and what then
// becomes of the call is unknown.
//
// ClickHouse has no compare-and-set. What decides instead is its deduplication of inserts: all who write a revision give the same token, and the
// server keeps the first block of a token. Keep then reads whose row is there.
func (db *DB) Keep(ctx context.Context, d Doc, expected int64) (Doc, error) {
	if d.Kind == "" || d.ID == "" || len(d.Kind)+len(d.ID) > maxDocName || len(d.Body) > MaxDoc {
		return Doc{}, fmt.Errorf("keep the document %q of kind %q: kind and id must not be empty nor longer than %d bytes, and the body at most %d bytes", d.ID, d.Kind, maxDocName, MaxDoc)
	}
	what := fmt.Sprintf("keep the %s %s", d.Kind, d.ID)
	now, found, err := db.latestDoc(ctx, what, d.Kind, d.ID)
	if err != nil {
		return Doc{}, err
	}
	at := now.Revision
	if found && now.Deleted {
		at = 0
	}
	if at != expected {
		return Doc{}, fmt.Errorf("%s: %w: it is at revision %d, not %d", what, ErrStale, at, expected)
	}
	d.Revision = now.Revision + 1
	if d.At == 0 {
		d.At = db.now().UnixMicro()
	}
	mine := keptDoc{d, rand.Text()}
	if err := db.insertFirm(ctx, what, docBlock(mine), docToken(d)); err != nil {
		return Doc{}, err
	}
	won, err := db.docAt(ctx, what, d)
	switch {
	case err != nil:
		return Doc{}, err
	case won.nonce != mine.nonce:
		return Doc{}, fmt.Errorf("%s: %w: %s has just made revision %d", what, ErrStale, won.By, d.Revision)
	}
	return d, nil
}

// docToken is the same for all who write this revision. It stands in the statement, so it is a hash.
func docToken(d Doc) string {
	sum := sha256.Sum256([]byte(d.Kind + "\x00" + d.ID + "\x00" + strconv.FormatInt(d.Revision, 10)))
	return "doc-" + hex.EncodeToString(sum[:])
}

func docBlock(d keptDoc) *block {
	b := &block{table: "workspace"}
	add(b, "kind", newLow()).add(d.Kind)
	add(b, "id", &text{}).add(d.ID)
	add(b, "revision", newFixed("Int64", 8)).add64(uint64(d.Revision))
	add(b, "nonce", &text{}).add(d.nonce)
	add(b, "at", newFixed(timeType, 8)).add64(uint64(d.At))
	add(b, "by", &text{}).add(d.By)
	add(b, "deleted", newFixed("Bool", 1)).addBool(d.Deleted)
	add(b, "body", &text{}).addBytes(d.Body)
	return b
}

// latestDoc is the newest revision, deleted or not.
func (db *DB) latestDoc(ctx context.Context, what, kind, id string) (d keptDoc, found bool, err error) {
	q := query{head: docSelect + db.table("workspace"), tail: "ORDER BY revision DESC, stamped, nonce LIMIT 1"}
	q.and("kind = ? AND id = ?", str(kind), str(id))
	err = db.retry(ctx, what, func() error {
		d, found, err = first(stream(ctx, db, what, q, scanDoc))
		return err
	})
	return d, found, err
}

// docAt is the row that counts of those that were written for a revision.
func (db *DB) docAt(ctx context.Context, what string, d Doc) (won keptDoc, err error) {
	q := query{head: docSelect + db.table("workspace"), tail: "ORDER BY stamped, nonce LIMIT 1"}
	q.and("kind = ? AND id = ? AND revision = ?", str(d.Kind), str(d.ID), num(d.Revision))
	found := false
	err = db.retry(ctx, what, func() error {
		won, found, err = first(stream(ctx, db, what, q, scanDoc))
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: %s: revision %d is not there after it was written; name one replica in clickhouse.addr", errCorrupt, what, d.Revision)
	}
	return won, err
}

func scanDoc(rows driver.Rows) (d keptDoc, err error) {
	var body string
	err = rows.Scan(&d.Kind, &d.ID, &d.Revision, &d.At, &d.By, &d.Deleted, &body, &d.nonce)
	d.Body = []byte(body)
	return d, err
}

// Kept lists the documents of a kind as they are now, without deleted ones, by id.
func (db *DB) Kept(ctx context.Context, kind string) ([]Doc, error) {
	q := query{head: docSelect + db.table("workspace"), tail: "ORDER BY id, revision DESC, stamped, nonce LIMIT 1 BY id"}
	q.and("kind = ?", str(kind))
	var list []Doc
	for d, err := range stream(ctx, db, "list what is kept of kind "+kind, q, scanDoc) {
		if err != nil {
			return nil, err
		}
		if !d.Deleted {
			list = append(list, d.Doc)
		}
	}
	return list, nil
}

// KeptOne is a document as it is now; found is false if there is none or it was deleted.
func (db *DB) KeptOne(ctx context.Context, kind, id string) (Doc, bool, error) {
	q := query{head: docSelect + db.table("workspace"), tail: "ORDER BY revision DESC, stamped, nonce LIMIT 1"}
	q.and("kind = ? AND id = ?", str(kind), str(id))
	d, found, err := first(stream(ctx, db, "read the "+kind+" "+id, q, scanDoc))
	if err != nil || !found || d.Deleted {
		return Doc{}, false, err
	}
	return d.Doc, true, nil
}
