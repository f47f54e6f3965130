package correlate_test

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/rules"
	"github.com/tocsin-siem/tocsin/rules/sigma"
)

// publicSigma are the public Sigma rules, loaded; the test is skipped where they are not.
func publicSigma(t testing.TB) *rules.Set {
	t.Helper()
	set, problems := rules.Load(publicSigmaFiles(t), ".")
	if set == nil {
		t.Fatal(problems[0])
	}
	return set
}

// publicSigmaFiles are the public Sigma rules as documents of ours.
func publicSigmaFiles(t testing.TB) fstest.MapFS {
	t.Helper()
	root := os.Getenv("TOCSIN_CONFORMANCE")
	if root == "" {
		t.Skip("TOCSIN_CONFORMANCE is not set: the public Sigma rules are not here")
	}
	dir := filepath.Join(root, "sigma", "rules")
	var files []sigma.File
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(name, ".yml") {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		files = append(files, sigma.File{Name: filepath.ToSlash(rel), Text: text})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{}
	for _, r := range sigma.Convert(files, sigma.Options{Status: rules.Live}).Rules {
		text, err := sigma.Text([]sigma.Rule{r})
		if err != nil {
			t.Fatal(err)
		}
		fsys[strings.ReplaceAll(r.File, ".yml", ".yaml")] = &fstest.MapFile{Data: text}
	}
	return fsys
}

// untelling are the public rules whose conditions are evaluated for every event of their class, and why.
var untelling = map[string]string{
	"windows/powershell/powershell_module/posh_pm_alternate_powershell_hosts.yaml":           "only excludes hosts",
	"windows/process_creation/proc_creation_win_susp_image_missing.yaml":                     "only excludes: an image without a path",
	"windows/process_creation/proc_creation_win_susp_non_exe_image.yaml":                     "only excludes: an image of another type",
	"windows/raw_access_thread/raw_access_thread_susp_disk_access_using_uncommon_tools.yaml": "only excludes tools",
	"windows/file/file_delete/file_delete_win_delete_own_image.yaml":                         "compares one field with another",
}

func TestEveryPublicSigmaRuleHasAWitnessOrAReasonWhyNot(t *testing.T) {
	set := publicSigma(t)
	names, steps := withoutWitness(set.Rules)
	for _, name := range names {
		t.Errorf("%s has no witness at all", name)
	}
	seen := map[string]bool{}
	for _, r := range set.Rules {
		eachStep(r, func(id string, x *rules.Step) {
			if !x.Where.Native() {
				t.Errorf("%s (%s) runs in expr's machine", id, r.File)
			}
			if telling(x) {
				return
			}
			seen[r.File] = true
			if untelling[r.File] == "" {
				t.Errorf("%s (%s): nothing in the condition tells its events from others of the class: %s", id, r.File, x.Where)
			}
		})
	}
	for file := range untelling {
		if !seen[file] {
			t.Errorf("%s has a telling witness, or is gone: take it off the list", file)
		}
	}
	t.Logf("%d rules, %d steps, %d evaluated for every event of their class", len(set.Rules), steps, len(seen))
}

func TestIndexClosuresAndMachineFindTheSameWithAllPublicSigmaRules(t *testing.T) {
	set := publicSigma(t)
	seed := seedOf()
	r := rand.New(rand.NewPCG(seed, 43))
	hits := 0
	for _, l := range lanes {
		b := l.decoded(t, l.recordsOf(15))
		for i := range b.Events {
			for range r.IntN(4) {
				provoke(r, &b.Events[i], set.Rules[r.IntN(len(set.Rules))])
			}
		}
		hits += sameHits(t, set, nil, b.Events)
		if t.Failed() {
			t.Fatalf("seed %d: %s", seed, l.name)
		}
	}
	if hits == 0 {
		t.Error("no hits: the test shows little")
	}
	t.Logf("%d hits", hits)
}

// provoke makes an event more like what a rule looks for: of up to four of its witnesses one predicate each comes true.
func provoke(r *rand.Rand, e *event.Event, rule *rules.Rule) {
	x := rule.Plan.Branches[0].Steps[0]
	if !x.Classes[0].Any || r.IntN(2) == 0 {
		e.ClassUID, e.ActivityID = x.Classes[0].UID, x.Classes[0].Activity
	}
	for range 4 {
		list, ok := x.Where.Witness(func(*expression.Predicate) float64 { return r.Float64() })
		if !ok || len(list) == 0 {
			return
		}
		p := list[r.IntN(len(list))]
		text := p.Text
		if p.Test != expression.Equal && r.IntN(2) == 0 {
			text = strings.ToUpper(text)
		}
		switch p.Test {
		case expression.Contains:
			text = "x" + text + "y"
		case expression.Prefix:
			text += "y"
		case expression.Suffix:
			text = "x" + text
		}
		switch {
		case p.Field == expression.AnyRaw:
			e.SetRaw(append([]event.RawField{{Name: "Data", Value: text}}, e.Raw...))
		case p.Field.Set != nil && p.Field.Kind == event.KindString:
			p.Field.Set(e, event.Value{Str: text})
		}
	}
}

// telling reports whether the cheapest witness of a step asks for more than what goes with the class anyway, which an event of a Windows log's
// class nearly always has: its log, its number, or that a field is there at all.
func telling(x *rules.Step) bool {
	if len(x.Classes) > 4 || slices.ContainsFunc(x.Classes, func(c event.ClassRef) bool { return c.UID == event.ClassBase }) {
		return true
	}
	routing := func(p *expression.Predicate) bool {
		name, raw := p.Field.RawName()
		return p.Test == expression.Present || raw && slices.Contains([]string{"Channel", "EventID", "Provider_Name"}, name)
	}
	list, ok := x.Where.Witness(func(p *expression.Predicate) float64 {
		if routing(p) {
			return 1e6
		}
		return 1
	})
	return ok && !slices.ContainsFunc(list, func(p expression.Predicate) bool { return routing(&p) })
}
