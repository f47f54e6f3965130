package event_test

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
)

func TestEventStaysUnderTwoKilobytes(t *testing.T) {
	if size := unsafe.Sizeof(event.Event{}); size >= 2048 {
		t.Errorf("event is %d bytes; move a rare section behind a pointer", size)
	} else {
		t.Logf("event is %d bytes", size)
	}
}

// fill sets a random half of the fields of an event through the field table.
func fill(r *rand.Rand) *event.Event {
	e := &event.Event{}
	for _, f := range event.Fields() {
		if f.Set == nil || f.Flags&event.IsCaption != 0 || r.IntN(2) == 0 {
			continue
		}
		f.Set(e, event.Value{Str: "v" + f.Path, Num: int64(r.IntN(200) + 1), Flt: r.Float64() - 0.5, Tri: event.Bool(1 + r.IntN(2)), Lst: []string{"a", f.Path}})
	}
	e.Unmapped = []event.Attribute{{Key: "k", Value: ""}, {Key: "", Value: "x"}}
	if r.IntN(2) == 0 {
		e.SetRaw([]event.RawField{{Name: "Image", Value: `C:\x.exe`}, {Name: "Data"}, {Name: "Ärger", Value: "ß"}})
	}
	return e
}

func TestCompactFormGivesTheSameEventBack(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		want := fill(r)
		var got event.Event
		if err := event.Decode(event.Append(nil, want), &got); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if d := cmp.Diff(want, &got); d != "" {
			t.Fatalf("seed %d: %s", seed, d)
		}
	}
}

func TestEverySettableFieldReadsBackWhatWasSet(t *testing.T) {
	for _, f := range event.Fields() {
		if f.Set == nil || f.Flags&event.IsCaption != 0 {
			continue
		}
		e := &event.Event{}
		if f.Known(e) {
			t.Errorf("%s is known in an empty event", f.Path)
		}
		f.Set(e, event.Value{Str: "x", Num: 7, Flt: 0.5, Tri: event.False, Lst: []string{"x"}})
		if !f.Known(e) {
			t.Errorf("%s is unknown after it was set", f.Path)
		}
	}
}

func TestPathsAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range event.Fields() {
		if seen[f.Path] {
			t.Errorf("path %s stands twice", f.Path)
		}
		seen[f.Path] = true
		if f.Doc == "" {
			t.Logf("field %s has no description", f.Path)
		}
	}
}

func FuzzDecodeNeverPanics(f *testing.F) {
	f.Add(event.Append(nil, fill(rand.New(rand.NewPCG(1, 1)))))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e event.Event
		if event.Decode(b, &e) != nil {
			return
		}
		var again event.Event
		if err := event.Decode(event.Append(nil, &e), &again); err != nil {
			t.Errorf("what decoded does not decode again: %v", err)
		}
	})
}

func TestMACAcceptsEverySpelling(t *testing.T) {
	for _, s := range []string{"A8-7E-EA-BC-6A-C9", "a87e.eabc.6ac9", "A87EEABC6AC9", "a8:7e:ea:bc:6a:c9", "A8-7E-EA-BC-6A-C9:Office"} {
		if got, ok := event.MAC(s); !ok || got != "a8:7e:ea:bc:6a:c9" {
			t.Errorf("MAC(%q) = %q, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "a8:7e", "not a mac", "10.0.0.1", "zz:7e:ea:bc:6a:c9"} {
		if got, ok := event.MAC(s); ok {
			t.Errorf("MAC(%q) = %q, want none", s, got)
		}
	}
}

func TestClassNamesResolveBothWays(t *testing.T) {
	for _, s := range []string{"authentication", "authentication.logon", "authentication.mfa_challenge", "robot_state.mode_change", "ot_command.write", "change_ticket.approved", "registry_value_activity.set", "event_log_actvity.clear", "device_config_state_change"} {
		c, err := event.ParseClass(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if c.String() != s {
			t.Errorf("%s reads back as %s", s, c)
		}
	}
	if _, err := event.ParseClass("authentication.logn"); err == nil {
		t.Error("authentication.logn was accepted")
	}
}

func TestReporterAndSharedAccountsNeverBecomeThePrimaryEntity(t *testing.T) {
	e := &event.Event{}
	e.Metadata.Extend().Reporter.Hostname = "sensor-1"
	e.User.Name = "ana@example.com"
	e.FindEntities()
	if got := e.PrimaryEntity(event.EntityDevice, event.RoleNone); got != "" {
		t.Errorf("device is %q, want none", got)
	}
	if got := e.PrimaryEntity(event.EntityUser, event.RoleNone); got != "user:ana@example.com" {
		t.Errorf("user is %q", got)
	}
}
