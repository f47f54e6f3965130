package docs_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/tocsin-siem/tocsin/rules"
)

// block is a fenced block of a page.
type block struct {
	info []string
	text string
	line int // Of its first line.
	from int // Byte offsets of text in the page.
	to   int
}

// is reports whether the block is marked with all of the words.
func (b block) is(words ...string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(b.info, w) })
}

// file is the name a block is to be saved under; "" if it is not.
func (b block) file() string {
	for _, w := range b.info {
		if name, ok := strings.CutPrefix(w, "file="); ok {
			return name
		}
	}
	return ""
}

func blocks(page string) []block {
	var out []block
	var open *block
	at := 0
	for i, line := range strings.SplitAfter(page, "\n") {
		if info, fence := strings.CutPrefix(strings.TrimRight(line, "\n"), "```"); fence {
			if open != nil {
				open.to = at
				open.text = page[open.from:open.to]
				out, open = append(out, *open), nil
			} else {
				open = &block{info: strings.Fields(info), line: i + 2, from: at + len(line)}
			}
		}
		at += len(line)
	}
	return out
}

var built string // The folder that program made.

// program builds the command once for all tests and gives the folder it is in.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tocsin-docs")
	if err != nil {
		return "", err
	}
	built = dir
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "tocsin"), "../cmd/tocsin").CombinedOutput(); err != nil {
		return dir, errors.New(string(out))
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

func bin(t *testing.T) string {
	t.Helper()
	dir, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestConsoleSessionsShowWhatTheProgramPrints saves the blocks marked file=NAME of a page, in its order, and runs the commands of the blocks
// marked `console run` beside them. What a command prints, on both outputs, must be what the page shows.
func TestConsoleSessionsShowWhatTheProgramPrints(t *testing.T) {
	ran := 0
	for _, page := range pages(t) {
		text, shift := read(t, page), 0
		want := text
		dir := t.TempDir()
		for _, b := range blocks(text) {
			if name := b.file(); name != "" {
				if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), []byte(b.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if !b.is("console", "run") {
				continue
			}
			ran++
			now := session(t, dir, b.text)
			want = want[:b.from+shift] + now + want[b.to+shift:]
			shift += len(now) - len(b.text)
		}
		settle(t, page, want)
	}
	if ran == 0 {
		t.Error("no page shows a console session")
	}
}

func session(t *testing.T, dir, shown string) string {
	var out strings.Builder
	for line := range strings.Lines(shown) {
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			continue
		}
		out.WriteString(line)
		c := exec.CommandContext(t.Context(), "sh", "-c", command)
		c.Dir = dir
		c.Env = []string{"PATH=" + bin(t) + ":/usr/bin:/bin", "HOME=" + dir, "TZ=UTC"}
		printed, err := c.CombinedOutput()
		if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
			t.Fatal(err)
		}
		out.Write(printed)
		if len(printed) > 0 && printed[len(printed)-1] != '\n' {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// TestEveryRuleShownLoads lints the blocks marked `rule` that are not marked `wrong`.
func TestEveryRuleShownLoads(t *testing.T) {
	seen := 0
	for _, page := range pages(t) {
		for _, b := range blocks(read(t, page)) {
			if !b.is("yaml", "rule") || b.is("wrong") {
				continue
			}
			seen++
			_, problems := rules.Load(fstest.MapFS{"rule.yaml": {Data: []byte(b.text)}}, "rule.yaml")
			for _, p := range problems {
				t.Errorf("%s, block at line %d: %v", page, b.line, p)
			}
		}
	}
	if seen == 0 {
		t.Error("no page shows a rule")
	}
}
