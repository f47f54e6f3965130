package expression

// like is a pattern over a whole text: * stands for any characters or none, ? for one, and a backslash takes the *, ? or backslash behind it
// as it is. A backslash before anything else is itself.
type like struct {
	head   folded   // What the text starts with.
	middle []folded // What follows in this order, each between two stars.
	tail   folded   // What it ends with; meaningful if star.
	star   bool     // The pattern has a *.
}

func parseLike(pattern string) *like {
	parts := []folded{{}}
	escaped := false
	add := func(r rune) { parts[len(parts)-1] = append(parts[len(parts)-1], r) }
	for _, r := range pattern {
		switch {
		case escaped:
			if r != '*' && r != '?' && r != '\\' {
				add('\\')
			}
			add(foldRune(r))
			escaped = false
		case r == '\\':
			escaped = true
		case r == '?':
			add(anyRune)
		case r == '*':
			parts = append(parts, folded{})
		default:
			add(foldRune(r))
		}
	}
	if escaped {
		add('\\')
	}
	l := &like{head: parts[0], star: len(parts) > 1}
	if !l.star {
		return l
	}
	l.tail = parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		if len(p) > 0 {
			l.middle = append(l.middle, p)
		}
	}
	return l
}

// matches takes time in proportion to the text: what stands between two stars is taken where it comes first, and never looked for again.
func (l *like) matches(s string) bool {
	i := l.head.end(s, 0)
	if i < 0 || !l.star {
		return i == len(s)
	}
	last := l.tail.tail(s)
	if last < i {
		return false
	}
	for _, part := range l.middle {
		if i = part.find(s[:last], i); i < 0 {
			return false
		}
	}
	return l.tail.end(s, last) >= 0
}
