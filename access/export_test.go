package access

// Keys is how many keys the limit holds.
func (l *Limit) Keys() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.used)
}
