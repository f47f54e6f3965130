package correlate

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// largePage is the size of most processors' large pages in bytes, and from where on they are asked for.
const largePage = 2 << 20

// largePages asks the system to lay memory out in large pages, and returns it. That is advice and changes nothing else: whether it is heard is
// seen in time alone. It reaches to the ends of the large pages that memory begins and ends in, which may hold other things of the heap.
func largePages[T byte | uint64](memory []T) []T {
	size := uintptr(len(memory)) * unsafe.Sizeof(memory[0])
	if size < largePage {
		return memory
	}
	begin := uintptr(unsafe.Pointer(&memory[0]))
	from, to := begin&^(largePage-1), (begin+size+largePage-1)&^(largePage-1)
	for _, advice := range [...]uintptr{unix.MADV_HUGEPAGE, unix.MADV_COLLAPSE} { // For what is not used yet, and for what was used before.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, advice) // Refused where there are none.
	}
	return memory
}
