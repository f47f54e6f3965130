package template_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/triage/template"
)

func shapes(m *template.Miner) []string {
	var out []string
	for _, t := range m.Templates() {
		out = append(out, fmt.Sprintf("%d %s", t.Size, t.Text()))
	}
	return out
}

func TestTextsOfOneShapeBecomeOneTemplate(t *testing.T) {
	m := template.New(template.Config{})
	for i := range 20 {
		m.Add(fmt.Sprintf("r1 reported fault E-%d in joint %d", i, i%6))
		m.Add(fmt.Sprintf("user u%d signed in to sshd from 10.0.0.%d", i%3, i))
	}
	m.Add("r1 lost its position")
	want := []string{"20 r1 reported fault * in joint *", "20 user * signed in to sshd from *", "1 r1 lost its position"}
	if d := cmp.Diff(want, shapes(m)); d != "" {
		t.Error(d)
	}
	if got := m.Largest().Text(); got != "r1 reported fault * in joint *" {
		t.Errorf("the largest is %q", got)
	}
}

func TestTextsThatAgreeInLittleStayApart(t *testing.T) {
	m := template.New(template.Config{})
	a, b := m.Add("program loaded on r1 by ana"), m.Add("program loaded without asking anyone first")
	if a == b {
		t.Errorf("one template for both: %s", a.Text())
	}
	if a.Varies() || b.Varies() {
		t.Error("a single text varies")
	}
}

func TestEmptyAndLongTextsHaveTemplates(t *testing.T) {
	m := template.New(template.Config{Words: 3, Word: 4})
	if got := m.Add("").Text(); got != "" {
		t.Errorf("empty: %q", got)
	}
	if got := m.Add("abcdefgh b c d e f").Text(); got != "abcd b c *" {
		t.Errorf("long: %q", got)
	}
}

func TestWhatIsKeptIsBoundedHoweverTheTextsDiffer(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	m := template.New(template.Config{Templates: 16, Words: 8})
	total := 0
	for range 5000 {
		var words []string
		for range r.IntN(20) {
			words = append(words, fmt.Sprintf("%c%x", 'a'+r.IntN(26), r.Uint32()))
		}
		m.Add(strings.Join(words, " "))
	}
	for _, x := range m.Templates() {
		total += x.Size
	}
	if n := len(m.Templates()); n > 16+10 || total != 5000 {
		t.Errorf("seed %d: %d templates for %d texts", seed, n, total)
	}
}

func TestTheSameTextsGiveTheSameTemplates(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	var texts []string
	for range 500 {
		texts = append(texts, fmt.Sprintf("unit %d reports state %d of %c", r.IntN(9), r.IntN(4), 'a'+r.IntN(4)))
	}
	first, again := template.New(template.Config{}), template.New(template.Config{})
	for _, s := range texts {
		first.Add(s)
		again.Add(s)
	}
	if d := cmp.Diff(shapes(first), shapes(again)); d != "" {
		t.Errorf("seed %d: %s", seed, d)
	}
}

func FuzzTemplatesHoldForAnyText(f *testing.F) {
	f.Add("a b 1\na b 2\n\x00\xff\n" + strings.Repeat("x ", 200))
	f.Fuzz(func(t *testing.T, text string) {
		cfg := template.Config{Templates: 8, Words: 6, Word: 5}
		m, again := template.New(cfg), template.New(cfg)
		n := 0
		for line := range strings.SplitSeq(text, "\n") {
			x, y := m.Add(line), again.Add(line)
			if x.ID != y.ID || x.Text() != y.Text() {
				t.Fatalf("%q: %q and %q", line, x.Text(), y.Text())
			}
			if words := len(strings.Fields(x.Text())); words > 7 {
				t.Fatalf("%d words: %q", words, x.Text())
			}
			n++
		}
		total := 0
		for _, x := range m.Templates() {
			total += x.Size
		}
		if total != n || len(m.Templates()) > 8+8 {
			t.Fatalf("%d texts, %d counted in %d templates", n, total, len(m.Templates()))
		}
	})
}
