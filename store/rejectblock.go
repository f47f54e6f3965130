package store

import "github.com/tocsin-siem/tocsin/event"

type rejectEncoder struct {
	block
	id, received, partition, offset, written, epoch, number *fixed
	source, format, code                                    *low
	reason                                                  *text
	keyed                                                   *fixed
	key                                                     *text
	headerKeys                                              *list[*low]
	headerValues                                            *list[*text]
	context                                                 *text
	based, partial                                          *fixed
	raw                                                     *text
}

func newRejectEncoder() *rejectEncoder {
	e := &rejectEncoder{block: block{table: "rejects"}}
	b := &e.block
	e.id = add(b, "id", newFixed("FixedString(16)", 16))
	e.received = add(b, "received", newFixed(timeType, 8))
	e.source = add(b, "source", newLow())
	e.partition = add(b, "partition", newFixed("Int32", 4))
	e.offset = add(b, "offset", newFixed("Int64", 8))
	e.written = add(b, "written", newFixed("DateTime('UTC')", 4))
	e.epoch = add(b, "epoch", newFixed("UInt64", 8))
	e.number = add(b, "number", newFixed("UInt64", 8))
	e.format = add(b, "format", newLow())
	e.code = add(b, "code", newLow())
	e.reason = add(b, "reason", &text{})
	e.keyed = add(b, "keyed", newFixed("Bool", 1))
	e.key = add(b, "key", &text{})
	e.headerKeys = add(b, "header_keys", newList(newLow()))
	e.headerValues = add(b, "header_values", newList(&text{}))
	e.context = add(b, "context", &text{})
	e.based = add(b, "based", newFixed("Bool", 1))
	e.partial = add(b, "partial", newFixed("Bool", 1))
	e.raw = add(b, "raw", &text{})
	return e
}

// encode adds rejects until the block is full and returns how many it took, at least one.
func (e *rejectEncoder) encode(rejects []event.Reject, batch event.BatchID, written uint32) int {
	e.reset()
	n := 0
	for ; n < len(rejects) && len(e.raw.b) < maxBlockBytes; n++ {
		r := &rejects[n]
		id := RejectID(r)
		e.id.addBytes((*[16]byte)(&id))
		e.received.add64(uint64(r.Received))
		e.source.add(r.Position.Source)
		e.partition.add32(uint32(r.Position.Partition))
		e.offset.add64(uint64(r.Position.Offset))
		e.written.add32(written)
		e.epoch.add64(batch.Epoch)
		e.number.add64(batch.Number)
		e.format.add(r.Format)
		e.code.add(r.Code)
		e.reason.add(r.Reason)
		e.keyed.addBool(r.Key != nil)
		e.key.addBytes(r.Key)
		for i := range r.Headers {
			e.headerKeys.of.add(r.Headers[i].Key)
			e.headerValues.of.addBytes(r.Headers[i].Value)
		}
		e.headerKeys.end()
		e.headerValues.end()
		e.context.addBytes(r.Context)
		e.based.addBool(!r.Basis.IsZero())
		e.partial.addBool(r.Partial)
		e.raw.addBytes(r.Raw)
	}
	return n
}
