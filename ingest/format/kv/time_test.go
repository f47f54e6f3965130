package kv_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

func TestTimeReadsTheStampsVendorsUse(t *testing.T) {
	const zoned, bare = true, false
	cases := []struct {
		in    string
		want  string // RFC 3339; "" means refused
		zoned bool
	}{
		{"2026-03-01T02:11:09Z", "2026-03-01T02:11:09Z", zoned},
		{"2026-03-01T02:11:09.1Z", "2026-03-01T02:11:09.1Z", zoned},
		{"2026-03-01T02:11:09.123456Z", "2026-03-01T02:11:09.123456Z", zoned},
		{"2026-03-01T02:11:09.7796535Z", "2026-03-01T02:11:09.779653Z", zoned},
		{"2026-03-01T02:11:09.123456789+01:00", "2026-03-01T01:11:09.123456Z", zoned},
		{"2026-03-01T02:11:09+0100", "2026-03-01T01:11:09Z", zoned},
		{"2026-03-01T02:11:09-03", "2026-03-01T05:11:09Z", zoned},
		{"2026-03-01t02:11:09z", "2026-03-01T02:11:09Z", zoned},
		{"2026-03-01T02:11Z", "2026-03-01T02:11:00Z", zoned},
		{"2026-03-01 02:11:09", "2026-03-01T02:11:09Z", bare},
		{"2026-03-01 02:11:09.264 +01:00", "2026-03-01T01:11:09.264Z", zoned},
		{"2026-03-01 02:11:09,682", "2026-03-01T02:11:09.682Z", bare},
		{"2026-03-01 02:11:09 UTC", "2026-03-01T02:11:09Z", zoned},
		{"2026-03-01 02:11:09 CET", "2026-03-01T02:11:09Z", bare},
		{"2026/03/01 02:11:09", "2026-03-01T02:11:09Z", bare},
		{"2026-03-01 02:11:09 PM", "2026-03-01T14:11:09Z", bare},
		{"2026-03-01 12:11:09 AM", "2026-03-01T00:11:09Z", bare},
		{"2026-03-01 13:11:09 PM", "", bare},
		{" 2026-03-01 ", "2026-03-01T00:00:00Z", bare},
		{"2024-02-29T23:59:60Z", "2024-03-01T00:00:00Z", zoned},
		{"20260301021109Z", "2026-03-01T02:11:09Z", zoned},
		{"20260301021109", "2026-03-01T02:11:09Z", bare},
		{"Mar 01 2026 02:11:09", "2026-03-01T02:11:09Z", bare},
		{"Mar  1 2026 02:11:09.250 UTC", "2026-03-01T02:11:09.25Z", zoned},
		{"Sun Mar  1 02:11:09 2026", "2026-03-01T02:11:09Z", bare},
		{"Sun Mar  1 02:11:09 UTC 2026", "2026-03-01T02:11:09Z", zoned},
		{"Sun, 01 Mar 2026 02:11:09 GMT", "2026-03-01T02:11:09Z", zoned},
		{"01/Mar/2026:02:11:09 +0100", "2026-03-01T01:11:09Z", zoned},
		{"1-Mar-2026 02:11:09", "2026-03-01T02:11:09Z", bare},
		{"March 1, 2026 2:11:09 PM", "2026-03-01T14:11:09Z", bare},
		{"1772331069", "2026-03-01T02:11:09Z", zoned},
		{"1772331069.25", "2026-03-01T02:11:09.25Z", zoned},
		{"1772331069123", "2026-03-01T02:11:09.123Z", zoned},
		{"1772331069123.5", "2026-03-01T02:11:09.1235Z", zoned},
		{"1772331069123456", "2026-03-01T02:11:09.123456Z", zoned},
		{"1772331069123456789", "2026-03-01T02:11:09.123456Z", zoned},
		{"134168046690000000", "2026-03-01T02:11:09Z", zoned},
		{"9999-12-31T23:59:59.9999999Z", "", bare},
		{"0001-01-01T00:00:00Z", "", bare},
		{"Jan 01 1970 00:00:00", "", bare},
		{"1900-01-01T00:00:00.000000+0000", "", bare},
		{"2026-02-29T00:00:00Z", "", bare},
		{"2026-13-01T00:00:00Z", "", bare},
		{"2026-03-01T24:00:00Z", "", bare},
		{"2026-03-01T02:60:00Z", "", bare},
		{"2026-03-01T02:11:09.Z", "", bare},
		{"2026-03-01T02:11:09+1", "", bare},
		{"2026-03-01T02:11:09+99:00", "", bare},
		{"2026-03/01 02:11:09", "", bare},
		{"2026-03-01x02:11:09", "", bare},
		{"2026-03-01T02:11:09Z and more", "", bare},
		{"03/01/2026 02:11:09", "", bare},
		{"Mar 01 02:11:09", "", bare},
		{"Mar 32 2026 02:11:09", "", bare},
		{"99999", "", bare},
		{"0", "", bare},
		{"-11644473600000", "", bare},
		{"99999999999999999999", "", bare},
		{"1.7.7331069", "", bare},
		{"........", "", bare},
		{"None", "", bare},
		{"", "", bare},
	}
	for _, c := range cases {
		micros, zoned, ok := kv.Time(c.in)
		if c.want == "" {
			if ok {
				t.Errorf("%q was read as %s", c.in, time.UnixMicro(micros).UTC().Format(time.RFC3339Nano))
			}
			continue
		}
		got := time.UnixMicro(micros).UTC().Format(time.RFC3339Nano)
		if !ok || got != c.want || zoned != c.zoned {
			t.Errorf("%q: %s, zoned %v, %v; want %s, zoned %v", c.in, got, zoned, ok, c.want, c.zoned)
		}
	}
}

func TestTimeInAppliesTheZoneOnlyWhereTheTextHasNone(t *testing.T) {
	east := time.FixedZone("", 2*3600)
	for in, want := range map[string]string{
		"2026-07-01 12:00:00":       "2026-07-01T10:00:00Z",
		"2026-07-01 12:00:00 CEST":  "2026-07-01T10:00:00Z",
		"2026-07-01 12:00:00+00:00": "2026-07-01T12:00:00Z",
		"1782907200":                "2026-07-01T12:00:00Z",
	} {
		micros, _, ok := kv.TimeIn(in, east)
		if got := time.UnixMicro(micros).UTC().Format(time.RFC3339); !ok || got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestTimeAgreesWithTheStandardLibrary(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	layouts := []string{
		time.RFC3339Nano, "2006-01-02 15:04:05.000000 -0700", "Jan _2 2006 15:04:05.000000 -0700",
		"Mon Jan _2 15:04:05 2006", "02/Jan/2006:15:04:05 -0700", "2006-01-02T15:04:05.999Z07:00",
	}
	for range 5000 {
		zone := time.FixedZone("", (rnd.IntN(27*4)-12*4)*900)
		at := time.UnixMicro(1e12 + rnd.Int64N(4e15)).In(zone)
		for _, layout := range layouts {
			text := at.Format(layout)
			want, err := time.Parse(layout, text)
			if err != nil {
				t.Fatal(err)
			}
			if got, _, ok := kv.Time(text); !ok || got != want.UnixMicro() {
				t.Fatalf("seed %d: %q: %d, %v; want %d", seed, text, got, ok, want.UnixMicro())
			}
		}
	}
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{"2026-03-01T02:11:09.123Z", "Sun Mar  1 02:11:09 UTC 2026", "01/Mar/2026:02:11:09 +0100", "1772331069.25", "20260301021109Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		micros, _, ok := kv.Time(s)
		if ok && (micros <= 0 || time.UnixMicro(micros).UTC().Year() > 9999) {
			t.Errorf("%q gave %d", s, micros)
		}
		if want, err := time.Parse(time.RFC3339, s); err == nil && want.Year() >= 1971 && want.Year() < 9998 {
			if _, offset := want.Zone(); max(offset, -offset) < 18*3600 && (!ok || micros != want.UnixMicro()) {
				t.Errorf("%q: %d, %v; the standard library reads %d", s, micros, ok, want.UnixMicro())
			}
		}
	})
}

func TestTimeDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		for _, s := range []string{"2026-03-01T02:11:09.1234567Z", "1772331069123", "Mar 01 2026 02:11:09", "nonsense"} {
			kv.Time(s)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTimeRFC3339(b *testing.B) {
	for b.Loop() {
		kv.Time("2026-03-01T02:11:09.1234567Z")
	}
}
