package correlate

// WithoutRest keeps every key in the working form.
func (s Settings) WithoutRest() Settings {
	s.restAbove = keysWithoutRest
	return s
}

// AllMayRest lets the first keys of a rule rest, too.
func (s Settings) AllMayRest() Settings {
	s.restAbove = -1
	return s
}

// PileAbove piles the hits of a key up from so many on, two in a layer.
func (s Settings) PileAbove(n int) Settings {
	s.pileAbove = n
	return s
}

// Piled counts the hits on piles, and the piles.
func (e *Engine) Piled() (hits, n int) {
	for _, r := range e.fold.rules {
		if r.rest == nil {
			continue
		}
		for i := range r.rest.piles.all {
			if q := &r.rest.piles.all[i]; q.n > 0 {
				hits, n = hits+q.n, n+1
			}
		}
	}
	return hits, n
}

// Hex reads 16 hexadecimal digits, in two ways.
func Hex(s string) (one, other uint64, ok, also bool) {
	one, ok = hex16(s)
	other, also = parseHex(s)
	return one, other, ok, also
}

// Resting counts the keys that rest.
func (e *Engine) Resting() (n int) {
	for _, r := range e.fold.rules {
		if r.rest != nil {
			n += r.rest.n
		}
	}
	return n
}

// Plain lets busy keys keep their hits as they are, and scans all that comes out of order.
func (s Settings) Plain() Settings {
	s.plain = true
	return s
}

// Shelved counts the hits on shelves.
func (e *Engine) Shelved() (n int) {
	for _, r := range e.fold.rules {
		for _, k := range r.parts {
			n += k.shelf.n
		}
	}
	return n
}
