package incident

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// state is what a stitcher must remember, in a fixed order.
type state struct {
	Findings  []memberState
	Incidents []*Incident
	Entities  []entityState
	Hubs      hubs
	Floods    floods
	Notes     []notesState
	Acted     []event.ID
	ActedAt   actedState `json:",omitzero"`
	Newest    int64

	Suppressions []Suppression `json:",omitempty"`
	Hidden       []hiddenState `json:",omitempty"`
	Undos        undos         `json:",omitempty"`
}

type memberState struct {
	Finding Finding
	Home    event.ID
	Links   []Link
	Told    int64 `json:",omitzero"`
}

type entityState struct {
	ID       string
	Findings []event.ID
}

type notesState struct {
	Entity string
	Notes  []event.Note
}

// Snapshot appends the stitcher's state to b. The same state gives the same bytes. The caller adds length, version and checksum.
func (s *Stitcher) Snapshot(b []byte) ([]byte, error) {
	st := state{Hubs: s.hubs, Floods: s.floods, Newest: s.newest, Undos: s.undos}
	st.Acted, st.ActedAt = s.acted.state()
	st.Suppressions, st.Hidden = s.hushed.state()
	for _, m := range s.findings {
		x := memberState{Finding: m.finding, Home: m.home, Told: m.told}
		for _, l := range m.links {
			if l.A == m.finding.ID {
				x.Links = append(x.Links, l)
			}
		}
		slices.SortFunc(x.Links, func(a, b Link) int { return a.B.Compare(b.B) })
		st.Findings = append(st.Findings, x)
	}
	slices.SortFunc(st.Findings, func(a, b memberState) int { return a.Finding.ID.Compare(b.Finding.ID) })
	for _, in := range s.incidents {
		st.Incidents = append(st.Incidents, in)
	}
	slices.SortFunc(st.Incidents, func(a, b *Incident) int { return a.ID.Compare(b.ID) })
	for id, list := range s.entities {
		st.Entities = append(st.Entities, entityState{id, list})
	}
	slices.SortFunc(st.Entities, func(a, b entityState) int { return compareText(a.ID, b.ID) })
	for id, list := range s.notes.byEntity {
		st.Notes = append(st.Notes, notesState{id, list})
	}
	slices.SortFunc(st.Notes, func(a, b notesState) int { return compareText(a.Entity, b.Entity) })
	doc, err := json.Marshal(st)
	if err != nil {
		return b, fmt.Errorf("snapshot of incidents: %w", err)
	}
	return append(b, doc...), nil
}

// Restore replaces the state by what Snapshot wrote. On an error the stitcher is empty.
func (s *Stitcher) Restore(b []byte) error {
	*s = *NewStitcher(s.cfg, s.dir)
	var st state
	if err := json.Unmarshal(b, &st); err != nil {
		return fmt.Errorf("snapshot of incidents is damaged: %w", err)
	}
	s.hubs, s.floods, s.newest, s.undos = st.Hubs, st.Floods, st.Newest, st.Undos
	s.hushed.restore(st.Suppressions, st.Hidden, s.cfg.Compile)
	for _, x := range st.Findings {
		s.findings[x.Finding.ID] = &member{finding: x.Finding, ties: ties(&x.Finding), home: x.Home, told: x.Told, links: map[event.ID]Link{}}
	}
	for _, x := range st.Findings {
		for _, l := range x.Links {
			if a, b := s.findings[l.A], s.findings[l.B]; a != nil && b != nil {
				a.links[l.B], b.links[l.A] = l, l
			}
		}
	}
	for _, in := range st.Incidents {
		s.incidents[in.ID] = in
	}
	for _, e := range st.Entities {
		s.entities[e.ID] = e.Findings
	}
	for _, n := range st.Notes {
		s.notes.byEntity[n.Entity] = n.Notes
	}
	s.acted.restore(st.Acted, st.ActedAt, st.Incidents)
	return nil
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
