package kafka

// Owned is the generation of the group in which a partition is ours now; ok is false if it is not. source is as in positions. What was handed out
// of a partition that we must give up stays ours until it is durable, or grace is over.
func (c *Consumer) Owned(source string, partition int32) (generation int32, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.find(source, partition)
	if p == nil || p.claim == nil {
		return 0, false
	}
	return p.generation, true
}
