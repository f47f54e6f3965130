package correlate

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// largePage is the size of most processors' large pages in bytes, and from where on they are asked for.
const largePage = 2 << 20

// largePages asks the system to lay memory out in large pages where it is not in use yet, and returns it. That is advice and changes nothing
// else: whether it is heard is seen in time alone. It reaches to the ends of the large pages that memory begins and ends in, which may hold other
// things of the heap.
func largePages[T byte | uint64](memory []T) []T {
	advise(memory, unix.MADV_HUGEPAGE)
	return memory
}

// gather asks the same for memory that was in use before, which costs copying it: about half a millisecond for a large page.
func gather[T byte | uint64](memory []T) { advise(memory, unix.MADV_COLLAPSE) }

func advise[T byte | uint64](memory []T, advice uintptr) {
	size := uintptr(len(memory)) * unsafe.Sizeof(*new(T))
	if size < largePage {
		return
	}
	begin := uintptr(unsafe.Pointer(&memory[0]))
	from, to := begin&^(largePage-1), (begin+size+largePage-1)&^(largePage-1)
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, advice) // Refused where there are none.
}
