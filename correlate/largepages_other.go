//go:build !linux

package correlate

// largePages returns memory: here it is for the system alone to say how it is laid out.
func largePages[T byte | uint64](memory []T) []T { return memory }

func gather[T byte | uint64]([]T) {}
