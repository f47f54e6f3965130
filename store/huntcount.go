package store

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
)

// Bucket is how many events there were in a stretch of time.
type Bucket struct {
	Start int64 // Event time, microseconds.
	Count int64
}

// Tally is what was counted. Where the columns do not decide the search, only the newest events are looked at: Since says how far back, and
// Cut that there are more before. An event that is stored twice and not merged yet counts twice.
type Tally struct {
	Buckets []Bucket // By start; those without events are left out.
	Groups  []Group  // The most frequent first, equal ones by value.
	Values  int64    // How many different values there are, known or not; about, above some ten thousand.
	Total   int64
	Cut     bool
	Since   int64 // Event time of the oldest event that was looked at, if Cut.
}

// Group is a value with its events.
type Group struct {
	Value       string // "" is unknown.
	Count       int64
	First, Last int64 // Event time, microseconds.
}

// HuntCounts counts the events of a search by stretches of width microseconds. The filter's Limit, After and Forward do not matter.
func (db *DB) HuntCounts(ctx context.Context, h Hunt, width int64) (Tally, error) {
	var t Tally
	if h.Keep != nil {
		counts := map[int64]int64{}
		for e, err := range db.kept(ctx, h, nil, &t.Cut, &t.Since) {
			if err != nil {
				return t, err
			}
			counts[floor(e.Time, width)]++
			t.Total++
		}
		for start, n := range counts {
			t.Buckets = append(t.Buckets, Bucket{start, n})
		}
		slices.SortFunc(t.Buckets, func(a, b Bucket) int { return cmp.Compare(a.Start, b.Start) })
		return t, nil
	}
	if h.Entity != "" && h.narrowed() == 0 { // The index alone knows.
		return db.countEntity(ctx, h, width)
	}
	q, err := db.tallyQuery(h)
	if err != nil {
		return t, err
	}
	q.head = q.fill("SELECT intDiv(toUnixTimestamp64Micro(time), ?) * ? AS start, toInt64(count()) FROM ", num(width), num(width)) + db.table("events")
	q.tail = "GROUP BY start ORDER BY start"
	for b, err := range stream(bounded(ctx), db, "count events", q, func(rows driver.Rows) (b Bucket, err error) {
		err = rows.Scan(&b.Start, &b.Count)
		return b, err
	}) {
		if err != nil {
			return t, tooMuch(err)
		}
		t.Buckets = append(t.Buckets, b)
		t.Total += b.Count
	}
	return t, nil
}

func (db *DB) tallyQuery(h Hunt) (query, error) {
	h.After, h.Forward = EventCursor{}, false
	return db.eventSearch(h.EventFilter)
}

func floor(at, width int64) int64 { return at / width * width }

// Grouped reports whether a path has a column to group by; of other fields the newest events are counted one by one.
func Grouped(path string) bool { _, ok := groupColumn(path); return ok }

// HuntGroups counts the events of a search by the value of a field, and gives the top most frequent ones. An unknown path is an error.
func (db *DB) HuntGroups(ctx context.Context, h Hunt, path string, top int) (Tally, error) {
	column, ok := groupColumn(path)
	if h.Keep != nil || !ok {
		return db.groupKept(ctx, h, path, top)
	}
	var t Tally
	q, err := db.tallyQuery(h)
	if err != nil {
		return t, err
	}
	inner := q
	inner.head = "SELECT " + column + " AS value, count() AS n, min(time) AS first, max(time) AS last FROM " + db.table("events")
	inner.tail = "GROUP BY value"
	outer := query{
		head: "SELECT value, toInt64(n), toUnixTimestamp64Micro(first), toUnixTimestamp64Micro(last), toInt64(sum(n) OVER ()), toInt64(count() OVER ()) FROM (" + inner.String() + ")",
		tail: "ORDER BY n DESC, value" + limit(top), args: q.args,
	}
	for g, err := range stream(bounded(ctx), db, "group events", outer, func(rows driver.Rows) (g Group, err error) {
		err = rows.Scan(&g.Value, &g.Count, &g.First, &g.Last, &t.Total, &t.Values)
		return g, err
	}) {
		if err != nil {
			return t, tooMuch(err)
		}
		t.Groups = append(t.Groups, g)
	}
	return t, nil
}

func (db *DB) groupKept(ctx context.Context, h Hunt, path string, top int) (Tally, error) {
	var t Tally
	of, more := func(e *event.Event) string { return e.ClassKey() }, []*event.Field{}
	if path != "class_name" && path != "class" {
		f := event.FieldNamed(path)
		if f == nil {
			return t, errNoField(path)
		}
		of, more = f.Text, append(more, f)
	}
	if h.Keep == nil {
		h.Keep, h.Reads = func(*event.Event) bool { return true }, []*event.Field{}
	}
	groups := map[string]*Group{}
	for e, err := range db.kept(ctx, h, more, &t.Cut, &t.Since) {
		if err != nil {
			return t, err
		}
		g := groups[of(e)]
		if g == nil {
			g = &Group{Value: of(e), First: e.Time, Last: e.Time}
			groups[g.Value] = g
		}
		g.Count, g.First, g.Last = g.Count+1, min(g.First, e.Time), max(g.Last, e.Time)
		t.Total++
	}
	for _, g := range groups {
		t.Groups = append(t.Groups, *g)
	}
	t.Values = int64(len(groups))
	slices.SortFunc(t.Groups, func(a, b Group) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value)) })
	t.Groups = t.Groups[:min(top, len(t.Groups))]
	return t, nil
}

// groupColumn is a field's value as text, in SQL; ok is false for a field without a column.
func groupColumn(path string) (sql string, ok bool) {
	if path == "class_name" || path == "class" {
		return "toString(class)", true
	}
	col, ok := columnFor(path)
	if !ok {
		return "", false
	}
	switch col.kind {
	case asText, asLow:
		return "toString(" + col.Name + ")", true
	case asIP:
		return "if(" + col.Name + " = toIPv6('::'), '', replaceRegexpOne(toString(" + col.Name + "), '^::ffff:', ''))", true
	case asBool:
		return "multiIf(" + col.Name + " IS NULL, '', " + col.Name + ", 'true', 'false')", true
	case asInt64:
		return "ifNull(toString(" + col.Name + "), '')", true
	default:
		return "if(" + col.Name + " = 0, '', toString(" + col.Name + "))", true
	}
}

// Activity is how many events named an entity in a stretch of time, by class.
type Activity struct {
	Peers    bool  // Of all the peers together, over the whole time; Start is then 0.
	Start    int64 // Event time, microseconds.
	ClassUID uint32
	Count    int64
}

// EntityActivity counts the events that name an entity by stretches of width microseconds and by class, and those of its peers by class, from the
// index alone.
func (db *DB) EntityActivity(ctx context.Context, entity string, peers []string, from, to, width int64) ([]Activity, error) {
	own := entityKey(entity)
	keys := []uint64{own}
	for _, p := range peers {
		keys = append(keys, entityKey(p))
	}
	q := query{tail: "GROUP BY peers, start, class_uid ORDER BY start, class_uid, peers"}
	q.head = q.fill("SELECT entity != ? AS peers, if(peers, 0, intDiv(toUnixTimestamp64Micro(time), ?) * ?) AS start, class_uid, toInt64(count()) FROM ", uns(own), num(width), num(width)) + db.table("entity_index")
	q.and("entity IN ?", typed{"Array(UInt64)", keys})
	q.between("time", from, to)
	var out []Activity
	for a, err := range stream(bounded(ctx), db, "count an entity's events", q, func(rows driver.Rows) (a Activity, err error) {
		var of uint8
		err = rows.Scan(&of, &a.Start, &a.ClassUID, &a.Count)
		a.Peers = of != 0
		return a, err
	}) {
		if err != nil {
			return nil, tooMuch(err)
		}
		out = append(out, a)
	}
	return out, nil
}

// countEntity counts the events that name an entity.
func (db *DB) countEntity(ctx context.Context, h Hunt, width int64) (t Tally, err error) {
	list, err := db.EntityActivity(ctx, h.Entity, nil, h.From, h.To, width)
	for _, a := range list {
		t.Total += a.Count
		if n := len(t.Buckets); n > 0 && t.Buckets[n-1].Start == a.Start {
			t.Buckets[n-1].Count += a.Count
			continue
		}
		t.Buckets = append(t.Buckets, Bucket{a.Start, a.Count})
	}
	return t, err
}

func errNoField(path string) error {
	return &noFieldError{path}
}

type noFieldError struct{ path string }

func (e *noFieldError) Error() string {
	return "group by: the event has no field " + strconv.Quote(e.path)
}

func (e *noFieldError) Unwrap() error { return ErrFilter }
