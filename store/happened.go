package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/incident"
)

// Happened reads the latest changes of some kinds that were recorded at or after a moment of our clock, in microseconds, in the order of the log,
// at most limit.
func (db *DB) Happened(ctx context.Context, since int64, kinds []incident.ChangeKind, limit int) ([]incident.Change, error) {
	list, err := db.voids(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what happened: %w", err)
	}
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	q := query{head: changeSelect + db.table("changes"), tail: fmt.Sprintf("ORDER BY epoch DESC, number DESC, idx DESC LIMIT 1 BY epoch, number, idx LIMIT %d", limit)}
	q.between("written", since, 0)
	q.and("kind IN ?", strs(names))
	q.and(valid(list))
	changes, err := db.readChanges(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("read what happened: %w", err)
	}
	slices.Reverse(changes)
	return changes, nil
}
