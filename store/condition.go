package store

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Condition compares a field of the event that has a column of its own with values. Several values mean any of them.
type Condition struct {
	Path   string // As rules write it, such as src_endpoint.ip; see Columns.
	Op     Op
	Values []string // Text; numbers in decimal, booleans as true and false, addresses or CIDR blocks for addresses.
}

// Op is a comparison.
type Op string

// The comparisons. Unknown values are equal to nothing, less than nothing and contain nothing; NotEqual holds for them.
const (
	Equal    Op = "="
	NotEqual Op = "!="
	Less     Op = "<"
	AtMost   Op = "<="
	Greater  Op = ">"
	AtLeast  Op = ">="
	Contains Op = "contains" // Without regard to ASCII case.
	Prefix   Op = "prefix"
	Known    Op = "known" // Takes no value.
)

// envelopeColumns are searched like the event's own fields.
var envelopeColumns = []Column{
	{"source", "source", asLow},
	{"format", "format", asLow},
	{"site", "site", asLow},
	{"class", "class", asLow},
}

// ErrFilter means that a filter asks for what the store cannot search.
var ErrFilter = fmt.Errorf("filter")

func columnFor(path string) (Column, bool) {
	for _, list := range [...][]Column{eventColumns, envelopeColumns} {
		if i := slices.IndexFunc(list, func(c Column) bool { return c.Path == path }); i >= 0 {
			return list[i], true
		}
	}
	return Column{}, false
}

// unknownOf is what a column holds for an unknown value.
func (c Column) unknownOf() string {
	switch c.kind {
	case asText, asLow:
		return "''"
	case asIP:
		return "toIPv6('::')"
	case asInt64, asBool:
		return "NULL"
	default:
		return "0"
	}
}

func (q *query) condition(c Condition) error {
	col, ok := columnFor(c.Path)
	if !ok {
		return fmt.Errorf("%w: %s has no column of its own: search it with text, or by a field that has one", ErrFilter, c.Path)
	}
	known := col.Name + " != " + col.unknownOf()
	if col.kind == asInt64 || col.kind == asBool {
		known = col.Name + " IS NOT NULL"
	}
	if c.Op == Known {
		q.and(known)
		return nil
	}
	if len(c.Values) == 0 {
		return fmt.Errorf("%w: %s %s needs a value", ErrFilter, c.Path, c.Op)
	}
	var any []string
	for _, v := range c.Values {
		one, err := q.comparison(col, c.Op, v)
		if err != nil {
			return err
		}
		any = append(any, one)
	}
	matched := "ifNull(" + strings.Join(any, " OR ") + ", 0)"
	if c.Op == NotEqual {
		q.and("NOT (" + known + " AND " + matched + ")")
		return nil
	}
	q.and("(" + known + " AND " + matched + ")")
	return nil
}

// comparison is one value's part; for NotEqual that of Equal.
func (q *query) comparison(col Column, op Op, value string) (string, error) {
	refuse := func(want string) (string, error) {
		return "", fmt.Errorf("%w: %s %s %q: want %s", ErrFilter, col.Path, op, value, want)
	}
	switch col.kind {
	case asText, asLow:
		switch op {
		case Equal, NotEqual:
			return q.fill(col.Name+" = ?", str(value)), nil
		case Contains:
			return q.fill("positionCaseInsensitive("+col.Name+", ?) > 0", str(value)), nil
		case Prefix:
			return q.fill("startsWith("+col.Name+", ?)", str(value)), nil
		}
		return refuse("=, !=, contains or prefix for text")
	case asIP:
		if op != Equal && op != NotEqual {
			return refuse("= or != for an address")
		}
		low, high, err := addressRange(value)
		if err != nil {
			return refuse("an address or a CIDR block")
		}
		return q.fill("("+col.Name+" BETWEEN toIPv6(?) AND toIPv6(?))", str(low), str(high)), nil
	case asBool:
		b, err := strconv.ParseBool(value)
		if err != nil || op != Equal && op != NotEqual {
			return refuse("= or != with true or false")
		}
		return q.fill(col.Name+" = ?", typed{"Bool", b}), nil
	default:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || op == Contains || op == Prefix {
			return refuse("a comparison with a number")
		}
		sign := string(op)
		if op == NotEqual {
			sign = "="
		}
		return q.fill(col.Name+" "+sign+" ?", num(n)), nil
	}
}

// addressRange gives the first and the last address of an address or block, in the form of the column.
func addressRange(s string) (low, high string, err error) {
	if a, err := netip.ParseAddr(s); err == nil {
		wide := netip.AddrFrom16(a.As16()).String()
		return wide, wide, nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return "", "", err
	}
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	wide := netip.PrefixFrom(netip.AddrFrom16(p.Addr().As16()), bits)
	from, to := p.Masked().Addr().As16(), p.Masked().Addr().As16()
	for i := wide.Bits(); i < 128; i++ {
		to[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom16(from).String(), netip.AddrFrom16(to).String(), nil
}
