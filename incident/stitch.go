package incident

import (
	"cmp"
	"slices"

	"github.com/tocsin-siem/tocsin/event"
)

// Stitcher joins findings into incidents. It is a fold: the same announcements and actions in the same order give the same incidents. It
// is not safe for concurrent use, keeps no clock and does no I/O.
//
// Incidents are the connected components of the findings' links, with a greatest gap and span. An incident an analyst touched keeps its
// findings: later links add to it and never split it or merge it with another touched one.
type Stitcher struct {
	cfg       Config
	dir       Directory
	findings  map[event.ID]*member
	incidents map[event.ID]*Incident
	entities  map[string][]event.ID // joinable entity to findings, in order of arrival
	hubs      hubs
	floods    floods
	notes     notebook
	acted     acted
	undos     undos
	hushed    hushed
	newest    int64 // newest event time of a finding
}

// member is a finding at work.
type member struct {
	finding Finding
	ties    []tie
	links   map[event.ID]Link // by the other finding
	home    event.ID
	told    int64 // our clock when it was announced first; 0 if that is forgotten
}

// NewStitcher makes an empty stitcher. dir may be nil.
func NewStitcher(cfg Config, dir Directory) *Stitcher {
	return &Stitcher{
		cfg: cfg, dir: dir, findings: map[event.ID]*member{}, incidents: map[event.ID]*Incident{}, entities: map[string][]event.ID{},
		notes: notebook{byEntity: map[string][]event.Note{}}, hushed: hushed{hidden: map[event.ID]hidden{}},
	}
}

// SetDirectory replaces the inventory; owners are worked out with it from the next change on.
func (s *Stitcher) SetDirectory(dir Directory) { s.dir = dir }

// Get is the current state of an incident; nil if there is none. The value is never changed afterwards.
func (s *Stitcher) Get(id event.ID) *Incident { return s.incidents[id] }

// Incidents lists the current incidents by (opened, id), merged ones left out.
func (s *Stitcher) Incidents() []*Incident {
	var out []*Incident
	for _, in := range s.incidents {
		if in.Status != Merged {
			out = append(out, in)
		}
	}
	slices.SortFunc(out, byOpening)
	return out
}

func byOpening(a, b *Incident) int {
	return cmp.Or(cmp.Compare(a.Opened, b.Opened), cmp.Compare(a.First, b.First), a.ID.Compare(b.ID))
}

// Apply takes the announcements of one batch, and gives the changes that follow, at most a few per incident, in fixed order. A finding that a
// suppression keeps out of incidents is marked where it stands in findings. now is our clock at the batch, in microseconds.
func (s *Stitcher) Apply(findings []Finding, notes []event.Note, batch event.BatchID, now int64) []Change {
	s.notes.add(notes)
	touched := map[event.ID]bool{} // findings whose component must be looked at
	lost := map[event.ID]bool{}    // incidents that lost a finding
	for i := range findings {
		f := &findings[i]
		if f.Shadow || s.hide(f) {
			continue
		}
		if f.State == Withdrawn {
			if !s.undamp(f) {
				s.remove(f.ID, touched, lost)
			}
			continue
		}
		digests, folded := s.damp(f)
		for j := range digests {
			s.put(&digests[j], now)
			touched[digests[j].ID] = true
		}
		if folded {
			continue
		}
		s.put(f, now)
		touched[f.ID] = true
	}
	if len(touched) == 0 && len(lost) == 0 {
		return nil
	}
	changes := s.regroup(touched, lost, now)
	s.forget()
	for i := range changes {
		changes[i].Batch, changes[i].Index = batch, i
	}
	return changes
}

// put adds or replaces a finding and links it to the others. A revision may have other evidence than the one before, and so other ties.
func (s *Stitcher) put(f *Finding, now int64) {
	m := s.findings[f.ID]
	if m == nil {
		m = &member{links: map[event.ID]Link{}, told: now}
		s.findings[f.ID] = m
		s.hubs.total(f)
	}
	s.unlink(m)
	s.retie(m, f)
	m.finding = *f
	m.finding.Announced = m.told
	s.newest = max(s.newest, f.Time)
	for _, t := range m.ties {
		for _, other := range s.entities[t.id] {
			if o := s.findings[other]; o != nil && o != m {
				s.link(m, o)
			}
		}
	}
}

// retie brings what the finding is tied by up to date with its evidence.
func (s *Stitcher) retie(m *member, f *Finding) {
	now := ties(f)
	for _, t := range m.ties {
		if !tied(now, t.id) {
			s.untie(t.id, f.ID)
			s.hubs.count(f, t.id, -1)
		}
	}
	for _, t := range now {
		if !tied(m.ties, t.id) {
			s.entities[t.id] = append(s.entities[t.id], f.ID)
			s.hubs.count(f, t.id, 1)
		}
	}
	m.ties = now
}

func tied(list []tie, id string) bool {
	_, found := slices.BinarySearchFunc(list, id, func(t tie, id string) int { return cmp.Compare(t.id, id) })
	return found
}

// untie forgets that a finding is tied by an entity.
func (s *Stitcher) untie(entity string, id event.ID) {
	if s.entities[entity] = slices.DeleteFunc(s.entities[entity], func(x event.ID) bool { return x == id }); len(s.entities[entity]) == 0 {
		delete(s.entities, entity)
	}
}

func (s *Stitcher) link(a, b *member) {
	if _, done := a.links[b.finding.ID]; done {
		return
	}
	at := max(a.finding.Time, b.finding.Time)
	l, ok := linkOf(&a.finding, &b.finding, a.ties, b.ties, s.cfg, func(id string) bool { return s.hubs.is(id, at, s.cfg) })
	if ok {
		a.links[b.finding.ID], b.links[a.finding.ID] = l, l
	}
}

func (s *Stitcher) unlink(m *member) {
	for other := range m.links {
		if o := s.findings[other]; o != nil {
			delete(o.links, m.finding.ID)
		}
	}
	clear(m.links)
}

func (s *Stitcher) remove(id event.ID, touched, lost map[event.ID]bool) {
	m := s.findings[id]
	if m == nil {
		return
	}
	for other := range m.links {
		touched[other] = true
	}
	s.unlink(m)
	delete(s.findings, id)
	delete(touched, id)
	for _, t := range m.ties {
		s.untie(t.id, id)
	}
	if in := s.incidents[m.home]; in != nil {
		lost[m.home] = true
		for _, f := range in.Findings {
			if f.ID != id && s.findings[f.ID] != nil {
				touched[f.ID] = true
			}
		}
	}
}

// forget drops findings too old to be joined by a new one, and closed incidents with them. What is dropped stays in the store.
func (s *Stitcher) forget() {
	horizon := s.newest - s.cfg.MaxSpan - s.cfg.MaxGap
	for id, m := range s.findings {
		in := s.incidents[m.home]
		if in != nil && in.Last >= horizon {
			continue
		}
		s.unlink(m)
		delete(s.findings, id)
		for _, t := range m.ties {
			s.untie(t.id, id)
		}
	}
	for id, in := range s.incidents {
		if in.Last < horizon && (in.Status == Closed || in.Status == Merged) {
			delete(s.incidents, id)
		}
	}
	s.notes.forget(horizon - s.cfg.Lookback)
	s.hushed.forget(horizon)
}
