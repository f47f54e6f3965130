package enrich

import "fmt"

// claim says which row, on which line, owns a key.
type claim struct {
	at   int32 // Index of the row in its table.
	line int
	id   string
}

// uniqueIndex gives each key to one row and reports a second claim. The same row may claim a key twice.
type uniqueIndex[K comparable] struct {
	what   string
	owners map[K]claim
}

func newIndex[K comparable](what string) *uniqueIndex[K] {
	return &uniqueIndex[K]{what: what, owners: map[K]claim{}}
}

func (x *uniqueIndex[K]) add(rep *report, c claim, field string, k K) {
	first, taken := x.owners[k]
	if !taken {
		x.owners[k] = c
		return
	}
	if first.at == c.at {
		return
	}
	if field == "id" && any(k) == any(first.id) {
		rep.add(c.line, field, fmt.Sprintf("duplicate id %s, first on line %d", first.id, first.line), "give each entry its own id")
		return
	}
	rep.add(c.line, field, fmt.Sprintf("%s %v of %s already belongs to %s on line %d", x.what, k, c.id, first.id, first.line),
		overlapHint(field))
}

func overlapHint(field string) string {
	if field == "serials" {
		return "write serials that repeat between vendors as vendor/serial"
	}
	return "leave it only at the entry it names"
}

func (x *uniqueIndex[K]) byKey() map[K]int32 {
	m := make(map[K]int32, len(x.owners))
	for k, c := range x.owners {
		m[k] = c.at
	}
	return m
}
