package store

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/event"
)

// EventFilter says which events are wanted; its zero value is all of them, newest first.
type EventFilter struct {
	From, To int64    // Event time in microseconds, from inclusive, to exclusive; 0 for no bound.
	Classes  []string // As rules write them: authentication, robot_state.mode_change; empty for all.
	Entity   string   // Canonical id of an entity the event names.
	Text     string   // Part of the raw text, without regard to ASCII case. Of the events of one record the first has it.
	Where    []Condition
	Matching *event.Where // Narrows down as far as columns can tell; nil: not at all. See Hunt for what is left.
	Sites    []string     // Events of these sites or of none; nil: of all.
	Forward  bool         // Oldest first.
	After    EventCursor  // Go on behind this event.
	Limit    int          // 0 for no limit.
	NoRaw    bool         // Leave the raw text out: a timeline of scattered events costs a fraction.
}

// EventCursor is an event's place in the order of time; the zero value is before all.
type EventCursor struct {
	Time int64 // Microseconds.
	ID   event.ID
}

const eventSelect = "SELECT id, source, partition, offset, idx, format, site, toUnixTimestamp64Micro(received), toInt8(time_source), quality, entities, refs, event, "

// Events reads events in order of (time, id). An event that is stored twice is yielded once. Events after the first of a record come
// without raw text. Each event belongs to the caller. A bad filter is an error that names the part and the fix.
func (db *DB) Events(ctx context.Context, f EventFilter) iter.Seq2[*event.Event, error] {
	q, err := db.eventQuery(f)
	if err != nil {
		return func(yield func(*event.Event, error) bool) { yield(nil, err) }
	}
	return db.eachOnce(ctx, q, f.Limit, scanOneEvent)
}

// eachOnce streams the events of a query that sorts them, each once, at most so many; 0 is no limit.
func (db *DB) eachOnce(ctx context.Context, q query, most int, scan func(driver.Rows) (*event.Event, error)) iter.Seq2[*event.Event, error] {
	return func(yield func(*event.Event, error) bool) {
		var last event.ID
		n := 0
		for e, err := range stream(ctx, db, "read events", q, scan) {
			if err != nil {
				yield(nil, err)
				return
			}
			if e.Envelope.ID == last {
				continue
			}
			last = e.Envelope.ID
			if n++; !yield(e, nil) || n == most {
				return
			}
		}
	}
}

// slack is for rows that are stored twice and not merged yet.
const slack = 64

// eventKey is the sorting key: rows are fetched by it at the cost of the granules they are in.
const eventKey = "hour, class_uid, time, id"

// indexKey is the sorting key as the index knows it.
const indexKey = "toUInt32(greatest(0, intDiv(toUnixTimestamp64Micro(time), 3600000000))), class_uid, time, id"

// eventQuery finds a limited number of events by their small columns first and then fetches those rows: the large ones are not read for rows that
// sorting throws away.
func (db *DB) eventQuery(f EventFilter) (query, error) {
	q, err := db.eventSearch(f)
	columns := eventSelect + "raw FROM " + db.table("events")
	if f.NoRaw {
		columns = eventSelect + "'' FROM " + db.table("events")
	}
	if err != nil || f.Limit == 0 || f.newestOfEntity() {
		q.head = columns
		return q, err
	}
	order := q.tail
	q.head, q.tail = "SELECT "+eventKey+" FROM "+db.table("events"), order+limit(f.Limit+slack)
	return query{head: columns, where: []string{"(" + eventKey + ") IN (" + q.String() + ")"}, tail: order, args: q.args}, nil
}

// eventSearch is the conditions and the order.
func (db *DB) eventSearch(f EventFilter) (q query, err error) {
	lower, upper := f.From, f.To
	if f.After != (EventCursor{}) {
		sign := "<"
		if f.Forward {
			sign, lower = ">", max(lower, f.After.Time)
		} else if upper == 0 || f.After.Time < upper {
			upper = f.After.Time + 1
		}
		q.and("(time, id) "+sign+" ("+moment+", toFixedString(unhex(?), 16))", num(f.After.Time), hexID(f.After.ID))
	}
	q.inTime(lower, upper)
	if err := q.classes(f.Classes); err != nil {
		return q, err
	}
	if f.Entity != "" {
		inner := query{head: "SELECT " + indexKey + " FROM " + db.table("entity_index"), args: q.args}
		inner.and("entity = ?", uns(entityKey(f.Entity)))
		inner.between("time", lower, upper)
		if f.newestOfEntity() {
			inner.head = strings.Replace(inner.head, "SELECT ", "SELECT DISTINCT ", 1)
			inner.tail = "ORDER BY time DESC, id DESC LIMIT " + strconv.Itoa(f.Limit+entitySlack)
		}
		q.args = inner.args
		q.and("(" + eventKey + ") IN (" + inner.String() + ")")
		q.and("has(entities, ?)", str(f.Entity))
	}
	if f.Text != "" {
		q.and("lower(raw) LIKE ?", str("%"+likeEscaper.Replace(lowerASCII(f.Text))+"%"))
	}
	for _, c := range f.Where {
		if err := q.condition(c); err != nil {
			return q, err
		}
	}
	if f.Matching != nil {
		sql, _ := q.sift(f.Matching, true)
		q.and(sql)
	}
	if f.Sites != nil {
		q.and("(site = '' OR site IN ?)", strs(f.Sites))
	}
	q.tail = "ORDER BY hour DESC, time DESC, id DESC"
	if f.Forward {
		q.tail = "ORDER BY hour, time, id"
	}
	return q, nil
}

// likeEscaper takes the meaning from what LIKE understands.
var likeEscaper = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

// lowerASCII folds as ClickHouse's lower does.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// entitySlack is for rows of the index without their event.
const entitySlack = 8

// newestOfEntity reports whether the newest events of an entity are asked for and nothing else: then those that the index says are the newest are.
func (f *EventFilter) newestOfEntity() bool {
	return f.Entity != "" && f.Limit > 0 && f.narrowed() == 0 && f.After == (EventCursor{}) && !f.Forward
}

// narrowed is how many conditions there are beside time and entity.
func (f *EventFilter) narrowed() int {
	n := len(f.Classes) + len(f.Text) + len(f.Where)
	if f.Matching != nil {
		n++
	}
	if f.Sites != nil {
		n++
	}
	return n
}

// inTime bounds the time of events, which their key begins with: from inclusive, to exclusive, in microseconds, 0 for no bound.
func (q *query) inTime(from, to int64) {
	q.between("time", from, to)
	if from != 0 {
		q.and("hour >= ?", num(int64(hourOf(from))))
	}
	if to != 0 {
		q.and("hour <= ?", num(int64(hourOf(to))))
	}
}

func (q *query) classes(names []string) error {
	if len(names) == 0 {
		return nil
	}
	var uids []uint32
	for _, name := range names {
		c, err := event.ParseClass(name)
		if err != nil {
			return fmt.Errorf("event filter: %w", err)
		}
		uids = append(uids, c.UID)
	}
	q.and("class_uid IN ?", typed{"Array(UInt32)", uids})
	exact := "0"
	for _, name := range names {
		c, _ := event.ParseClass(name)
		if c.Any {
			exact += q.fill(" OR class_uid = ?", typed{"UInt32", c.UID})
		} else {
			exact += q.fill(" OR class = ?", str(name))
		}
	}
	q.and("(" + exact + ")")
	return nil
}

// Event finds one event by its id, with the raw text of its record; found is false if there is none.
func (db *DB) Event(ctx context.Context, id event.ID) (e *event.Event, found bool, err error) {
	inner := query{head: "SELECT " + indexKey + " FROM " + db.table("entity_index")}
	inner.and("entity = ?", uns(idKey(id)))
	inner.and("id = toFixedString(unhex(?), 16)", hexID(id))
	q := query{head: eventSelect + "raw FROM " + db.table("events"), args: inner.args, tail: "LIMIT 1"}
	q.and("(" + eventKey + ") IN (" + inner.String() + ")")
	e, found, err = first(stream(ctx, db, "read event "+id.String(), q, scanOneEvent))
	if err != nil || !found || e.Envelope.Index == 0 {
		return e, found, err
	}
	raw := query{head: "SELECT raw FROM " + db.table("events"), tail: "LIMIT 1"}
	p := e.Envelope.Position
	raw.and("(epoch, number) IN (SELECT epoch, number FROM "+db.table("events")+" WHERE id = toFixedString(unhex(?), 16) AND hour = ?)", hexID(id), num(int64(hourOf(e.Time))))
	raw.and("source = ? AND partition = ? AND offset = ? AND idx = 0", str(p.Source), num(int64(p.Partition)), num(p.Offset))
	e.Envelope.Raw, _, err = first(stream(ctx, db, "read the record of event "+id.String(), raw, func(rows driver.Rows) ([]byte, error) {
		var s string
		err := rows.Scan(&s)
		return []byte(s), err
	}))
	return e, true, err
}

// scanPart gives a scan that reads a part of what events say of themselves, without their envelopes and entities, into one event after the other.
func scanPart(part event.Part) func(driver.Rows) (*event.Event, error) {
	e := &event.Event{}
	var id string
	var compact, scratch []byte
	return func(rows driver.Rows) (*event.Event, error) {
		err := rows.Scan(&id, &compact)
		if err != nil {
			return nil, err
		}
		*e = event.Event{}
		if e.Envelope.ID, err = idOf(id); err != nil {
			return nil, err
		}
		if scratch, err = event.DecodePart(compact, e, &part, scratch); err != nil {
			return nil, fmt.Errorf("event %s: %w", e.Envelope.ID, err)
		}
		return e, nil
	}
}

func scanOneEvent(rows driver.Rows) (*event.Event, error) { return scanEvent(rows) }

// scanEvent reads the columns of eventSelect, and more behind them.
func scanEvent(rows driver.Rows, more ...any) (*event.Event, error) {
	e := &event.Event{}
	v := &e.Envelope
	var id, refs, compact, raw string
	var timeSource int8
	var quality uint16
	var entities []string
	dest := append([]any{
		&id, &v.Position.Source, &v.Position.Partition, &v.Position.Offset, &v.Index, &v.Format, &v.Site, &v.Received, &timeSource, &quality, &entities, &refs, &compact, &raw,
	}, more...)
	err := rows.Scan(dest...)
	if err != nil {
		return nil, err
	}
	if v.ID, err = idOf(id); err != nil {
		return nil, err
	}
	v.TimeSource, v.Quality = event.TimeSource(timeSource), event.Quality(quality)
	if raw != "" {
		v.Raw = []byte(raw)
	}
	if err := event.Decode([]byte(compact), e); err != nil {
		return nil, fmt.Errorf("event %s: %w", v.ID, err)
	}
	if e.Entities, err = decodeRefs([]byte(refs), entities); err != nil {
		return nil, fmt.Errorf("event %s: entities: %w", v.ID, err)
	}
	return e, nil
}
