package correlate

// queue is a rule's partitions by the event time at which W has something to do in them: a binary heap that knows each partition's place.
type queue []*partition

func (q *queue) set(k *partition, due int64) {
	if k.slot < 0 {
		if due >= forever {
			return
		}
		k.due, k.slot = due, len(*q)
		*q = append(*q, k)
		q.up(k.slot)
		return
	}
	was := k.due
	k.due = due
	if due < was {
		q.up(k.slot)
		return
	}
	q.down(k.slot)
}

func (q *queue) remove(k *partition) {
	at := k.slot
	if at < 0 {
		return
	}
	last := len(*q) - 1
	q.swap(at, last)
	(*q)[last] = nil
	*q = (*q)[:last]
	k.slot = -1
	if at < last {
		q.up(at)
		q.down(at)
	}
}

func (q queue) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !q.less(i, parent) {
			return
		}
		q.swap(i, parent)
		i = parent
	}
}

func (q queue) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(q) {
			return
		}
		if child+1 < len(q) && q.less(child+1, child) {
			child++
		}
		if !q.less(child, i) {
			return
		}
		q.swap(i, child)
		i = child
	}
}

func (q queue) less(i, j int) bool {
	if q[i].due != q[j].due {
		return q[i].due < q[j].due
	}
	return q[i].key < q[j].key
}

func (q queue) swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].slot, q[j].slot = i, j
}
