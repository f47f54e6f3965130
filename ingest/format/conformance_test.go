package format_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// leastAgreement is the share of compared leaves, per cent, that a format must agree on.
const leastAgreement = 90

// conformanceFolders are the case folders of formats whose name differs from the folder's.
var conformanceFolders = map[string][]string{
	"entra": {"entra", "entra_graph"},
}

// conformanceDir is the folder of third-party test data; the test is skipped where it is absent.
func conformanceDir(t testing.TB) string {
	dir := os.Getenv("TOCSIN_CONFORMANCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "conformance")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no conformance data (TOCSIN_CONFORMANCE): %v", err)
	}
	return dir
}

// intakeCase is one third-party case: a record and what another product makes of it.
type intakeCase struct {
	folder, name string
	message      []byte
	expected     map[string]any // Leaves by dotted path.
}

func intakeCases(t testing.TB) []intakeCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(conformanceDir(t), "intake", "*", "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no intake cases: %v", err)
	}
	cases := make([]intakeCase, 0, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Input    struct{ Message string }
			Expected map[string]any
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&doc); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		leaves := map[string]any{}
		flatten(leaves, "", doc.Expected)
		cases = append(cases, intakeCase{
			folder: filepath.Base(filepath.Dir(file)), name: strings.TrimSuffix(filepath.Base(file), ".json"),
			message: []byte(doc.Input.Message), expected: leaves,
		})
	}
	return cases
}

func flatten(out map[string]any, prefix string, object map[string]any) {
	for k, v := range object {
		if inner, ok := v.(map[string]any); ok {
			flatten(out, prefix+k+".", inner)
			continue
		}
		out[prefix+k] = v
	}
}

// tally counts what became of one format's cases.
type tally struct {
	cases, rejects, leaves, agreed, excepted, related, lost int
}

func TestVisibleCasesAgreeWithTheExpectedLeaves(t *testing.T) {
	cases := intakeCases(t)
	used := make([]bool, len(exceptions))
	for _, f := range format.All() {
		folders := conformanceFolders[f.Name]
		if folders == nil {
			folders = []string{f.Name}
		}
		var own []intakeCase
		for _, c := range cases {
			if slices.Contains(folders, c.folder) {
				own = append(own, c)
			}
		}
		if len(own) == 0 {
			t.Logf("%-18s no visible cases", f.Name)
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			var n tally
			for i := range own {
				checkCase(t, &f, &own[i], &n, used)
			}
			share := 100 * float64(n.agreed) / float64(max(n.leaves, 1))
			strict := 100 * float64(n.agreed) / float64(max(n.leaves+n.excepted, 1))
			t.Logf("%-18s %3d cases, %d rejected; %4d of %4d leaves agree (%.1f %%), %d excepted (%.1f %% without exceptions); %d related values, %d lost",
				f.Name, n.cases, n.rejects, n.agreed, n.leaves, share, n.excepted, strict, n.related, n.lost)
			if share < leastAgreement {
				t.Errorf("%s agrees on %.1f %% of the leaves, less than %d %%", f.Name, share, leastAgreement)
			}
		})
	}
	if t.Failed() || testing.Short() {
		return
	}
	for i, x := range exceptions {
		if _, ok := format.ByName(x.format); ok && !used[i] {
			t.Errorf("exception %s %s %s is needed by no case", x.format, x.file, x.leaf)
		}
	}
}

func checkCase(t *testing.T, f *format.Format, c *intakeCase, n *tally, used []bool) {
	n.cases++
	var s format.Scratch
	events, err := decode(t, f, &s, caseRecord(f, c))
	if err != nil {
		n.rejects++
		t.Logf("%s/%s rejected: %v", c.folder, c.name, err)
		return
	}
	for i := range events {
		checkValid(t, &events[i])
	}
	for _, leaf := range slices.Sorted(maps.Keys(c.expected)) {
		if strings.HasPrefix(leaf, "related.") {
			checkRelated(t, f, c, n, used, events, leaf)
			continue
		}
		agrees, compared := compareLeaf(&events[0], leaf, c.expected[leaf])
		if !compared {
			continue
		}
		if !agrees && excepted(used, f, c, leaf) {
			n.excepted++
			t.Logf("%s/%s %s: excepted %v", c.folder, c.name, leaf, c.expected[leaf])
			continue
		}
		n.leaves++
		if agrees {
			n.agreed++
			continue
		}
		t.Logf("%s/%s %s: expected %v", c.folder, c.name, leaf, c.expected[leaf])
	}
}

func caseRecord(f *format.Format, c *intakeCase) *event.Record {
	return &event.Record{Value: c.message, Format: f.Name, Received: received.UnixMicro(), Position: event.Position{Source: "case"}}
}

func excepted(used []bool, f *format.Format, c *intakeCase, leaf string) bool {
	for i, x := range exceptions {
		file, _ := path.Match(x.file, c.name)
		name, _ := path.Match(x.leaf, leaf)
		if x.format == f.Name && file && name {
			used[i] = true
			return true
		}
	}
	return false
}

// relatedKinds are the kinds of entity among which a related value must be found.
var relatedKinds = map[string][]event.EntityKind{
	"related.ip":    {event.EntityIP},
	"related.user":  {event.EntityUser},
	"related.hosts": {event.EntityDevice, event.EntityDomain, event.EntityRobot},
	"related.hash":  {event.EntityHash},
}

func checkRelated(t *testing.T, f *format.Format, c *intakeCase, n *tally, used []bool, events []event.Event, leaf string) {
	for _, value := range leafTexts(c.expected[leaf]) {
		if meaningless(relatedKinds[leaf], value) {
			continue
		}
		n.related++
		if hasEntity(events, relatedKinds[leaf], value) {
			continue
		}
		if excepted(used, f, c, leaf) {
			n.excepted++
			continue
		}
		n.lost++
		t.Errorf("%s/%s: %s %q is not among the entities", c.folder, c.name, leaf, value)
	}
}

func meaningless(kinds []event.EntityKind, value string) bool {
	return !slices.ContainsFunc(kinds, func(k event.EntityKind) bool { return event.CanonicalKey(k, value) != "" })
}

func hasEntity(events []event.Event, kinds []event.EntityKind, value string) bool {
	for i := range events {
		for _, x := range events[i].Entities {
			if slices.Contains(kinds, x.Kind) && x.Key == event.CanonicalKey(x.Kind, value) {
				return true
			}
		}
	}
	return false
}

// cousins are the folders whose records a format may read although they are named after another product: Infoblox runs ISC's dhcpd, and a
// bastion logs the PAM sessions of its sudo; an EDR passes on the event logs of its hosts as winlogbeat once wrote them.
var cousins = map[string][]string{
	"dhcpd":   {"infoblox"},
	"openssh": {"wallix"},
	"windows": {"harfanglab"},
}

// TestRecordsOfOtherProductsAreRejectedWithAReason feeds the records of every other format to each.
func TestRecordsOfOtherProductsAreRejectedWithAReason(t *testing.T) {
	inputs := foreignInputs(t)
	for _, f := range format.All() {
		t.Run(f.Name, func(t *testing.T) {
			var s format.Scratch
			events, rejects := 0, map[string]int{}
			for _, in := range inputs {
				if in.folder == f.Name || slices.Contains(conformanceFolders[f.Name], in.folder) {
					continue
				}
				got, err := decode(t, &f, &s, caseRecord(&f, &in))
				if r, ok := errors.AsType[*format.Reject](err); ok {
					rejects[r.Code]++
					continue
				}
				for i := range got {
					checkValid(t, &got[i])
				}
				events += len(got)
				if f.Name != "syslog" && f.Name != "json" && !slices.Contains(cousins[f.Name], in.folder) { // Any line is a syslog line, and any object JSON.
					t.Errorf("%s reads %s/%s as %s", f.Name, in.folder, in.name, got[0].ClassKey())
				}
			}
			t.Logf("%s: %d events; rejects %v", f.Name, events, rejects)
		})
	}
}

// foreignInputs are all records of the conformance data: the intake cases, the VDA 5050 messages and the lines of the Zeek logs.
func foreignInputs(t testing.TB) []intakeCase {
	inputs := intakeCases(t)
	for _, folder := range []string{"vda5050", "zeek_ot"} {
		err := filepath.WalkDir(filepath.Join(conformanceDir(t), folder), func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if folder == "vda5050" {
				inputs = append(inputs, intakeCase{folder: "vda5050", name: d.Name(), message: text})
				return nil
			}
			for i, line := range bytes.Split(text, []byte("\n")) {
				if i < 40 {
					inputs = append(inputs, intakeCase{folder: "zeek", name: d.Name(), message: line})
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return inputs
}
