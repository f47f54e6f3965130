package crash_test

import (
	"context"
	"crypto/sha256"
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
	Events   map[string]string // By id: position, and a digest of content and entities.
	Rejects  map[string]string // By source, partition and offset.
	Findings map[string]string // By id: rule, state, score and evidence.
	Groups   []string          // Incidents as sets of findings.
	Changes  []incident.Change
	Told     map[string]string // By group: what the receiver heard of the incident last.
}

// trace opens the store that the service has left and reads everything.
func (o *site) trace() trace {
	t := o.t
	t.Helper()
	db, err := app.OpenDatabase(t.Context(), o.cfg, discard, nil, nil)
	must(t, err)
	defer func() { must(t, db.Close()) }()
	out := trace{Events: map[string]string{}, Rejects: map[string]string{}, Findings: map[string]string{}, Told: map[string]string{}}
	rows := count(t, db.DB, "SELECT count() FROM events")
	for e, err := range db.Events(t.Context(), store.EventFilter{}) {
		must(t, err)
		refs := slices.Clone(e.Entities)
		slices.SortFunc(refs, func(a, b event.EntityRef) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		sum := sha256.Sum256(fmt.Appendf(event.Append(nil, e), "%v %s", refs, e.Envelope.Raw))
		out.Events[e.Envelope.ID.String()] = fmt.Sprintf("%+v %x", e.Envelope.Position, sum[:8])
	}
	if int(rows) != len(out.Events) {
		t.Errorf("the log has %d rows of %d events: some stand there twice", rows, len(out.Events))
	}
	for r, err := range db.Rejects(t.Context(), store.RejectFilter{}) {
		must(t, err)
		key := fmt.Sprintf("%+v", r.Position)
		if out.Rejects[key] != "" {
			t.Errorf("the reject at %s stands there twice", key)
		}
		out.Rejects[key] = fmt.Sprintf("%s %q %q %q", r.Code, r.Key, r.Headers, r.Raw)
	}
	for f, err := range db.Findings(t.Context(), store.FindingFilter{}) {
		must(t, err)
		if f.State == incident.Withdrawn {
			continue
		}
		var evidence []string
		for _, ev := range f.Evidence {
			evidence = append(evidence, ev.Event.Event.String())
		}
		slices.Sort(evidence)
		out.Findings[f.ID.String()] = fmt.Sprintf("%s %s %d %v", f.Rule.ID, f.State, f.Score, evidence)
	}
	for in, err := range db.Incidents(t.Context(), store.IncidentFilter{Status: []incident.Status{incident.Open, incident.Acknowledged, incident.Closed}}) {
		must(t, err)
		if len(in.Findings) > 0 { // The others were ended when their findings were withdrawn: announcements may differ.
			out.Groups = append(out.Groups, group(in))
			out.Told[group(in)] = event.FormatID(event.IncidentPrefix, in.ID)
		}
	}
	slices.Sort(out.Groups)
	for c, err := range db.Changes(t.Context(), store.ChangeCursor{}, 0) {
		must(t, err)
		out.Changes = append(out.Changes, c)
	}
	return out
}

// final is how many findings nothing can change any more.
func (tr trace) final() (n int) {
	for _, f := range tr.Findings {
		if strings.Contains(f, " "+incident.Final.String()+" ") {
			n++
		}
	}
	return n
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

func count(t testing.TB, db *store.DB, statement string) (n uint64) {
	t.Helper()
	r, err := db.Query(context.Background(), statement)
	must(t, err)
	for row, err := range r.Rows {
		must(t, err)
		n = row[0].(uint64)
	}
	return n
}

// compare holds a killed run against an undisturbed one.
func compare(t *testing.T, want, got trace) {
	t.Helper()
	differences(t, "event", want.Events, got.Events)
	differences(t, "reject", want.Rejects, got.Rejects)
	differences(t, "finding", want.Findings, got.Findings)
	if diff := cmp.Diff(want.Groups, got.Groups); diff != "" {
		t.Errorf("incidents (-undisturbed +killed):\n%s", diff)
	}
	differences(t, "delivery about an incident of findings", want.Told, got.Told)
	t.Logf("compared: %d events, %d rejects, %d findings (%d final), %d incidents, what was delivered last of each; %d changes here, %d undisturbed",
		len(got.Events), len(got.Rejects), len(got.Findings), got.final(), len(got.Groups), len(got.Changes), len(want.Changes))
}

// differences compares two maps and shows at most a few of what differs.
func differences(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	all := maps.Clone(want)
	maps.Copy(all, got)
	shown := 0
	for _, k := range slices.Sorted(maps.Keys(all)) {
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
			t.Errorf("%s %s is lost: %.300s", what, k, w)
		case !inWant:
			t.Errorf("%s %s is a ghost: %.300s", what, k, g)
		default:
			t.Errorf("%s %s differs (-undisturbed +killed):\n%s", what, k, cmp.Diff(w, g))
		}
	}
	if shown > 5 {
		t.Errorf("… %d of %d %ss differ in all", shown, len(want), what)
	}
}
