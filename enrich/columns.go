package enrich

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// column is one column of a table file: its name, whether it holds a list, and how it is stored. set gives a message and a hint where a
// value cannot be used.
type column[T any] struct {
	name string
	list bool
	set  func(to *T, values []string) fault
}

// fault is what is wrong with a value and what to write instead; the zero fault is none.
type fault struct{ message, hint string }

// placed is a row with the line it stands on.
type placed[T any] struct {
	line int
	bad  bool // A problem has been reported for it.
	row  T
}

// decode turns rows into values. Every problem goes to rep; rows with problems are still returned so that later checks see their ids.
func decode[T any](rows []row, columns []column[T], rep *report) []placed[T] {
	byName := make(map[string]*column[T], len(columns))
	names := make([]string, len(columns))
	for i := range columns {
		byName[columns[i].name], names[i] = &columns[i], columns[i].name
	}
	out := make([]placed[T], 0, len(rows))
	unknown := map[string]bool{}
	for _, r := range rows {
		p := placed[T]{line: r.line, bad: r.bad}
		for i := range r.cells {
			c := &r.cells[i]
			col := byName[c.name]
			if col == nil {
				if !unknown[c.name] {
					rep.add(c.line, c.name, "unknown column", oneOf(c.name, names))
				}
				unknown[c.name] = true
				continue
			}
			if f := fill(&p.row, col, c); f != (fault{}) {
				rep.add(c.line, c.name, f.message, f.hint)
				p.bad = true
			}
		}
		out = append(out, p)
	}
	return out
}

func fill[T any](to *T, col *column[T], c *cell) fault {
	values := c.values
	if col.list {
		values = c.list()
	} else if c.isList {
		return fault{"holds one value, not a list", "write it without brackets"}
	}
	if len(values) > maxListItems {
		return fault{"has " + strconv.Itoa(len(values)) + " items", "keep at most " + strconv.Itoa(maxListItems)}
	}
	for _, v := range values {
		if len(v) > maxCellBytes {
			return fault{"has a value of " + strconv.Itoa(len(v)) + " bytes", "keep values under 4 KB"}
		}
		if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fault{"has a control character", "keep values on one line without tabs"}
		}
	}
	if len(values) == 0 {
		return fault{}
	}
	return col.set(to, values)
}

// text stores a value as it stands.
func text[T any](name string, at func(*T) *string) column[T] {
	return column[T]{name: name, set: func(to *T, v []string) fault { *at(to) = v[0]; return fault{} }}
}

// texts stores a list as it stands.
func texts[T any](name string, at func(*T) *[]string) column[T] {
	return column[T]{name: name, list: true, set: func(to *T, v []string) fault { *at(to) = v; return fault{} }}
}

// name stores an id-like word.
func name[T any](label string, at func(*T) *string) column[T] {
	return column[T]{name: label, set: func(to *T, v []string) fault {
		if !validName(v[0]) {
			return fault{quote(v[0]) + " is not an id", "use lower-case letters, digits and . _ - / @ only, starting with a letter or digit"}
		}
		*at(to) = v[0]
		return fault{}
	}}
}

// names stores a list of id-like words; "*" passes.
func names[T any](label string, at func(*T) *[]string) column[T] {
	return column[T]{name: label, list: true, set: func(to *T, vs []string) fault {
		for _, v := range vs {
			if v != "*" && !validName(v) {
				return fault{quote(v) + " is not an id", "use lower-case letters, digits and . _ - / @ only, starting with a letter or digit"}
			}
		}
		*at(to) = vs
		return fault{}
	}}
}

// word stores one of a fixed set.
func word[T any](name string, allowed []string, at func(*T) *string) column[T] {
	return column[T]{name: name, set: func(to *T, v []string) fault {
		for _, a := range allowed {
			if v[0] == a {
				*at(to) = a
				return fault{}
			}
		}
		return fault{quote(v[0]) + " is not known", oneOf(v[0], allowed)}
	}}
}

// truth stores yes or no; what is not written stays unknown.
func truth[T any](name string, at func(*T) *event.Bool) column[T] {
	return column[T]{name: name, set: func(to *T, v []string) fault {
		switch strings.ToLower(v[0]) {
		case "yes", "true":
			*at(to) = event.True
		case "no", "false":
			*at(to) = event.False
		default:
			return fault{quote(v[0]) + " is neither yes nor no", "write yes or no, or leave it empty where it is not known"}
		}
		return fault{}
	}}
}

// addresses stores IP addresses in canonical form.
func addresses[T any](name string, at func(*T) *[]netip.Addr) column[T] {
	return column[T]{name: name, list: true, set: func(to *T, vs []string) fault {
		for _, v := range vs {
			a, err := netip.ParseAddr(v)
			if err != nil || a.Zone() != "" {
				return fault{quote(v) + " is not an IP address", "write one such as 10.20.3.7; networks belong into the zones file"}
			}
			a = a.Unmap()
			if a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() {
				return fault{quote(v) + " names no single machine", "leave it out"}
			}
			*at(to) = append(*at(to), a)
		}
		return fault{}
	}}
}

// hardware stores MAC addresses in canonical form.
func hardware[T any](name string, at func(*T) *[]string) column[T] {
	return column[T]{name: name, list: true, set: func(to *T, vs []string) fault {
		for _, v := range vs {
			mac := event.CanonicalKey(event.EntityMAC, v)
			if mac == "" || len(strings.Map(hexOnly, v)) != 12 {
				return fault{quote(v) + " is not a MAC address", "write it as 02:00:5e:10:00:07"}
			}
			*at(to) = append(*at(to), mac)
		}
		return fault{}
	}}
}

func hexOnly(r rune) rune {
	if r == ':' || r == '-' || r == '.' {
		return -1
	}
	return r
}

// networks stores CIDRs; an address without a length is that one address.
func networks[T any](name string, at func(*T) *[]netip.Prefix) column[T] {
	return column[T]{name: name, list: true, set: func(to *T, vs []string) fault {
		for _, v := range vs {
			p, ok := parseNetwork(v)
			if !ok {
				return fault{quote(v) + " is not a network", "write it as 10.20.0.0/16"}
			}
			if p != p.Masked() {
				return fault{quote(v) + " has address bits beyond its length", "did you mean " + p.Masked().String() + "?"}
			}
			*at(to) = append(*at(to), p)
		}
		return fault{}
	}}
}

func parseNetwork(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, false
	}
	return p, true
}
