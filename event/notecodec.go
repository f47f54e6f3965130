package event

const noteVersion = 1

// AppendNote adds the compact form of n to b, without its event, which notes share: AppendRef writes that.
func AppendNote(b []byte, n *Note) []byte {
	start := len(b)
	b = append(b, noteVersion, flag(n.Stated))
	for _, s := range [...]string{n.Entity, n.What, n.Prev, n.Value, n.Actor} {
		b = appendString(b, s)
	}
	return prefixLength(b, start)
}

// ReadNote reads what AppendNote wrote at the start of b into n, but for n.Ref, and gives the bytes after it. The note shares no memory with b.
// The error wraps ErrCorrupt; n is then meaningless.
func ReadNote(b []byte, n *Note) ([]byte, error) {
	r, rest := openBody(b, noteVersion)
	n.Stated = r.byte() == 1
	for _, s := range [...]*string{&n.Entity, &n.What, &n.Prev, &n.Value, &n.Actor} {
		*s = r.string()
	}
	return rest, r.end()
}
