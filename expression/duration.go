package expression

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// durationUnits are in microseconds. Months and years have no fixed length and are refused.
var durationUnits = []struct {
	name   string
	micros int64
}{
	{"ms", 1000},
	{"s", 1000_000},
	{"m", 60 * 1000_000},
	{"h", 3600 * 1000_000},
	{"d", 24 * 3600 * 1000_000},
	{"w", 7 * 24 * 3600 * 1000_000},
}

// ParseDuration reads a length of time such as 500ms, 90s, 10m, 1h30m, 14d or 2w, in microseconds. Parts are whole numbers in falling order of
// their units; a day is 24 hours. The error says what is wrong in words fit for a rule's author.
func ParseDuration(s string) (micros int64, err error) {
	if s == "" {
		return 0, errors.New("duration is empty")
	}
	last, rest := int64(math.MaxInt64), s
	for rest != "" {
		digits := strings.TrimLeft(rest, "0123456789")
		n, err := strconv.ParseInt(rest[:len(rest)-len(digits)], 10, 64)
		if err != nil {
			return 0, errors.New("duration " + strconv.Quote(s) + " needs a whole number before each unit")
		}
		if strings.HasPrefix(digits, ".") {
			return 0, errors.New("duration " + strconv.Quote(s) + " has a fraction; take a smaller unit")
		}
		word := digits[:len(digits)-len(strings.TrimLeft(digits, " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZµ"))]
		unit, err := durationUnit(s, word)
		if err != nil {
			return 0, err
		}
		if unit >= last {
			return 0, errors.New("duration " + strconv.Quote(s) + " must go from longer to shorter units")
		}
		if n > (math.MaxInt64/4-micros)/unit {
			return 0, errors.New("duration " + strconv.Quote(s) + " is too long")
		}
		micros += n * unit
		last, rest = unit, digits[len(word):]
	}
	return micros, nil
}

func durationUnit(s, word string) (int64, error) {
	for _, u := range durationUnits {
		if u.name == word {
			return u.micros, nil
		}
	}
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "":
		return 0, errors.New("duration " + strconv.Quote(s) + " has no unit")
	case "mo", "mon", "month", "months", "y", "yr", "year", "years":
		return 0, errors.New("duration " + strconv.Quote(s) + ": months and years have no fixed length")
	}
	return 0, errors.New("duration " + strconv.Quote(s) + " has the unknown unit " + strconv.Quote(word))
}

// FormatDuration writes microseconds as ParseDuration reads them, in as few parts as it takes; what is below a millisecond is dropped.
func FormatDuration(micros int64) string {
	if micros <= 0 {
		return "0s"
	}
	var b strings.Builder
	for i := len(durationUnits) - 1; i >= 0; i-- {
		u := durationUnits[i]
		if u.name == "w" && micros%u.micros != 0 {
			continue // 10d reads better than 1w3d
		}
		if n := micros / u.micros; n > 0 {
			b.WriteString(strconv.FormatInt(n, 10))
			b.WriteString(u.name)
			micros -= n * u.micros
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}
