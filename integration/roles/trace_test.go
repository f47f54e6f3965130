package roles_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
)

// trace is what a run leaves behind.
type trace struct {
	Events   map[string]string // By id: content and entities.
	Rejects  map[string]string // By record.
	Findings map[string]string // By id: rule, state and evidence.
	Groups   map[string]string // Incidents as sets of findings, with their severity.
	Told     map[string]string // Of these, those of which there was a delivery.
	Touched  map[string]string // Incidents that an analyst touched, by id: status and remarks.
}

// trace reads the store of a run whose members have left.
func (r *run) trace(t *testing.T, once bool) trace {
	t.Helper()
	db, err := app.OpenDatabase(t.Context(), r.cfg, discard, nil, nil)
	must(t, err)
	defer func() { must(t, db.Close()) }()
	out := trace{Events: map[string]string{}, Rejects: map[string]string{}, Findings: map[string]string{}, Groups: map[string]string{}, Told: map[string]string{}, Touched: map[string]string{}}
	for e, err := range db.Events(t.Context(), store.EventFilter{}) {
		must(t, err)
		refs := slices.Clone(e.Entities)
		slices.SortFunc(refs, func(a, b event.EntityRef) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		p := e.Envelope.Position
		id := e.Envelope.ID.String()
		text := fmt.Sprintf("%s/%d %d %v %q", p.Source, p.Partition, p.Offset, refs, event.Append(nil, e))
		if was := out.Events[id]; was != "" {
			t.Errorf("event %s stands in the store twice:\n%s\n%s", id, was, text)
		}
		out.Events[id] = text
	}
	for x, err := range db.Rejects(t.Context(), store.RejectFilter{}) {
		must(t, err)
		key := fmt.Sprintf("%s/%d %d", x.Position.Source, x.Position.Partition, x.Position.Offset)
		if out.Rejects[key] != "" {
			t.Errorf("the reject at %s stands in the store twice", key)
		}
		out.Rejects[key] = x.Code + " " + string(x.Raw)
	}
	for f, err := range db.Findings(t.Context(), store.FindingFilter{}) {
		must(t, err)
		if f.State != incident.Withdrawn {
			out.Findings[f.ID.String()] = describe(f)
		}
	}
	var changes []incident.Change
	for c, err := range db.Changes(t.Context(), store.ChangeCursor{}, 0) {
		must(t, err)
		changes = append(changes, c)
	}
	told := r.hook.follows(t, changes, once)
	for in, err := range db.Incidents(t.Context(), store.IncidentFilter{Status: []incident.Status{incident.Open, incident.Acknowledged, incident.Closed}}) {
		must(t, err)
		if len(in.Findings) == 0 { // It ended when its findings were withdrawn: announcements may differ.
			continue
		}
		g := group(in)
		out.Groups[g] = in.Severity.String()
		if told[in.ID] {
			out.Told[g] = in.Severity.String()
		}
		if in.Status != incident.Open || len(in.Remarks) > 0 {
			out.Touched[event.FormatID(event.IncidentPrefix, in.ID)] = fmt.Sprintf("%s %s %v", in.Status, in.Assignee, in.Remarks)
		}
	}
	return out
}

func describe(f *incident.Finding) string {
	var evidence []string
	for _, ev := range f.Evidence {
		evidence = append(evidence, ev.Event.Event.String())
	}
	slices.Sort(evidence)
	return fmt.Sprintf("%s %s %v", f.Rule.ID, f.State, evidence)
}

// group is an incident as the set of its findings.
func group(in *incident.Incident) string {
	var ids []string
	for i := range in.Findings {
		ids = append(ids, in.Findings[i].Rule.ID+" "+in.Findings[i].ID.String())
	}
	slices.Sort(ids)
	return strings.Join(ids, ", ")
}

// equals compares with what one process came to.
func (got *trace) equals(t *testing.T, want *trace) {
	t.Helper()
	for _, x := range []struct {
		what      string
		want, got map[string]string
	}{
		{"event", want.Events, got.Events},
		{"reject", want.Rejects, got.Rejects},
		{"finding", want.Findings, got.Findings},
		{"incident", want.Groups, got.Groups},
		{"delivered incident", want.Told, got.Told},
	} {
		differ(t, x.what, x.want, x.got)
	}
	t.Logf("compared with one process: %s", got)
}

func (x *trace) String() string {
	return fmt.Sprintf("%d events, %d rejects, %d findings, %d incidents, all of them delivered: %v", len(x.Events), len(x.Rejects), len(x.Findings), len(x.Groups), len(x.Told) == len(x.Groups))
}

// differ compares two maps and shows a few of what differs.
func differ(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	keys := slices.Sorted(maps.Keys(want))
	for k := range got {
		if _, both := want[k]; !both {
			keys = append(keys, k)
		}
	}
	shown := 0
	for _, k := range keys {
		w, inWant := want[k]
		g, inGot := got[k]
		if w == g && inWant == inGot {
			continue
		}
		if shown++; shown > 5 {
			continue
		}
		switch {
		case !inGot:
			t.Errorf("%s %.300s is lost: %.300s", what, k, w)
		case !inWant:
			t.Errorf("%s %.300s is a ghost: %.300s", what, k, g)
		default:
			t.Errorf("%s %.300s differs (-one process +roles):\n%s", what, k, cmp.Diff(strings.Split(w, "{"), strings.Split(g, "{")))
		}
	}
	if shown > 5 {
		t.Errorf("… %d of %d %ss differ in all", shown, len(want), what)
	}
}
