package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

const (
	leastRecord = 7       // Bytes of a record with nothing in it.
	maxHeaders  = 1 << 12 // Most headers of one record.
	maxNames    = 1 << 10 // Most header keys kept for being used again.
	maxEvidence = 1 << 20 // Most bytes of a batch given with a fault.
	headerSlab  = 512     // Headers allocated at once.
	headerBytes = 40      // Of memory that a header takes, beside its value.
)

// decoder turns record sets into messages, one batch unpacked at a time. Every batch moves next behind its last offset, whatever it holds, so an
// emptied one neither repeats nor stalls; offsets handed out only ever grow, whatever the broker sends. It does no I/O.
type decoder struct {
	unpacker unpacker
	next     int64 // Next offset to hand out.
	start    int64 // next as the set began.
	high     int64
	set      []byte // What is left of the set.
	cut      bool   // The set ends before its end because of our bound.
	aborted  []abortedTxn
	void     []int64 // Producers whose records are now of an aborted transaction.

	batch batch
	body  []byte // Records left of batch, unpacked.
	left  int32  // Their number.

	doubt   int64 // next as a batch came damaged; -1: none has. Damaged twice at the same place, it is so on the broker.
	damaged bool  // The set was thrown away for that: it has to be fetched again.
	lent    bool  // Messages point into the set.

	headers []event.Header
	names   map[string]string
	stats   Stats
}

// begin takes over an answer. Whatever was left of the one before is forgotten.
func (d *decoder) begin(f fetched) {
	d.set, d.cut, d.aborted, d.high = f.records, f.cut, f.aborted, f.high
	slices.SortFunc(d.aborted, func(a, b abortedTxn) int { return cmp.Compare(a.first, b.first) })
	d.void, d.body, d.left = d.void[:0], nil, 0
	d.start, d.damaged, d.lent = d.next, false, false
}

// pending tells whether there may be more in the set.
func (d *decoder) pending() bool { return d.left > 0 || len(d.set) > 0 }

// fill appends messages until the set is at its end, or about that many messages or bytes of them were appended.
func (d *decoder) fill(dst []Message, messages, bytes int) []Message {
	for d.pending() {
		if d.left == 0 {
			dst = d.advance(dst)
			continue
		}
		before := len(d.body)
		if len(dst) < cap(dst) {
			dst = dst[:len(dst)+1]
		} else {
			dst = append(dst, Message{})
		}
		m := &dst[len(dst)-1]
		headers, ok := d.record(m)
		switch {
		case !ok:
			dst = d.fault(dst[:len(dst)-1], "kafka_record", "a record of the batch is malformed", d.body)
			d.left, d.body = 0, nil
		case m.Offset < d.next:
			dst = dst[:len(dst)-1] // Before the offset asked for.
		default:
			d.next = m.Offset + 1
			d.stats.Messages++
			messages--
		}
		if d.left == 0 {
			d.next = max(d.next, d.batch.last+1)
			d.body = nil
		}
		if bytes -= before - len(d.body) + headers*headerBytes; messages <= 0 || bytes <= 0 {
			break
		}
	}
	return dst
}

// record reads the next record of the batch into m and tells the number of its headers.
func (d *decoder) record(m *Message) (headers int, ok bool) {
	size, i := varint(d.body, 0)
	if i < 0 || size < 1 || size > int64(len(d.body)-i) {
		return 0, false
	}
	b := d.body[:i+int(size)]
	time, i := varint(b, i+1) // Behind the attributes, which have no meaning yet.
	delta, i := varint(b, i)
	key, i := field(b, i)
	value, i := field(b, i)
	n, i := varint(b, i)
	if i < 0 || delta < 0 || delta > d.batch.last-d.batch.base || n < 0 || n > maxHeaders {
		return 0, false
	}
	*m = Message{Offset: d.batch.base + delta, Key: key, Value: value}
	if d.batch.is(attrAppendTime) {
		m.Time = micros(d.batch.maxTime)
	} else {
		m.Time = micros(d.batch.baseTime + time)
	}
	if n > 0 {
		if m.Headers, i = d.headersOf(b, i, int(n)); i < 0 {
			return 0, false
		}
	}
	if i != len(b) {
		return 0, false
	}
	d.body = d.body[len(b):]
	d.left--
	return int(n), true
}

func (d *decoder) headersOf(b []byte, i, n int) ([]event.Header, int) {
	if n > (len(b)-i)/2 {
		return nil, -1
	}
	if cap(d.headers)-len(d.headers) < n {
		d.headers = make([]event.Header, 0, max(n, headerSlab))
	}
	from := len(d.headers)
	for range n {
		var key, value []byte
		if key, i = field(b, i); key == nil {
			return nil, -1
		}
		if value, i = field(b, i); i < 0 {
			return nil, -1
		}
		d.headers = append(d.headers, event.Header{Key: d.name(key), Value: value})
	}
	return d.headers[from:len(d.headers):len(d.headers)], i
}

// name is key as a string, the same one each time: topics have few header keys.
func (d *decoder) name(key []byte) string {
	if name, known := d.names[string(key)]; known {
		return name
	}
	name := string(key)
	if d.names == nil {
		d.names = make(map[string]string)
	}
	if len(d.names) < maxNames && len(name) < 256 {
		d.names[name] = name
	}
	return name
}

// advance goes on to the next batch of the set: makes it current, steps behind it, or appends a fault in its place.
func (d *decoder) advance(dst []Message) []Message {
	b, state := headOf(d.set, d.high)
	d.batch = b
	switch state {
	case headCut:
		return d.cutOff(dst)
	case headBroken:
		return d.broken(dst, true, "kafka_batch", "the head of the batch cannot be: its length or its offsets are out of bounds")
	case headWhole, headOld:
	}
	if state == headWhole && b.last < d.next {
		d.set = d.set[len(b.raw):]
		return dst
	}
	if state == headWhole && !b.sound() {
		return d.broken(dst, false, "kafka_crc", "the batch does not match its checksum")
	}
	d.set = d.set[len(b.raw):]
	if state == headOld {
		if b.base < d.next {
			return dst
		}
		return d.fault(dst, "kafka_magic", fmt.Sprintf("the batch has format %d; only format 2 (Kafka 0.11 or newer) is read", b.magic), b.raw)
	}
	if d.dropped(&b) || b.count == 0 {
		if b.count == 0 && !b.is(attrControl) {
			d.stats.Emptied++
		}
		d.next = b.last + 1
		return dst
	}
	return d.open(dst, &b)
}

// open makes the records of a batch current.
func (d *decoder) open(dst []Message, b *batch) []Message {
	body := b.raw[atRecords:]
	if codec := int(b.attributes & attrCodec); codec == codecNone {
		d.lent = true
	} else {
		var err error
		if body, err = d.unpacker.unpack(codec, body); err != nil {
			code := "kafka_codec"
			if errors.Is(err, errTooLarge) {
				code = "kafka_oversize"
			}
			return d.fault(dst, code, fmt.Sprintf("the batch (%s, %d bytes) cannot be unpacked: %v", codecName(codec), len(b.raw), err), b.raw)
		}
	}
	if b.count < 0 || int64(b.count) > int64(len(body)/leastRecord) {
		return d.fault(dst, "kafka_batch", fmt.Sprintf("the batch says it has %d records and is too short for them", b.count), b.raw)
	}
	d.body, d.left = body, b.count
	return dst
}

func codecName(codec int) string {
	if codec < len(codecNames) {
		return codecNames[codec]
	}
	return fmt.Sprintf("codec %d", codec)
}

// dropped tells whether a batch is a marker of the transaction log or of an aborted transaction (KIP-98: the answer lists the transactions
// aborted, by producer and first offset; each lasts until the marker of its producer).
func (d *decoder) dropped(b *batch) bool {
	for len(d.aborted) > 0 && d.aborted[0].first <= b.last {
		if producer := d.aborted[0].producer; !slices.Contains(d.void, producer) {
			d.void = append(d.void, producer)
		}
		d.aborted = d.aborted[1:]
	}
	switch {
	case b.is(attrControl):
		d.stats.Control++
		if b.endsAborted() {
			if i := slices.Index(d.void, b.producer); i >= 0 {
				d.void = slices.Delete(d.void, i, i+1)
			}
		}
		return true
	case b.is(attrTransactional) && slices.Contains(d.void, b.producer):
		d.stats.Aborted++
		return true
	}
	return false
}

// cutOff is for a set that ends inside of a batch: brokers cut the last one of an answer where it suits them, and it comes again. Cut though it
// is the first, it is too large for us.
func (d *decoder) cutOff(dst []Message) []Message {
	switch {
	case d.next > d.start:
		d.set = nil
		return dst
	case d.cut:
		b := d.batch
		d.set = nil
		return d.fault(dst, "kafka_oversize", fmt.Sprintf("the batch has %d bytes, more than max_batch", b.size), b.raw)
	}
	return d.broken(dst, true, "kafka_batch", "the batch ends before its end")
}

// broken throws the set away to have it fetched again, as the damage may have come on the way; seen again at the same place, it is on the broker.
// cannotBe says that the offsets of the batch are not to be believed either.
func (d *decoder) broken(dst []Message, cannotBe bool, code, reason string) []Message {
	if d.doubt != d.next {
		d.doubt, d.damaged, d.set = d.next, true, nil
		d.stats.Rereads++
		return dst
	}
	d.doubt = -1
	// Damage may have changed the first offset, so the fault begins where we are: what may be missing before the batch is told, too.
	d.batch.base = d.next
	if cannotBe {
		d.batch.last = d.next
	}
	if rest := int64(len(d.set)); d.batch.size >= atRecords && d.batch.size <= rest {
		d.set = d.set[d.batch.size:]
	} else {
		d.set = nil
	}
	return d.fault(dst, code, reason, d.batch.raw)
}

// fault appends a message saying that the offsets from next to the end of the current batch cannot be read, and goes on behind them. Offsets of
// the batch that cannot be are not believed: then it is the one next offset.
func (d *decoder) fault(dst []Message, code, reason string, evidence []byte) []Message {
	offset, last := max(d.batch.base, d.next), d.batch.last
	if d.high > 0 && (offset >= d.high || last >= d.high) || last < offset {
		offset, last = d.next, d.next
	}
	d.stats.Faults++
	d.next, d.lent = last+1, true
	evidence = evidence[:min(len(evidence), maxEvidence)]
	return append(dst, Message{
		Offset: offset, Time: micros(d.batch.maxTime), Value: evidence[:len(evidence):len(evidence)],
		Fault: &Fault{Code: code, Reason: reason, Last: last},
	})
}
