package ingest

import (
	"iter"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// Decoder decodes single records outside a pipeline, for trying a format. It is not safe for concurrent use.
type Decoder struct {
	decoder *decoder
	batch   event.Batch
}

// NewDecoder makes a decoder of all formats.
func NewDecoder() *Decoder { return &Decoder{decoder: newDecoder(0)} }

// Decode gives the events of one record, without a time only if the record states none, or why there are none. The events are valid
// until the next call.
func (d *Decoder) Decode(r event.Record) ([]event.Event, *event.Reject) {
	d.batch = event.Batch{Events: d.batch.Events[:0]}
	d.decoder.decode(&d.batch, []event.Record{r}, nil)
	for i := range d.batch.Events {
		if e := &d.batch.Events[i]; e.Time == 0 {
			e.Time, e.Envelope.TimeSource = r.Received, event.TimeReceived
		}
	}
	if len(d.batch.Rejects) > 0 {
		return nil, &d.batch.Rejects[0]
	}
	return d.batch.Events, nil
}

// Frames cuts data into records by the framing of f. Records alias data.
func Frames(f *format.Format, data []byte) iter.Seq[event.Record] {
	return func(yield func(event.Record) bool) {
		frames := newFramer(f.Framing)
		for offset := 0; len(data) > 0; {
			fr, ok := frames.cut(data, true)
			if ok {
				r := event.Record{Value: data[fr.start:fr.end:fr.end], Context: fr.context, Format: f.Name, Partial: fr.partial}
				r.Position.Offset = int64(offset + fr.start)
				if !yield(r) {
					return
				}
			}
			data = data[fr.next:]
			offset += fr.next
			if !ok {
				return
			}
		}
	}
}
