package format_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// FuzzFormats feeds any bytes to any format: an event or a reasoned reject comes out, the same one with a fresh and with a used scratch,
// of a class the format lists, and the record's bytes are left alone.
func FuzzFormats(f *testing.F) {
	all := format.All()
	if len(all) == 0 {
		f.Skip("no formats")
	}
	for i := range all {
		for _, file := range samples(f, &all[i]) {
			records, err := readSample(&all[i], file)
			if err != nil {
				f.Fatal(err)
			}
			for _, rec := range records {
				f.Add(uint8(i), rec.Context, rec.Value)
			}
		}
	}
	used := make([]format.Scratch, len(all))
	f.Fuzz(func(t *testing.T, which uint8, context, value []byte) {
		i := int(which) % len(all)
		p := &all[i]
		before := bytes.Clone(value)
		rec := &event.Record{Value: value, Format: p.Name, Received: received.UnixMicro()}
		if p.Framing == format.Columns {
			rec.Context = context
		}
		first, firstErr := decode(t, p, &used[i], rec)
		second, secondErr := decode(t, p, new(format.Scratch), rec)
		if d := cmp.Diff(compact(first), compact(second)); d != "" {
			t.Errorf("%s: a used scratch changes the result:\n%s", p.Name, d)
		}
		if (firstErr == nil) != (secondErr == nil) || firstErr != nil && firstErr.Error() != secondErr.Error() {
			t.Errorf("%s: %v, then %v", p.Name, firstErr, secondErr)
		}
		if !bytes.Equal(before, value) {
			t.Errorf("%s changed the record", p.Name)
		}
		for i := range first {
			checkValid(t, &first[i])
		}
	})
}

// compact is events in the stored form, with their entities.
func compact(events []event.Event) [][]byte {
	var out [][]byte
	for i := range events {
		b := event.Append(nil, &events[i])
		for _, x := range events[i].Entities {
			b = append(b, byte(x.Kind), byte(x.Role), byte(x.Strength))
			b = append(b, x.Key...)
			b = append(b, x.ID...)
		}
		out = append(out, slices.Clip(b))
	}
	return out
}
