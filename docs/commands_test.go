package docs_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// command is what --help says of a command.
type command struct {
	usage, short string
	subs         []string
	children     map[string]*command
	flags        map[string]bool
}

var (
	subcommand = regexp.MustCompile(`(?m)^  ([a-z]+) +(\S.*)$`)
	flagName   = regexp.MustCompile(`(?m)^ +(?:-[a-z], )?--([a-z-]+)`)
	usageLine  = regexp.MustCompile(`(?m)^Usage:\n  tocsin ?(.*)$`)
)

var tree *command // What commandTree found; tests of this package do not run side by side.

// commandTree is the tree of commands, asked of the program itself once.
func commandTree(t *testing.T) *command {
	t.Helper()
	if tree == nil {
		tree = help(t)
	}
	return tree
}

// help asks a command and those below it.
func help(t *testing.T, path ...string) *command {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin(t), "tocsin"), append(path, "--help")...).Output()
	if err != nil {
		t.Fatalf("tocsin %s --help: %v", strings.Join(path, " "), err)
	}
	said := string(out)
	c := &command{children: map[string]*command{}, flags: map[string]bool{}}
	if m := usageLine.FindStringSubmatch(said); m != nil {
		c.usage = strings.TrimSuffix(m[1], " [flags]")
	}
	for _, m := range flagName.FindAllStringSubmatch(said, -1) {
		c.flags[m[1]] = true
	}
	_, list, _ := strings.Cut(said, "Available Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	for _, m := range subcommand.FindAllStringSubmatch(list, -1) {
		if m[1] == "help" || m[1] == "completion" {
			continue
		}
		c.subs = append(c.subs, m[1])
		child := help(t, append(path[:len(path):len(path)], m[1])...)
		child.short = m[2]
		c.children[m[1]] = child
	}
	return c
}

func commandsTable(t *testing.T) string {
	var rows [][]string
	var walk func(*command)
	walk = func(c *command) {
		for _, name := range c.subs {
			child := c.children[name]
			if len(child.subs) == 0 {
				rows = append(rows, []string{"`tocsin " + child.usage + "`", child.short})
			}
			walk(child)
		}
	}
	walk(commandTree(t))
	return table([]string{"command", "does"}, rows)
}

var (
	inline  = regexp.MustCompile("`(?:bin/)?tocsin ([^`]*)`")
	oneLine = regexp.MustCompile(`(?m)(?:^|[ |])(?:\$ )?(?:bin/)?tocsin ([a-z].*)$`)
)

// TestEveryCommandNamedExists follows each command and flag in code style, and each line of a console or shell block.
func TestEveryCommandNamedExists(t *testing.T) {
	tree := commandTree(t)
	for _, page := range pages(t) {
		text := read(t, page)
		var named []string
		for _, m := range inline.FindAllStringSubmatch(text, -1) {
			named = append(named, m[1])
		}
		for _, b := range blocks(text) {
			if !b.is("sh") && !b.is("console") {
				continue
			}
			for line := range strings.Lines(b.text) {
				if b.is("console") && !strings.HasPrefix(line, "$ ") {
					continue
				}
				for _, m := range oneLine.FindAllStringSubmatch(line, -1) {
					named = append(named, m[1])
				}
			}
		}
		for _, line := range named {
			if why := tree.refuses(line); why != "" {
				t.Errorf("%s: tocsin %s: %s", page, line, why)
			}
		}
	}
}

// refuses says why a command line cannot be; "" if it can.
func (c *command) refuses(line string) string {
	words := strings.Fields(line)
	for len(words) > 0 && len(c.subs) > 0 && !strings.HasPrefix(words[0], "-") {
		child := c.children[words[0]]
		if child == nil {
			return "there is no command " + words[0]
		}
		c, words = child, words[1:]
	}
	for _, w := range words {
		if strings.ContainsAny(w, "|>;#&") {
			return ""
		}
		if name, ok := strings.CutPrefix(w, "--"); ok && name != "" {
			name, _, _ = strings.Cut(name, "=")
			if !c.flags[name] && name != "help" {
				return "there is no flag --" + name
			}
		}
	}
	return ""
}
