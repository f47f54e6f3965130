package store

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/tocsin-siem/tocsin/event"
)

const timeType = "DateTime64(6, 'UTC')"

// tile is how many events are taken at a time: column after column, while they are in the processor's cache.
const tile = 32

// maxBlockBytes bounds one insert; a batch with more is sent in several.
const maxBlockBytes = 64 << 20

// eventEncoder turns events into blocks of the tables events and entity_index.
type eventEncoder struct {
	block, index block
	fillers      []filler

	id                      *fixed
	hour                    *fixed
	time, received, written *fixed
	epoch, number           *fixed
	source, format, site    *low
	partition, offset       *fixed
	idx, timeSource         *fixed
	quality                 *fixed
	class                   *low
	entities                *list[*low]
	refs, compact, raw      *text

	entity, entityTime, entityClass, entityID, entityWritten *fixed

	order   eventOrder
	classes map[classKey]string
	last    classKey // Of the latest event whose activity needs no name of its own, and the name of both: events of one kind come in runs.
	named   string
	ids     []string
	scratch []byte
}

type classKey struct {
	class    uint32
	activity uint16
	name     string
}

func newEventEncoder() (*eventEncoder, error) {
	e := &eventEncoder{classes: map[classKey]string{}, block: block{table: "events"}, index: block{table: "entity_index"}}
	b := &e.block
	e.id = add(b, "id", newFixed("FixedString(16)", 16))
	e.hour = add(b, "hour", newFixed("UInt32", 4))
	e.time = add(b, "time", newFixed(timeType, 8))
	e.received = add(b, "received", newFixed(timeType, 8))
	e.written = add(b, "written", newFixed("DateTime('UTC')", 4))
	e.epoch = add(b, "epoch", newFixed("UInt64", 8))
	e.number = add(b, "number", newFixed("UInt64", 8))
	e.source = add(b, "source", newLow())
	e.partition = add(b, "partition", newFixed("Int32", 4))
	e.offset = add(b, "offset", newFixed("Int64", 8))
	e.idx = add(b, "idx", newFixed("UInt16", 2))
	e.format = add(b, "format", newLow())
	e.site = add(b, "site", newLow())
	e.timeSource = add(b, "time_source", newFixed("Int8", 1))
	e.quality = add(b, "quality", newFixed("UInt16", 2))
	e.class = add(b, "class", newLow())
	for _, c := range eventColumns {
		f, err := c.fillerFor(b)
		if err != nil {
			return nil, err
		}
		e.fillers = append(e.fillers, f)
	}
	e.entities = add(b, "entities", newList(newLow()))
	e.refs = add(b, "refs", &text{})
	e.compact = add(b, "event", &text{})
	e.raw = add(b, "raw", &text{})

	x := &e.index
	e.entity = add(x, "entity", newFixed("UInt64", 8))
	e.entityTime = add(x, "time", newFixed(timeType, 8))
	e.entityClass = add(x, "class_uid", newFixed("UInt32", 4))
	e.entityID = add(x, "id", newFixed("FixedString(16)", 16))
	e.entityWritten = add(x, "written", newFixed("DateTime('UTC')", 4))
	return e, nil
}

// encode adds events in an order until the block is full and returns how many it took, at least one.
func (e *eventEncoder) encode(events []event.Event, order []int32, batch event.BatchID, written uint32) int {
	n, bytes := 0, 0
	for _, c := range []*text{e.refs, e.compact, e.raw} {
		c.coming = c.rows + len(order)
	}
	for n < len(order) && bytes < maxBlockBytes {
		part := order[n:min(n+tile, len(order))]
		for _, f := range e.fillers {
			f.fill(events, part)
		}
		for _, i := range part {
			e.envelope(&events[i], batch, written)
		}
		n += len(part)
		bytes = len(e.raw.b) + len(e.compact.b)
	}
	return n
}

func (e *eventEncoder) envelope(x *event.Event, batch event.BatchID, written uint32) {
	v := &x.Envelope
	e.id.addBytes((*[16]byte)(&v.ID))
	e.hour.add32(hourOf(x.Time))
	e.time.add64(uint64(x.Time))
	e.received.add64(uint64(v.Received))
	e.written.add32(written)
	e.epoch.add64(batch.Epoch)
	e.number.add64(batch.Number)
	e.source.add(v.Position.Source)
	e.partition.add32(uint32(v.Position.Partition))
	e.offset.add64(uint64(v.Position.Offset))
	e.idx.add16(v.Index)
	e.format.add(v.Format)
	e.site.add(v.Site)
	e.timeSource.add8(uint8(v.TimeSource))
	e.quality.add16(uint16(v.Quality))
	e.class.add(e.classOf(x))
	if v.Index == 0 {
		e.raw.addBytes(v.Raw)
	} else {
		e.raw.add("")
	}
	e.scratch = event.Append(e.scratch[:0], x)
	e.compact.addBytes(e.scratch)
	e.entityRows(x, written)
}

// entityRows writes the event's distinct entities, how it names them, and the index rows for them and for its own id.
func (e *eventEncoder) entityRows(x *event.Event, written uint32) {
	e.ids = e.ids[:0]
	e.scratch = appendRefs(e.scratch[:0], x.Entities, &e.ids)
	e.refs.addBytes(e.scratch)
	for _, id := range e.ids {
		key := entityKey(id)
		e.entities.of.addHashed(id, key)
		e.indexRow(x, key, written)
	}
	e.entities.end()
	e.indexRow(x, idKey(x.Envelope.ID), written)
}

func (e *eventEncoder) indexRow(x *event.Event, key uint64, written uint32) {
	e.entity.add64(key)
	e.entityTime.add64(uint64(x.Time))
	e.entityClass.add32(x.ClassUID)
	e.entityID.addBytes((*[16]byte)(&x.Envelope.ID))
	e.entityWritten.add32(written)
}

// entityKey is ClickHouse's xxHash64 of the id.
func entityKey(id string) uint64 { return xxhash.Sum64String(id) }

// idKey is where the index keeps an event under its own id.
func idKey(id event.ID) uint64 { return binary.LittleEndian.Uint64(id[:8]) }

// maxClasses bounds the names kept: an activity's name may come from outside.
const maxClasses = 4096

func (e *eventEncoder) classOf(x *event.Event) string {
	k := classKey{x.ClassUID, x.ActivityID, x.Activity}
	if k == e.last && e.named != "" {
		return e.named
	}
	name, ok := e.classes[k]
	if !ok {
		if len(e.classes) >= maxClasses {
			clear(e.classes)
		}
		name = x.ClassKey()
		k.name = string([]byte(k.name)) // The map outlives the batch.
		e.classes[k] = name
	}
	if k.name == "" { // Another may lie in memory of the batch.
		e.last, e.named = k, name
	}
	return name
}

// hourOf is the hour in which t (microseconds) lies; outside of what the column holds, the nearest hour it does.
func hourOf(t int64) uint32 { return uint32(min(max(t/hourMicros, 0), math.MaxUint32)) }

const hourMicros = 3_600_000_000
