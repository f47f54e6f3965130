package app

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// onTerminal reports whether somebody watches w.
func onTerminal(w io.Writer) bool {
	f, isFile := w.(*os.File)
	return isFile && term.IsTerminal(int(f.Fd()))
}

// Bar shows how far something is: a bar on a terminal; elsewhere a line for every tenth if lines are wanted. of below 1 means that the end is
// not known: a terminal then shows the count alone. The bar is gone once done reaches of.
func Bar(w io.Writer, what string, lines bool) func(done, of int) {
	if !onTerminal(w) {
		if !lines {
			return func(int, int) {}
		}
		return tenths(w, what)
	}
	var bar *progressbar.ProgressBar
	return func(done, of int) {
		if bar == nil {
			bar = progressbar.NewOptions(max(of, -1), progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
				progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
		}
		_ = bar.Set(done)
	}
}

func tenths(w io.Writer, what string) func(done, of int) {
	told := 0
	return func(done, of int) {
		if of < 1 {
			return
		}
		if tenth := done * 10 / of; tenth > told {
			told = tenth
			fmt.Fprintf(w, "%s: %d %%\n", what, tenth*10)
		}
	}
}
