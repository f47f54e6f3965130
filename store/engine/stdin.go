package engine

import (
	"io"
	"os"
)

// The library is a command line client at heart: before each insert from a file it looks whether the standard input has something, too. To look, it
// makes the descriptor non-blocking, reads, and makes it what it was before. Of two inserts at once the one may make it blocking again just before the
// other reads, which then waits for ever for what comes over the parent's pipe or from a terminal, and with it the log. So the library gets a standard
// input that is at its end.

const stdinFD = 0

// parentPipe gives the parent's pipe, which is our standard input, a descriptor of its own, so that hideStdin does not take it.
func parentPipe(stdin io.Reader) (io.Reader, error) {
	f, ok := stdin.(*os.File)
	if !ok || f.Fd() != stdinFD {
		return stdin, nil
	}
	return duplicate(f)
}

// hideStdin makes the standard input of this process an empty one.
func hideStdin() error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	return replaceStdin(null)
}
