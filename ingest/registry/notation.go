package registry

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"time"
	"unsafe"

	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// How stamps are written: RFC 3339 with the digits that the formats' time reader keeps, or all that were sent.
const (
	utcMicros   = `"2006-01-02T15:04:05.000000Z"`
	utcNanos    = `"2006-01-02T15:04:05.000000000Z"`
	localLayout = `"2006-01-02T15:04:05.000000"`
	localFine   = `"2006-01-02T15:04:05.000000000"`
	dateLayout  = `"2006-01-02"`
	clockLayout = `"15:04:05.000000"`
)

// appendTime appends n, which counts days or parts of seconds, in the notation of its logical type; the number itself where that has none.
func appendTime(dst []byte, l logical, n int64) []byte {
	switch l {
	case dateLogical:
		return appendStamp(dst, time.Unix(n*86_400, 0), dateLayout, n)
	case timeMillis:
		return appendClock(dst, n, time.Millisecond)
	case timeMicros:
		return appendClock(dst, n, time.Microsecond)
	case stampMillis:
		return appendStamp(dst, time.UnixMilli(n), utcMicros, n)
	case stampMicros:
		return appendStamp(dst, time.UnixMicro(n), utcMicros, n)
	case stampNanos:
		return appendStamp(dst, time.Unix(0, n), utcNanos, n)
	case localMillis:
		return appendStamp(dst, time.UnixMilli(n), localLayout, n)
	case localMicros:
		return appendStamp(dst, time.UnixMicro(n), localLayout, n)
	case localNanos:
		return appendStamp(dst, time.Unix(0, n), localFine, n)
	}
	return jsonscan.AppendInt(dst, n)
}

// appendStamp appends t, or n where its year is none that RFC 3339 can write.
func appendStamp(dst []byte, t time.Time, layout string, n int64) []byte {
	t = t.UTC()
	if year := t.Year(); year < 0 || year > 9999 {
		return jsonscan.AppendInt(dst, n)
	}
	return t.AppendFormat(dst, layout)
}

// appendClock appends a time of day, or n where a day is not that long.
func appendClock(dst []byte, n int64, unit time.Duration) []byte {
	if n < 0 || n >= int64(24*time.Hour/unit) {
		return jsonscan.AppendInt(dst, n)
	}
	return time.Unix(0, n*int64(unit)).UTC().AppendFormat(dst, clockLayout)
}

// appendLogicalBytes appends bytes or a fixed. It fails on decimals that are none, or absurdly long.
func appendLogicalBytes(dst []byte, t *avroType, b []byte) ([]byte, bool) {
	switch t.logical {
	case decimalLogical:
		return appendDecimal(dst, b, int64(t.scale))
	case bigDecimal:
		w := avroWalk{in: b}
		unscaled, f := w.counted("decimal")
		if f != nil {
			return dst, false
		}
		scale, f := w.long()
		if f != nil || w.at != len(b) {
			return dst, false
		}
		return appendDecimal(dst, unscaled, scale)
	case uuidLogical:
		if len(b) == 16 {
			return appendUUID(dst, b), true
		}
	case durationLogical:
		if len(b) == 12 {
			for i, name := range []string{`{"months":`, `,"days":`, `,"millis":`} {
				dst = jsonscan.AppendUint(append(dst, name...), uint64(binary.LittleEndian.Uint32(b[4*i:])))
			}
			return append(dst, '}'), true
		}
	}
	return appendBase64(dst, b), true
}

// maxDecimal is the bytes of a decimal's digits; writing them takes time in the square of it.
const maxDecimal = 512

// appendDecimal appends unscaled × 10^-scale as a string: all digits, the point where the scale says. Unscaled is big-endian two's complement.
func appendDecimal(dst, unscaled []byte, scale int64) ([]byte, bool) {
	if len(unscaled) == 0 || len(unscaled) > maxDecimal || scale > maxScale || scale < -maxScale {
		return dst, false
	}
	n := new(big.Int).SetBytes(unscaled)
	if unscaled[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(unscaled))))
	}
	var room [64]byte
	digits := new(big.Int).Abs(n).Append(room[:0], 10)
	dst = append(dst, '"')
	if n.Sign() < 0 {
		dst = append(dst, '-')
	}
	whole := len(digits) - int(scale)
	if scale <= 0 {
		dst = append(dst, digits...)
		for range -scale {
			if n.Sign() != 0 {
				dst = append(dst, '0')
			}
		}
		return append(dst, '"'), true
	}
	if whole > 0 {
		dst = append(append(dst, digits[:whole]...), '.')
	} else {
		dst = append(dst, "0."...)
		for range -whole {
			dst = append(dst, '0')
		}
		whole = 0
	}
	return append(append(dst, digits[whole:]...), '"'), true
}

func appendUUID(dst, b []byte) []byte {
	dst = append(dst, '"')
	for i, end := range []int{4, 6, 8, 10, 16} {
		start := [...]int{0, 4, 6, 8, 10}[i]
		if start > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, b[start:end])
	}
	return append(dst, '"')
}

// appendFloat appends the shortest text that reads back as f in a float of so many bits; null for what JSON cannot write.
func appendFloat(dst []byte, f float64, bits int) []byte {
	a := math.Abs(f)
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return append(dst, "null"...)
	case a != 0 && (a < 1e-6 || a >= 1e21):
		return strconv.AppendFloat(dst, f, 'e', -1, bits)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, bits)
}

// stringOf is b as a string, without a copy. It is for what is written out at once.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// indexed is a place in a list, for errors.
func indexed(n int) string { return "[" + strconv.Itoa(n) + "]" }

// keyed is a place in a map, for errors.
func keyed(key []byte) string {
	return "[" + strconv.QuoteToASCII(string(key[:min(len(key), 100)])) + "]"
}

// appendDuration appends seconds and nanoseconds of the same sign as "1.5s", as the JSON mapping of Protocol Buffers does.
func appendDuration(dst []byte, seconds, nanos int64) []byte {
	dst = append(dst, '"')
	if seconds < 0 || nanos < 0 {
		dst = append(dst, '-')
	}
	dst = strconv.AppendUint(dst, magnitude(seconds), 10)
	if nanos != 0 {
		fraction := strconv.AppendUint(nil, 1_000_000_000+magnitude(nanos)%1_000_000_000, 10)
		dst = append(append(dst, '.'), bytes.TrimRight(fraction[1:], "0")...)
	}
	return append(dst, `s"`...)
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
