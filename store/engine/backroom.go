package engine

import (
	"runtime"
	"sync"
)

// patientNice is the nice value of the thread for statements that nobody waits for: a tenth of the weight of one that somebody waits for.
const patientNice = 10

// backRoom does one thing after the other on a thread of its own, which stands back behind others where both want the processor. The library does
// the greater part of an insert on the thread that calls it. A thread cannot be made less nice again without a capability, so it is used for nothing
// else, and it lasts as long as the process.
type backRoom struct {
	begin sync.Once
	work  chan func()
}

// do returns when f has. It may be called by several goroutines, whose work is done one after the other.
func (b *backRoom) do(f func()) {
	b.begin.Do(func() {
		b.work = make(chan func())
		go b.serve()
	})
	done := make(chan struct{})
	b.work <- func() {
		defer close(done)
		f()
	}
	<-done
}

func (b *backRoom) serve() {
	runtime.LockOSThread()
	niceThread(patientNice)
	for f := range b.work {
		f()
	}
}
