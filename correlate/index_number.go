package correlate

import (
	"cmp"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
)

// numberIndex finds by the value of one number: by its equals, and by the bounds it reaches.
type numberIndex struct {
	field  *event.Field
	small  []int32 // Postings of the values from 0 on; −1: none.
	equals map[int64]int32
	ints   bounds[int64]
	floats bounds[float64]
}

// smallNumbers are the values of numberIndex.small: those of enumerations, mostly.
const smallNumbers = 256

func newNumberIndex(fd *event.Field, list []expression.Predicate, postings []int32) numberIndex {
	x := numberIndex{field: fd}
	for _, at := range postings {
		p := &list[at]
		switch {
		case p.Test != expression.Equal && fd.Kind == event.KindFloat:
			x.floats.add(p.Test, p.Flt, at)
		case p.Test != expression.Equal:
			x.ints.add(p.Test, p.Num, at)
		case 0 <= p.Num && p.Num < smallNumbers:
			for int64(len(x.small)) <= p.Num {
				x.small = append(x.small, -1)
			}
			x.small[p.Num] = at
		default:
			if x.equals == nil {
				x.equals = map[int64]int32{}
			}
			x.equals[p.Num] = at
		}
	}
	x.ints.sort()
	x.floats.sort()
	return x
}

func (n *numberIndex) find(x *index, c *candidates, e *event.Event) {
	if n.field.Kind == event.KindFloat {
		v, _ := n.field.Flt(e)
		n.floats.find(x, c, v)
		return
	}
	v, _ := n.field.Num(e)
	if uint64(v) < uint64(len(n.small)) {
		if p := n.small[v]; p >= 0 {
			c.take(x, p)
		}
	} else if n.equals != nil {
		if p, ok := n.equals[v]; ok {
			c.take(x, p)
		}
	}
	n.ints.find(x, c, v)
}

// bounds are limits that a number reaches from above or from below.
type bounds[T cmp.Ordered] struct {
	low  []bound[T] // Reached by numbers of at least this, ascending;
	high []bound[T] // by numbers of at most this, descending.
}

type bound[T cmp.Ordered] struct {
	limit   T
	posting int32
}

func (b *bounds[T]) add(test expression.Test, limit T, posting int32) {
	if test == expression.AtLeast {
		b.low = append(b.low, bound[T]{limit, posting})
		return
	}
	b.high = append(b.high, bound[T]{limit, posting})
}

func (b *bounds[T]) sort() {
	slices.SortFunc(b.low, func(x, y bound[T]) int { return cmp.Compare(x.limit, y.limit) })
	slices.SortFunc(b.high, func(x, y bound[T]) int { return cmp.Compare(y.limit, x.limit) })
}

func (b *bounds[T]) find(x *index, c *candidates, v T) {
	for i := range b.low {
		if !(v >= b.low[i].limit) {
			break
		}
		c.take(x, b.low[i].posting)
	}
	for i := range b.high {
		if !(v <= b.high[i].limit) {
			break
		}
		c.take(x, b.high[i].posting)
	}
}
